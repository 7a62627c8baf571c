package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
)

// messageStore is what a messager needs of a store (messager.Storage, which
// this package cannot import).
type messageStore interface {
	AddMessage(ctx context.Context, m vigil.Message) (vigil.Message, error)
	SaveMessages(ctx context.Context, messages ...vigil.Message) error
	SaveScan(ctx context.Context, scanned []vigil.Head, messages []vigil.Message) error
	Scanned(ctx context.Context) ([]vigil.Head, error)
	Messages(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Message, error)
	OpenMessages(ctx context.Context) ([]vigil.Message, error)
	NonceHolders(ctx context.Context, sender address.Address, from uint64) ([]vigil.Message, error)
	NextNonce(ctx context.Context, sender address.Address) (uint64, error)
	LastGas(ctx context.Context, method abi.MethodNum, paramsSize int) (vigil.Gas, error)
}

// testMessages is what every messageStore must pass; open and reopen are as
// for testDuties.
func testMessages(t *testing.T, open func(t *testing.T) (s messageStore, reopen func() messageStore)) {
	tests := map[string]func(*testing.T, messageStore, func() messageStore){
		"a message is read back as it was written, also after a restart": messageRoundTrip,
		"an ID that exists keeps its message":                            messageExists,
		"a message that does not exist cannot be saved":                  messageUnknown,
		"a nonce is never given to two messages":                         nonceOnce,
		"what was signed is never changed":                               signedForGood,
		"a message may hold a second nonce, and keeps the first":         nonceAgain,
		"open messages are those that are not done":                      messagesOpen,
		"the scan and the messages are written together":                 scanAtomic,
		"gas is that of the latest confirmed message of the method":      lastGas,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, reopen := open(t)
			test(t, s, reopen)
		})
	}
}

func account(t *testing.T, n byte) address.Address {
	t.Helper()
	a, err := address.NewSecp256k1Address([]byte{n})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func message(t *testing.T, id string) vigil.Message {
	t.Helper()
	id0, err := address.NewIDAddress(1001)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 123).UTC()
	return vigil.Message{
		MessageRequest: vigil.MessageRequest{
			ID: id, Duty: vigil.DutyID{Kind: vigil.KindPost, Miner: miner, Open: 100},
			Call:    vigil.Call{To: vigil.MinerAddress(miner), Method: 5, Value: big.NewInt(7), Params: []byte{1, 2, 0}},
			Senders: []address.Address{id0}, Expires: 160,
		},
		State: vigil.MessageQueued, Created: now, Updated: now,
	}
}

// sign gives a message a nonce and a further attempt.
func sign(t *testing.T, m vigil.Message, sender address.Address, nonce uint64) vigil.Message {
	t.Helper()
	m.State, m.Nonce, m.Call.From = vigil.MessageSigned, nonce, sender
	number := len(m.Attempts) + 1
	gas := vigil.Gas{Limit: int64(1000 * number), FeeCap: big.NewInt(200), Premium: big.NewInt(100)}
	m.Attempts = append(m.Attempts[:len(m.Attempts):len(m.Attempts)], vigil.Attempt{
		Number: number, CID: testCID(t, fmt.Sprint(m.ID, sender, nonce, number)),
		Signed: vigil.SignedMessage{
			Call: m.Call, Nonce: nonce, Gas: gas,
			Signature: crypto.Signature{Type: crypto.SigTypeSecp256k1, Data: []byte{9, 9}},
		},
		Encoded: []byte{0x82, byte(number)}, Epoch: 101, Created: m.Created,
	})
	return m
}

func messageRoundTrip(t *testing.T, s messageStore, reopen func() messageStore) {
	m := message(t, "a")
	add(t, s, m)
	expectMessages(t, s, m)
	m = sign(t, sign(t, m, account(t, 1), 5), account(t, 1), 5)
	m.State, m.Problem = vigil.MessageIncluded, "slow"
	m.Attempts[0].Published, m.Attempts[1].Problem = true, "lost"
	m.Receipt = &vigil.Receipt{ExitCode: 16, GasUsed: 99, Epoch: 120, TipSet: "x,y"}
	saveMessages(t, s, m)
	expectMessages(t, s, m)
	s = reopen()
	expectMessages(t, s, m)
	m.State, m.Receipt = vigil.MessagePublished, nil
	saveMessages(t, s, m)
	expectMessages(t, s, m)
	if late, err := s.Messages(t.Context(), miner, 161); err != nil || len(late) != 0 {
		t.Errorf("messages that expire at 161 or later: %v, %v", late, err)
	}
}

func messageExists(t *testing.T, s messageStore, _ func() messageStore) {
	first := message(t, "a")
	add(t, s, first)
	second := message(t, "a")
	second.Call.Params = []byte("another")
	got, err := s.AddMessage(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	same(t, []vigil.Message{got}, []vigil.Message{first})
	expectMessages(t, s, first)
}

func messageUnknown(t *testing.T, s messageStore, _ func() messageStore) {
	if err := s.SaveMessages(t.Context(), message(t, "a")); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func nonceOnce(t *testing.T, s messageStore, reopen func() messageStore) {
	a, b := message(t, "a"), message(t, "b")
	add(t, s, a, b)
	a = sign(t, a, account(t, 1), 5)
	saveMessages(t, s, a)
	if err := s.SaveMessages(t.Context(), sign(t, b, account(t, 1), 5)); err == nil {
		t.Error("the nonce was given again")
	}
	expectMessages(t, s, a, b)
	saveMessages(t, s, sign(t, b, account(t, 2), 5)) // of another sender
	s = reopen()
	for n, want := range map[byte]uint64{1: 6, 2: 6, 3: 0} {
		if next, err := s.NextNonce(t.Context(), account(t, n)); err != nil || next != want {
			t.Errorf("next nonce of sender %d: %d, %v, want %d", n, next, err, want)
		}
	}
	c := message(t, "c")
	add(t, s, c)
	if err := s.SaveMessages(t.Context(), sign(t, c, account(t, 1), 5)); err == nil {
		t.Error("the nonce was given again after a restart")
	}
}

func signedForGood(t *testing.T, s messageStore, _ func() messageStore) {
	m := message(t, "a")
	add(t, s, m)
	m = sign(t, m, account(t, 1), 5)
	saveMessages(t, s, m)
	changed := m
	changed.Attempts = append([]vigil.Attempt(nil), m.Attempts...)
	changed.Attempts[0].Encoded = []byte("another")
	changed.Attempts[0].Published = true
	if err := s.SaveMessages(t.Context(), changed); err == nil {
		m.Attempts[0].Published = true
	}
	expectMessages(t, s, m)
}

func nonceAgain(t *testing.T, s messageStore, _ func() messageStore) {
	m := message(t, "a")
	add(t, s, m)
	m = sign(t, m, account(t, 1), 5)
	saveMessages(t, s, m)
	m = sign(t, m, account(t, 1), 9)
	saveMessages(t, s, m)
	expectMessages(t, s, m)
	holders, err := s.NonceHolders(t.Context(), account(t, 1), 9)
	if err != nil {
		t.Fatal(err)
	}
	same(t, holders, []vigil.Message{m})
	if holders, err := s.NonceHolders(t.Context(), account(t, 1), 10); err != nil || len(holders) != 0 {
		t.Errorf("holders from 10: %v, %v", holders, err)
	}
	b := message(t, "b")
	add(t, s, b)
	if err := s.SaveMessages(t.Context(), sign(t, b, account(t, 1), 5)); err == nil {
		t.Error("the nonce that was given up was given again")
	}
}

func messagesOpen(t *testing.T, s messageStore, _ func() messageStore) {
	var open []vigil.Message
	for i, state := range []vigil.MessageState{
		vigil.MessageConfirmed, vigil.MessageQueued, vigil.MessageFailed, vigil.MessageSigned,
		vigil.MessagePublished, vigil.MessageExpired, vigil.MessageIncluded,
	} {
		m := message(t, fmt.Sprint("m", 9-i))
		m.State = state
		add(t, s, m)
		if !state.Done() {
			open = append(open, m)
		}
	}
	got, err := s.OpenMessages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, open)
}

func scanAtomic(t *testing.T, s messageStore, reopen func() messageStore) {
	m := message(t, "a")
	add(t, s, m)
	first := []vigil.Head{{Key: "a", Parent: "0", Epoch: 1}, {Key: "b", Parent: "a", Epoch: 3}, {Key: "c", Parent: "b", Epoch: 4}}
	m.State = vigil.MessageExpired
	if err := s.SaveScan(t.Context(), first, []vigil.Message{m}); err != nil {
		t.Fatal(err)
	}
	expectScan(t, s, first)
	second := []vigil.Head{{Key: "b2", Parent: "a", Epoch: 2}, {Key: "c2", Parent: "b2", Epoch: 4}, {Key: "d", Parent: "c2", Epoch: 5}}
	if err := s.SaveScan(t.Context(), second, []vigil.Message{message(t, "unknown")}); err == nil {
		t.Error("an unknown message was saved")
	}
	s = reopen()
	expectScan(t, s, first)
	expectMessages(t, s, m)
	if err := s.SaveScan(t.Context(), second, nil); err != nil {
		t.Fatal(err)
	}
	expectScan(t, s, second)
}

func lastGas(t *testing.T, s messageStore, _ func() messageStore) {
	if _, err := s.LastGas(t.Context(), 5, 3); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("of nothing: %v", err)
	}
	m := message(t, "a")
	add(t, s, m)
	m = sign(t, sign(t, m, account(t, 1), 5), account(t, 1), 5)
	saveMessages(t, s, m)
	if _, err := s.LastGas(t.Context(), 5, 3); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("of a message that is not confirmed: %v", err)
	}
	m.State = vigil.MessageConfirmed
	saveMessages(t, s, m)
	gas, err := s.LastGas(t.Context(), 5, 3)
	if err != nil || gas.Limit != 2000 || !gas.FeeCap.Equals(big.NewInt(200)) {
		t.Errorf("got %v, %v", gas, err)
	}
	if _, err := s.LastGas(t.Context(), 5, 4); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("of larger parameters: %v", err)
	}
	if _, err := s.LastGas(t.Context(), 11, 3); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("of another method: %v", err)
	}
}

func add(t *testing.T, s messageStore, messages ...vigil.Message) {
	t.Helper()
	for _, m := range messages {
		got, err := s.AddMessage(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		same(t, []vigil.Message{got}, []vigil.Message{m})
	}
}

func saveMessages(t *testing.T, s messageStore, messages ...vigil.Message) {
	t.Helper()
	if err := s.SaveMessages(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
}

func expectMessages(t *testing.T, s messageStore, want ...vigil.Message) {
	t.Helper()
	got, err := s.Messages(t.Context(), miner, 160)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
}

func expectScan(t *testing.T, s messageStore, want []vigil.Head) {
	t.Helper()
	got, err := s.Scanned(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("scanned: got %v, want %v", got, want)
	}
}

// same compares messages by their JSON, in which equal amounts are equal.
func same(t *testing.T, got, want []vigil.Message) {
	t.Helper()
	g, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.MarshalIndent(want, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if len(got)+len(want) > 0 && string(g) != string(w) {
		t.Errorf("messages:\ngot  %s\nwant %s", g, w)
	}
}
