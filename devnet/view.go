package devnet

import (
	"context"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
)

// DeadlineView is one deadline of a miner as a person looks at it.
type DeadlineView struct {
	Index      uint64
	Open       abi.ChainEpoch // of its instance that has not closed yet
	Close      abi.ChainEpoch
	Current    bool // this one is open
	Partitions uint64
	Posted     uint64 // partitions posted in the open instance
	Live       uint64 // sectors
	Faulty     uint64
	Recovering uint64
	Unproven   uint64
}

// Deadlines shows a miner's 48 deadlines as they are for the next tipset.
func (n *Network) Deadlines(ctx context.Context, addr address.Address) ([]DeadlineView, error) {
	head := n.chain.current()
	v, err := n.view(ctx, head.after, head.height()+1, addr)
	if err != nil {
		return nil, err
	}
	list, err := v.View.Deadlines()
	if err != nil {
		return nil, err
	}
	now := v.ProvingDeadline(v.epoch)
	var out []DeadlineView
	for i, dl := range list {
		info := miner.NewDeadlineInfo(now.PeriodStart, uint64(i), v.epoch).NextNotElapsed()
		d := DeadlineView{Index: uint64(i), Open: info.Open, Close: info.Close, Current: uint64(i) == now.Index}
		if err := v.describe(&d, dl.PostSubmissions); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func (v *minerView) describe(d *DeadlineView, posted bitfield.BitField) error {
	list, err := v.Partitions(d.Index)
	if err != nil {
		return err
	}
	d.Partitions = uint64(len(list))
	if err := addCounts(map[*uint64]bitfield.BitField{&d.Posted: posted}); err != nil {
		return err
	}
	for _, p := range list {
		if err := addCounts(map[*uint64]bitfield.BitField{
			&d.Live: p.Live, &d.Faulty: p.Faulty, &d.Recovering: p.Recovering, &d.Unproven: p.Unproven,
		}); err != nil {
			return err
		}
	}
	return nil
}

func addCounts(fields map[*uint64]bitfield.BitField) error {
	for sum, f := range fields {
		n, err := f.Count()
		if err != nil {
			return err
		}
		*sum += n
	}
	return nil
}
