package messager

import (
	"context"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Storage keeps messages, nonces and how far the chain was scanned. What a
// method wrote is durable when it returns, all of it or nothing; methods may
// be called concurrently. The package store has it.
type Storage interface {
	// AddMessage stores a message that is new, and gives what stands under
	// its ID then: an earlier one is left as it is.
	AddMessage(ctx context.Context, m vigil.Message) (vigil.Message, error)
	// SaveMessages writes how far messages have come, and their attempts. An
	// attempt takes its nonce in the same transaction: a nonce that was ever
	// given to another message is an error, and nothing is written.
	SaveMessages(ctx context.Context, messages ...vigil.Message) error
	// SaveScan writes how far the chain was scanned, and what was seen of messages there.
	SaveScan(ctx context.Context, scanned []vigil.Head, messages []vigil.Message) error
	// Scanned gives the last scan: key, parent and epoch of its tipsets, oldest first.
	Scanned(ctx context.Context) ([]vigil.Head, error)
	// Messages gives a miner's messages whose Expires is at or after the epoch, oldest first.
	Messages(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Message, error)
	// OpenMessages gives the messages that are not done, oldest first.
	OpenMessages(ctx context.Context) ([]vigil.Message, error)
	// NonceHolders gives the messages, done or not, that hold a sender's
	// nonces from the given one on, by nonce.
	NonceHolders(ctx context.Context, sender address.Address, from uint64) ([]vigil.Message, error)
	// NextNonce is one more than the highest nonce that was given for a sender, or 0.
	NextNonce(ctx context.Context, sender address.Address) (uint64, error)
	// LastGas is the gas of the latest confirmed message that called the
	// method with parameters of at least that size, or vigil.ErrNotFound.
	LastGas(ctx context.Context, method abi.MethodNum, paramsSize int) (vigil.Gas, error)
}
