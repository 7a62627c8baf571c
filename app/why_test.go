package app

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
)

// A deadline with a lost sector, a quiet one and one whose storage is gone: the last trouble is
// found, and what is faulty is told with its cause by the daemon and without it.
func TestTheLastTroubleIsFoundAndWhatItLeft(t *testing.T) {
	f, w := newScene(t, flockOf{sectors: 8})
	f.to(opens(0) - 21)
	w.lose(0)
	f.to(opens(0) + 14)
	f.past(opens(1) - 22)
	w.let(nil)
	f.to(opens(1) + 14)
	f.past(opens(2) - 22)
	fails(reading, errors.New("the storage does not answer"))(f, w)
	f.to(opens(2) - 10)
	f.past(opens(3) + 1)
	w.let(nil)
	f.to(opens(3) + 14)
	theSameIsSaidOfTheChain(t, f)
	f.stop()

	past, err := OpenPast(t.Context(), f.config.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer past.Close()
	last, err := past.Trouble(t.Context(), 0)
	if want := (vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: opens(2)}).String(); err != nil || last.ID != want || last.Verdict != explain.VerdictMissed {
		t.Errorf("the last trouble is %s, %s, %v, want %s", last.ID, last.Verdict, err, want)
	}
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
