package forecast

import (
	"cmp"
	"slices"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin"

	"github.com/vigil-post/vigil"
)

// sample is what something of a size took.
type sample struct {
	size int
	took time.Duration
}

// samples are the oldest first.
type samples []sample

// newest is how many samples of one size count: a machine that was made faster is
// not judged by what it was weeks ago.
const newest = 50

// like gives what things of that size took, ascending. Where there was none, it
// is scaled from the nearest size, which is given too.
func (s samples) like(size int) (took []time.Duration, from int) {
	if len(s) == 0 {
		return nil, 0
	}
	from = slices.MinFunc(s, func(a, b sample) int {
		return cmp.Compare(distance(a.size, size), distance(b.size, size))
	}).size
	if near(from, size) {
		from = size
	}
	for i := len(s) - 1; i >= 0 && len(took) < newest; i-- {
		if near(s[i].size, from) {
			took = append(took, s[i].took*time.Duration(size)/time.Duration(max(1, s[i].size)))
		}
	}
	slices.Sort(took)
	return took, from
}

// near says that two sizes are taken for the same: a few sectors more or less.
func near(a, b int) bool { return 20*distance(a, b) <= max(a, b) }

func distance(a, b int) int { return max(a-b, b-a) }

// choice picks one of some durations, ascending and not none.
type choice func([]time.Duration) time.Duration

func median(took []time.Duration) time.Duration { return took[len(took)/2] }

// ninth is the ninth decile: one in ten takes longer.
func ninth(took []time.Duration) time.Duration { return took[min(len(took)*9/10, len(took)-1)] }

// history is what a miner's posts took.
type history struct {
	form   abi.RegisteredPoStProof // of the newest
	posts  int                     // that it is from
	reads  samples                 // of a deadline's sectors, all its batches together,
	own    map[uint64]samples      // and of each deadline by its index
	proofs samples                 // of a batch, by the partitions that its SNARK has
	sent   samples                 // from sending to execution; all of size 1
}

// usualPost is how long a message takes while none of the miner's is known of.
const usualPost abi.ChainEpoch = 2

func measure(duties []vigil.Duty, epoch time.Duration) history {
	duties = slices.DeleteFunc(slices.Clone(duties), func(d vigil.Duty) bool {
		return d.ID.Kind != vigil.KindPost || d.State == vigil.StateReplaced || d.Took.Prove == 0
	})
	slices.SortStableFunc(duties, func(a, b vigil.Duty) int { return cmp.Compare(a.ID.Open, b.ID.Open) })
	h := history{posts: len(duties), own: map[uint64]samples{}}
	for _, d := range duties {
		t := d.Took
		h.form = t.ProofType
		h.proofs = append(h.proofs, sample{parts(t.ProofType, t.Sectors), t.Prove})
		if t.Included >= t.Submitted && t.Submitted > 0 {
			h.sent = append(h.sent, sample{1, time.Duration(t.Included-t.Submitted) * epoch})
		}
	}
	for len(duties) > 0 {
		open, index, read := duties[0].ID.Open, duties[0].Deadline.Index, sample{}
		for len(duties) > 0 && duties[0].ID.Open == open {
			read.size += duties[0].Took.Sectors
			read.took = max(read.took, duties[0].Took.Read)
			duties = duties[1:]
		}
		h.reads = append(h.reads, read)
		h.own[index] = append(h.own[index], read)
	}
	return h
}

// read is what reading so many sectors of a deadline took: of this very one, if
// it had as many before, because its sectors lie where they lay.
func (h history) read(index uint64, sectors int) (took []time.Duration, from int) {
	if took, from = h.own[index].like(sectors); len(took) > 0 && from == sectors {
		return took, from
	}
	return h.reads.like(sectors)
}

// parts is how many partitions the SNARK of so many sectors has: each costs the
// same, however full it is.
func parts(form abi.RegisteredPoStProof, sectors int) int {
	most, err := builtin.PoStProofWindowPoStPartitionSectors(form)
	if err != nil || most == 0 {
		return 1
	}
	return max(1, (sectors+int(most)-1)/int(most))
}

// post is how many epochs a message takes.
func (h history) post(pick choice, epoch time.Duration) abi.ChainEpoch {
	took, _ := h.sent.like(1)
	if len(took) == 0 || epoch <= 0 {
		return usualPost
	}
	return abi.ChainEpoch(pick(took) / epoch)
}
