package vigil_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest = regexp.MustCompile("`([a-z/]+)\\.((?:Test|Fuzz)\\w+)`")
	namedFile = regexp.MustCompile("`([a-z/-]+\\.(?:txt|toml))`")
)

// docs/scenarios.md is believed by those who look for a test: each one that it
// names must be there.
func TestTheScenariosHaveTheirTests(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("docs", "scenarios.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := namedTest.FindAllStringSubmatch(string(page), -1)
	files := namedFile.FindAllStringSubmatch(string(page), -1)
	if len(tests) < 60 || len(files) < 15 {
		t.Fatalf("the page names %d tests and %d stories only: is it still read rightly?", len(tests), len(files))
	}
	for _, m := range tests {
		if !hasTest(t, m[1], m[2]) {
			t.Errorf("docs/scenarios.md names %s in %s, which is not there", m[2], m[1])
		}
	}
	for _, m := range files {
		if _, err := os.Stat(filepath.FromSlash(m[1])); err != nil {
			t.Errorf("docs/scenarios.md: %v", err)
		}
	}
}

func hasTest(t *testing.T, pkg, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(pkg), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}
