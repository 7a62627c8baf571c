package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alarm"
	"github.com/vigil-post/vigil/devnet"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/faultproxy"
)

// mishap is something that happens to a daemon before or in its first deadline, which
// opens at 66 and closes at 126, the alarm that must come of it in time, and what must
// be told of that deadline's duty when it is over. There is none without both.
type mishap struct {
	what   string
	of     flockOf
	at     abi.ChainEpoch // relative to the opening: when it happens; -21 if 0
	strike func(f *flock, w *workshop)
	hung   bool // the daemon cannot finish its work, which is not waited for
	busy   bool // a task never ends, but the daemon goes on looking at heads
	blind  bool // it does not even do that
	paced  bool // epochs last as long as nodes say, because the daemon measures by the clock
	after  bool // the loss cannot be helped, and is told
	silent bool // nobody is there who could give an alarm, but for who misses the heartbeat; or nothing is to be done
	long   bool // it is like another, and played with VIGIL_LONG=1
	always bool // it is so from the beginning

	code  string
	about string // in what it is about
	says  string // in what is wrong: the cause
	urges bool   // it is urgent before the close

	mend  func(f *flock, w *workshop) // what somebody does about it in time; nil: it lasts until it is too late
	mends abi.ChainEpoch              // relative to the opening: when; as soon as there is the alarm if 0
	story story
}

// fails is a step at which something goes wrong.
func fails(at step, err error) func(*flock, *workshop) {
	return func(_ *flock, w *workshop) {
		w.let(func(_ context.Context, now step, _ abi.SectorNumber) error {
			if now == at {
				return err
			}
			return nil
		})
	}
}

// hangs is a step at which the daemon gets stuck.
func hangs(at step) func(*flock, *workshop) {
	return func(_ *flock, w *workshop) { w.inTheMiddle(at) }
}

// answersWrong is a method of the node that fails.
func answersWrong(methods ...string) func(*flock, *workshop) {
	return func(f *flock, _ *workshop) {
		for _, m := range methods {
			if err := f.chain.Fail(devnet.Fault{Kind: devnet.FaultError, Method: m}); err != nil {
				f.t.Fatal(err)
			}
		}
	}
}

// line makes a line to a node misbehave from now on.
func line(n int, fault faultproxy.Fault) func(*flock, *workshop) {
	return func(f *flock, _ *workshop) {
		f.lines[n].Set(fault)
		f.lines[n].Break()
	}
}

// For each mishap the right alarm comes before the loss, and says the cause and
// what to do; before it there is none. When the deadline is over, vigil why tells the
// truth of it, as the chain judges it.
func TestEachMishapIsToldBeforeTheLossAndExplainedAfterIt(t *testing.T) {
	if address.CurrentNetwork != address.Testnet { // as the devnet does: now, while no other scene runs
		address.CurrentNetwork = address.Testnet
	}
	for i, m := range mishaps {
		t.Run(m.what, func(t *testing.T) {
			if testing.Short() && i%3 != 0 {
				t.Skip("a third of them is enough for the race detector; without -short all are played")
			}
			if m.long && os.Getenv("VIGIL_LONG") == "" {
				t.Skip("another one is like it; VIGIL_LONG=1 has all")
			}
			t.Parallel()
			w := &workshop{}
			of := m.of
			of.tools, of.epoch, of.miners, of.sectors, of.lines = w.tools, cmp.Or(of.epoch, flockEpoch), 1, cmp.Or(of.sectors, 4), max(1, of.lines)
			f := newFlock(t, of)
			f.to(opens(0) - 21)
			if !m.always {
				f.calm()
			}
			f.to(opens(0) + cmp.Or(m.at, -21))
			m.strike(f, w)
			m.isTold(f)
			m.passes(f, w)
			m.isExplained(f)
		})
	}
}

// isTold waits for the alarm of a mishap.
func (m mishap) isTold(f *flock) {
	f.t.Helper()
	if m.silent {
		return
	}
	if f.patience = time.Minute; m.hung {
		f.patience = 3 * flockEpoch
	}
	limit := opens(1)
	if m.after {
		limit += 20
	}
	found, ok := f.alarmed(m, limit)
	if !ok {
		f.t.Fatalf("no alarm %s about %q that says %q, urgent %v; at the end %s\nthe daemon says\n%s", m.code, m.about, m.says, m.urges,
			text(f.daemon.Status().Alarms)+text(f.daemon.Status().Senders), tail(f.log.String(), 8000))
	}
	f.t.Logf("epoch %d: %s %s: %s; until %d: %s", f.chain.Epoch(), found.Code, found.About, found.What, found.By, found.Remedy)
	if found.Remedy == "" || found.By > 0 && found.By < f.daemon.Status().Head {
		f.t.Errorf("it does not say what to do, or says it too late: %+v", found)
	}
}

// calm waits until there is no alarm: on a machine that is far too busy the daemon may be
// behind for a moment, which is told rightly.
func (f *flock) calm() {
	f.t.Helper()
	for began := time.Now(); ; f.pause(flockEpoch) {
		list := f.daemon.Status().Alarms
		if len(list) == 0 {
			return
		}
		if time.Since(began) > 6*usualPatience {
			f.t.Fatalf("nothing has happened yet, and there are alarms: %+v", list)
		}
	}
}

// alarmed lets epochs pass until the alarm of a mishap is there. What the daemon thinks
// of the last epoch is waited for: how fast it is, is not the matter here.
func (f *flock) alarmed(m mishap, limit abi.ChainEpoch) (vigil.Alarm, bool) {
	f.t.Helper()
	for began := time.Now(); f.chain.Epoch() < limit || time.Since(began) < time.Minute; {
		s := f.daemon.Status()
		for _, a := range s.Alarms {
			if a.Code == m.code && strings.Contains(a.About, m.about) && strings.Contains(a.What, m.says) && (a.Urgent || !m.urges) {
				return a, s.Head < limit
			}
		}
		if f.chain.Epoch() < limit {
			f.let(m)
			began = time.Now()
		} else {
			f.pause(flockEpoch)
		}
	}
	return vigil.Alarm{}, false
}

// let lets an epoch pass as a mishap wants it.
func (f *flock) let(m mishap) {
	f.t.Helper()
	if m.busy {
		f.step(f.patience)
		return
	}
	f.pass()
	if m.paced {
		<-time.After(flockEpoch)
	}
}

// passes lets the deadline end, with what is done about the mishap in time or, when it
// is too late, with all mended.
func (m mishap) passes(f *flock, w *workshop) {
	f.t.Helper()
	through := func(epoch abi.ChainEpoch) {
		for f.chain.Epoch() < epoch {
			switch {
			case m.blind:
				f.step(flockEpoch / 4)
			case m.hung, m.busy, m.story.verdict == explain.VerdictMissed, f.chain.Epoch() < opens(0)+m.mends:
				f.step(f.patience) // it is not waited for what cannot be done
			default:
				f.pass()
			}
		}
	}
	f.patience = usualPatience
	if m.mend != nil {
		through(opens(0) + m.mends)
		m.mend(f, w)
		m.hung, m.busy, m.blind = false, false, false
	}
	closes := m.story.duty(f).Open + 60
	if m.story.verdict == explain.VerdictPending {
		closes = opens(1)
	}
	through(closes + 1)
	for began := time.Now(); !m.blind && f.read() < f.chain.Epoch() && time.Since(began) < time.Minute; {
		f.pause(flockEpoch / 10) // what is mended now is mended too late for it
	}
	f.mend(w)
	for began := time.Now(); time.Since(began) < time.Minute; f.pause(flockEpoch / 4) {
		f.step(usualPatience)
		if d, err := f.daemon.store.Duty(f.t.Context(), m.story.duty(f)); err == nil && (d.State.Final() || m.story.verdict == explain.VerdictPending) {
			return
		}
	}
	f.t.Errorf("the duty is not over; the daemon says\n%s", tail(f.log.String(), 8000))
}

// mend ends all that goes wrong.
func (f *flock) mend(w *workshop) {
	f.chain.Heal("")
	f.chain.Calm()
	for _, l := range f.lines {
		l.Set()
	}
	w.let(nil)
	for _, do := range f.mends {
		do()
	}
	f.mends = nil
}

// isExplained asks for the story, of the running daemon and of its database when it is
// off: the same is told, and it is the truth.
func (m mishap) isExplained(f *flock) {
	f.t.Helper()
	id := m.story.duty(f)
	if os.Getenv("VIGIL_LONG") != "" || m.story.live {
		var wrong []string
		for began := time.Now(); ; f.pause(flockEpoch) { // it is written down a moment after it happens
			s, err := f.daemon.past().Why(f.t.Context(), id)
			if wrong = m.story.wrong(s, err); len(wrong) == 0 || time.Since(began) > time.Minute {
				break
			}
		}
		for _, text := range wrong {
			f.t.Errorf("of the running daemon: %s", text)
		}
	}
	chain := f.judgement(id.Open)
	f.stop()
	past, err := OpenPast(f.t.Context(), f.config.Data)
	if err != nil {
		f.t.Fatal(err)
	}
	defer past.Close()
	s, err := past.Why(f.t.Context(), id)
	if missed := s.Verdict == explain.VerdictMissed; id.Kind == vigil.KindPost && missed != chain {
		f.t.Errorf("it says %s, and by the chain it was missed: %v", s.Verdict, chain)
	}
	wrong := m.story.wrong(s, err)
	for _, text := range wrong {
		f.t.Error(text)
	}
	f.t.Logf("told (%v):\n%s", err, toldOf(s))
}

// judgement says that by the chain the partitions of a deadline were missed.
func (f *flock) judgement(open abi.ChainEpoch) (missed bool) {
	f.t.Helper()
	for _, d := range f.deadlines() {
		if d.Open%provingPeriod == open%provingPeriod {
			return d.Live > 0 && d.Faulty == d.Live
		}
	}
	f.t.Fatalf("there is no deadline that opens at %d", open)
	return false
}

// An alarm ends with what it tells, and what was told of it with it.
func TestAnAlarmEndsWithItsCause(t *testing.T) {
	f, w := newScene(t, flockOf{sectors: 4})
	f.to(opens(0) - 21)
	fails(proving, errors.New("no prover is connected"))(f, w)
	f.to(opens(0) + 21)
	if list := text(f.daemon.Status().Alarms); !strings.Contains(list, alarm.NotProved) || !strings.Contains(list, alarm.ProverFailing) {
		t.Fatal(list)
	}
	began := time.Now()
	w.let(nil)
	f.to(opens(0) + 62)
	if list := f.daemon.Status().Alarms; len(list) > 0 {
		t.Errorf("there are alarms since %s: %s", began, fmt.Sprint(list))
	}
	f.want("the prover was back in time", 1, 0)
}
