package vigil_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vigil-post/vigil"
)

var update = flag.Bool("update", false, "write the generated pages of docs")

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	documented := map[string]bool{}
	for _, file := range goFiles(t) {
		if !file.test {
			documented[file.pkg] = documented[file.pkg] || file.doc
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no doc comment", pkg)
		}
	}
}

func TestThePageOfReasonsIsCurrent(t *testing.T) {
	page := filepath.Join("docs", "reasons.md")
	want := reasonsPage()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what vigil.Reasons says; run: go test . -run TestThePageOfReasonsIsCurrent -update", page)
	}
}

func TestEveryReasonIsExplainedOnce(t *testing.T) {
	seen := map[vigil.Reason]bool{}
	for _, r := range vigil.Reasons {
		if seen[r.Reason] {
			t.Errorf("%s is explained twice", r.Reason)
		}
		seen[r.Reason] = true
		if !strings.HasSuffix(r.Meaning, ".") || !strings.HasSuffix(r.Advice, ".") {
			t.Errorf("%s: its meaning and its advice are not sentences", r.Reason)
		}
	}
}

// reasonsPage is docs/reasons.md.
func reasonsPage() string {
	var page strings.Builder
	page.WriteString("# Why a duty was missed\n\n" +
		"Every missed duty carries one of these words: in the log (`reason=`), on the dashboard and in `/api/status`.\n" +
		"They never change meaning. This page is written from `reason.go` by `go test . -update`.\n")
	for _, r := range vigil.Reasons {
		fmt.Fprintf(&page, "\n## `%s`\n\n%s\n\n**What to do:** %s\n", r.Reason, r.Meaning, r.Advice)
	}
	return page.String()
}
