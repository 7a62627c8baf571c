package post

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWhereThereAreNoHardLinksTreeFilesAreCopied(t *testing.T) {
	w := fauxWriter{shared: filepath.Join(t.TempDir(), "of another file system")}
	path := filepath.Join(t.TempDir(), "tree")
	if err := w.share(path, []byte("rows")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "rows" {
		t.Errorf("%q, %v", got, err)
	}
	if w.shared != path {
		t.Errorf("the next will be a link to %s", w.shared)
	}
}
