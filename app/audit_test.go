package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/devnet"
)

// audited is what the daemon says of the post of the n-th deadline with sectors, if anything.
func (f *flock) audited(n int) vigil.AuditStatus {
	for _, m := range f.daemon.Status().Miners {
		for _, a := range m.Audits {
			if a.Until == opens(n)+60+vigil.DisputeWindow {
				return a
			}
		}
	}
	return vigil.AuditStatus{}
}

// verdict waits, without letting an epoch pass, until the post of the n-th
// deadline is judged.
func (f *flock) verdict(n int) vigil.AuditStatus {
	f.t.Helper()
	for {
		if a := f.audited(n); a.Verdict == vigil.AuditValid || a.Verdict == vigil.AuditDisputable {
			return a
		}
		f.pause(flockEpoch / 10)
	}
}

// faulty counts the first miner's faulty sectors, by the chain.
func (f *flock) faulty() uint64 {
	f.t.Helper()
	var set bitfield.BitField
	f.ask(&set, "StateMinerFaults", f.chain.Miners()[0], nil)
	n, err := set.Count()
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// unable is a workshop whose prover fails, so that others post.
func (w *workshop) unable() {
	w.let(func(_ context.Context, at step, _ abi.SectorNumber) error {
		if at == proving {
			return errors.New("out of order")
		}
		return nil
	})
}

func TestAWrongPostIsFoundBeforeItIsDisputed(t *testing.T) {
	f, w := newScene(t, flockOf{sectors: 92, disputer: true})
	w.unable()
	f.to(opens(0) + 1)
	if _, err := f.chain.WrongPost(t.Context(), f.chain.Miners()[0], 0); err != nil {
		t.Fatal(err)
	}
	f.to(opens(0) + 4)
	w.lose(3) // of the two sectors of the second deadline
	f.to(opens(1))
	got := f.verdict(0)
	if got.Verdict != vigil.AuditDisputable || got.Problem == "" || got.Message != "" {
		t.Errorf("the wrong post: %+v", got)
	}
	if n := f.chain.DisputesSent(); n != 0 {
		t.Errorf("it was disputed %d times before", n)
	}
	if !strings.Contains(f.log.String(), "a post on chain can be disputed by anybody") || !strings.Contains(f.log.String(), "vigil check --deadline") {
		t.Error("the log does not say what to do")
	}
	f.to(opens(2))
	if n := f.chain.DisputesSent(); n != 1 {
		t.Errorf("it was disputed %d times", n)
	}
	if got := f.verdict(1); got.Verdict != vigil.AuditValid || got.Message == "" || !strings.HasSuffix(got.Duty, "/0") {
		t.Errorf("our own post without a sector: %+v", got)
	}
	if n := f.faulty(); n != 3 {
		t.Errorf("%d sectors are faulty, want two that were disputed and one that was skipped", n)
	}
	f.when("the dispute is shown", func() bool { return strings.Contains(f.audited(0).Problem, "it was disputed") })
}

// theVerdictIsTold sees that vigil why tells of a duty's verdict, and with which seed it was found.
func theVerdictIsTold(t *testing.T, f *flock, a vigil.AuditStatus) {
	t.Helper()
	past, err := OpenPast(t.Context(), f.config.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer past.Close()
	story, err := past.Why(t.Context(), vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: opens(0)})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("was judged with the challenge seed %s of epoch %d: its proof is right", a.Seed, opens(0)-20)
	if len(a.Seed) != 64 || !strings.Contains(timelineOf(story), want) {
		t.Errorf("it does not say %q:\n%s", want, timelineOf(story))
	}
}

func TestAVerdictOutlivesARestartAndNoReorg(t *testing.T) {
	notUnderRace(t)
	f, w := newScene(t, flockOf{sectors: 92})
	f.to(opens(1))
	first := f.verdict(0)
	if first.Verdict != vigil.AuditValid {
		t.Fatalf("our own post: %+v", first)
	}
	var verified atomic.Int64
	w.let(func(_ context.Context, at step, _ abi.SectorNumber) error {
		if at == verifying {
			verified.Add(1)
		}
		return nil
	})
	f.restart()
	if got := f.verdict(0); got != first || verified.Load() > 0 {
		t.Errorf("after a restart: %+v after %d verifications, want %+v and none", got, verified.Load(), first)
	}
	// Off, so that it does not send its post again on the other fork.
	f.stop()
	theVerdictIsTold(t, f, first)
	ctx := t.Context()
	depth := int(f.chain.Epoch() - opens(0) - 1)
	if err := f.chain.Reorganise(ctx, devnet.Reorganisation{Depth: depth, Length: 3, Lose: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.chain.WrongPost(ctx, f.chain.Miners()[0], 0); err != nil {
		t.Fatal(err)
	}
	if err := f.chain.Advance(ctx, int(opens(1)+1-f.chain.Epoch())); err != nil {
		t.Fatal(err)
	}
	f.start(f.config, f.tools)
	f.when("the post of the other fork is judged", func() bool { return f.audited(0).Verdict == vigil.AuditDisputable })
	if n := len(f.daemon.Status().Miners[0].Audits); n != 1 {
		t.Errorf("%d posts are shown, where the chain has 1", n)
	}
}
