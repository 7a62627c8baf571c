package messager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// loop is what Run remembers from turn to turn, and nothing of it is needed
// after a restart. Only Run's goroutine writes it.
type loop struct {
	c    Config
	head vigil.Head
	// round counts heads and ticks; in a round each message is tried once, so
	// that other messages' arrival does not make a failing one a hot loop.
	round int
	tried map[string]int // the round of a message's last try, by ID
	// faults counts the rounds in a row in which no node could estimate a message.
	faults map[string]int
	keys   map[address.Address]address.Address // the key addresses of accounts; these never change

	// Of this turn; errors too, so that a node that hangs is asked once.
	accounts map[accountAt]account
	keyless  map[address.Address]error
}

type accountAt struct {
	sender address.Address
	key    vigil.TipSetKey
}

type account struct {
	nonce   uint64
	balance abi.TokenAmount
	err     error
}

func newLoop(c Config) *loop {
	return &loop{
		c: c, tried: map[string]int{}, faults: map[string]int{}, keys: map[address.Address]address.Address{},
	}
}

func (l *loop) newRound(head vigil.Head) {
	l.head = head
	l.round++
}

// askHead asks for the head; without an answer the last one is used once more.
func (l *loop) askHead(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, l.c.patience())
	defer cancel()
	head, err := l.c.Heads.Head(limited)
	if err != nil {
		l.warn(ctx, "no head from the node", err)
		head = l.head
	}
	l.newRound(head)
}

// turn does what is to be done at the head. Errors stop here: the next turn tries again.
func (l *loop) turn(ctx context.Context) {
	if l.head.Key == "" {
		return
	}
	ctx = vigil.OneDecision(ctx)
	l.accounts, l.keyless = map[accountAt]account{}, map[address.Address]error{}
	open, err := l.c.Store.OpenMessages(ctx)
	if err != nil {
		l.fail(ctx, "messages cannot be read", err)
		return
	}
	open, err = l.look(ctx, open)
	if err != nil {
		l.fail(ctx, "messages cannot be saved", err)
		return
	}
	l.forget(open)
	l.push(ctx, open)
	signed := l.sign(ctx, open)
	if len(signed) > 0 {
		l.push(ctx, signed)
	}
}

// look brings the messages up to what the chain shows, and gives those that
// are still open.
func (l *loop) look(ctx context.Context, open []vigil.Message) ([]vigil.Message, error) {
	known, err := l.c.Store.Scanned(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(known, func(h vigil.Head) bool { return h.Key == l.head.Key })
	if at >= 0 && at < len(known)-1 {
		return open, nil // a node that is behind: it knows less than is stored
	}
	limited, cancel := context.WithTimeout(ctx, 2*l.c.patience())
	defer cancel()
	scanned, executed, errScan := l.scan(limited, known, slices.ContainsFunc(open, pending))
	f, errFacts := l.gather(limited, open, scanned, executed)
	if err := errors.Join(errScan, errFacts); err != nil {
		l.warn(ctx, "the chain was not read completely", err)
	}
	var changed []vigil.Message
	settled := make([]vigil.Message, len(open))
	for i, m := range open {
		settled[i] = settle(m, f, l.c.Confidence)
		if !sameStanding(settled[i], m) {
			settled[i].Updated = time.Now()
			changed = append(changed, settled[i])
		}
	}
	if err := l.saveLook(ctx, known, scanned, changed); err != nil {
		return nil, err
	}
	l.report(ctx, open, settled)
	return slices.DeleteFunc(settled, func(m vigil.Message) bool { return m.State.Done() }), nil
}

func sameStanding(a, b vigil.Message) bool {
	if a.State != b.State || a.Problem != b.Problem || (a.Receipt == nil) != (b.Receipt == nil) {
		return false
	}
	return a.Receipt == nil || *a.Receipt == *b.Receipt
}

// pending says that an execution of the message would be news.
func pending(m vigil.Message) bool { return inFlight(m) || m.State == vigil.MessageIncluded }

func (l *loop) saveLook(ctx context.Context, known, scanned []vigil.Head, changed []vigil.Message) error {
	switch {
	case len(scanned) > 0 && (len(known) == 0 || len(changed) > 0 || scanned[len(scanned)-1].Key != known[len(known)-1].Key):
		return l.c.Store.SaveScan(ctx, scanned, changed)
	case len(changed) > 0:
		return l.c.Store.SaveMessages(ctx, changed...)
	}
	return nil
}

// save writes messages whose state may have changed from what before says.
func (l *loop) save(ctx context.Context, before, after []vigil.Message) error {
	for i := range after {
		after[i].Updated = time.Now()
	}
	if err := l.c.Store.SaveMessages(ctx, after...); err != nil {
		return err
	}
	l.report(ctx, before, after)
	return nil
}

// report tells of messages whose state has changed, and is only called for what is stored.
func (l *loop) report(ctx context.Context, before, after []vigil.Message) {
	any := false
	for i, m := range after {
		if m.State == before[i].State {
			continue
		}
		any = true
		l.c.Log.LogAttrs(ctx, levelOf(m.State), "message changed state", l.says(m)...)
	}
	if any && l.c.Changed != nil {
		l.c.Changed()
	}
}

// says is what a line of the log tells of a message: whose it is, how far it
// is, and from when on it has one, how it is found on chain.
func (l *loop) says(m vigil.Message) []slog.Attr {
	attrs := []slog.Attr{slog.String("duty", m.Duty.String()), slog.String("state", string(m.State))}
	if len(m.Attempts) > 0 {
		attrs = append(attrs, slog.Uint64("nonce", m.Nonce), slog.String("cid", lastAttempt(m).CID.String()))
	}
	if m.Receipt != nil {
		attrs = append(attrs, slog.Int64("included", int64(m.Receipt.Epoch)))
	}
	if m.Problem != "" {
		attrs = append(attrs, slog.String("problem", m.Problem))
	}
	return append(attrs, slog.Int64("epoch", int64(l.head.Epoch)))
}

func levelOf(s vigil.MessageState) slog.Level {
	if s == vigil.MessageFailed || s == vigil.MessageExpired {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// problem stores what stopped a message's try, once for as long as it is the
// same, and gives the message with it.
func (l *loop) problem(ctx context.Context, m vigil.Message, err error) vigil.Message {
	if m.Problem == err.Error() || ctx.Err() != nil {
		return m
	}
	before := m
	m.Problem = err.Error()
	l.c.Log.WarnContext(ctx, "message not sent, it will be tried again", "duty", m.Duty.String(), "epoch", int64(l.head.Epoch), "error", err)
	if err := l.save(ctx, []vigil.Message{before}, []vigil.Message{m}); err != nil {
		l.fail(ctx, "message cannot be saved", err)
	}
	return m
}

// forget drops what is remembered of messages that are done.
func (l *loop) forget(open []vigil.Message) {
	isOpen := map[string]bool{}
	for _, m := range open {
		isOpen[m.ID] = true
	}
	for id := range l.faults {
		if !isOpen[id] {
			delete(l.faults, id)
		}
	}
	for id, round := range l.tried {
		if round != l.round {
			delete(l.tried, id)
		}
	}
}

// try says, once a round, that a message is to be tried.
func (l *loop) try(id string) bool {
	if round, ok := l.tried[id]; ok && round == l.round {
		return false
	}
	l.tried[id] = l.round
	return true
}

// account reads an account at a tipset, once a turn.
func (l *loop) account(ctx context.Context, sender address.Address, key vigil.TipSetKey) (account, error) {
	if a, ok := l.accounts[accountAt{sender, key}]; ok {
		return a, a.err
	}
	ctx, cancel := context.WithTimeout(ctx, l.c.patience())
	defer cancel()
	nonce, balance, err := l.c.Node.Account(ctx, sender, key)
	if err != nil {
		err = fmt.Errorf("read account %s: %w", sender, err)
	}
	a := account{nonce, amount(balance), err}
	l.accounts[accountAt{sender, key}] = a
	return a, err
}

// keyOf gives the key address of an account.
func (l *loop) keyOf(ctx context.Context, sender address.Address) (address.Address, error) {
	switch sender.Protocol() {
	case address.SECP256K1, address.BLS:
		return sender, nil
	}
	if key, ok := l.keys[sender]; ok {
		return key, nil
	}
	if err, ok := l.keyless[sender]; ok {
		return address.Undef, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.c.patience())
	defer cancel()
	key, err := l.c.Node.KeyAddress(ctx, sender, l.head.Key)
	if err != nil {
		l.keyless[sender] = fmt.Errorf("read the key address of %s: %w", sender, err)
		return address.Undef, l.keyless[sender]
	}
	l.keys[sender] = key
	return key, nil
}

// reserved is what a sender's messages in flight may still take from its balance.
func reserved(open []vigil.Message, sender address.Address) abi.TokenAmount {
	sum := big.Zero()
	for _, m := range open {
		if inFlight(m) && m.Call.From == sender {
			sum = big.Add(sum, cost(lastAttempt(m).Signed))
		}
	}
	return sum
}

func (l *loop) warn(ctx context.Context, message string, err error) {
	if ctx.Err() == nil {
		l.c.Log.LogAttrs(ctx, slog.LevelWarn, message, slog.Int64("epoch", int64(l.head.Epoch)), slog.Any("error", err))
	}
}

func (l *loop) fail(ctx context.Context, message string, err error) {
	if ctx.Err() == nil {
		l.c.Log.LogAttrs(ctx, slog.LevelError, message, slog.Int64("epoch", int64(l.head.Epoch)), slog.Any("error", err))
	}
}
