package app

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alarm"
	"github.com/vigil-post/vigil/devnet"
	"github.com/vigil-post/vigil/faultproxy"
)

// mishap is something that happens to a daemon before or in its first deadline,
// which opens at 66 and closes at 126, and the alarm that must come of it in time.
type mishap struct {
	what   string
	of     flockOf
	at     abi.ChainEpoch // relative to the opening: when it happens; -21 if 0
	strike func(f *flock, w *workshop)
	hung   bool // the daemon cannot finish its work, which is not waited for
	busy   bool // a task never ends, but the daemon goes on looking at heads
	paced  bool // epochs last as long as nodes say, because the daemon measures by the clock
	after  bool // the loss cannot be helped, and is told

	code  string
	about string // in what it is about
	says  string // in what is wrong: the cause
	urges bool   // it is urgent before the close
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

var mishaps = []mishap{
	{what: "the prover fails", strike: fails(proving, errors.New("no prover is connected")), code: alarm.ProverFailing, about: "prover", says: "no prover is connected"},
	{what: "no proof comes of it", strike: fails(proving, errors.New("no prover is connected")), code: alarm.NotProved, about: "t01000/66/0", says: "no prover is connected", urges: true},
	{what: "the prover hangs", strike: hangs(proving), busy: true, code: alarm.NotProved, about: "t01000/66/0", says: "being worked on", urges: true},
	{what: "the prover's proofs are wrong", strike: fails(proving, errWrong), code: alarm.NotProved, about: "t01000/66/0", says: "does not verify", urges: true},
	{what: "the prover crashes", strike: func(_ *flock, w *workshop) {
		w.let(func(_ context.Context, at step, _ abi.SectorNumber) error {
			if at == proving {
				panic("out of memory")
			}
			return nil
		})
	}, code: alarm.ProverFailing, about: "prover", says: "crashed"},
	{what: "a sector is gone", strike: func(_ *flock, w *workshop) { w.lose(0) }, code: alarm.SectorsBad, about: "t01000", says: "0 (replica: missing)"},
	{what: "every sector is gone", strike: func(_ *flock, w *workshop) { w.lose(0, 1) }, code: alarm.NotProved, about: "t01000/66/0", says: "replica: missing", urges: true},
	{what: "a mount hangs", strike: hangs(reading), busy: true, code: alarm.NotProved, about: "t01000/66/0", says: "being worked on", urges: true},
	{what: "the wallet is locked", strike: fails(signing, errors.New("the wallet is locked")), code: alarm.ProofUnsent, about: "t01000/66/0", says: "the wallet is locked", hung: true, urges: true},
	{what: "the senders are poor", strike: func(f *flock, _ *workshop) {
		for _, role := range []string{"control", "worker"} {
			if err := f.chain.SetBalance(f.key(role).Address, big.NewInt(1000)); err != nil {
				f.t.Fatal(err)
			}
		}
	}, code: alarm.BalanceLow, says: "it has 0.000000000000001 FIL, and one message may cost 5 FIL", urges: true, hung: true},
	{what: "the base fee rises above what a message may cost", strike: func(f *flock, _ *workshop) {
		if err := f.chain.SetBaseFee(big.NewInt(1e15), 200); err != nil {
			f.t.Fatal(err)
		}
	}, hung: true, code: alarm.ProofUnsent, about: "t01000/66/0", says: "", urges: true},
	{what: "the base fee rises while a message waits", at: 4, strike: func(f *flock, _ *workshop) {
		if err := f.chain.HoldMessages(address.Undef, 60); err != nil {
			f.t.Fatal(err)
		}
		f.when("sent", func() bool { return f.duty(opens(0)).Message == vigil.MessagePublished })
		if err := f.chain.SetBaseFee(big.NewInt(1e15), 60); err != nil {
			f.t.Fatal(err)
		}
	}, code: alarm.FeeCapLow, about: "t01000/66/0", says: "the base fee is above it", urges: true},
	{what: "no block takes the message", strike: func(f *flock, _ *workshop) {
		if err := f.chain.HoldMessages(address.Undef, 200); err != nil {
			f.t.Fatal(err)
		}
	}, code: alarm.MessageUnmined, about: "t01000/66/0", says: "no block has taken it", urges: true},
	{what: "the node loses the messages", strike: func(f *flock, _ *workshop) {
		if err := f.chain.LoseMessages(1, 200); err != nil {
			f.t.Fatal(err)
		}
	}, code: alarm.MessageUnmined, about: "t01000/66/0", says: "no block has taken it", urges: true},
	{what: "the only node is away", strike: line(0, faultproxy.Refuse), hung: true, code: alarm.NodeDown, about: "127.0.0.1", says: "unreachable"},
	{what: "the only node gives no heads", strike: line(0, faultproxy.Hang), hung: true, code: alarm.NoHead, about: "chain", says: "no head from the node"},
	{what: "one of three nodes is away", of: flockOf{lines: 3}, strike: line(2, faultproxy.Refuse), code: alarm.NodeDown, about: "127.0.0.1", says: "unreachable"},
	{what: "one of three nodes is of another network", of: flockOf{lines: 3}, strike: line(2, faultproxy.OtherName), code: alarm.NodeDown, about: "127.0.0.1", says: "refused"},
	{what: "one of three nodes lags", of: flockOf{lines: 3}, strike: func(f *flock, _ *workshop) {
		f.lines[2].Set(faultproxy.Lag)
	}, paced: true, code: alarm.NodeLag, about: "127.0.0.1", says: "behind"},
	{what: "the node cannot tell the miner's state", strike: answersWrong("StateMinerPartitions", "StateMinerDeadlines", "StateMinerFaults", "StateMinerProvingDeadline"), hung: true, code: alarm.MinerUnread, about: "t01000", says: "StateMiner", urges: true},
	{what: "the node cannot tell the challenge", strike: answersWrong("StateGetRandomnessDigestFromBeacon", "StateGetRandomnessFromBeacon"), hung: true, code: alarm.NotProved, about: "t01000/66/0", says: "draw the challenge", urges: true},
	{what: "the database cannot be written", strike: lockDatabase, hung: true, code: alarm.DatabaseTrouble, about: "database", says: "deadline exceeded", urges: true},
	{what: "the parameters are cleared away", strike: func(f *flock, w *workshop) {
		fails(checking, errors.New("v28-fallback.params: no such file"))(f, w)
		f.daemon.machine.look()
	}, code: alarm.ParametersMissing, about: "parameters", says: "no such file", urges: true},
	{what: "the deadline was missed", strike: fails(proving, errors.New("no prover is connected")), after: true, code: alarm.DeadlineMissed, about: "t01000/66/0", says: "not proved (no prover is connected)", urges: true},
}

// lockDatabase keeps everybody else from writing, as another program can.
func lockDatabase(f *flock, _ *workshop) {
	f.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(f.config.Data, "vigil.db"))
	if err != nil {
		f.t.Fatal(err)
	}
	ctx := f.t.Context()
	conn, err := db.Conn(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, do := range []string{"PRAGMA busy_timeout(10000)", "BEGIN IMMEDIATE"} {
		if _, err := conn.ExecContext(ctx, do); err != nil {
			f.t.Fatal(err)
		}
	}
	f.t.Cleanup(func() { _ = db.Close() })
}

// For each mishap the right alarm comes before the loss, and says the cause and
// what to do; before it there is none.
func TestEachMishapIsToldBeforeTheLoss(t *testing.T) {
	if address.CurrentNetwork != address.Testnet { // as the devnet does: now, while no other scene runs
		address.CurrentNetwork = address.Testnet
	}
	for _, m := range mishaps {
		t.Run(m.what, func(t *testing.T) {
			t.Parallel()
			w := &workshop{}
			of := m.of
			of.tools, of.epoch, of.miners, of.sectors, of.lines = w.tools, flockEpoch, 1, 4, max(1, of.lines)
			f := newFlock(t, of)
			f.to(opens(0) - 21)
			if list := f.daemon.Status().Alarms; len(list) > 0 {
				t.Fatalf("nothing has happened yet, and there are alarms: %+v", list)
			}
			f.to(opens(0) + cmp.Or(m.at, -21))
			m.strike(f, w)
			if f.patience = time.Minute; m.hung {
				f.patience = 3 * flockEpoch
			}
			limit := opens(1)
			if m.after {
				limit += 20
			}
			found, ok := f.alarmed(m, limit)
			if !ok {
				t.Fatalf("no alarm %s about %q that says %q, urgent %v; at the end %s\nthe daemon says\n%s", m.code, m.about, m.says, m.urges,
					text(f.daemon.Status().Alarms), tail(f.log.String(), 8000))
			}
			t.Logf("epoch %d: %s %s: %s; until %d: %s", f.chain.Epoch(), found.Code, found.About, found.What, found.By, found.Remedy)
			if found.Remedy == "" || found.By > 0 && found.By < f.daemon.Status().Head {
				t.Errorf("it does not say what to do, or says it too late: %+v", found)
			}
		})
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
