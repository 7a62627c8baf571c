package devnet

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"
)

// lies are the untruths that this node knows, by method: what becomes of a
// result. Numbers are off by so many.
var lies = map[string]func(result any, by int64) any{
	"ChainHead":                     func(r any, by int64) any { return raised(r, by) },
	"ChainNotify":                   lieAboutChanges,
	"StateNetworkName":              func(any, int64) any { return "another-network" },
	"StateNetworkVersion":           addTo,
	"MpoolGetNonce":                 addTo,
	"StateGetActor":                 lieAboutNonce,
	"StateGetRandomnessFromBeacon":  lieAboutRandomness,
	"StateGetRandomnessFromTickets": lieAboutRandomness,
	"StateMinerPartitions":          lieAboutPartitions,
	"StateMinerSectors":             lieAboutSectors,
	"StateSearchMsg":                lieAboutReceipt,
}

func liars() []string { return slices.Sorted(maps.Keys(lies)) }

// raised is a tipset at another height than its own.
func raised(tipset any, by int64) any {
	ts, ok := tipset.(map[string]any)
	if !ok {
		return tipset
	}
	ts["Height"] = addTo(ts["Height"], by)
	blocks, _ := ts["Blocks"].([]any)
	for _, b := range blocks {
		if block, ok := b.(map[string]any); ok {
			block["Height"] = addTo(block["Height"], by)
		}
	}
	return ts
}

func lieAboutChanges(changes any, by int64) any {
	list, _ := changes.([]any)
	for _, c := range list {
		if change, ok := c.(map[string]any); ok {
			change["Val"] = raised(change["Val"], by)
		}
	}
	return changes
}

func addTo(number any, by int64) any {
	v, ok := number.(json.Number)
	if !ok {
		return number
	}
	i, err := v.Int64()
	if err != nil {
		return number
	}
	return i + by
}

func lieAboutNonce(actor any, by int64) any {
	if a, ok := actor.(map[string]any); ok {
		a["Nonce"] = addTo(a["Nonce"], by)
	}
	return actor
}

func lieAboutRandomness(any, int64) any {
	return base64.StdEncoding.EncodeToString(hash256([]byte("a lie")))
}

// lieAboutPartitions leaves the last partition out.
func lieAboutPartitions(partitions any, _ int64) any {
	list, ok := partitions.([]any)
	if !ok || len(list) == 0 {
		return partitions
	}
	return list[:len(list)-1]
}

// lieAboutSectors leaves the last sector out.
func lieAboutSectors(sectors any, by int64) any { return lieAboutPartitions(sectors, by) }

// lieAboutReceipt finds every message executed with success.
func lieAboutReceipt(found any, _ int64) any {
	if f, ok := found.(map[string]any); ok {
		f["Receipt"] = map[string]any{"ExitCode": 0, "Return": nil, "GasUsed": 20_000_000, "EventsRoot": nil}
	}
	return found
}

// lie puts an untruth in the place of an answer's result.
func (f *Fault) lie(method string, answer []byte) []byte {
	m, ok := looseJSON(answer).(map[string]any)
	if !ok || m["result"] == nil {
		return answer
	}
	m["result"] = lies[method](m["result"], int64(f.By))
	return strictJSON(m, answer)
}

// lieInChange puts an untruth into a change that ChainNotify sends: parameters
// are the subscription and the changes.
func (f *Fault) lieInChange(frame []byte) []byte {
	m, ok := looseJSON(frame).(map[string]any)
	if !ok {
		return frame
	}
	if params, ok := m["params"].([]any); ok && len(params) == 2 {
		params[1] = lies["ChainNotify"](params[1], int64(f.By))
	}
	return strictJSON(m, frame)
}

func looseJSON(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

func strictJSON(v any, otherwise []byte) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return otherwise
	}
	return text
}

// older makes a request for the head one for the tipset some epochs before it.
func (n *Network) older(request []byte, by abi.ChainEpoch) []byte {
	m, ok := looseJSON(request).(map[string]any)
	if !ok {
		return request
	}
	m["method"] = "Filecoin.ChainGetTipSetByHeight"
	m["params"] = []any{max(n.Epoch()-by, 0), nil}
	return strictJSON(m, request)
}
