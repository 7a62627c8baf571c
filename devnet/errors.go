package devnet

import (
	"errors"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-jsonrpc"
	"github.com/filecoin-project/go-state-types/abi"
)

// The codes of a node's errors beside 1, which is every other one.
const (
	codeOutOfGas      jsonrpc.ErrorCode = 2
	codeReverted      jsonrpc.ErrorCode = 3
	codeActorNotFound jsonrpc.ErrorCode = 11
)

// codedError is an error that a node gives a code of its own.
type codedError struct {
	code jsonrpc.ErrorCode
	text string
	data any
}

func (e *codedError) Error() string { return e.text }

// ToJSONRPCError gives the error its code on the wire.
func (e *codedError) ToJSONRPCError() (jsonrpc.JSONRPCError, error) {
	return jsonrpc.JSONRPCError{Code: e.code, Message: e.text, Data: e.data}, nil
}

// FromJSONRPCError is there because the library asks for the pair.
func (e *codedError) FromJSONRPCError(j jsonrpc.JSONRPCError) error {
	e.code, e.text, e.data = j.Code, j.Message, j.Data
	return nil
}

// reverted is a call that the VM refused, with the data of an Ethereum revert.
func reverted(f *fault) error {
	return &codedError{codeReverted, fmt.Sprintf("message execution failed (exit=[%s], vm error=[%s])", f.code, f.text), "0x"}
}

var (
	errOutOfGas  = &codedError{code: codeOutOfGas, text: "call ran out of gas"}
	errNoID      = &codedError{code: codeActorNotFound, text: "actor not found"}
	errNoActor   = errors.New("actor not found")
	errNoMessage = errors.New("no message")
	errEmptyKey  = errors.New("NewTipSet called with zero length array of blocks")
)

// resolve finds an actor, with the words of a node where there is none.
func resolve(st *state, addr address.Address) (abi.ActorID, actorEntry, error) {
	id, entry, ok := st.lookup(addr)
	switch {
	case ok:
		return id, entry, nil
	case addr == address.Undef:
		return 0, actorEntry{}, errors.New("GetActor called on undefined address")
	case addr.Protocol() == address.ID:
		return 0, actorEntry{}, errNoActor
	}
	return 0, actorEntry{}, fmt.Errorf("resolution lookup failed (%s): resolve address %s: %w", addr, addr, errNoActor)
}

// at finds the tipset of a key; none is the head.
func (a *api) at(key TipSetKey) (*tipset, error) { return a.n.chain.tipset(key) }

// loaded is at, in the words of most methods.
func (a *api) loaded(key TipSetKey) (*tipset, error) {
	ts, err := a.at(key)
	if err != nil {
		return nil, fmt.Errorf("loading tipset %s: %w", key, err)
	}
	return ts, nil
}

// exactly is for the few methods that do not take the head for no key.
func (a *api) exactly(key TipSetKey) (*tipset, error) {
	if len(key) == 0 {
		return nil, errEmptyKey
	}
	return a.at(key)
}

// words are how a method begins its errors when a miner cannot be read. Each is
// the format of the error underneath.
type words struct {
	tipset string // also of the key
	actor  string
	state  string
}

var (
	usualWords  = words{"loading tipset %[1]s: %[2]w", "failed to load miner actor: %w", "failed to load miner actor state: %w"}
	nestedWords = words{"failed to load miner actor: loading tipset %[1]s: %[2]w", usualWords.actor, usualWords.state}
	infoWords   = words{"failed to load tipset: %[2]w", usualWords.actor, usualWords.state}
	sectorWords = words{usualWords.tipset, "(get sset) failed to load miner actor: %w", "(get sset) failed to load miner actor state: %w"}
	plainWords  = words{usualWords.tipset, "%w", "%w"}
)
