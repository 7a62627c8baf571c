package bench

import (
	"bufio"
	"context"
	"os"
	"runtime"
	"strings"
	"time"
)

// Machine is where something was measured.
type Machine struct {
	CPU   string `json:"cpu"` // as the processor names itself
	Cores int    `json:"cores"`
}

// ThisMachine says what it can about this one.
func ThisMachine() Machine {
	m := Machine{CPU: runtime.GOARCH, Cores: runtime.GOMAXPROCS(0)}
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return m
	}
	defer f.Close()
	about := make(map[string]string) // of the first processor: its lines end with an empty one
	for lines := bufio.NewScanner(f); lines.Scan() && lines.Text() != ""; {
		key, value, _ := strings.Cut(lines.Text(), ":")
		about[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	if name := about["model name"]; name != "" {
		m.CPU = name + " (family " + about["cpu family"] + ", model " + about["model"] + ")"
	}
	return m
}

// Timing is what something cost.
type Timing struct {
	CPU  float64 `json:"cpu_s"` // of all cores together, user and system
	Wall float64 `json:"wall_s"`
}

// timed measures work in this process.
func timed(work func() error) (Timing, error) {
	cpu, start := cpuTime(), time.Now()
	err := work()
	return Timing{CPU: (cpuTime() - cpu).Seconds(), Wall: time.Since(start).Seconds()}, err
}

// mib is a number of MiB; nil where the system does not say.
type mib = *float64

// sampleEvery is how often memory is looked at: often enough for a proof of half
// a second, seldom enough to cost nothing.
const sampleEvery = 4 * time.Millisecond

// peakAnon watches a process's anonymous memory until stop, which says the most
// it saw.
func peakAnon(ctx context.Context, pid int) (stop func() mib) {
	ctx, cancel := context.WithCancel(ctx)
	peak := make(chan mib, 1)
	go func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		most := anon(pid)
		for {
			select {
			case <-ctx.Done():
				peak <- most
				return
			case <-tick.C:
				most = larger(most, anon(pid))
			}
		}
	}()
	return func() mib {
		cancel()
		return <-peak
	}
}

func larger(a, b mib) mib {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}
