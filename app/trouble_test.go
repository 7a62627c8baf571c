package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/network"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/devnet"
)

// What befalls a daemon besides its nodes, told to the whole of it; each
// scenario has a deadline to itself. docs/scenarios.md has the list.

// opens is when the n-th deadline with sectors opens, from 0 on.
func opens(n int) abi.ChainEpoch { return firstDeadline + 60*abi.ChainEpoch(n) }

// when lets epochs pass until something is so.
func (f *flock) when(what string, so func() bool) {
	f.t.Helper()
	for range 100 {
		if so() {
			return
		}
		f.pass()
	}
	f.t.Fatalf("not in 100 epochs: %s; the daemon says\n%s", what, tail(f.log.String(), 12_000))
}

// inTheMiddle is a workshop in which the daemon gets stuck at a step, so that
// it can be ended there. It says whether it is stuck.
func (w *workshop) inTheMiddle(at step) (stuck func() bool) {
	var reached atomic.Bool
	w.let(func(ctx context.Context, now step, _ abi.SectorNumber) error {
		if now != at {
			return nil
		}
		reached.Store(true)
		<-ctx.Done()
		return ctx.Err()
	})
	return reached.Load
}

// The daemon is ended at each step of its work and started again: nothing is
// posted twice, nothing is missed. (Package main kills it as a process.)
func TestRestartAtEveryStep(t *testing.T) {
	steps := []any{
		reading, proving, verifying, vigil.StateProved, signing, vigil.StateSubmitted,
		vigil.MessagePublished, vigil.MessageIncluded, vigil.MessageConfirmed, vigil.StateConfirmed,
	}
	f, w := newScene(t, flockOf{sectors: 2 * len(steps)})
	for n, at := range steps {
		open := opens(n)
		f.to(open - 21)
		switch at := at.(type) {
		case step:
			f.patience = 2 * flockEpoch // it is not waited for that it goes on
			f.when(string(at), w.inTheMiddle(at))
			f.patience = usualPatience
		case vigil.DutyState:
			f.when(string(at), func() bool { return f.duty(open).Row.State == at })
		case vigil.MessageState:
			f.when(string(at), func() bool { return f.duty(open).Message == at })
		}
		t.Logf("epoch %d: ended when: %s", f.chain.Epoch(), at)
		f.stop()
		w.let(nil)
		f.start(f.config, f.tools)
		f.to(open + 25)
	}
	f.to(opens(len(steps)) + 2)
	f.want("every deadline", uint64(len(steps)), 0)
	if s := f.chain.Stats().Total; s.Messages != uint64(len(steps)) {
		t.Errorf("%d messages for %d partitions", s.Messages, len(steps))
	}
}

// Each method that the daemon calls fails, so often that asking again at once
// does not help: when it starts, reads and proves, when it submits and when it
// waits. Four of them share a deadline.
func TestEveryCallSiteFails(t *testing.T) {
	notUnderRace(t)
	f, _ := newScene(t, flockOf{sectors: 92})
	f.to(opens(0) + 30)
	methods := slices.Sorted(maps.Keys(f.lines[0].Calls()))
	hits, n := map[string]int{}, 1
	f.patience = time.Second // a message that cannot be sent now is sent at the next head
	for some := range slices.Chunk(methods, 4) {
		open := opens(n)
		for _, moment := range []abi.ChainEpoch{open - 20, open - 1, open + 3, open + 6, open + 12} {
			f.to(moment)
			f.failing(hits, some...)
			if moment == open-20 {
				f.restart() // some are called at the start only
			}
		}
		f.to(open + 30)
		f.failing(hits)
		n++
	}
	f.to(opens(n) + 2)
	f.want("every deadline", uint64(n), 0)
	t.Logf("calls that failed: %v", hits)
	for _, method := range methods {
		if hits[method] == 0 {
			t.Errorf("%s was never called while it was to fail", method)
		}
	}
}

// failing lets the next calls of these methods fail, and no others any more; it
// counts what became of those that were to fail before.
func (f *flock) failing(hits map[string]int, methods ...string) {
	f.t.Helper()
	for _, report := range f.chain.Faults() {
		hits[report.Method] += report.Hits
	}
	f.chain.Heal("")
	for _, method := range methods {
		if err := f.chain.Fail(devnet.Fault{Kind: devnet.FaultError, Method: method, Times: 4}); err != nil {
			f.t.Fatal(err)
		}
	}
}

// A reorganisation takes back what has just happened, with its messages back in
// the pool or lost.
func TestReorgAcross(t *testing.T) {
	rows := []struct {
		what  string
		at    func(f *flock, open abi.ChainEpoch) bool
		depth int
	}{
		{"the challenge", func(f *flock, open abi.ChainEpoch) bool { return f.duty(open).Row.State == vigil.StateProved }, 3},
		{"the opening, the post sent", func(f *flock, open abi.ChainEpoch) bool { return f.duty(open).Message == vigil.MessagePublished }, 6},
		{"the inclusion", func(f *flock, open abi.ChainEpoch) bool { return f.duty(open).Message == vigil.MessageIncluded }, 4},
		{"what was confirmed", func(f *flock, open abi.ChainEpoch) bool { return f.duty(open).Row.State == vigil.StateConfirmed }, 30},
		{"the close", func(f *flock, open abi.ChainEpoch) bool { return f.chain.Epoch() == open+61 }, 5},
	}
	for _, lose := range []bool{false, true} {
		t.Run(fmt.Sprintf("messages lost %v", lose), func(t *testing.T) {
			if lose && os.Getenv("VIGIL_LONG") == "" {
				t.Skip("the harmless kind is enough for now; VIGIL_LONG=1 has both")
			}
			f, _ := newScene(t, flockOf{sectors: 2 * len(rows)})
			for n, row := range rows {
				open := opens(n)
				f.to(open - 21)
				f.when(row.what, func() bool { return row.at(f, open) })
				t.Logf("epoch %d, %d deep, across %s", f.chain.Epoch(), row.depth, row.what)
				if err := f.chain.Reorganise(t.Context(), devnet.Reorganisation{Depth: row.depth, Lose: lose}); err != nil {
					t.Fatal(err)
				}
				f.to(open + 30)
			}
			f.to(opens(len(rows)) + 2)
			s := f.chain.Stats().Total
			if s.PartitionsConfirmed != uint64(len(rows)) || s.PartitionsMissed != 0 || s.ProofsInvalid != 0 {
				t.Errorf("%+v; the daemon says\n%s", s, tail(f.log.String(), 12_000))
			}
			if s.MessagesFailed > 2 { // of the two branches that begin before the opening: there the message comes too early
				t.Errorf("%d messages failed", s.MessagesFailed)
			}
		})
	}
}

// A message that was sent is forgotten by the pool, vanishes on its way, has
// its nonce taken by somebody else's, or fails because somebody else posted.
func TestMessage(t *testing.T) {
	rows := []struct {
		what   string
		strike func(f *flock) error
		failed uint64
	}{
		{"dropped", func(f *flock) error { _, err := f.chain.Drop(f.t.Context(), cid.Undef); return err }, 0},
		{"replaced", func(f *flock) error { _, err := f.chain.Rival(f.t.Context(), "control", f.miner()); return err }, 0},
		{"failed", postTheSame, 1},
	}
	for _, row := range rows {
		t.Run(row.what, func(t *testing.T) {
			f, _ := newScene(t, flockOf{sectors: 4})
			f.to(opens(0))
			if err := f.chain.HoldMessages(f.key("control").Address, 10); err != nil { // while it waits something happens to it
				t.Fatal(err)
			}
			f.when("sent", func() bool { return f.duty(opens(0)).Message == vigil.MessagePublished })
			if err := row.strike(f); err != nil {
				t.Fatal(err)
			}
			f.to(opens(1) + 62)
			s := f.chain.Stats().Total
			if s.PartitionsConfirmed != 2 || s.PartitionsMissed != 0 || s.ProofsInvalid != 0 || s.MessagesFailed != row.failed {
				t.Errorf("%+v; the daemon says\n%s", s, tail(f.log.String(), 12_000))
			}
			if d := f.duty(opens(0)); d.Row.State != vigil.StateConfirmed {
				t.Errorf("the duty is %s: %s", d.Row.State, d.Row.Problem)
			}
		})
	}
	t.Run("lost", func(t *testing.T) {
		f, _ := newScene(t, flockOf{sectors: 2})
		f.to(opens(0) + 2)
		if err := f.chain.LoseMessages(1, 10); err != nil {
			t.Fatal(err)
		}
		f.to(opens(0) + 62)
		f.want("lost", 1, 0)
	})
}

// postTheSame sends what the daemon has sent from another account of the miner.
func postTheSame(f *flock) error {
	var waiting []devnet.SignedMessage
	f.ask(&waiting, "MpoolPending", nil)
	if len(waiting) != 1 {
		return fmt.Errorf("%d messages wait", len(waiting))
	}
	m := waiting[0].Message
	m.GasPremium = big.NewInt(200_000)
	f.send("owner", m)
	return nil
}

// Two daemons have the same keys and do not know of each other.
func TestTwoInstances(t *testing.T) {
	f, _ := newScene(t, flockOf{sectors: 6})
	second := f.config
	second.Data = filepath.Join(t.TempDir(), "second")
	log := &journal{}
	twin, err := assemble(t.Context(), second, slog.New(slog.NewTextHandler(log, nil)), func(*Daemon) (tools, error) { return f.tools, nil })
	if err != nil {
		t.Fatal(err)
	}
	runs(t, twin.Run)
	f.patience = 2 * flockEpoch // a message waits for epochs while the other's stand in the pool
	f.to(opens(3) + 2)
	s := f.chain.Stats().Total
	t.Logf("%d messages, %d of them failed", s.Messages, s.MessagesFailed)
	if s.PartitionsConfirmed != 3 || s.PartitionsMissed != 0 || s.ProofsInvalid != 0 {
		t.Errorf("%+v; one says\n%s\nthe other says\n%s", s, tail(f.log.String(), 6000), tail(log.String(), 6000))
	}
}

// A prover that hangs costs its own deadline and no other, and is let go at the
// close; one that crashes, or whose proofs are wrong, is asked again.
func TestProver(t *testing.T) {
	const tries = 3
	some := func(do func(ctx context.Context) error) func(context.Context, step, abi.SectorNumber) error {
		left := tries
		return func(ctx context.Context, at step, _ abi.SectorNumber) error {
			if at != proving || left == 0 {
				return nil
			}
			left--
			return do(ctx)
		}
	}
	t.Run("hangs", func(t *testing.T) {
		f, w := newScene(t, flockOf{sectors: 4})
		f.to(opens(0) - 21)
		f.patience = 2 * flockEpoch // a proof that hangs is not waited for
		f.when("the proof hangs", w.inTheMiddle(proving))
		w.let(nil) // the next ones do not
		f.patience = flockEpoch / 4
		f.to(opens(0) + 62)
		f.patience = usualPatience
		f.to(opens(1) + 62)
		f.want("hangs", 1, 1)
		f.says("why", "missed", "duty=t01000/66/0", "reason=not_proved")
	})
	for _, row := range []struct {
		what string
		do   func(ctx context.Context) error
		says []string
	}{
		{"crashes", func(context.Context) error { panic("out of memory") }, []string{"a bug stopped the task", "out of memory"}},
		{"is wrong", func(context.Context) error { return errWrong }, []string{"does not verify", "it is made again"}},
		{"fails", func(context.Context) error { return io.ErrUnexpectedEOF }, []string{"will be tried again", "unexpected EOF"}},
	} {
		t.Run(row.what, func(t *testing.T) {
			f, w := newScene(t, flockOf{sectors: 4})
			w.let(some(row.do))
			f.to(opens(1) + 62)
			f.want(row.what, 2, 0)
			f.says(row.what, row.says...)
		})
	}
}

// The machine was suspended, or its clock set: the daemon finds itself many
// epochs later, in the middle of a deadline.
func TestClockJump(t *testing.T) {
	f, _ := newScene(t, flockOf{sectors: 10})
	for n, row := range []struct {
		what     string
		from, to abi.ChainEpoch // relative to the opening
	}{
		{"over the challenge", -21, -5},
		{"over the opening, nothing proved", -21, 20},
		{"over the opening, the proof made", -2, 20},
		{"to shortly before the close", -21, 60 - 8},
		{"over the inclusion", 5, 40},
	} {
		f.to(opens(n) + row.from)
		t.Logf("epoch %d: %s", f.chain.Epoch(), row.what)
		f.leap(row.to - row.from)
		f.to(opens(n) + max(row.to, 38))
	}
	f.to(opens(5) + 2)
	f.want("every deadline", 5, 0)
}

// The network changes the type of its proofs in the middle of a deadline.
func TestUpgradeBoundary(t *testing.T) {
	for _, row := range []struct {
		what string
		at   abi.ChainEpoch // relative to the opening
		long bool           // only with VIGIL_LONG=1
	}{
		{"before the challenge", -21, true}, {"when it is challenged", -19, false}, {"proved, before the opening", -8, false}, {"at the opening", 0, true},
		{"while the post waits", 5, false}, {"when it is included", 6, true}, {"before the close", 58, true},
	} {
		t.Run(row.what, func(t *testing.T) {
			if row.long && os.Getenv("VIGIL_LONG") == "" {
				t.Skip("some moments are enough for now; VIGIL_LONG=1 has all")
			}
			f, _ := newScene(t, flockOf{sectors: 4, version: network.Version18, upgrades: []devnet.Upgrade{{Epoch: opens(0) + row.at, Version: network.Version19}}})
			f.to(opens(1) + 62)
			f.want(row.what, 2, 0)
		})
	}
}
