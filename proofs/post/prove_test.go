package post_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/post"
)

// TestProofsMadeHereVerifyUnderItsKeys proves filecoin-proofs' sectors with
// filecoin-proofs' keys.
func TestProofsMadeHereVerifyUnderItsKeys(t *testing.T) {
	dir := filepath.Join(fixtures(t), "oracle")
	names := []string{"window-2k-1.2.0-3", "window-2k-1.0.0-01", "window-2k-1.0.0-01234"}
	if testing.Short() {
		names = names[:1]
	}
	for i, name := range names {
		withKernels(t, name, i == 0, func(t *testing.T, kernels groth16.Prover) {
			c := readCases(t, filepath.Join(dir, "cases", name+".json"))[0]
			cfg := c.config(t)
			prover, done, err := post.OpenProver(cfg, filepath.Join(dir, "params"), kernels)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = done() }()
			vanilla := c.vanilla()
			slices.Reverse(vanilla)
			proof := must(prover.Prove(t.Context(), c.statement(), vanilla))(t)
			if len(proof) != cfg.ProofSize(len(c.Sectors)) {
				t.Errorf("%d bytes, want %d", len(proof), cfg.ProofSize(len(c.Sectors)))
			}
			v := openKeys(dir).of(t, cfg)
			if ok, err := v.Verify(c.statement(), proof); !ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
			other := c.statement()
			other.Randomness[0] ^= 1
			if ok, err := v.Verify(other, proof); ok || err != nil {
				t.Errorf("under other randomness: %v, %v", ok, err)
			}
		})
	}
}

// With r left zero A depends on the witness alone, and s makes B and C differ: a fifth of the
// sums in G1 is spared (docs/decisions/0005-window-posts-hide-nothing.md).
func TestAKeyFromAFileIsProvedWithWithoutR(t *testing.T) {
	dir := filepath.Join(fixtures(t), "oracle")
	c := readCases(t, filepath.Join(dir, "cases", "window-2k-1.2.0-3.json"))[0]
	prover, done, err := post.OpenProver(c.config(t), filepath.Join(dir, "params"), groth16.Prover{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = done() }()
	first := must(prover.Prove(t.Context(), c.statement(), c.vanilla()))(t)
	second := must(prover.Prove(t.Context(), c.statement(), c.vanilla()))(t)
	if !bytes.Equal(first[:48], second[:48]) {
		t.Error("A differs: it is blinded by r")
	}
	if bytes.Equal(first[48:144], second[48:144]) {
		t.Error("B is the same: it is not blinded by s")
	}
}

// withKernels runs a test with the fastest kernels and, if both are wanted or VIGIL_LONG
// is set, with gnark-crypto's where those are others.
func withKernels(t *testing.T, name string, both bool, test func(*testing.T, groth16.Prover)) {
	fastest := groth16.Kernels().Name
	t.Run(name+"/"+fastest, func(t *testing.T) { test(t, groth16.Prover{}) })
	if fastest == groth16.Generic || !both && os.Getenv("VIGIL_LONG") == "" {
		return
	}
	t.Run(name+"/"+groth16.Generic, func(t *testing.T) {
		sums := new(groth16.Portable)
		defer sums.Close()
		test(t, groth16.Prover{Multiexp: sums, FFT: new(groth16.PortableFFT)})
	})
}

// With equal blinding, both kernels make the same bytes.
func TestKernelsMakeTheSameBytes(t *testing.T) {
	dir := filepath.Join(fixtures(t), "oracle")
	var proofs [][]byte
	withKernels(t, "window-2k-1.2.0-3", true, func(t *testing.T, kernels groth16.Prover) {
		c := readCases(t, filepath.Join(dir, "cases", "window-2k-1.2.0-3.json"))[0]
		kernels.Rand = fixed{}
		prover, done, err := post.OpenProver(c.config(t), filepath.Join(dir, "params"), kernels)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = done() }()
		proofs = append(proofs, must(prover.Prove(t.Context(), c.statement(), c.vanilla()))(t))
	})
	for _, p := range proofs[1:] {
		if !bytes.Equal(p, proofs[0]) {
			t.Errorf("they differ: %x and %x", proofs[0], p)
		}
	}
}

// fixed is a source of no randomness.
type fixed struct{}

func (fixed) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(i + 1)
	}
	return len(b), nil
}

func TestAPartitionProvedAloneTakesItsPlace(t *testing.T) {
	if testing.Short() {
		t.Skip("proves for seconds")
	}
	dir := filepath.Join(fixtures(t), "oracle")
	for _, name := range []string{"window-2k-1.0.0-01234", "window-16k-1.2.0-0", "window-32k-1.0.0-0"} {
		withKernels(t, name, false, func(t *testing.T, kernels groth16.Prover) {
			c := readCases(t, filepath.Join(dir, "cases", name+".json"))[0]
			prover, done, err := post.OpenProver(c.config(t), filepath.Join(dir, "params"), kernels)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = done() }()
			part := must(prover.ProvePartition(t.Context(), c.statement(), c.vanilla()[4:], 2))(t)
			proof := append(bytes.Clone(c.Proof[:384]), part...)
			if ok, err := openKeys(dir).of(t, c.config(t)).Verify(c.statement(), proof); !ok || err != nil {
				t.Errorf("the last of three partitions: %v, %v", ok, err)
			}
			if _, err := prover.ProvePartition(t.Context(), c.statement(), c.vanilla(), 3); err == nil {
				t.Error("a fourth partition of three")
			}
		})
	}
}

func TestWhatCannotBeProvenIsRefused(t *testing.T) {
	dir := filepath.Join(fixtures(t), "oracle")
	c := readCases(t, filepath.Join(dir, "cases", "window-2k-1.2.0-01.json"))[0]
	prover, done, err := post.OpenProver(c.config(t), filepath.Join(dir, "params"), groth16.Prover{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = done() }()
	for name, change := range map[string]func(*post.Statement, [][]byte) [][]byte{
		"a vanilla proof missing":      func(_ *post.Statement, v [][]byte) [][]byte { return v[:1] },
		"a vanilla proof cut off":      func(_ *post.Statement, v [][]byte) [][]byte { v[0] = v[0][:100]; return v },
		"a vanilla proof of no bytes":  func(_ *post.Statement, v [][]byte) [][]byte { return append(v, nil) },
		"other randomness":             func(s *post.Statement, v [][]byte) [][]byte { s.Randomness[0] ^= 1; return v },
		"another comm_r on chain":      func(s *post.Statement, v [][]byte) [][]byte { s.Sectors[1].CommR[0] ^= 1; return v },
		"randomness that is no number": func(s *post.Statement, v [][]byte) [][]byte { s.Randomness[31] = 0xff; return v },
		"no sectors":                   func(s *post.Statement, v [][]byte) [][]byte { s.Sectors = nil; return v },
	} {
		t.Run(name, func(t *testing.T) {
			s, v := c.statement(), c.vanilla()
			for i := range v {
				v[i] = bytes.Clone(v[i])
			}
			v = change(&s, v)
			if _, err := prover.Prove(t.Context(), s, v); err == nil {
				t.Error("no error")
			}
		})
	}
	t.Run("a path that does not lead to the root", func(t *testing.T) {
		v := c.vanilla()
		v[1] = bytes.Clone(v[1])
		v[1][56+4+64+8+8] ^= 1
		if _, err := prover.Prove(t.Context(), c.statement(), v); !errors.Is(err, groth16.ErrUnsatisfied) {
			t.Errorf("%v", err)
		}
		if err := prover.CheckVanilla(t.Context(), c.statement(), v); err == nil || !strings.Contains(err.Error(), "sector 1") {
			t.Errorf("looked at before: %v", err)
		}
		if err := prover.CheckVanilla(t.Context(), c.statement(), c.vanilla()); err != nil {
			t.Errorf("the good ones: %v", err)
		}
	})
	t.Run("a key of another circuit", func(t *testing.T) {
		var wrong *groth16.WrongKeyError
		if _, err := post.NewProver(c.config(t), &groth16.ProvingKey{}, groth16.Prover{}); !errors.As(err, &wrong) {
			t.Errorf("%v", err)
		}
	})
}

// The daemon opens its key by OpenProver: what it leaves out must be left out there too.
func TestAnOpenedProverHidesNothingEither(t *testing.T) {
	dir := filepath.Join(fixtures(t), "oracle")
	c := readCases(t, filepath.Join(dir, "cases", "window-2k-1.2.0-01.json"))[0]
	var total int64
	count := func(p groth16.Progress) { total = p.Total }
	prover, done, err := post.OpenProver(c.config(t), filepath.Join(dir, "params"), groth16.Prover{Progress: count})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = done() }()
	must(prover.Prove(t.Context(), c.statement(), c.vanilla()))(t)
	opened := total
	hiding := prover.Using(func(p *groth16.Prover) { p.NonZK = false })
	must(hiding.Prove(t.Context(), c.statement(), c.vanilla()))(t)
	if opened >= total {
		t.Errorf("%d terms are summed, as many as for a proof that hides its witness", opened)
	}
}
