package shadow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// world is a chain with a tipset in each epoch but the null ones, a miner with a
// partition in every deadline, which somebody posts six epochs after the opening,
// and a store.
type world struct {
	vigil.Heads
	vigil.MinerState
	vigil.DutyStore
	vigil.AuditStore
	null    map[abi.ChainEpoch]bool
	fails   error // of reading posts
	duties  []vigil.Duty
	audits  []vigil.Audit
	records map[abi.ChainEpoch]vigil.ShadowRecord
	asked   int // for posts
}

func head(epoch abi.ChainEpoch) vigil.Head {
	return vigil.Head{Key: vigil.TipSetKey(fmt.Sprint(epoch)), Epoch: epoch}
}

func epochOf(key vigil.TipSetKey) (epoch abi.ChainEpoch) {
	fmt.Sscan(string(key), &epoch)
	return epoch
}

func deadlineAt(epoch abi.ChainEpoch) vigil.Deadline {
	first := vigil.Deadline{Count: 48, Challenge: -20, Open: 0, Close: 60, FaultCutoff: -70}
	return first.Plus(int(epoch / 60))
}

func (w *world) At(_ context.Context, epoch abi.ChainEpoch, _ vigil.TipSetKey) (vigil.Head, error) {
	for w.null[epoch] {
		epoch--
	}
	return head(epoch), nil
}

func (w *world) Deadline(_ context.Context, _ abi.ActorID, key vigil.TipSetKey) (vigil.Deadline, error) {
	return deadlineAt(epochOf(key)), nil
}

func (w *world) Partitions(context.Context, abi.ActorID, uint64, vigil.TipSetKey) ([]vigil.Partition, error) {
	all := bitfield.NewFromSet([]uint64{1, 2})
	return []vigil.Partition{{All: all, Live: all, Active: all, Faulty: bitfield.New(), Recovering: bitfield.New()}}, nil
}

func (w *world) PostsBefore(_ context.Context, _ abi.ActorID, key vigil.TipSetKey) ([]vigil.MinerPost, error) {
	w.asked++
	if w.fails != nil {
		return nil, w.fails
	}
	parent, _ := w.At(context.Background(), epochOf(key)-1, key)
	d := deadlineAt(parent.Epoch)
	if parent.Epoch != d.Open+6 {
		return nil, nil
	}
	message := cid.MustParse("bafy2bzacea3wsdh6y3a36tb3skempjoxqpuyompjbmfeyf34fi3uy6uue42v4")
	return []vigil.MinerPost{{Deadline: d.Index, Partitions: []vigil.ProvedPartition{{}}, Message: message, Epoch: parent.Epoch, Paid: big.Zero()}}, nil
}

func (w *world) Duties(_ context.Context, _ abi.ActorID, since abi.ChainEpoch) (list []vigil.Duty, err error) {
	for _, d := range w.duties {
		if d.ID.Open >= since {
			list = append(list, d)
		}
	}
	return list, nil
}

func (w *world) Audits(context.Context, abi.ActorID, abi.ChainEpoch) ([]vigil.Audit, error) {
	return w.audits, nil
}

func (w *world) Shadows(_ context.Context, _ abi.ActorID, since abi.ChainEpoch) (list []vigil.ShadowRecord, err error) {
	for open := since; open < since+10_000; open++ {
		if r, ok := w.records[open]; ok {
			list = append(list, r)
		}
	}
	return list, nil
}

func (w *world) SaveShadow(_ context.Context, r vigil.ShadowRecord) error {
	w.records[r.Deadline.Open] = r
	return nil
}

func (w *world) done(open abi.ChainEpoch, state vigil.DutyState) {
	w.duties = append(w.duties, vigil.Duty{
		ID: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: open}, Deadline: deadlineAt(open), Partitions: []uint64{0},
		State: state, Shadow: vigil.ShadowWork{Begun: open - 19, Ready: open - 10, Sent: open + 4},
	})
}

func watchOf(t *testing.T, w *world, log *bytes.Buffer) *Watch {
	t.Helper()
	watch, err := New(Config{
		Heads: w, State: w, Posts: w, Duties: w, Audits: w, Store: w, Miners: []abi.ActorID{1000}, Confidence: func() abi.ChainEpoch { return 5 },
		Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return watch
}

// A node that fails costs heads and no record, what is not settled yet is waited
// for, and what was written is not asked for again, also after a restart.
func TestWhatHasClosedIsWrittenOnce(t *testing.T) {
	w := &world{records: map[abi.ChainEpoch]vigil.ShadowRecord{}, null: map[abi.ChainEpoch]bool{660: true, 661: true, 600: true}}
	var log bytes.Buffer
	watch := watchOf(t, w, &log)
	look := func(epoch abi.ChainEpoch) { watch.visit(t.Context(), watch.miners[0], head(epoch)) }
	w.done(600, vigil.StateProved)
	for epoch := abi.ChainEpoch(655); epoch < 670; epoch++ {
		look(epoch) // it is open, too young, and then not settled by us
	}
	if len(w.records) > 0 || w.asked > 0 {
		t.Fatalf("too early: %+v after %d questions", w.records, w.asked)
	}
	w.duties = nil
	w.done(600, vigil.StateShadowed)
	w.fails = errors.New("the node is away")
	look(670)
	look(671)
	if n := strings.Count(log.String(), "the node is away"); n != 1 || len(w.records) > 0 {
		t.Errorf("a failure is said %d times: %s", n, log.String())
	}
	w.fails = nil
	look(672)
	got := w.records[600]
	if len(w.records) != 1 || len(got.Posts) != 1 || len(got.Partitions) != 1 || got.Partitions[0].Theirs.Epoch != 606 || got.Partitions[0].Ours.Work.Sent != 604 || got.Partitions[0].Due != 2 || !got.Watched {
		t.Fatalf("%+v", w.records)
	}
	asked := w.asked
	look(673)
	watch = watchOf(t, w, &log)
	look(674)
	if w.asked != asked {
		t.Errorf("posts are asked for again: %d times", w.asked-asked)
	}
	w.audits = []vigil.Audit{{Deadline: deadlineAt(600), Partitions: []uint64{0}, Verdict: vigil.AuditDisputable, Problem: "wrong"}}
	look(675)
	if p := w.records[600].Partitions[0].Theirs; p.Verdict != vigil.AuditDisputable || p.Problem != "wrong" {
		t.Errorf("the verdict is not in the record: %+v", p)
	}
	look(740) // the next deadline has closed, and we had nothing of it: it is written all the same
	if r, ok := w.records[660]; !ok || r.Watched {
		t.Errorf("a deadline that we did not see: %+v", r)
	}
}
