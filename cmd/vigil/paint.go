package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
	"github.com/urfave/cli/v3"
)

// paint colours words on a terminal, and nowhere else.
type paint bool

// painter colours what goes to a terminal, unless NO_COLOR is set (no-color.org).
func painter(w io.Writer) paint {
	file, ok := w.(*os.File)
	return paint(ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(file.Fd()))
}

func (p paint) in(style lipgloss.Style, text string) painted {
	if text = oneLine(text); !p || text == "" {
		return painted(text)
	}
	return painted(style.Render(text))
}

// painted is text that a terminal may be given as it is.
type painted string

// state colours a word by what it means.
func (p paint) state(word string) painted {
	switch word {
	case "confirmed", "in use", "ready", "on time", "posted", "yes":
		return p.in(green, word)
	case "missed", "unreachable", "refused", "failed", "expired", "error", "no", "urgent":
		return p.in(red, word)
	case "late", "set aside", "silent", "scheduled", "warn", "pending", "waiting":
		return p.in(yellow, word)
	case "proved", "submitted", "included", "published", "proving":
		return p.in(blue, word)
	}
	return painted(oneLine(word))
}

// table is lines of cells that stand below each other, coloured or not.
type table struct {
	rows [][]string
}

func newTable(heads ...string) *table { return &table{[][]string{heads}} }

// row adds a line; a cell may be anything that can be printed.
func (t *table) row(cells ...any) {
	line := make([]string, len(cells))
	for i, c := range cells {
		if text, ours := c.(painted); ours {
			line[i] = string(text)
		} else {
			line[i] = oneLine(fmt.Sprint(c))
		}
	}
	t.rows = append(t.rows, line)
}

// oneLine is a text as a line of a terminal takes it: what a node or a disk has
// said may have line breaks, and sequences that a terminal obeys.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// write prints the table with its heads, or a sentence where it is empty.
func (t *table) write(w io.Writer, p paint, empty string) {
	if len(t.rows) == 1 {
		fmt.Fprintln(w, empty)
		return
	}
	widths := make([]int, len(t.rows[0]))
	for _, line := range t.rows {
		for i, cell := range line {
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	for n, line := range t.rows {
		var text strings.Builder
		for i, cell := range line {
			text.WriteString(cell)
			if i < len(line)-1 {
				text.WriteString(strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)+2))
			}
		}
		whole := strings.TrimRight(text.String(), " ")
		if n == 0 {
			whole = string(p.in(faint, whole))
		}
		fmt.Fprintln(w, whole)
	}
}

// warnings is a log of what a command has to say beside its answer.
func warnings(c *cli.Command) *slog.Logger {
	return slog.New(slog.NewTextHandler(c.Root().ErrWriter, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// printLine is a value as JSON on one line.
func printLine(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }
