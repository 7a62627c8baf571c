package devnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil/devnet/actor"
)

// order is something that happens to the state at the end of an epoch, on every
// branch that has the epoch, and again when the epoch is replayed: on says for
// which network.
type order struct {
	epoch abi.ChainEpoch
	do    func(ctx context.Context, on *Network, x *machine) error
}

// orderNext gives an order for the next epoch.
func (n *Network) orderNext(do func(context.Context, *Network, *machine) error) {
	epoch := n.Epoch() + 1
	n.weather.mu.Lock()
	defer n.weather.mu.Unlock()
	n.weather.orders = append(n.weather.orders, order{epoch, do})
}

func (w *weather) ordered(e abi.ChainEpoch) []order {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []order
	for _, o := range w.orders {
		if o.epoch == e {
			out = append(out, o)
		}
	}
	return out
}

// obey carries out an order. One that the state does not allow is said and left
// undone: the chain goes on.
func (n *Network) obey(ctx context.Context, x *machine, o order) {
	kept := x.st.clone()
	if err := o.do(ctx, n, x); err != nil {
		x.st = kept
		n.log.Error("what the devnet was told to do cannot be done", "epoch", o.epoch, "error", err)
	}
}

// maxOrdered is the most sectors that are added at once: a million shapes, and
// as many with files as are made in some minutes.
const (
	maxOrdered     = 1_000_000
	maxOrderedReal = 10_000
)

// AddSectors gives a miner sectors at the end of the next epoch, with their
// files where they have any.
func (n *Network) AddSectors(addr address.Address, count int) error {
	id, err := n.minerID(addr)
	if err != nil {
		return err
	}
	fake, err := n.isFake(id)
	if err != nil {
		return err
	}
	most := maxOrderedReal
	if fake {
		most = maxOrdered
	}
	if count < 1 || count > most {
		return fmt.Errorf("%d sectors to add to %s: at least 1, at most %d", count, addr, most)
	}
	n.orderNext(func(ctx context.Context, on *Network, x *machine) error { return on.addSectors(ctx, x, id, count) })
	return nil
}

// SetBalance gives an account or a miner a balance at the end of the next epoch.
func (n *Network) SetBalance(addr address.Address, amount abi.TokenAmount) error {
	id, _, err := resolve(n.chain.current().after, addr)
	if err != nil {
		return fmt.Errorf("balance of %s: %w", addr, err)
	}
	if amount.Int == nil || amount.Sign() < 0 || amount.GreaterThan(allThereIs) {
		return fmt.Errorf("a balance of %.60s attoFIL: it lies between 0 and %s, which is all that there will ever be", amount, allThereIs)
	}
	n.orderNext(func(_ context.Context, _ *Network, x *machine) error {
		a := x.st.actors[id]
		if a.isMiner() {
			v, err := actor.Open(x.store, a.head)
			if err != nil {
				return err
			}
			if _, err := v.State.GetUnlockedBalance(amount); err != nil {
				return fmt.Errorf("balance of %s: it has locked more than %s: %w", addr, filText(amount), err)
			}
		}
		a.balance = amount
		x.st.set(id, a)
		return nil
	})
	return nil
}

func (n *Network) minerID(addr address.Address) (abi.ActorID, error) {
	id, e, err := resolve(n.chain.current().after, addr)
	if err != nil {
		return 0, fmt.Errorf("miner %s: %w", addr, err)
	}
	if !e.isMiner() {
		return 0, fmt.Errorf("%s is no miner but an %s; the miners are %v", addr, e.kind(), n.Miners())
	}
	return id, nil
}

// Damage is what happens to the files of a sector.
type Damage string

// The kinds of damage.
const (
	DamageMissing  Damage = "missing"  // the replica is gone
	DamageNoCache  Damage = "no-cache" // the folder with its trees is gone
	DamageCorrupt  Damage = "corrupt"  // the replica has other bytes
	DamageTruncate Damage = "truncate" // the replica is half as long
)

// BreakSector damages the files of a sector. The chain does not know.
func (n *Network) BreakSector(addr address.Address, number abi.SectorNumber, d Damage) error {
	sealed, cache, err := n.sectorFiles(addr, number)
	if err != nil {
		return err
	}
	switch d {
	case DamageMissing:
		return os.Remove(sealed)
	case DamageNoCache:
		return os.RemoveAll(cache)
	case DamageTruncate:
		info, err := os.Stat(sealed)
		if err != nil {
			return err
		}
		return os.Truncate(sealed, info.Size()/2)
	case DamageCorrupt:
		content, err := os.ReadFile(sealed)
		if err != nil {
			return err
		}
		for i := range content {
			content[i] ^= 1
		}
		return os.WriteFile(sealed, content, 0o644)
	}
	return fmt.Errorf("damage %q: there are %s, %s, %s and %s", d, DamageMissing, DamageNoCache, DamageCorrupt, DamageTruncate)
}

// MendSector makes the files of a sector anew, as they were. Until they are made
// it keeps those that it has.
func (n *Network) MendSector(ctx context.Context, addr address.Address, number abi.SectorNumber) error {
	id, err := n.minerID(addr)
	if err != nil {
		return err
	}
	sealed, cache, err := n.sectorPaths(id, number)
	if err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(n.cfg.Dir, "mended-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	if _, err := n.cfg.Sector(ctx, fresh, id, number); err != nil {
		return err
	}
	for _, path := range []string{sealed, cache} {
		made, err := filepath.Rel(n.Storage(), path)
		if err != nil {
			return err
		}
		if err := errors.Join(os.RemoveAll(path), os.Rename(filepath.Join(fresh, made), path)); err != nil {
			return err
		}
	}
	return nil
}

// sectorFiles are where a sector's files are; they are there.
func (n *Network) sectorFiles(addr address.Address, number abi.SectorNumber) (sealed, cache string, err error) {
	id, err := n.minerID(addr)
	if err != nil {
		return "", "", err
	}
	if sealed, cache, err = n.sectorPaths(id, number); err != nil {
		return "", "", err
	}
	if _, err := os.Stat(sealed); err != nil {
		return "", "", fmt.Errorf("sector %d of %s has no replica to damage: %w", number, addr, err)
	}
	return sealed, cache, nil
}

func (n *Network) sectorPaths(id abi.ActorID, number abi.SectorNumber) (sealed, cache string, err error) {
	if fake, err := n.isFake(id); err != nil || fake {
		return "", "", fmt.Errorf("the sectors of %s have no files: their proofs are fake", idAddress(id))
	}
	if uint64(number) >= n.chain.current().after.tally[id].SectorsAdded {
		return "", "", fmt.Errorf("miner %s has no sector %d", idAddress(id), number)
	}
	name := fmt.Sprintf("s-t0%d-%d", id, number)
	return filepath.Join(n.Storage(), "sealed", name), filepath.Join(n.Storage(), "cache", name), nil
}

// Rival sends a message from a miner's account as if somebody else had its key
// too: it takes the account's next nonce on chain, and replaces what waits there.
func (n *Network) Rival(ctx context.Context, role string, addr address.Address) (cid.Cid, error) {
	if _, err := n.minerID(addr); err != nil {
		return cid.Undef, err
	}
	k, err := ReadKey(n.KeyFile(role, addr))
	if err != nil {
		return cid.Undef, fmt.Errorf("the %s of %s: %w", role, addr, err)
	}
	head := n.chain.current()
	_, account, ok := head.after.lookup(k.Address)
	if !ok {
		return cid.Undef, fmt.Errorf("the %s of %s has no account", role, addr)
	}
	m := Message{To: k.Address, From: k.Address, Nonce: account.nonce, GasLimit: 2_000_000, GasPremium: big.NewInt(200_000)}
	for _, other := range n.pool.of(k.Address) {
		if other.Message.Nonce == m.Nonce {
			m.GasPremium = big.Max(m.GasPremium, big.Add(big.Div(big.Mul(other.Message.GasPremium, big.NewInt(5)), big.NewInt(4)), big.NewInt(1)))
		}
	}
	m.GasFeeCap = big.Add(big.Mul(head.header.ParentBaseFee, big.NewInt(10)), m.GasPremium)
	sm, err := k.SignMessage(m)
	if err != nil {
		return cid.Undef, err
	}
	return n.push(ctx, sm, maxPendingTrusted)
}
