package devnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/crypto"
)

// disputerRole names the key of the account that disputes.
const disputerRole = "disputer"

// disputeAfter is how many epochs after its close a deadline's proofs are
// looked at: late enough that a short reorg does not take the close back.
const disputeAfter = 5

// disputer sends DisputeWindowedPoSt for proofs that prove nothing. Like the
// disputers of the real network it looks at what stands on chain when a deadline
// has closed, tries each proof without sending anything, and sends what would
// succeed.
type disputer struct {
	key    *Key                           // nil if nobody disputes on this chain
	looked map[abi.ActorID]abi.ChainEpoch // the last close that was looked at; whoever holds making uses it
	sent   atomic.Uint64
}

// makeAccount makes an account with funds, of a key of its own.
func (n *Network) makeAccount(x *machine, role string) error {
	k, err := readOrMakeKey(n.roleFile(role), crypto.SigTypeSecp256k1)
	if err != nil {
		return fmt.Errorf("key of the %s: %w", role, err)
	}
	id, err := x.st.addAccount(x.store, k.Address)
	if err != nil {
		return err
	}
	a := x.st.actors[id]
	a.balance = fil(accountFunds)
	x.st.set(id, a)
	return nil
}

func (n *Network) roleFile(role string) string {
	return filepath.Join(n.cfg.Dir, "keys", role+".key")
}

// findDisputer reads the disputer's key, if the chain was made with one.
func (n *Network) findDisputer() error {
	n.disputer.looked = map[abi.ActorID]abi.ChainEpoch{}
	if !n.cfg.Disputer {
		return nil
	}
	k, err := ReadKey(n.roleFile(disputerRole))
	if errors.Is(err, fs.ErrNotExist) {
		n.log.Warn("nobody disputes wrong proofs: this chain was made without a disputer")
		return nil
	}
	n.disputer.key = k
	return err
}

// Disputer is the account that disputes wrong proofs, if there is one.
func (n *Network) Disputer() (address.Address, bool) {
	if n.disputer.key == nil {
		return address.Undef, false
	}
	return n.disputer.key.Address, true
}

// DisputesSent is how many disputes were sent since Open.
func (n *Network) DisputesSent() uint64 { return n.disputer.sent.Load() }

// dispute looks at the deadlines that have just closed.
func (n *Network) dispute(ctx context.Context) error {
	if n.disputer.key == nil {
		return nil
	}
	head := n.chain.current()
	for _, id := range head.after.miners() {
		v, err := n.view(ctx, head.after, head.height()+1, idAddress(id))
		if err != nil {
			return err
		}
		current := v.ProvingDeadline(v.epoch)
		if v.epoch < current.Open+disputeAfter || n.disputer.looked[id] >= current.Open {
			continue
		}
		n.disputer.looked[id] = current.Open
		closed := (current.Index + miner.WPoStPeriodDeadlines - 1) % miner.WPoStPeriodDeadlines
		if err := n.disputeDeadline(ctx, head, v, closed); err != nil {
			return fmt.Errorf("dispute deadline %d of miner %d: %w", closed, id, err)
		}
	}
	return nil
}

func (n *Network) disputeDeadline(ctx context.Context, head *tipset, v *minerView, deadline uint64) error {
	list, err := v.View.Deadlines()
	if err != nil {
		return err
	}
	for i := range list[deadline].DisputableProofCount {
		params, err := cborBytes(&miner.DisputeWindowedPoStParams{Deadline: deadline, PoStIndex: i})
		if err != nil {
			return err
		}
		m := Message{To: idAddress(v.id), Method: methodDispute, Params: params}
		if err := n.sendDispute(ctx, head, m); err != nil {
			return err
		}
	}
	return nil
}

// sendDispute sends a dispute if it would succeed.
func (n *Network) sendDispute(ctx context.Context, head *tipset, m Message) error {
	k := n.disputer.key
	m.From = k.Address
	m.defaults()
	m.GasFeeCap = big.Add(big.Mul(head.header.ParentBaseFee, big.NewInt(10)), big.NewInt(200_000))
	m.GasPremium = big.NewInt(minPremium)
	_, account, ok := head.after.lookup(k.Address)
	if !ok {
		return errors.New("the disputer has no account")
	}
	m.Nonce = n.pool.nextNonce(k.Address, account.nonce)
	x := n.newMachine(ctx, head.after, drawn{n.chain, head, head})
	x.epoch, x.unpaid = head.height(), true
	probe := m
	probe.GasLimit = blockGasLimit
	r, failed, err := x.apply(&probe, 0, head.header.ParentBaseFee)
	if err != nil || failed != nil {
		return err // failed: the proof is valid, and no dispute of it succeeds
	}
	m.GasLimit = r.GasUsed * 5 / 4
	sm, err := k.SignMessage(m)
	if err != nil {
		return err
	}
	if _, err := n.push(ctx, sm, maxPendingTrusted); err != nil {
		n.log.Warn("a dispute was not taken by the pool", "miner", m.To, "error", err)
		return nil
	}
	n.disputer.sent.Add(1)
	n.log.Info("a wrong proof is disputed", "miner", m.To, "epoch", head.height())
	return nil
}
