package actor

import (
	"cmp"
	"maps"
	"slices"
)

// Maps are walked in the order of their keys, so that the same call always
// makes the same state.

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func inOrder[K cmp.Ordered, V any](m map[K]V, visit func(K, V) error) error {
	for _, k := range sorted(m) {
		if err := visit(k, m[k]); err != nil {
			return err
		}
	}
	return nil
}
