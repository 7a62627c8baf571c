package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestThoseWhoAreToldOfAlarmsAreTried(t *testing.T) {
	told := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told <- string(body)
	}))
	defer server.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "vigil.toml")
	notify := func(more string) (code int, out string) {
		text := fmt.Sprintf("[node]\nurl = \"ws://127.0.0.1:1/rpc/v1\"\n[[miner]]\naddress = \"f01000\"\n[[storage]]\npath = %q\n[data]\ndir = \"data\"\n%s", dir, more)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		code = run(t.Context(), []string{"vigil", "notify", "test", "--config", config}, &stdout, &stderr)
		return code, stdout.String() + stderr.String()
	}
	if code, out := notify(""); code != exitFailure || !strings.Contains(out, "names nobody to notify") {
		t.Errorf("%d: %s", code, out)
	}
	if code, out := notify("[[notify]]\nformat = \"slack\"\nurl = \"" + server.URL + "/SECRET\"\n"); code != 0 || !strings.Contains(out, "notify[0], slack at 127.0.0.1") || strings.Contains(out, "SECRET") {
		t.Errorf("%d: %s", code, out)
	}
	if first := <-told; !strings.Contains(first, "nothing is wrong") {
		t.Error(first)
	}
}
