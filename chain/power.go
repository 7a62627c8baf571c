package chain

import (
	"context"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

type powerClaim struct{ RawBytePower, QualityAdjPower amount }

type minerPower struct {
	MinerPower  powerClaim
	TotalPower  powerClaim
	HasMinPower bool
}

func (p *minerPower) check() error {
	return required(
		field{"MinerPower.RawBytePower", p.MinerPower.RawBytePower.there()}, field{"MinerPower.QualityAdjPower", p.MinerPower.QualityAdjPower.there()},
		field{"TotalPower.RawBytePower", p.TotalPower.RawBytePower.there()}, field{"TotalPower.QualityAdjPower", p.TotalPower.QualityAdjPower.there()},
	)
}

type sectorCount struct{ Live, Active, Faulty *uint64 }

func (c *sectorCount) check() error {
	return required(field{"Live", c.Live != nil}, field{"Active", c.Active != nil}, field{"Faulty", c.Faulty != nil})
}

// Power gives a miner's power claim and its counts of sectors; the epoch is not told.
func (c *Client) Power(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (vigil.Power, error) {
	p, err := askAt[minerPower](ctx, c, "StateMinerPower", miner, key)
	if err != nil {
		return vigil.Power{}, err
	}
	n, err := askAt[sectorCount](ctx, c, "StateMinerSectorCount", miner, key)
	if err != nil {
		return vigil.Power{}, err
	}
	return vigil.Power{
		Miner: miner, Address: vigil.MinerAddress(miner).String(),
		Raw: p.MinerPower.RawBytePower.Int, QualityAdj: p.MinerPower.QualityAdjPower.Int,
		NetworkRaw: p.TotalPower.RawBytePower.Int, NetworkQA: p.TotalPower.QualityAdjPower.Int, HasMinPower: p.HasMinPower,
		Sectors: *n.Live, Active: *n.Active, Faulty: *n.Faulty,
	}, nil
}

// Power gives a miner's power claim and its counts of sectors.
func (n *Nodes) Power(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (vigil.Power, error) {
	return read(ctx, n, "power", key, func(ctx context.Context, c *Client) (vigil.Power, error) { return c.Power(ctx, miner, key) })
}
