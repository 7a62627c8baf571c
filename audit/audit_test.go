package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/audit"
)

const id abi.ActorID = 1000

// world is a chain, a verifier and a store in one: what it holds is what there is.
type world struct {
	vigil.Heads
	vigil.Randomness
	t        *testing.T
	closed   []vigil.ClosedDeadline
	records  map[cid.Cid]vigil.PostRecord
	rows     []vigil.Audit
	asked    []abi.SectorNumber // of the last proof that was verified
	verified int
	fails    error // of verifying
	busy     bool
	miners   []abi.ActorID
	read     int                           // so often was a miner's state asked for
	mute     func(miner abi.ActorID) error // of reading it
	disputed []string
	watch    *audit.Watch
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, records: map[cid.Cid]vigil.PostRecord{}, miners: []abi.ActorID{id}}
	w.restart()
	return w
}

func (w *world) restart() {
	var err error
	w.watch, err = audit.New(audit.Config{
		Judge: audit.Judge{Records: w, Randomness: w, Verifier: w}, Heads: w, Store: w, Every: 10, Log: slog.New(slog.DiscardHandler),
		Miners: func(context.Context, vigil.TipSetKey) ([]abi.ActorID, error) { return w.miners, nil },
		Busy:   func() bool { return w.busy },
		Disputable: func(_ context.Context, a vigil.Audit, stands bool) error {
			w.disputed = append(w.disputed, fmt.Sprint(a.Evidence, " ", stands))
			return nil
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) Closed(_ context.Context, miner abi.ActorID, _ vigil.Head) ([]vigil.ClosedDeadline, error) {
	w.read++
	if w.mute == nil {
		return w.closed, nil
	}
	return w.closed, w.mute(miner)
}

func (w *world) Record(_ context.Context, d vigil.ClosedDeadline) (vigil.PostRecord, error) {
	return w.records[d.Record], nil
}

func (w *world) PostSectors(_ context.Context, _ vigil.ChainPost, set bitfield.BitField) (list []vigil.Sector, err error) {
	err = set.ForEach(func(n uint64) error {
		list = append(list, vigil.Sector{Number: abi.SectorNumber(n)})
		return nil
	})
	return list, err
}

func (w *world) Challenge(context.Context, abi.ActorID, abi.ChainEpoch, vigil.TipSetKey) ([32]byte, error) {
	return [32]byte{1}, nil
}

func (w *world) Verify(_ context.Context, s vigil.Statement, proof []byte) (bool, error) {
	w.verified++
	w.asked = nil
	for _, sector := range s.Sectors {
		w.asked = append(w.asked, sector.Number)
	}
	switch string(proof) {
	case "none":
		return false, fmt.Errorf("a proof of 4 bytes: %w", vigil.ErrMalformed)
	case "bug":
		panic("a bug")
	}
	return string(proof) == "good", w.fails
}

func (w *world) Audits(context.Context, abi.ActorID, abi.ChainEpoch) ([]vigil.Audit, error) {
	return slices.Clone(w.rows), nil
}

func (w *world) SaveAudit(_ context.Context, a vigil.Audit) error {
	w.rows = append(w.rows, a)
	return nil
}

func (w *world) DropAudit(_ context.Context, a vigil.Audit) error {
	w.rows = slices.DeleteFunc(w.rows, func(b vigil.Audit) bool { return a.Evidence == b.Evidence })
	return nil
}

func (w *world) DropAudits(_ context.Context, _ abi.ActorID, closed abi.ChainEpoch) error {
	w.rows = slices.DeleteFunc(w.rows, func(b vigil.Audit) bool { return b.Deadline.Close <= closed })
	return nil
}

// closes adds a deadline that closes at an epoch, with a post for each proof.
func (w *world) closes(epoch abi.ChainEpoch, snapshot string, proofs ...string) {
	d := vigil.Deadline{Index: uint64(epoch / 60 % 48), Count: 48, Challenge: epoch - 80, Open: epoch - 60, Close: epoch, FaultCutoff: epoch - 130}
	hash, err := multihash.Sum([]byte(fmt.Sprint(epoch, snapshot, proofs)), multihash.SHA2_256, -1)
	if err != nil {
		w.t.Fatal(err)
	}
	closed := vigil.ClosedDeadline{Miner: id, Deadline: d, Record: cid.NewCidV1(cid.DagCBOR, hash)}
	record := vigil.PostRecord{Snapshot: snapshot}
	for i, proof := range proofs {
		if proof == "" {
			continue // taken out by a dispute
		}
		record.Posts = append(record.Posts, vigil.ChainPost{
			ClosedDeadline: closed, Index: uint64(i), Proof: []byte(proof), Snapshot: snapshot, Evidence: fmt.Sprint(epoch, snapshot, i, proof),
			Partitions: []vigil.Partition{
				{Index: uint64(2 * i), All: bitfield.NewFromSet([]uint64{1, 2, 3}), Active: bitfield.NewFromSet([]uint64{1, 3})},
				{Index: uint64(2*i + 1), All: bitfield.NewFromSet([]uint64{7}), Active: bitfield.NewFromSet([]uint64{7})},
			},
		})
	}
	w.closed = slices.DeleteFunc(w.closed, func(c vigil.ClosedDeadline) bool { return c.Deadline.Open == d.Open })
	w.closed = append([]vigil.ClosedDeadline{closed}, w.closed...)
	w.records[closed.Record] = record
}

// look lets the watch look at an epoch, and compares the verdicts that are then shown.
func (w *world) look(epoch abi.ChainEpoch, want ...vigil.AuditVerdict) []audit.Shown {
	w.t.Helper()
	w.watch.Round(w.t.Context(), vigil.Head{Epoch: epoch, Key: "k"})
	shown := w.watch.Posts(id)
	var got []vigil.AuditVerdict
	for _, s := range shown {
		got = append(got, s.Verdict)
	}
	if !slices.Equal(got, want) {
		w.t.Fatalf("at epoch %d the verdicts are %q, want %q", epoch, got, want)
	}
	return shown
}

const (
	valid      = vigil.AuditValid
	disputable = vigil.AuditDisputable
	unknown    = vigil.AuditUnknown
)

func TestEachPostIsJudgedOnceWhateverItIs(t *testing.T) {
	w := newWorld(t)
	w.closes(600, "s", "good", "wrong", "none")
	w.closes(660, "s", "good")
	w.look(660, valid, valid, disputable, disputable)
	if want := []abi.SectorNumber{1, 3, 7}; !slices.Equal(w.asked, want) {
		t.Errorf("the sectors asked for are %v, want those that were active, %v", w.asked, want)
	}
	if shown := w.look(670, valid, valid, disputable, disputable); shown[2].Problem == "" || !slices.Equal(shown[2].Partitions, []uint64{2, 3}) {
		t.Errorf("the wrong one: %+v", shown[2])
	}
	w.restart()
	w.look(671, valid, valid, disputable, disputable)
	if w.verified != 4 {
		t.Errorf("%d proofs were verified, want 4", w.verified)
	}
}

func TestADisputedPostIsRememberedAndAReorganisedOneIsNot(t *testing.T) {
	w := newWorld(t)
	w.closes(600, "s", "good", "wrong")
	w.look(600, valid, disputable)
	w.closes(600, "s", "good", "")
	if shown := w.look(610, valid, disputable); !shown[1].Gone {
		t.Error("that it was disputed is not said")
	}
	if want := []string{"600s1wrong true", "600s1wrong false"}; !slices.Equal(w.disputed, want) {
		t.Errorf("asked to dispute %v, want %v", w.disputed, want)
	}
	w.closes(600, "another", "wrong")
	w.look(620, disputable)
	if len(w.rows) != 1 {
		t.Errorf("%d verdicts are stored, want 1", len(w.rows))
	}
	w.closed = nil // the deadline is open again
	w.look(630)
	if len(w.rows) != 0 {
		t.Errorf("%d verdicts are stored, want none", len(w.rows))
	}
}

// The chain's finality is 900 epochs: the longest reorg that there can be changes a
// post that was judged when it was fresh, and the next look sees it.
func TestAReorgIsSeenForAsLongAsThereCanBeOne(t *testing.T) {
	w := newWorld(t)
	w.closes(600, "s", "good")
	w.look(600, valid)
	for epoch := abi.ChainEpoch(610); epoch < 1500; epoch += 10 {
		w.look(epoch, valid)
	}
	w.closes(600, "s", "wrong")
	shown := w.look(1500, disputable)
	if shown[0].Epoch != 1500 || len(w.rows) != 1 || w.verified != 2 {
		t.Errorf("%+v, %d rows, %d verifications", shown[0], len(w.rows), w.verified)
	}
}

func TestAVerdictNamesTheSeedThatItWasFoundWith(t *testing.T) {
	w := newWorld(t)
	w.closes(600, "s", "good", "wrong", "none")
	for _, s := range w.look(600, valid, disputable, disputable) {
		if s.Seed != [32]byte{1} {
			t.Errorf("post %d was judged with %x", s.Index, s.Seed)
		}
	}
	w.fails = errors.New("no key")
	w.closes(660, "s", "good")
	if shown := w.look(660, unknown, valid, disputable, disputable); shown[0].Seed != [32]byte{} {
		t.Errorf("what was not judged names the seed %x", shown[0].Seed)
	}
}

func TestAVerdictIsKeptUntilNobodyCanDispute(t *testing.T) {
	w := newWorld(t)
	w.closes(600, "s", "good")
	w.look(600, valid)
	w.look(2399, valid)
	if len(w.rows) != 1 {
		t.Fatalf("%d verdicts are stored", len(w.rows))
	}
	w.closed = nil
	w.look(2409)
	if len(w.rows) != 0 {
		t.Errorf("%d verdicts are stored, want none", len(w.rows))
	}
}

func TestWhatCannotBeJudgedIsUnknownAndTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.closes(600, "s", "bug", "good")
	if shown := w.look(600, unknown, valid); shown[0].Problem == "" {
		t.Error("it does not say why")
	}
	w.closes(660, "s", "good")
	w.fails = errors.New("no key")
	w.look(660, unknown, unknown, valid)
	if left, unseen := w.watch.Round(t.Context(), vigil.Head{Epoch: 661, Key: "k"}); left+unseen != 0 {
		t.Errorf("%d posts and %d miners are to be tried again at once, want none", left, unseen)
	}
	w.fails = nil
	w.look(719, unknown, unknown, valid)
	w.look(720, valid, unknown, valid)
}

func TestProofsThatAreBeingMadeComeFirst(t *testing.T) {
	w := newWorld(t)
	w.busy = true
	w.closes(600, "s", "good")
	for epoch := abi.ChainEpoch(600); epoch < 840; epoch++ {
		w.look(epoch, unknown)
	}
	w.look(840, valid) // no longer than a deadline or four
}

func TestANodeThatDoesNotAnswerIsNotAskedForEveryMiner(t *testing.T) {
	w := newWorld(t)
	w.miners = nil
	for n := range abi.ActorID(50) {
		w.miners = append(w.miners, id+n)
	}
	w.mute = func(abi.ActorID) error { return errors.New("no connection") }
	w.closes(600, "s", "good")
	round := func(epoch abi.ChainEpoch, unseen, read int) {
		t.Helper()
		w.read = 0
		if _, got := w.watch.Round(t.Context(), vigil.Head{Epoch: epoch, Key: "k"}); got != unseen || w.read != read {
			t.Errorf("at epoch %d: %d miners unseen after %d questions, want %d after %d", epoch, got, w.read, unseen, read)
		}
	}
	round(600, 50, 3)
	round(600, 50, 3) // a tick, without a new head
	w.mute = nil
	round(601, 0, 50)
	round(602, 0, 0)
	round(611, 0, 50)
	w.mute = func(miner abi.ActorID) error {
		if miner < id+3 {
			return errors.New("a state of another form")
		}
		return nil
	}
	round(621, 6, 47) // from the seventh on: behind the three it stops
	round(622, 3, 6)  // and begins behind them
	round(623, 3, 3)
}
