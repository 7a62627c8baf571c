package post_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/circuit"
	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/params"
	"github.com/vigil-post/vigil/proofs/post"
)

// trapdoor is a verifying key with the secret behind it. Who knows that proves
// anything: it is how proofs for circuits of any size are had without proving
// (Groth, eprint 2016/260, section 3.2: the simulator).
type trapdoor struct {
	alpha, beta, gamma, delta fr.Element
	ic                        []fr.Element
	key                       *groth16.VerifyingKey
}

func newTrapdoor(t testing.TB, cfg post.Config) *trapdoor {
	t.Helper()
	shape := cfg.Circuit()
	d := &trapdoor{ic: make([]fr.Element, 1+shape.Sectors*(1+shape.Challenges))}
	for i := range d.ic {
		draw(t, &d.ic[i])
	}
	_, _, one, two := bls12381.Generators()
	g2 := func(x *fr.Element) bls12381.G2Affine {
		draw(t, x)
		return bls12381.BatchScalarMultiplicationG2(&two, []fr.Element{*x})[0]
	}
	d.key = &groth16.VerifyingKey{IC: bls12381.BatchScalarMultiplicationG1(&one, d.ic)}
	d.key.BetaG2, d.key.GammaG2, d.key.DeltaG2 = g2(&d.beta), g2(&d.gamma), g2(&d.delta)
	draw(t, &d.alpha)
	heads := bls12381.BatchScalarMultiplicationG1(&one, []fr.Element{d.alpha, d.beta, d.delta})
	d.key.AlphaG1, d.key.BetaG1, d.key.DeltaG1 = heads[0], heads[1], heads[2]
	return d
}

func draw(t testing.TB, x *fr.Element) {
	t.Helper()
	if _, err := x.SetRandom(); err != nil {
		t.Fatal(err)
	}
}

// proof is one that verifies for the inputs: C is what A and B leave over.
func (d *trapdoor) proof(t testing.TB, inputs []fr.Element) []byte {
	t.Helper()
	var a, b, c, x fr.Element
	draw(t, &a)
	draw(t, &b)
	sum := d.ic[0]
	for i := range inputs {
		sum.Add(&sum, x.Mul(&inputs[i], &d.ic[i+1]))
	}
	c.Mul(&a, &b)
	c.Sub(&c, x.Mul(&d.alpha, &d.beta))
	c.Sub(&c, x.Mul(&sum, &d.gamma))
	c.Div(&c, &d.delta)
	_, _, one, two := bls12381.Generators()
	g1 := bls12381.BatchScalarMultiplicationG1(&one, []fr.Element{a, c})
	p := groth16.Proof{A: g1[0], B: bls12381.BatchScalarMultiplicationG2(&two, []fr.Element{b})[0], C: g1[1]}
	bytes := p.Bytes()
	return bytes[:]
}

// statement is one of so many sectors, and a proof of it.
func (d *trapdoor) statement(t testing.TB, cfg post.Config, sectors int) (post.Statement, []byte) {
	t.Helper()
	s := post.Statement{ProverID: post.ProverID(1000), Randomness: [32]byte{5: 9}}
	var says []circuit.Statement
	for i := range sectors {
		var commR fr.Element
		draw(t, &commR)
		sector := post.Sector{Number: uint64(3 * i)}
		fr.LittleEndian.PutElement(&sector.CommR, commR)
		leaves, err := cfg.Leaves(s.Randomness, sector.Number, i)
		if err != nil {
			t.Fatal(err)
		}
		s.Sectors = append(s.Sectors, sector)
		says = append(says, circuit.Statement{CommR: commR, Leaves: leaves})
	}
	var proof []byte
	for len(says) > 0 {
		part := says[:min(cfg.Sectors, len(says))]
		says = says[len(part):]
		inputs, err := cfg.Circuit().PublicInputs(part)
		if err != nil {
			t.Fatal(err)
		}
		proof = append(proof, d.proof(t, inputs)...)
	}
	return s, proof
}

func (d *trapdoor) verifier(t testing.TB, cfg post.Config) *post.Verifier {
	t.Helper()
	v, err := post.NewVerifier(cfg, d.key)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func fullSize(t testing.TB) post.Config {
	t.Helper()
	cfg, err := post.WindowConfig(32<<30, post.V1_1)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestPartitionsOfFullSizeAreJudgedTogetherAsAlone(t *testing.T) {
	cfg := fullSize(t)
	key := newTrapdoor(t, cfg)
	v := key.verifier(t, cfg)
	s, proof := key.statement(t, cfg, 2*cfg.Sectors+17) // three partitions, the last one short
	if ok, err := v.Verify(s, proof); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	for k := range 3 {
		other := s
		other.Sectors = append([]post.Sector(nil), s.Sectors...)
		other.Sectors[min(k*cfg.Sectors+2348, len(s.Sectors)-1)].CommR[3] ^= 1
		if ok, err := v.Verify(other, proof); ok || err != nil {
			t.Errorf("another comm_r in partition %d: %v, %v", k, ok, err)
		}
		wrong := append([]byte(nil), proof...)
		wrong[k*192] ^= 0x20 // the sign of A
		if ok, err := v.Verify(s, wrong); ok || err != nil {
			t.Errorf("another A in partition %d: %v, %v", k, ok, err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	cfg := fullSize(b)
	key := newTrapdoor(b, cfg)
	v := key.verifier(b, cfg)
	for _, partitions := range []int{1, 3} {
		s, proof := key.statement(b, cfg, partitions*cfg.Sectors)
		b.Run(fmt.Sprintf("%d inputs, %d partitions", len(key.key.IC)-1, partitions), func(b *testing.B) {
			for b.Loop() {
				if ok, err := v.Verify(s, proof); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

func BenchmarkOpenVerifier(b *testing.B) {
	cfg := fullSize(b)
	key := newTrapdoor(b, cfg)
	data, err := key.key.AppendBinary(nil)
	if err != nil {
		b.Fatal(err)
	}
	name, err := params.Proof{SectorSize: 32 << 30}.VKFile()
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := post.OpenVerifier(cfg, dir); err != nil {
			b.Fatal(err)
		}
	}
}
