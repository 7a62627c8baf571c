package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// smallRow is quick and needs no setup.
var smallRow = Row{Name: "window-2KiB-1", SectorSize: 2 << 10, Sectors: 1, Repeats: 2, Warm: WarmFile, arbitrary: true}

func TestASideMeasuredAgainstItselfIsAboutAsFast(t *testing.T) {
	if testing.Short() {
		t.Skip("proves some times over")
	}
	p := Proofs{Store: Store{Dir: t.TempDir()}, Self: selfCommand(t), Oracle: selfCommand(t)[0]}
	r, err := p.Measure(t.Context(), smallRow)
	if err != nil {
		t.Fatal(err)
	}
	if *r.RatioCPU < 0.3 || *r.RatioCPU > 3 {
		t.Errorf("a prover costs %.2f of itself", *r.RatioCPU)
	}
	if r.RatioKernels < 0.1 || r.RatioKernels > 5 { // a quarter to a half with the vector unit
		t.Errorf("a proof costs %.2f of its bare kernels", r.RatioKernels)
	}
	if runtime.GOOS == "linux" {
		if r.OursAnon == nil || *r.OursAnon < 5 || *r.OursAnon > 1000 {
			t.Errorf("a small proof takes %s MiB", number(r.OursAnon, 1))
		}
		if *r.RatioAnon < 0.2 || *r.RatioAnon > 5 {
			t.Errorf("a prover takes %.2f of its own memory", *r.RatioAnon)
		}
	}
	if r.Domain != 1<<14 || r.Repeats != 2 {
		t.Errorf("domain %d, %d repeats", r.Domain, r.Repeats)
	}
}

func TestWithoutAnOracleBellpersonIsUnknown(t *testing.T) {
	b, err := json.Marshal(Result{Name: "x", OursCPU: 1})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"x","ours_cpu_s":1,"ours_wall_s":0,"ours_anon_mib":null,"bellperson_cpu_s":null,"bellperson_wall_s":null,"bellperson_anon_mib":null,"ratio_cpu":null,"ratio_anon":null,"ratio_kernels":0,`
	if !strings.HasPrefix(string(b), want) {
		t.Errorf("a line is\n%s\nit must begin with\n%s", b, want)
	}
}

func TestASideThatFailsSaysWhy(t *testing.T) {
	p := Proofs{Store: Store{Dir: t.TempDir()}, Self: selfCommand(t)}
	row := smallRow
	row.Warm = "magic"
	_, err := p.Measure(t.Context(), row)
	if err == nil || !strings.Contains(err.Error(), `no warming by "magic"`) {
		t.Errorf("the error is %v", err)
	}
}

func TestServeAnswersEachLineAndRefusesOthers(t *testing.T) {
	for _, c := range []struct {
		sentence, in string
		answers      int
		fails        bool
	}{
		{"no line, no proof", "", 1, false},
		{"a proof for each line", "prove\nprove\n", 3, false},
		{"an unknown word ends it", "prove\nstop\n", 2, true},
	} {
		var out bytes.Buffer
		err := serve(t.Context(), strings.NewReader(c.in), &out, func(context.Context) error { return nil })
		if n := strings.Count(out.String(), "\n"); n != c.answers || (err != nil) != c.fails {
			t.Errorf("%s: %d lines, error %v: %s", c.sentence, n, err, out.String())
		}
	}
}

func TestOnePassReadsTheKeyOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("proves some times over")
	}
	r, err := Store{Dir: t.TempDir()}.Passes(t.Context(), smallRow, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	if r.OneRead != r.KeyBytes || r.AllRead != r.KeyBytes {
		t.Errorf("of %d bytes of points one partition reads %d and three in a pass %d", r.KeyBytes, r.OneRead, r.AllRead)
	}
	if r.RatioCPU < 1.5 || r.RatioCPU > 6 {
		t.Errorf("three partitions cost %.2f times one", r.RatioCPU)
	}
}

func TestCleanRemovesOnlyItsOwnFiles(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	name := filepath.Join(s.Dir, "somebody's")
	for _, file := range []string{name, filepath.Join(s.Dir, tileFile), filepath.Join(s.Dir, "window-32GiB-78.params")} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Clean(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(s.Dir, "*"))
	if err != nil || len(left) != 1 || left[0] != name {
		t.Errorf("left: %q, %v", left, err)
	}
}

func TestTheTableReadsWithAndWithoutBellperson(t *testing.T) {
	x := func(v float64) *float64 { return &v }
	results := []Result{
		{Name: "window-2KiB", OursCPU: 1.4, OursWall: 0.8, OursAnon: x(60), BellpersonCPU: x(3.5), BellpersonWall: x(1.9), BellpersonAnon: x(40), RatioCPU: x(0.4), RatioAnon: x(1.5), RatioKernels: 1.05, Backend: "gnark-crypto", Machine: Machine{CPU: "a processor", Cores: 2}},
		{Name: "window-8MiB", OursCPU: 2.88, OursWall: 1.5, RatioKernels: 1.02},
	}
	var out bytes.Buffer
	if err := WriteTable(&out, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a processor, 2 cores; kernels of gnark-crypto", "0.40", "1.05", "-"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table does not have %q:\n%s", want, out.String())
		}
	}
	// Core-seconds over 16 cores worth 87 %: 1.4/13.92 and 2.88/13.92.
	for _, want := range []string{"0.10 s", "0.21 s"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table does not have %q:\n%s", want, out.String())
		}
	}
}
