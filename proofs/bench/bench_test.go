package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkProofs measures the rows of `vigil bench proofs`: each round is a proof by
// each side. The oracle is found by VIGIL_ORACLE or on the search path; without it
// only our side is measured. Keys are kept in the user's cache directory. All rows
// take about ten minutes on two cores: give -timeout 30m, or -short to leave the
// largest out.
func BenchmarkProofs(b *testing.B) {
	p := Proofs{Store: benchmarkStore(b), Self: selfCommand(b), Oracle: os.Getenv("VIGIL_ORACLE")}
	if path, err := exec.LookPath("vigil-oracle"); err == nil && p.Oracle == "" {
		p.Oracle = path
	}
	if p.Oracle == "" {
		b.Log("bellperson is not measured: VIGIL_ORACLE does not say where vigil-oracle is (interop/README)")
	}
	for _, row := range Rows() {
		b.Run(row.Name, func(b *testing.B) {
			if row.arbitrary && testing.Short() {
				b.Skip("takes minutes and 2 GB of disk")
			}
			m, err := p.Open(b.Context(), row)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := m.Round(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			if err := m.Close(); err != nil {
				b.Fatal(err)
			}
			report(b, m.Result())
		})
	}
}

func report(b *testing.B, r Result) {
	b.ReportMetric(0, "ns/op") // of a round of three sides: says nothing
	for unit, x := range map[string]*float64{
		"ours-cpu-s": &r.OursCPU, "ours-wall-s": &r.OursWall, "ours-anon-MiB": r.OursAnon,
		"bellperson-cpu-s": r.BellpersonCPU, "bellperson-wall-s": r.BellpersonWall, "bellperson-anon-MiB": r.BellpersonAnon,
		"ratio-cpu": r.RatioCPU, "ratio-anon": r.RatioAnon, "ratio-kernels": &r.RatioKernels,
	} {
		if x != nil {
			b.ReportMetric(*x, unit)
		}
	}
}

// BenchmarkPasses measures three partitions in one pass over the key.
func BenchmarkPasses(b *testing.B) {
	for _, row := range Rows()[:2] {
		b.Run(row.Name, func(b *testing.B) {
			for b.Loop() {
				r, err := benchmarkStore(b).Passes(b.Context(), row, 3, 1)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(r.RatioCPU, "ratio-cpu")
				b.ReportMetric(float64(r.AllRead)/float64(r.KeyBytes), "key-reads")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func benchmarkStore(b *testing.B) Store {
	b.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		b.Fatal(err)
	}
	return Store{
		Dir: filepath.Join(cache, "vigil", "bench"), Params: os.Getenv("FIL_PROOFS_PARAMETER_CACHE"),
		Say: b.Logf,
	}
}
