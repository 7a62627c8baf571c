package actor

import (
	"bytes"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/smoothing"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"
)

// Runtime is what the chain lends the actor for one call.
type Runtime struct {
	// Store has the state's blocks and takes new ones. What a refused call has
	// put there is garbage.
	Store adt.Store
	// Epoch is the one that is being executed.
	Epoch abi.ChainEpoch
	// Miner is the actor itself.
	Miner abi.ActorID
	// Caller is who sent the message. Construct, AddSectors and EndEpoch do not
	// look at it.
	Caller abi.ActorID
	// Resolve finds an account by its address; nil knows ID addresses alone and
	// takes each for an account with a BLS key.
	Resolve func(address.Address) (Account, bool)
	// Balance is the actor's, with the value of the message.
	Balance abi.TokenAmount

	// Tickets and Beacon draw the chain's randomness, 32 bytes.
	Tickets, Beacon Draw
	// Verify says nil of a proof that proves its sectors.
	Verify func(proof.WindowPoStVerifyInfo) error

	// Economy is what fees and penalties are projected from; the zero value is
	// a network without rewards.
	Economy Economy
	// ProofTypes are the Window PoSt types of the network; none stands for the
	// V1_1 type of every sector size.
	ProofTypes []abi.RegisteredPoStProof
}

// Draw is randomness that the chain had at an epoch. An error ends the call and
// is not the message's fault.
type Draw func(tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte) ([]byte, error)

// Account is somebody whom a message names.
type Account struct {
	ID abi.ActorID
	// Key is the address of its public key; address.Undef where the actor is no
	// account.
	Key address.Address
}

// resolve finds an account by its address.
func (rt *Runtime) resolve(a address.Address) (Account, bool) {
	if rt.Resolve != nil {
		return rt.Resolve(a)
	}
	id, err := address.IDFromAddress(a)
	return Account{ID: abi.ActorID(id), Key: anyBLSKey()}, err == nil
}

func anyBLSKey() address.Address {
	a, err := address.NewBLSAddress(make([]byte, address.BlsPublicKeyBytes))
	if err != nil {
		panic("unreachable: " + err.Error())
	}
	return a
}

// Economy is the network's smoothed block reward and quality-adjusted power.
type Economy struct {
	Reward, Power smoothing.FilterEstimate
	// Circulating is the supply that the daily fee of an extended sector is a
	// share of, if it paid none before; the zero value charges none.
	Circulating abi.TokenAmount
}

// Effects are what a call has changed.
type Effects struct {
	// Head is the miner's state after the call.
	Head cid.Cid
	// Power is to be added to the miner's claim.
	Power miner.PowerPair
	// Pledge is to be added to what the network has locked, pledge and rewards
	// that vest; negative where they were released.
	Pledge abi.TokenAmount
	// Burn leaves the miner's balance for nobody, Reward for the caller,
	// Withdrawn for the Beneficiary, whom only a withdrawal names.
	Burn, Reward, Withdrawn abi.TokenAmount
	Beneficiary             abi.ActorID
	// Return is the value that the method answered, in CBOR; most have none.
	Return []byte
	// Post is the proof that the call took, if it was one.
	Post *Post
	// Closed is the deadline whose last epoch this was, from EndEpoch.
	Closed *Closed
}

func noEffects(head cid.Cid) Effects {
	return Effects{Head: head, Power: miner.NewPowerPairZero(), Pledge: big.Zero(), Burn: big.Zero(), Reward: big.Zero(), Withdrawn: big.Zero()}
}

// Closed is what became of a deadline when its window closed.
type Closed struct {
	Deadline uint64
	// Posted and Missed count the partitions that had something to prove.
	Posted, Missed uint64
	// NewFaults is the power found faulty now, failed recoveries with it.
	NewFaults miner.PowerPair
	// Faulty is all the deadline's faulty power, before any of it expired.
	Faulty miner.PowerPair
	// Expired counts the sectors whose life ended, Terminated those that had
	// been faulty for too long.
	Expired, Terminated uint64
	// Penalty is what was charged, paid or not: for power that stayed faulty,
	// for terminations, and the daily fee.
	Penalty abi.TokenAmount
}

// question is what a proof over these sectors has to answer, as the network asks
// it: with the beacon's randomness of the challenge epoch, bound to the miner.
func (rt *Runtime) question(challenge abi.ChainEpoch, sectors []*miner.SectorOnChainInfo, proofs []proof.PoStProof) (proof.WindowPoStVerifyInfo, error) {
	seed, err := rt.Beacon(crypto.DomainSeparationTag_WindowedPoStChallengeSeed, challenge, encodedID(rt.Miner))
	if err != nil {
		return proof.WindowPoStVerifyInfo{}, fmt.Errorf("challenge randomness of epoch %d: %w", challenge, err)
	}
	q := proof.WindowPoStVerifyInfo{Randomness: seed, Proofs: proofs, Prover: rt.Miner}
	for _, s := range sectors {
		q.ChallengedSectors = append(q.ChallengedSectors, proof.SectorInfo{SealProof: s.SealProof, SectorNumber: s.SectorNumber, SealedCID: s.SealedCID})
	}
	return q, nil
}

func idAddress(id abi.ActorID) address.Address {
	a, err := address.NewIDAddress(uint64(id))
	if err != nil {
		panic("unreachable: an ID above 2^63")
	}
	return a
}

// encodedID is an ID address in CBOR, as it goes into randomness.
func encodedID(id abi.ActorID) []byte {
	a := idAddress(id)
	var b bytes.Buffer
	if err := a.MarshalCBOR(&b); err != nil {
		panic("unreachable: " + err.Error())
	}
	return b.Bytes()
}
