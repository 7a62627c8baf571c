package devnet

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
)

// opened starts a network of a few sectors and lets its first deadline with
// sectors open: deadline 2, whose partition 0 has sectors 0 and 1.
func opened(t *testing.T, cfg Config) *world {
	t.Helper()
	if cfg.Sectors == 0 {
		cfg.Sectors = 8
	}
	w := start(t, cfg)
	w.to(firstOpen + 1)
	return w
}

const firstDeadline = 2

func (w *world) partition(deadline uint64) Partition {
	w.t.Helper()
	list := get[[]Partition](w, "StateMinerPartitions", w.miner(), deadline, nil)
	if len(list) == 0 {
		w.t.Fatalf("deadline %d is empty", deadline)
	}
	return list[0]
}

func (w *world) miner() string { return w.Miners()[0].String() }

func numbers(t *testing.T, f bitfield.BitField) []uint64 {
	t.Helper()
	list, err := f.All(1000)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAPostIsTakenAndItsPartitionConfirmed(t *testing.T) {
	w := opened(t, Config{})
	m, control := w.Miners()[0], w.key("control")
	before := get[MinerPower](w, "StateMinerPower", m, nil)
	c := w.send(control, m, 5, w.postParams(m, firstDeadline, goodProof, bitfield.New(), 0))
	w.pass(1)
	if found := get[*MsgLookup](w, "StateSearchMsg", nil, c, -1, true); found != nil {
		t.Error("the receipt was there in the tipset that has the message")
	}
	w.pass(1)
	if r := w.receipt(c); r.ExitCode != 0 {
		t.Fatalf("exit code %d", r.ExitCode)
	}
	if posted := numbers(t, get[[]Deadline](w, "StateMinerDeadlines", m, nil)[firstDeadline].PostSubmissions); len(posted) != 1 {
		t.Errorf("partitions posted: %v", posted)
	}
	after := get[MinerPower](w, "StateMinerPower", m, nil)
	if gained := after.MinerPower.RawBytePower.Int64() - before.MinerPower.RawBytePower.Int64(); gained != 4096 {
		t.Errorf("the miner gained %d bytes of power, want those of two sectors", gained)
	}
	w.pass(60)
	got := w.Stats().Total
	want := Tally{Deadlines: 3, DeadlinesDue: 1, PartitionsDue: 1, PartitionsConfirmed: 1, ProofsChecked: 1, Messages: 1}
	got.SectorsAdded = 0
	if got != want {
		t.Errorf("counts\n got %+v\nwant %+v", got, want)
	}
	if f := numbers(t, w.partition(firstDeadline).FaultySectors); len(f) != 0 {
		t.Errorf("sectors %v are faulty", f)
	}
}

func TestAWrongProofIsTakenByTheNetworkAndCountedHere(t *testing.T) {
	w := opened(t, Config{})
	m := w.Miners()[0]
	c := w.send(w.key("worker"), m, 5, w.postParams(m, firstDeadline, badProof, bitfield.New(), 0))
	w.pass(2)
	if r := w.receipt(c); r.ExitCode != 0 {
		t.Errorf("exit code %d; the network is optimistic", r.ExitCode)
	}
	if got := w.Stats().Total; got.ProofsChecked != 1 || got.ProofsInvalid != 1 {
		t.Errorf("counts %+v", got)
	}
}

func TestAPostForAnotherDeadlineIsRefusedBeforeItIsSent(t *testing.T) {
	w := opened(t, Config{})
	m, worker := w.Miners()[0], w.key("worker")
	params := w.postParams(m, firstDeadline+1, goodProof, bitfield.New(), 0)
	msg := Message{To: m, From: worker.Address, Method: 5, Params: params, Value: abi.NewTokenAmount(0), GasFeeCap: abi.NewTokenAmount(0), GasPremium: abi.NewTokenAmount(0)}
	_, r := w.ask("/rpc/v1", "", "GasEstimateMessageGas", msg, nil, nil)
	want := "message execution failed (exit=[ErrIllegalArgument(16)], vm error=[message failed with backtrace:\n00: f01000 (method 5) -- invalid deadline 3 at epoch 66, expected 2 (16)\n (RetCode=16)])"
	if r.Error == nil || r.Error.Code != 3 || r.Error.Message != want || string(r.Error.Data) != `"0x"` {
		t.Errorf("estimate: %+v\nwant %s", r.Error, want)
	}
	c := w.send(worker, m, 5, params)
	w.pass(2)
	if rec := w.receipt(c); rec.ExitCode != 16 || rec.GasUsed == 0 {
		t.Errorf("receipt %+v, want exit code 16 and gas", rec)
	}
	if n := get[uint64](w, "MpoolGetNonce", worker.Address); n != 1 {
		t.Errorf("nonce %d; a failed message uses its own", n)
	}
	if got := w.Stats().Total; got.Messages != 1 || got.MessagesFailed != 1 || got.ProofsChecked != 0 {
		t.Errorf("counts %+v", got)
	}
}

func TestAMissedDeadlineIsFaultyAndCanBeRecovered(t *testing.T) {
	w := opened(t, Config{})
	m, control := w.Miners()[0], w.key("control")
	w.pass(61)
	if f := numbers(t, w.partition(firstDeadline).FaultySectors); len(f) != 2 {
		t.Fatalf("faulty sectors %v, want both", f)
	}
	if got := w.Stats().Total; got.PartitionsMissed != 1 || got.PartitionsDue != 1 {
		t.Errorf("counts %+v", got)
	}
	both := bitfield.NewFromSet([]uint64{0, 1})
	c := w.send(control, m, 11, encoded(t, &miner.DeclareFaultsRecoveredParams{
		Recoveries: []miner.RecoveryDeclaration{{Deadline: firstDeadline, Partition: 0, Sectors: both}},
	}))
	w.pass(2)
	if r := w.receipt(c); r.ExitCode != 0 {
		t.Fatalf("recovery: exit code %d", r.ExitCode)
	}
	if r := numbers(t, w.partition(firstDeadline).RecoveringSectors); len(r) != 2 {
		t.Errorf("recovering sectors %v, want both", r)
	}
	w.to(firstOpen + 1 + miner.WPoStProvingPeriod)
	w.Mark()
	bad := w.send(control, m, 5, w.postParams(m, firstDeadline, badProof, bitfield.New(), 0))
	w.pass(2)
	if r := w.receipt(bad); r.ExitCode != 16 {
		t.Errorf("a wrong proof of recovering sectors: exit code %d, want 16", r.ExitCode)
	}
	good := w.send(control, m, 5, w.postParams(m, firstDeadline, goodProof, bitfield.New(), 0))
	w.pass(2)
	if r := w.receipt(good); r.ExitCode != 0 || r.GasUsed < gasPostVerified {
		t.Errorf("the recovering post: %+v; it is verified at once and costs for it", r)
	}
	if f := numbers(t, w.partition(firstDeadline).FaultySectors); len(f) != 0 {
		t.Errorf("sectors %v are still faulty", f)
	}
	w.pass(60)
	if got := w.Stats().Total; got.PartitionsDue != 1 || got.PartitionsConfirmed != 1 || got.ProofsInvalid != 0 {
		t.Errorf("counts %+v", got)
	}
}

func TestASkippedSectorIsFaultyAndThePartitionConfirmed(t *testing.T) {
	w := opened(t, Config{})
	m := w.Miners()[0]
	c := w.send(w.key("worker"), m, 5, w.postParams(m, firstDeadline, goodProof, bitfield.NewFromSet([]uint64{1}), 0))
	w.pass(2)
	if r := w.receipt(c); r.ExitCode != 0 {
		t.Fatalf("exit code %d", r.ExitCode)
	}
	if f := numbers(t, w.partition(firstDeadline).FaultySectors); len(f) != 1 || f[0] != 1 {
		t.Errorf("faulty sectors %v, want 1", f)
	}
	w.pass(60)
	if got := w.Stats().Total; got.SectorsSkipped != 1 || got.PartitionsConfirmed != 1 || got.PartitionsMissed != 0 {
		t.Errorf("counts %+v", got)
	}
}

func TestOnlyTheMinersOwnAccountsMayPost(t *testing.T) {
	w := opened(t, Config{Miners: 2})
	stranger, err := ReadKey(w.KeyFile("owner", w.Miners()[1]))
	if err != nil {
		t.Fatal(err)
	}
	m := w.Miners()[0]
	c := w.send(stranger, m, 5, w.postParams(m, firstDeadline, goodProof, bitfield.New(), 0))
	w.pass(2)
	if r := w.receipt(c); r.ExitCode != 18 {
		t.Errorf("exit code %d, want 18", r.ExitCode)
	}
}

func TestWhatAMinerDoesNotKnowIsUnhandled(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	c := w.send(w.key("owner"), w.Miners()[0], 99, nil)
	w.pass(2)
	if r := w.receipt(c); r.ExitCode != 22 {
		t.Errorf("exit code %d, want 22", r.ExitCode)
	}
}

func TestSectorsArriveEvenlyAndNeverInALockedDeadline(t *testing.T) {
	w := start(t, Config{Sectors: -1, Onboard: 96})
	m := w.Miners()[0]
	known := map[uint64]bool{}
	for w.Epoch() < 300 {
		w.pass(1)
		for _, s := range get[[]*miner.SectorOnChainInfo](w, "StateMinerSectors", m, nil, nil) {
			n := uint64(s.SectorNumber)
			if known[n] {
				continue
			}
			known[n] = true
			at := get[SectorLocation](w, "StateSectorPartition", m, n, nil)
			list, err := w.Deadlines(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			if open := list[at.Deadline].Open; open-s.Activation <= 60 {
				t.Errorf("sector %d of epoch %d came into deadline %d, which opens at %d", n, s.Activation, at.Deadline, open)
			}
		}
	}
	if len(known) != 9 && len(known) != 10 {
		t.Errorf("%d sectors in 300 epochs, want one in 30", len(known))
	}
}

func TestGenesisSpreadsItsSectorsOverAllMutableDeadlines(t *testing.T) {
	w := start(t, Config{})
	list, err := w.Deadlines(t.Context(), w.Miners()[0])
	if err != nil {
		t.Fatal(err)
	}
	first := abi.ChainEpoch(1 << 40)
	for _, d := range list {
		want := uint64(2)
		if d.Index < 2 {
			want = 0
		}
		if d.Live != want || d.Unproven != want {
			t.Errorf("deadline %d: %+v, want %d sectors", d.Index, d, want)
		}
		if d.Live > 0 {
			first = min(first, d.Open)
		}
	}
	if first < 65 || first > 75 {
		t.Errorf("the first deadline opens at epoch %d", first)
	}
}

func TestTheChainGoesOnWhereItWasCutOff(t *testing.T) {
	dir := t.TempDir()
	w := opened(t, Config{Dir: dir, Onboard: 96, NullRounds: 0.2})
	m, worker := w.Miners()[0], w.key("worker")
	posted := w.send(worker, m, 5, w.postParams(m, firstDeadline, goodProof, bitfield.New(), 0))
	w.pass(5)
	waiting := w.send(worker, m, 99, nil)
	head, token := get[TipSet](w, "ChainHead"), w.Token()
	deadlines, _ := w.Deadlines(t.Context(), m)
	w.stop()

	w = start(t, Config{Dir: dir, Onboard: 96, NullRounds: 0.2})
	if again := get[TipSet](w, "ChainHead"); again.Cids[0] != head.Cids[0] {
		t.Fatalf("the head was %s at %d, now it is %s at %d", head.Cids[0], head.Height, again.Cids[0], again.Height)
	}
	if w.Token() != token || w.Miners()[0] != m || w.key("worker").Address != worker.Address {
		t.Error("token, miner or key changed")
	}
	if now, _ := w.Deadlines(t.Context(), m); len(now) != 48 || now[firstDeadline] != deadlines[firstDeadline] {
		t.Errorf("deadline %+v was %+v", now[firstDeadline], deadlines[firstDeadline])
	}
	if r := w.receipt(posted); r.ExitCode != 0 {
		t.Errorf("the post's receipt: %+v", r)
	}
	w.pass(1) // the tipset that has the message, however many null rounds come first
	w.pass(1) // the one that has its receipt
	if r := w.receipt(waiting); r.ExitCode != 22 {
		t.Errorf("the message that waited: %+v", r)
	}
	next := get[TipSet](w, "ChainGetTipSetAfterHeight", head.Height+1, nil)
	if next.Blocks[0].Parents[0] != head.Cids[0] {
		t.Error("the chain does not go on from its head")
	}
	if got := w.Stats(); got.Since != head.Height || got.Total.Messages != 1 {
		t.Errorf("counts since the restart: %+v", got)
	}
	if open := w.refusalToOpen(dir); !strings.Contains(open, "does another devnet use it?") {
		t.Errorf("a second process on the same folder: %s", open)
	}
}

func (w *world) refusalToOpen(dir string) string {
	w.t.Helper()
	n, err := Open(w.t.Context(), Config{Dir: dir, Manual: true, Verify: byWord, Sector: sectorOfWords})
	if err == nil {
		n.Close()
		w.t.Fatal("two networks have the same folder")
	}
	return err.Error()
}

func TestAReorgTakesBackAPostAndItsMessageLandsAgain(t *testing.T) {
	w := opened(t, Config{})
	m := w.Miners()[0]
	c := w.send(w.key("worker"), m, 5, w.postParams(m, firstDeadline, goodProof, bitfield.New(), 0))
	w.pass(2)
	was := get[*MsgLookup](w, "StateSearchMsg", nil, c, -1, true)
	challenge := get[[]byte](w, "StateGetRandomnessFromBeacon", 4, 46, nil, nil)
	old := get[TipSet](w, "ChainHead")
	w.Mark()
	if err := w.Reorg(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if got := w.Stats(); got.Since != old.Height-3 {
		t.Errorf("a mark on the branch that is gone: counts are since %d", got.Since)
	}
	w.pass(2)
	now := get[*MsgLookup](w, "StateSearchMsg", nil, c, -1, true)
	if was == nil || now == nil || was.TipSet[0] == now.TipSet[0] || now.Receipt.ExitCode != 0 {
		t.Errorf("the post was in %+v, is in %+v", was, now)
	}
	if got := w.Stats().Total; got.Messages != 1 || got.ProofsChecked != 1 {
		t.Errorf("counts of the branch that stands: %+v", got)
	}
	if again := get[[]byte](w, "StateGetRandomnessFromBeacon", 4, 46, nil, nil); string(again) != string(challenge) {
		t.Error("the beacon changed")
	}
	head := get[TipSet](w, "ChainHead")
	path := get[[]HeadChange](w, "ChainGetPath", old.Cids, head.Cids)
	var steps []string
	for _, p := range path {
		steps = append(steps, p.Type)
	}
	if got := strings.Join(steps, " "); got != "revert revert revert apply apply apply apply apply apply" {
		t.Errorf("path %q", got)
	}
	if get[[]Receipt](w, "ChainGetParentReceipts", old.Cids[0]) == nil {
		t.Error("the old branch cannot be read any more")
	}
}

func TestRandomnessOfANullRoundIsThatOfTheTipsetAfterIt(t *testing.T) {
	w := start(t, Config{Sectors: -1, NullRounds: 0.5})
	w.pass(40)
	nulls := 0
	for e := abi.ChainEpoch(1); e < 39; e++ {
		head := get[TipSet](w, "ChainHead").Cids
		at := get[TipSet](w, "ChainGetTipSetByHeight", e, head)
		after := get[TipSet](w, "ChainGetTipSetAfterHeight", e, head)
		if at.Height > e || after.Height < e {
			t.Fatalf("around %d: %d and %d", e, at.Height, after.Height)
		}
		if at.Height < e {
			nulls++
		}
		got := get[[]byte](w, "StateGetRandomnessFromTickets", 9, e, nil, head)
		if want := drawRandomness(hash256(after.Blocks[0].Ticket.VRFProof), 9, e, nil); string(got) != string(want) {
			t.Errorf("epoch %d: %x, want %x", e, got, []byte(want))
		}
		if n := len(after.Blocks[0].BeaconEntries); abi.ChainEpoch(n) < after.Height-at.Height {
			t.Errorf("the block after %d null rounds has %d beacon entries", after.Height-at.Height-1, n)
		}
	}
	if nulls < 5 {
		t.Errorf("only %d null rounds", nulls)
	}
}

func TestOldTipsetsAreDroppedAndTheStateStaysWhole(t *testing.T) {
	dir := t.TempDir()
	w := start(t, Config{Dir: dir, Sectors: 4})
	w.pass(300)
	if err := w.prune(t.Context(), 200); err != nil {
		t.Fatal(err)
	}
	w.wholeFrom200()
	w.stop()
	w = start(t, Config{Dir: dir})
	w.wholeFrom200()
	w.pass(1)
}

func (w *world) wholeFrom200() {
	t := w.t
	t.Helper()
	if got := w.refusal("ChainGetTipSetByHeight", 100, nil); !strings.Contains(got, "older than what is kept") {
		t.Errorf("a dropped tipset: %s", got)
	}
	for _, e := range []int{200, 250, 299} {
		ts := get[TipSet](w, "ChainGetTipSetByHeight", e, nil)
		if get[[]Partition](w, "StateMinerPartitions", w.miner(), firstDeadline, ts.Cids) == nil {
			t.Errorf("epoch %d: no partition", e)
		}
	}
	if get[TipSet](w, "ChainGetGenesis").Height != 0 {
		t.Error("genesis is gone")
	}
}

// TestAKilledProcessLosesNothingItHasShown opens a copy of the files of a chain
// that was never closed.
func TestAKilledProcessLosesNothingItHasShown(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	w := opened(t, Config{Dir: dir})
	waiting := w.send(w.key("worker"), w.Miners()[0], 99, nil)
	head := get[TipSet](w, "ChainHead")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	again := start(t, Config{Dir: copied})
	if got := get[TipSet](again, "ChainHead"); got.Cids[0] != head.Cids[0] {
		t.Errorf("the head was at %d, in the copy it is at %d", head.Height, got.Height)
	}
	again.pass(2)
	if r := again.receipt(waiting); r.ExitCode != 22 {
		t.Errorf("the message in the pool: %+v", r)
	}
}

func TestEpochsPassByThemselves(t *testing.T) {
	n, err := Open(t.Context(), Config{
		Dir: t.TempDir(), BlockTime: time.Millisecond, Verify: byWord, Sector: sectorOfWords, Onboard: 2880,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	w := &world{Network: n, t: t}
	a := &api{n: n}
	if err := a.waitEpoch(ctx, 30); err != nil {
		t.Error(err)
	}
	for range 20 { // reading while the chain moves
		ts := get[TipSet](w, "ChainHead")
		if at := get[struct{ CurrentEpoch abi.ChainEpoch }](w, "StateMinerProvingDeadline", n.Miners()[0], ts.Cids); at.CurrentEpoch != ts.Height {
			t.Errorf("at tipset %d the epoch is %d", ts.Height, at.CurrentEpoch)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
