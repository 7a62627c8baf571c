package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
	"github.com/vigil-post/vigil/jsonrpc"
	"github.com/vigil-post/vigil/messager"
	"github.com/vigil-post/vigil/sophon"
	"github.com/vigil-post/vigil/store"
	"github.com/vigil-post/vigil/wallet"
)

// One vigil sends through the API of another one's messager, as through a
// sophon-messager: it has no keys, and its posts and recoveries get on chain.
func TestADaemonSendsThroughAnotherMessager(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes real proofs")
	}
	s := newKept(t)
	tended, neglected := s.chain.Miners()[0], s.chain.Miners()[1]
	other := s.messager(wallet.PostPolicy([]abi.ActorID{actorID(t, tended), actorID(t, neglected)}, abi.NewTokenAmount(1e18)))
	s.sends = fmt.Sprintf("[messager.sophon]\nurl = %q\ntoken = %q\n", other.url, other.token)

	s.daemon(tended, neglected)
	s.through(firstDeadline)
	s.counts("the first miner is proven", tended, 0, 0)
	s.counts("the second too", neglected, 0, 0)
	s.stop()
	if total := s.chain.Stats().Total; total.MessagesFailed != 0 || total.ProofsInvalid != 0 {
		t.Errorf("%+v", total)
	}
	found, err := other.store.FindMessages(t.Context(), vigil.MessageQuery{})
	if err != nil || len(found) < 2 {
		t.Errorf("the other messager has %d messages, %v; want a post of each miner at least", len(found), err)
	}
}

// A daemon without keys of its own, which has its node's wallet sign.
func TestADaemonSignsWithARemoteWallet(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes real proofs")
	}
	s := newKept(t)
	tended := s.chain.Miners()[0]
	s.sends = fmt.Sprintf("[[wallet.remote]]\nurl = %q\ntoken = %q\n", "http://"+s.chain.Addr()+"/rpc/v1", s.chain.Token())

	s.daemon(tended)
	s.through(firstDeadline)
	s.counts("the miner is proven", tended, 0, 0)
	s.stop()
}

// Another program's message gets on chain through the daemon's own API, and
// what the policy holds back is refused at once.
func TestAnotherProgramSendsThroughTheDaemon(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for a chain")
	}
	s := newKept(t)
	s.listens = "127.0.0.1:0"
	s.daemon(s.chain.Miners()[0])
	token, err := os.ReadFile(filepath.Join(s.dir, "data", "token"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := jsonrpc.New(s.run.Page(), string(token), sophon.Path, 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, worker := t.Context(), s.keystore().List()[0].Address
	push := func(id string, call sophon.Call) error {
		var got string
		return client.Call(ctx, &got, "Message.PushMessageWithId", id, call, sophon.SendSpec{MaxFee: big.Zero()})
	}
	nothing := sophon.Call{To: worker, From: worker, Value: big.Zero(), GasFeeCap: big.Zero(), GasPremium: big.Zero()}
	if err := push("nothing", nothing); err != nil {
		t.Fatal(err)
	}
	money := nothing
	money.Value = big.NewInt(1)
	if err := push("money", money); err == nil || !strings.Contains(err.Error(), "refused to sign") {
		t.Errorf("a message with a value: %v", err)
	}
	var m sophon.Message
	for m.State != sophon.OnChainMsg || m.Confidence <= 5 { // however many epochs pass before the messager is done
		s.step(1)
		if err := client.Call(ctx, &m, "Message.GetMessageByUid", "nothing"); err != nil {
			t.Fatal(err)
		}
	}
	if m.Receipt.ExitCode != 0 || m.From != worker || m.SignedCid == nil {
		t.Errorf("%+v", m)
	}
	if err := client.Call(ctx, &m, "Message.WaitMessage", "nothing", 5); err != nil {
		t.Error(err)
	}
	if err := client.Call(ctx, nil, "Message.MarkBadMessage", "nothing"); err == nil {
		t.Error("a confirmed message was cancelled")
	}
	for of, want := range map[string]int{string(token): http.StatusConflict, "": http.StatusUnauthorized} {
		if got := s.cancelled(of, "nothing"); got != want {
			t.Errorf("to cancel it over the dashboard with the token %q is answered with %d, want %d", of, got, want)
		}
	}
	s.stop()
	for _, secret := range []string{string(token), s.chain.Token()} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log has the token %s:\n%s", secret, s.log.String())
		}
	}
}

// cancelled is the dashboard's answer to the wish to cancel a message.
func (s *kept) cancelled(token, id string) int {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.run.Page()+"/api/messages/"+id+"/cancel", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

func actorID(t *testing.T, a address.Address) abi.ActorID {
	t.Helper()
	id, err := address.IDFromAddress(a)
	if err != nil {
		t.Fatal(err)
	}
	return abi.ActorID(id)
}

// otherMessager is a messager in a process of its own, as far as anybody can tell.
type otherMessager struct {
	url, token string
	store      *store.Store
}

func (s *kept) keystore() *wallet.Wallet {
	s.t.Helper()
	keys, err := wallet.Open(filepath.Join(s.dir, "keystore"), "open", wallet.Options{WorkFactor: 10})
	if err != nil {
		s.t.Fatal(err)
	}
	return keys
}

func (s *kept) messager(policy wallet.Policy) otherMessager {
	s.t.Helper()
	dir := s.t.TempDir()
	log := slog.New(slog.DiscardHandler)
	rows, err := store.Open(s.t.Context(), filepath.Join(dir, "vigil.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { rows.Close() })
	node := Node{URL: "ws://" + s.chain.Addr() + "/rpc/v1", Token: Secret(s.chain.Token())}
	nodes, err := chain.Open(s.t.Context(), nodeConfigs([]Node{node}, vigil.Network{}, log)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { nodes.Close() })
	guard := wallet.Guard{Policy: policy, Sources: []wallet.Source{s.keystore()}}
	m, err := messager.New(messager.Config{Heads: nodes, Node: nodes, Signer: guard, Store: rows, Log: log, Epoch: 30 * time.Second, MaxFee: policy.MaxFee})
	if err != nil {
		s.t.Fatal(err)
	}
	runs(s.t, m.Run)
	tokens, err := sophon.OpenTokens(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	token, err := tokens.Issue("read", "write")
	if err != nil {
		s.t.Fatal(err)
	}
	h := httptest.NewServer(sophon.Server{
		Messager: m, Desk: m, Has: guard.Has, Allow: policy.Allows, Permissions: tokens.Permissions,
		Head: func(ctx context.Context) (abi.ChainEpoch, error) {
			head, err := nodes.Head(ctx)
			return head.Epoch, err
		},
	}.Handler())
	s.t.Cleanup(h.Close)
	return otherMessager{h.URL, token, rows}
}
