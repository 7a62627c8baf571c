package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// twoStorages are a folder with two storages, one of which a configuration names.
func twoStorages(t *testing.T) (dir, config string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"one/sealed/s-t01000-7", "two/update/s-t01000-7", "two/sealed/s-t01000-8"} {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, nil, 0o600))
	}
	for _, name := range []string{"two/update-cache/s-t01000-7", "one/cache/s-t01000-7"} {
		must(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
	}
	config = filepath.Join(dir, "vigil.toml")
	must(t, os.WriteFile(config, []byte("# mine\n[[storage]]\npath = \"one\"\n"), 0o600))
	return dir, config
}

func TestStoragesAreScannedAddedListedAndSearched(t *testing.T) {
	dir, config := twoStorages(t)
	expect := func(code int, words []string, args ...string) string {
		t.Helper()
		got, stdout, stderr := invoke(t, append([]string{"storage"}, args...)...)
		if got != code {
			t.Errorf("%v: exit code %d, want %d\n%s%s", args, got, code, stdout, stderr)
		}
		for _, word := range words {
			if !strings.Contains(stdout+stderr, word) {
				t.Errorf("%v: it does not say %q:\n%s%s", args, word, stdout, stderr)
			}
		}
		return stdout
	}
	if out := expect(0, []string{"[[storage]]", filepath.Join(dir, "two"), "0 sealed and 1 updated"}, "scan", "--config", config, dir); strings.Contains(out, "one") {
		t.Errorf("the storage that is configured is proposed again:\n%s", out)
	}
	expect(0, []string{"added " + filepath.Join(dir, "two")}, "add", "--config", config, dir)
	expect(0, []string{"has all of them already"}, "add", "--config", config, dir)
	expect(0, []string{"STORAGE", filepath.Join(dir, "one"), filepath.Join(dir, "two")}, "list", "--config", config)
	expect(1, []string{"/nowhere", "is not there"}, "list", "/nowhere")
	expect(1, []string{"/nowhere", "is not there"}, "list", "--json", "/nowhere")
	expect(1, []string{`"files":[]`}, "find", "--json", "--config", config, "--miner", "f01000", "9")
	expect(0, []string{"one/sealed/s-t01000-7", "one/cache/s-t01000-7", "two/update/s-t01000-7", "two/update-cache/s-t01000-7"}, "find", "--config", config, "s-t01000-7")
	expect(1, []string{"sector 9", "no storage has anything of it"}, "find", "--config", config, "--miner", "f01000", "9")
	expect(1, []string{"no storage is there"}, "scan", filepath.Join(dir, "one", "sealed"))

	var list []struct {
		Path            string
		Sealed, Updated int
		Partial         int
	}
	if err := json.Unmarshal([]byte(expect(0, nil, "list", "--config", config, "--json")), &list); err != nil || len(list) != 2 || list[0].Sealed != 1 || list[1].Updated != 1 || list[1].Partial != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	var found []whereabouts
	if err := json.Unmarshal([]byte(expect(0, nil, "find", "--json", "--config", config, "s-t01000-8")), &found); err != nil || len(found) != 1 || len(found[0].Files) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestAWrongCommandLineOfStorageOrCheckIsSaid(t *testing.T) {
	for _, args := range [][]string{
		{"storage", "list"}, {"storage", "scan"}, {"storage", "add", "x"}, {"storage", "find"}, {"storage", "find", "7"},
		{"storage", "find", "--miner", "f0x", "7"}, {"storage", "find", "--miner", "f01000", "seven"},
		{"check"}, {"check", "--config", "x", "--deadline", "-1"}, {"check", "--config", "x", "--at-once", "0"},
		{"check", "--config", "x", "--miner", "me"}, {"check", "--config", "x", "y"}, {"bench", "reading", "--disks", "0"},
	} {
		code, stdout, stderr := invoke(t, args...)
		if code != 2 || stdout != "" || !strings.HasPrefix(stderr, "vigil: ") || strings.Count(stderr, "\n") != 2 {
			t.Errorf("%v: exit code %d\n%s%s", args, code, stdout, stderr)
		}
	}
}

func TestTheReadingBenchmarkReadsWhatItSays(t *testing.T) {
	if testing.Short() {
		t.Skip("hashes 32 GiB sectors' trees")
	}
	code, stdout, stderr := invoke(t, "bench", "reading", "--sectors", "6", "--disks", "2", "--seek", "1ms", "--dir", t.TempDir())
	var r benchReadingResult
	if err := json.Unmarshal([]byte(stdout), &r); code != 0 || err != nil || r.Sectors != 6 || len(r.AtOnce) != 2 || r.Reads < 20 || r.Reads > 31 || r.Ratio <= 0 || r.Vanilla == 0 {
		t.Errorf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
}
