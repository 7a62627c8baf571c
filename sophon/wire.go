package sophon

import (
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"
)

// What follows are the shapes of venus-shared/types/messager, with the names
// and numbers that they have there.

// State is how far a message has come, in sophon-messager's numbers.
type State int

const (
	Unknown       State = iota
	UnFillMsg           // it has no nonce yet
	FillMsg             // it is signed, and on its way
	OnChainMsg          // a tipset executed it; the receipt says how
	FailedMsg           // it is given up
	NonceConflict       // the chain gave its nonce to another message
)

// Call is a message without its signature, as everywhere in Filecoin's JSON.
type Call struct {
	Version    uint64
	To         address.Address
	From       address.Address
	Nonce      uint64
	Value      abi.TokenAmount
	GasLimit   int64
	GasFeeCap  abi.TokenAmount
	GasPremium abi.TokenAmount
	Method     abi.MethodNum
	Params     []byte
}

// SendSpec is how a message may be sent.
type SendSpec struct {
	ExpireEpoch       abi.ChainEpoch `json:"expireEpoch"`
	GasOverEstimation float64        `json:"gasOverEstimation"`
	MaxFee            big.Int        `json:"maxFee,omitempty"`
	GasOverPremium    float64        `json:"gasOverPremium"`
}

// Receipt is what the chain said of a message.
type Receipt struct {
	ExitCode   exitcode.ExitCode
	Return     []byte
	GasUsed    int64
	EventsRoot *cid.Cid
}

// Message is a message and how far it has come.
type Message struct {
	ID string

	UnsignedCid *cid.Cid
	SignedCid   *cid.Cid
	Call
	Signature *crypto.Signature

	Height     int64 // of the tipset that included it
	Confidence int64 // how far below the head that is
	Receipt    *Receipt
	TipSetKey  []cid.Cid
	Meta       *SendSpec
	WalletName string

	State    State
	ErrorMsg string

	CreatedAt time.Time
	UpdatedAt time.Time
}

// ReplaceParams are of ReplaceMessage; the name of its first form has a
// letter too few in Venus, which JSON does not show.
type ReplaceParams struct {
	ID             string
	Auto           bool
	MaxFee         abi.TokenAmount
	GasLimit       int64
	GasPremium     abi.TokenAmount
	GasFeecap      abi.TokenAmount
	GasOverPremium float64
}

// Query is of ListMessage: what is set must fit.
type Query struct {
	State      []State
	From       []address.Address
	ByUpdateAt *time.Time // updated then or later, as sophon-messager has it; Venus' comment says before
	Asc        bool       // oldest first; the default is what changed last first
	Limit      uint
	Offset     uint
}

// Version is what a program says of itself.
type Version struct {
	Version    string
	APIVersion uint32
}
