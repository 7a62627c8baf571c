package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vigil-post/vigil"
)

// The report is made here, of what the daemon of a configuration has recorded.
func TestTheShadowReportIsMadeOfTheDaemonsRecords(t *testing.T) {
	records := []vigil.ShadowRecord{{
		Miner: 1000, Watched: true, Deadline: vigil.Deadline{Index: 17, Count: 48, Challenge: 980, Open: 1000, Close: 1060}, Head: 1070,
		Partitions: []vigil.ShadowPartition{{Due: 2, Ours: vigil.ShadowOurs{State: vigil.StateShadowed, Work: vigil.ShadowWork{Begun: 981, Ready: 985, Sent: 1004}}}},
	}}
	asked := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		_ = json.NewEncoder(w).Encode(records)
	}))
	defer server.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "vigil.toml")
	text := fmt.Sprintf("[[miner]]\naddress = \"f01000\"\nshadow = true\n[data]\ndir = \"data\"\n[dashboard]\nlisten = %q\n", strings.TrimPrefix(server.URL, "http://"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := invoke(t, "shadow", "report", "--config", config, "--since", "900")
	if code != 0 || !strings.Contains(stdout, "vigil better") || !strings.Contains(stdout, "not posted") || asked != "/api/shadow?since=900" {
		t.Errorf("exit code %d, asked for %s:\n%s%s", code, asked, stdout, stderr)
	}
	code, stdout, stderr = invoke(t, "shadow", "report", "--config", config, "--json")
	d := json.NewDecoder(strings.NewReader(stdout))
	d.DisallowUnknownFields()
	var answer shadowAnswer
	if err := d.Decode(&answer); err != nil || code != 0 || len(answer.Records) != 1 || answer.Records[0].Deadline.Index != 17 {
		t.Errorf("exit code %d, %v:\n%s%s", code, err, stdout, stderr)
	}
	server.Close()
	if code, _, stderr := invoke(t, "shadow", "report", "--config", config); code != 1 || !strings.Contains(stderr, "its database cannot be read") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
