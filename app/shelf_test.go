package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// What can be read again must not keep the daemon from proving.
func TestADaemonStartsWithoutAFolderOfVanillaProofs(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "vanilla"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := &Daemon{log: slog.New(slog.DiscardHandler), config: Config{Data: dir}}
	if shelf := d.shelf(); shelf != nil {
		t.Errorf("it keeps them in %v", shelf)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
