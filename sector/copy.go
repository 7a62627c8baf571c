package sector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"sync/atomic"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/merkle"
)

// copyOf is a place where a sector can be read: its kind, and the storages of
// its two halves. Nil is for a half that is nowhere.
type copyOf struct {
	kind           kind
	replica, cache *storage
}

// holding is which files of a sector a storage has, by kind.
type holding struct{ replica, cache [kinds]bool }

// survey asks a storage what it has of a sector. With an error it is what it has as
// far as it could be asked: of a folder that fails the others are none the worse.
func (s *storage) survey(ctx context.Context, name string) (holding, error) {
	h, err := pass(ctx, &s.names, mostPlaces, s.reader.patience(), func(v *visit) (h holding, err error) {
		folder, err := s.open()
		if err != nil {
			return h, err
		}
		defer folder.Close()
		v.moved()
		ask := func(half string) bool {
			there, failed := s.has(folder, path.Join(half, name))
			err = cmp.Or(err, failed)
			v.moved()
			return there
		}
		for k, f := range folders {
			h.replica[k], h.cache[k] = ask(f.replica), ask(f.cache)
		}
		if h == (holding{}) && err == nil {
			err = s.isStorage(folder)
		}
		return h, err
	})
	if errors.Is(err, errSilent) {
		err = fmt.Errorf("storage %s %w", s.Path, err)
	}
	return h, err
}

// search asks all storages at once what they have of a sector, and tries each
// copy as soon as both its halves are known: a storage that hangs delays no
// sector that lies on another.
func (r *Reader) search(ctx context.Context, w wanted) (vigil.VanillaProof, error) {
	if len(r.storages) == 0 {
		return nil, errors.New("there is no storage to read it from")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		at      *storage
		holding holding
		err     error
	}
	select {
	case r.searches <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("no time was left to look for it: %w", ctx.Err())
	}
	answers := make(chan answer, len(r.storages))
	var asked sync.WaitGroup
	for _, s := range r.storages {
		asked.Go(func() {
			h, err := s.survey(ctx, w.name)
			answers <- answer{s, h, err}
		})
	}
	go func() { // the place is for the questions, not for the reading after them
		asked.Wait()
		<-r.searches
	}()
	found := search{reader: r, wanted: w}
	for range r.storages {
		a := <-answers
		if a.err != nil {
			found.doubt(a.err)
		}
		if proof := found.add(ctx, a.at, a.holding); proof != nil {
			return proof, nil
		}
	}
	return nil, found.verdict(ctx)
}

// search is the state of one search.
type search struct {
	reader          *Reader
	wanted          wanted
	replicas, cache [kinds][]*storage
	tried           int
	defects         []*defective
	unknown         error // of the first thing that could not be told
}

// defective is what is wrong with one copy.
type defective struct {
	defect *merkle.DefectError
	where  string
}

func (d *defective) Error() string { return d.defect.Error() + " (" + d.where + ")" }
func (d *defective) Unwrap() error { return d.defect }

func (f *search) doubt(err error) {
	if f.unknown == nil {
		f.unknown = err
	}
}

// add takes a storage's answer and tries the copies that are complete with it.
func (f *search) add(ctx context.Context, s *storage, h holding) vigil.VanillaProof {
	for k := range kinds {
		var fresh []copyOf
		if h.replica[k] {
			for _, c := range f.cache[k] {
				fresh = append(fresh, copyOf{k, s, c})
			}
			f.replicas[k] = append(f.replicas[k], s)
		}
		if h.cache[k] {
			for _, r := range f.replicas[k] {
				fresh = append(fresh, copyOf{k, r, s})
			}
			f.cache[k] = append(f.cache[k], s)
		}
		for _, c := range fresh {
			if proof := f.try(ctx, c); proof != nil {
				return proof
			}
		}
	}
	return nil
}

func (f *search) try(ctx context.Context, c copyOf) vigil.VanillaProof {
	f.tried++
	proof, err := f.reader.attempt(ctx, f.wanted, c)
	var bad *defective
	switch {
	case err == nil:
		return proof
	case errors.As(err, &bad):
		f.defects = append(f.defects, bad)
	default:
		f.doubt(err)
	}
	return nil
}

// verdict is what can be said when no copy has served: that the sector is bad
// only if there is nothing that could not be looked at.
func (f *search) verdict(ctx context.Context) error {
	if f.unknown != nil && len(f.defects) > 0 {
		return fmt.Errorf("%w; the copy that could be looked at is bad: %s", f.unknown, f.blame())
	}
	if f.unknown != nil {
		return f.unknown
	}
	if f.tried == 0 {
		return f.halves(ctx)
	}
	return &vigil.SectorError{Sector: f.wanted.number, Cause: f.blame().Error()}
}

// blame is the defect to tell people of: one of a copy that the chain knows
// rather than that a copy is of another CommR.
func (f *search) blame() *defective {
	for _, d := range f.defects {
		if d.defect.Defect != merkle.DefectCommR {
			return d
		}
	}
	return f.defects[0]
}

// halves names what is missing of a sector of which no storage pair has both halves.
func (f *search) halves(ctx context.Context) error {
	k := asSealed
	if len(f.replicas[asSealed]) == 0 && len(f.cache[asSealed]) == 0 && len(f.replicas[asUpdated])+len(f.cache[asUpdated]) > 0 {
		k = asUpdated
	}
	half := copyOf{kind: k}
	if len(f.replicas[k]) > 0 {
		half.replica = f.replicas[k][0]
	}
	if len(f.cache[k]) > 0 {
		half.cache = f.cache[k][0]
	}
	_, err := f.reader.attempt(ctx, f.wanted, half)
	var bad *defective
	if errors.As(err, &bad) {
		return &vigil.SectorError{Sector: f.wanted.number, Cause: bad.Error()}
	}
	return err
}

// attempt reads one copy of a sector, in one visit to its storages.
func (r *Reader) attempt(ctx context.Context, w wanted, c copyOf) (vigil.VanillaProof, error) {
	host := c.replica
	if host == nil {
		host = c.cache
	}
	if host == nil { // no storage has anything of it
		return r.read(ctx, w, c, &visit{at: new(atomic.Pointer[storage])})
	}
	this := hungRead{w.name, c}
	if r.hangs(this) {
		return nil, fmt.Errorf("storage %s %w: an earlier read of this sector there has not returned", host.Path, errSilent)
	}
	var at atomic.Pointer[storage] // where the read is
	at.Store(host)
	var returned atomic.Bool
	proof, err := pass(ctx, &host.data, r.mostAtOnce(), r.patience(), func(v *visit) (vigil.VanillaProof, error) {
		defer r.returns(this)
		defer returned.Store(true)
		v.at = &at
		return r.read(ctx, w, c, v)
	})
	if errors.Is(err, errStill) {
		r.stands(this)
		if returned.Load() {
			r.returns(this)
		}
	}
	if errors.Is(err, errSilent) {
		return nil, fmt.Errorf("storage %s %w", at.Load().Path, err)
	}
	if err == nil {
		r.remember(w.name, c)
	}
	return proof, err
}

// sectorsMost bounds the sectors that are read at a time from all storages
// together: each needs about a megabyte and eleven open files.
const sectorsMost = 256

// mostAtOnce is the most sectors that are read from one storage at a time.
func (r *Reader) mostAtOnce() int {
	most := max(leastPlaces, sectorsMost/max(1, len(r.storages)))
	if wanted := cmp.Or(int(r.limit.Load()), r.AtOnce); wanted > 0 {
		most = min(most, wanted)
	}
	return min(most, mostPlaces)
}
