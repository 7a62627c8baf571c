package actor

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/exitcode"
)

// BenchmarkEpochs is a miner's ordinary life: every epoch ends, every partition
// is posted in its window, one in twenty without some sectors or not at all, and
// what is faulty is declared recovered. An operation is an epoch.
func BenchmarkEpochs(b *testing.B) {
	for _, c := range []struct {
		kind    abi.RegisteredPoStProof
		sectors int
	}{
		{window32GiB, 1}, {window32GiB, 1000}, {window32GiB, 10_000}, {window32GiB, 100_000},
		{window2KiB, 1000}, {window2KiB, 10_000}, {window2KiB, 100_000},
	} {
		b.Run(fmt.Sprintf("%s/sectors=%d", shapes[c.kind], c.sectors), func(b *testing.B) {
			before := heap()
			h := newHistory(b, c.kind, c.sectors, 1)
			for h.rt.Epoch < 2880 { // a first day, after which some sectors are faulty
				h.ordinary()
				h.end()
			}
			b.ResetTimer()
			for range b.N {
				h.ordinary()
				h.end()
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "epochs/s")
			b.ReportMetric(float64(h.blocks.size())/(1<<20), "store-MiB")
			b.ReportMetric(float64(heap()-before)/(1<<20), "heap-MiB")
			runtime.KeepAlive(h)
		})
	}
}

var shapes = map[abi.RegisteredPoStProof]string{window2KiB: "2KiB", window32GiB: "32GiB"}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func (m memory) size() (n int) {
	for _, data := range m {
		n += len(data)
	}
	return n
}

// BenchmarkSeed gives a new miner its sectors, in one call.
func BenchmarkSeed(b *testing.B) {
	for _, kind := range []abi.RegisteredPoStProof{window32GiB, window2KiB} {
		b.Run(shapes[kind]+"/sectors=100000", func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				l := newLab(b, 1000, kind, 0, -17)
				infos := l.fresh(100_000, 500*2880)
				b.StartTimer()
				out, err := AddSectors(l.rt, l.head, infos)
				check(b, err)
				l.took(out)
			}
		})
	}
}

// BenchmarkRewind goes back to a state of a day ago and reads what a node is
// asked for first.
func BenchmarkRewind(b *testing.B) {
	h := newHistory(b, window32GiB, 100_000, 1)
	old := h.head
	h.until(2880) // without a post
	now := h.head
	for b.Loop() {
		h.head = now
		v, err := Open(h.rt.Store, old)
		check(b, err)
		h.head = old
		v.ProvingDeadline(h.rt.Epoch)
	}
}

// newHistory is a miner with sectors that have all been proven once.
func newHistory(t testing.TB, kind abi.RegisteredPoStProof, sectors int, seed uint64) *history {
	t.Helper()
	h := &history{lab: newLab(t, 1000, kind, 0, -17), r: rand.New(rand.NewPCG(seed, 1)), did: map[string]int{}}
	h.add(sectors, 500*2880)
	h.activate()
	return h
}

// ordinary is what an honest daemon sends in an epoch: it posts two epochs after
// a window opens, and declares recoveries two before the next cutoff.
func (h *history) ordinary() {
	h.t.Helper()
	d := h.view().ProvingDeadline(h.rt.Epoch)
	switch h.rt.Epoch - d.Open {
	case 2:
		h.postAll(d.Index)
	case 40:
		h.recoverAll((d.Index + 3) % miner.WPoStPeriodDeadlines)
	}
}

// postAll posts a deadline's partitions, three in a message.
func (h *history) postAll(deadline uint64) {
	h.t.Helper()
	ps := h.partitions(deadline)
	var batch []uint64
	skipped := map[uint64][]uint64{}
	for i, p := range ps {
		switch h.r.IntN(40) {
		case 0:
			continue // missed
		case 1:
			skipped[uint64(i)] = h.part(members(p.Active))
		}
		if uint64(len(skipped[uint64(i)])) < count(p.Active) {
			batch = append(batch, uint64(i))
		}
		if len(batch) == miner.PoStedPartitionsMax {
			h.took1("post", batch, skipped)
			batch = nil
		}
	}
	if len(batch) > 0 {
		h.took1("post", batch, skipped)
	}
}

func (h *history) took1(name string, batch []uint64, skipped map[uint64][]uint64) {
	h.t.Helper()
	_, err := h.post(skipped, batch...)
	check(h.t, err)
	h.did[name]++
}

// recoverAll declares everything recovered that is faulty in a deadline.
func (h *history) recoverAll(deadline uint64) {
	h.t.Helper()
	p := &miner.DeclareFaultsRecoveredParams{}
	for i, x := range h.partitions(deadline) {
		if set := minus(x.Faulty, x.Recovering); !isEmpty(set) {
			p.Recoveries = append(p.Recoveries, miner.RecoveryDeclaration{Deadline: deadline, Partition: uint64(i), Sectors: set})
		}
	}
	if len(p.Recoveries) == 0 {
		return
	}
	_, err := h.call(11, p)
	if code(h.t, err) != exitcode.Ok {
		h.t.Fatal(err)
	}
	h.did["recover"]++
}
