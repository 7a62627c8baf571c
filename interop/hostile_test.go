package interop

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fp"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/post"
)

// TestHostileCasesAreJudgedAlike hands both sides what somebody would who wants
// them to disagree: every other way to write a proof's points, and statements at
// the edges of what is one.
func TestHostileCasesAreJudgedAlike(t *testing.T) {
	for _, s := range []struct {
		kind post.Kind
		api  string
		n    int
	}{
		{post.Window, "1.2.0", 1},
		{post.Window, "1.0.0", 3},
		{post.Winning, "1.0.0", 1},
	} {
		t.Run(fmt.Sprintf("%s-%s-%d", s.kind, s.api, s.n), func(t *testing.T) {
			o := newOracle(t)
			good := o.proved(t, s.kind, s.api, s.n)
			judge := judge{o.params, map[post.Config]*post.Verifier{}}
			cases := slices.Concat([]*proofCase{good}, points(good), statements(good))
			for i, want := range o.verdicts(t, cases) {
				have := judge.verdict(cases[i])
				if have != want {
					t.Errorf("%s: Go says %s, Rust %s", cases[i].about, have, want)
				}
				if i == 0 && want != "true" {
					t.Errorf("the case itself: %s", want)
				}
				counts.verdicts++
			}
		})
	}
}

// judge judges cases of any form, which may be none.
type judge struct {
	params    string
	verifiers map[post.Config]*post.Verifier
}

// verdict is Go's.
func (j judge) verdict(c *proofCase) string {
	version, err := post.VersionOfAPI(c.API)
	if err != nil {
		return "error"
	}
	var form post.Config
	if c.Type == post.Winning {
		form, err = post.WinningConfig(c.SectorSize)
		form.Version = version
	} else {
		form, err = post.WindowConfig(c.SectorSize, version)
	}
	if err != nil {
		return "error"
	}
	if j.verifiers[form] == nil {
		if j.verifiers[form], err = post.OpenVerifier(form, j.params); err != nil {
			return "error"
		}
	}
	return verdict(j.verifiers[form], c)
}

// proved is a case of fresh sectors of 2 KiB that we proved.
func (o *oracle) proved(t *testing.T, kind post.Kind, api string, n int) *proofCase {
	t.Helper()
	form := form(t, kind, 2<<10, api)
	o.keys(t, form)
	p := o.sectors(t, form.Shape, n)
	var randomness [32]byte
	fill(o.random, randomness[:31])
	c := &proofCase{Type: kind, SectorSize: 2 << 10, API: api, Miner: 1000, Randomness: randomness[:], about: "as it was made"}
	for i := range n {
		number := []uint64{7, 1 << 40, math.MaxInt64}[i]
		sector := post.Sector{Number: number, CommR: p.folders[i].commR}
		leaves, err := form.Leaves(randomness, number, i)
		check(t, err)
		c.Sectors = append(c.Sectors, caseSector{number, bytes.Clone(sector.CommR[:])})
		c.Vanilla = append(c.Vanilla, p.vanilla(t, form, i, sector, leaves))
	}
	c.Proof = o.proveWith(t, groth16.Prover{}, form, c)
	c.Vanilla = []text{} // verdicts do not need them
	return c
}

// changed is a case with one thing about it changed.
func changed(c *proofCase, about string, change func(c *proofCase)) *proofCase {
	other := *c
	other.Randomness, other.Proof, other.ProverID = bytes.Clone(c.Randomness), bytes.Clone(c.Proof), bytes.Clone(c.ProverID)
	other.Sectors = slices.Clone(c.Sectors)
	for i := range other.Sectors {
		other.Sectors[i].CommR = bytes.Clone(c.Sectors[i].CommR)
	}
	change(&other)
	other.about = about
	return &other
}

// points are the case with another encoding, or another point, in the place of
// each of the last partition's points.
func points(c *proofCase) []*proofCase {
	var all []*proofCase
	last := len(c.Proof) - 192
	for _, at := range []struct {
		name       string
		start, end int
	}{{"A", 0, 48}, {"B", 48, 144}, {"C", 144, 192}} {
		good := c.Proof[last+at.start : last+at.end]
		for name, b := range encodings(good) {
			all = append(all, changed(c, at.name+" "+name, func(c *proofCase) { copy(c.Proof[last+at.start:], b) }))
		}
	}
	return all
}

// encodings are other ways to write a point, and other points.
func encodings(good []byte) map[string][]byte {
	all := map[string][]byte{}
	for flags := range byte(8) {
		b := bytes.Clone(good)
		b[0] = b[0]&0x1f | flags<<5
		all[fmt.Sprintf("with flags %03b", flags)] = b
		zero := make([]byte, len(good))
		zero[0] = flags << 5
		all[fmt.Sprintf("of zeros with flags %03b", flags)] = bytes.Clone(zero)
		zero[len(zero)-1] = 1
		all[fmt.Sprintf("of one with flags %03b", flags)] = zero
	}
	p := fp.Modulus()
	for name, x := range map[string]*big.Int{
		"p": p, "p-1": new(big.Int).Sub(p, big.NewInt(1)), "p+1": new(big.Int).Add(p, big.NewInt(1)),
		"2^381-1": new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 381), big.NewInt(1)), "2": big.NewInt(2), "4": big.NewInt(4),
	} {
		for at := 0; at < len(good); at += fp.Bytes {
			b := bytes.Clone(good)
			x.FillBytes(b[at : at+fp.Bytes])
			b[0] |= 0x80
			all[fmt.Sprintf("with %s in coordinate %d", name, at/fp.Bytes)] = b
		}
	}
	// The same x, with the modulus added where there is room.
	for at := 0; at < len(good); at += fp.Bytes {
		b := bytes.Clone(good)
		flags := b[0] & 0xe0
		b[0] &= 0x1f
		x := new(big.Int).SetBytes(b[at : at+fp.Bytes])
		if x.Add(x, p); x.BitLen() > 381 {
			continue
		}
		x.FillBytes(b[at : at+fp.Bytes])
		b[0] |= flags
		all[fmt.Sprintf("with p added to coordinate %d", at/fp.Bytes)] = b
	}
	if len(good) > fp.Bytes { // flags are in the first byte alone
		for flags := byte(1); flags < 8; flags++ {
			b := bytes.Clone(good)
			b[fp.Bytes] |= flags << 5
			all[fmt.Sprintf("with flags %03b in its second coordinate", flags)] = b
		}
		swapped := slices.Concat(good[fp.Bytes:], good[:fp.Bytes])
		swapped[fp.Bytes] &= 0x1f
		swapped[0] = swapped[0]&0x1f | good[0]&0xe0
		all["with its coordinates exchanged"] = swapped
		_, _, _, g := bls12381.Generators()
		b := g.Bytes()
		all["the generator"] = b[:]
		out := outsideG2().Bytes()
		all["outside the subgroup"] = out[:]
		return all
	}
	_, _, g, _ := bls12381.Generators()
	b := g.Bytes()
	all["the generator"] = b[:]
	out := outsideG1().Bytes()
	all["outside the subgroup"] = out[:]
	return all
}

// outsideG1 is a point of the curve that is not in the subgroup.
func outsideG1() *bls12381.G1Affine {
	for i := uint64(1); ; i++ {
		b := make([]byte, bls12381.SizeOfG1AffineCompressed)
		b[0], b[len(b)-1] = 0x80, byte(i)
		var p bls12381.G1Affine
		if bls12381.NewDecoder(bytes.NewReader(b), bls12381.NoSubgroupChecks()).Decode(&p) == nil && !p.IsInSubGroup() {
			return &p
		}
	}
}

func outsideG2() *bls12381.G2Affine {
	for i := uint64(1); ; i++ {
		b := make([]byte, bls12381.SizeOfG2AffineCompressed)
		b[0], b[len(b)-1] = 0x80, byte(i)
		var p bls12381.G2Affine
		if bls12381.NewDecoder(bytes.NewReader(b), bls12381.NoSubgroupChecks()).Decode(&p) == nil && !p.IsInSubGroup() {
			return &p
		}
	}
}

// edges are numbers at the edges of what is a field element, little-endian.
func edges() map[string][]byte {
	all := map[string][]byte{"zero": make([]byte, 32), "all ones": bytes.Repeat([]byte{0xff}, 32)}
	for name, d := range map[string]int64{"r-1": -1, "r": 0, "r+1": 1} {
		b := make([]byte, 32)
		new(big.Int).Add(fr.Modulus(), big.NewInt(d)).FillBytes(b)
		slices.Reverse(b)
		all[name] = b
	}
	for bit := range 2 {
		b := make([]byte, 32)
		b[31] = 0x80 >> bit
		all[fmt.Sprintf("2^%d", 255-bit)] = b
	}
	return all
}

// statements are the case about something else.
func statements(c *proofCase) []*proofCase {
	var all []*proofCase
	add := func(about string, change func(c *proofCase)) { all = append(all, changed(c, about, change)) }
	last := len(c.Sectors) - 1
	for name, b := range edges() {
		add("randomness "+name, func(c *proofCase) { c.Randomness = b })
		add("prover id "+name, func(c *proofCase) { c.ProverID = b })
		add("comm_r "+name, func(c *proofCase) { c.Sectors[last].CommR = b })
		add("comm_r "+name+" before the right one of the sector", func(c *proofCase) {
			c.Sectors = slices.Insert(c.Sectors, last, caseSector{c.Sectors[last].Number, b})
		})
		add("comm_r "+name+" after the right one of the sector", func(c *proofCase) {
			c.Sectors = append(c.Sectors, caseSector{c.Sectors[last].Number, b})
		})
	}
	add("each sector twice", func(c *proofCase) { c.Sectors = append(c.Sectors, c.Sectors...) })
	add("the sectors from behind", func(c *proofCase) { slices.Reverse(c.Sectors) })
	for _, n := range []uint64{0, 1<<63 - 2, 1 << 63, math.MaxUint64} {
		add(fmt.Sprintf("the last sector as number %d", n), func(c *proofCase) { c.Sectors[last].Number = n })
		add(fmt.Sprintf("sector %d beside", n), func(c *proofCase) { c.Sectors = append(c.Sectors, caseSector{n, c.Sectors[0].CommR}) })
	}
	for _, miner := range []uint64{0, 127, 128, 1 << 14, math.MaxInt64, math.MaxUint64} {
		add(fmt.Sprintf("miner %d", miner), func(c *proofCase) { c.Miner = miner })
	}
	for _, api := range []string{"1.0.0", "1.1.0", "1.2.0", "1.3.0", ""} {
		add("API version "+api, func(c *proofCase) { c.API = api })
	}
	for _, n := range []int{0, 1, 47, 96, 191, 193, 384, 576, 768} {
		add(fmt.Sprintf("a proof of %d bytes", n), func(c *proofCase) {
			c.Proof = bytes.Repeat(c.Proof, 1+n/len(c.Proof))[:n]
		})
	}
	return all
}
