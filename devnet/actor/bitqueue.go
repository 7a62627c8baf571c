package actor

import (
	"errors"
	"fmt"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/ipfs/go-cid"
)

// enqueue adds members to the entry of an epoch in a queue of bitfields, and
// gives its new root.
func enqueue(store adt.Store, root cid.Cid, width int, epoch abi.ChainEpoch, add bits) (cid.Cid, error) {
	if isEmpty(add) {
		return root, nil
	}
	arr, err := adt.AsArray(store, root, width)
	if err != nil {
		return cid.Undef, fmt.Errorf("load queue: %w", err)
	}
	had := bitfield.New()
	if _, err := arr.Get(uint64(epoch), &had); err != nil {
		return cid.Undef, err
	}
	if err := checked(had); err != nil {
		return cid.Undef, err
	}
	if err := arr.Set(uint64(epoch), union(had, add)); err != nil {
		return cid.Undef, err
	}
	return arr.Root()
}

// dequeue takes out the entries up to an epoch, each to visit.
func dequeue(store adt.Store, root cid.Cid, width int, last abi.ChainEpoch, visit func(abi.ChainEpoch, bits) error) (cid.Cid, error) {
	arr, err := adt.AsArray(store, root, width)
	if err != nil {
		return cid.Undef, fmt.Errorf("load queue: %w", err)
	}
	var gone []uint64
	var entry bitfield.BitField
	err = arr.ForEach(&entry, func(i int64) error {
		if abi.ChainEpoch(i) > last {
			return errEnough
		}
		if err := checked(entry); err != nil {
			return err
		}
		gone = append(gone, uint64(i))
		return visit(abi.ChainEpoch(i), entry)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return cid.Undef, err
	}
	if len(gone) == 0 {
		return root, nil
	}
	if err := arr.BatchDelete(gone, true); err != nil {
		return cid.Undef, err
	}
	return arr.Root()
}
