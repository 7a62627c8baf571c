package vigil

import (
	gobig "math/big"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
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

// Paid is what an execution took from the sender for gas: what was burnt at the
// base fee, for the gas used and for asking for far too much, and the block
// producer's tip (lotus/chain/vm/burn.go).
func (g Gas) Paid(used int64, baseFee abi.TokenAmount) abi.TokenAmount {
	feeCap, premium := orZero(g.FeeCap), orZero(g.Premium)
	rate := big.Min(orZero(baseFee), feeCap)
	burnt := big.Mul(rate, big.NewInt(used+g.overestimationBurn(used)))
	tip := big.Min(premium, big.Sub(feeCap, rate))
	return big.Add(burnt, big.Mul(tip, big.NewInt(g.Limit)))
}

// overestimationBurn is the gas that is burnt for a limit far above what is used.
func (g Gas) overestimationBurn(used int64) int64 {
	if used <= 0 {
		return max(0, g.Limit)
	}
	over := min(g.Limit-used*11/10, used)
	if over < 0 {
		return 0
	}
	burn := new(gobig.Int).Mul(gobig.NewInt(g.Limit-used), gobig.NewInt(over))
	return burn.Quo(burn, gobig.NewInt(used)).Int64()
}

func orZero(a abi.TokenAmount) abi.TokenAmount {
	if a.Nil() {
		return big.Zero()
	}
	return a
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
	// Supersedes, where set, is the ID of a message that can only fail since
	// this one is needed: it is cancelled in the transaction that stores this one.
	Supersedes string
}

// TookBack is how the Problem of a message begins that a reorg has taken off the chain again,
// for as long as nothing else is in its way.
const TookBack = "a reorg took back its inclusion"

// MessageState is how far a message has come. It is stored as this word.
//
//	   ┌───── at confidence, for another nonce ─────┐
//	   ▼                                            │
//	queued ─▶ signed ─▶ published ─▶ included    conflicted
//	   │         │       │  ▲  ▲        │  │         ▲
//	   │         └───────┼──┼──┼────────┼──┼─ its nonce went to somebody else's
//	   │                 │  │  └─ reorg ┘  │
//	   │                 │  └─── reorg ────┼─────┐
//	   │                 │                 ▼     │
//	   │                 │        confirmed | failed
//	   └─────────────────┴─▶ expired | cancelled
//
// A confirmed, failed, expired or cancelled message is not seen through any
// more; but a reorg can still take back or bring what the chain executed.
type MessageState string

const (
	MessageQueued     MessageState = "queued"     // stored; it has no nonce yet
	MessageSigned     MessageState = "signed"     // it has a nonce, and its signed bytes are stored
	MessagePublished  MessageState = "published"  // a node took it
	MessageConflicted MessageState = "conflicted" // the chain has used its nonce, and not for it; not for sure yet
	MessageIncluded   MessageState = "included"   // a tipset executed it
	MessageConfirmed  MessageState = "confirmed"  // with exit code 0, at the configured confidence
	MessageFailed     MessageState = "failed"     // with another exit code, at the configured confidence
	MessageExpired    MessageState = "expired"    // its epoch passed before it was executed, or no pool took it as valid
	MessageCancelled  MessageState = "cancelled"  // somebody wished so, and it was in time
)

// MessageStates lists the states in the order of a message's life.
var MessageStates = []MessageState{
	MessageQueued, MessageSigned, MessagePublished, MessageConflicted, MessageIncluded,
	MessageConfirmed, MessageFailed, MessageExpired, MessageCancelled,
}

// Done says that the messager does nothing more to get the message on chain.
func (s MessageState) Done() bool {
	return s == MessageConfirmed || s == MessageFailed || s == MessageExpired || s == MessageCancelled
}

// WishVerb is what somebody wants of a message. It is stored as this word.
type WishVerb string

const (
	WishCancel    WishVerb = "cancel"    // it shall not be executed: its nonce goes to a send of nothing to oneself
	WishReplace   WishVerb = "replace"   // it shall have a new attempt at its nonce, with more gas
	WishRepublish WishVerb = "republish" // it shall be handed to the nodes now
)

// Wish is what somebody wants of a message. It stands in its row until it is
// so: the messager's loop compares it with what is, like everything else.
type Wish struct {
	Verb  WishVerb  `json:"verb,omitempty"`
	At    time.Time `json:"at"`
	After int       `json:"after,omitempty"` // a replacement is an attempt of a higher number
	Gas   *Gas      `json:"gas,omitempty"`   // of the replacement; the messager's choice if not set
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
	Landed   int             // the number of the attempt that was executed, 0 for none
	Paid     abi.TokenAmount // what that attempt took from its sender for gas
	Problem  string          // what stopped the last try, in words
	Wish     Wish
	// Settled says that nothing of the message can be executed any more, as
	// far as the configured confidence goes. It is watched until then.
	Settled bool
	Created time.Time
	Updated time.Time
}

// Executed is the attempt that the chain executed, if there is one.
func (m Message) Executed() (Attempt, bool) {
	if m.Landed < 1 || m.Landed > len(m.Attempts) {
		return Attempt{}, false
	}
	return m.Attempts[m.Landed-1], true
}

// Attempt is one signed form of a message. All attempts of a message have its
// nonce, but for those made before the chain gave that nonce to a message that
// is not ours; so at most one of them is ever executed.
type Attempt struct {
	Number int     // from 1
	CID    cid.Cid // as it stands on chain
	// Cancel says that it is a send of nothing to oneself, which takes the
	// nonce so that the message cannot have it.
	Cancel    bool
	Signed    SignedMessage
	Encoded   []byte         // Signed as the network encodes it; stored before a node sees it
	Epoch     abi.ChainEpoch // the head's, when it was signed
	Published bool           // a node took it
	Pushes    []PushResult   // what each node said when it was last handed over
	Pushed    time.Time      // when that was, as far as it is written down: repeats that bring nothing new are not
	Problem   string
	Created   time.Time
}

// PushResult is what one node said to a message.
type PushResult struct {
	Node    string `json:"node"`
	Problem string `json:"problem,omitempty"` // empty: the node has it
}

// HeldNonce is a nonce of a sender and the message it was given to.
type HeldNonce struct {
	Nonce   uint64
	Message Message
}

// MessageQuery says which messages are asked for: those that fit everything
// that is set.
type MessageQuery struct {
	ID     string
	CID    cid.Cid         // of any attempt, as it stands on chain
	From   address.Address // with Nonce: the message that the nonce was given to
	Nonce  *uint64
	States []MessageState
	// Of is a text that people mean messages by: the CID of an attempt, a duty, or
	// how an ID begins.
	Of string
	// Before is the ID of a message: those older than it, for the next page. With
	// Of it is those before it in the order of IDs.
	Before string
	Limit  int // the newest so many; 0 is 1000
}

// Executed is a message that a tipset executed, with its receipt.
type Executed struct {
	CID     cid.Cid
	From    address.Address
	Nonce   uint64
	Receipt Receipt
}
