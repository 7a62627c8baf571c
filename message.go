package vigil

import (
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"
)

// Gas is what a message may use and pay, in the network's terms.
type Gas struct {
	Limit   int64
	FeeCap  abi.TokenAmount
	Premium abi.TokenAmount
}

// Call is a message without what the messager decides: nonce and gas.
type Call struct {
	From   address.Address
	To     address.Address
	Method abi.MethodNum
	Value  abi.TokenAmount
	Params []byte
}

// SignedMessage is a message as the network takes it.
type SignedMessage struct {
	Call
	Nonce     uint64
	Gas       Gas
	Signature crypto.Signature
}

// MessageRequest asks the messager to get a call on chain.
type MessageRequest struct {
	// ID is the caller's and makes the request idempotent: the same ID with
	// the same call returns the message that exists.
	ID   string
	Duty DutyID
	Call Call // Call.From is chosen by the messager among Senders
	// Senders are the addresses the chain lets act for the miner, the ones
	// to prefer first.
	Senders []address.Address
	// Expires is the first epoch at which execution would be too late.
	Expires abi.ChainEpoch
}

// MessageState is how far a message has come. It is stored as this word.
//
//	   ┌── its nonce went to ──┐
//	   ▼   somebody else's     │
//	queued ─▶ signed ─▶ published ─▶ included ─▶ confirmed | failed
//	   │         │          ▲  │         │
//	   │         │          └──┼─ reorg ─┘
//	   └─────────┴─────────────┴─▶ expired
//
// Only a confirmed, failed or expired message is not seen through any more.
type MessageState string

const (
	MessageQueued    MessageState = "queued"    // stored; it has no nonce yet
	MessageSigned    MessageState = "signed"    // it has a nonce, and its signed bytes are stored
	MessagePublished MessageState = "published" // a node took it
	MessageIncluded  MessageState = "included"  // a tipset executed it
	MessageConfirmed MessageState = "confirmed" // with exit code 0, at the configured confidence
	MessageFailed    MessageState = "failed"    // with another exit code, at the configured confidence
	MessageExpired   MessageState = "expired"   // its epoch passed before it was executed
)

// Done says that the messager does nothing more about the message.
func (s MessageState) Done() bool {
	return s == MessageConfirmed || s == MessageFailed || s == MessageExpired
}

// Receipt is what the chain said of a message it executed.
type Receipt struct {
	ExitCode exitcode.ExitCode `json:"exit_code"`
	GasUsed  int64             `json:"gas_used"`
	Epoch    abi.ChainEpoch    `json:"epoch"`  // of the tipset that included it
	TipSet   TipSetKey         `json:"tipset"` // that tipset, so that a reorg can take it back
}

// Message is a row of the messager: a request and how far it has come.
type Message struct {
	MessageRequest
	State    MessageState
	Nonce    uint64    // meaningful from MessageSigned on, as is Call.From
	Attempts []Attempt // oldest first
	Receipt  *Receipt
	Problem  string // what stopped the last try, in words
	Created  time.Time
	Updated  time.Time
}

// Attempt is one signed form of a message. All attempts of a message have its
// nonce, but for those made before the chain gave that nonce to a message that
// is not ours; so at most one of them is ever executed.
type Attempt struct {
	Number    int     // from 1
	CID       cid.Cid // as it stands on chain
	Signed    SignedMessage
	Encoded   []byte         // Signed as the network encodes it; stored before a node sees it
	Epoch     abi.ChainEpoch // the head's, when it was signed
	Published bool           // a node took it
	Problem   string
	Created   time.Time
}

// Executed is a message that a tipset executed, with its receipt.
type Executed struct {
	CID     cid.Cid
	From    address.Address
	Nonce   uint64
	Receipt Receipt
}
