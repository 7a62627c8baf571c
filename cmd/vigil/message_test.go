package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/dashboard"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/sophon"
	"github.com/vigil-post/vigil/store"
)

// messageDesk is a daemon's desk with two messages.
type messageDesk struct {
	vigil.Messager
	t    *testing.T
	mu   sync.Mutex // guards what follows
	rows []vigil.Message
	said []string
}

func newMessageDesk(t *testing.T) *messageDesk {
	t.Helper()
	d := &messageDesk{t: t}
	for i, state := range []vigil.MessageState{vigil.MessageConfirmed, vigil.MessagePublished} {
		m := vigil.Message{
			MessageRequest: vigil.MessageRequest{
				ID: []string{"f01000/100/0#0 partitions=[0]", "f01000/200/0#0 partitions=[0 1]"}[i], Expires: abi.ChainEpoch(160 + 100*i),
				Duty: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: abi.ChainEpoch(100 * (i + 1))},
				Call: vigil.Call{To: vigil.MinerAddress(1000), Method: 5},
			},
			State: state,
		}
		d.attempt(&m)
		d.rows = append(d.rows, m)
	}
	return d
}

func (d *messageDesk) attempt(m *vigil.Message) {
	d.t.Helper()
	from, err := address.NewSecp256k1Address([]byte("a key"))
	if err != nil {
		d.t.Fatal(err)
	}
	m.Call.From, m.Nonce = from, 7
	signed := vigil.SignedMessage{Call: m.Call, Nonce: 7, Gas: vigil.Gas{Limit: 1000, FeeCap: big.NewInt(int64(200 + len(m.Attempts))), Premium: big.NewInt(100)}}
	signed.Signature = crypto.Signature{Type: crypto.SigTypeSecp256k1, Data: make([]byte, 65)}
	c, err := signed.CID()
	if err != nil {
		d.t.Fatal(err)
	}
	m.Attempts = append(m.Attempts, vigil.Attempt{Number: len(m.Attempts) + 1, CID: c, Signed: signed, Published: true})
}

func (d *messageDesk) Find(_ context.Context, q vigil.MessageQuery) ([]vigil.Message, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.rows), func(m vigil.Message) bool {
		return q.ID != "" && m.ID != q.ID || len(q.States) > 0 && !slices.Contains(q.States, m.State)
	}), nil
}

func (d *messageDesk) do(word, id string, change func(*vigil.Message)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = append(d.said, word)
	i := slices.IndexFunc(d.rows, func(m vigil.Message) bool { return m.ID == id })
	if i < 0 {
		return vigil.ErrNotFound
	}
	if d.rows[i].State.Done() {
		return &vigil.WishError{ID: id, Why: "it is done"}
	}
	change(&d.rows[i])
	return nil
}

func (d *messageDesk) Replace(_ context.Context, id string, gas *vigil.Gas) error {
	word := "replace"
	if gas != nil {
		word += " " + gas.FeeCap.String()
	}
	return d.do(word, id, d.attempt)
}

func (d *messageDesk) Cancel(_ context.Context, id string) error {
	return d.do("cancel", id, func(m *vigil.Message) { m.State = vigil.MessageCancelled })
}

func (d *messageDesk) Republish(_ context.Context, id string) error {
	return d.do("republish", id, func(*vigil.Message) {})
}

// status is of a daemon that has seen epoch 210.
type status struct{}

func (status) Status() vigil.Status     { return vigil.Status{Head: 210} }
func (status) Changed() <-chan struct{} { return nil }

// messageDaemon is the HTTP side of a daemon: its URL and the file with its token.
func messageDaemon(t *testing.T, d *messageDesk) (url, token string) {
	t.Helper()
	dir := t.TempDir()
	tokens, err := sophon.OpenTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", dashboard.New(dashboard.Config{Status: status{}, Messages: func(ctx context.Context, q vigil.MessageQuery) ([]explain.Message, error) {
		found, err := d.Find(ctx, q)
		var told []explain.Message
		for _, m := range found {
			told = append(told, explain.Tell(m, explain.At{Head: 210}))
		}
		return told, err
	}}))
	mux.Handle(sophon.Path, sophon.Server{Messager: d, Desk: d, Head: func(context.Context) (abi.ChainEpoch, error) { return 210, nil }, Permissions: tokens.Permissions}.Handler())
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL, filepath.Join(dir, "token")
}

func TestPeopleLookAtMessagesAndChangeThem(t *testing.T) {
	d := newMessageDesk(t)
	url, token := messageDaemon(t, d)
	first, second := d.rows[0], d.rows[1]
	for _, test := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"list"}, 0, []string{"STATE", "published  ", "confirmed  ", "SubmitWindowedPoSt", "260", second.Attempts[0].CID.String()}},
		{[]string{"list", "--state", "confirmed"}, 0, []string{first.Attempts[0].CID.String()}},
		{[]string{"list", "--state", "lost"}, 2, []string{"no state"}},
		{[]string{"list", "--limit", "0"}, 2, []string{"--limit"}},
		{[]string{"list", "all"}, 2, []string{"no argument"}},
		{[]string{"show", second.ID}, 0, []string{"id ", second.ID, "ATTEMPT", "200 attoFIL"}},
		{[]string{"show"}, 2, []string{"takes a message"}},
		{[]string{"show", "bafynothing"}, 1, []string{"vigil message list"}},
		{[]string{"explain", second.Attempts[0].CID.String()}, 0, []string{"is published", "Attempt 1", "Now: It is in the nodes' pools", "50 epochs are left"}},
		{[]string{"wait", first.ID}, 0, []string{"confirmed"}},
		{[]string{"replace", second.Duty.String()}, 0, []string{"is replaced"}},
		{[]string{"replace", second.ID, "--gas-limit", "5", "--fee-cap", "900", "--premium", "800"}, 0, []string{"is replaced"}},
		{[]string{"replace", second.ID, "--fee-cap", "900"}, 2, []string{"--premium"}},
		{[]string{"replace", second.ID, "--fee-cap", "900", "--premium", "8"}, 2, []string{"--gas-limit"}},
		{[]string{"republish", second.ID}, 0, []string{"handed to the nodes"}},
		{[]string{"cancel", first.ID}, 1, []string{"it is done"}},
		{[]string{"cancel", second.ID}, 0, []string{"to be cancelled", "cancelled now"}},
		{[]string{"wait", second.ID}, 1, []string{"the message is cancelled"}},
	} {
		args := append([]string{"message", test.args[0], "--url", url, "--token-file", token}, test.args[1:]...)
		code, stdout, stderr := invoke(t, args...)
		for _, words := range test.says {
			if code != test.code || !strings.Contains(stdout+stderr, words) {
				t.Errorf("%v: exit code %d, want %d with %q:\n%s%s", test.args, code, test.code, words, stdout, stderr)
			}
		}
	}
	if got := strings.Join(d.said, ", "); got != "replace, replace 900, republish, cancel, cancel" {
		t.Errorf("wished for: %s", got)
	}
}

func TestEveryAnswerAboutMessagesIsToBeHadAsJSON(t *testing.T) {
	d := newMessageDesk(t)
	url, token := messageDaemon(t, d)
	for _, command := range []string{"show", "explain", "wait", "replace", "republish", "cancel"} {
		of := d.rows[1].ID
		if command == "wait" {
			of = d.rows[0].ID
		}
		code, stdout, stderr := invoke(t, "message", command, "--json", "--url", url, "--token-file", token, of)
		var m explain.Message
		if err := json.Unmarshal([]byte(stdout), &m); code != 0 || err != nil || m.ID != of || len(m.Story) == 0 {
			t.Errorf("%s: exit code %d, %v: %s%s", command, code, err, stdout, stderr)
		}
	}
	code, stdout, _ := invoke(t, "message", "list", "--json", "--url", url)
	var list []explain.Message
	if err := json.Unmarshal([]byte(stdout), &list); code != 0 || err != nil || len(list) != 2 || list[0].ID != d.rows[1].ID {
		t.Errorf("list: exit code %d, %v: %s", code, err, stdout)
	}
}

// daemonOff is a configuration file whose daemon is off.
func daemonOff(t *testing.T) (path, data string) {
	t.Helper()
	dir := t.TempDir()
	closed := httptest.NewServer(nil)
	closed.Close()
	path, data = filepath.Join(dir, "vigil.toml"), filepath.Join(dir, "data")
	text := "[[miner]]\naddress = \"f01000\"\n[data]\ndir = \"data\"\n[dashboard]\nlisten = \"" + strings.TrimPrefix(closed.URL, "http://") + "\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, data
}

func TestMessagesAreReadFromTheDatabaseWhileTheDaemonIsOff(t *testing.T) {
	path, data := daemonOff(t)
	if code, _, stderr := invoke(t, "message", "list", "--config", path); code != 1 || !strings.Contains(stderr, "no daemon has run") {
		t.Errorf("before the first start: exit code %d: %s", code, stderr)
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), filepath.Join(data, "vigil.db"))
	if err != nil {
		t.Fatal(err)
	}
	m := newMessageDesk(t).rows[1]
	m.Attempts, m.State, m.Problem = nil, vigil.MessageQueued, "no node answers"
	if _, err := s.AddMessage(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := invoke(t, "message", "list", "--config", path); code != 1 || !strings.Contains(stderr, "another vigil is using it") {
		t.Errorf("with a daemon that does not answer: exit code %d: %s", code, stderr)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := invoke(t, "message", "explain", "--config", path, "f01000/200")
	if code != 0 || !strings.Contains(stdout, "has no nonce yet: no node answers") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	if code, _, stderr := invoke(t, "message", "cancel", "--config", path, m.ID); code != 1 || !strings.Contains(stderr, "token") {
		t.Errorf("cancelled without a daemon: exit code %d: %s", code, stderr)
	}
	code, stdout, stderr = invoke(t, "message", "token", "--config", path, "--permit", "read", "--permit", "write")
	if code != 0 || strings.Count(stdout, ".") != 2 {
		t.Errorf("token: exit code %d: %s%s", code, stdout, stderr)
	}
	if code, _, stderr := invoke(t, "message", "cancel", "--config", path, m.ID); code != 1 || !strings.Contains(stderr, "the daemon is off") {
		t.Errorf("cancelled without a daemon: exit code %d: %s", code, stderr)
	}
}
