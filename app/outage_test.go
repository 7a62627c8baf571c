package app

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/proof"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/devnet"
)

// fakeProofs prove sectors of a size that the devnet has no files of.
type fakeProofs struct{ hashProofs }

func (fakeProofs) Prove(_ context.Context, r vigil.ProveRequest) ([]byte, error) {
	var sectors []proof.SectorInfo
	for _, s := range r.Statement.Sectors {
		sectors = append(sectors, proof.SectorInfo{SealProof: s.SealProof, SectorNumber: s.Number, SealedCID: s.SealedCID})
	}
	return devnet.FakeProof(r.Statement.Randomness[:], sectors)
}

func (p fakeProofs) Verify(ctx context.Context, s vigil.Statement, given []byte) (bool, error) {
	want, err := p.Prove(ctx, vigil.ProveRequest{Statement: s})
	return slices.Equal(want, given), err
}

// A miner whose daemon was off for a proving period has no power left. Every
// sector is recovered at its next deadline whose cutoff can still be kept, in
// messages that fit the limits, and the daemon knows it.
func TestAfterAnOutageEverySectorIsRecoveredAtItsNextDeadline(t *testing.T) {
	t.Run("8 sectors", func(t *testing.T) {
		theOutage(t, flockOf{sectors: 8}, outageLimits{sectors: 1, partitions: 4})
	})
	t.Run("100000 sectors of 32 GiB", func(t *testing.T) {
		if os.Getenv("VIGIL_LONG") == "" {
			t.Skip("it takes some minutes: set VIGIL_LONG=1")
		}
		theOutage(t, flockOf{sectors: 100_000, sizes: []abi.SectorSize{32 << 30}}, outageLimits{sectors: 1_000, partitions: 43})
	})
}

// outageLimits are the most sectors in a message, and how many partitions there are.
type outageLimits struct{ sectors, partitions int }

func theOutage(t *testing.T, of flockOf, limits outageLimits) {
	of.change = func(c *Config) { c.Schedule.DeclareSectors = limits.sectors }
	f, _ := newScene(t, of)
	f.stop()
	if len(of.sizes) > 0 {
		fake := fakeProofs{}
		f.tools.maths, f.tools.sectors = fake, fake
	}
	if err := f.chain.Advance(t.Context(), int(provingPeriod)); err != nil {
		t.Fatal(err)
	}
	if now := f.standing(); now.Faulty != uint64(of.sectors) {
		t.Fatalf("%d of %d sectors are faulty after the outage", now.Faulty, of.sectors)
	}
	f.chain.Mark()
	f.start(f.config, f.tools)
	f.eachAtItsNextDeadline()

	for _, id := range f.wantRecoveries(of.sectors, limits) {
		t.Error(id)
	}
	s := f.chain.Stats()
	if s.Total.ProofsInvalid != 0 || s.Total.MessagesFailed != 0 {
		t.Errorf("%d wrong proofs, %d failed messages", s.Total.ProofsInvalid, s.Total.MessagesFailed)
	}
	if log := f.log.String(); strings.Count(log, "the power of recovered sectors is back") == 0 || strings.Contains(log, "have no power") {
		t.Errorf("the daemon says\n%s", tail(log, 4_000))
	}
}

// eachAtItsNextDeadline lets a proving period pass, and looks at each deadline
// when the first occurrence has closed that the daemon could still declare for.
func (f *flock) eachAtItsNextDeadline() {
	f.t.Helper()
	const reading = 8 // the cutoff must be so far ahead that there is time to read, send and include
	due := map[uint64]abi.ChainEpoch{}
	last := abi.ChainEpoch(0)
	for _, d := range f.deadlines() {
		if d.Live == 0 {
			continue
		}
		shut := d.Close
		if f.chain.Epoch()+reading >= d.Open-70 {
			shut += provingPeriod
		}
		due[d.Index] = shut
		last = max(last, shut)
	}
	for f.chain.Epoch() < last+12 { // until the last end is believed
		f.through(f.chain.Epoch() + 10)
		for _, d := range f.deadlines() {
			if shut, waits := due[d.Index]; waits && f.chain.Epoch() > shut {
				if delete(due, d.Index); d.Faulty != 0 {
					f.t.Fatalf("deadline %d closed at %d, and %d of %d sectors are faulty; the daemon says\n%s", d.Index, shut, d.Faulty, d.Live, tail(f.log.String(), 12_000))
				}
			}
		}
	}
}

func (f *flock) deadlines() []devnet.DeadlineView {
	f.t.Helper()
	list, err := f.chain.Deadlines(f.t.Context(), f.miner())
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

// wantRecoveries says what is not as it should be in the recoveries' rows.
func (f *flock) wantRecoveries(sectors int, limits outageLimits) (wrong []string) {
	f.t.Helper()
	duties, err := f.daemon.store.Duties(f.t.Context(), 1000, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	var returned, messages, alone int
	for _, d := range duties {
		switch {
		case d.ID.Kind == vigil.KindPost && d.State == vigil.StateConfirmed && len(d.Partitions) == 1:
			alone++
		case d.ID.Kind != vigil.KindRecover:
		case d.State != vigil.StateConfirmed || d.Returned == nil || *d.Returned != len(d.Sectors) || len(d.Sectors) > limits.sectors:
			wrong = append(wrong, fmt.Sprintf("%s is %s with %d sectors, %v returned", d.ID, d.State, len(d.Sectors), d.Returned))
		default:
			messages++
			returned += *d.Returned
		}
	}
	each := int(math.Ceil(float64(sectors) / float64(limits.partitions) / float64(limits.sectors)))
	if returned != sectors || messages < limits.partitions || messages > limits.partitions*each || alone < limits.partitions {
		wrong = append(wrong, fmt.Sprintf("%d sectors returned with %d messages and %d posts of one partition", returned, messages, alone))
	}
	return wrong
}
