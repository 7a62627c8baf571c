package app

import (
	"os"
	"path/filepath"
	"testing"
)

// The doctor may be root, and a folder that it made would not be the daemon's.
func TestTheDoctorLeavesTheDataFolderToTheDaemon(t *testing.T) {
	above := t.TempDir()
	var found []Examined
	e := &examination{config: Config{Data: filepath.Join(above, "vigil", "data")}, say: func(x Examined) { found = append(found, x) }}
	e.disk()
	if left, err := os.ReadDir(above); err != nil || len(left) > 0 {
		t.Errorf("it made %v, %v", left, err)
	}
	if len(found) != 1 || found[0].Health == Ill { // a disk may be slow
		t.Errorf("it found %+v", found)
	}
	e.config.Data = filepath.Join(above, "file", "data")
	if err := os.WriteFile(filepath.Join(above, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if e.disk(); len(found) != 2 || found[1].Health != Ill {
		t.Errorf("it found %+v", found)
	}
}
