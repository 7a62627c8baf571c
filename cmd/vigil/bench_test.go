package main

import (
	"strings"
	"testing"
	"time"

	"github.com/vigil-post/vigil/proofs/bench"
	"github.com/vigil-post/vigil/proofs/groth16"
)

func TestABenchmarkThatCannotBeMeantIsRefusedAtOnce(t *testing.T) {
	for _, c := range []struct {
		sentence string
		args     []string
		says     string
	}{
		{"no such row", []string{"proofs", "--only", "window-3KiB"}, `no row is called "window-3KiB"`},
		{"no such row for passes", []string{"passes", "--only", "all"}, `no row is called "all"`},
		{"an argument where none belongs", []string{"proofs", "window-2KiB"}, "window-2KiB"},
		{"an oracle that is not there", []string{"proofs", "--oracle", "/nowhere/vigil-oracle"}, "no oracle at /nowhere/vigil-oracle"},
		{"less than no repeats", []string{"proofs", "--repeat", "-1"}, "--repeat"},
		{"no partitions", []string{"passes", "--partitions", "0"}, "--partitions"},
		{"no sectors", []string{"full", "--sectors", "0"}, "--sectors"},
		{"a side without a case", []string{"prover"}, "case"},
	} {
		code, stdout, stderr := invoke(t, append([]string{"bench"}, c.args...)...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit code %d\n%s%s", c.sentence, code, stdout, stderr)
		}
	}
}

func TestProgressIsALineAtEachEndOfAPhaseAndNowAndThen(t *testing.T) {
	var out strings.Builder
	var now time.Time
	say := progressLines(&out, func() time.Time { return now })
	mib := 512.0
	at := func(after time.Duration, phase groth16.Phase, done int64) {
		now = now.Add(after)
		say(bench.FullProgress{
			Progress: groth16.Progress{Phase: phase, Done: done, Total: 200},
			Timing:   bench.Timing{CPU: 3, Wall: now.Sub(time.Time{}).Seconds()}, Anon: &mib,
		})
	}
	at(0, groth16.Transforms, 0)
	at(time.Second, groth16.Transforms, 50) // too soon
	at(10*time.Second, groth16.Transforms, 100)
	at(time.Second, groth16.Transforms, 200)
	at(0, groth16.Sums, 0)
	const want = `transforms   0.0 %  after 0s, 3 CPU s, 512 MiB
transforms  50.0 %  after 11s, 3 CPU s, 512 MiB
transforms 100.0 %  after 12s, 3 CPU s, 512 MiB
sums         0.0 %  after 12s, 3 CPU s, 512 MiB
`
	if out.String() != want {
		t.Errorf("said\n%swant\n%s", out.String(), want)
	}
}
