package messager

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/filecoin-project/go-address"

	"github.com/vigil-post/vigil"
)

// push hands the messages in flight to the nodes, each once a round: whether it
// was lost on the way, or the answer to the last push was, the same bytes do
// no harm.
func (l *loop) push(ctx context.Context, open []vigil.Message, b books) {
	var lines []line
	for _, sender := range sendersOf(open) {
		if err := l.lease(ctx, sender); err != nil {
			l.warn(ctx, "the messages of a sender are another vigil's", err)
			continue
		}
		found, err := l.readLine(ctx, sender, open, b)
		if err != nil {
			l.fail(ctx, "messages cannot be read", err)
			continue
		}
		lines = append(lines, found)
	}
	l.pushLines(ctx, lines)
}

// linesOf are the lines of messages that were just signed.
func linesOf(signed []vigil.Message) []line {
	lines := make([]line, 0, 1)
	for _, sender := range sendersOf(signed) {
		in := line{sender: sender}
		for _, m := range signed {
			if m.Call.From == sender {
				in.slots = append(in.slots, slot{m.Nonce, m})
			}
		}
		slices.SortFunc(in.slots, func(a, b slot) int { return cmp.Compare(a.nonce, b.nonce) })
		lines = append(lines, in)
	}
	return lines
}

// pushLines pushes senders side by side, and each message by itself, so that
// one a node refuses keeps none behind it back.
func (l *loop) pushLines(ctx context.Context, lines []line) {
	pushed := make([][]handed, len(lines))
	var wait sync.WaitGroup
	for i := range lines {
		lines[i].slots = slices.DeleteFunc(lines[i].slots, func(s slot) bool { return !l.toPush(s) })
		wait.Go(func() { pushed[i] = l.pushLine(ctx, lines[i]) })
	}
	wait.Wait()
	for i, in := range lines {
		l.saveLine(ctx, in, pushed[i])
	}
}

// pushLine pushes a sender's messages one after the other for as long as a node
// may take for one, and what is left then side by side: nodes that hang hold a
// line up once and not once for each of its messages, and they can take what
// comes out of order.
func (l *loop) pushLine(ctx context.Context, in line) []handed {
	pushed := make([]handed, len(in.slots))
	orderly := time.Now().Add(l.c.patience())
	var wait sync.WaitGroup
	for i, s := range in.slots {
		if time.Now().Before(orderly) {
			pushed[i] = l.pushSlot(ctx, in.sender, s)
			continue
		}
		wait.Go(func() { pushed[i] = l.pushSlot(ctx, in.sender, s) })
	}
	wait.Wait()
	return pushed
}

// toPush says, once a round and once for each attempt and wish, that a slot is to be pushed.
func (l *loop) toPush(s slot) bool {
	if len(s.m.Attempts) == 0 {
		return false
	}
	what := "push " + lastAttempt(s.m).CID.String()
	if s.m.Wish.Verb == vigil.WishRepublish {
		what += s.m.Wish.At.String()
	}
	return l.try(what)
}

// handed is what came of pushing a slot's message.
type handed struct {
	m     vigil.Message
	asked map[int]error // what a pool had against an attempt, by its place
}

// pushSlot pushes the last attempt with the slot's nonce. Where no node takes
// it, and none ever did, the one before it may be all that a pool has: that one
// is pushed too. It only reads the loop, and may run beside others.
func (l *loop) pushSlot(ctx context.Context, sender address.Address, s slot) handed {
	m := s.m
	m.Attempts = slices.Clone(m.Attempts)
	if strings.HasPrefix(m.Problem, pushProblem) {
		m.Problem = ""
	}
	h := handed{m, map[int]error{}}
	first := true
	for i := len(m.Attempts) - 1; i >= 0; i-- {
		a := &h.m.Attempts[i]
		if a.Signed.Nonce != s.nonce || a.Signed.From != sender || s.cancelled() && !a.Cancel {
			continue
		}
		err := l.pushAttempt(ctx, a)
		if err == nil {
			a.Published, a.Problem = true, ""
			if h.m.State == vigil.MessageSigned {
				h.m.State = vigil.MessagePublished
			}
			return h
		}
		a.Problem, h.asked[i] = err.Error(), err
		if first && !errors.Is(err, vigil.ErrNonceTooLow) {
			h.m.Problem = pushProblem + a.Problem
		}
		if first = false; a.Published || errors.Is(err, context.DeadlineExceeded) {
			return h // nodes have it, or are not there to be given another
		}
	}
	return h
}

const pushProblem = "push: "

func (l *loop) pushAttempt(ctx context.Context, a *vigil.Attempt) error {
	ctx, cancel := context.WithTimeout(ctx, l.c.patience())
	defer cancel()
	said, err := l.c.Node.PushMessage(ctx, a.Signed)
	if len(said) > 0 {
		slices.SortFunc(said, func(a, b vigil.PushResult) int { return strings.Compare(a.Node, b.Node) })
		a.Pushes = said
	}
	a.Pushed = time.Now()
	return err
}

// saveLine writes what the nodes said, where it is news.
func (l *loop) saveLine(ctx context.Context, in line, after []handed) {
	var changedFrom, changed []vigil.Message
	for i, h := range after {
		before := in.slots[i].m
		for place, err := range h.asked {
			l.noteRefusal(h.m.Attempts[place], err)
		}
		if !samePushes(before, h.m) {
			changedFrom, changed = append(changedFrom, before), append(changed, h.m)
		}
	}
	if len(changed) == 0 {
		return
	}
	if err := l.save(ctx, changedFrom, changed); err != nil {
		l.fail(ctx, "messages cannot be saved", err)
	}
}

// noteRefusal remembers of an attempt that a pool would take another one in
// its place, and which.
func (l *loop) noteRefusal(a vigil.Attempt, err error) {
	var premium *vigil.PremiumError
	switch {
	case errors.As(err, &premium):
		l.asked[a.CID] = refusal{premium: premium.Needed}
	case errors.Is(err, vigil.ErrPremiumTooLow):
		l.asked[a.CID] = refusal{premium: leastReplacement(amount(a.Signed.Gas.Premium))}
	case errors.Is(err, vigil.ErrFeeTooLow):
		l.asked[a.CID] = refusal{}
	case errors.Is(err, vigil.ErrNotEnoughFunds):
		l.asked[a.CID] = refusal{cheaper: true}
	case errors.Is(err, vigil.ErrMessageInvalid):
		l.asked[a.CID] = refusal{invalid: true}
	}
}

func samePushes(a, b vigil.Message) bool {
	return a.State == b.State && a.Problem == b.Problem && slices.EqualFunc(a.Attempts, b.Attempts, func(x, y vigil.Attempt) bool {
		return x.Published == y.Published && x.Problem == y.Problem && slices.Equal(x.Pushes, y.Pushes)
	})
}
