package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
)

// What is looked at before the start: mistakes that would otherwise show
// themselves in the first deadline, when little time is left.

// unfit is what waiting cannot mend.
type unfit struct{ error }

func (u unfit) Unwrap() error { return u.error }

// hopeless says that waiting cannot mend an error. That something answers which
// is no node is one at the start only: later it is a node that will be back.
func hopeless(err error) bool {
	var no unfit
	var refused *chain.RefusedError
	var stranger *chain.StrangerError
	var held *vigil.SigningRefusal
	return errors.As(err, &no) || errors.As(err, &held) || errors.As(err, &refused) || errors.As(err, &stranger)
}

// patiently tries until it works, ctx ends, or the error is one that waiting cannot
// mend. What it waits for is told at every try, and logged when it is another one.
func patiently(ctx context.Context, log *slog.Logger, told func(string), what string, try func() error) error {
	said := ""
	for {
		err := try()
		if err == nil || hopeless(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		told(what + ": " + err.Error())
		if err.Error() != said { // once for each different trouble, not once a second
			said = err.Error()
			log.Warn("the start waits: "+what, "error", err)
			tellSystemd(daemon.SdNotifyReady, "STATUS=the start waits: "+what) // it does all it can
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// nobody is told what a start waits for.
func nobody(string) {}

// meet asks the nodes for their network until one answers, and decides how
// addresses are written from here on.
func meet(ctx context.Context, node vigil.Heads, log *slog.Logger, told func(string)) (network vigil.Network, err error) {
	err = patiently(ctx, log, told, "no node answers", func() error {
		network, err = node.Network(ctx)
		return err
	})
	if err == nil {
		writeAddressesOf(network)
	}
	return network, err
}

// writeAddressesOf decides that addresses are written with f on mainnet, and with t elsewhere.
func writeAddressesOf(network vigil.Network) {
	prefix := address.Testnet
	if network.Name == "mainnet" {
		prefix = address.Mainnet
	}
	if address.CurrentNetwork != prefix { // others of this process may be reading it
		address.CurrentNetwork = prefix
	}
}

// meetSoon is meet for a command, which does not wait for a node however long that takes.
func meetSoon(ctx context.Context, node vigil.Heads, log *slog.Logger) (vigil.Network, error) {
	const patience = 30 * time.Second
	soon, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	network, err := meet(soon, node, log, nobody)
	if err != nil && soon.Err() != nil && ctx.Err() == nil {
		_, err = node.Network(ctx) // it says what is wrong, where the end of the patience does not
		err = fmt.Errorf("no node answered within %v: %w", patience, cmp.Or(err, soon.Err()))
	}
	return network, err
}

// nodeState is what fit asks of a node.
type nodeState interface {
	vigil.Heads
	vigil.MinerState
	KeyAddress(ctx context.Context, account address.Address, key vigil.TipSetKey) (address.Address, error)
}

// senders are the messager's: it is told of the accounts, and tries their keys.
type senders interface {
	Watch(accounts ...address.Address)
	TestSign(ctx context.Context, key address.Address) error
}

// parameters are the keys that proofs are made with.
type parameters interface {
	Check(t abi.RegisteredPoStProof) error
	CheckPublished(ctx context.Context, t abi.RegisteredPoStProof) error
}

// publicNetworks use the keys of Filecoin's ceremony and no others.
var publicNetworks = []string{"mainnet", "calibrationnet"}

// fit sees that every miner exists, that its proofs can be made, and that a
// key is held that may send its messages.
func fit(ctx context.Context, miners []abi.ActorID, s stand) error {
	for _, id := range miners {
		miner := vigil.MinerAddress(id).String()
		s.told("miner " + miner + " and its keys are looked at")
		err := patiently(ctx, s.log, s.told, "miner "+miner+" and its keys cannot be looked at", func() error {
			one := vigil.OneDecision(ctx)
			head, err := s.node.Head(one)
			if err != nil {
				return err
			}
			return s.fit(one, id, head.Key)
		})
		if err != nil {
			return fmt.Errorf("miner %s: %w", miner, err)
		}
	}
	return nil
}

// keyring says which keys messages can be sent with.
type keyring interface {
	Has(ctx context.Context, key address.Address) (bool, error)
}

// stand is what a miner is looked at with.
type stand struct {
	network string
	node    nodeState
	keys    keyring
	senders senders
	claim   func(key address.Address) error
	maths   parameters
	log     *slog.Logger
	shadow  []abi.ActorID // miners that no key is needed for
	told    func(string)  // what the start waits for
}

func (s stand) fit(ctx context.Context, id abi.ActorID, key vigil.TipSetKey) error {
	info, err := s.node.Miner(ctx, id, key)
	if errors.Is(err, vigil.ErrNotFound) {
		return unfit{fmt.Errorf("the network has no miner of this address: is the address right, and the network? %w", err)}
	}
	if err != nil {
		return err
	}
	if err := s.maths.Check(info.ProofType); err != nil {
		return unfit{err}
	}
	if slices.Contains(publicNetworks, s.network) {
		if err := s.maths.CheckPublished(ctx, info.ProofType); err != nil {
			return unfit{err}
		}
	}
	if slices.Contains(s.shadow, id) {
		s.log.Info("the miner is in shadow: somebody else posts for it, and nothing is signed or sent", "miner", vigil.MinerAddress(id).String())
		return nil
	}
	return s.fitKeys(ctx, info, key)
}

// fitKeys sees that a key is held which may send the miner's messages, and that
// nobody else on this machine sends with it.
func (s stand) fitKeys(ctx context.Context, info vigil.MinerInfo, key vigil.TipSetKey) error {
	var tried []string
	any := false
	for _, account := range append([]address.Address{info.Worker}, info.Control...) {
		sender, err := s.node.KeyAddress(ctx, account, key)
		if errors.Is(err, vigil.ErrNotFound) { // any actor may be a control address, a multisig too
			tried = append(tried, account.String()+" has no key")
			continue
		}
		if err != nil {
			return err
		}
		held, err := s.keys.Has(ctx, sender)
		if err != nil {
			return err
		}
		if !held {
			tried = append(tried, sender.String())
			continue
		}
		if err := s.claim(sender); err != nil {
			return err
		}
		if !any {
			s.senders.Watch(account)
			if err := s.senders.TestSign(ctx, sender); err != nil {
				return err
			}
		}
		any = true
	}
	if any {
		return nil
	}
	return unfit{fmt.Errorf("no wallet has a key that may send its messages, the worker's or a control address's (%s): vigil wallet import takes one over", strings.Join(tried, ", "))}
}
