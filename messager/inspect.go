package messager

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// Watch names accounts that will send, so that what is wrong with one is said
// before it has to.
func (m *Messager) Watch(accounts ...address.Address) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range accounts {
		if !slices.Contains(m.watched, a) {
			m.watched = append(m.watched, a)
		}
	}
}

// TestSign signs a message that no chain would take (one gas, for nothing), so
// that a key, passphrase or remote wallet that does not work is known at the start.
func (m *Messager) TestSign(ctx context.Context, key address.Address) error {
	l := newLoop(m.c)
	_, err := l.attempt(ctx, vigil.Message{}, vigil.SignedMessage{
		Call: vigil.Call{From: key, To: key, Value: big.Zero()},
		Gas:  vigil.Gas{Limit: 1, FeeCap: big.Zero(), Premium: big.Zero()},
	}, true)
	if err != nil {
		return fmt.Errorf("a test of the key of %s: %w", key, err)
	}
	return nil
}

// Senders is what is known of the accounts that send, after the latest head.
func (m *Messager) Senders() []vigil.SenderStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.senders)
}

// inspect says of a sender whether it can pay for a day and is ours alone,
// once a head: of those whose account the head's work has read, and of one
// other that was not looked at for an hour, in one round of ten, so that a
// hundred senders are no burden on the node.
func (m *Messager) inspect(ctx context.Context, l *loop) {
	if l.head.Key == "" || !l.try("inspect") {
		return
	}
	asked := l.round%10 != 1
	for _, key := range m.held(ctx, l) {
		_, read := l.accounts[accountAt{key, l.head.Key}]
		last, seen := l.inspected[key]
		due := !seen || l.head.Epoch-last >= l.c.day()/24
		if !read && (asked || !due) {
			continue
		}
		asked = asked || !read
		l.inspected[key] = l.head.Epoch
		m.show(l.senderStatus(ctx, key))
	}
}

// held are the key addresses of all senders, by name, as far as their keys are held.
func (m *Messager) held(ctx context.Context, l *loop) []address.Address {
	m.mu.Lock()
	watched := slices.Clone(m.watched)
	m.mu.Unlock()
	var keys []address.Address
	for _, a := range watched {
		key, err := l.keyOf(ctx, a)
		if err != nil {
			continue // it is said where it is needed
		}
		if held, err := l.holdsKey(ctx, key); err == nil && held {
			keys = append(keys, key)
		}
	}
	for _, key := range l.senders {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b address.Address) int { return cmp.Compare(a.String(), b.String()) })
	return slices.Compact(keys)
}

// show puts a sender's status in the place of its last one.
func (m *Messager) show(s vigil.SenderStatus) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, found := slices.BinarySearchFunc(m.senders, s, func(a, b vigil.SenderStatus) int { return cmp.Compare(a.Address, b.Address) })
	if found {
		m.senders[at] = s
		return
	}
	m.senders = slices.Insert(m.senders, at, s)
}

func (l *loop) senderStatus(ctx context.Context, key address.Address) vigil.SenderStatus {
	s := vigil.SenderStatus{Address: key.String()}
	a, err := l.account(ctx, key, l.head.Key)
	if err != nil {
		s.Problem = err.Error()
		return s
	}
	sent, err := l.c.Store.Sent(ctx, key, l.head.Epoch-l.c.day())
	if err != nil {
		s.Problem = err.Error()
		return s
	}
	s.Balance, s.Sent = a.balance, sent
	s.Needed = l.c.dayNeeds(sent)
	foreign, strange := l.foreign[key]
	switch {
	case s.Balance.LessThan(l.c.maxFee(vigil.KindPost)):
		s.Problem = fmt.Sprintf("it has %s, and one message may cost %s: top it up", vigil.InFIL(s.Balance), vigil.InFIL(l.c.maxFee(vigil.KindPost)))
		s.Urgent = true
	case l.crowded(ctx, key, a.nonce):
		s.Problem, s.Urgent = "messages that are not ours wait in the node's pool: does a second daemon or wallet use the key?", true
	case strange && l.head.Epoch-foreign.epoch < l.c.day():
		s.Problem = fmt.Sprintf("at epoch %d a message that is not ours (%s) took its nonce %d: give posts a key that nothing else uses", foreign.epoch, foreign.cid, foreign.nonce)
	case s.Balance.LessThan(s.Needed):
		s.Problem = fmt.Sprintf("it has %s, and the %d messages of a day may cost %s at their budget: top it up", vigil.InFIL(s.Balance), max(1, sent), vigil.InFIL(s.Needed))
	}
	return s
}

// dayNeeds is what the messages of 24 hours may cost at their budget, for as
// many as there were in the last ones.
func (c Config) dayNeeds(sent int) abi.TokenAmount {
	needed := big.Mul(c.maxFee(vigil.KindPost), big.NewInt(int64(max(1, sent))))
	if daily := c.Budgets[vigil.KindPost].PerDay; !daily.NilOrZero() {
		return big.Min(needed, daily)
	}
	return needed
}
