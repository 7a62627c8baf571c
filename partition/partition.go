// Package partition is the arithmetic of sector sets: what a partition owes
// in its next proof, what a post of several partitions proves, what can be
// recovered, and what is declared. It is pure.
//
// The rules are those of the miner actor: a proof covers the live sectors of
// its partitions that are not faulty, and the recovering ones; the verifier's
// list is their union over the whole message, ascending
// (builtin-actors, actors/miner/src/deadline_state.rs record_proven_sectors and sectors.rs load_for_proof).
package partition

import (
	"fmt"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Due gives the sectors that the partition's next proof covers.
func Due(p vigil.Partition) (bitfield.BitField, error) {
	healthy, err := bitfield.SubtractBitField(p.Live, p.Faulty)
	if err != nil {
		return bitfield.BitField{}, fmt.Errorf("partition %d: live without faulty: %w", p.Index, err)
	}
	due, err := bitfield.MergeBitFields(healthy, p.Recovering)
	if err != nil {
		return bitfield.BitField{}, fmt.Errorf("partition %d: add recovering: %w", p.Index, err)
	}
	return due, nil
}

// Recoverable gives the faulty sectors that no recovery is declared for.
func Recoverable(p vigil.Partition) (bitfield.BitField, error) {
	left, err := bitfield.SubtractBitField(p.Faulty, p.Recovering)
	if err != nil {
		return bitfield.BitField{}, fmt.Errorf("partition %d: faulty without recovering: %w", p.Index, err)
	}
	live, err := bitfield.IntersectBitField(left, p.Live)
	if err != nil {
		return bitfield.BitField{}, fmt.Errorf("partition %d: live part of the faulty: %w", p.Index, err)
	}
	return live, nil
}

// Proven gives the sectors that a post of these partitions proves: what they
// owe, without what the post skips.
func Proven(partitions []vigil.Partition, skipped bitfield.BitField) (bitfield.BitField, error) {
	sets := make([]bitfield.BitField, 0, len(partitions))
	for _, p := range partitions {
		due, err := Due(p)
		if err != nil {
			return bitfield.BitField{}, err
		}
		sets = append(sets, due)
	}
	union, err := bitfield.MultiMerge(sets...)
	if err != nil {
		return bitfield.BitField{}, fmt.Errorf("merge partitions: %w", err)
	}
	return bitfield.SubtractBitField(union, skipped)
}

// Pick gives the partitions with the wanted indices, in the wanted order.
func Pick(partitions []vigil.Partition, wanted []uint64) ([]vigil.Partition, error) {
	picked := make([]vigil.Partition, 0, len(wanted))
	for _, index := range wanted {
		if index >= uint64(len(partitions)) {
			return nil, fmt.Errorf("partition %d does not exist: the deadline has %d", index, len(partitions))
		}
		picked = append(picked, partitions[index])
	}
	return picked, nil
}

// Within gives the members of numbers that the set holds, in the order of numbers.
func Within(set bitfield.BitField, numbers []abi.SectorNumber) ([]abi.SectorNumber, error) {
	var in []abi.SectorNumber
	for _, n := range numbers {
		held, err := set.IsSet(uint64(n))
		if err != nil {
			return nil, fmt.Errorf("look up sector %d: %w", n, err)
		}
		if held {
			in = append(in, n)
		}
	}
	return in, nil
}

// Numbers lists a set of sectors, ascending. The network allows at most
// miner.AddressedSectorsMax of them in one message; more than max is an error.
func Numbers(set bitfield.BitField, most uint64) ([]abi.SectorNumber, error) {
	all, err := set.All(most)
	if err != nil {
		return nil, fmt.Errorf("list sectors: %w", err)
	}
	numbers := make([]abi.SectorNumber, len(all))
	for i, n := range all {
		numbers[i] = abi.SectorNumber(n)
	}
	return numbers, nil
}

// Set is the bitfield of sector numbers.
func Set(numbers []abi.SectorNumber) bitfield.BitField {
	set := make([]uint64, len(numbers))
	for i, n := range numbers {
		set[i] = uint64(n)
	}
	return bitfield.NewFromSet(set)
}
