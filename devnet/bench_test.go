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
			n, err := Open(b.Context(), Config{
				Dir: b.TempDir(), Manual: true, Verify: byWord, Sectors: sectors, SectorSizes: []abi.SectorSize{32 << 30},
				Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			})
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
