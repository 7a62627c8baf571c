package messager

import (
	"context"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// Storage keeps messages, nonces and how far the chain was scanned. What a
// method wrote is durable when it returns, all of it or nothing; methods may
// be called concurrently. The package store has it.
type Storage interface {
	messageRows
	nonceRows
	history

	// SaveScan writes how far the chain was scanned, and what was seen of
	// messages there. It takes no new attempts.
	SaveScan(ctx context.Context, scanned []vigil.Head, messages []vigil.Message) error
	// Scanned gives the last scan: key, parent, epoch and base fee of its tipsets, oldest first.
	Scanned(ctx context.Context) ([]vigil.Head, error)
}

type messageRows interface {
	// AddMessage stores a message that is new, and gives what stands under
	// its ID then: an earlier one is left as it is. What a new one supersedes
	// is wished to be cancelled in the same transaction.
	AddMessage(ctx context.Context, m vigil.Message) (vigil.Message, error)
	// SaveMessages writes how far messages have come, and their attempts. A
	// new attempt takes its nonce in the same transaction: without the
	// holder's lease of its sender, or with a nonce that was ever given to
	// another message, nothing is written. Wishes are not written.
	SaveMessages(ctx context.Context, holder string, messages ...vigil.Message) error
	// SaveWish writes a wish in place of an earlier one; it is
	// vigil.ErrNotFound where no message of the ID is unsettled.
	SaveWish(ctx context.Context, id string, w vigil.Wish) error
	// Messages gives a miner's messages whose Expires is at or after the epoch, oldest first.
	Messages(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Message, error)
	// OpenMessages gives the messages that are not settled, oldest first.
	OpenMessages(ctx context.Context) ([]vigil.Message, error)
	// FindMessages gives the messages of a query, oldest first.
	FindMessages(ctx context.Context, q vigil.MessageQuery) ([]vigil.Message, error)
}

type nonceRows interface {
	// TakeLease takes or renews the right to give a sender's nonces. It is a
	// *vigil.LeaseError while somebody else has it.
	TakeLease(ctx context.Context, sender address.Address, holder string, until time.Time) (token int64, err error)
	// NonceHolders gives which message each of a sender's nonces from the
	// given one on was given to, by nonce.
	NonceHolders(ctx context.Context, sender address.Address, from uint64) ([]vigil.HeldNonce, error)
	// NextNonce is one more than the highest nonce that was given for a sender, or 0.
	NextNonce(ctx context.Context, sender address.Address) (uint64, error)
}

type history interface {
	// IncludedSince gives the settled messages that tipsets of the epoch or later executed, oldest first.
	IncludedSince(ctx context.Context, epoch abi.ChainEpoch) ([]vigil.Message, error)
	// MessagesByCID gives the messages that have attempts with the CIDs.
	MessagesByCID(ctx context.Context, cids []cid.Cid) ([]vigil.Message, error)
	// LastGas is the gas of the latest confirmed message that called the
	// method with parameters of at least that size, or vigil.ErrNotFound.
	LastGas(ctx context.Context, method abi.MethodNum, paramsSize int) (vigil.Gas, error)
	// Paid is what the settled messages of a kind that tipsets of the epoch or
	// later executed took for gas: up to so much each, and beyond that.
	Paid(ctx context.Context, kind vigil.DutyKind, since abi.ChainEpoch, most abi.TokenAmount) (within, beyond abi.TokenAmount, err error)
	// Sent counts the messages that a sender signed attempts of at or after the epoch.
	Sent(ctx context.Context, sender address.Address, since abi.ChainEpoch) (int, error)
}
