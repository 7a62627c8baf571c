package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/params"
	"github.com/vigil-post/vigil/proofs/post"
)

func TestCacheIdentifiersAreEqual(t *testing.T) {
	o := newOracle(t)
	var ids []struct {
		Type post.Kind `json:"typ"`
		Size uint64
		ID   string
	}
	check(t, json.Unmarshal(o.run(t, "ids"), &ids))
	if len(ids) != 20 {
		t.Errorf("%d identifiers, want 10 sizes in 2 kinds", len(ids))
	}
	for _, want := range ids {
		if have := id(t, params.Proof{Winning: want.Type == post.Winning, SectorSize: want.Size}); have != want.ID {
			t.Errorf("%s, %d bytes: %s, filecoin-proofs has %s", want.Type, want.Size, have, want.ID)
		}
	}
}

// TestProofsAreExchanged has both sides prove the same statements with the same
// keys, which Rust made.
func TestProofsAreExchanged(t *testing.T) {
	for _, s := range []struct {
		kind    post.Kind
		size    uint64
		sectors []int // in each statement
		long    bool
	}{
		{post.Window, 2 << 10, []int{1, 2, 3, 5, 2, 1}, false},
		{post.Window, 4 << 10, []int{2}, false},
		{post.Window, 16 << 10, []int{1, 2, 3}, false},
		{post.Window, 32 << 10, []int{1, 2, 3}, false},
		{post.Window, 8 << 20, []int{1, 3}, false},
		{post.Winning, 2 << 10, []int{1, 1}, false},
		{post.Window, 512 << 20, []int{1}, true},
	} {
		t.Run(fmt.Sprintf("%s-%d", s.kind, s.size), func(t *testing.T) {
			o := newOracle(t)
			if s.long && os.Getenv(longVariable) == "" {
				t.Skipf("takes minutes: set %s=1", longVariable)
			}
			shared := o.sectors(t, form(t, s.kind, s.size, "1.2.0").Shape, slices.Max(s.sectors))
			for i, n := range s.sectors {
				o.exchange(t, s.kind, shared, apis(s.kind)[i%len(apis(s.kind))], n, kernels(t, i == 0))
			}
		})
	}
}

func apis(kind post.Kind) []string {
	if kind == post.Winning {
		return []string{"1.0.0", "1.1.0"}
	}
	return []string{"1.2.0", "1.0.0", "1.1.0"}
}

func form(t *testing.T, kind post.Kind, size uint64, api string) post.Config {
	t.Helper()
	version, err := post.VersionOfAPI(api)
	check(t, err)
	var c post.Config
	if kind == post.Winning {
		c, err = post.WinningConfig(size)
	} else {
		c, err = post.WindowConfig(size, version)
	}
	check(t, err)
	return c
}

// kernels are the fastest here or, where those are not gnark-crypto's and all are wanted, both.
func kernels(t *testing.T, all bool) []groth16.Prover {
	fastest := []groth16.Prover{{}}
	if !all || groth16.Kernels().Name == groth16.Generic {
		return fastest
	}
	sums := new(groth16.Portable)
	t.Cleanup(sums.Close)
	return append(fastest, groth16.Prover{Multiexp: sums, FFT: new(groth16.PortableFFT)})
}

// exchange proves one random statement on both sides, on ours with each of the kernels, and
// compares all there is.
func (o *oracle) exchange(t *testing.T, kind post.Kind, p *pool, api string, n int, kernels []groth16.Prover) {
	t.Helper()
	form := form(t, kind, p.shape.SectorSize, api)
	verifier := o.keys(t, form)
	miner, numbers := o.miner(), o.numbers(n)
	var randomness [32]byte
	fill(o.random, randomness[:])
	randomness = post.MaskRandomness(randomness)
	about := fmt.Sprintf("%s of %d bytes, API %s, miner %d, sectors %d, randomness %x", kind, p.shape.SectorSize, api, miner, numbers, randomness)

	rust := o.prove(t, p.as(t, miner, numbers), form, api, miner, numbers, randomness)
	rust.about = "proved by Rust: " + about
	p.compare(t, form, rust)
	if v := verdict(verifier, rust); v != "true" {
		t.Errorf("%s: Go says %s", rust.about, v)
	}
	counts.rustProofs += form.Partitions(n)

	var cases []*proofCase
	for _, k := range kernels {
		own := *rust
		own.Proof, own.about = o.proveWith(t, k, form, rust), "proved by Go: "+about
		if bytes.Equal(own.Proof, rust.Proof) {
			t.Errorf("%s: both proofs are equal: they are not blinded", about)
		}
		cases = append(cases, &own)
	}
	own := len(cases)
	cases = append(cases, o.others(cases[0], p)...)
	for i, v := range o.verdicts(t, cases) {
		if i < own {
			if v != "true" {
				t.Errorf("%s: Rust says %s", cases[i].about, v)
			}
			continue
		}
		if have := verdict(verifier, cases[i]); have != v {
			t.Errorf("%s: Go says %s, Rust %s", cases[i].about, have, v)
		}
		counts.verdicts++
	}
	counts.goProofs += own * form.Partitions(n)
	counts.generic += (own - 1) * form.Partitions(n)
}

// proveWith makes the proof of a case.
func (o *oracle) proveWith(t *testing.T, kernels groth16.Prover, form post.Config, c *proofCase) []byte {
	t.Helper()
	prover, done, err := post.OpenProver(form, o.params, kernels)
	check(t, err)
	proof, err := prover.Prove(t.Context(), c.statement(), c.vanilla())
	check(t, errors.Join(err, done()))
	return proof
}

// compare makes what Rust made of the sectors again.
func (p *pool) compare(t *testing.T, form post.Config, c *proofCase) {
	t.Helper()
	for i, s := range c.statement().Sectors {
		if s.CommR != p.folders[i].commR {
			t.Errorf("%s: sector %d: comm_r differs", c.about, s.Number)
		}
		leaves, err := form.Leaves(c.statement().Randomness, s.Number, i)
		check(t, err)
		if !slices.Equal(leaves, c.Challenges[s.Number]) {
			t.Errorf("%s: sector %d: challenges %d, Rust has %d", c.about, s.Number, leaves, c.Challenges[s.Number])
		}
		counts.challenges++
		if !bytes.Equal(p.vanilla(t, form, i, s, leaves), c.Vanilla[i]) {
			t.Errorf("%s: sector %d: vanilla proofs differ", c.about, s.Number)
		}
		counts.vanilla++
	}
}

// miner is any, with a preference for the ends.
func (o *oracle) miner() uint64 {
	return []uint64{0, 127, 128, 1000, math.MaxInt64, o.random.Uint64N(math.MaxInt64)}[o.random.IntN(6)]
}

// numbers are n different sector numbers, ascending.
func (o *oracle) numbers(n int) []uint64 {
	most := []uint64{20, 1 << 20, math.MaxInt64}[o.random.IntN(3)]
	var all []uint64
	for len(all) < n {
		if x := o.random.Uint64N(most); !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	slices.Sort(all)
	return all
}

// others are the case with something else about it, right or wrong: both sides
// must say the same.
func (o *oracle) others(c *proofCase, p *pool) []*proofCase {
	var all []*proofCase
	other := func(about string, change func(c *proofCase)) {
		changed := *c
		changed.Randomness, changed.Proof = bytes.Clone(c.Randomness), bytes.Clone(c.Proof)
		changed.Sectors = slices.Clone(c.Sectors)
		for i := range changed.Sectors {
			changed.Sectors[i].CommR = bytes.Clone(c.Sectors[i].CommR)
		}
		change(&changed)
		changed.about = about + ": " + c.about
		all = append(all, &changed)
	}
	partition := func(c *proofCase, k int) []byte { return c.Proof[192*k : 192*(k+1)] }

	other("a bit of the randomness flipped", func(c *proofCase) { c.Randomness[o.random.IntN(31)] ^= 1 })
	other("randomness that is no field element", func(c *proofCase) { c.Randomness[31] = 0xff })
	other("another miner", func(c *proofCase) { c.Miner ^= 1 })
	other("a bit of a comm_r flipped", func(c *proofCase) { c.Sectors[0].CommR[o.random.IntN(31)] ^= 1 })
	other("a comm_r of zeros", func(c *proofCase) { clear(c.Sectors[len(c.Sectors)-1].CommR) })
	other("a byte cut off", func(c *proofCase) { c.Proof = c.Proof[:len(c.Proof)-1] })
	other("a partition too many", func(c *proofCase) { c.Proof = append(c.Proof, partition(c, 0)...) })
	other("no proof", func(c *proofCase) { c.Proof = nil })
	other("no sectors", func(c *proofCase) { c.Sectors = c.Sectors[:0] })
	other("A and C exchanged", func(c *proofCase) {
		a, last := bytes.Clone(partition(c, 0)[:48]), partition(c, 0)[144:]
		copy(partition(c, 0), last)
		copy(last, a)
	})
	other("A negated", func(c *proofCase) { c.Proof[0] ^= 0x20 })
	other("A at infinity", func(c *proofCase) { clear(partition(c, 0)[:48]); c.Proof[0] = 0xc0 })
	for range 3 {
		other("a random bit of the proof flipped", func(c *proofCase) { c.Proof[o.random.IntN(len(c.Proof))] ^= 1 << o.random.IntN(8) })
	}
	if c.Type == post.Window {
		other("a sector's place taken by the first, as for a skipped one", func(c *proofCase) {
			c.Sectors = append(c.Sectors, c.Sectors[0])
		})
		other("sectors in another order", func(c *proofCase) { slices.Reverse(c.Sectors) })
		other("a sector too many", func(c *proofCase) {
			more := p.folders[0].commR
			c.Sectors = append(c.Sectors, caseSector{c.Sectors[len(c.Sectors)-1].Number + 1, more[:]})
		})
		other("a sector left out", func(c *proofCase) { c.Sectors = c.Sectors[1:] })
	}
	if len(c.Proof) > 192 {
		other("two partitions exchanged", func(c *proofCase) {
			first := bytes.Clone(partition(c, 0))
			copy(partition(c, 0), partition(c, 1))
			copy(partition(c, 1), first)
		})
		other("a partition left out", func(c *proofCase) { c.Proof = c.Proof[192:] })
	}
	return all
}

// TestSkippedSectorsAreProved proves a list in which sector 2 stands in for two
// that were skipped, as the chain derives it.
func TestSkippedSectorsAreProved(t *testing.T) {
	o := newOracle(t)
	p := o.sectors(t, form(t, post.Window, 2<<10, "1.2.0").Shape, 3)
	for _, api := range []string{"1.0.0", "1.2.0"} {
		form := form(t, post.Window, 2<<10, api)
		verifier := o.keys(t, form)
		var randomness [32]byte
		fill(o.random, randomness[:31])
		c := &proofCase{Type: post.Window, SectorSize: 2 << 10, API: api, Miner: 1000, Randomness: randomness[:]}
		made := map[uint64]int{2: 1, 7: 0, 9: 2} // sectors of the pool by number
		for _, number := range []uint64{2, 7, 2, 2, 9} {
			c.Sectors = append(c.Sectors, caseSector{number, p.folders[made[number]].commR[:]})
		}
		for i, s := range post.Normalise(c.statement().Sectors) {
			leaves, err := form.Leaves(randomness, s.Number, i)
			check(t, err)
			c.Vanilla = append(c.Vanilla, p.vanilla(t, form, made[s.Number], s, leaves))
		}
		c.Proof = o.proveWith(t, groth16.Prover{}, form, c)
		if have, rust := verdict(verifier, c), o.verdicts(t, []*proofCase{c})[0]; have != "true" || rust != "true" {
			t.Errorf("API %s: Go says %s, Rust %s", api, have, rust)
		}
		counts.goProofs += form.Partitions(3)
	}
}
