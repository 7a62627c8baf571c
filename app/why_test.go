package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
)

// Mishaps, each in a deadline of its own with a quiet one between, and what is told of it afterwards,
// from the daemon's own database: the verdict, the cause, in the right order.
func TestWhyTellsTheTruthAfterAMishap(t *testing.T) {
	notUnderRace(t)
	noMemory := errors.New("no memory for a proof")
	var refused atomic.Bool // the wallet was asked, and refused
	mishaps := []struct {
		what    string
		happens func(context.Context, step, abi.SectorNumber) error
		off     bool // the daemon, for the whole deadline
		verdict explain.Verdict
		reason  vigil.Reason
		says    []string
		never   []string
	}{
		{
			what: "nothing", verdict: explain.VerdictOnTime,
			says: []string{"Work began", "All 2 sectors were read", "A proof of 2 sectors was made", "handed to the messager", "executed attempt 1 with exit code 0", "confirmed."},
		},
		{
			what: "the prover fails", verdict: explain.VerdictMissed, reason: vigil.ReasonNotProved,
			happens: func(_ context.Context, at step, _ abi.SectorNumber) error {
				if at == proving {
					return noMemory
				}
				return nil
			},
			says:  []string{"All 2 sectors were read", "came to nothing: reading and proving", "no memory for a proof", "with the same result", "It was missed"},
			never: []string{"A proof of", "Attempt"},
		},
		{
			what: "a sector is lost", verdict: explain.VerdictOnTime,
			happens: func(_ context.Context, at step, n abi.SectorNumber) error {
				if at == reading && n == 8 { // the first of its deadline
					return &vigil.SectorError{Sector: n, Cause: "replica: missing"}
				}
				return nil
			},
			says: []string{"Of 2 sectors 1 bad", "replica: missing", "A proof of 1 sectors", "1 sectors are left out", "confirmed."},
		},
		{
			what: "the storage is gone", verdict: explain.VerdictMissed, reason: vigil.ReasonNoSectors,
			happens: func(_ context.Context, at step, _ abi.SectorNumber) error {
				if at == reading {
					return errors.New("the storage does not answer")
				}
				return nil
			},
			says:  []string{"Of 2 sectors 2 could not be checked", "the storage does not answer", "It was missed"},
			never: []string{"A proof of", " bad,"},
		},
		{
			what: "the key is not given", verdict: explain.VerdictMissed, reason: vigil.ReasonNotSent,
			happens: func(_ context.Context, at step, _ abi.SectorNumber) error {
				if at == signing {
					refused.Store(true)
					return errors.New("the wallet is locked")
				}
				return nil
			},
			says:  []string{"A proof of 2 sectors", "handed to the messager", "the wallet is locked", "It was missed"},
			never: []string{"Attempt 1"},
		},
		{
			what: "the daemon is off", off: true, verdict: explain.VerdictMissed, reason: vigil.ReasonNotStarted,
			says:  []string{"told to stop", "saw its first head", "it had seen nothing since epoch", "It was missed"},
			never: []string{"Work began"},
		},
	}
	f, w := newScene(t, flockOf{sectors: 2 * (2*len(mishaps) + 1)})
	for n, m := range mishaps {
		open := opens(2 * n)
		f.past(open - 22)
		if m.off {
			f.off(open + 62 - f.chain.Epoch())
			f.to(open + 74)
			continue
		}
		w.let(m.happens)
		f.to(open - 17)
		f.past(open - 1)
		f.to(open + 3)
		if m.reason == vigil.ReasonNotSent {
			f.patience = flockEpoch // its message waits, and so must not the test
			f.when("the wallet is asked", func() bool { return f.asked(&refused) })
		}
		f.to(open + 14)
		f.past(open + 61)
		w.let(nil)
		f.patience = usualPatience
		f.to(open + 74) // the quiet deadline is done
	}
	f.past(opens(2*len(mishaps)-1) + 30)
	theSameIsSaidOfTheChain(t, f)
	f.stop()

	past, err := OpenPast(t.Context(), f.config.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer past.Close()
	for n, m := range mishaps {
		s, err := past.Why(t.Context(), vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: opens(2 * n)})
		if err != nil {
			t.Errorf("%s: %v", m.what, err)
			continue
		}
		text := timelineOf(s)
		if s.Verdict != m.verdict || m.reason != "" && s.Reason != m.reason {
			t.Errorf("%s: %s (%s), want %s (%s)\n%s", m.what, s.Verdict, s.Reason, m.verdict, m.reason, text)
		}
		rest := text
		for _, words := range m.says {
			_, after, found := strings.Cut(rest, words)
			if !found {
				t.Errorf("%s: it does not say, in order, %q:\n%s", m.what, words, text)
				break
			}
			rest = after
		}
		for _, words := range m.never {
			if strings.Contains(text, words) {
				t.Errorf("%s: it says %q:\n%s", m.what, words, text)
			}
		}
		if m.verdict == explain.VerdictMissed && s.Advice == "" {
			t.Errorf("%s: there is no advice", m.what)
		}
		if m.off && !strings.Contains(strings.Join(s.Why, "\n"), "the whole time from its challenge to its Close") {
			t.Errorf("%s: why: %q", m.what, s.Why)
		}
	}
	last, err := past.Trouble(t.Context(), 0)
	if want := (vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: opens(2*len(mishaps) - 2)}).String(); err != nil || last.ID != want {
		t.Errorf("the last trouble is %s, %v, want %s", last.ID, err, want)
	}
}

// asked says whether something has happened in this epoch, and gives it time to.
func (f *flock) asked(happened *atomic.Bool) bool {
	f.t.Helper()
	for range 100 {
		if happened.Load() {
			return true
		}
		f.pause(flockEpoch)
	}
	return false
}

// past lets epochs pass at once in which nothing has to be seen one by one.
func (f *flock) past(epoch abi.ChainEpoch) {
	f.t.Helper()
	if n := epoch - f.chain.Epoch(); n > 0 {
		f.leap(n)
	}
}

// theSameIsSaidOfTheChain asks a daemon and, as while it is off, the nodes of its
// configuration, for the power of its miner and for what is faulty.
func theSameIsSaidOfTheChain(t *testing.T, f *flock) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "vigil.toml")
	text := fmt.Sprintf("[node]\nurl = %q\ntoken = %q\n[[miner]]\naddress = \"t01000\"\n[data]\ndir = %q\n",
		"http://"+f.chain.Addr()+"/rpc/v1", f.chain.Token(), f.config.Data)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	off, err := OpenPresent(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer off.Close()
	for who, present := range map[string]*Present{"the daemon": f.daemon.present(), "the nodes without it": off} {
		power, err := present.Power(t.Context(), 0)
		if err != nil || len(power) != 1 {
			t.Errorf("%s: power %+v, %v", who, power, err)
			continue
		}
		p := power[0]
		if p.Faulty == 0 || p.Raw.Int64() != int64(p.Active)*2048 || p.FaultyRaw.Int64() != int64(p.Faulty)*2048 || p.Epoch != f.chain.Epoch() {
			t.Errorf("%s: power %+v", who, p)
		}
		faults, err := present.Faults(t.Context(), 0)
		if err != nil {
			t.Errorf("%s: %v", who, err)
		}
		seen, caused := 0, 0
		for _, partition := range faults {
			seen += len(partition.Sectors)
			for _, s := range partition.Sectors {
				if s.Cause == "replica: missing" {
					caused++
				}
			}
		}
		if uint64(seen) != p.Faulty || caused != 1 {
			t.Errorf("%s: %d faulty sectors are listed of %d, %d of them with the cause that one has", who, seen, p.Faulty, caused)
		}
	}
}

func timelineOf(s explain.Story) string {
	var lines []string
	for _, m := range s.Timeline {
		lines = append(lines, m.Text)
	}
	return strings.Join(lines, "\n")
}
