package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filecoin-project/go-address"
)

// Nobody has to say --testnet where a daemon has written down which network it is on:
// beside the keystore, or where the configuration says.
func TestAddressesAreWrittenAsTheNetworkHasThem(t *testing.T) {
	before := address.CurrentNetwork
	t.Cleanup(func() { address.CurrentNetwork = before })
	dir, elsewhere := t.TempDir(), t.TempDir()
	keystore, passphrase := filepath.Join(dir, "keystore"), filepath.Join(dir, "passphrase")
	config := filepath.Join(elsewhere, "vigil.toml")
	for file, text := range map[string]string{
		passphrase: "open sesame\n",
		config:     "[data]\ndir = \"data\"\n[[miner]]\naddress = \"f01000\"\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wallet := func(args ...string) string {
		t.Helper()
		var out, problems bytes.Buffer
		args = append([]string{"vigil", "wallet", args[0], "--keystore", keystore, "--passphrase-file", passphrase}, args[1:]...)
		if code := run(t.Context(), args, &out, &problems); code != 0 {
			t.Fatalf("%v: %s", args, problems.String())
		}
		return out.String()
	}
	if made := wallet("new"); !strings.HasPrefix(made, "f1") {
		t.Errorf("without a network the address is %s", made)
	}
	network := []byte(`{"name": "calibrationnet", "genesis": "2022-11-01T18:13:00Z"}`)
	write := func(folder string) {
		t.Helper()
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "network.json"), network, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(elsewhere, "data"))
	if listed := wallet("list", "--config", config); !strings.HasPrefix(listed, "t1") {
		t.Errorf("by the configuration's network it is %s", listed)
	}
	if listed := wallet("list"); !strings.HasPrefix(listed, "f1") {
		t.Errorf("without it it is %s", listed)
	}
	write(dir)
	if listed := wallet("list"); !strings.HasPrefix(listed, "t1") {
		t.Errorf("by the network of the keystore's folder it is %s", listed)
	}
}

// A passphrase that was drawn is nobody else's to read, and takes no other one's place.
func TestADrawnPassphraseIsWrittenOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passphrase")
	if err := writeSecret(path, "one\n"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := writeSecret(path, "two\n"); err == nil {
		t.Error("it was written over")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "one\n" {
		t.Errorf("%q, %v", text, err)
	}
}
