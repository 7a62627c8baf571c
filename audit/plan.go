package audit

import (
	"cmp"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// file is what is known of one miner's posts.
type file struct {
	verdicts []vigil.Audit                // as they are stored
	records  map[abi.ChainEpoch]*closedAt // of the deadlines that can be disputed, by open epoch
}

// closedAt is a closed deadline's record as it was last read. Of posts that are
// judged it keeps no more than their names: of many miners there are many.
type closedAt struct {
	record   cid.Cid
	snapshot string
	evidence []string          // of all posts on chain
	due      []vigil.ChainPost // those without a verdict
}

// unread gives the closed deadlines whose record is not the one that was read last.
func (f file) unread(closed []vigil.ClosedDeadline) (list []vigil.ClosedDeadline) {
	for _, d := range closed {
		if known, ok := f.records[d.Deadline.Open]; !ok || known.record != d.Record {
			list = append(list, d)
		}
	}
	return list
}

// keep forgets deadlines that are not among the closed ones: their window is
// over, or a reorg has opened them again.
func (f file) keep(closed []vigil.ClosedDeadline) {
	for open := range f.records {
		if !slices.ContainsFunc(closed, func(d vigil.ClosedDeadline) bool { return d.Deadline.Open == open }) {
			delete(f.records, open)
		}
	}
}

// take takes in what was read of a deadline.
func (f file) take(d vigil.ClosedDeadline, r vigil.PostRecord) {
	read := &closedAt{record: d.Record, snapshot: r.Snapshot}
	for _, p := range r.Posts {
		read.evidence = append(read.evidence, p.Evidence)
		if !slices.ContainsFunc(f.verdicts, func(a vigil.Audit) bool { return a.Evidence == p.Evidence }) {
			read.due = append(read.due, p)
		}
	}
	f.records[d.Deadline.Open] = read
}

// stale gives the verdicts whose evidence is not on chain any more. A dispute
// takes the disputed post out of its record and leaves the snapshot, so the
// verdict on that one stays: it tells what happened.
func (f file) stale(head abi.ChainEpoch) (list []vigil.Audit) {
	for _, a := range f.verdicts {
		d, closed := f.records[a.Deadline.Open]
		switch {
		case a.Until() <= head: // it is over, and not taken back
		case !closed, d.snapshot != a.Snapshot, a.Verdict != vigil.AuditDisputable && !f.standing(a):
			list = append(list, a)
		}
	}
	return list
}

// due gives the posts without a verdict, those of the newest deadline first.
func (f file) due() (list []vigil.ChainPost) {
	for _, d := range f.records {
		list = append(list, d.due...)
	}
	slices.SortFunc(list, func(a, b vigil.ChainPost) int {
		return cmp.Or(cmp.Compare(b.Deadline.Open, a.Deadline.Open), cmp.Compare(a.Index, b.Index))
	})
	return list
}

// awaits says that a post is on chain and has no verdict.
func (f file) awaits(evidence string) bool {
	return slices.ContainsFunc(f.due(), func(p vigil.ChainPost) bool { return p.Evidence == evidence })
}

// judged takes in a verdict.
func (f *file) judged(a vigil.Audit) {
	f.verdicts = append(f.verdicts, a)
	slices.SortFunc(f.verdicts, func(a, b vigil.Audit) int {
		return cmp.Or(cmp.Compare(b.Deadline.Open, a.Deadline.Open), cmp.Compare(a.Index, b.Index))
	})
	if d, ok := f.records[a.Deadline.Open]; ok {
		d.due = slices.DeleteFunc(d.due, func(p vigil.ChainPost) bool { return p.Evidence == a.Evidence })
	}
}

// standing says whether a judged post is still on chain.
func (f file) standing(a vigil.Audit) bool {
	d, ok := f.records[a.Deadline.Open]
	return ok && slices.Contains(d.evidence, a.Evidence)
}
