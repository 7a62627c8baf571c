package faultproxy

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// spoil gives what a frame of the node becomes: none, one or several, or that
// the connection is to break in the middle of it.
func (l *line) spoil(data []byte) (frames [][]byte, cut bool) {
	var f frame
	if err := json.Unmarshal(data, &f); err != nil {
		return [][]byte{data}, false
	}
	if l.p.strikes(Mute) {
		return nil, false
	}
	if f.Method == "xrpc.ch.val" {
		return l.spoilHeads(f, data), false
	}
	if f.ID == nil {
		return [][]byte{data}, false
	}
	l.mu.Lock()
	method := l.methods[string(f.ID)]
	delete(l.methods, string(f.ID))
	l.mu.Unlock()
	if l.p.strikes(Delay) {
		l.wait(l.p.Slowness)
	}
	if lie, ok := l.lie(method, f); ok {
		data = lie
	}
	if l.p.happens(Cut) {
		return nil, true
	}
	return l.inOrder(l.damage(f, data)), false
}

func (l *line) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.ctx.Done():
	}
}

// damage spoils an answer without knowing what it is about.
func (l *line) damage(f frame, data []byte) [][]byte {
	with := func(result json.RawMessage) [][]byte {
		return [][]byte{encode(frame{Version: "2.0", ID: f.ID, Result: result})}
	}
	switch p := l.p; {
	case p.happens(Fail):
		return [][]byte{encode(frame{Version: "2.0", ID: f.ID, Error: json.RawMessage(`{"code":1,"message":"the node has a problem of its own"}`)})}
	case p.happens(Null):
		return with(json.RawMessage("null"))
	case p.happens(Truncate):
		return with(halved(f.Result))
	case p.happens(Corrupt):
		return [][]byte{l.corrupted(data)}
	case p.happens(Duplicate):
		return [][]byte{data, data}
	case p.happens(WrongID):
		return [][]byte{encode(frame{Version: "2.0", ID: json.RawMessage(`987654321`), Result: f.Result})}
	case p.happens(Huge):
		return with(json.RawMessage(`"` + strings.Repeat("9", 100<<20) + `"`))
	case p.happens(Deep):
		return with(json.RawMessage(strings.Repeat("[", 5000) + strings.Repeat("]", 5000)))
	}
	return [][]byte{data}
}

// inOrder keeps some answers back until after the next one.
func (l *line) inOrder(frames [][]byte) [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept == nil && len(frames) == 1 && l.p.happens(Reorder) {
		l.kept = frames[0]
		return nil
	}
	if l.kept != nil {
		frames, l.kept = append(frames, l.kept), nil
	}
	return frames
}

// halved is the first half of a list or of a text; of anything else nothing.
func halved(result json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	if err := json.Unmarshal(result, &list); err == nil {
		return encode(list[:len(list)/2])
	}
	var text string
	if err := json.Unmarshal(result, &text); err == nil {
		return encode(text[:len(text)/2])
	}
	return json.RawMessage("{}")
}

// corrupted changes characters of the result, so that most often it still is JSON.
func (l *line) corrupted(data []byte) []byte {
	out := bytes.Clone(data)
	from := bytes.Index(out, []byte(`"result":`))
	if from < 0 {
		return out
	}
	for range 3 {
		i := from + 9 + l.p.intN(len(out)-from-9)
		switch c := out[i]; {
		case '0' <= c && c <= '9':
			out[i] = '0' + byte(l.p.intN(10))
		case 'a' <= c && c <= 'z':
			out[i] = 'a' + byte(l.p.intN(26))
		}
	}
	return out
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic("unreachable: it was JSON before: " + err.Error())
	}
	return data
}
