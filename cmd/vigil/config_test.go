package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAskingADaemonThatIsOffForItsChangesSaysSo(t *testing.T) {
	path, data := daemonOff(t)
	whole := wholeFile(t)
	for _, data := range []string{data, filepath.Join(filepath.Dir(whole), "data")} {
		if err := os.Mkdir(data, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(data, "token"), []byte("a.b.c\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"config", "reload", path}, {"config", "reload", whole}, {"config", "diff", whole}} {
		code, stdout, stderr := invoke(t, args...)
		if code != 1 || stdout != "" || !strings.Contains(stderr, "the daemon is off") || strings.Contains(stderr, "--dry-run") {
			t.Errorf("%v: exit code %d: %s%s", args, code, stdout, stderr)
		}
	}
	if code, _, stderr := invoke(t, "recover", "--config", path); code != 1 || !strings.Contains(stderr, "the daemon is off") || !strings.Contains(stderr, "--dry-run") {
		t.Errorf("recover: exit code %d: %s", code, stderr)
	}
}

// wholeFile is a configuration that can be run, but for a daemon at an address where none is.
func wholeFile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range []string{"sealed", "cache", "params"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "vigil.toml")
	text := "node.url = \"ws://127.0.0.1:1234\"\nminer = [{address = \"f01000\"}]\nstorage = [{path = \".\"}]\nproofs.parameters = \"params\"\ndata.dir = \"data\"\nwallet.remote = [{url = \"http://127.0.0.1:1777\"}]\n" +
		"dashboard.listen = \"127.0.0.1:1\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFilesThatDoNotDifferAreAnEmptyListOfJSON(t *testing.T) {
	path := wholeFile(t)
	code, stdout, stderr := invoke(t, "config", "diff", "--json", path, path)
	if code != 0 || stdout != "[]\n" {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}
