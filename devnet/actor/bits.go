package actor

import (
	"fmt"

	"github.com/filecoin-project/go-bitfield"
)

// The algebra of sector sets. go-bitfield decodes lazily and so can fail at any
// step; here every set was checked where it came in (checked) or was made from
// such sets, and a failure is unreachable.

type bits = bitfield.BitField

// checked says whether sets that were read decode to their end.
func checked(sets ...bits) error {
	for _, s := range sets {
		if _, err := s.Count(); err != nil {
			return fmt.Errorf("bitfield: %w", err)
		}
	}
	return nil
}

func must[T any](v T, err error) T {
	if err != nil {
		panic("unreachable: a checked bitfield does not decode: " + err.Error())
	}
	return v
}

func union(sets ...bits) bits {
	if len(sets) == 0 {
		return bitfield.New()
	}
	return must(bitfield.MultiMerge(sets...))
}

// minus may be a itself, where nothing was taken away.
func minus(a bits, others ...bits) bits {
	for _, b := range others {
		if !isEmpty(b) {
			a = must(bitfield.SubtractBitField(a, b))
		}
	}
	return a
}

func both(a, b bits) bits        { return must(bitfield.IntersectBitField(a, b)) }
func isEmpty(a bits) bool        { return must(a.IsEmpty()) }
func count(a bits) uint64        { return must(a.Count()) }
func isIn(n uint64, a bits) bool { return must(a.IsSet(n)) }
func covers(a, b bits) bool      { return isEmpty(minus(b, a)) }
func setOf(ns ...uint64) bits    { return bitfield.NewFromSet(ns) }

// members lists a set, ascending.
func members(a bits) []uint64 {
	out := make([]uint64, 0, count(a))
	must(0, a.ForEach(func(n uint64) error {
		out = append(out, n)
		return nil
	}))
	return out
}
