package messager

import (
	"context"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// slot is one of a sender's nonces that the chain has not used, and the
// message that it was given to.
type slot struct {
	nonce uint64
	m     vigil.Message
}

// lives says that the message may still get on chain with the nonce, in time.
func (s slot) lives(head abi.ChainEpoch) bool {
	return inFlight(s.m) && s.m.Nonce == s.nonce && !s.void(head)
}

// void says that the nonce must go to nothing if others wait behind it. A
// message that was executed as far as is known is not: where the chain has its
// nonce unused all the same, a reorg has taken it back that could not be read yet.
func (s slot) void(head abi.ChainEpoch) bool {
	if s.m.State == vigil.MessageQueued || s.m.Nonce != s.nonce {
		return true
	}
	return s.m.Receipt == nil && (s.m.State.Done() || s.m.Wish.Verb == vigil.WishCancel || tooLate(s.m, head))
}

// cancelled says that somebody wishes that the nonce goes to nothing.
func (s slot) cancelled() bool {
	return inFlight(s.m) && s.m.Nonce == s.nonce && s.m.Wish.Verb == vigil.WishCancel
}

// attempts are those with the nonce that take it for the message, or those
// that take it for nothing.
func (s slot) attempts(sender address.Address, cancel bool) []vigil.Attempt {
	return slices.DeleteFunc(slices.Clone(s.m.Attempts), func(a vigil.Attempt) bool {
		return a.Signed.Nonce != s.nonce || a.Signed.From != sender || a.Cancel != cancel
	})
}

// line is a sender's slots that have to be with the nodes: all up to the last
// whose message lives or is to be cancelled, in whatever state those below it
// are (too late, cancelled, confirmed on a fork that is gone), for the network
// takes a sender's messages in the order of their nonces.
type line struct {
	sender address.Address
	next   uint64 // the chain's nonce
	slots  []slot
	urgent abi.ChainEpoch // how many epochs the most urgent message has that waits for it
}

func lineOf(sender address.Address, next uint64, holders []vigil.HeldNonce, head abi.ChainEpoch) line {
	l := line{sender: sender, next: next, urgent: finality}
	last := -1
	for i, h := range holders {
		s := slot{h.Nonce, h.Message}
		l.slots = append(l.slots, s)
		if s.lives(head) {
			l.urgent = min(l.urgent, max(0, s.m.Expires-head))
		}
		if s.lives(head) || s.cancelled() {
			last = i
		}
	}
	l.slots = l.slots[:last+1]
	return l
}

// hole is the first nonce that nobody of ours holds, with others of ours
// waiting behind it, if there is one.
func (l line) hole() (uint64, bool) {
	for i, s := range l.slots {
		if want := l.next + uint64(i); s.nonce != want {
			return want, true
		}
	}
	return 0, false
}

// behind are the kinds of the messages that wait until a nonce is used.
func (l line) behind(nonce uint64, head abi.ChainEpoch) []vigil.DutyKind {
	var kinds []vigil.DutyKind
	for _, s := range l.slots {
		if s.nonce > nonce && s.lives(head) && !slices.Contains(kinds, s.m.Duty.Kind) {
			kinds = append(kinds, s.m.Duty.Kind)
		}
	}
	return kinds
}

// lends is what those behind a nonce can leave of the money that is promised to
// them: all but what the next tipset takes them for. Without that they could
// not be executed at all, and when they can, they are priced by what is there then.
func (l line) lends(nonce uint64, head vigil.Head) abi.TokenAmount {
	sum := big.Zero()
	for _, s := range l.slots {
		if s.nonce > nonce && s.lives(head.Epoch) {
			spare := big.Sub(worst(s.m), least(lastAttempt(s.m).Signed.Gas, head.BaseFee))
			sum = big.Add(sum, big.Max(spare, big.Zero()))
		}
	}
	return sum
}

// readLine reads a sender's line, with a new attempt where one is due, or nothing
// where another messager has the sender.
func (l *loop) readLine(ctx context.Context, sender address.Address, open []vigil.Message, b books) (line, error) {
	next := l.firstNonce(ctx, sender, open)
	holders, err := l.c.Store.NonceHolders(ctx, sender, next)
	if err != nil {
		return line{}, err
	}
	found := lineOf(sender, next, holders, l.head.Epoch)
	found.urgent = min(found.urgent, l.broke(ctx, sender, open, b))
	for range found.slots {
		nonce, ok := found.hole()
		if !ok || !l.mayFill(found) {
			break
		}
		filled, err := l.fill(ctx, found, nonce, b)
		if err != nil {
			l.warn(ctx, "a nonce that nobody uses cannot be filled", err)
			break
		}
		found.slots = slices.Insert(found.slots, int(nonce-next), slot{nonce, filled})
	}
	l.renew(ctx, found, b)
	return found, nil
}

// broke is how many epochs the most urgent message has that got no nonce yet
// and could not be paid beside what the sender has in flight: that must land in
// the time of those who wait for its money, as of those who wait for its nonce.
func (l *loop) broke(ctx context.Context, sender address.Address, open []vigil.Message, b books) abi.ChainEpoch {
	a, err := l.account(ctx, sender, l.head.Key)
	free, left := big.Sub(amount(a.balance), amount(b.reserved[sender])), finality
	if err != nil {
		return left
	}
	for _, m := range open {
		waits := m.State == vigil.MessageQueued && m.Problem != "" && !tooLate(m, l.head.Epoch)
		if waits && free.LessThan(l.c.maxFee(m.Duty.Kind)) && l.mayUse(ctx, m, sender) {
			left = min(left, m.Expires-l.head.Epoch)
		}
	}
	return left
}

// mayUse says that a message may be sent from the address of a key.
func (l *loop) mayUse(ctx context.Context, m vigil.Message, sender address.Address) bool {
	return slices.ContainsFunc(m.Senders, func(a address.Address) bool {
		key, err := l.keyOf(ctx, a)
		return err == nil && key == sender
	})
}

// firstNonce is the chain's nonce of a sender, or where that cannot be read the
// first that is known to be in flight.
func (l *loop) firstNonce(ctx context.Context, sender address.Address, open []vigil.Message) uint64 {
	if next, err := l.nonceAt(ctx, sender, l.head.Key); err == nil {
		return next
	}
	var nonces []uint64
	for _, m := range open {
		if inFlight(m) && m.Call.From == sender {
			nonces = append(nonces, m.Nonce)
		}
	}
	return slices.Min(nonces)
}

func sendersOf(open []vigil.Message) []address.Address {
	var senders []address.Address
	for _, m := range open {
		if inFlight(m) && !slices.Contains(senders, m.Call.From) {
			senders = append(senders, m.Call.From)
		}
	}
	return senders
}
