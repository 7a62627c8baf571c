package devnet

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/dline"
	"github.com/ipfs/go-cid"
)

// sent pushes a message that does nothing.
func (w *world) sent(role string) cid.Cid {
	w.t.Helper()
	k := w.key(role)
	return w.send(k, k.Address, 0, nil)
}

// included is the epoch of the tipset that has a message; 0 if there is none.
func (w *world) included(c cid.Cid) abi.ChainEpoch {
	w.t.Helper()
	m, ok := w.chain.message(c)
	if !ok {
		return 0
	}
	in, ok := w.chain.place(m.Message.From, m.Message.Nonce)
	if !ok || in.tipset.cids[in.index] != c {
		return 0
	}
	return in.tipset.height()
}

func TestADelayKeepsMessagesWaiting(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	w.pass(5)
	if err := w.DelayMessages(4, 20); err != nil {
		t.Fatal(err)
	}
	c := w.sent("owner")
	w.pass(4)
	if got := w.included(c); got != 0 {
		t.Errorf("included at %d", got)
	}
	w.pass(1)
	if got := w.included(c); got != 10 {
		t.Errorf("included at %d, want 10: five epochs after 5", got)
	}
	w.pass(20)
	late := w.sent("owner")
	w.pass(1)
	if w.included(late) == 0 {
		t.Error("the delay did not end")
	}
}

func TestAReplacementIsNotDelayedAnew(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	if err := w.DelayMessages(4, 20); err != nil {
		t.Fatal(err)
	}
	k := w.key("owner")
	var last cid.Cid
	for _, premium := range []int64{1000, 1500} {
		sm, err := k.SignMessage(Message{To: k.Address, From: k.Address, GasLimit: 10_000_000, GasFeeCap: big.NewInt(10_000), GasPremium: big.NewInt(premium)})
		if err != nil {
			t.Fatal(err)
		}
		last = get[cid.Cid](w, "MpoolPush", sm)
		w.pass(3)
	}
	if got := w.included(last); got != 5 {
		t.Errorf("included at %d, want 5: five epochs after the first came", got)
	}
}

func TestAHeldSenderWaitsAndTheOthersDoNot(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	if err := w.HoldMessages(w.key("worker").Address, 10); err != nil {
		t.Fatal(err)
	}
	held, free := w.sent("worker"), w.sent("owner")
	w.pass(10)
	if w.included(held) != 0 || w.included(free) != 1 {
		t.Errorf("the held one is in %d, the other in %d", w.included(held), w.included(free))
	}
	w.pass(1)
	if got := w.included(held); got != 11 {
		t.Errorf("after that it is in %d, want 11", got)
	}
}

func TestALostMessageWasAcceptedAndIsNowhere(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	if err := w.LoseMessages(1, 5); err != nil {
		t.Fatal(err)
	}
	lost := w.sent("owner")
	if n := get[uint64](w, "MpoolGetNonce", w.key("owner").Address); n != 0 {
		t.Errorf("the next nonce is %d: the node remembers the message", n)
	}
	if got := w.refusal("StateSearchMsg", nil, lost, -1, true); !strings.Contains(got, "failed to load message") {
		t.Errorf("search: %s", got)
	}
	w.pass(6)
	if again := w.sent("owner"); again != lost {
		t.Fatalf("the same message has another name: %s", again)
	}
	w.pass(1)
	if w.included(lost) != 7 {
		t.Errorf("pushed again it is in %d", w.included(lost))
	}
}

func TestMessagesCanBeDroppedFromThePool(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	first, _, other := w.sent("owner"), w.sent("owner"), w.sent("worker")
	if n, err := w.Drop(t.Context(), first); n != 1 || err != nil {
		t.Fatalf("dropped %d, %v", n, err)
	}
	w.pass(1)
	if w.included(first) != 0 || w.included(other) != 1 {
		t.Errorf("the dropped one is in %d, the other sender's in %d", w.included(first), w.included(other))
	}
	if n, err := w.Drop(t.Context(), cid.Undef); n != 1 || err != nil {
		t.Errorf("dropped %d behind the gap, %v", n, err)
	}
}

func TestAFullPoolKeepsWhatPaysBest(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	if err := w.LimitPool(2, 3); err != nil {
		t.Fatal(err)
	}
	k := w.key("owner")
	for nonce, premium := range []int64{400, 300, 200, 100} {
		sm, err := k.SignMessage(Message{To: k.Address, From: k.Address, Nonce: uint64(nonce), GasLimit: 1e6, GasFeeCap: big.NewInt(1000), GasPremium: big.NewInt(premium)})
		if err != nil {
			t.Fatal(err)
		}
		get[cid.Cid](w, "MpoolPush", sm)
	}
	var left []string
	for _, m := range w.pool.pending() {
		left = append(left, m.Message.GasPremium.String())
	}
	if got := strings.Join(left, " "); got != "400 300" {
		t.Errorf("left are those with premiums %q, want 400 300", got)
	}
}

func TestAStrangerLeavesNoGapAndPaysTheBaseFee(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	k := w.key("owner")
	gap := w.signed(k, Message{To: k.Address})
	gap.Message.Nonce = 3
	sm, err := k.SignMessage(gap.Message)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.refusal("MpoolPushUntrusted", sm); !strings.Contains(got, "message nonce has too big a gap from expected nonce (Nonce: 3, nextNonce: 0): unfulfilled nonce gap") {
		t.Errorf("a gap: %s", got)
	}
	get[cid.Cid](w, "MpoolPush", sm)
	if err := w.SetBaseFee(big.NewInt(100_000_000), 1); err != nil {
		t.Fatal(err)
	}
	w.pass(1)
	if got := w.refusal("MpoolPushUntrusted", w.signed(k, Message{To: k.Address})); !strings.Contains(got, "GasFeeCap doesn't meet base fee lower bound for inclusion in the next 20 blocks (GasFeeCap: 200000, baseFeeLowerBound: 1000000): validation failure") {
		t.Errorf("a low fee cap: %s", got)
	}
}

func TestAMessageThatPaysWellPullsTheOneBeforeItAlong(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	var order []string
	for _, m := range []struct {
		role           string
		nonce          uint64
		limit, premium int64
	}{{"owner", 0, 4e9, 100}, {"owner", 1, 4e9, 1500}, {"control", 0, 4e9, 500}} {
		k := w.key(m.role)
		sm, err := k.SignMessage(Message{To: k.Address, From: k.Address, Nonce: m.nonce, GasLimit: m.limit, GasFeeCap: big.NewInt(10_000), GasPremium: big.NewInt(m.premium)})
		if err != nil {
			t.Fatal(err)
		}
		get[cid.Cid](w, "MpoolPush", sm)
	}
	for _, m := range w.pool.pick(w.chain.current().after, minimumBaseFee, nobody) {
		order = append(order, m.Message.GasPremium.String())
	}
	if got := strings.Join(order, " "); got != "100 1500" {
		t.Errorf("premiums in the order %q, want 100 1500: there is no gas for a third", got)
	}
}

// A run of null rounds over challenge, open and the last epoch of a deadline.
func TestNullRoundsAcrossADeadlinesEdgesLeaveItsRulesAlone(t *testing.T) {
	w := start(t, Config{Sectors: 8})
	for _, run := range [][2]abi.ChainEpoch{{firstOpen - 25, 10}, {firstOpen - 3, 8}, {firstOpen + 55, 20}} {
		if err := w.NullRounds(run[0], run[1]); err != nil {
			t.Fatal(err)
		}
	}
	w.to(firstOpen + 6)
	if w.Epoch() != firstOpen+5 {
		t.Fatalf("the first tipset after the null rounds at open is %d", w.Epoch())
	}
	m := w.Miners()[0]
	c := w.send(w.key("worker"), m, 5, w.postParams(m, firstDeadline, goodProof, bitfield.New(), 0))
	w.pass(2)
	if r := w.receipt(c); r.ExitCode != 0 {
		t.Fatalf("exit code %d", r.ExitCode)
	}
	w.to(firstOpen + 55)
	w.pass(1)
	if w.Epoch() != firstOpen+75 {
		t.Errorf("the tipset after the null rounds at close is %d", w.Epoch())
	}
	if got := w.Stats().Total; got.PartitionsConfirmed != 1 || got.PartitionsMissed != 0 || got.DeadlinesDue != 1 {
		t.Errorf("the cron of a null epoch closed it so: %+v", got)
	}
}

// A real node does so: the state at the first tipset after a deadline whose
// last epoch was null still has that deadline as its current one, and what the
// node tells of it is its next occurrence, a proving period away.
func TestAfterANullLastEpochTheDeadlineToldIsTheOneThatClosed(t *testing.T) {
	w := start(t, Config{Sectors: 8})
	told := func() dline.Info {
		return get[dline.Info](w, "StateMinerProvingDeadline", w.Miners()[0], nil)
	}
	w.to(firstOpen + 10)
	open := told()
	if err := w.NullRounds(open.Close-1, 1); err != nil {
		t.Fatal(err)
	}
	w.to(open.Close - 1)
	w.pass(1)
	if d := told(); w.Epoch() != open.Close || d.Index != open.Index || d.Open != open.Open+2880 {
		t.Errorf("at epoch %d: deadline %d that opens at %d, want %d and %d", w.Epoch(), d.Index, d.Open, open.Index, open.Open+2880)
	}
	w.pass(1)
	if d := told(); d.Index != open.Index+1 || d.Open != open.Close {
		t.Errorf("at epoch %d: deadline %d that opens at %d, want %d and %d", w.Epoch(), d.Index, d.Open, open.Index+1, open.Close)
	}
}

func TestASetBackHeadRevertsAndGoesOn(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	w.pass(10)
	c := w.sent("owner")
	w.pass(3)
	heads := w.notify.subscribe(t.Context(), w.chain.current)
	<-heads
	if err := w.Reorganise(t.Context(), Reorganisation{Depth: 5, Length: -1}); err != nil {
		t.Fatal(err)
	}
	if w.Epoch() != 8 {
		t.Errorf("the head is at %d, want 8", w.Epoch())
	}
	batch := <-heads
	for i, h := range batch {
		if h.Type != "revert" || h.Val.Height != abi.ChainEpoch(13-i) {
			t.Errorf("change %d: %s %d", i, h.Type, h.Val.Height)
		}
	}
	if len(batch) != 5 {
		t.Errorf("%d changes, want 5 reverts", len(batch))
	}
	w.pass(1)
	if w.included(c) != 9 {
		t.Errorf("the message is in %d, want 9", w.included(c))
	}
}

func TestAReorgOfNineHundredIsOneBatchAndItsMessagesMayBeLost(t *testing.T) {
	dir := t.TempDir()
	w := start(t, Config{Dir: dir, Sectors: 2, NullRounds: 0.1})
	w.pass(20)
	c := w.sent("owner")
	for range 900 { // tipsets
		if err := w.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	old, head := w.Epoch(), w.chain.current().cid
	heads := w.notify.subscribe(t.Context(), w.chain.current)
	<-heads
	if err := w.Reorganise(t.Context(), Reorganisation{Depth: 900, Lose: true}); err != nil {
		t.Fatal(err)
	}
	batch := <-heads
	at := head
	for _, h := range batch {
		switch parent := h.Val.Blocks[0].Parents[0]; {
		case h.Type == "revert" && h.Val.Cids[0] == at:
			at = parent
		case h.Type == "apply" && parent == at:
			at = h.Val.Cids[0]
		default:
			t.Fatalf("%s of %d does not follow", h.Type, h.Val.Height)
		}
	}
	if at != w.chain.current().cid || w.Epoch() <= old || len(batch) < 1500 {
		t.Errorf("the head went from %d to %d in %d changes", old, w.Epoch(), len(batch))
	}
	if w.included(c) != 0 || len(w.pool.pending()) != 0 {
		t.Error("the lost message is there")
	}
	if err := w.Reorg(t.Context(), 901); err == nil {
		t.Error("a reorg deeper than finality")
	}
	head = w.chain.current().cid
	w.stop()
	w = start(t, Config{Dir: dir})
	if w.chain.current().cid != head {
		t.Error("after a restart the head is another one")
	}
}

func TestManyReorgsOnTheSameSpotLeaveOneBranchStanding(t *testing.T) {
	w := opened(t, Config{})
	m := w.Miners()[0]
	c := w.send(w.key("worker"), m, 5, w.postParams(m, firstDeadline, goodProof, bitfield.New(), 0))
	w.pass(3)
	for depth := range 8 {
		if err := w.Reorg(t.Context(), depth+1); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.Stats().Total; w.included(c) == 0 || got.Messages != 1 || got.ProofsChecked != 1 {
		t.Errorf("the post is in %d; counts %+v", w.included(c), got)
	}
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	w.pass(10)
	stranger, err := address.NewIDAddress(99_999)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"null rounds in the past":       w.NullRounds(5, 1),
		"no null rounds":                w.NullRounds(0, 0),
		"a share above what is allowed": w.SetNullShare(0.95, 0),
		"null rounds beyond all time":   w.NullRounds(math.MaxInt64, 1),
		"a negative delay":              w.DelayMessages(-1, 0),
		"a delay beyond all time":       w.DelayMessages(math.MaxInt64, 0),
		"negative epochs":               w.DelayMessages(1, -1),
		"more than all messages":        w.LoseMessages(1.5, 0),
		"a sender that is nobody":       w.HoldMessages(stranger, 0),
		"a sender that is a miner":      w.HoldMessages(w.Miners()[0], 0),
		"sectors of nobody":             w.AddSectors(stranger, 1),
		"no sectors":                    w.AddSectors(w.Miners()[0], 0),
		"sectors of an account":         w.AddSectors(w.key("owner").Address, 1),
		"a negative balance":            w.SetBalance(w.Miners()[0], big.NewInt(-1)),
		"no balance":                    w.SetBalance(w.Miners()[0], abi.TokenAmount{}),
		"a balance above all there is":  w.SetBalance(w.Miners()[0], big.Add(allThereIs, big.NewInt(1))),
		"a base fee above all there is": w.SetBaseFee(big.Add(allThereIs, big.NewInt(1)), 1),
		"a pool of nothing":             w.LimitPool(0, 0),
		"a factor of zero":              w.MultiplyBaseFee(0, 1),
		"a reorg of nothing":            w.Reorg(t.Context(), 0),
		"a reorg below genesis":         w.Reorg(t.Context(), 11),
		"an upgrade in the past":        w.Upgrade(t.Context(), Upgrade{Epoch: 10, Version: 29}),
		"an upgrade backwards":          w.Upgrade(t.Context(), Upgrade{Epoch: 20, Version: 27}),
		"an upgrade to nowhere":         w.Upgrade(t.Context(), Upgrade{Epoch: 20, Version: 30}),
	} {
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	w.pass(1)
}

// A message whose fee cap is below the base fee waits, and so does all that
// follows it.
func TestALowFeeCapIsStuckUntilTheBaseFeeFalls(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	if err := w.SetBaseFee(big.NewInt(1_000_000), 5); err != nil {
		t.Fatal(err)
	}
	k := w.key("owner")
	low := w.sent("owner") // its fee cap is 200,000
	high := w.signed(k, Message{To: k.Address})
	high.Message.GasFeeCap = big.NewInt(10_000_000)
	sm, err := k.SignMessage(high.Message)
	if err != nil {
		t.Fatal(err)
	}
	behind := get[cid.Cid](w, "MpoolPush", sm)
	w.pass(10)
	if w.included(low) != 0 || w.included(behind) != 0 {
		t.Errorf("in %d and %d; the base fee is %s", w.included(low), w.included(behind), w.BaseFee())
	}
	w.pass(15)
	if w.included(low) == 0 || w.included(behind) != w.included(low) {
		t.Errorf("in %d and %d; the base fee is %s", w.included(low), w.included(behind), w.BaseFee())
	}
}

// What cannot be done is left undone, and the chain goes on.
func TestAnOrderThatTheStateDoesNotAllowStopsNothing(t *testing.T) {
	w := start(t, Config{Sectors: 4, Sector: sectorOfWords, Verify: byWord})
	m := w.Miners()[0]
	before := get[Actor](w, "StateGetActor", m, nil)
	if err := w.SetBalance(m, big.Zero()); err != nil {
		t.Fatal(err)
	}
	w.cfg.Sector = func(context.Context, string, abi.ActorID, abi.SectorNumber) ([32]byte, error) {
		return [32]byte{}, errors.New("the disk is full")
	}
	if err := w.AddSectors(m, 3); err != nil {
		t.Fatal(err)
	}
	w.pass(3)
	if after := get[Actor](w, "StateGetActor", m, nil); after.Head != before.Head || after.Balance.LessThan(before.Balance) {
		t.Errorf("the miner was %+v, is %+v", before, after)
	}
	if n := w.Stats().Total.SectorsAdded; n != 0 {
		t.Errorf("%d sectors are counted", n)
	}
}
