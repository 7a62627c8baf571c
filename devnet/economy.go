package devnet

import (
	"maps"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/math"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/smoothing"

	"github.com/vigil-post/vigil/devnet/actor"
)

// The economy is a small one that holds together: what a miner earns in a day is
// a good part of what its faults cost, and its funds last for months of both. A
// block's reward does not decay and is free at once, where the network vests
// three quarters of it.
var (
	blockReward  = big.Div(fil(1), big.NewInt(100))
	allThereIs   = fil(2_000_000_000) // FilBase of lotus build/buildconstants/params_shared_vals.go
	sectorPledge = big.Div(fil(1), big.NewInt(1000))
)

// The daily fee of a sector (FIP-0100): 5.56e-15 of the circulating supply for
// each 32 GiB. The supply is about the network's, in FIL.
const (
	circulatingSupply = 700_000_000
	dailyFeeNumerator = 5_560 // of 10^18, a day and 32 GiB, for each attoFIL
)

func dailyFee(size abi.SectorSize) abi.TokenAmount {
	perDay := big.Div(big.Mul(fil(circulatingSupply), big.NewInt(dailyFeeNumerator)), fil(1))
	return big.Div(big.Mul(perDay, big.NewIntUnsigned(uint64(size))), big.NewInt(32<<30))
}

// economy is what fees are projected from: the reward of an epoch and the power
// that shares it, both as steady as they are here.
func (s *state) economy() actor.Economy {
	total := big.Zero()
	for _, power := range s.power {
		total = big.Add(total, power)
	}
	return actor.Economy{Reward: steady(blockReward), Power: steady(total), Circulating: fil(circulatingSupply)}
}

func steady(v big.Int) smoothing.FilterEstimate {
	return smoothing.FilterEstimate{PositionEstimate: big.Lsh(v, math.Precision128), VelocityEstimate: big.Zero()}
}

// gain adds to the power that a miner has proven.
func (s *state) gain(id abi.ActorID, power abi.StoragePower) {
	if power.Int == nil || power.IsZero() {
		return
	}
	old, ok := s.power[id]
	if !ok {
		old = big.Zero()
	}
	s.power[id] = big.Add(old, power)
}

// producer draws whose block it is, by power. Without any it is the first miner's.
func (s *state) producer(seed []byte) abi.ActorID {
	total := big.Zero()
	for _, power := range s.power {
		total = big.Add(total, power)
	}
	if total.Sign() <= 0 {
		return firstMiner
	}
	mark := big.Mod(big.PositiveFromUnsignedBytes(seed), total)
	for _, id := range slices.Sorted(maps.Keys(s.power)) {
		if mark = big.Sub(mark, s.power[id]); mark.Sign() < 0 {
			return id
		}
	}
	return firstMiner
}

// payProducer gives the reward and the tips of a block to who made it.
func (x *machine) payProducer(miner address.Address) error {
	id, err := address.IDFromAddress(miner)
	if err != nil {
		return err
	}
	x.earn(abi.ActorID(id), big.Add(blockReward, x.tips))
	return nil
}

// burntFunds is the account that nobody can spend from.
const burntFunds abi.ActorID = 99

// burn puts money where nobody can spend it. A chain that was made before there
// was such an account loses it.
func (x *machine) burn(amount abi.TokenAmount) {
	if _, ok := x.st.actors[burntFunds]; !ok || amount.IsZero() {
		return
	}
	x.earn(burntFunds, amount)
}

// earn pays somebody: the producer of a block, or nobody.
func (x *machine) earn(id abi.ActorID, amount abi.TokenAmount) {
	a := x.st.actors[id]
	a.balance = big.Add(a.balance, amount)
	x.st.set(id, a)
}
