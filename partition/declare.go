package partition

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"

	"github.com/vigil-post/vigil"
)

// Declaration is the part of a recovery that concerns one partition.
type Declaration struct {
	Partition uint64
	Sectors   []abi.SectorNumber // ascending
}

// Limits are the most that one message may declare, each at least 1.
type Limits struct{ Sectors, Partitions int }

// Declare assigns recovered sectors to their partitions, in as many messages
// as the limits ask for. What is not faulty, or declared already, is left out.
func Declare(partitions []vigil.Partition, recovered []abi.SectorNumber, most Limits) ([][]Declaration, error) {
	var messages [][]Declaration
	var message []Declaration
	room := most.Sectors
	wanted := Set(recovered)
	for _, p := range partitions {
		sectors, err := declarable(p, wanted)
		if err != nil {
			return nil, err
		}
		for len(sectors) > 0 {
			if room == 0 || len(message) == most.Partitions {
				messages, message, room = append(messages, message), nil, most.Sectors
			}
			n := min(len(sectors), room)
			message = append(message, Declaration{p.Index, sectors[:n:n]})
			sectors, room = sectors[n:], room-n
		}
	}
	if len(message) > 0 {
		messages = append(messages, message)
	}
	return messages, nil
}

// declarable gives the wanted sectors of a partition that are faulty and undeclared.
func declarable(p vigil.Partition, wanted bitfield.BitField) ([]abi.SectorNumber, error) {
	candidates, err := Recoverable(p)
	if err != nil {
		return nil, err
	}
	set, err := bitfield.IntersectBitField(candidates, wanted)
	if err != nil {
		return nil, fmt.Errorf("partition %d: recovered part of the faulty: %w", p.Index, err)
	}
	count, err := set.Count()
	if err != nil {
		return nil, fmt.Errorf("partition %d: count recovered sectors: %w", p.Index, err)
	}
	return Numbers(set, count)
}

// Halve splits a message in two of about as many sectors each; one of a single
// sector stays whole, and the second is empty.
func Halve(message []Declaration) (first, second []Declaration) {
	room := (len(Declared(message)) + 1) / 2
	for _, d := range message {
		n := min(len(d.Sectors), room)
		if n > 0 {
			first = append(first, Declaration{d.Partition, d.Sectors[:n:n]})
		}
		if n < len(d.Sectors) {
			second = append(second, Declaration{d.Partition, d.Sectors[n:]})
		}
		room -= n
	}
	return first, second
}

// MostBytes is how long the parameters of a declaration may be: the rest of a
// message needs little.
const MostBytes = vigil.MaxMessageSize - 1<<10

// TooLong says that a message has more bytes than the network takes, or a set
// of sectors that is too long to be written at all.
func TooLong(message []Declaration) bool {
	params := Params(miner.WPoStPeriodDeadlines-1, message) // the longest number
	var encoded bytes.Buffer
	return params.MarshalCBOR(&encoded) != nil || encoded.Len() > MostBytes
}

// Fit splits the messages that are too large in halves, until none is.
func Fit(messages [][]Declaration, tooLarge func(message []Declaration) (bool, error)) ([][]Declaration, error) {
	var fit [][]Declaration
	for left := slices.Clone(messages); len(left) > 0; {
		message := left[0]
		left = left[1:]
		large, err := tooLarge(message)
		if err != nil {
			return nil, err
		}
		first, second := Halve(message)
		if large && len(second) > 0 {
			left = slices.Insert(left, 0, first, second)
			continue
		}
		fit = append(fit, message)
	}
	return fit, nil
}

// Params are those of the DeclareFaultsRecovered that is the message.
func Params(deadline uint64, message []Declaration) miner.DeclareFaultsRecoveredParams {
	var params miner.DeclareFaultsRecoveredParams
	for _, d := range message {
		params.Recoveries = append(params.Recoveries, miner.RecoveryDeclaration{Deadline: deadline, Partition: d.Partition, Sectors: Set(d.Sectors)})
	}
	return params
}

// Declared lists the sectors of a message.
func Declared(message []Declaration) []abi.SectorNumber {
	var sectors []abi.SectorNumber
	for _, d := range message {
		sectors = append(sectors, d.Sectors...)
	}
	return sectors
}
