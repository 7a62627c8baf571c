package devnet

import (
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"
)

// The network's limits (lotus build/buildconstants).
const (
	blockGasLimit  = 10_000_000_000
	maxMessageSize = 64 << 10
)

// minimumBaseFee is in attoFIL per unit of gas.
var minimumBaseFee = big.NewInt(100)

// The gas of what this network executes, in units of gas, from receipts on
// mainnet and on a Lotus development network. Only the sizes matter to a client:
// that a post fits its limit, and that a recovering one costs seven times more.
const (
	gasPostBase      = 10_000_000  // SubmitWindowedPoSt taken optimistically: 20 M for one partition,
	gasPostPartition = 10_000_000  // 40 M on mainnet with thousands of sectors
	gasPostSkipped   = 18_500_000  // more where sectors are skipped
	gasPostVerified  = 125_000_000 // more where the proof is verified at once
	gasRecovered     = 16_900_000  // DeclareFaultsRecovered
	gasFaults        = 29_500_000  // DeclareFaults
	gasDispute       = 180_000_000 // DisputeWindowedPoSt that verifies a proof
	gasRefused       = 2_800_000   // a method that refuses
	gasRead          = 1_250_000   // a method that only reads
	gasTransfer      = 475_000     // what a call costs beside its place on chain
)

// gasOnChain is the least a message can cost: its place in a block.
func gasOnChain(length int) int64 { return 38_863 + 1_000*(36+int64(length)) }

// gasBase is what executing any message costs before its method runs.
func gasBase(length int) int64 { return 38_863 + 1_300*(36+int64(length)) + gasTransfer }

// payment is where the gas of a message goes, by the network's rule.
type payment struct {
	baseFeeBurn        abi.TokenAmount
	overEstimationBurn abi.TokenAmount
	tip                abi.TokenAmount
	refund             abi.TokenAmount
}

func (p payment) total() abi.TokenAmount {
	return big.Sum(p.baseFeeBurn, p.overEstimationBurn, p.tip)
}

// pay splits what the sender put up (limit × fee cap). Limits far above what is
// used are burnt in part, so that blocks are not filled with air.
func pay(m *Message, gasUsed int64, baseFee abi.TokenAmount) payment {
	fee := big.Min(baseFee, m.GasFeeCap)
	tip := big.Min(m.GasPremium, big.Sub(m.GasFeeCap, fee))
	p := payment{
		baseFeeBurn:        big.Mul(fee, big.NewInt(gasUsed)),
		overEstimationBurn: big.Mul(fee, big.NewInt(overBurn(gasUsed, m.GasLimit))),
		tip:                big.Mul(tip, big.NewInt(m.GasLimit)),
	}
	p.refund = big.Sub(big.Mul(m.GasFeeCap, big.NewInt(m.GasLimit)), p.total())
	return p
}

// overBurn is the unused gas that is burnt: none while the limit is at most a
// tenth above what is used, all of it from twice on, in proportion between.
func overBurn(used, limit int64) int64 {
	if used == 0 {
		return limit
	}
	over := min(max(limit-11*used/10, 0), used)
	burn := big.Div(big.Mul(big.NewInt(limit-used), big.NewInt(over)), big.NewInt(used))
	return burn.Int64()
}

// The methods of the miner actor that this network knows.
const (
	methodSend      abi.MethodNum = builtin.MethodSend
	methodControl   abi.MethodNum = 2
	methodPost      abi.MethodNum = 5
	methodFaults    abi.MethodNum = 10
	methodRecovered abi.MethodNum = 11
	methodDispute   abi.MethodNum = 24
)
