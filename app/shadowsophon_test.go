package app

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
	"github.com/vigil-post/vigil/messager"
	"github.com/vigil-post/vigil/sophon"
	"github.com/vigil-post/vigil/store"
)

// pushed is a sophon-messager that counts what it is handed, and may refuse it.
type pushed struct {
	url, token string
	taken      atomic.Int32
	refuses    atomic.Bool
}

// sophonMessager is one on the flock's chain with the miners' keys: it stands for the
// one that damocles uses.
func (f *flock) sophonMessager(keys vigil.Signer) *pushed {
	f.t.Helper()
	dir := f.t.TempDir()
	log := slog.New(slog.DiscardHandler)
	rows, err := store.Open(f.t.Context(), filepath.Join(dir, "vigil.db"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { rows.Close() })
	nodes, err := chain.Open(f.t.Context(), nodeConfigs([]Node{{URL: "ws://" + f.chain.Addr() + "/rpc/v1", Token: Secret(f.chain.Token())}}, vigil.Network{}, log)...)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { nodes.Close() })
	m, err := messager.New(messager.Config{Heads: nodes, Node: nodes, Signer: keys, Store: rows, Log: log, Epoch: flockEpoch, MaxFee: abi.NewTokenAmount(1e18)})
	if err != nil {
		f.t.Fatal(err)
	}
	runs(f.t, m.Run)
	tokens, err := sophon.OpenTokens(dir)
	if err != nil {
		f.t.Fatal(err)
	}
	p := &pushed{}
	if p.token, err = tokens.Issue("read", "write"); err != nil {
		f.t.Fatal(err)
	}
	server := sophon.Server{
		Messager: m, Desk: m, Has: keys.Has, Allow: func(vigil.Call) error { return nil }, Permissions: tokens.Permissions,
		Head: func(ctx context.Context) (abi.ChainEpoch, error) {
			head, err := nodes.Head(ctx)
			return head.Epoch, err
		},
	}.Handler()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		question, _ := io.ReadAll(r.Body)
		if strings.Contains(string(question), "Message.Push") {
			if p.refuses.Load() {
				http.Error(w, "in maintenance", http.StatusServiceUnavailable)
				return
			}
			p.taken.Add(1)
		}
		r.Body = io.NopCloser(bytes.NewReader(question))
		server.ServeHTTP(w, r)
	}))
	f.t.Cleanup(h.Close)
	p.url = h.URL
	return p
}

// The way of docs/migrate-from-damocles.md, with the sophon-messager that is there: in
// shadow nothing goes through it; live all does, from the first deadline on; and back in
// shadow it is handed nothing, not even what it had refused to take while the miner was live.
func TestFromShadowToTheSophonMessagerAndBack(t *testing.T) {
	notUnderRace(t)
	f, _ := newScene(t, flockOf{sectors: 92})
	there := f.sophonMessager(f.tools.keys.(*workshop).keys)
	s, ours := f.inShadow()
	s.tools = ours.tools(tools{keys: noKeys{t}}) // live too: the keys are the other messager's
	s.config.Messager.Sophon = Sophon{URL: there.url, Token: Secret(there.token)}
	s.restart()

	both(f, s, opens(0)+12) // ours would have been sent
	if n := there.taken.Load(); n > 0 {
		t.Errorf("in shadow %d messages went to the other messager", n)
	}
	s.silence()
	f.stop() // step 4: who posted does not post any more

	s.stop()
	shadow := s.config
	s.config.Shadow = nil
	s.start(s.config, s.tools)
	s.to(opens(1) - 1)
	s.patience = time.Second // what waits at the other messager goes on only at the next head
	s.when("the first deadline is proven through the other messager", func() bool { return s.chain.Stats().Total.PartitionsConfirmed >= 2 })
	if there.taken.Load() == 0 {
		t.Error("live nothing went to the other messager")
	}

	there.refuses.Store(true)
	s.when("a message waits to be handed over", func() bool {
		messages, err := s.daemon.courier.Messages(t.Context(), 1000, opens(2))
		return err == nil && len(messages) > 0 && messages[len(messages)-1].State == vigil.MessageQueued
	})
	s.patience = 100 * time.Millisecond // it will wait for ever
	before := there.taken.Load()
	s.stop() // the way back
	s.config = shadow
	s.start(s.config, s.tools)
	there.refuses.Store(false)
	s.to(s.chain.Epoch() + 15)
	if n := there.taken.Load() - before; n > 0 {
		t.Errorf("back in shadow %d messages went to the other messager", n)
	}
	if total := s.chain.Stats().Total; total.MessagesFailed != 0 || total.ProofsInvalid != 0 {
		t.Errorf("%+v", total)
	}
}

// The doctor does not take it for granted that the messager that is there answers and has
// a key: it asks, also while the miner is in shadow.
func TestTheDoctorAsksTheMessagerThatIsThere(t *testing.T) {
	f, _ := newScene(t, flockOf{sectors: 2})
	there := f.sophonMessager(f.tools.keys.(*workshop).keys)
	empty := f.sophonMessager(heldKeys{})
	head, err := f.daemon.nodes.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.daemon.nodes.Miner(t.Context(), 1000, head.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sentence string
		at       Sophon
		health   Health
		says     string
	}{
		{"it has a key", Sophon{URL: there.url, Token: Secret(there.token)}, Well, "has"},
		{"it has none", Sophon{URL: empty.url, Token: Secret(empty.token)}, Ill, "no key of theirs is held"},
		{"its token is wrong", Sophon{URL: there.url, Token: "a.b.c"}, Ill, "cannot be asked"},
		{"it is off", Sophon{URL: "http://127.0.0.1:1"}, Ill, "cannot be asked"},
	} {
		var found []Examined
		e := &examination{config: Config{Shadow: []abi.ActorID{1000}, Messager: Messager{Sophon: c.at, MaxFee: abi.NewTokenAmount(1)}}, say: func(x Examined) { found = append(found, x) }}
		e.keys(t.Context(), f.daemon.nodes, info, head.Key)
		if len(found) == 0 || found[0].Health != c.health || !strings.Contains(found[0].Said, c.says) {
			t.Errorf("%s: %+v", c.sentence, found)
		}
	}
}
