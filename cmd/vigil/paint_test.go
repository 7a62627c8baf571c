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

// What a node says may have anything in it: a terminal is not to obey it, and a
// table is to stay one.
func TestATerminalDoesNotObeyWhatANodeSays(t *testing.T) {
	for _, p := range []paint{false, true} {
		table := newTable("NODE", "WHY")
		table.row("ws://one", "refused\x1b]0;owned\x07\nws://two  in use")
		table.row("ws://three", p.in(red, "\x1b[2Jgone"))
		var out bytes.Buffer
		table.write(&out, p, "")
		text := strings.NewReplacer("\x1b[31m", "", "\x1b[91m", "", "\x1b[m", "", "\x1b[2m", "", "\x1b[1;31m", "").Replace(out.String())
		if strings.ContainsAny(text, "\x1b\x07") || strings.Count(text, "\n") != 3 {
			t.Errorf("%v: %q", p, out.String())
		}
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
