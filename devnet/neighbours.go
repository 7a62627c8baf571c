package devnet

import (
	"context"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
)

// FakeMiners lists the miners whose sectors have no files and whose proofs are fake.
func (n *Network) FakeMiners() []address.Address { return n.minersOf(true) }

// RealMiners lists the miners whose sectors are really proved.
func (n *Network) RealMiners() []address.Address { return n.minersOf(false) }

func (n *Network) minersOf(fake bool) []address.Address {
	var out []address.Address
	for _, m := range n.Miners() {
		id, err := address.IDFromAddress(m)
		if err != nil {
			continue
		}
		if is, err := n.isFake(abi.ActorID(id)); err == nil && is == fake {
			out = append(out, m)
		}
	}
	return out
}

// postForNeighbours posts what is due of the miners with fake proofs, as the
// other providers of a network do for themselves. While a message of theirs
// waits they send no other.
func (n *Network) postForNeighbours(ctx context.Context) error {
	if !n.cfg.PostFake {
		return nil
	}
	head := n.chain.current()
	for _, id := range head.after.miners() {
		v, err := n.view(ctx, head.after, head.height()+1, idAddress(id))
		if err != nil {
			return err
		}
		if !IsFake(v.Info.SectorSize) || n.waits(head.after, v.Info.Worker) {
			continue
		}
		due, err := v.due()
		if err != nil {
			return fmt.Errorf("what miner %d owes: %w", id, err)
		}
		if len(due) == 0 {
			continue
		}
		if _, err := n.Post(ctx, idAddress(id), due); err != nil {
			n.log.Warn("a neighbour's post was not taken by the pool", "miner", idAddress(id), "error", err)
		}
	}
	return nil
}

// waits says that an account has messages in the pool.
func (n *Network) waits(st *state, account address.Address) bool {
	_, a, ok := st.lookup(account)
	return ok && len(n.pool.of(a.key)) > 0
}

// due lists partitions of the open deadline that have something to prove and
// are not posted: as many as a message may have.
func (v *minerView) due() ([]uint64, error) {
	now := v.ProvingDeadline(v.epoch)
	partitions, err := v.Partitions(now.Index)
	if err != nil || len(partitions) == 0 {
		return nil, err
	}
	list, err := v.View.Deadlines()
	if err != nil {
		return nil, err
	}
	var out []uint64
	for i, p := range partitions {
		good, err := bitfield.MultiMerge(p.Active, p.Unproven, p.Recovering)
		if err != nil {
			return nil, err
		}
		nothing, err := good.IsEmpty()
		if err != nil {
			return nil, err
		}
		posted, err := list[now.Index].PostSubmissions.IsSet(uint64(i))
		if err != nil {
			return nil, err
		}
		if !nothing && !posted && len(out) < miner.PoStedPartitionsMax {
			out = append(out, uint64(i))
		}
	}
	return out, nil
}
