package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

func TestATableStandsTheSameWithAndWithoutColours(t *testing.T) {
	draw := func(p paint) string {
		table := newTable("STATE", "WHAT")
		table.row(p.state("missed"), "one")
		table.row(p.state("confirmed"), "the other, 日本")
		var out bytes.Buffer
		table.write(&out, p, "")
		return out.String()
	}
	plain, coloured := draw(false), draw(true)
	if plain == coloured || ansi.Strip(coloured) != plain {
		t.Errorf("plain:\n%s\ncoloured:\n%s", plain, coloured)
	}
	if want := "STATE      WHAT\nmissed     one\nconfirmed  the other, 日本\n"; plain != want {
		t.Errorf("%q, want %q", plain, want)
	}
}

func TestNothingIsColouredThatDoesNotGoToATerminal(t *testing.T) {
	var out bytes.Buffer
	if painter(&out) {
		t.Error("a buffer is painted")
	}
	newTable("A").write(&out, painter(&out), "nothing")
	if strings.TrimSpace(out.String()) != "nothing" {
		t.Errorf("an empty table: %q", out.String())
	}
}
