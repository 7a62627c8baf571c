package devnet

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
)

// The chain's speed without messages, with sectors in 32 GiB shape.
func BenchmarkEpochs(b *testing.B) {
	for _, sectors := range []int{1, 10_000, 100_000} {
		b.Run(fmt.Sprint(sectors, " sectors"), func(b *testing.B) {
			n, err := Open(b.Context(), benchConfig(b, sectors))
			if err != nil {
				b.Fatal(err)
			}
			defer n.Close()
			b.ResetTimer()
			for range b.N {
				if err := n.Advance(context.Background(), 1); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "epochs/s")
		})
	}
}

// BenchmarkSeed makes a network with 100,000 sectors in 32 GiB shape.
func BenchmarkSeed(b *testing.B) {
	for range b.N {
		n, err := Open(b.Context(), benchConfig(b, 100_000))
		if err != nil {
			b.Fatal(err)
		}
		if err := n.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRewind sets the head of a chain with 100,000 sectors back by 900 tipsets.
func BenchmarkRewind(b *testing.B) {
	n, err := Open(b.Context(), benchConfig(b, 100_000))
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		if err := n.Advance(b.Context(), 901); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		off, base, err := n.chain.last(900)
		if err != nil {
			b.Fatal(err)
		}
		n.chain.adopt(off, nil)
		if n.chain.current() != base {
			b.Fatal("the head is elsewhere")
		}
	}
}

func benchConfig(b *testing.B, sectors int) Config {
	return Config{
		Dir: b.TempDir(), Manual: true, Verify: byWord, Sectors: sectors, SectorSizes: []abi.SectorSize{32 << 30},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}
