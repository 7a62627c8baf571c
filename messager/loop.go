package messager

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// loop is what Run remembers from turn to turn, and nothing of it is needed
// after a restart. Only Run's goroutine writes it.
type loop struct {
	c    Config
	head vigil.Head
	// looked is the head at which the messages were last compared with the
	// chain, completely: a message that arrives does not wait for that again.
	looked vigil.TipSetKey
	// round counts heads and ticks; in a round each message is tried once, so
	// that other messages' arrival does not make a failing one a hot loop.
	round  int
	priced bool           // what settled messages of the last day cost is written down
	pushed int            // the round in which all was handed to the nodes
	tried  map[string]int // the round of a message's last try, by ID
	// faults counts the rounds in a row in which no node could estimate a message.
	faults map[string]int
	keys   map[address.Address]address.Address // the key addresses of accounts; these never change
	leases map[address.Address]time.Time       // until when a sender is ours

	senders   map[address.Address]address.Address // every address of the senders in use, with the key's
	foreign   map[address.Address]stranger        // the latest message of a sender that is not ours
	waiting   map[address.Address]crowd           // others' messages that wait in a pool
	inspected map[address.Address]abi.ChainEpoch  // when a sender was last looked at for people
	asked     map[cid.Cid]refusal                 // what a pool asked for in place of an attempt

	// Of this turn, or of the head; errors too, so that a node that hangs is asked once.
	accounts map[accountAt]account
	keyless  map[address.Address]error
	leased   map[address.Address]error
	holds    map[address.Address]hold
	miners   map[abi.ActorID][]address.Address // who may send for them
	unasked  bool                              // that could not be read in this round
	pools    map[address.Address]uint64
}

// refusal is what a pool that refused an attempt would take in its place.
type refusal struct {
	premium abi.TokenAmount // as much or more
	cheaper bool            // what may cost less: it says that the sender cannot pay for it
	invalid bool            // nothing like it: it says that it would never take the message
}

// hold is whether a key is held.
type hold struct {
	held bool
	err  error
}

// stranger is a message of one of our senders that is not ours.
type stranger struct {
	nonce uint64
	epoch abi.ChainEpoch
	cid   cid.Cid
}

// crowd is others' messages of one of our senders in a node's pool.
type crowd struct {
	since abi.ChainEpoch
	next  uint64 // the nonce after theirs
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
		leases: map[address.Address]time.Time{}, senders: map[address.Address]address.Address{},
		foreign: map[address.Address]stranger{}, waiting: map[address.Address]crowd{},
		inspected: map[address.Address]abi.ChainEpoch{}, asked: map[cid.Cid]refusal{}, accounts: map[accountAt]account{},
		miners: map[abi.ActorID][]address.Address{},
	}
}

func (l *loop) newRound(head vigil.Head) {
	l.head = head
	l.round++
	l.accounts, l.pools = map[accountAt]account{}, map[address.Address]uint64{}
	l.miners, l.unasked = map[abi.ActorID][]address.Address{}, false
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
	l.forgetErrors()
	open, err := l.c.Store.OpenMessages(ctx)
	if err != nil {
		l.fail(ctx, "messages cannot be read", err)
		return
	}
	l.know(open)
	open, err = l.look(ctx, open)
	if err != nil {
		l.fail(ctx, "messages cannot be saved", err)
		return
	}
	l.forget(open)
	books := l.c.books(open)
	if l.pushed != l.round || slices.ContainsFunc(open, wishful) {
		l.push(ctx, open, books)
		l.pushed = l.round
	}
	l.priceOld(ctx)
	if signed := l.sign(ctx, open, books); len(signed) > 0 {
		l.pushLines(ctx, linesOf(signed)) // those before them are pushed
	}
}

// wishful says that somebody wishes something of the message, done or not.
func wishful(m vigil.Message) bool { return m.Wish.Verb != "" }

// forgetErrors lets a new turn ask again what an earlier one was not told.
func (l *loop) forgetErrors() {
	l.keyless, l.leased, l.holds = map[address.Address]error{}, map[address.Address]error{}, map[address.Address]hold{}
	for at, a := range l.accounts {
		if a.err != nil {
			delete(l.accounts, at)
		}
	}
}

// know notes the senders of messages.
func (l *loop) know(open []vigil.Message) {
	for _, m := range open {
		if len(m.Attempts) > 0 {
			from := lastAttempt(m).Signed.From
			l.senders[from] = from
		}
	}
}

// lease takes the sender for this messager, or renews that, once a turn.
func (l *loop) lease(ctx context.Context, sender address.Address) error {
	if err, asked := l.leased[sender]; asked {
		return err
	}
	now := time.Now()
	var err error
	if l.leases[sender].Before(now.Add(leaseEpochs / 2 * l.c.Epoch)) {
		until := now.Add(leaseEpochs * l.c.Epoch)
		if _, err = l.c.Store.TakeLease(ctx, sender, l.c.Holder, until); err == nil {
			l.leases[sender] = until
		}
	}
	l.leased[sender] = err
	return err
}

// leaseEpochs is how long a sender stays with a messager that is gone, where
// several share a database.
const leaseEpochs = 4

// save writes messages whose state may have changed from what before says.
func (l *loop) save(ctx context.Context, before, after []vigil.Message) error {
	for i := range after {
		after[i].Updated = time.Now()
	}
	if err := l.c.Store.SaveMessages(ctx, l.c.Holder, after...); err != nil {
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
	isOpen, current := map[string]bool{}, map[cid.Cid]bool{}
	for _, m := range open {
		isOpen[m.ID] = true
		for _, a := range m.Attempts {
			current[a.CID] = true
		}
	}
	for id := range l.faults {
		if !isOpen[id] {
			delete(l.faults, id)
		}
	}
	for c := range l.asked {
		if !current[c] {
			delete(l.asked, c)
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

// account reads an account at a tipset, once.
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
	l.keys[sender], l.senders[sender] = key, key
	return key, nil
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
