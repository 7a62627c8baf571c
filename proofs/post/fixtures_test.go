package post_test

import (
	"os"
	"path/filepath"
	"testing"
)

// fixtures is the folder of data from other projects, kept beside the
// repository. Without it the test is skipped, in CI it fails.
func fixtures(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("VIGIL_FIXTURES")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			if filepath.Dir(root) == root {
				t.Fatal("no go.mod above the test")
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared", "fixtures")
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no fixtures in CI: %v", err)
		}
		t.Skipf("no fixtures (set VIGIL_FIXTURES): %v", err)
	}
	return dir
}
