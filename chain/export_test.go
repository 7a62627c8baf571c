package chain

import (
	"encoding/json"
	"errors"

	"github.com/filecoin-project/go-state-types/network"
	"github.com/ipfs/go-cid"
)

// Understand decodes an answer as the client does; it is false for a method
// that is not used.
func Understand(method string, result json.RawMessage) (used bool, err error) {
	decoders := map[string]func(json.RawMessage) error{
		"ChainHead": decodes[tipSet], "ChainGetTipSet": decodes[tipSet], "ChainGetTipSetByHeight": decodes[tipSet], "ChainGetGenesis": decodes[tipSet],
		"ChainGetMessage":        decodes[message],
		"ChainGetParentMessages": decodesEach[*listedMessage], "ChainGetMessagesInTipset": decodesEach[*listedMessage],
		"ChainGetParentReceipts": decodesEach[*receipt],
		"StateNetworkName":       decodes[string], "StateNetworkVersion": decodes[network.Version], "StateGetNetworkParams": decodes[networkParams],
		"StateMinerInfo": decodes[minerInfo], "StateMinerProvingDeadline": decodes[deadlineInfo],
		"StateMinerPartitions": decodesEach[*partitionInfo], "StateMinerDeadlines": decodes[[]*deadlineState],
		"StateReadState":    decodes[minerFunds],
		"StateMinerSectors": decodesEach[*sectorInfo], "StateMinerFaults": decodes[sectorSet], "StateMinerRecoveries": decodes[sectorSet],
		"StateAccountKey": decodes[account], "StateLookupID": decodes[account], "StateGetActor": decodes[actor],
		"StateMinerPower": decodes[minerPower], "StateMinerSectorCount": decodes[sectorCount],
		"StateSearchMsg":                decodes[lookup],
		"StateGetRandomnessFromBeacon":  decodesSeed,
		"StateGetRandomnessFromTickets": decodesSeed,
		"GasEstimateMessageGas":         decodes[message],
		"MpoolPush":                     decodes[cid.Cid],
	}
	decode, used := decoders[method]
	if !used {
		return false, nil
	}
	return true, decode(result)
}

func decodes[T any](raw json.RawMessage) error {
	_, err := decode[T](raw)
	return err
}

// decodesEach is for lists whose elements judge themselves; null is an empty one.
func decodesEach[T interface{ check() error }](raw json.RawMessage) error {
	if isNull(raw) {
		return nil
	}
	list, err := decode[[]T](raw)
	for _, one := range list {
		err = errors.Join(err, one.check())
	}
	return err
}

func decodesSeed(raw json.RawMessage) error {
	_, err := randomness("", raw)
	return err
}

// Classify is the error of a call that a node answered with an error.
func Classify(method string, code int, message string) error {
	return explain(method, &nodeError{Code: code, Message: message})
}

// Take hands a frame of the wire to a connection without a node behind it.
func Take(data []byte) error {
	l := &link{notes: make(chan json.RawMessage, 1), pending: map[uint64]chan frame{}}
	id, reply := l.expect()
	defer l.forget(id)
	err := l.take(data)
	select {
	case f := <-reply:
		_, failed := f.outcome()
		return errors.Join(err, failed)
	case value := <-l.notes:
		_, failed := (&session{}).changes(value)
		return errors.Join(err, failed)
	default:
	}
	return err
}
