package app

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
)

// place makes a folder with all that a good configuration names.
func place(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range []string{"sectors", "more", "params"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"keystore": "x", "pass": "open sesame\n", "token": "abc\n", "empty": "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const good = `
[node]
url = "ws://127.0.0.1:1234/rpc/v1"
token_file = "token"
network = "mainnet"
timeout = "10s"

[[miner]]
address = "f01000"

[[miner]]
address = "t02000"

[[storage]]
path = "sectors"

[[storage]]
path = "more/"

[reading]
at_once = 32
skip_percent = 2
rehearse = false

[wallet]
keystore = "keystore"
passphrase_file = "pass"

[[wallet.remote]]
url = "http://127.0.0.1:1777"
token_file = "token"
timeout = "3s"

[wallet.policy]
methods = [5, 11]
receivers = ["f03000"]
max_value = "0 FIL"
max_fee = "0.5 FIL"

[proofs]
parameters = "params"

[messager]
max_fee = "0.25 FIL"
confidence = 7

[messager.sophon]
url = "/ip4/10.0.0.7/tcp/39812/http"
token_file = "token"
timeout = "4s"

[schedule]
submit_confidence = 2

[dashboard]
listen = "127.0.0.1:0"
hosts = ["vigil.example"]

[data]
dir = "data"

[log]
level = "debug"
format = "json"
`

// inMainnet prints a value with the addresses of mainnet, whichever network
// another test has set.
func inMainnet(v any) string { return strings.ReplaceAll(fmt.Sprint(v), "t0", "f0") }

func noEnv(string) string { return "" }

func TestAGoodFileIsUnderstood(t *testing.T) {
	dir := place(t)
	c, err := parse("vigil.toml", dir, []byte(good), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	if n := c.Nodes[0]; len(c.Nodes) != 1 || n.URL != "ws://127.0.0.1:1234/rpc/v1" || n.Token != "abc" || n.Network != "mainnet" || n.Timeout != 10*time.Second {
		t.Errorf("nodes: %+v", c.Nodes)
	}
	if len(c.Miners) != 2 || c.Miners[0] != 1000 || c.Miners[1] != 2000 {
		t.Errorf("miners: %v", c.Miners)
	}
	if len(c.Storages) != 2 || c.Storages[1] != filepath.Join(dir, "more") {
		t.Errorf("storages: %v", c.Storages)
	}
	if c.Reading != (Reading{AtOnce: 32}) || c.Schedule.SkipPercent != 2 || c.Schedule.PostMargin != 12 {
		t.Errorf("reading: %+v, %+v", c.Reading, c.Schedule)
	}
	if c.Wallet.Passphrase != "open sesame" || c.Wallet.Keystore != filepath.Join(dir, "keystore") {
		t.Errorf("wallet: %#v", c.Wallet)
	}
	if got := c.Messager.Sophon; got != (Sophon{"/ip4/10.0.0.7/tcp/39812/http", "abc", 4 * time.Second}) {
		t.Errorf("sophon: %+v", got)
	}
	if r := c.Wallet.Remotes; len(r) != 1 || r[0] != (RemoteWallet{"http://127.0.0.1:1777", "abc", 3 * time.Second}) {
		t.Errorf("remote wallets: %+v", r)
	}
	if got := inMainnet(c.Wallet.Policy); got != "{[f01000 f02000 f03000] [5 11] 0 500000000000000000}" {
		t.Errorf("policy: %s", got)
	}
	if c.Messager.MaxFee.String() != "250000000000000000" || c.Messager.Confidence != 7 {
		t.Errorf("messager: %+v", c.Messager)
	}
	if c.Schedule.SubmitConfidence != 2 || c.Schedule.MaxPartitions == 0 {
		t.Errorf("schedule: %+v", c.Schedule)
	}
	if c.Dashboard.Listen != "127.0.0.1:0" || c.Dashboard.Hosts[0] != "vigil.example" {
		t.Errorf("dashboard: %+v", c.Dashboard)
	}
	if c.Data != filepath.Join(dir, "data") || c.Log.Level.Level() != slog.LevelDebug || !c.Log.JSON {
		t.Errorf("data %s, log %+v", c.Data, c.Log)
	}
}

func TestWhatAFileLeavesOutHasADefault(t *testing.T) {
	dir := place(t)
	least := `
[node]
url = "/ip4/127.0.0.1/tcp/1234/http"
[[miner]]
address = "f01000"
[[storage]]
path = "~/sectors"
[wallet]
keystore = "keystore"
`
	env := map[string]string{"HOME": dir, "VIGIL_PASSPHRASE": "from the environment", "FIL_PROOFS_PARAMETER_CACHE": filepath.Join(dir, "params")}
	c, err := parse("vigil.toml", dir, []byte(least), func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if c.Reading != (Reading{AtOnce: 128, Rehearse: true}) || c.Schedule.SkipPercent != 5 {
		t.Errorf("reading: %+v", c.Reading)
	}
	if c.Proofs.Parameters != filepath.Join(dir, "params") || c.Proofs.AtOnce != 1 {
		t.Errorf("proofs: %+v", c.Proofs)
	}
	if c.Wallet.Passphrase != "from the environment" || c.Storages[0] != filepath.Join(dir, "sectors") || c.Data != filepath.Join(dir, ".vigil") {
		t.Errorf("%#v %v %s", c.Wallet, c.Storages, c.Data)
	}
	if got := inMainnet(c.Wallet.Policy); got != "{[f01000] [5 10 11] 0 5000000000000000000}" || len(c.Wallet.Remotes) != 0 {
		t.Errorf("policy %s, remote wallets %v", got, c.Wallet.Remotes)
	}
	if m := c.Messager; m.LowFeeCap || m.GasOverEstimation != 1 || m.GasOverPremium != 1 || m.ReplaceAfter != 5 || !m.WindowPost.MaxFee.Nil() || !m.Recovery.PerDay.Nil() {
		t.Errorf("messager: %+v", m)
	}
	if c.Messager.MaxFee.String() != "5000000000000000000" || c.Messager.Confidence == abi.ChainEpoch(0) || c.Dashboard.Listen == "" {
		t.Errorf("%+v %+v", c.Messager, c.Dashboard)
	}
}

func TestTheMessagersKnobsAreUnderstood(t *testing.T) {
	dir := place(t)
	c, err := parse("vigil.toml", dir, []byte(strings.Replace(good, "[messager]", `[messager]
max_window_post_gas_fee = "3 FIL"
max_recovery_gas_fee = "0.5 FIL"
window_post_budget_per_day = "100 FIL"
recovery_budget_per_day = "7 FIL"
maximize_fee_cap = false
gas_over_estimation = 1.25
gas_over_premium = 2
replace_after = 3
senders = ["f0123"]`, 1)), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	m := c.Messager
	got := fmt.Sprint(m.WindowPost, m.Recovery, m.LowFeeCap, m.GasOverEstimation, m.GasOverPremium, m.ReplaceAfter, m.Senders[0].Payload()[0])
	want := "{3000000000000000000 100000000000000000000} {500000000000000000 7000000000000000000} true 1.25 2 3 123"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for knob, advice := range map[string]string{
		"gas_over_estimation = 0.5":        "from 1 to 10",
		"gas_over_premium = 11":            "from 1 to 10",
		"replace_after = 0":                "from 1 to 20",
		`senders = ["worker"]`:             "no Filecoin address",
		`max_recovery_gas_fee = "x"`:       "5 FIL",
		`window_post_budget_per_day = "0"`: "no message could be paid",
		`recovery_budget_per_day = "-1"`:   "is no amount of FIL",
		"max_window_post_gas_fee = \"3 FIL\"\nwindow_post_budget_per_day = \"2.9 FIL\"": "less than one message may cost, 3 FIL",
		`recovery_budget_per_day = "0.2 FIL"`:                                           "less than one message may cost, 0.25 FIL",
	} {
		_, err := parse("vigil.toml", dir, []byte(strings.Replace(good, "[messager]", "[messager]\n"+knob, 1)), noEnv)
		if err == nil || !strings.Contains(err.Error(), advice) {
			t.Errorf("%s: %v", knob, err)
		}
	}
}

func TestSeveralNodesAreUnderstood(t *testing.T) {
	const several = `
[[node]]
url = "ws://one:1234/rpc/v1"
token_file = "token"

[[node]]
url = "a.b.c:/ip4/10.0.0.2/tcp/1234/http"
timeout = "5s"

[[node]]
url = "a.b.c:https://three.example/rpc/v1"
`
	_, rest, _ := strings.Cut(good, "[[miner]]")
	rest = "[[miner]]" + rest
	c, err := parse("vigil.toml", place(t), []byte(several+rest), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Nodes) != 3 || c.Nodes[0].Token != "abc" || c.Nodes[1].Timeout != 5*time.Second || c.Nodes[2].URL != "a.b.c:https://three.example/rpc/v1" {
		t.Errorf("nodes: %+v", c.Nodes)
	}
	for _, change := range []struct{ sentence, old, new, says string }{
		{"the second is none", `"a.b.c:/ip4/10.0.0.2/tcp/1234/http"`, `"two"`, `vigil.toml:7: node[1].url: this is no URL`},
		{"the third is nowhere", `url = "a.b.c:https://three.example/rpc/v1"`, ``, `vigil.toml:10: node[2].url: no node is given`},
		{"an unknown setting", `timeout = "5s"`, `timeuot = "5s"`, `vigil.toml:8: node.timeuot: there is no such setting`},
		{"two networks", `timeout = "5s"`, `network = "calibrationnet"`, `is not the network of the first node, "mainnet"`},
	} {
		text := strings.Replace(strings.Replace(several, change.old, change.new, 1), `token_file = "token"`, `network = "mainnet"`, 1) + rest
		if _, err := parse("vigil.toml", place(t), []byte(text), noEnv); err == nil || !strings.Contains(err.Error(), change.says) {
			t.Errorf("%s: %v", change.sentence, err)
		}
	}
	env := func(name string) string {
		if name == "FULLNODE_API_INFO" {
			return "a.b.c:/ip4/10.0.0.1/tcp/1234/http, d.e.f:/dns4/two/tcp/1234/http"
		}
		return ""
	}
	c, err = parse("vigil.toml", place(t), []byte("[node]\nnetwork = \"mainnet\"\n"+rest), env)
	if err != nil || len(c.Nodes) != 2 || c.Nodes[1].URL != "d.e.f:/dns4/two/tcp/1234/http" || c.Nodes[1].Network != "mainnet" {
		t.Errorf("the environment's nodes: %+v, %v", c.Nodes, err)
	}
	if c, err = parse("vigil.toml", place(t), []byte(several+rest), env); err != nil || len(c.Nodes) != 3 {
		t.Errorf("the file's nodes: %+v, %v", c.Nodes, err)
	}
}

func TestAPolicyThatSignsNoMessageOfFullPriceIsRefused(t *testing.T) {
	ours, _, _ := strings.Cut(good, "[messager.sophon]")
	_, rest, _ := strings.Cut(good[len(ours):], "\n\n")
	for fee, want := range map[string]string{"0.5 FIL": "", "0.2 FIL": "less than one message may cost by [messager], 0.25 FIL"} {
		text := strings.Replace(ours, `max_fee = "0.5 FIL"`, `max_fee = "`+fee+`"`, 1) + rest
		switch _, err := parse("vigil.toml", place(t), []byte(text), noEnv); {
		case want == "" && err != nil:
			t.Errorf("%s: %v", fee, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v", fee, err)
		}
	}
}

func TestABadFileIsToldWhatToDo(t *testing.T) {
	for _, c := range []struct {
		sentence string
		old, new string // what is changed in the good file
		line     string // the text of the line that must be shown
		mark     string // what of it must be marked; "" for any
		says     []string
	}{
		{"a key that does not exist", `network = "mainnet"`, `netwrok = "mainnet"`, `netwrok = "mainnet"`, "netwrok", []string{"no such setting", "node.network"}},
		{"a key in the wrong table", "[log]\n", "[log]\nparameters = 1\n", `parameters = 1`, "parameters", []string{"proofs.parameters"}},
		{"a table that does not exist", "[log]\n", "[logging]\n", "[logging]", "", []string{"no such setting", "log"}},
		{"a number where text must be", `timeout = "10s"`, `timeout = 10`, `timeout = 10`, "10", []string{"of type integer, and must be of type string", "quotes"}},
		{"text where a number must be", `confidence = 7`, `confidence = "7"`, `confidence = "7"`, `"7"`, []string{"numbers do not"}},
		{"no TOML", `[wallet]`, `[wallet`, `[wallet`, "", []string{"TOML"}},
		{"a key twice", `level = "debug"`, "level = \"debug\"\nlevel = \"info\"", `level = "info"`, "", nil},
		{"no node", `url = "ws://127.0.0.1:1234/rpc/v1"`, ``, "[node]", "", []string{"no node is given"}},
		{"an unknown scheme", `"ws://127`, `"ftp://127`, `url = "ftp://127.0.0.1:1234/rpc/v1"`, `"ftp://127.0.0.1:1234/rpc/v1"`, []string{"ws, wss, http or https"}},
		{"a URL that is none", `"ws://127.0.0.1:1234/rpc/v1"`, `"node"`, `url = "node"`, "", []string{"no URL"}},
		{"a timeout without a unit", `"10s"`, `"10"`, `timeout = "10"`, `"10"`, []string{"no duration"}},
		{"a timeout that is too long", `"10s"`, `"10h"`, `timeout = "10h"`, "", []string{"too long"}},
		{"two tokens", `network = `, "token = \"x\"\nnetwork = ", `token_file = "token"`, "", []string{"keep one"}},
		{"an empty token file", `"token"`, `"empty"`, `token_file = "empty"`, "", []string{"empty"}},
		{"no such token file", `"token"`, `"gone"`, `token_file = "gone"`, `"gone"`, []string{"no such file"}},
		{"a miner that is no address", `"f01000"`, `"f0x"`, `address = "f0x"`, `"f0x"`, []string{"f01000"}},
		{"a miner that is an account", `"f01000"`, `"f1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za"`, `address = "f1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za"`, "", []string{"ID address"}},
		{"a miner that is the system's", `"f01000"`, `"f05"`, `address = "f05"`, "", []string{"system"}},
		{"a miner twice", `"t02000"`, `"t01000"`, `address = "t01000"`, `"t01000"`, []string{"twice", "miner[0]"}},
		{"a miner without an address", `address = "t02000"`, ``, "[[miner]]", "miner", []string{"no address"}},
		{"the only storage is gone", "\"sectors\"\n\n[[storage]]\npath = \"more/\"", `"elsewhere"`, `path = "elsewhere"`, `"elsewhere"`, []string{"mounted"}},
		{"a storage that is a file", `"sectors"`, `"pass"`, `path = "pass"`, "", []string{"not a folder"}},
		{"a storage twice", `"more/"`, `"./sectors"`, `path = "./sectors"`, "", []string{"twice"}},
		{"a keystore that is gone", `keystore = "keystore"`, `keystore = "nokey"`, `keystore = "nokey"`, "", []string{"vigil wallet new"}},
		{"no passphrase", `passphrase_file = "pass"`, ``, "[wallet]", "", []string{"VIGIL_PASSPHRASE"}},
		{"a messager that is no address", `"/ip4/10.0.0.7/tcp/39812/http"`, `""`, `url = ""`, "", []string{"39812"}},
		{"a remote wallet that is no address", `"http://127.0.0.1:1777"`, `"the one in the cellar"`, `url = "the one in the cellar"`, "", []string{"token:/ip4"}},
		{"a remote wallet's token that is gone", "token_file = \"token\"\ntimeout = \"3s\"", `token_file = "gone"`, `token_file = "gone"`, "", []string{"no such file"}},
		{"two tokens of a remote wallet", "timeout = \"3s\"", "timeout = \"3s\"\ntoken = \"abc\"", `token_file = "token"`, "", []string{"keep one"}},
		{"a remote wallet's timeout that is none", `timeout = "3s"`, `timeout = "soon"`, `timeout = "soon"`, "", []string{"no duration"}},
		{"a method that is none", `methods = [5, 11]`, `methods = [5, -11]`, `methods = [5, -11]`, "", []string{"SubmitWindowedPoSt"}},
		{"a receiver that is none", `receivers = ["f03000"]`, `receivers = ["somebody"]`, `receivers = ["somebody"]`, "", []string{"no Filecoin address"}},
		{"a value that is none", `max_value = "0 FIL"`, `max_value = "-1 FIL"`, `max_value = "-1 FIL"`, "", []string{"no amount"}},
		{"a policy that pays nothing", `max_fee = "0.5 FIL"`, `max_fee = "0 FIL"`, `max_fee = "0 FIL"`, "", []string{"paid"}},
		{"parameters that are gone", `"params"`, `"none"`, `parameters = "none"`, "", []string{"parameters"}},
		{"a memory that is none", `parameters = "params"`, "parameters = \"params\"\nmemory = \"lots\"", `memory = "lots"`, "", []string{"18GiB"}},
		{"a memory too small for any proof", `parameters = "params"`, "parameters = \"params\"\nmemory = \"1MiB\"", `memory = "1MiB"`, "", []string{"18GiB"}},
		{"a fee that is none", `"0.25 FIL"`, `"a lot"`, `max_fee = "a lot"`, "", []string{"5 FIL"}},
		{"a fee of nothing", `"0.25 FIL"`, `"0 FIL"`, `max_fee = "0 FIL"`, "", []string{"paid"}},
		{"a fee that is too fine", `"0.25 FIL"`, `"0.0000000000000000001 FIL"`, `max_fee = "0.0000000000000000001 FIL"`, "", []string{"decimals"}},
		{"an exponent that would fill the memory", `"0.25 FIL"`, `"1e999999999 FIL"`, `max_fee = "1e999999999 FIL"`, "", []string{"no amount"}},
		{"a confidence out of range", `confidence = 7`, `confidence = -1`, `confidence = -1`, "-1", []string{"from 1 to 30"}},
		{"a port that is none", `"127.0.0.1:0"`, `"127.0.0.1:http"`, `listen = "127.0.0.1:http"`, "", []string{"no port"}},
		{"an address without a port", `"127.0.0.1:0"`, `"127.0.0.1"`, `listen = "127.0.0.1"`, "", []string{"127.0.0.1:8748"}},
		{"data that is a file", `"data"`, `"pass"`, `dir = "pass"`, "", []string{"not a folder"}},
		{"no sector at a time", `at_once = 32`, `at_once = 0`, `at_once = 0`, "0", []string{"from 1 to 128"}},
		{"more skipped than there is", `skip_percent = 2`, `skip_percent = 101`, `skip_percent = 101`, "101", []string{"from 0 to 100"}},
		{"an unknown level", `"debug"`, `"loud"`, `level = "loud"`, `"loud"`, []string{"debug, info, warn or error"}},
		{"an unknown format", `"json"`, `"xml"`, `format = "xml"`, "", []string{"text or json"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			if !strings.Contains(good, c.old) {
				t.Fatalf("the good file has no %q", c.old)
			}
			text := strings.Replace(good, c.old, c.new, 1)
			_, err := parse("vigil.toml", place(t), []byte(text), noEnv)
			var findings *FindingsError
			if !errors.As(err, &findings) {
				t.Fatalf("err %v", err)
			}
			if len(findings.Findings) != 1 {
				t.Errorf("%d findings:\n%v", len(findings.Findings), err)
			}
			f := findings.Findings[0]
			if f.Line == 0 || strings.Split(text, "\n")[f.Line-1] != f.text || f.text != c.line {
				t.Errorf("line %d %q, want %q", f.Line, f.text, c.line)
			}
			if marked := marked(f); c.mark != "" && marked != c.mark {
				t.Errorf("marked %q, want %q\n%v", marked, c.mark, err)
			}
			if f.Advice == "" {
				t.Error("no advice")
			}
			for _, word := range c.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("it does not say %q:\n%v", word, err)
				}
			}
		})
	}
}

func TestAnAbsentStorageOfSeveralIsAWarning(t *testing.T) {
	dir := place(t)
	c, err := parse("vigil.toml", dir, []byte(strings.Replace(good, `"sectors"`, `"unmounted"`, 1)), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Storages) != 2 || c.Storages[0] != filepath.Join(dir, "unmounted") {
		t.Errorf("storages %v: one that comes back is to be read", c.Storages)
	}
	said := strings.Join(c.Absent, "\n")
	for _, word := range []string{"unmounted: no such file", "more: it has neither sealed nor cache"} {
		if !strings.Contains(said, word) {
			t.Errorf("it does not say %q: %s", word, said)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "more", "sealed"), 0o755); err != nil {
		t.Fatal(err)
	}
	if c, err = parse("vigil.toml", dir, []byte(strings.Replace(good, `"sectors"`, `"more/../more"`, 1)), noEnv); err == nil {
		t.Error("the same storage twice, written in two ways")
	}
	if c, err = parse("vigil.toml", dir, []byte(strings.Replace(good, `"sectors"`, `"params"`, 1)), noEnv); err != nil || len(c.Absent) != 1 {
		t.Errorf("%v, %v", c.Absent, err)
	}
}

func TestAFileThatIsNoTextDoesNothingToTheTerminal(t *testing.T) {
	junk := "\x9c\x1b[2J\x07" + strings.Repeat("\x00x", 5000)
	_, err := parse("vigil.toml", place(t), []byte(junk), noEnv)
	if err == nil || strings.ContainsAny(err.Error(), "\x1b\x07\x00") || len(err.Error()) > 2000 {
		t.Errorf("%.300q", err)
	}
}

func marked(f Finding) string {
	line := []rune(f.text)
	from := min(max(0, f.column-1), len(line))
	return string(line[from:min(len(line), from+f.width)])
}

func TestAllFindingsAreReportedAtOnceAndInOrder(t *testing.T) {
	_, err := parse("vigil.toml", place(t), []byte("[node]\nurl = \"x\"\ncolour = 1\n[log]\nlevel = \"loud\"\n"), noEnv)
	var findings *FindingsError
	if !errors.As(err, &findings) {
		t.Fatal(err)
	}
	var keys []string
	for _, f := range findings.Findings {
		keys = append(keys, f.Key)
	}
	want := "miner storage wallet.keystore wallet.passphrase_file proofs.parameters data.dir node.url node.colour log.level"
	if got := strings.Join(keys, " "); got != want {
		t.Errorf("got  %s\nwant %s\n%v", got, want, err)
	}
	if !strings.Contains(err.Error(), "vigil.toml:2: node.url: this is no URL\n  2 | url = \"x\"\n    |       ^^^\n  → write the node's API") {
		t.Errorf("it is not shown as expected:\n%v", err)
	}
}

func TestASecretDoesNotShowItself(t *testing.T) {
	c, err := parse("vigil.toml", place(t), []byte(good), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("config", "wallet", c.Wallet, "passphrase", c.Wallet.Passphrase)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "wallet", c.Wallet, "passphrase", c.Wallet.Passphrase)
	if strings.Contains(log.String(), "sesame") {
		t.Error(log.String())
	}
}

// The example in the manual is the one that the program has; go test ./app -update writes it.
func TestTheManualShowsTheExample(t *testing.T) {
	path := filepath.Join("..", "docs", "config.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), "```toml\n")
	_, after, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("docs/config.md has no example")
	}
	intro, rest, marked := strings.Cut(after, "<!-- live -->\n")
	_, outro, ended := strings.Cut(rest, "<!-- /live -->")
	if !marked || !ended {
		t.Fatal("docs/config.md has no place for what is live")
	}
	want := before + "```toml\n" + Example + "```" + intro + "<!-- live -->\n" + whatIsLive() + "<!-- /live -->" + outro
	if want == string(page) {
		return
	}
	if !*updateMetrics {
		t.Fatal("docs/config.md shows another example than app/example.toml: go test ./app -update writes it")
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// whatIsLive is what the manual says of each setting. TestEverySettingIsLiveOrNeedsARestart
// holds it true.
func whatIsLive() string {
	var live, held []string
	for _, key := range everyKey() {
		if name := "`" + strings.ReplaceAll(key, "[]", "") + "`"; isLive(strings.ReplaceAll(key, "[]", "[0]")) {
			live = append(live, name)
		} else {
			held = append(held, name)
		}
	}
	return "## What a reload takes over\n\n" +
		"`systemctl reload vigil`, SIGHUP and `vigil config reload` read the file again. These settings take effect at once:\n" + strings.Join(live, ", ") + ".\n\n" +
		"These are made once, at the start; a reload says that they need a restart:\n" + strings.Join(held, ", ") + ".\n\n" +
		"A file with anything wrong in it changes nothing at all. While the start still waits for a node, nothing is taken over: start the daemon again.\n"
}

// The example has every setting and no other, and the defaults it tells are those that hold.
func TestTheExampleHasEverySettingWithItsDefault(t *testing.T) {
	var f file
	findings := newFindings("example.toml", []byte(Example))
	if !findings.decode(&f) || len(findings.list) > 0 {
		t.Fatal(findings.err())
	}
	all := uncommented(Example)
	holds := defaults(func(name string) string { return map[string]string{"HOME": "~"}[name] })
	said := fileRest{}
	findings = newFindings("example.toml", []byte(all))
	whole := file{fileRest: said}
	if !findings.decode(&whole) || len(findings.list) > 0 {
		t.Fatalf("with what is commented out: %v", findings.err())
	}
	shown := regexp.MustCompile(`\[\d+\]`).ReplaceAllString(fmt.Sprintln(slices.Collect(maps.Keys(findings.keys))), "")
	for _, key := range settings(reflect.TypeFor[file](), "") {
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(key) + `\b`).MatchString(shown) {
			t.Errorf("the example does not show %s", key)
		}
	}
	is, should := valuesOf([]fileNode{whole.Node}, whole.fileRest, nil), valuesOf([]fileNode{{}}, holds, nil)
	for key, v := range should {
		if empty := v.shown == `""` || v.shown == "[]" || v.shown == "0"; !empty && is[key] != v {
			t.Errorf("the example says %s = %s, and the default is %s", key, is[key].shown, v.shown)
		}
	}
}

// uncommented is the example with the settings that are comments in force.
func uncommented(example string) string {
	setting := regexp.MustCompile(`(?m)^# (\[|[a-z_]+ = )`)
	return setting.ReplaceAllString(example, "$1")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("a.b = 1\n[[a]]\n[a.b]\nc = [1,\n2]"))
	f.Add([]byte("[node]\nurl = '''\n\n'''\nüüü = \"\t\""))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := parse("vigil.toml", "/nonexistent", data, noEnv)
		if err == nil || err.Error() == "" {
			t.Fatal("a file in an empty world is not good")
		}
	})
}

func TestWithRemoteKeysOrAnotherMessagerNoKeystoreIsNeeded(t *testing.T) {
	for name, instead := range map[string]string{
		"a remote wallet": "[[wallet.remote]]\nurl = \"http://127.0.0.1:1777\"\n", "a messager": "[messager.sophon]\nurl = \"http://127.0.0.1:39812\"\n",
	} {
		text := "[node]\nurl = \"/ip4/127.0.0.1/tcp/1234/http\"\n[[miner]]\naddress = \"f01000\"\n[[storage]]\npath = \"sectors\"\n[proofs]\nparameters = \"params\"\n[data]\ndir = \"data\"\n"
		dir := place(t)
		if c, err := parse("vigil.toml", dir, []byte(text+instead), noEnv); err != nil || c.Wallet.Keystore != "" {
			t.Errorf("%s: %q, %v", name, c.Wallet.Keystore, err)
		}
		if _, err := parse("vigil.toml", dir, []byte(text), noEnv); err == nil {
			t.Error("without any keys it was taken")
		}
	}
}

// A command that asks the daemon something needs no passphrase and no disks.
func TestTheDaemonOfAFileIsFoundWithoutItsSecrets(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "vigil.toml")
	for listen, want := range map[string]string{
		"127.0.0.1:8748": "http://127.0.0.1:8748", ":80": "http://127.0.0.1:80", "0.0.0.0:81": "http://127.0.0.1:81", "[::1]:82": "http://[::1]:82", "": "",
	} {
		text := "[[miner]]\naddress = \"f01000\"\n[data]\ndir = \"data\"\n[wallet]\nkeystore = \"gone\"\n[dashboard]\nlisten = \"" + listen + "\"\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Locate(path)
		if err != nil || p.URL != want || p.Data != filepath.Join(dir, "data") {
			t.Errorf("%q: %+v, %v", listen, p, err)
		}
	}
	if _, err := Locate(filepath.Join(dir, "none.toml")); err == nil {
		t.Error("a file that does not exist was read")
	}
}
