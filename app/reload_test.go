package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/schedule"
	"github.com/vigil-post/vigil/sophon"
)

// few is a file with the settings that there must be.
const few = `node.url = "ws://127.0.0.1:1234/rpc/v1"
node.token = "first.secret"
miner = [{address = "f01000"}]
storage = [{path = "sectors"}]
proofs.parameters = "params"
data.dir = "data"
wallet.remote = [{url = "http://127.0.0.1:1777"}]
`

// readTwice gives the changes from one text of a file to another.
func readTwice(t *testing.T, before, after string) []Change {
	t.Helper()
	dir := place(t)
	was, err := parse("vigil.toml", dir, []byte(before), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	is, err := parse("vigil.toml", dir, []byte(after), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	return was.Changes(is)
}

func TestChangesAreSaidByKeyWithoutSecrets(t *testing.T) {
	if changes := readTwice(t, few, few+"log.level = \"info\"\n"); len(changes) > 0 {
		t.Errorf("a default that is written down is a change: %v", changes)
	}
	after := strings.NewReplacer("first", "second", `miner = [{address = "f01000"}]`, `miner = [{address = "f01000"}, {address = "f01001"}]`).Replace(few) +
		"log.level = \"debug\"\nreading.rehearse = false\nmessager.max_fee = \"6 FIL\"\n"
	changes := readTwice(t, few, after)
	const want = `[{log.level "info" "debug" true} {messager.max_fee "5 FIL" "6 FIL" true} {miner[1].address  "f01001" false} {miner[1].shadow  false false} {node.token "(secret)" "(secret)" false} {reading.rehearse true false true}]`
	if got := fmt.Sprint(changes); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAFileOfASecretThatHasAnotherContentIsAChange(t *testing.T) {
	dir := place(t)
	token := filepath.Join(dir, "node-token")
	read := func(content string) Config {
		if err := os.WriteFile(token, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := parse("vigil.toml", dir, []byte(strings.Replace(few, "node.token = \"first.secret\"", "node.token_file = \"node-token\"", 1)), noEnv)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	was := read("a.b.c")
	if changes := was.Changes(read("a.b.d")); len(changes) != 1 || !strings.HasSuffix(changes[0].Key, ".token_file") || changes[0].Was != changes[0].Is {
		t.Errorf("%v", changes)
	}
	if changes := was.Changes(read("a.b.c")); len(changes) > 0 {
		t.Errorf("%v", changes)
	}
}

func TestAnAddressWithATokenInItIsNotShown(t *testing.T) {
	for url, hide := range map[string]bool{
		"eyJh.eyJB.c2ln:/ip4/127.0.0.1/tcp/1234/http": true, "http://name:word@127.0.0.1:1234": true,
		"ws://127.0.0.1:1234/rpc/v1?token=eyJh.eyJB.c2ln": true,
		"ws://127.0.0.1:1234/rpc/v1":                      false, "/ip4/127.0.0.1/tcp/1234/http": false,
	} {
		v := values{}
		v.addNode(fileNode{URL: url})
		if shown := v["node.url"].shown; (shown == `"(secret)"`) != hide {
			t.Errorf("%s is shown as %s", url, shown)
		}
	}
}

// Who knows the address of a webhook or of a heartbeat can use it: neither config
// show nor the log of a reload has it.
func TestAWebhooksAddressIsNotShown(t *testing.T) {
	const told = "alarms.heartbeat_url = \"https://beats.example/SECRET\"\nnotify = [{format = \"slack\", url = \"https://hooks.example/services/T0/SECRET\"}]\n" +
		"trace.otlp = \"http://name:SECRET@127.0.0.1:4318\"\n"
	for _, change := range append(readTwice(t, few, few+told), readTwice(t, few+told, few+strings.ReplaceAll(told, "SECRET", "SECRET2"))...) {
		if strings.Contains(fmt.Sprint(change), "SECRET") {
			t.Errorf("a secret is shown: %v", change)
		}
	}
}

// A setting that can be taken over is, one that cannot is said, and a file with a
// mistake changes nothing at all.
func TestARunningDaemonTakesOverWhatItCan(t *testing.T) {
	f, _ := newScene(t, flockOf{sectors: 2})
	path := filepath.Join(t.TempDir(), "vigil.toml")
	write := func(more string) {
		text := fmt.Sprintf("[node]\nurl = %q\n[[miner]]\naddress = \"t01000\"\n[[storage]]\npath = %q\n[proofs]\nparameters = %q\n[data]\ndir = %q\n[wallet]\nremote = [{url = \"http://127.0.0.1:1\"}]\n",
			f.config.Nodes[0].URL, f.config.Storages[0], f.config.Storages[0], f.config.Data)
		if err := os.WriteFile(path, []byte(text+more), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	f.daemon.config.file, f.daemon.config.Log, f.daemon.inUse = c.file, c.Log, c.values

	write("[schedule]\nconfidence = 9\n[log]\nlevel = \"debug\"\nformat = \"json\"\n")
	changes, err := f.daemon.Reload(t.Context())
	if err != nil || len(changes) != 3 {
		t.Fatalf("%v, %v", changes, err)
	}
	if f.daemon.config.Log.Level.Level() != slog.LevelDebug {
		t.Error("the log's level is the old one")
	}
	if policy := f.daemon.runner.Policy(); policy.Confidence != 9 || policy.PostMargin != schedule.DefaultPolicy.PostMargin {
		t.Errorf("planned by %+v", policy)
	}
	if c, err = Load(path); err != nil {
		t.Fatal(err)
	}
	if left := f.daemon.Compare(c.Prints()); len(left) != 1 || left[0].Key != "log.format" || left[0].Live {
		t.Error(left)
	}

	write("[schedule]\nstart_confidence = 3\nconfidence = 9\n[log]\nlevel = \"debug\"\nformat = \"json\"\n[recovery]\nalone = true\nmax_sectors = 100\n")
	changes, err = f.daemon.Reload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if policy := f.daemon.runner.Policy(); policy.DeclareSectors != 100 || !policy.RecoverAlone {
		t.Errorf("recoveries are planned by %+v", policy)
	}
	if alarmed := f.daemon.alarmPolicy(); alarmed.StartConfidence != 3 {
		t.Errorf("alarms go by %+v, and the plan does not", alarmed)
	}
	for _, change := range changes { // what is in use is said to be
		if change.Live != (change.Key != "log.format") {
			t.Errorf("%+v", change)
		}
	}

	write("[schedule]\nconfidence = 7\npost_margin = 1000\n")
	if _, err := f.daemon.Reload(t.Context()); err == nil {
		t.Error("a file with a mistake was taken over")
	}
	write("[alarms]\nheartbeat_url = \"https:beats.example/SECRET\"\n")
	if _, err := f.daemon.Reload(t.Context()); err == nil || strings.Contains(err.Error(), "SECRET") || !strings.Contains(err.Error(), "alarms.heartbeat_url: this is no URL") {
		t.Error(err)
	}
	if policy := f.daemon.runner.Policy(); policy.Confidence != 9 {
		t.Errorf("half of a file was taken over: %+v", policy)
	}
}

// Who knows a webhook's or a heartbeat's URL can use it, and a query may have a key.
func TestAURLThatIsASecretIsNotShown(t *testing.T) {
	v := values{}
	v.add("", reflect.ValueOf(fileRest{
		Alarms: fileAlarms{HeartbeatURL: "https://hc.example/SECRET"},
		Notify: []fileNotify{{Format: "slack", URL: "https://hooks.example/services/SECRET"}},
		Trace:  fileTrace{OTLP: "http://127.0.0.1:4318/v1/traces?key=SECRET"},
	}))
	v.addNode(fileNode{URL: "wss://node.example/rpc/v1?key=SECRET"})
	for key, of := range v {
		if strings.Contains(of.shown, "SECRET") {
			t.Errorf("%s is shown as %s", key, of.shown)
		}
	}
	if v["notify[0].format"].shown != `"slack"` {
		t.Errorf("the format is shown as %s", v["notify[0].format"].shown)
	}
}

// A copy that was edited elsewhere is compared by what it says, and is not taken
// for the daemon's own file when that is to be taken over.
func TestAnotherFileThanTheDaemonsIsComparedAndNotTakenOver(t *testing.T) {
	f, path, base := reloaded(t)
	copied := filepath.Join(filepath.Dir(path), "copy.toml")
	if err := os.WriteFile(copied, []byte(base+"\n[messager]\nreplace_after = 4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := sophon.OpenTokens(f.config.Data)
	if err != nil {
		t.Fatal(err)
	}
	token, _ := tokens.Issue("read", "write")
	ask := func(answer http.HandlerFunc, file string) (int, string) {
		t.Helper()
		c, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := json.Marshal(c.Prints())
		r := httptest.NewRequest(http.MethodPost, "/?file="+url.QueryEscape(file), bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		answer(w, r)
		return w.Code, w.Body.String()
	}
	for _, test := range []struct {
		sentence, file string
		answer         http.HandlerFunc
		code           int
		says           string
	}{
		{"its own file differs in nothing", path, f.daemon.configAsked, http.StatusOK, "[]"},
		{"a copy differs in what it says", copied, f.daemon.configAsked, http.StatusOK, `"messager.replace_after","was":"5","is":"4","live":true`},
		{"a copy is not what would be taken over", copied, f.daemon.reloadWish, http.StatusConflict, "the daemon's file is " + path},
		{"its own file is", path, f.daemon.reloadWish, http.StatusOK, "[]"},
	} {
		if code, text := ask(test.answer, test.file); code != test.code || !strings.Contains(text, test.says) {
			t.Errorf("%s: %d %s", test.sentence, code, text)
		}
	}
}
