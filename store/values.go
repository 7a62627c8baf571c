package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// addressText is an address as it is compared in the database: with f in front
// on every network, and empty for none.
func addressText(a address.Address) string {
	if a == address.Undef {
		return ""
	}
	return "f" + a.String()[1:]
}

func parseAddress(text string) (address.Address, error) {
	if text == "" {
		return address.Undef, nil
	}
	return address.NewFromString(text)
}

func amountText(a abi.TokenAmount) string {
	if a.Nil() {
		return "0"
	}
	return a.String()
}

func notNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

func decodeGas(limit int64, feeCap, premium string) (vigil.Gas, error) {
	c, errCap := big.FromString(feeCap)
	p, errPremium := big.FromString(premium)
	if err := errors.Join(errCap, errPremium); err != nil {
		return vigil.Gas{}, fmt.Errorf("gas: %w", err)
	}
	return vigil.Gas{Limit: limit, FeeCap: c, Premium: p}, nil
}

func decodeMessageRow(row rows.Message) (vigil.Message, error) {
	from, errFrom := parseAddress(row.Sender)
	to, errTo := parseAddress(row.Receiver)
	value, errValue := big.FromString(row.Value)
	var senders []address.Address
	errSenders := json.Unmarshal([]byte(row.Senders), &senders)
	var receipt *vigil.Receipt
	var errReceipt error
	if row.Receipt != "" {
		errReceipt = json.Unmarshal([]byte(row.Receipt), &receipt)
	}
	if err := errors.Join(errFrom, errTo, errValue, errSenders, errReceipt); err != nil {
		return vigil.Message{}, err
	}
	paid, errPaid := big.FromString(row.Paid)
	var wish vigil.Wish
	var errWish error
	if row.Wish != "" {
		errWish = json.Unmarshal([]byte(row.Wish), &wish)
	}
	if err := errors.Join(errPaid, errWish); err != nil {
		return vigil.Message{}, err
	}
	return vigil.Message{
		MessageRequest: vigil.MessageRequest{
			ID: row.ID, Supersedes: row.Supersedes,
			Duty: vigil.DutyID{
				Kind: vigil.DutyKind(row.Kind), Miner: abi.ActorID(row.Miner),
				Open: abi.ChainEpoch(row.Open), Batch: int(row.Batch),
			},
			Call:    vigil.Call{From: from, To: to, Method: abi.MethodNum(row.Method), Value: value, Params: row.Params},
			Senders: senders, Expires: abi.ChainEpoch(row.Expires),
		},
		State: vigil.MessageState(row.State), Nonce: uint64(row.Nonce), Receipt: receipt,
		Landed: int(row.Landed), Paid: paid, Wish: wish, Settled: row.Settled != 0,
		Problem: row.Problem, Created: timeOf(row.Created), Updated: timeOf(row.Updated),
	}, nil
}

// wishText is a wish as it is stored, and empty for none.
func wishText(w vigil.Wish) (string, error) {
	if w.Verb == "" {
		return "", nil
	}
	text, err := json.Marshal(w)
	if err != nil {
		return "", fmt.Errorf("encode the wish: %w", err)
	}
	return string(text), nil
}

func flag(set bool) int64 {
	if set {
		return 1
	}
	return 0
}

func encodeAttempt(message string, a vigil.Attempt) (rows.PutAttemptParams, error) {
	signature, err := a.Signed.Signature.MarshalBinary()
	if err != nil {
		return rows.PutAttemptParams{}, fmt.Errorf("attempt %d: encode signature: %w", a.Number, err)
	}
	pushes := ""
	if len(a.Pushes) > 0 {
		text, err := json.Marshal(a.Pushes)
		if err != nil {
			return rows.PutAttemptParams{}, fmt.Errorf("attempt %d: encode the nodes' answers: %w", a.Number, err)
		}
		pushes = string(text)
	}
	return rows.PutAttemptParams{
		Message: message, Number: int64(a.Number), Cid: a.CID.String(),
		Sender: addressText(a.Signed.From), Nonce: int64(a.Signed.Nonce), GasLimit: a.Signed.Gas.Limit,
		FeeCap: amountText(a.Signed.Gas.FeeCap), Premium: amountText(a.Signed.Gas.Premium),
		Signature: signature, Encoded: notNil(a.Encoded), Epoch: int64(a.Epoch), Published: flag(a.Published),
		Problem: a.Problem, Created: a.Created.UnixNano(), Cancel: flag(a.Cancel), Pushes: pushes, Pushed: nanoseconds(a.Pushed),
	}, nil
}

// decodeAttempt puts an attempt together from its row and its message's call.
func decodeAttempt(call vigil.Call, row rows.Attempt) (vigil.Attempt, error) {
	from, errFrom := parseAddress(row.Sender)
	c, errCID := cid.Decode(row.Cid)
	gas, errGas := decodeGas(row.GasLimit, row.FeeCap, row.Premium)
	var signature crypto.Signature
	errSignature := signature.UnmarshalBinary(row.Signature)
	var pushes []vigil.PushResult
	var errPushes error
	if row.Pushes != "" {
		errPushes = json.Unmarshal([]byte(row.Pushes), &pushes)
	}
	if err := errors.Join(errFrom, errCID, errGas, errSignature, errPushes); err != nil {
		return vigil.Attempt{}, err
	}
	call.From = from
	if row.Cancel != 0 {
		call = vigil.Call{From: from, To: from, Value: big.Zero()}
	}
	return vigil.Attempt{
		Number: int(row.Number), CID: c,
		Signed:  vigil.SignedMessage{Call: call, Nonce: uint64(row.Nonce), Gas: gas, Signature: signature},
		Encoded: row.Encoded, Epoch: abi.ChainEpoch(row.Epoch), Published: row.Published != 0,
		Problem: row.Problem, Created: timeOf(row.Created),
		Cancel: row.Cancel != 0, Pushes: pushes, Pushed: whenever(row.Pushed),
	}, nil
}

// nanoseconds and whenever keep a time that may not have been.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func whenever(nanoseconds int64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return timeOf(nanoseconds)
}
