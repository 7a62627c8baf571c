package vigil

import (
	"errors"

	"github.com/filecoin-project/go-state-types/abi"
)

// What a node's message pool may have against a message. An error of
// MessageNode.PushMessage wraps one of them where the messager would do
// something different for it; the node's own words are in the error too.
var (
	// ErrNonceTooLow: the chain has executed a message with this nonce, this one or another. Look on chain.
	ErrNonceTooLow = errors.New("the nonce is used")
	// ErrNonceGap: the pool wants the messages of the lower nonces first.
	ErrNonceGap = errors.New("messages of lower nonces are missing")
	// ErrPremiumTooLow: the pool holds another message of this nonce, and
	// replaces it only for a premium of a tenth more.
	ErrPremiumTooLow = errors.New("the premium is too low to replace the message of the same nonce")
	// ErrFeeTooLow: the fee cap is below what the pool takes now.
	ErrFeeTooLow = errors.New("the fee cap is too low")
	// ErrNotEnoughFunds: the sender's balance does not cover the message's
	// highest cost, alone or with its other messages in the pool.
	ErrNotEnoughFunds = errors.New("the sender has not enough funds")
	// ErrPoolFull: the pool takes no more messages of this sender for now.
	ErrPoolFull = errors.New("too many messages of the sender are in the pool")
	// ErrMessageInvalid: no pool would ever take the message as it is: its
	// signature, size, gas limit or fields are wrong.
	ErrMessageInvalid = errors.New("the message is not valid")
)

// PremiumError is ErrPremiumTooLow with the premium that the pool asked for.
type PremiumError struct{ Needed abi.TokenAmount }

func (e *PremiumError) Error() string {
	return ErrPremiumTooLow.Error() + ": it asks for " + e.Needed.String() + " attoFIL"
}

// Is makes it an ErrPremiumTooLow.
func (e *PremiumError) Is(target error) bool { return target == ErrPremiumTooLow }
