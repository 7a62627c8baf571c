package devnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil/devnet/actor"
)

// acceptedPost is a proof that the actor took, with the question it answers.
type acceptedPost struct {
	miner    abi.ActorID
	post     *actor.Post
	question proof.WindowPoStVerifyInfo
}

// runtime is what a call of the miner actor sees of the chain.
func (x *machine) runtime(id, caller abi.ActorID) *actor.Runtime {
	return &actor.Runtime{
		Store: x.store, Epoch: x.epoch, Miner: id, Caller: caller, Balance: x.st.actors[id].balance,
		Tickets: x.tickets, Beacon: x.beacon, Verify: x.verify, Economy: x.st.economy(), ProofTypes: x.st.postTypes(),
	}
}

func (x *machine) tickets(tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte) ([]byte, error) {
	if epoch > x.epoch {
		return nil, errFuture
	}
	d, err := x.draw.ticketDigest(epoch)
	if err != nil {
		return nil, err
	}
	return drawRandomness(d, tag, epoch, entropy), nil
}

func (x *machine) beacon(tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte) ([]byte, error) {
	if epoch > x.epoch {
		return nil, errFuture
	}
	return drawRandomness(beaconDigest(epoch), tag, epoch, entropy), nil
}

// settle makes a call's effects part of the state.
func (x *machine) settle(id, caller abi.ActorID, e actor.Effects) error {
	a := x.st.actors[id]
	x.st.gain(id, e.Power.QA)
	balance := big.Sub(big.Sub(a.balance, e.Burn), e.Reward)
	if balance.LessThan(big.Zero()) {
		return fmt.Errorf("miner %d pays more than it has", id)
	}
	if e.Head != a.head || !balance.Equals(a.balance) {
		a.head, a.balance = e.Head, balance
		x.st.set(id, a)
	}
	x.burn(e.Burn)
	if !e.Reward.IsZero() {
		c := x.st.actors[caller]
		c.balance = big.Add(c.balance, e.Reward)
		x.st.set(caller, c)
	}
	return nil
}

// createMiner makes a miner whose proving period starts at an epoch.
func (x *machine) createMiner(id abi.ActorID, size abi.SectorSize, accounts map[string]abi.ActorID, periodStart abi.ChainEpoch) error {
	head, err := actor.Construct(x.runtime(id, 0), actor.Config{
		Owner: accounts["owner"], Worker: accounts["worker"], Control: []abi.ActorID{accounts["control"]},
		ProofType: x.st.postType(size), PeriodStart: &periodStart,
	})
	if err != nil {
		return fmt.Errorf("construct: %w", err)
	}
	x.st.set(id, actorEntry{code: minerCode, head: head, balance: fil(minerFunds)})
	return nil
}

// info is what a miner is.
func (x *machine) info(id abi.ActorID) (miner.MinerInfo, error) {
	v, err := actor.Open(x.store, x.st.actors[id].head)
	if err != nil {
		return miner.MinerInfo{}, err
	}
	return v.Info, nil
}

// isFake says that the proofs of a miner are fake.
func (n *Network) isFake(id abi.ActorID) (bool, error) {
	head := n.chain.current()
	v, err := n.view(context.Background(), head.after, head.height(), idAddress(id))
	if err != nil {
		return false, err
	}
	return IsFake(v.Info.SectorSize), nil
}

// assign hands new sectors to the actor, which puts them into deadlines. Their
// pledge comes from outside of this chain.
func (x *machine) assign(id abi.ActorID, sectors []*miner.SectorOnChainInfo) error {
	a := x.st.actors[id]
	for _, s := range sectors {
		a.balance = big.Add(a.balance, s.InitialPledge)
	}
	x.st.set(id, a)
	e, err := actor.AddSectors(x.runtime(id, 0), x.st.actors[id].head, sectors)
	if err != nil {
		return fmt.Errorf("assign sectors: %w", err)
	}
	return x.settle(id, 0, e)
}

// newSector is a sector of no deals.
func newSector(number abi.SectorNumber, size abi.SectorSize, sealed cid.Cid, epoch abi.ChainEpoch) *miner.SectorOnChainInfo {
	zero := big.Zero()
	return &miner.SectorOnChainInfo{
		SectorNumber: number, SealProof: forms[size].seal, SealedCID: sealed,
		Activation: epoch, Expiration: epoch + sectorLife,
		DealWeight: zero, VerifiedDealWeight: zero, InitialPledge: sectorPledge,
		PowerBaseEpoch: epoch, DailyFee: dailyFee(size),
	}
}

// callMiner executes a method of a miner.
func (x *machine) callMiner(from, to abi.ActorID, method abi.MethodNum, params []byte) outcome {
	switch method {
	case methodControl:
		return x.controlAddresses(to)
	case methodPost, methodFaults, methodRecovered, methodDispute:
	default:
		return outcome{gas: gasRefused, err: refuse(exitcode.ErrUnhandledMessage, "unhandled message method %d", method)}
	}
	rt := x.runtime(to, from)
	e, err := actor.Invoke(rt, x.st.actors[to].head, method, params)
	var refused *actor.Refusal
	if errors.As(err, &refused) {
		return outcome{gas: gasRefused, err: refused}
	}
	if err == nil {
		err = x.take(rt, e)
	}
	if err == nil {
		err = x.settle(to, from, e)
	}
	if err != nil {
		return outcome{err: &fatal{err}}
	}
	return outcome{gas: gasOf(method, e.Post)}
}

// take remembers a post that the actor took, for the audit.
func (x *machine) take(rt *actor.Runtime, e actor.Effects) error {
	if e.Post == nil {
		return nil
	}
	q, err := e.Post.Question(rt)
	if err != nil {
		return fmt.Errorf("what a post answers: %w", err)
	}
	x.posts = append(x.posts, acceptedPost{rt.Miner, e.Post, q})
	return nil
}

// gasOf is what a method that succeeded used.
func gasOf(method abi.MethodNum, p *actor.Post) int64 {
	switch method {
	case methodFaults:
		return gasFaults
	case methodRecovered:
		return gasRecovered
	case methodDispute:
		return gasDispute
	}
	gas := gasPostBase + gasPostPartition*int64(len(p.Partitions))
	if p.Skipped > 0 {
		gas += gasPostSkipped
	}
	if !p.Recovered.IsZero() {
		gas += gasPostVerified
	}
	return gas
}

// controlAddresses answers who may act for the miner.
func (x *machine) controlAddresses(id abi.ActorID) outcome {
	v, err := actor.Open(x.store, x.st.actors[id].head)
	if err != nil {
		return outcome{err: &fatal{err}}
	}
	var e encoder
	e.array(3)
	e.value(&v.Info.Owner)
	e.value(&v.Info.Worker)
	e.array(len(v.Info.ControlAddresses))
	for i := range v.Info.ControlAddresses {
		e.value(&v.Info.ControlAddresses[i])
	}
	if e.err != nil {
		return outcome{err: &fatal{e.err}}
	}
	return outcome{ret: e.buf.Bytes(), gas: gasRead}
}
