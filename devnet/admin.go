package devnet

import (
	"context"
	"fmt"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-jsonrpc/auth"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/network"
	"github.com/ipfs/go-cid"
)

// admin is the namespace Devnet of the API: what nobody can do to a real
// network. Every method needs the admin token. "Epochs" is how many epochs from
// the next one on something lasts; 0 is for good.
type admin struct{ n *Network }

// may refuses whoever has not the admin token.
func may(ctx context.Context, method string) error {
	if err := need(ctx, auth.Permission("admin"), method); err != nil {
		return fmt.Errorf("%w; the file token of the devnet's folder has a token for it", err)
	}
	return nil
}

// DevnetStatus is the answer of Devnet.Status.
type DevnetStatus struct {
	Epoch          abi.ChainEpoch
	Paused         bool
	NetworkVersion network.Version
	Upgrades       []Upgrade
	BaseFee        abi.TokenAmount
	Pending        int
	Disputer       *address.Address
	Faults         []FaultReport
	Miners         []MinerStats
}

func (a *admin) Status(ctx context.Context) (*DevnetStatus, error) {
	if err := may(ctx, "Status"); err != nil {
		return nil, err
	}
	head := a.n.chain.current()
	s := &DevnetStatus{
		Epoch: head.height(), Paused: a.n.weather.stands(), NetworkVersion: a.n.versionAt(head.height()), Upgrades: a.n.Upgrades(),
		BaseFee: head.header.ParentBaseFee, Pending: a.n.pool.size(), Faults: a.n.Faults(), Miners: a.n.Stats().Miners,
	}
	if d, ok := a.n.Disputer(); ok {
		s.Disputer = &d
	}
	return s, nil
}

func (a *admin) Pause(ctx context.Context) error {
	if err := may(ctx, "Pause"); err != nil {
		return err
	}
	a.n.Pause()
	return nil
}

func (a *admin) Resume(ctx context.Context) error {
	if err := may(ctx, "Resume"); err != nil {
		return err
	}
	a.n.Resume()
	return nil
}

// maxAdvance is the most epochs that one call makes: more than two days.
const maxAdvance = 10_000

// Advance makes epochs at once, and says where the head is then.
func (a *admin) Advance(ctx context.Context, epochs int) (abi.ChainEpoch, error) {
	if err := may(ctx, "Advance"); err != nil {
		return 0, err
	}
	if epochs < 1 || epochs > maxAdvance {
		return 0, fmt.Errorf("advance by %d epochs: at least 1, at most %d", epochs, maxAdvance)
	}
	err := a.n.Advance(ctx, epochs)
	return a.n.Epoch(), err
}

func (a *admin) SetBaseFee(ctx context.Context, fee abi.TokenAmount, epochs abi.ChainEpoch) error {
	if err := may(ctx, "SetBaseFee"); err != nil {
		return err
	}
	return a.n.SetBaseFee(fee, epochs)
}

func (a *admin) MultiplyBaseFee(ctx context.Context, factor int64, epochs abi.ChainEpoch) error {
	if err := may(ctx, "MultiplyBaseFee"); err != nil {
		return err
	}
	return a.n.MultiplyBaseFee(factor, epochs)
}

func (a *admin) NullRounds(ctx context.Context, from, epochs abi.ChainEpoch) error {
	if err := may(ctx, "NullRounds"); err != nil {
		return err
	}
	return a.n.NullRounds(from, epochs)
}

func (a *admin) SetNullShare(ctx context.Context, share float64, epochs abi.ChainEpoch) error {
	if err := may(ctx, "SetNullShare"); err != nil {
		return err
	}
	return a.n.SetNullShare(share, epochs)
}

func (a *admin) Reorg(ctx context.Context, r Reorganisation) error {
	if err := may(ctx, "Reorg"); err != nil {
		return err
	}
	return a.n.Reorganise(ctx, r)
}

// SetBack reverts tipsets and puts nothing in their place.
func (a *admin) SetBack(ctx context.Context, depth int) error {
	if err := may(ctx, "SetBack"); err != nil {
		return err
	}
	return a.n.Reorganise(ctx, Reorganisation{Depth: depth, Length: -1})
}

func (a *admin) DelayMessages(ctx context.Context, by, epochs abi.ChainEpoch) error {
	if err := may(ctx, "DelayMessages"); err != nil {
		return err
	}
	return a.n.DelayMessages(by, epochs)
}

func (a *admin) LoseMessages(ctx context.Context, share float64, epochs abi.ChainEpoch) error {
	if err := may(ctx, "LoseMessages"); err != nil {
		return err
	}
	return a.n.LoseMessages(share, epochs)
}

// HoldMessages holds a sender's messages, everybody's if it is null.
func (a *admin) HoldMessages(ctx context.Context, sender *address.Address, epochs abi.ChainEpoch) error {
	if err := may(ctx, "HoldMessages"); err != nil {
		return err
	}
	return a.n.HoldMessages(orNobody(sender), epochs)
}

func orNobody(a *address.Address) address.Address {
	if a == nil {
		return address.Undef
	}
	return *a
}

// Drop forgets a message of the pool, all if it is null.
func (a *admin) Drop(ctx context.Context, c *cid.Cid) (int, error) {
	if err := may(ctx, "Drop"); err != nil {
		return 0, err
	}
	if c == nil {
		c = &cid.Undef
	}
	return a.n.Drop(ctx, *c)
}

func (a *admin) LimitPool(ctx context.Context, low, high int) error {
	if err := may(ctx, "LimitPool"); err != nil {
		return err
	}
	return a.n.LimitPool(low, high)
}

func (a *admin) Calm(ctx context.Context) error {
	if err := may(ctx, "Calm"); err != nil {
		return err
	}
	a.n.Calm()
	return nil
}

// FaultSpec is a Fault in JSON: its delay is written like 300ms.
type FaultSpec struct {
	Kind   FaultKind
	Method string
	Share  float64
	Times  int
	Epochs abi.ChainEpoch
	Delay  string
	By     abi.ChainEpoch
}

func (a *admin) Fail(ctx context.Context, s FaultSpec) error {
	if err := may(ctx, "Fail"); err != nil {
		return err
	}
	f := Fault{Kind: s.Kind, Method: s.Method, Share: s.Share, Times: s.Times, Epochs: s.Epochs, By: s.By}
	if s.Delay != "" {
		var err error
		if f.Delay, err = time.ParseDuration(s.Delay); err != nil {
			return fmt.Errorf("the delay: %w", err)
		}
	}
	return a.n.Fail(f)
}

// Silence lets nothing come from the node any more, over connections that stay open.
func (a *admin) Silence(ctx context.Context, epochs abi.ChainEpoch) error {
	if err := may(ctx, "Silence"); err != nil {
		return err
	}
	return a.n.Fail(Fault{Kind: FaultHang, Epochs: epochs})
}

// Heal ends the faults of a method, all if it is empty.
func (a *admin) Heal(ctx context.Context, method string) error {
	if err := may(ctx, "Heal"); err != nil {
		return err
	}
	a.n.Heal(method)
	return nil
}

func (a *admin) Upgrade(ctx context.Context, u Upgrade) error {
	if err := may(ctx, "Upgrade"); err != nil {
		return err
	}
	return a.n.Upgrade(ctx, u)
}

func (a *admin) AddSectors(ctx context.Context, miner address.Address, count int) error {
	if err := may(ctx, "AddSectors"); err != nil {
		return err
	}
	return a.n.AddSectors(miner, count)
}

func (a *admin) BreakSector(ctx context.Context, miner address.Address, number abi.SectorNumber, d Damage) error {
	if err := may(ctx, "BreakSector"); err != nil {
		return err
	}
	return a.n.BreakSector(miner, number, d)
}

func (a *admin) MendSector(ctx context.Context, miner address.Address, number abi.SectorNumber) error {
	if err := may(ctx, "MendSector"); err != nil {
		return err
	}
	return a.n.MendSector(ctx, miner, number)
}

func (a *admin) SetBalance(ctx context.Context, addr address.Address, amount abi.TokenAmount) error {
	if err := may(ctx, "SetBalance"); err != nil {
		return err
	}
	return a.n.SetBalance(addr, amount)
}

// Rival sends a message from a miner's account behind the daemon's back.
func (a *admin) Rival(ctx context.Context, role string, miner address.Address) (cid.Cid, error) {
	if err := may(ctx, "Rival"); err != nil {
		return cid.Undef, err
	}
	return a.n.Rival(ctx, role, miner)
}

// FakePost is the parameters of a post with a fake proof for the miner's open deadline.
func (a *admin) FakePost(ctx context.Context, miner address.Address, partitions []uint64) ([]byte, error) {
	if err := may(ctx, "FakePost"); err != nil {
		return nil, err
	}
	return a.n.FakePost(ctx, miner, partitions)
}

// WrongPost posts a partition of the miner's open deadline with a proof that proves nothing.
func (a *admin) WrongPost(ctx context.Context, miner address.Address, partition uint64) (cid.Cid, error) {
	if err := may(ctx, "WrongPost"); err != nil {
		return cid.Undef, err
	}
	return a.n.WrongPost(ctx, miner, partition)
}
