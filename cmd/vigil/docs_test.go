package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/app"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/forecast"
	"github.com/vigil-post/vigil/proofs/bench"
	"github.com/vigil-post/vigil/wallet"
)

var update = flag.Bool("update", false, "write docs/commands.md")

// answers are the values that commands print with --json. docs/commands.md lists
// their fields, and a test reads each command's answer as its value, without a
// field that is not there.
var answers = map[string]any{
	"status":        vigil.Status{},
	"deadlines":     []deadlineLine{},
	"duties":        []explain.Duty{},
	"why":           explain.Story{},
	"faults":        []explain.Faulty{},
	"power":         []vigil.Power{},
	"provers":       []vigil.ProverStatus{},
	"logs":          explain.Moment{},
	"can-restart":   explain.Restart{},
	"shadow report": shadowAnswer{},
}

// ownAnswers are those of commands that do more than ask a daemon. docs/commands.md
// lists their fields too.
var ownAnswers = map[string]any{
	"doctor": []app.Examined{}, "config show": map[string]string{}, "config diff": []app.Change{}, "config reload": []app.Change{},
	"plan": forecast.Plan{}, "rehearse": []app.Tried{}, "recover": standing{}, "check": report{},
	"storage list": []app.StorageContents{}, "storage scan": []app.StorageContents{}, "storage add": map[string][]string{}, "storage find": []whereabouts{},
	"wallet list": []wallet.Key{}, "params list": keyFile{}, "bench proofs": bench.Result{}, "dispute": app.Disputed{},
	"message list": []explain.Message{}, "message show": explain.Message{}, "message explain": explain.Message{}, "message wait": explain.Message{},
	"message replace": explain.Message{}, "message cancel": explain.Message{}, "message republish": explain.Message{}, "message token": map[string]string{},
}

func answerOf(name string) (any, bool) {
	answer, ok := answers[name]
	if !ok {
		answer, ok = ownAnswers[name]
	}
	return answer, ok
}

// leaf is a command that does something.
type leaf struct {
	name    string // as it is typed, without vigil
	command *cli.Command
}

// leaves lists the commands that do something, in the order of the help.
func leaves(parent *cli.Command, path string) []leaf {
	var list []leaf
	for _, c := range parent.Commands {
		name := strings.TrimSpace(path + " " + c.Name)
		below := leaves(c, name)
		if !c.Hidden && (len(below) == 0 || c.Name == "devnet") {
			list = append(list, leaf{name, c})
		}
		list = append(list, below...)
	}
	return list
}

func TestEveryCommandsHelpIsEnoughToUseIt(t *testing.T) {
	known := map[string]*cli.Command{}
	for _, l := range leaves(newRoot(io.Discard, io.Discard), "") {
		known[l.name] = l.command
		about, examples, _ := strings.Cut(l.command.Description, "For example:")
		if l.command.Usage == "" || len(strings.TrimSpace(about)) < 30 {
			t.Errorf("vigil %s: its help has no usage, or no description: write it into the command or into help.go", l.name)
		}
		if !strings.Contains(examples, "vigil "+l.name) {
			t.Errorf("vigil %s: its help has no example: write one into help.go", l.name)
		}
		if _, told := answerOf(l.name); told != slices.ContainsFunc(l.command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), "json") }) {
			t.Errorf("vigil %s: that --json has fields which the manual lists is %v", l.name, told)
		}
		for _, f := range l.command.Flags {
			if usage, ok := f.(cli.DocGenerationFlag); !ok || usage.GetUsage() == "" {
				t.Errorf("vigil %s: the flag %s has no usage", l.name, f.Names()[0])
			}
		}
	}
	for name, h := range helps {
		c, ok := known[name]
		if !ok {
			t.Errorf("help.go has help of %q, which is no command", name)
			continue
		}
		for _, example := range h.examples {
			if flag, ok := strange(c, name, example); !ok {
				t.Errorf("the example %q has %s, which vigil %s does not", example, flag, name)
			}
		}
	}
}

// strange gives the first flag of an example that its command does not have.
func strange(c *cli.Command, name, example string) (string, bool) {
	_, call, found := strings.Cut(example, "vigil "+name)
	if !found && !strings.HasPrefix(example, "vigil ") {
		return "nothing of the command", false
	}
	call, _, _ = strings.Cut(call, "|")
	call, _, _ = strings.Cut(call, "&&")
	for word := range strings.FieldsSeq(call) {
		if flag, is := strings.CutPrefix(word, "--"); is && !slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), flag) }) {
			return word, false
		}
	}
	return "", true
}

func TestThePageOfCommandsIsCurrent(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "commands.md")
	want := commandsPage()
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
		t.Errorf("%s is not what the commands' help says; run: make docs", page)
	}
}

var commandsIntro = `# The commands

Written from the commands' own help by ` + "`make docs`" + `; ` + "`vigil COMMAND --help`" + ` says the same.

The commands that only look (` + "`status`, `deadlines`, `duties`, `why`, `faults`, `power`, `provers`, `logs`, `can-restart`" + `) ask the daemon over HTTP. They find
it by ` + "`--url`, by `--config` or the variable `VIGIL_CONFIG`" + `, and else at ` + app.UsualPlace().URL + `. While it is off, ` + "`why`, `duties` and `logs`" + ` read its
database, which needs ` + "`--config`" + `, and ` + "`faults` and `power`" + ` ask the nodes of the configuration. They change nothing.
Of the others ` + "`check`, `doctor`, `message`, `notify`, `plan`, `recover` and `rehearse`" + ` take the variable too, where neither ` + "`--config` nor `--url`" + ` is given.

Exit codes: 0 when all is well, 1 when something failed (or, of ` + "`can-restart`, when it is not safe; of `check`" + `, when a sector is not good), 2 when the
command line was wrong. Colours are used on a terminal only, and not with ` + "`NO_COLOR`" + ` set. Durations in JSON are nanoseconds, amounts are
attoFIL as text, epochs are numbers.

To have commands, flags and values completed (miners and duties are those of the daemon, found as the command itself would):

    source <(vigil completion bash)      # in ~/.bashrc
    source <(vigil completion zsh)       # in ~/.zshrc
    vigil completion fish > ~/.config/fish/completions/vigil.fish
`

func commandsPage() string {
	var page strings.Builder
	page.WriteString(commandsIntro)
	for _, l := range leaves(newRoot(io.Discard, io.Discard), "") {
		writeCommand(&page, l)
	}
	return page.String()
}

func writeCommand(page *strings.Builder, l leaf) {
	about, examples, _ := strings.Cut(l.command.Description, "For example:")
	usage := strings.ToUpper(l.command.Usage[:1]) + l.command.Usage[1:]
	fmt.Fprintf(page, "\n## `vigil %s`\n\n%s. %s\n\n", strings.TrimSpace(l.name+" "+l.command.ArgsUsage), usage, strings.TrimSpace(about))
	for line := range strings.Lines(strings.TrimSpace(examples)) {
		fmt.Fprintf(page, "    %s\n", strings.TrimSpace(line))
	}
	if len(l.command.Flags) > 0 {
		page.WriteString("\n| flag | |\n|---|---|\n")
	}
	for _, f := range l.command.Flags {
		fmt.Fprintf(page, "| %s | %s |\n", flagNames(f), flagText(f))
	}
	if answer, ok := answerOf(l.name); ok {
		page.WriteString("\n<details><summary>the fields of --json</summary>\n\n")
		for _, field := range fields(reflect.TypeOf(answer), "", nil) {
			fmt.Fprintf(page, "    %s\n", field)
		}
		page.WriteString("\n</details>\n")
	}
}

func flagNames(f cli.Flag) string {
	var names []string
	for _, n := range f.Names() {
		names = append(names, "`"+strings.Repeat("-", min(len(n), 2))+n+"`")
	}
	return strings.Join(names, ", ")
}

// flagText is a flag's usage with what it is if it is not given; what depends on
// this machine is left out.
func flagText(f cli.Flag) string {
	d, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return ""
	}
	text := strings.ReplaceAll(d.GetUsage(), "|", "\\|")
	value := d.GetDefaultText()
	if value == "" && d.TakesValue() {
		value = d.GetValue()
	}
	switch {
	case !d.TakesValue(), value == "", value == "[]", value == "0", value == "0s", value == `""`, strings.Contains(value, string(os.PathSeparator)):
	default:
		text += " (default: " + strings.Trim(value, `"`) + ")"
	}
	if r, ok := f.(cli.RequiredFlag); ok && r.IsRequired() {
		text += "; required"
	}
	return text
}

var (
	marshaler = reflect.TypeFor[json.Marshaler]()
	duration  = reflect.TypeFor[time.Duration]()
	moment    = reflect.TypeFor[time.Time]()
)

// fields lists what a type is as JSON, a line for each value: its path and what it is.
func fields(t reflect.Type, path string, above []reflect.Type) []string {
	line := func(what string) []string {
		return []string{fmt.Sprintf("%-50s %s", strings.TrimPrefix(path, "."), what)}
	}
	switch {
	case t == moment:
		return line("time")
	case t == duration:
		return line("nanoseconds")
	case t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler):
		return line("text")
	case slices.Contains(above, t):
		return line("as above")
	}
	switch t.Kind() {
	case reflect.Pointer:
		return fields(t.Elem(), path, above)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return line("text, base64")
		}
		return fields(t.Elem(), path+"[]", above)
	case reflect.Struct:
		var list []string
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case name == "-", !f.IsExported() && !f.Anonymous:
			case f.Anonymous && name == "":
				list = append(list, fields(f.Type, path, append(above, t))...)
			default:
				if name == "" {
					name = f.Name
				}
				list = append(list, fields(f.Type, path+"."+name, append(above, t))...)
			}
		}
		return list
	case reflect.Map:
		return fields(t.Elem(), path+".NAME", above)
	case reflect.Bool:
		return line("true or false")
	case reflect.String:
		return line("text")
	}
	return line("number")
}
