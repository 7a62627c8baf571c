package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/vigil-post/vigil/proofs/groth16"
)

// Result is what a row cost, both sides in one run. It is a line of
// `vigil bench proofs --json`; what is not known is null.
type Result struct {
	Name           string   `json:"name"`
	OursCPU        float64  `json:"ours_cpu_s"`
	OursWall       float64  `json:"ours_wall_s"`
	OursAnon       mib      `json:"ours_anon_mib"`
	BellpersonCPU  *float64 `json:"bellperson_cpu_s"`
	BellpersonWall *float64 `json:"bellperson_wall_s"`
	BellpersonAnon mib      `json:"bellperson_anon_mib"`
	RatioCPU       *float64 `json:"ratio_cpu"`  // ours to bellperson's
	RatioAnon      *float64 `json:"ratio_anon"` // ours to bellperson's
	// RatioKernels is our CPU time to that of the bare Kernels.
	RatioKernels float64 `json:"ratio_kernels"`
	KernelsCPU   float64 `json:"kernels_cpu_s"`
	KernelsWall  float64 `json:"kernels_wall_s"`
	Backend      string  `json:"kernels"` // those that our proof was computed with
	Sectors      int     `json:"sectors"`
	Domain       int     `json:"domain"`
	Repeats      int     `json:"repeats"`
	Machine
}

// backend names the kernels of a zero groth16.Prover.
func backend() string { return groth16.Kernels().Name }

// CoreSeconds is the compute of a proof, which more cores share.
func (r Result) CoreSeconds() float64 { return r.OursCPU }

// WallOn is an extrapolation: the time on so many cores like these that are put to
// use to the given part.
func (r Result) WallOn(cores int, use float64) float64 {
	return r.CoreSeconds() / (float64(cores) * use)
}

// Proofs measures rows.
type Proofs struct {
	Store
	// Self begins the command line of this program's children: what follows is
	// "prover" or "kernels" and flags.
	Self []string
	// Oracle is the oracle's program; "": there is none, and bellperson is not measured.
	Oracle  string
	Repeats int // 0: as the row has it
}

// Measure measures a row.
func (p Proofs) Measure(ctx context.Context, r Row) (Result, error) {
	m, err := p.Open(ctx, r)
	if err != nil {
		return Result{}, err
	}
	repeats := r.Repeats
	if p.Repeats > 0 {
		repeats = p.Repeats
	}
	for i := range repeats {
		if err = m.Round(ctx); err != nil {
			err = fmt.Errorf("round %d: %w", i+1, err)
			break
		}
	}
	if err = errors.Join(err, m.Close()); err != nil {
		return Result{}, fmt.Errorf("measure %s: %w", r.Name, err)
	}
	return m.Result(), nil
}

// Measurement is a row being measured: its sides are warm and take turns.
type Measurement struct {
	row    Row
	domain int
	sides  []*side
	rounds int
}

// side is a child with the best of what it did.
type side struct {
	*child
	best Timing
	anon mib
}

const (
	sideOurs       = "vigil"
	sideKernels    = "bare kernels"
	sideBellperson = "bellperson"
)

// Open makes what the row needs and starts its sides, one after another.
func (p Proofs) Open(ctx context.Context, r Row) (*Measurement, error) {
	l, err := r.lengths()
	if err != nil {
		return nil, err
	}
	args, err := p.proveArgs(ctx, r, 1)
	if err != nil {
		return nil, err
	}
	command := func(of []string, name string, flags ...string) []string {
		return append(append(append([]string(nil), of...), name), flags...)
	}
	commands := map[string][]string{
		sideOurs:    command(p.Self, "prover", args.flags()...),
		sideKernels: command(p.Self, "kernels", "--"+FlagLengths, lengthsFlag(l)),
	}
	if p.Oracle != "" {
		commands[sideBellperson] = command([]string{p.Oracle}, "bench-prove", args.flags()...)
	}
	m := &Measurement{row: r, domain: l.H + 1}
	for _, name := range []string{sideOurs, sideBellperson, sideKernels} {
		if commands[name] == nil {
			continue
		}
		p.say("%s: %s gets warm", r.Name, name)
		c, err := startChild(ctx, name, commands[name]...)
		if err != nil {
			return nil, errors.Join(err, m.Close())
		}
		m.sides = append(m.sides, &side{child: c})
	}
	return m, nil
}

// Round lets each side prove once.
func (m *Measurement) Round(ctx context.Context) error {
	m.rounds++
	for _, s := range m.sides {
		t, peak, err := s.prove(ctx)
		if err != nil {
			return err
		}
		if m.rounds == 1 {
			s.best = t
		}
		s.best = Timing{CPU: min(s.best.CPU, t.CPU), Wall: min(s.best.Wall, t.Wall)}
		s.anon = larger(s.anon, peak)
	}
	return nil
}

// Close ends the sides.
func (m *Measurement) Close() error {
	var errs []error
	for _, s := range m.sides {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// Result is what the rounds so far say.
func (m *Measurement) Result() Result {
	r := Result{
		Name: m.row.Name, Backend: backend(), Sectors: m.row.Sectors, Domain: m.domain,
		Repeats: m.rounds, Machine: ThisMachine(),
	}
	for _, s := range m.sides {
		switch s.name {
		case sideOurs:
			r.OursCPU, r.OursWall, r.OursAnon = s.best.CPU, s.best.Wall, s.anon
		case sideKernels:
			r.KernelsCPU, r.KernelsWall = s.best.CPU, s.best.Wall
		case sideBellperson:
			r.BellpersonCPU, r.BellpersonWall, r.BellpersonAnon = &s.best.CPU, &s.best.Wall, s.anon
		}
	}
	r.RatioKernels = r.OursCPU / r.KernelsCPU
	r.RatioCPU = ratio(&r.OursCPU, r.BellpersonCPU)
	r.RatioAnon = ratio(r.OursAnon, r.BellpersonAnon)
	return r
}

// ratio is unknown if one side is.
func ratio(a, b *float64) *float64 {
	if a == nil || b == nil || *b == 0 {
		return nil
	}
	r := *a / *b
	return &r
}
