package partition_test

import (
	"slices"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"pgregory.net/rapid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/partition"
)

// drawPartition draws a partition that the miner actor could have: faulty and
// live sectors among all, recovering among faulty.
func drawPartition(t *rapid.T, index, first uint64) (vigil.Partition, map[uint64]string) {
	states := map[uint64]string{}
	p := vigil.Partition{
		Index: index, All: bitfield.New(), Live: bitfield.New(), Active: bitfield.New(),
		Faulty: bitfield.New(), Recovering: bitfield.New(),
	}
	for n := first; n < first+8; n++ {
		state := rapid.SampledFrom([]string{"none", "terminated", "active", "unproven", "faulty", "recovering"}).Draw(t, "state")
		states[n] = state
		if state == "none" {
			continue
		}
		p.All.Set(n)
		if state == "terminated" {
			continue
		}
		p.Live.Set(n)
		switch state {
		case "active":
			p.Active.Set(n)
		case "recovering":
			p.Recovering.Set(n)
			p.Faulty.Set(n)
		case "faulty":
			p.Faulty.Set(n)
		}
	}
	return p, states
}

func members(t *rapid.T, set bitfield.BitField) []uint64 {
	all, err := set.All(1000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEverySectorIsDueOrRecoverableByItsState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, states := drawPartition(t, 0, 0)
		due, err := partition.Due(p)
		if err != nil {
			t.Fatal(err)
		}
		recoverable, err := partition.Recoverable(p)
		if err != nil {
			t.Fatal(err)
		}
		for n, state := range states {
			isDue := slices.Contains(members(t, due), n)
			if want := state == "active" || state == "unproven" || state == "recovering"; isDue != want {
				t.Errorf("sector %d is %s; due: %v", n, state, isDue)
			}
			if can := slices.Contains(members(t, recoverable), n); can != (state == "faulty") {
				t.Errorf("sector %d is %s; recoverable: %v", n, state, can)
			}
		}
	})
}

func TestAProofCoversTheUnionOfItsPartitionsWithoutTheSkipped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, inA := drawPartition(t, 0, 0)
		b, inB := drawPartition(t, 1, 8)
		skipped := rapid.SliceOfDistinct(rapid.Uint64Range(0, 15), rapid.ID).Draw(t, "skipped")
		set, err := partition.Proven([]vigil.Partition{a, b}, bitfield.NewFromSet(skipped))
		if err != nil {
			t.Fatal(err)
		}
		proven := members(t, set)
		if !slices.IsSorted(proven) {
			t.Errorf("not ascending: %v", proven)
		}
		for n := range uint64(16) {
			state := inA[n] + inB[n]
			want := (state == "active" || state == "unproven" || state == "recovering") && !slices.Contains(skipped, n)
			if slices.Contains(proven, n) != want {
				t.Errorf("sector %d is %s, skipped %v; proven: %v", n, state, skipped, proven)
			}
		}
	})
}

func TestAPartitionThatDoesNotExistIsNotPicked(t *testing.T) {
	if _, err := partition.Pick(make([]vigil.Partition, 2), []uint64{0, 2}); err == nil {
		t.Error("partition 2 of 2 was picked")
	}
}
