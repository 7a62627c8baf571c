package messager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// push hands the messages in flight to the node, each once a round: whether it
// was lost on the way, or the answer to the last push was, the same bytes do
// no harm. Senders go side by side, a sender's messages in the order of their nonces.
func (l *loop) push(ctx context.Context, open []vigil.Message) {
	var lines [][]vigil.Message // of one sender each
	for _, sender := range sendersOf(open) {
		line, err := l.line(ctx, sender, open)
		if err != nil {
			l.fail(ctx, "messages cannot be read", err)
			continue
		}
		lines = append(lines, line)
	}
	pushed := make([][]vigil.Message, len(lines))
	var wait sync.WaitGroup
	for i, line := range lines {
		wait.Go(func() {
			for _, m := range line {
				pushed[i] = append(pushed[i], l.pushOne(ctx, m))
			}
		})
	}
	wait.Wait()
	for i, line := range lines {
		l.saveLine(ctx, line, pushed[i])
	}
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

// line is what is to be pushed of a sender, with a new attempt for what is stuck.
func (l *loop) line(ctx context.Context, sender address.Address, open []vigil.Message) ([]vigil.Message, error) {
	holders, err := l.c.Store.NonceHolders(ctx, sender, l.firstNonce(ctx, sender, open))
	if err != nil {
		return nil, err
	}
	var line []vigil.Message
	for _, m := range toPush(holders, l.head.Epoch) {
		if !l.try("push " + m.ID) {
			continue
		}
		if stuck(m, l.head.Epoch, l.c.ReplaceAfter) {
			m = l.replace(ctx, m, holders)
		}
		line = append(line, m)
	}
	return line, nil
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

// replace gives a stuck message an attempt with a higher fee, if the budget
// has one, and stores it; otherwise the message stays as it is.
func (l *loop) replace(ctx context.Context, m vigil.Message, holders []vigil.Message) vigil.Message {
	last := lastAttempt(m).Signed.Gas
	a, err := l.account(ctx, m.Call.From, l.head.Key)
	if err != nil {
		return m
	}
	free := big.Sub(a.balance, reserved(holders, m.Call.From))
	gas, ok := reprice(last, big.Min(l.c.MaxFee, big.Add(gasCost(last), big.Max(free, big.Zero()))))
	if !ok {
		return l.problem(ctx, m, errors.New("no tipset includes it, and the greatest fee allows no higher one"))
	}
	if gas.FeeCap.LessThan(amount(l.head.BaseFee)) {
		return l.problem(ctx, m, errors.New("the base fee is above the fee cap that the greatest fee allows"))
	}
	replaced, err := l.attempt(ctx, m, gas)
	if err == nil {
		err = l.save(ctx, []vigil.Message{m}, []vigil.Message{replaced})
	}
	if err != nil {
		return l.problem(ctx, m, fmt.Errorf("replace attempt %d: %w", lastAttempt(m).Number, err))
	}
	return replaced
}

// pushOne pushes a message's last attempt. Where the node does not take it, and
// it was never taken, the one before it may be all that a pool has: that one is
// pushed too. It only reads the loop, and may run beside others.
func (l *loop) pushOne(ctx context.Context, m vigil.Message) vigil.Message {
	m.Attempts = slices.Clone(m.Attempts)
	if strings.HasPrefix(m.Problem, pushProblem) {
		m.Problem = ""
	}
	for i := len(m.Attempts) - 1; i >= 0 && isCurrent(m, m.Attempts[i]); i-- {
		a := &m.Attempts[i]
		err := l.pushAttempt(ctx, *a)
		if err == nil {
			a.Published, a.Problem = true, ""
			if m.State == vigil.MessageSigned {
				m.State = vigil.MessagePublished
			}
			return m
		}
		a.Problem = err.Error()
		if i == len(m.Attempts)-1 {
			m.Problem = pushProblem + a.Problem
		}
		if a.Published {
			return m
		}
	}
	return m
}

const pushProblem = "push: "

// isCurrent says that an attempt has the nonce that the message has now.
func isCurrent(m vigil.Message, a vigil.Attempt) bool {
	return a.Signed.Nonce == m.Nonce && a.Signed.From == m.Call.From
}

func (l *loop) pushAttempt(ctx context.Context, a vigil.Attempt) error {
	ctx, cancel := context.WithTimeout(ctx, l.c.patience())
	defer cancel()
	_, err := l.c.Node.PushMessage(ctx, a.Signed)
	return err
}

func (l *loop) saveLine(ctx context.Context, before, after []vigil.Message) {
	var changedFrom, changed []vigil.Message
	for i, m := range after {
		if !m.State.Done() && !samePushes(before[i], m) {
			changedFrom, changed = append(changedFrom, before[i]), append(changed, m)
		}
	}
	if len(changed) == 0 {
		return
	}
	if err := l.save(ctx, changedFrom, changed); err != nil {
		l.fail(ctx, "messages cannot be saved", err)
	}
}

func samePushes(a, b vigil.Message) bool {
	return a.State == b.State && a.Problem == b.Problem && slices.EqualFunc(a.Attempts, b.Attempts, func(x, y vigil.Attempt) bool {
		return x.Published == y.Published && x.Problem == y.Problem
	})
}
