package app

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Finding is one thing that is wrong with a configuration file.
type Finding struct {
	Key     string // node.url, miner[1].address
	Line    int    // 0: the key is not in the file
	Problem string
	Advice  string

	text          string // of the line
	column, width int    // of what is wrong in it, in runes from 1; width 0: the whole line
}

// FindingsError is all that is wrong with a configuration file.
type FindingsError struct {
	File     string
	Findings []Finding

	config Config // as far as the file could be understood
}

// Error shows every finding with its line, marked, and what to do.
func (e *FindingsError) Error() string {
	var b strings.Builder
	for i, f := range e.Findings {
		if i > 0 {
			b.WriteString("\n")
		}
		f.write(&b, e.File)
	}
	return strings.TrimRight(b.String(), "\n")
}

// WithoutLines is the error without the file's own lines, which may have secrets in
// them: for logs, and for those who have a token and not the file.
func (e *FindingsError) WithoutLines() *FindingsError {
	plain := &FindingsError{File: e.File, Findings: slices.Clone(e.Findings)}
	for i := range plain.Findings {
		plain.Findings[i].text = ""
	}
	return plain
}

func (f Finding) write(b *strings.Builder, file string) {
	b.WriteString(file)
	if f.Line > 0 {
		fmt.Fprintf(b, ":%d", f.Line)
	}
	if f.Key != "" {
		fmt.Fprintf(b, ": %s", f.Key)
	}
	fmt.Fprintf(b, ": %s\n", f.Problem)
	if f.Line > 0 && f.text != "" {
		number := strconv.Itoa(f.Line)
		fmt.Fprintf(b, "  %s | %s\n", number, printable(f.text))
		fmt.Fprintf(b, "  %s | %s%s\n", strings.Repeat(" ", len(number)), f.indent(), strings.Repeat("^", min(max(1, f.width), widest)))
	}
	if f.Advice != "" {
		fmt.Fprintf(b, "  → %s\n", f.Advice)
	}
}

// widest is how much of a line is shown and marked.
const widest = 160

// printable is a line as it can be shown: what a file has that is no text could
// do anything to a terminal.
func printable(line string) string {
	shown := []rune(strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, line))
	if len(shown) > widest {
		return string(shown[:widest]) + "…"
	}
	return string(shown)
}

// indent is the line up to the column with everything but its tabs blank, so
// that the mark below stands in the right place.
func (f Finding) indent() string {
	before := []rune(f.text)
	before = before[:min(len(before), max(0, f.column-1), widest)]
	for i, r := range before {
		if r != '\t' {
			before[i] = ' '
		}
	}
	return string(before)
}

// findings collects what is wrong, and knows where in the file each key is.
type findings struct {
	file  string
	data  []byte
	lines []string
	keys  map[string]position
	list  []Finding
}

type position struct{ line, column, width int }

func newFindings(file string, data []byte) *findings {
	f := &findings{file: file, data: data, keys: locate(data)}
	for line := range strings.SplitSeq(string(data), "\n") {
		f.lines = append(f.lines, strings.TrimSuffix(line, "\r"))
	}
	return f
}

func (f *findings) err() *FindingsError {
	slices.SortStableFunc(f.list, func(a, b Finding) int { return a.Line - b.Line })
	return &FindingsError{File: f.file, Findings: f.list}
}

// has says whether the file has a key or table.
func (f *findings) has(key string) bool {
	_, ok := f.keys[key]
	return ok
}

// add notes a problem with a key; where the key is not in the file, with its table.
func (f *findings) add(key, problem, advice string) {
	at, ok := f.keys[key]
	if !ok {
		if table, _, dotted := cutLast(key, "."); dotted {
			at = f.keys[table]
		}
	}
	f.list = append(f.list, f.at(at, Finding{Key: key, Problem: problem, Advice: advice}))
}

func (f *findings) at(at position, found Finding) Finding {
	found.Line, found.column, found.width = at.line, at.column, at.width
	if at.line > 0 && at.line <= len(f.lines) {
		found.text = f.lines[at.line-1]
	}
	return found
}

// decode reads the file into v. Keys that v does not know are findings; the
// rest of the file is still worth checking. It is false when the file could not be read.
func (f *findings) decode(v any) bool {
	decoder := toml.NewDecoder(bytes.NewReader(f.data)).DisallowUnknownFields()
	err := decoder.Decode(v)
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case err == nil:
		return true
	case errors.As(err, &unknown):
		for _, u := range unknown.Errors {
			key := strings.Join(u.Key(), ".")
			f.list = append(f.list, f.decodeFinding(&u, key, unknownSetting, nearest(key)))
		}
		return true
	case errors.As(err, &wrong):
		problem := mistyped.ReplaceAllString(strings.TrimPrefix(wrong.Error(), "toml: "), "it is of type $1, and must be of type $2")
		f.list = append(f.list, f.decodeFinding(wrong, strings.Join(wrong.Key(), "."), problem, "the file must be TOML; text stands in quotes, numbers do not"))
	default:
		f.list = append(f.list, Finding{Problem: err.Error(), Advice: "the file must be TOML"})
	}
	return false
}

const unknownSetting = "there is no such setting"

// mistyped is the decoder's word on a value of the wrong type, with a name of our code.
var mistyped = regexp.MustCompile(`^cannot decode TOML (\w+) into (?:a )?(?:struct field \S+ of type |Go value of type )(\w+)$`)

func (f *findings) decodeFinding(err *toml.DecodeError, key, problem, advice string) Finding {
	row, column := err.Position()
	at := position{line: row, column: column}
	if row > 0 && row <= len(f.lines) {
		line := []rune(f.lines[row-1])
		rest := string(line[min(len(line), max(0, column-1)):])
		at.width = len([]rune(strings.TrimSpace(strings.SplitN(rest, "=", 2)[0])))
	}
	return f.at(at, Finding{Key: key, Problem: problem, Advice: advice})
}

// locate finds where each key's value is, and each table's header: node,
// node.url, miner[0], miner[0].address. What cannot be parsed is left out.
func locate(data []byte) map[string]position {
	keys := map[string]position{}
	counts := map[string]int{}
	table := ""
	var p unstable.Parser
	p.Reset(data)
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			name, at := keyOf(&p, e.Key())
			table = name
			if e.Kind == unstable.ArrayTable {
				table = fmt.Sprintf("%s[%d]", name, counts[name])
				counts[name]++
			}
			keys[table] = at
		case unstable.KeyValue:
			name, at := keyOf(&p, e.Key())
			if table != "" {
				name = table + "." + name
			}
			if value := e.Value(); value.Raw.Length > 0 {
				at = positionOf(&p, value.Raw)
			}
			keys[name] = at
		}
	}
	return keys
}

func keyOf(p *unstable.Parser, parts unstable.Iterator) (string, position) {
	var names []string
	var at position
	for parts.Next() {
		names = append(names, string(parts.Node().Data))
		if at.line == 0 {
			at = positionOf(p, parts.Node().Raw)
		}
	}
	return strings.Join(names, "."), at
}

func positionOf(p *unstable.Parser, r unstable.Range) position {
	shape := p.Shape(r)
	at := position{line: shape.Start.Line, column: shape.Start.Column, width: 1}
	if shape.End.Line == shape.Start.Line {
		at.width = max(1, len([]rune(string(p.Raw(r)))))
	}
	return at
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
