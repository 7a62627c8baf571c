package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.toml")
	if err := os.WriteFile(bad, []byte("[node]\nurl = \"nowhere\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sentence string
		args     []string
		code     int
		says     string // on standard error
	}{
		{"the version", []string{"version"}, 0, ""},
		{"help was asked for", []string{"--help"}, 0, ""},
		{"help of a command", []string{"devnet", "--help"}, 0, ""},
		{"no command", nil, 2, "needs a command"},
		{"an unknown command", []string{"fly"}, 2, `no command "fly"`},
		{"an unknown command below one", []string{"wallet", "steal"}, 2, `no command "steal"`},
		{"an unknown flag", []string{"run", "--fast"}, 2, "fast"},
		{"a missing flag", []string{"run"}, 2, "config"},
		{"a value that does not parse", []string{"devnet", "--block-time", "soon"}, 2, "soon"},
		{"an argument where none belongs", []string{"version", "please"}, 2, "please"},
		{"no file to verify", []string{"proof", "verify"}, 2, "needs a file"},
		{"no miners", []string{"devnet", "--miners", "0"}, 2, "--miners"},
		{"no periods", []string{"devnet", "--periods", "0"}, 2, "--periods"},
		{"two ways at once", []string{"devnet", "--periods", "1", "--serve-only"}, 2, "--serve-only"},
		{"a story that is not there", []string{"devnet", "--scenario", "no-such"}, 2, "neither a file nor one of those"},
		{"a story and periods", []string{"devnet", "--scenario", "story", "--periods", "1"}, 2, "--scenario"},
		{"a size that is none", []string{"devnet", "--sector-size", "3KiB"}, 2, "the sizes are"},
		{"an upgrade without an epoch", []string{"devnet", "--upgrade", "28"}, 2, "28@500"},
		{"a clock that nobody moves", []string{"devnet", "--manual"}, 2, "--serve-only"},
		{"too many null rounds", []string{"devnet", "--null-rounds", "1"}, 2, "--null-rounds"},
		{"a config that is gone", []string{"run", "--config", filepath.Join(dir, "gone.toml")}, 1, "gone.toml"},
		{"a config that is wrong", []string{"run", "--config", bad}, 1, "bad.toml:2: node.url: this is no URL"},
		{"nobody to judge", []string{"dispute", "--config", bad}, 2, "--miner"},
		{"everybody and somebody", []string{"dispute", "--config", bad, "--all", "--miner", "f01000"}, 2, "--all"},
		{"no account that disputes", []string{"dispute", "--config", bad, "--all"}, 2, "--from"},
		{"a fee that is none", []string{"dispute", "--config", bad, "--all", "--dry-run", "--max-fee", "0"}, 2, "--max-fee"},
		{"a disputer's config that is wrong", []string{"dispute", "--config", bad, "--all", "--dry-run"}, 1, `url = "nowhere"`},
		{"a keystore that is gone", []string{"wallet", "list", "--keystore", filepath.Join(dir, "none")}, 1, "vigil wallet new"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			code, stdout, stderr := invoke(t, c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, stdout, stderr)
			}
			if !strings.Contains(stderr, c.says) {
				t.Errorf("standard error does not say %q: %s", c.says, stderr)
			}
			if code == 0 && stdout == "" {
				t.Error("nothing was said")
			}
		})
	}
}

func TestKeysGoInAndOutOfAKeystore(t *testing.T) {
	dir := t.TempDir()
	pass := filepath.Join(dir, "pass")
	if err := os.WriteFile(pass, []byte("open sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(store string, args ...string) []string {
		return append([]string{"wallet", args[0], "--keystore", filepath.Join(dir, store), "--passphrase-file", pass}, args[1:]...)
	}
	ok := func(args []string) string {
		t.Helper()
		code, stdout, stderr := invoke(t, args...)
		if code != 0 {
			t.Fatalf("%v: exit code %d: %s", args, code, stderr)
		}
		return strings.TrimSpace(stdout)
	}
	made := ok(at("one", "new", "--type", "bls"))
	if !strings.HasPrefix(made, "f3") {
		t.Errorf("made %s", made)
	}
	exported := filepath.Join(dir, "exported")
	if err := os.WriteFile(exported, []byte(ok(at("one", "export", made))+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if held := ok(at("two", "import", exported)); held != made {
		t.Errorf("imported %s, want %s", held, made)
	}
	if list := ok(at("two", "list", "--testnet")); list != "t"+made[1:]+" bls" {
		t.Errorf("list: %s", list)
	}
	if list := ok(at("two", "list", "--json")); list != `[{"address":"`+made+`","type":"bls"}]` {
		t.Errorf("list: %s", list)
	}
	secret := ok(at("one", "export", made))
	if code, stdout, stderr := invoke(t, at("two", "import", secret)...); code != 2 || strings.Contains(stdout+stderr, secret) || !strings.Contains(stderr, "standard input") {
		t.Errorf("a key on the command line: exit code %d: %s%s", code, stdout, stderr)
	}
	if code, _, stderr := invoke(t, at("one", "export", made)...); code != 0 || !strings.Contains(stderr, "can spend") {
		t.Errorf("export does not warn: %d %s", code, stderr)
	}
	if err := os.WriteFile(pass, []byte("wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := invoke(t, at("two", "list")...); code != 1 || !strings.Contains(stderr, "passphrase is wrong") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if code, _, _ := invoke(t, at("two", "new", "--type", "rsa")...); code != 2 {
		t.Errorf("an unknown type: exit code %d", code)
	}
}

func TestAReleaseSaysItsVersion(t *testing.T) {
	released = "v1.2.3"
	t.Cleanup(func() { released = "" })
	if _, stdout, _ := invoke(t, "version"); !strings.HasPrefix(stdout, "vigil v1.2.3 ") {
		t.Error(stdout)
	}
}
