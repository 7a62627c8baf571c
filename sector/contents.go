package sector

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Held is what a storage has of a sector.
type Held struct {
	Miner       abi.ActorID      `json:"miner"`
	Number      abi.SectorNumber `json:"sector"`
	Sealed      bool             `json:"sealed"`
	Cache       bool             `json:"cache"`
	Update      bool             `json:"update"`
	UpdateCache bool             `json:"update_cache"`
}

// Contents lists what a storage has, by miner and sector. It is an error if the
// folder is no storage.
func Contents(ctx context.Context, of Storage) ([]Held, error) {
	s := NewReaderOf(of).storages[0]
	const patience = 2 * time.Minute // a folder of a hundred thousand names is one answer
	return pass(ctx, &s.names, 1, patience, func(v *visit) ([]Held, error) {
		folder, err := s.open()
		if err != nil {
			return nil, err
		}
		defer folder.Close()
		if err := s.isStorage(folder); err != nil {
			return nil, err
		}
		v.moved()
		return s.contents(folder, v)
	})
}

func (s *storage) contents(folder Folder, v *visit) ([]Held, error) {
	held := map[abi.SectorID]Held{}
	for k, f := range folders {
		for half, name := range []string{f.replica, f.cache} {
			entries, err := fs.ReadDir(folder, name)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, s.explain(name, err)
			}
			v.moved()
			for _, e := range entries {
				id, ok := parseName(e.Name())
				if !ok {
					continue
				}
				h := held[id]
				h.Miner, h.Number = id.Miner, id.Number
				*h.flag(kind(k), half) = true
				held[id] = h
			}
		}
	}
	list := make([]Held, 0, len(held))
	for _, h := range held {
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b Held) int {
		if a.Miner != b.Miner {
			return int(int64(a.Miner) - int64(b.Miner))
		}
		return int(int64(a.Number) - int64(b.Number))
	})
	return list, nil
}

// flag is the field of a kind's half: 0 for the replica, 1 for the cache.
func (h *Held) flag(k kind, half int) *bool {
	return [kinds][2]*bool{asSealed: {&h.Sealed, &h.Cache}, asUpdated: {&h.Update, &h.UpdateCache}}[k][half]
}

// parseName is the inverse of Name. Other names are of other things.
func parseName(name string) (abi.SectorID, bool) {
	rest, ok := strings.CutPrefix(name, "s-t0")
	miner, number, cut := strings.Cut(rest, "-")
	m, err1 := strconv.ParseUint(miner, 10, 63)
	n, err2 := strconv.ParseUint(number, 10, 63)
	id := abi.SectorID{Miner: abi.ActorID(m), Number: abi.SectorNumber(n)}
	return id, ok && cut && err1 == nil && err2 == nil && Name(id.Miner, id.Number) == name
}

// Found is one storage's answer to Find.
type Found struct {
	Storage string `json:"storage"`
	Held
	Problem string `json:"problem,omitempty"` // it could not be asked
}

// Find asks every storage what it has of a sector. Storages that have nothing of it are left out.
func (r *Reader) Find(ctx context.Context, miner abi.ActorID, number abi.SectorNumber) []Found {
	answers := make([]Found, len(r.storages))
	done := make(chan struct{}, len(r.storages))
	for i, s := range r.storages {
		go func() {
			h, err := s.survey(ctx, Name(miner, number))
			f := Found{Storage: s.Path, Held: Held{Miner: miner, Number: number}}
			for k := range kinds {
				*f.flag(k, 0), *f.flag(k, 1) = h.replica[k], h.cache[k]
			}
			if err != nil {
				f.Problem = err.Error()
			}
			answers[i] = f
			done <- struct{}{}
		}()
	}
	for range r.storages {
		<-done
	}
	return slices.DeleteFunc(answers, func(f Found) bool {
		return f.Problem == "" && !f.Sealed && !f.Cache && !f.Update && !f.UpdateCache
	})
}

// Status says how each storage stands.
func (r *Reader) Status() []vigil.StorageStatus {
	list := make([]vigil.StorageStatus, len(r.storages))
	for i, s := range r.storages {
		list[i] = s.data.status(s.Path, r.mostAtOnce())
		if why := s.absent.Load(); why != nil {
			list[i].State, list[i].Why = vigil.StorageSilent, *why
		}
	}
	return list
}

func (g *gate) status(path string, most int) vigil.StorageStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := vigil.StorageStatus{
		Path: path, State: vigil.StorageReady, AtOnce: min(g.pace.places(), most), Reading: g.under, Waiting: len(g.waiting),
		Lost: g.lost, Read: g.visits, Took: g.took, Spent: g.spent,
	}
	switch {
	case g.shut():
		s.State = vigil.StorageSilent
		s.Why = fmt.Sprintf("%d reads have not returned; another is tried at %s", g.lost, g.lostAt.Add(hungAgain).UTC().Format(time.RFC3339))
	case g.unanswered >= silentAfter:
		s.State = vigil.StorageSilent
		s.Why = fmt.Sprintf("the last %d reads were given up; one at a time is tried", g.unanswered)
	}
	return s
}
