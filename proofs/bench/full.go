package bench

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/post"
)

// Full is a proof of full size, on a key whose points repeat (Store.TiledKey). What
// it makes does not verify; time and memory are those of a real proof but for the
// reading of 61 GB.
type Full struct {
	Store
	Sectors    int   // of 32 GiB in a partition; 0: 2349
	Partitions int   // proved in one pass, if Memory allows
	Memory     int64 // bytes that the prover may take; 0: no limit
	// Progress is told of each step, with the time since the start.
	Progress func(FullProgress)
}

// FullProgress is how far a full proof is and what it took until then.
type FullProgress struct {
	groth16.Progress
	Timing
	Anon mib
}

// FullResult is what a full proof cost. It is printed as JSON.
type FullResult struct {
	Name       string  `json:"name"`
	Sectors    int     `json:"sectors"` // in a partition
	Partitions int     `json:"partitions"`
	Domain     int     `json:"domain"`
	CPU        float64 `json:"ours_cpu_s"`
	Wall       float64 `json:"ours_wall_s"`
	Anon       mib     `json:"ours_anon_mib"`
	MemoryMiB  int64   `json:"memory_limit_mib"` // told to the prover; 0: none
	Backend    string  `json:"kernels"`
	// Phases has what each took, in the order of groth16's phases.
	Phases []PhaseCost `json:"phases"`
	Machine
}

// PhaseCost is what a phase took.
type PhaseCost struct {
	Phase groth16.Phase `json:"phase"`
	Timing
}

// Run proves.
func (f Full) Run(ctx context.Context) (FullResult, error) {
	form, err := config(32<<30, f.Sectors)
	if err != nil {
		return FullResult{}, err
	}
	f.Partitions = max(1, f.Partitions)
	l, err := lengthsOf(form)
	if err != nil {
		return FullResult{}, err
	}
	key, unmap, err := f.TiledKey(l)
	if err != nil {
		return FullResult{}, err
	}
	f.say("making up %d sectors", f.Partitions*form.Sectors)
	c, err := NewCase(ctx, 32<<30, f.Partitions*form.Sectors)
	if err != nil {
		return FullResult{}, err
	}
	result := FullResult{
		Name: "window-32GiB", Sectors: form.Sectors, Partitions: f.Partitions, Domain: l.H + 1,
		MemoryMiB: f.Memory >> 20, Backend: backend(), Machine: ThisMachine(),
	}
	if err := f.prove(ctx, form, c, key, &result); err != nil {
		// The prover may have left a sum behind that still reads the key:
		// the process ends soon, and the mapping with it.
		return FullResult{}, err
	}
	return result, unmap()
}

func (f Full) prove(ctx context.Context, form post.Config, c *Case, key *groth16.ProvingKey, to *FullResult) error {
	statement, vanilla, err := c.statement()
	if err != nil {
		return err
	}
	log := &phaseLog{cpu: cpuTime(), wall: time.Now()}
	prover, err := post.NewProver(form, key, groth16.Prover{Memory: f.Memory, Progress: func(p groth16.Progress) {
		at := log.step(p)
		if f.Progress != nil {
			f.Progress(FullProgress{Progress: p, Timing: at, Anon: anon(os.Getpid())})
		}
	}})
	if err != nil {
		return err
	}
	stop := peakAnon(ctx, os.Getpid())
	t, err := timed(func() error {
		_, err := prover.Prove(ctx, statement, vanilla)
		return err
	})
	to.Anon = stop()
	if err != nil {
		return fmt.Errorf("prove %d sectors: %w", len(statement.Sectors), err)
	}
	to.CPU, to.Wall, to.Phases = t.CPU, t.Wall, log.phases
	return nil
}

// phaseLog adds up what each phase takes. A phase's cost is what passes until its
// last step.
type phaseLog struct {
	cpu    time.Duration
	wall   time.Time
	phases []PhaseCost
}

// step says what has been used since the start.
func (l *phaseLog) step(p groth16.Progress) Timing {
	total := Timing{CPU: (cpuTime() - l.cpu).Seconds(), Wall: time.Since(l.wall).Seconds()}
	if n := len(l.phases); n == 0 || l.phases[n-1].Phase != p.Phase {
		l.phases = append(l.phases, PhaseCost{Phase: p.Phase})
	}
	before := Timing{}
	for _, done := range l.phases[:len(l.phases)-1] {
		before.CPU, before.Wall = before.CPU+done.CPU, before.Wall+done.Wall
	}
	l.phases[len(l.phases)-1].Timing = Timing{CPU: total.CPU - before.CPU, Wall: total.Wall - before.Wall}
	return total
}
