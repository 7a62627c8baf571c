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
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// messageStore is what a messager needs of a store (messager.Storage, which
// this package cannot import).
type messageStore interface {
	AddMessage(ctx context.Context, m vigil.Message) (vigil.Message, error)
	SaveMessages(ctx context.Context, holder string, messages ...vigil.Message) error
	SaveWish(ctx context.Context, id string, w vigil.Wish) error
	TakeLease(ctx context.Context, sender address.Address, holder string, until time.Time) (int64, error)
	IncludedSince(ctx context.Context, epoch abi.ChainEpoch) ([]vigil.Message, error)
	MessagesByCID(ctx context.Context, cids []cid.Cid) ([]vigil.Message, error)
	FindMessages(ctx context.Context, q vigil.MessageQuery) ([]vigil.Message, error)
	Paid(ctx context.Context, kind vigil.DutyKind, since abi.ChainEpoch, most abi.TokenAmount) (within, beyond abi.TokenAmount, err error)
	Sent(ctx context.Context, sender address.Address, since abi.ChainEpoch) (int, error)
	SaveScan(ctx context.Context, scanned []vigil.Head, messages []vigil.Message) error
	Scanned(ctx context.Context) ([]vigil.Head, error)
	Messages(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Message, error)
	OpenMessages(ctx context.Context) ([]vigil.Message, error)
	NonceHolders(ctx context.Context, sender address.Address, from uint64) ([]vigil.HeldNonce, error)
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
		"open messages are those that are not settled":                   messagesOpen,
		"the scan and the messages are written together":                 scanAtomic,
		"gas is that of the latest confirmed message of the method":      lastGas,
		"a sender is one holder's until it is let go":                    leaseOfOne,
		"what lost its lease stores no attempt":                          leaseFences,
		"a wish stands until another, and no save takes it away":         wishes,
		"a message that supersedes another cancels it":                   supersedes,
		"messages are found by what people know of them":                 finds,
		"what was paid and sent is counted from an epoch on":             counts,
		"a cancelling attempt is read back as it was signed":             cancelling,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, reopen := open(t)
			leased := func(s messageStore) messageStore {
				for n := range byte(3) {
					take(t, s, account(t, n+1), holder)
				}
				return s
			}
			test(t, leased(s), func() messageStore { return leased(reopen()) })
		})
	}
}

const holder = "one"

func take(t *testing.T, s messageStore, sender address.Address, holder string) int64 {
	t.Helper()
	token, err := s.TakeLease(t.Context(), sender, holder, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return token
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
		State: vigil.MessageQueued, Paid: big.Zero(), Created: now, Updated: now,
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
	m.Landed, m.Paid, m.Settled = 2, big.NewInt(77), true
	m.Attempts[0].Pushes, m.Attempts[0].Pushed = []vigil.PushResult{{Node: "a"}, {Node: "b", Problem: "no"}}, m.Created
	saveMessages(t, s, m)
	expectMessages(t, s, m)
	s = reopen()
	expectMessages(t, s, m)
	m.State, m.Receipt, m.Landed, m.Paid, m.Settled = vigil.MessagePublished, nil, 0, big.Zero(), false
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
	if err := s.SaveMessages(t.Context(), holder, message(t, "a")); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func nonceOnce(t *testing.T, s messageStore, reopen func() messageStore) {
	a, b := message(t, "a"), message(t, "b")
	add(t, s, a, b)
	a = sign(t, a, account(t, 1), 5)
	saveMessages(t, s, a)
	if err := s.SaveMessages(t.Context(), holder, sign(t, b, account(t, 1), 5)); err == nil {
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
	if err := s.SaveMessages(t.Context(), holder, sign(t, c, account(t, 1), 5)); err == nil {
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
	if err := s.SaveMessages(t.Context(), holder, changed); err == nil {
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
	same(t, messagesOf(holders), []vigil.Message{m})
	all, err := s.NonceHolders(t.Context(), account(t, 1), 5)
	if err != nil || len(all) != 2 || all[0].Nonce != 5 || all[1].Nonce != 9 || all[0].Message.ID != m.ID {
		t.Errorf("holders from 5: %+v, %v", all, err)
	}
	if holders, err := s.NonceHolders(t.Context(), account(t, 1), 10); err != nil || len(holders) != 0 {
		t.Errorf("holders from 10: %v, %v", holders, err)
	}
	b := message(t, "b")
	add(t, s, b)
	if err := s.SaveMessages(t.Context(), holder, sign(t, b, account(t, 1), 5)); err == nil {
		t.Error("the nonce that was given up was given again")
	}
}

func messagesOf(held []vigil.HeldNonce) (messages []vigil.Message) {
	for _, h := range held {
		messages = append(messages, h.Message)
	}
	return messages
}

func messagesOpen(t *testing.T, s messageStore, _ func() messageStore) {
	var open []vigil.Message
	for i, state := range vigil.MessageStates {
		m := message(t, fmt.Sprint("m", 9-i))
		m.State, m.Settled = state, i%2 == 0
		add(t, s, m)
		if !m.Settled {
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
	m.State, m.Settled = vigil.MessageExpired, true
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
	m.State, m.Landed = vigil.MessageConfirmed, 2
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

func leaseOfOne(t *testing.T, s messageStore, reopen func() messageStore) {
	sender := account(t, 9)
	first := take(t, s, sender, "one")
	if again := take(t, s, sender, "one"); again != first {
		t.Errorf("the token of a renewal is %d, and was %d", again, first)
	}
	var other *vigil.LeaseError
	if _, err := s.TakeLease(t.Context(), sender, "two", time.Now().Add(time.Hour)); !errors.As(err, &other) || other.Holder != "one" {
		t.Errorf("a second holder: %v", err)
	}
	s = reopen() // the first one's process is gone
	if token := take(t, s, sender, "two"); token <= first {
		t.Errorf("the token is %d after %d", token, first)
	}
}

func leaseFences(t *testing.T, s messageStore, reopen func() messageStore) {
	m := message(t, "a")
	add(t, s, m)
	s = reopen()
	if err := s.SaveMessages(t.Context(), "two", sign(t, m, account(t, 1), 5)); err == nil {
		t.Error("another than the holder stored an attempt")
	}
	if err := s.SaveMessages(t.Context(), holder, sign(t, m, account(t, 9), 5)); err == nil {
		t.Error("an attempt was stored without a lease")
	}
	expectMessages(t, s, m)
	m.Problem = "only attempts need a lease"
	if err := s.SaveMessages(t.Context(), "two", m); err != nil {
		t.Error(err)
	}
}

func wishes(t *testing.T, s messageStore, reopen func() messageStore) {
	m := message(t, "a")
	add(t, s, m)
	wish := vigil.Wish{
		Verb: vigil.WishReplace, At: m.Created, After: 3,
		Gas: &vigil.Gas{Limit: 1, FeeCap: big.NewInt(2), Premium: big.NewInt(1)},
	}
	if err := s.SaveWish(t.Context(), "a", wish); err != nil {
		t.Fatal(err)
	}
	saveMessages(t, s, m) // as it was read before the wish
	m.Wish = wish
	expectMessages(t, s, m)
	s = reopen()
	expectMessages(t, s, m)
	m.Settled = true
	saveMessages(t, s, m)
	for _, id := range []string{"a", "b"} {
		if err := s.SaveWish(t.Context(), id, wish); !errors.Is(err, vigil.ErrNotFound) {
			t.Errorf("a wish for %s: %v", id, err)
		}
	}
}

func supersedes(t *testing.T, s messageStore, _ func() messageStore) {
	old, better := message(t, "old"), message(t, "new")
	better.Supersedes = "old"
	add(t, s, old, better)
	old.Wish = vigil.Wish{Verb: vigil.WishCancel, At: better.Created}
	expectMessages(t, s, old, better)
}

func finds(t *testing.T, s messageStore, _ func() messageStore) {
	a, b := message(t, "a"), message(t, "b")
	add(t, s, a, b)
	a = sign(t, sign(t, a, account(t, 1), 5), account(t, 1), 5)
	saveMessages(t, s, a)
	five, six := uint64(5), uint64(6)
	for name, c := range map[string]struct {
		q    vigil.MessageQuery
		want []vigil.Message
	}{
		"by ID":                        {vigil.MessageQuery{ID: "b"}, []vigil.Message{b}},
		"by the CID of an old attempt": {vigil.MessageQuery{CID: a.Attempts[0].CID}, []vigil.Message{a}},
		"by nonce":                     {vigil.MessageQuery{From: account(t, 1), Nonce: &five}, []vigil.Message{a}},
		"by another nonce":             {vigil.MessageQuery{From: account(t, 1), Nonce: &six}, nil},
		"by state":                     {vigil.MessageQuery{States: []vigil.MessageState{vigil.MessageQueued}}, []vigil.Message{b}},
		"by sender":                    {vigil.MessageQuery{From: account(t, 1)}, []vigil.Message{a}},
		"all":                          {vigil.MessageQuery{}, []vigil.Message{a, b}},
		"the newest":                   {vigil.MessageQuery{Limit: 1}, []vigil.Message{b}},
		"by states, one of them twice": {vigil.MessageQuery{States: []vigil.MessageState{vigil.MessageSigned, vigil.MessageQueued, vigil.MessageSigned}}, []vigil.Message{a, b}},
		"older than another":           {vigil.MessageQuery{Before: "b"}, []vigil.Message{a}},
		"older, and of a state":        {vigil.MessageQuery{Before: "b", States: []vigil.MessageState{vigil.MessageQueued}}, nil},
		"meant by an ID":               {vigil.MessageQuery{Of: "a"}, []vigil.Message{a}},
		"meant by a CID":               {vigil.MessageQuery{Of: a.Attempts[0].CID.String()}, []vigil.Message{a}},
		"meant by a duty":              {vigil.MessageQuery{Of: "f01000/100/0"}, []vigil.Message{a, b}},
		"meant by another duty":        {vigil.MessageQuery{Of: "f01000/101/0"}, nil},
		"meant by a sign of SQL's":     {vigil.MessageQuery{Of: "%"}, nil},
		"by ID and another state":      {vigil.MessageQuery{ID: "b", States: []vigil.MessageState{vigil.MessageSigned}}, nil},
	} {
		got, err := s.FindMessages(t.Context(), c.q)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { same(t, got, c.want) })
	}
	got, err := s.MessagesByCID(t.Context(), []cid.Cid{a.Attempts[1].CID, a.Attempts[0].CID, testCID(t, "unknown")})
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, []vigil.Message{a})
}

func counts(t *testing.T, s messageStore, _ func() messageStore) {
	for i := range 3 {
		m := message(t, fmt.Sprint("m", i))
		add(t, s, m)
		m = sign(t, m, account(t, 1), uint64(i))
		m.Receipt, m.Paid, m.Settled = &vigil.Receipt{Epoch: abi.ChainEpoch(100 + i), TipSet: "x"}, big.MustFromString("5000000000000000000"), true
		saveMessages(t, s, m)
	}
	open := message(t, "not settled")
	add(t, s, open)
	open = sign(t, open, account(t, 2), 0)
	open.Receipt, open.Paid = &vigil.Receipt{Epoch: 103, TipSet: "x"}, big.MustFromString("5000000000000000000")
	saveMessages(t, s, open)
	for since, want := range map[abi.ChainEpoch]string{100: "12000000000000000000 3000000000000000000", 102: "4000000000000000000 1000000000000000000", 103: "0 0"} {
		within, beyond, err := s.Paid(t.Context(), vigil.KindPost, since, big.MustFromString("4000000000000000000"))
		if got := within.String() + " " + beyond.String(); err != nil || got != want {
			t.Errorf("paid since %d: %s, %v, want %s", since, got, err, want)
		}
	}
	if within, beyond, err := s.Paid(t.Context(), vigil.KindRecover, 0, big.NewInt(1)); err != nil || !big.Add(within, beyond).Equals(big.Zero()) {
		t.Errorf("paid for another kind: %s, %s, %v", within, beyond, err)
	}
	included, err := s.IncludedSince(t.Context(), 101)
	if err != nil || len(included) != 2 {
		t.Errorf("included since 101: %v, %v", included, err)
	}
	for since, want := range map[abi.ChainEpoch]int{101: 3, 102: 0} {
		if n, err := s.Sent(t.Context(), account(t, 1), since); err != nil || n != want {
			t.Errorf("sent since %d: %d, %v, want %d", since, n, err, want)
		}
	}
}

func cancelling(t *testing.T, s messageStore, reopen func() messageStore) {
	m := message(t, "a")
	add(t, s, m)
	m = sign(t, sign(t, m, account(t, 1), 5), account(t, 1), 5)
	m.Attempts[1].Cancel = true
	m.Attempts[1].Signed.Call = vigil.Call{From: account(t, 1), To: account(t, 1), Value: big.Zero()}
	saveMessages(t, s, m)
	expectMessages(t, s, m)
	expectMessages(t, reopen(), m)
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
	if err := s.SaveMessages(t.Context(), holder, messages...); err != nil {
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
