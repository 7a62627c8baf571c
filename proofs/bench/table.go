package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// How much more cores are worth, for the extrapolation. Sixteen of a server were measured: 97 % busy with a
// full partition, each a tenth slower than one alone. Sixty-four are a guess.
const (
	use16 = 0.87
	use64 = 0.75
)

// WriteTable writes results for people.
func WriteTable(out io.Writer, results []Result) error {
	if len(results) == 0 {
		return nil
	}
	m := results[0].Machine
	fmt.Fprintf(out, "%s, %d cores; kernels of %s\n\n", m.CPU, m.Cores, results[0].Backend)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tours\t\t\tbellperson\t\t\tours / bellperson\t\tours /\tours on\ton\t")
	fmt.Fprintln(t, "\tCPU s\twall s\tMiB\tCPU s\twall s\tMiB\tCPU\tmemory\tkernels\t16 cores\t64 cores\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%s\t%s\t%s\t%s\t%s\t%s\t%.2f\t%.2f s\t%.2f s\t\n", r.Name,
			r.OursCPU, r.OursWall, number(r.OursAnon, 0),
			number(r.BellpersonCPU, 2), number(r.BellpersonWall, 2), number(r.BellpersonAnon, 0),
			number(r.RatioCPU, 2), number(r.RatioAnon, 2), r.RatioKernels,
			r.WallOn(16, use16), r.WallOn(64, use64))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, `
Our CPU seconds are the core-seconds of a proof. Ratios below 1 mean that ours is cheaper; "ours / kernels" is to the bare
multi-exponentiations and transforms that no proof avoids. MiB is peak anonymous memory, the mapped parameter file not counted.
Times are the least and memory the most of the repeats. 16 and 64 cores are extrapolated: core-seconds shared by cores like these,
each worth %.0f and %.0f %% of one alone; small proofs do not share that well.
`, 100*use16, 100*use64)
	return err
}

func number(x *float64, digits int) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%.*f", digits, *x)
}
