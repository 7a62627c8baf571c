package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// What commands print with --json that need no daemon is what the manual says of it,
// without a field that is not there; and nothing is a list too, and not null.
func TestOwnAnswersAreAsTheManualSays(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, folder := range []string{"sectors/sealed", "sectors/cache", "params"} {
		if err := os.MkdirAll(at(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const text = "node.url = \"ws://127.0.0.1:1\"\nminer = [{address = \"f01000\"}]\nstorage = [{path = \"sectors\"}]\nproofs.parameters = \"params\"\n" +
		"data.dir = \"data\"\nwallet.remote = [{url = \"http://127.0.0.1:1\"}]\n"
	for name, content := range map[string]string{
		"one.toml": text, "two.toml": text + "log.level = \"debug\"\n", "passphrase": "open\n",
	} {
		if err := os.WriteFile(at(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, problem := invoke(t, "wallet", "new", "--keystore", at("keystore"), "--passphrase-file", at("passphrase")); code != 0 {
		t.Fatal(problem)
	}
	for _, line := range []string{
		"config show|" + at("one.toml"),
		"config diff|" + at("one.toml") + "|" + at("one.toml"),
		"config diff|" + at("one.toml") + "|" + at("two.toml"),
		"storage list|" + at("sectors"),
		"storage scan|" + at("sectors"),
		"wallet list|--keystore|" + at("keystore") + "|--passphrase-file|" + at("passphrase"),
		"params list|--params|" + at("params"),
	} {
		name, args, _ := strings.Cut(line, "|")
		code, out, problem := invoke(t, append(append(strings.Fields(name), "--json"), strings.Split(args, "|")...)...)
		if code != 0 {
			t.Errorf("%s: %d, %s", line, code, problem)
			continue
		}
		d := json.NewDecoder(strings.NewReader(out))
		d.DisallowUnknownFields()
		if err := d.Decode(reflect.New(reflect.TypeOf(ownAnswers[name])).Interface()); err != nil || strings.HasPrefix(out, "null") {
			t.Errorf("%s: %v:\n%s", line, err, out)
		}
	}
}
