package vigil_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// What the pages say of the program is held against it here. docs/commands.md
// and app/example.toml are its lists of commands and settings: tests of
// cmd/vigil and app write the one and read the other, so that nothing which
// exists is missing there. These tests see to the other direction.

func TestEveryCommandThatAPageNamesExists(t *testing.T) {
	commands := readCommands(t)
	for _, p := range readPages(t) {
		for _, line := range p.code {
			for _, fault := range commands.faultsOf(line) {
				t.Errorf("%s: %q: %s", p.name, strings.TrimSpace(line), fault)
			}
		}
	}
}

func TestEverySettingThatAPageNamesExists(t *testing.T) {
	known := readSettings(t)
	for _, p := range readPages(t) {
		if p.name == "docs/devnet.md" {
			continue // its TOML are stories, which have words of their own
		}
		for _, s := range p.settings() {
			if !known[s] {
				t.Errorf("%s: the configuration has no %s", p.name, s)
			}
		}
	}
}

func TestEveryLinkOfAPageLeadsSomewhere(t *testing.T) {
	for _, p := range readPages(t) {
		for _, link := range p.links() {
			file, anchor, _ := strings.Cut(link, "#")
			target := p.name
			if file != "" {
				target = path.Join(path.Dir(p.name), file)
			}
			if _, err := os.Stat(filepath.FromSlash(target)); err != nil {
				t.Errorf("%s links to %s, which is not there", p.name, link)
				continue
			}
			if anchor != "" && !slices.Contains(anchorsOf(t, target), anchor) {
				t.Errorf("%s links to %s: %s has no such heading", p.name, link, target)
			}
		}
	}
}

func TestTheIndexHasEveryPage(t *testing.T) {
	pages := readPages(t)
	index := pages[slices.IndexFunc(pages, func(p page) bool { return p.name == "docs/README.md" })]
	for _, p := range pages {
		name, inside := strings.CutPrefix(p.name, "docs/")
		if !inside || p.name == index.name || strings.HasPrefix(name, "decisions/") {
			continue
		}
		if !slices.ContainsFunc(index.links(), func(link string) bool { f, _, _ := strings.Cut(link, "#"); return f == name }) {
			t.Errorf("docs/README.md does not lead to %s", p.name)
		}
	}
}

func TestChineseReadersFindTheirPages(t *testing.T) {
	leads := map[string][]string{
		"README.md":             {"README.zh.md"},
		"README.zh.md":          {"README.md", "docs/zh/quickstart.md"},
		"docs/quickstart.md":    {"zh/quickstart.md"},
		"docs/zh/quickstart.md": {"../../README.zh.md", "../quickstart.md"},
	}
	found := 0
	for _, p := range readPages(t) {
		for _, link := range leads[p.name] {
			if !slices.Contains(p.links(), link) {
				t.Errorf("%s does not link to %s", p.name, link)
			}
		}
		if _, ok := leads[p.name]; ok {
			found++
		}
	}
	if found != len(leads) {
		t.Errorf("only %d of the %d pages are there", found, len(leads))
	}
}

// The readers themselves are tested on made-up pages, so that a mistake in them cannot pass unseen.
func TestPagesAreRead(t *testing.T) {
	commands := readCommands(t)
	for line, faulty := range map[string]bool{
		"vigil run --config vigil.toml":                      false,
		"./vigil message list --config x | vigil why":        false,
		"go run ./cmd/vigil devnet":                          false,
		"systemctl enable --now vigil":                       false,
		"vigil message …":                                    false,
		"vigil params list | check | make  # --nonsense":     false,
		"vigil can-restart && systemctl restart --now vigil": false,
		"vigil walk":                                 true,
		"vigil message forget --config x":            true,
		"vigil run --loudly":                         true,
		"sudo vigil status | vigil status --loudly":  true,
		"vigil message explain f01000/1/0 --forever": true,
	} {
		if got := len(commands.faultsOf(line)) > 0; got != faulty {
			t.Errorf("%q: faulty is %v", line, got)
		}
	}
	p := newPage("x.md", "See `[messager]` and `start_confidence` of `[schedule]`, `[proofs] memory`, `otlp` in `[trace]`.\n\n"+
		"```toml\n# [a.b]\n# c = 1\n[[d]] # e\nf = 2\n```\n[g](h.md#i) ![j](k.png) [l](https://m)\n")
	want := []string{"[a.b]", "[a.b] c", "[d]", "[d] f", "[messager]", "[proofs] memory", "[schedule]", "[schedule] start_confidence", "[trace]", "[trace] otlp"}
	if got := p.settings(); !slices.Equal(got, want) {
		t.Errorf("settings are read as %q", got)
	}
	if got := p.links(); !slices.Equal(got, []string{"h.md#i", "k.png"}) {
		t.Errorf("links are read as %q", got)
	}
}

// commandList has the flags of each command, by its name without vigil. A group
// like message has an entry without flags.
type commandList map[string][]string

// readCommands reads docs/commands.md.
func readCommands(t *testing.T) commandList {
	t.Helper()
	list := commandList{"completion": nil, "help": nil, "bench prover": {"--profile"}} // urfave/cli's own, and a hidden one
	name := ""
	for line := range strings.Lines(readFile(t, "docs/commands.md")) {
		if heading := headed.FindStringSubmatch(line); heading != nil {
			name = strings.TrimSpace(heading[1])
			group, _, _ := strings.Cut(name, " ")
			list[group] = append(list[group], nil...)
			list[name] = []string{"--help", "--version"}
		} else if flag := flagRow.FindStringSubmatch(line); flag != nil {
			list[name] = append(list[name], flag[1])
		}
	}
	if len(list) < 20 {
		t.Fatalf("docs/commands.md has only %d commands", len(list))
	}
	return list
}

var (
	headed   = regexp.MustCompile("^## `vigil ([a-z -]+)")
	flagRow  = regexp.MustCompile("^\\| `(--[a-z-]+)`")
	called   = regexp.MustCompile(`(?:^|[\s/(])vigil +([a-z][a-z-]*)(?: +([a-z][a-z-]*))?( [^|&;#]*|$)`)
	flagUsed = regexp.MustCompile(`(?:^|\s)(--[a-z][a-z-]*)`)
)

// faultsOf says what of a line of code is no call of vigil that works.
func (list commandList) faultsOf(line string) []string {
	var faults []string
	for part := range strings.SplitSeq(strings.NewReplacer("&&", "|", ";", "|", "`", "|").Replace(line), "|") {
		part, _, _ = strings.Cut(part, " #")
		call := called.FindStringSubmatch(part + " ")
		if call == nil {
			continue
		}
		name := call[1]
		if _, ok := list[name+" "+call[2]]; ok {
			name += " " + call[2]
		} else if flags, ok := list[name]; !ok || flags == nil && call[2] != "" && list.isGroup(name) {
			faults = append(faults, "there is no command vigil "+strings.TrimSpace(name+" "+call[2]))
			continue
		}
		for _, used := range flagUsed.FindAllStringSubmatch(call[3], -1) {
			if !slices.Contains(list[name], used[1]) {
				faults = append(faults, "vigil "+name+" has no flag "+used[1])
			}
		}
	}
	return faults
}

func (list commandList) isGroup(name string) bool {
	for other := range list {
		if strings.HasPrefix(other, name+" ") {
			return true
		}
	}
	return false
}

// readSettings reads app/example.toml, which has every setting; those with a
// default are commented out.
func readSettings(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, s := range settingsOf(strings.Split(readFile(t, "app/example.toml"), "\n")) {
		known[s] = true
	}
	if len(known) < 40 {
		t.Fatalf("app/example.toml has only %d settings", len(known))
	}
	return known
}

var (
	tableLine = regexp.MustCompile(`^\s*(?:# )?\[\[?([a-z_.]+)\]\]?\s*(?:#.*)?$`)
	keyLine   = regexp.MustCompile(`^\s*(?:# )?([a-z_]+) = `)
)

// settingsOf names the tables, as [a.b], and keys, as [a.b] c, of lines of TOML.
func settingsOf(lines []string) []string {
	var found []string
	table := ""
	for _, line := range lines {
		if m := tableLine.FindStringSubmatch(line); m != nil {
			table = "[" + m[1] + "]"
			found = append(found, table)
		} else if m := keyLine.FindStringSubmatch(line); m != nil && table != "" {
			found = append(found, table+" "+m[1])
		}
	}
	return found
}

// page is a page of documentation, with its code apart from its prose.
type page struct {
	name  string
	prose string     // without blocks of code
	code  []string   // lines of blocks, and spans
	toml  [][]string // the lines of each block of TOML
}

// readPages reads all pages that people are led to.
func readPages(t *testing.T) []page {
	t.Helper()
	names := []string{"README.md", "README.zh.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md"}
	err := filepath.WalkDir("docs", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(name) == ".md" {
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var pages []page
	for _, name := range names {
		pages = append(pages, newPage(name, readFile(t, name)))
	}
	return pages
}

var codeSpan = regexp.MustCompile("`([^`\n]+)`")

// newPage takes a page apart.
func newPage(name, text string) page {
	p := page{name: name}
	fence, blank := "", true
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		bare := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(bare, "```"):
			if fence = closing(fence, bare); fence == "```toml" {
				p.toml = append(p.toml, nil)
			}
		case fence != "":
			p.code = append(p.code, line)
			if fence == "```toml" {
				p.toml[len(p.toml)-1] = append(p.toml[len(p.toml)-1], line)
			}
		case strings.HasPrefix(line, "    ") && blank:
			p.code = append(p.code, line)
			continue // the block goes on with the next line
		default:
			p.prose += line + "\n"
			for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
				p.code = append(p.code, span[1])
			}
		}
		blank = bare == ""
	}
	return p
}

// closing is the fence that is open after a line that begins with one.
func closing(open, line string) string {
	if open != "" {
		return ""
	}
	return line
}

var (
	tableSpan = regexp.MustCompile("`\\[\\[?([a-z_.]+)\\]\\]?`")
	keySpan   = regexp.MustCompile("`\\[\\[?([a-z_.]+)\\]\\]? ([a-z_]+)`")
	keyOf     = regexp.MustCompile("`([a-z_]+)(?: = [^`]*)?` (?:of|in) `\\[\\[?([a-z_.]+)\\]\\]?`")
)

// settings are the tables and keys that a page names, each once.
func (p page) settings() []string {
	var found []string
	for _, block := range p.toml {
		found = append(found, settingsOf(block)...)
	}
	for _, m := range tableSpan.FindAllStringSubmatch(p.prose, -1) {
		found = append(found, "["+m[1]+"]")
	}
	for _, m := range keySpan.FindAllStringSubmatch(p.prose, -1) {
		found = append(found, "["+m[1]+"] "+m[2])
	}
	for _, m := range keyOf.FindAllStringSubmatch(p.prose, -1) {
		found = append(found, "["+m[2]+"] "+m[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// links are what a page leads to inside the repository.
func (p page) links() []string {
	var found []string
	for _, m := range link.FindAllStringSubmatch(p.prose, -1) {
		if !strings.Contains(m[1], "://") {
			found = append(found, m[1])
		}
	}
	return found
}

// anchorsOf are the names that a page's headings can be linked by.
func anchorsOf(t *testing.T, name string) []string {
	t.Helper()
	var anchors []string
	for line := range strings.Lines(newPage(name, readFile(t, name)).prose) {
		if heading := strings.TrimLeft(line, "#"); heading != line {
			anchors = append(anchors, strings.Map(anchorRune, strings.ToLower(strings.TrimSpace(heading))))
		}
	}
	return anchors
}

func anchorRune(r rune) rune {
	switch {
	case r == ' ':
		return '-'
	case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
		return r
	}
	return -1
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
