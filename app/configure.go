package app

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/pelletier/go-toml/v2"
)

// Answers are what a configuration cannot do without.
type Answers struct {
	NodeURL, NodeTokenFile string
	Miners                 []string // addresses
	Shadow                 bool     // somebody else posts for them: no wallet is needed
	Storages               []string // folders
	Keystore               string   // or else RemoteWallet
	PassphraseFile         string
	RemoteWallet           string
	RemoteTokenFile        string
	Parameters             string // "" for where other Filecoin software has them
	Data                   string // "" for ~/.vigil
}

// Text is the configuration file: the example with the answers in it.
func (a Answers) Text() string {
	t := template(Example)
	t.set("[node]", "url", a.NodeURL)
	if a.NodeTokenFile == "" {
		t.comment("[node]", "token_file")
	} else {
		t.set("[node]", "token_file", a.NodeTokenFile)
	}
	if a.Shadow {
		begin, end := t.line("[[miner]]", "shadow")
		t = t[:begin] + "shadow = true                       # remove it to go live" + t[end:]
	}
	t.repeat("[[miner]]", "address", "shadow", a.Miners)
	t.repeat("[[storage]]", "path", "path", a.Storages)
	if a.Shadow {
		t.comment("[wallet]", "keystore")
		t.comment("[wallet]", "passphrase_file")
	} else if a.RemoteWallet != "" {
		t.comment("[wallet]", "keystore")
		t.comment("[wallet]", "passphrase_file")
		t.uncomment("[[wallet.remote]]")
		t.set("[[wallet.remote]]", "url", a.RemoteWallet)
		if a.RemoteTokenFile != "" {
			t.set("[[wallet.remote]]", "token_file", a.RemoteTokenFile)
		}
	} else {
		t.set("[wallet]", "keystore", a.Keystore)
		t.set("[wallet]", "passphrase_file", a.PassphraseFile)
	}
	if a.Parameters != "" {
		t.set("[proofs]", "parameters", a.Parameters)
	}
	if a.Data != "" {
		t.set("[data]", "dir", a.Data)
	}
	return string(t)
}

// UsualParameters is the folder of Filecoin's proof parameters where none is named.
func UsualParameters(getenv func(string) string) string { return defaults(getenv).Proofs.Parameters }

// DefaultMaxFee is what a message may cost where nothing is said about it.
func DefaultMaxFee() abi.TokenAmount {
	c := checker{findings: newFindings("", nil)}
	return c.amount("", defaults(func(string) string { return "" }).Messager.MaxFee)
}

// template is a configuration file's text. Its tables and keys are there, as
// comments or not: the example's test says so.
type template string

// header finds a table's header, which may be a comment.
func (t template) header(table string) (begin, end int) {
	at := regexp.MustCompile(`(?m)^(# )?` + regexp.QuoteMeta(table)).FindStringIndex(string(t))
	if at == nil {
		panic("the example has no table " + table)
	}
	return at[0], at[1]
}

// line finds the line of a key in a table, which may be a comment.
func (t template) line(table, key string) (begin, end int) {
	_, from := t.header(table)
	at := regexp.MustCompile(`(?m)^(# )?` + key + ` = .*$`).FindStringIndex(string(t[from:]))
	if at == nil {
		panic("the example has no " + key + " in " + table)
	}
	return from + at[0], from + at[1]
}

// set gives a key a value; what the line says about it stays.
func (t *template) set(table, key, value string) {
	begin, end := t.line(table, key)
	_, remark, has := strings.Cut(string((*t)[begin+1:end]), "#")
	line := assignment(key, value)
	if has {
		line = fmt.Sprintf("%-35s #%s", line, remark)
	}
	*t = (*t)[:begin] + template(line) + (*t)[end:]
}

func (t *template) comment(table, key string) {
	begin, _ := t.line(table, key)
	*t = (*t)[:begin] + "# " + (*t)[begin:]
}

func (t *template) uncomment(table string) {
	begin, _ := t.header(table)
	*t = (*t)[:begin] + (*t)[begin+len("# "):]
}

// repeat writes a table, up to its last line, once for each value of its key.
func (t *template) repeat(table, key, last string, values []string) {
	begin, _ := t.header(table)
	_, end := t.line(table, last)
	one := (*t)[begin:end]
	var all []string
	for _, value := range values {
		copied := one
		copied.set(table, key, value)
		all = append(all, string(copied))
	}
	*t = (*t)[:begin] + template(strings.Join(all, "\n\n")) + (*t)[end:]
}

// assignment is a line of TOML.
func assignment(key, value string) string {
	line, err := toml.Marshal(map[string]string{key: value})
	if err != nil {
		panic("unreachable: text always encodes: " + err.Error())
	}
	return strings.TrimSpace(string(line))
}
