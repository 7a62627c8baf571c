package faultproxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strings"
)

// keptHeads is how far back a lagging node can be.
const keptHeads = 128

// spoilHeads passes a value of the subscription on, or what is made of it.
func (l *line) spoilHeads(f frame, data []byte) [][]byte {
	var params []json.RawMessage
	var changes []struct {
		Type string
		Val  json.RawMessage
	}
	if json.Unmarshal(f.Params, &params) != nil || len(params) != 2 || json.Unmarshal(params[1], &changes) != nil {
		return [][]byte{data}
	}
	l.p.mu.Lock()
	for _, c := range changes {
		if n := len(l.p.heads); c.Type != "revert" && (n == 0 || !bytes.Equal(l.p.heads[n-1], c.Val)) {
			l.p.heads = append(l.p.heads, c.Val)
		}
	}
	l.p.heads = l.p.heads[max(0, len(l.p.heads)-keptHeads):]
	l.p.mu.Unlock()
	if l.p.strikes(Silent) {
		return nil
	}
	head, changed := l.p.otherHead()
	if !changed {
		return [][]byte{data}
	}
	f.Params = encode([]any{params[0], []any{map[string]any{"Type": "apply", "Val": head}}})
	return [][]byte{encode(f)}
}

// otherHead is the head that the node is to have instead of its own.
func (p *Proxy) otherHead() (json.RawMessage, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.heads) == 0 {
		return nil, false
	}
	switch {
	case p.on[Lag]:
		p.hits[Lag]++
		return p.heads[max(0, len(p.heads)-1-p.LagEpochs)], true
	case p.on[Future]:
		p.hits[Future]++
		return raised(p.heads[len(p.heads)-1], 1000), true
	}
	return nil, false
}

// raised is a tipset with greater heights.
func raised(tipset json.RawMessage, by int64) json.RawMessage {
	return changed(tipset, "Height", func(n int64) int64 { return n + by })
}

// changed is a value in which every number of that name, however deep, is another.
func changed(value json.RawMessage, name string, to func(int64) int64) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return value
	}
	return encode(change(v, name, to))
}

func change(v any, name string, to func(int64) int64) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = change(v[i], name, to)
		}
	case map[string]any:
		for key, inner := range v {
			if number, ok := inner.(json.Number); ok && key == name {
				if n, err := number.Int64(); err == nil {
					v[key] = to(n)
				}
				continue
			}
			v[key] = change(inner, name, to)
		}
	}
	return v
}

// lie gives another answer of the right shape, if one is to be given.
func (l *line) lie(method string, f frame) ([]byte, bool) {
	with := func(result json.RawMessage) ([]byte, bool) {
		return encode(frame{Version: "2.0", ID: f.ID, Result: result}), true
	}
	if f.Error != nil {
		return nil, false
	}
	switch {
	case method == "ChainHead":
		if head, changed := l.p.otherHead(); changed {
			return with(head)
		}
	case strings.HasPrefix(method, "StateGetRandomness") && l.p.strikes(WrongSeeds):
		seed := sha256.Sum256(f.Result)
		return with(encode(seed[:]))
	case method == "StateMinerPartitions" && l.p.strikes(WrongSets):
		return with(json.RawMessage("null"))
	case method == "StateGetActor" && l.p.strikes(WrongNonces):
		return with(changed(f.Result, "Nonce", func(n int64) int64 { return n + 7 }))
	case method == "ChainGetParentReceipts" && string(f.Result) != "null" && string(f.Result) != "[]" && l.p.strikes(FakeFailure):
		return with(changed(f.Result, "ExitCode", func(int64) int64 { return 16 }))
	case method == "StateNetworkName" && l.p.strikes(OtherName):
		return with(json.RawMessage(`"another-network"`))
	case method == "StateNetworkVersion" && l.p.strikes(NewVersion):
		return with(json.RawMessage("99"))
	}
	return nil, false
}

// pretend answers a question in the node's place.
func (l *line) pretend(data []byte) ([]byte, bool) {
	var f frame
	if json.Unmarshal(data, &f) != nil || f.Method != "Filecoin.MpoolPush" || !l.p.strikes(LostMessage) {
		return nil, false
	}
	return encode(frame{Version: "2.0", ID: f.ID, Error: json.RawMessage(`{"code":1,"message":"message with nonce already exists"}`)}), true
}
