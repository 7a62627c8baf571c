package actor

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
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
			cpu := cpuTime()
			for range b.N {
				h.ordinary()
				h.end()
			}
			b.StopTimer()
			if cpu = cpuTime() - cpu; cpu > 0 {
				b.ReportMetric(float64(b.N)/cpu.Seconds(), "epochs/cpu-s")
			}
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

// BenchmarkSeed gives a new miner its sectors, in one call.
func BenchmarkSeed(b *testing.B) {
	for _, kind := range []abi.RegisteredPoStProof{window32GiB, window2KiB} {
		b.Run(shapes[kind]+"/sectors=100000", func(b *testing.B) {
			var cpu time.Duration
			for range b.N {
				b.StopTimer()
				l := newLab(b, 1000, kind, 0, -17)
				infos := l.fresh(100_000, 500*2880)
				b.StartTimer()
				from := cpuTime()
				out, err := AddSectors(l.rt, l.head, infos)
				check(b, err)
				l.took(out)
				cpu += cpuTime() - from
			}
			b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op")
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
