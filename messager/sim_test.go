package messager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store"
)

// The simulation: many messages through reorgs, drops, replacements, rises of
// the base fee a thousandfold, lost answers, failing reads, people's wishes,
// strangers' messages at our nonces, and crashes before and after writes. What
// must be true is checked of every push, and of every message when no reorg can
// touch it any more:
//
//   - a nonce never carries two intents, and no attempt may cost more than its budget;
//   - a message whose end had fair weather is on chain;
//   - it is there once at most, and its row says so, with the attempt and the tipset;
//   - in any 24 hours no purse pays more than its budget, but for what a reorg
//     of more than the confidence took back: that lands again within each
//     message's own budget. With a confidence that no reorg reaches it never does.

func TestASimulationOfManyMessages(t *testing.T) {
	count, rate := 4_000, 15
	if os.Getenv("VIGIL_LONG") == "1" {
		count, rate = 1_000_000, 60
	}
	began := time.Now()
	synctest.Test(t, func(t *testing.T) { // time stands still: a seed is one story
		mem := newMemory()
		s := newSim(t, mem, rate, simConfig())
		s.forget = mem.forget
		s.run(count)
	})
	t.Logf("in %s", time.Since(began).Round(time.Second))
}

// Where no reorg reaches the confidence, no purse is ever overdrawn: neither
// the recoveries', nor the posts', who pay for recoveries that stand in their way.
func TestASimulationInWhichNoPurseIsOverdrawn(t *testing.T) {
	count, rate := 1_000, 8
	if os.Getenv("VIGIL_LONG") == "1" {
		count, rate = 200_000, 30
	}
	synctest.Test(t, func(t *testing.T) {
		mem, c := newMemory(), simConfig()
		c.Confidence = 200
		c.Budgets = map[vigil.DutyKind]Budget{
			vigil.KindRecover: {MaxFee: centFIL, PerDay: big.Mul(big.NewInt(60), centFIL)},
			vigil.KindPost:    {PerDay: big.Mul(big.NewInt(int64(500*rate)), oneFIL)},
		}
		s := newSim(t, mem, rate, c)
		s.forget, s.strict = mem.forget, true
		s.run(count)
		t.Logf("the fullest days: %v", s.fullest)
	})
}

// simConfig is what a simulation does not have from its chain.
func simConfig() Config {
	return Config{Confidence: 5, Budgets: map[vigil.DutyKind]Budget{vigil.KindRecover: {PerDay: recoveriesPerDay}}}
}

func TestASimulationOnTheRealStore(t *testing.T) {
	count := 300
	if os.Getenv("VIGIL_LONG") == "1" {
		count = 20_000
	}
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "vigil.db"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, db, 6, simConfig())
		s.old = 200 // deeper than its reorgs
		s.run(count)
	})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// crashing is a store under which the process may die at any write.
type crashing struct {
	Storage
	at func()
}

type crash struct{}

func around[T any](c crashing, f func() (T, error)) (T, error) {
	c.at()
	v, err := f()
	c.at()
	return v, err
}

func (c crashing) AddMessage(ctx context.Context, m vigil.Message) (vigil.Message, error) {
	return around(c, func() (vigil.Message, error) { return c.Storage.AddMessage(ctx, m) })
}

func (c crashing) SaveMessages(ctx context.Context, holder string, m ...vigil.Message) error {
	_, err := around(c, func() (int, error) { return 0, c.Storage.SaveMessages(ctx, holder, m...) })
	return err
}

func (c crashing) SaveScan(ctx context.Context, scanned []vigil.Head, m []vigil.Message) error {
	_, err := around(c, func() (int, error) { return 0, c.Storage.SaveScan(ctx, scanned, m) })
	return err
}

func (c crashing) TakeLease(ctx context.Context, a address.Address, holder string, until time.Time) (int64, error) {
	return around(c, func() (int64, error) { return c.Storage.TakeLease(ctx, a, holder, until) })
}

// lockedSim lets one question at a time at the chain.
type lockedSim struct {
	mu sync.Mutex
	*simChain
}

func (l *lockedSim) EstimateGas(ctx context.Context, c vigil.Call, n uint64) (vigil.Gas, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.simChain.EstimateGas(ctx, c, n)
}

func (l *lockedSim) PushMessage(ctx context.Context, m vigil.SignedMessage) ([]vigil.PushResult, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.simChain.PushMessage(ctx, m)
}

type sim struct {
	t      testing.TB
	seed   uint64
	r      *rand.Rand
	chain  *simChain
	m      *Messager
	loop   *loop
	rate   int // messages an epoch
	pushed int
	forget func(id string)
	old    abi.ChainEpoch // epochs after which nothing changes any more

	unheard   []vigil.MessageRequest // whose push was not answered
	ends      map[abi.ChainEpoch][]string
	cancelled map[string]bool
	reachable map[string]bool
	lastBad   abi.ChainEpoch
	lastNull  abi.ChainEpoch
	since     map[string]abi.ChainEpoch // when a message was pushed
	storm     int                       // epochs that the weather lasts
	fate      map[string]int
	crashes   int
	attempts  int
	strict    bool                                                  // no reorg reaches the confidence, and purses are small
	paid      map[vigil.DutyKind]map[abi.ChainEpoch]abi.TokenAmount // from each purse, by epoch
	days      map[vigil.DutyKind]abi.TokenAmount                    // from each purse in the 24 hours until summed
	fullest   map[vigil.DutyKind]abi.TokenAmount
	summed    abi.ChainEpoch
}

func newSim(t testing.TB, s Storage, rate int, c Config) *sim {
	seed := uint64(3) // the short version is one story, in which much happens; the long one is another each time
	if os.Getenv("VIGIL_LONG") == "1" {
		seed = rand.Uint64()
	}
	if fixed, err := strconv.ParseUint(os.Getenv("VIGIL_SEED"), 10, 64); err == nil {
		seed = fixed
	}
	t.Logf("VIGIL_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 7))
	var keys []address.Address
	for i := range byte(8) {
		key, err := address.NewSecp256k1Address([]byte{i})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	w := &sim{
		t: t, seed: seed, r: r, chain: newSimChain(t, seed, r, keys), rate: rate, ends: map[abi.ChainEpoch][]string{},
		cancelled: map[string]bool{}, reachable: map[string]bool{}, fate: map[string]int{}, lastBad: 1000, old: finality + 60, since: map[string]abi.ChainEpoch{},
		paid: map[vigil.DutyKind]map[abi.ChainEpoch]abi.TokenAmount{}, days: map[vigil.DutyKind]abi.TokenAmount{}, fullest: map[vigil.DutyKind]abi.TokenAmount{}, summed: 1000,
	}
	w.chain.confidence = c.Confidence
	node := &lockedSim{simChain: w.chain}
	var err error
	c.Heads, c.Node, c.Signer, c.Store, c.Holder, c.Log = w.chain, node, fakeSigner{keys}, crashing{s, w.maybeCrash}, "sim", slog.New(slog.DiscardHandler)
	if w.m, err = New(c); err != nil {
		t.Fatal(err)
	}
	w.loop = newLoop(w.m.c)
	return w
}

var recoveriesPerDay = big.Mul(big.NewInt(40), oneFIL)

func (w *sim) maybeCrash() {
	if w.r.IntN(400) == 0 {
		w.crashes++
		panic(crash{})
	}
}

// survive does something; when the process dies in it, another takes its place.
func (w *sim) survive(do func()) (alive bool) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case crash{}:
			alive, w.loop = false, newLoop(w.m.c)
		default:
			panic(p)
		}
	}()
	do()
	return true
}

func (w *sim) run(count int) {
	for said := 0; w.pushed < count || len(w.unheard) > 0; {
		w.epoch(w.pushed < count)
		if w.pushed >= said+100_000 {
			said = w.pushed
			w.t.Logf("%d messages", said)
		}
	}
	for range 100 {
		w.epoch(false)
	}
	w.calm()
	for range int(w.old) + 140 {
		w.epoch(false)
	}
	if len(w.ends) > 0 {
		w.t.Errorf("%d epochs' messages were not judged", len(w.ends))
	}
	w.t.Logf("%d messages: %v; %d attempts in %d pushes, %d reorgs up to %d tipsets deep, %d strangers' messages, %d crashes",
		w.pushed, w.fate, w.attempts, w.chain.pushes, w.chain.reorgs, w.chain.deepest, w.chain.outsiders, w.crashes)
}

func (w *sim) calm() {
	c := w.chain
	c.deaf, c.mute, c.blind, c.baseFee, c.price, w.storm = 0, 0, 0, 1000, 100_000, 1<<30
}

func (w *sim) epoch(busy bool) {
	c := w.chain
	if busy {
		w.weather()
		for range w.r.IntN(2 * w.rate) {
			w.push()
		}
	}
	again := w.unheard
	w.unheard = nil
	for _, r := range again {
		w.hand(r)
	}
	if w.r.IntN(3) == 0 {
		w.survive(func() { w.loop.turn(w.t.Context()) }) // woken by a push
	}
	if bad := c.deaf+c.mute+c.blind > 0 || !c.affords(vigil.Gas{FeeCap: big.NewInt(9e10), Premium: big.NewInt(9e10)}); bad {
		w.lastBad = c.head.Epoch
	}
	nulls := w.nulls()
	if nulls > 0 {
		w.lastNull = c.head.Epoch + abi.ChainEpoch(nulls)
	}
	w.promise(c.head.Epoch + 1)
	c.mine(nulls, true)
	w.survive(func() {
		w.loop.newRound(c.head.Head)
		w.loop.turn(w.t.Context())
	})
	w.judge(c.head.Epoch - w.old)
	c.prune()
}

func (w *sim) nulls() int {
	if w.storm < 1<<29 && w.r.IntN(30) == 0 {
		return 1 + w.r.IntN(2)
	}
	return 0
}

// weather changes what happens to the network, and now and then does
// something that lasts no time.
func (w *sim) weather() {
	c := w.chain
	if w.storm--; w.storm <= 0 {
		c.deaf, c.mute, c.blind, c.baseFee, c.price = 0, 0, 0, 1000, 100_000
		w.storm = 10 + w.r.IntN(60)
		switch w.r.IntN(10) {
		case 0:
			c.deaf = w.r.Float64()
		case 1:
			c.mute = w.r.Float64()
		case 2:
			c.blind = w.r.Float64() / 4
		case 3:
			c.baseFee = 1000 * 1000 * 1000 // a million times
		case 4:
			c.baseFee *= 1000
			c.price = []int64{1e6, 1e8, 1e10}[w.r.IntN(3)]
		case 5:
			c.price, c.baseFee = 200_000_000_000, 1000 // above every budget
		}
	}
	if w.strict && w.r.IntN(10) == 0 {
		w.reorg(1 + w.r.IntN(40))
	}
	switch w.r.IntN(150) {
	case 0, 1:
		w.reorg(1 + w.r.IntN(4)) // less than the confidence
	case 2:
		if w.r.IntN(20) == 0 {
			w.reorg(5 + w.r.IntN(60))
		}
	case 3:
		for _, pool := range c.pool {
			clear(pool)
		}
		w.lastBad = c.head.Epoch
	case 4:
		if w.strict {
			break // a nonce that a stranger has is lost after the confidence
		}
		c.outsider()
		w.lastBad = c.head.Epoch
	case 5, 6, 7:
		w.wish()
	}
}

// reorg takes back and puts others in their place, some of them empty.
func (w *sim) reorg(depth int) {
	c := w.chain
	c.reorg(depth)
	w.breakPromises(c.head.Epoch)
	for range depth {
		c.mine(0, w.r.IntN(2) == 0)
	}
	w.lastBad = c.head.Epoch
}

func (w *sim) push() {
	w.pushed++
	kind := vigil.KindPost
	if w.r.IntN(10) == 0 {
		kind = vigil.KindRecover
	}
	id := fmt.Sprint(kind, w.pushed)
	expires := w.chain.head.Epoch + 6 + abi.ChainEpoch(w.r.IntN(80))
	w.hand(vigil.MessageRequest{
		ID: id, Duty: vigil.DutyID{Kind: kind, Miner: miner}, Expires: expires, Senders: w.senders(),
		Call: vigil.Call{To: vigil.MinerAddress(miner), Method: 5, Params: []byte(id)},
	})
	w.ends[expires] = append(w.ends[expires], id)
	w.since[id] = w.chain.head.Epoch
}

// senders are two of the eight, so that each has its share.
func (w *sim) senders() []address.Address {
	i := w.r.IntN(len(w.chain.senders))
	return []address.Address{w.chain.senders[i], w.chain.senders[(i+1)%len(w.chain.senders)]}
}

// hand gives the messager a request; who is not answered asks again.
func (w *sim) hand(r vigil.MessageRequest) {
	answered := w.survive(func() {
		if _, err := w.m.Push(w.t.Context(), r); err != nil {
			w.t.Fatalf("VIGIL_SEED=%d: push: %v", w.seed, err)
		}
	})
	if !answered {
		w.unheard = append(w.unheard, r)
	}
}

// wish wishes something of a message of late.
func (w *sim) wish() {
	id := fmt.Sprint(vigil.KindPost, max(1, w.pushed-w.r.IntN(20*w.rate)))
	var err error
	switch w.r.IntN(3) {
	case 0:
		w.cancelled[id] = true
		err = w.m.Cancel(w.t.Context(), id)
	case 1:
		err = w.m.Replace(w.t.Context(), id, nil)
	case 2:
		err = w.m.Republish(w.t.Context(), id)
	}
	var no *vigil.WishError
	if err != nil && !errors.As(err, &no) && !errors.Is(err, vigil.ErrNotFound) {
		w.t.Fatalf("VIGIL_SEED=%d: wish: %v", w.seed, err)
	}
}

// fair is how many epochs of fair weather at its end a message is owed to be on
// chain for: long enough to find out that a nonce is lost, and to climb.
const fair = 25

// promise notes the messages whose last chance is the next tipset, and which
// have had fair weather for long.
func (w *sim) promise(next abi.ChainEpoch) {
	for _, id := range w.ends[next+1] {
		if next-1-w.lastBad >= fair && next-w.since[id] >= fair && next-w.lastNull > spare {
			w.reachable[id] = true
		}
	}
}

// breakPromises forgets those whose last tipsets were taken back.
func (w *sim) breakPromises(fork abi.ChainEpoch) {
	for expires := fork; expires <= fork+200; expires++ {
		for _, id := range w.ends[expires+1] {
			delete(w.reachable, id)
		}
	}
}

// judge compares the messages that ended long ago with the chain.
func (w *sim) judge(epoch abi.ChainEpoch) {
	for expires := epoch - 5; expires <= epoch; expires++ {
		for _, id := range w.ends[expires] {
			w.judgeOne(id)
		}
		delete(w.ends, expires)
	}
	for w.summed < epoch-100 { // what is on chain there has ended, and was judged
		w.summed++
		w.judgeDay(w.summed)
	}
}

// tell is a message's life for who has to find out why it went wrong.
func tell(m vigil.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is %s (%s), expires %d, nonce %d of %s, wish %q, landed %d", m.ID, m.State, m.Problem, m.Expires, m.Nonce, m.Call.From, m.Wish.Verb, m.Landed)
	if m.Receipt != nil {
		fmt.Fprintf(&b, " at %d", m.Receipt.Epoch)
	}
	for _, a := range m.Attempts {
		fmt.Fprintf(&b, "\n  attempt %d at %d: nonce %d cancel %v premium %s published %v %s", a.Number, a.Epoch, a.Signed.Nonce, a.Cancel, a.Signed.Gas.Premium, a.Published, a.Problem)
	}
	return b.String()
}

func (w *sim) judgeOne(id string) {
	found, err := w.m.Find(w.t.Context(), vigil.MessageQuery{ID: id})
	if err != nil || len(found) != 1 {
		w.t.Fatalf("VIGIL_SEED=%d: message %s: %v, %v", w.seed, id, found, err)
	}
	m := found[0]
	w.fate[string(m.State)]++
	w.attempts += len(m.Attempts)
	times := w.chain.times[id]
	a, landed := m.Executed()
	executed := landed && !a.Cancel
	switch {
	case times > 1:
		w.t.Fatalf("VIGIL_SEED=%d: message %s is %d times on chain: %s", w.seed, id, times, tell(m))
	case (times == 1) != executed:
		w.t.Fatalf("VIGIL_SEED=%d: message %s is %d times on chain, and its row: %s", w.seed, id, times, tell(m))
	case landed && (w.chain.on[a.CID] == nil || w.chain.on[a.CID].Key != m.Receipt.TipSet):
		w.t.Fatalf("VIGIL_SEED=%d: message %s is not where its row says: %s", w.seed, id, tell(m))
	case !m.State.Done():
		w.t.Fatalf("VIGIL_SEED=%d: message %s has no end: %s", w.seed, id, tell(m))
	case w.reachable[id] && m.Duty.Kind == vigil.KindPost && !w.cancelled[id] && !w.strict && times == 0:
		w.t.Fatalf("VIGIL_SEED=%d: message %s was reachable: %s", w.seed, id, tell(m))
	}
	if w.reachable[id] {
		w.fate["reachable"]++
	}
	w.judgeCost(m, a, landed)
	delete(w.chain.times, id)
	delete(w.reachable, id)
	delete(w.cancelled, id)
	delete(w.since, id)
	if w.forget != nil && m.Settled {
		w.forget(id)
	}
}

// judgeCost adds what the chain took, and compares the day's sum with the budget.
func (w *sim) judgeCost(m vigil.Message, a vigil.Attempt, landed bool) {
	if !landed {
		return
	}
	ts := w.chain.on[a.CID]
	took := paid(a.Signed.Gas, a.Signed.Gas.Limit*4/5, ts.BaseFee)
	if !took.Equals(m.Paid) || took.GreaterThan(defaultMaxFee) {
		w.t.Fatalf("VIGIL_SEED=%d: message %s took %s, its row says %s: %s", w.seed, m.ID, took, m.Paid, tell(m))
	}
	books := w.m.c.books(nil)
	own, beyond := books.shares(m.Duty.Kind, took)
	for kind, part := range map[vigil.DutyKind]abi.TokenAmount{m.Duty.Kind: own, books.payer: beyond} {
		if kind == m.Duty.Kind && kind == books.payer {
			part = took
		}
		if w.paid[kind] == nil {
			w.paid[kind] = map[abi.ChainEpoch]abi.TokenAmount{}
		}
		w.paid[kind][ts.Epoch] = big.Add(amount(w.paid[kind][ts.Epoch]), part)
	}
}

// judgeDay compares what each purse paid in the 24 hours that end at an epoch with its budget.
func (w *sim) judgeDay(epoch abi.ChainEpoch) {
	for kind, paid := range w.paid {
		w.days[kind] = big.Sub(big.Add(amount(w.days[kind]), amount(paid[epoch])), amount(paid[epoch-2880]))
		w.fullest[kind] = big.Max(amount(w.fullest[kind]), w.days[kind])
		delete(paid, epoch-2880)
		if daily := w.m.c.Budgets[kind].PerDay; !daily.NilOrZero() && w.days[kind].GreaterThan(big.Add(daily, w.promisedAnew(epoch))) {
			w.t.Fatalf("VIGIL_SEED=%d: in the 24 hours until epoch %d the purse of %s paid %s", w.seed, epoch, kind, w.days[kind])
		}
	}
}

// promisedAnew is the most that what deep reorgs took back in the day before, or
// since, may cost when it lands again.
func (w *sim) promisedAnew(epoch abi.ChainEpoch) abi.TokenAmount {
	n := 0
	if w.strict && len(w.chain.takenBack) > 0 {
		w.t.Fatalf("VIGIL_SEED=%d: a reorg reached the confidence", w.seed)
	}
	for at, taken := range w.chain.takenBack {
		if at > epoch-2880 && at < epoch+w.old {
			n += taken
		}
	}
	return big.Mul(defaultMaxFee, big.NewInt(int64(n)))
}
