package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vigil-post/vigil/app"
)

// converse runs vigil with these lines to read, and gives what it says and whether it was content.
func converse(t *testing.T, lines string, args ...string) (said string, ok bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "FULLNODE_API_INFO=", "FIL_PROOFS_PARAMETER_CACHE=", "HOME="+t.TempDir())
	cmd.Stdin = strings.NewReader(lines)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// A configuration is asked for, answers that are wrong are said and asked again, and
// what is written is one that the doctor finds nothing wrong with.
func TestAConfigurationIsMadeByAnswers(t *testing.T) {
	if _, err := devnetKey(); err != nil {
		t.Fatal(err)
	}
	n := newNode(t, time.Hour) // nothing has to happen
	initIsSaid(t, n)
	dir := t.TempDir()
	file := filepath.Join(dir, "vigil.toml")
	chain := filepath.Join(n.dir, "chain")
	flags := []string{
		"init", "--config", file, "--token-file", filepath.Join(chain, "token"), "--parameters", filepath.Join(n.dir, "params"), "--data", filepath.Join(dir, "data"),
	}
	answers := []string{
		"ws://" + n.listen + "/rpc/v1",
		"t0x", "t01999", "t01000", "",
		filepath.Join(dir, "nothing"), filepath.Join(chain, "storage"), "",
		filepath.Join(dir, "keystore"), filepath.Join(dir, "no.key"), filepath.Join(chain, "keys", "control-t01000.key"),
	}
	said, ok := converse(t, strings.Join(answers[:3], "\n")+"\n", flags...)
	if _, err := os.Stat(file); ok || err == nil || !strings.Contains(said, "nothing answers: give --miner") {
		t.Fatalf("when the answers end:\n%s", said)
	}
	said, ok = converse(t, strings.Join(answers, "\n")+"\n", flags...)
	for _, want := range []string{
		"✓ node ws://", "✗ \"t0x\" is no miner's address", "✗ miner t01999: the network has no such miner", "✓ miner t01000: it exists",
		"✗ stat ", "92 sectors of 2.0 KiB to prove, and all are in the storages", "✗ senders of t01000: no key of theirs is held", "✗ open ",
		"a control address, has", "✓ parameters for 2.0 KiB", "vigil run --config " + file,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if !ok || t.Failed() {
		t.Fatal(said)
	}
	if said, ok := converse(t, "", flags...); ok || !strings.Contains(said, "is there already") {
		t.Errorf("it was overwritten:\n%s", said)
	}
	if said, ok := converse(t, "", "config", "check", file); !ok || !strings.Contains(said, "can be run: 1 miner, 1 node, 1 storage") {
		t.Error(said)
	}
	said, ok = converse(t, "", "doctor", "--config", file, "--json")
	var list []app.Examined
	if err := json.Unmarshal([]byte(said), &list); err != nil || !ok || len(list) < 8 {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, e := range list {
		if e.Health == app.Ill {
			t.Errorf("%+v", e)
		}
	}
	n.kill()
	if said, ok := converse(t, "", "doctor", "--config", file); ok || !strings.Contains(said, "✗ node ws://") || !strings.Contains(said, "connection refused") {
		t.Errorf("without its node:\n%s", said)
	}
}

// initIsSaid looks at what a devnet says of vigil init: all that is asked for, and
// what comes of it can be run.
func initIsSaid(t *testing.T, n *node) {
	t.Helper()
	command := strings.Fields(n.must(t, time.Minute, "  vigil init "))
	if said, ok := converse(t, "", command[1:]...); !ok {
		t.Error(said)
	}
	if said, ok := converse(t, "", "config", "check", filepath.Join(n.dir, "by-init", "vigil.toml")); !ok || !strings.Contains(said, "can be run: 1 miner, 1 node, 1 storage") {
		t.Error(said)
	}
}

func TestTheDoctorSaysWhatIsWrongWithAFileAndLooksAtTheRest(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "vigil.toml")
	text := "[[miner]]\naddress = \"x\"\n[[storage]]\npath = \"" + dir + "\"\n[data]\ndir = \"data\"\n[dashboard]\nlisten = \"127.0.0.1:0\"\n[log]\nlevle = \"info\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	said, ok := converse(t, "", "doctor", "--config", file)
	if ok {
		t.Error("it finds nothing ill")
	}
	for _, want := range []string{"✗ " + file + ": log.levle: there is no such setting\n  → did you mean log.level?", "✗ " + file + ": miner[0].address", "✓ data folder", "it cannot be read"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	if said, ok := converse(t, "", "doctor", "--config", filepath.Join(dir, "none")); ok || !strings.Contains(said, "vigil init writes one") {
		t.Error(said)
	}
}

// The usual answer may have come from the environment with a token in it.
func TestAQuestionShowsNoToken(t *testing.T) {
	for usual, shown := range map[string]string{
		"eyJh.eyJB.c2ln:/ip4/127.0.0.1/tcp/1234/http": "q [/ip4", "ws://127.0.0.1:1234/rpc/v1": "q [ws://127.0.0.1:1234/rpc/v1]: ",
	} {
		var out bytes.Buffer
		i := &interview{in: bufio.NewReader(strings.NewReader("\n")), out: &out}
		answer, err := i.ask("node", "q", usual)
		if err != nil || answer != usual {
			t.Errorf("%q, %v", answer, err)
		}
		if said := strings.ReplaceAll(out.String(), "…:", ""); strings.Contains(said, "c2ln") || !strings.HasPrefix(said, shown) {
			t.Errorf("it asks %q", said)
		}
	}
}
