package scenario

import (
	"context"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil/devnet"
)

func baseFee(_ context.Context, e *Event, n *devnet.Network, _ address.Address) error {
	fee, factor, err := e.fee()
	if err != nil {
		return err
	}
	if factor > 0 {
		return n.MultiplyBaseFee(factor, e.lasts)
	}
	return n.SetBaseFee(fee, e.lasts)
}

func nullRounds(_ context.Context, e *Event, n *devnet.Network, _ address.Address) error {
	return n.NullRounds(0, abi.ChainEpoch(*e.NullRounds))
}

func nullShare(_ context.Context, e *Event, n *devnet.Network, _ address.Address) error {
	return n.SetNullShare(*e.NullShare, e.lasts)
}

func reorg(ctx context.Context, e *Event, n *devnet.Network, _ address.Address) error {
	return n.Reorganise(ctx, devnet.Reorganisation{Depth: *e.Reorg, Length: e.Length, Lose: e.Lost})
}

func setBack(ctx context.Context, e *Event, n *devnet.Network, _ address.Address) error {
	return n.Reorganise(ctx, devnet.Reorganisation{Depth: *e.SetBack, Length: -1, Lose: e.Lost})
}

func delay(_ context.Context, e *Event, n *devnet.Network, _ address.Address) error {
	return n.DelayMessages(abi.ChainEpoch(*e.Delay), e.lasts)
}

func lose(_ context.Context, e *Event, n *devnet.Network, _ address.Address) error {
	return n.LoseMessages(*e.Lose, e.lasts)
}

func hold(_ context.Context, e *Event, n *devnet.Network, m address.Address) error {
	sender := address.Undef
	if *e.Hold != "all" {
		k, err := devnet.ReadKey(n.KeyFile(*e.Hold, m))
		if err != nil {
			return err
		}
		sender = k.Address
	}
	return n.HoldMessages(sender, e.lasts)
}

func drop(ctx context.Context, _ *Event, n *devnet.Network, _ address.Address) error {
	_, err := n.Drop(ctx, cid.Undef)
	return err
}

func limitPool(_ context.Context, e *Event, n *devnet.Network, _ address.Address) error {
	return n.LimitPool(e.LimitPool[0], e.LimitPool[1])
}

func node(_ context.Context, e *Event, n *devnet.Network, _ address.Address) error {
	f, err := e.fault()
	if err != nil {
		return err
	}
	return n.Fail(f)
}

func heal(_ context.Context, e *Event, n *devnet.Network, _ address.Address) error {
	n.Heal(e.Method)
	return nil
}

func calm(_ context.Context, _ *Event, n *devnet.Network, _ address.Address) error {
	n.Calm()
	return nil
}

func upgrade(ctx context.Context, e *Event, n *devnet.Network, _ address.Address) error {
	return n.Upgrade(ctx, devnet.Upgrade{Epoch: n.Epoch() + 1, Version: *e.Upgrade})
}

func addSectors(_ context.Context, e *Event, n *devnet.Network, m address.Address) error {
	return n.AddSectors(m, *e.AddSectors)
}

func breakSector(_ context.Context, e *Event, n *devnet.Network, m address.Address) error {
	how := devnet.Damage(e.How)
	if how == "" {
		how = devnet.DamageMissing
	}
	return n.BreakSector(m, abi.SectorNumber(*e.BreakSector), how)
}

func mendSector(ctx context.Context, e *Event, n *devnet.Network, m address.Address) error {
	return n.MendSector(ctx, m, abi.SectorNumber(*e.MendSector))
}

func balance(_ context.Context, e *Event, n *devnet.Network, m address.Address) error {
	of := m
	if e.Account != "" {
		k, err := devnet.ReadKey(n.KeyFile(e.Account, m))
		if err != nil {
			return err
		}
		of = k.Address
	}
	v, err := amount(*e.Balance)
	if err != nil {
		return err
	}
	return n.SetBalance(of, v)
}

func rival(ctx context.Context, e *Event, n *devnet.Network, m address.Address) error {
	_, err := n.Rival(ctx, *e.Rival, m)
	return err
}

func wrongPost(ctx context.Context, e *Event, n *devnet.Network, m address.Address) error {
	_, err := n.WrongPost(ctx, m, *e.WrongPost)
	return err
}
