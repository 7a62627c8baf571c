package app

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filecoin-project/go-address"
)

func TestASecondDaemonWithTheSameKeyIsRefused(t *testing.T) {
	keystore := filepath.Join(t.TempDir(), "keystore")
	daemon := func(path string) *Daemon { return &Daemon{log: silent, config: Config{Wallet: Wallet{Keystore: path}}} }
	key, err := address.NewSecp256k1Address([]byte("worker"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := address.NewSecp256k1Address([]byte("control"))
	if err != nil {
		t.Fatal(err)
	}
	first, second := daemon(keystore), daemon(keystore)
	for range 2 { // the start is tried again when a node does not answer
		if err := first.claim(key); err != nil {
			t.Fatal(err)
		}
	}
	var no unfit
	if err := second.claim(key); !errors.As(err, &no) || !strings.Contains(err.Error(), "another vigil") {
		t.Errorf("the second daemon: %v", err)
	}
	if err := second.claim(other); err != nil {
		t.Errorf("with another key: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.claim(key); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
	if err := errors.Join(second.Close(), daemon(filepath.Join(keystore, "not", "there")).claim(key), daemon("").claim(key)); err != nil {
		t.Errorf("where nothing can be locked: %v", err)
	}
}
