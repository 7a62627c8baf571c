package chain_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/chain"
)

// spoils are what a value of an answer is replaced by.
var spoils = []any{
	nil, true, "", "x", "-1", json.Number("-1"), json.Number("1e400"), json.Number("1.5"), json.Number("9223372036854775808"), json.Number("18446744073709551615"),
	[]any{}, []any{nil}, map[string]any{}, []any{json.Number("0"), json.Number("18446744073709551615")}, "f3" + strings.Repeat("a", 200),
}

// mutations gives an answer with each of its values spoilt in each way, with each
// member left out, and with one more; of lists the first two members are enough.
func mutations(v any, give func(any)) {
	for _, s := range spoils {
		give(s)
	}
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			with := func(m any) {
				v[name] = m
				give(v)
			}
			mutations(member, with)
			delete(v, name)
			give(v)
			v[name] = member
		}
		v["Unheard"] = []any{"of"}
		give(v)
		delete(v, "Unheard")
	case []any:
		for i, member := range v[:min(len(v), 2)] {
			mutations(member, func(m any) {
				v[i] = m
				give(v)
			})
			v[i] = member
			give(append([]any{member}, v...))
			give(append(append([]any{}, v[:i]...), v[i+1:]...))
		}
	}
}

// What a real node answered is spoilt in every single place: whatever comes of it,
// it is an answer or an error, and no panic.
func TestNoSpoiltAnswerIsMoreThanAnError(t *testing.T) {
	recorded := map[string]json.RawMessage{}
	for _, file := range []string{"calls.json", "messages.json", "posts.json"} {
		for _, r := range recordings(t, file) {
			method := strings.TrimPrefix(r.Method, "Filecoin.")
			answer, err := said(r.Response)
			if raw, ok := answer.(json.RawMessage); ok && err == nil && len(raw) > len(recorded[method]) && len(raw) < 4000 {
				recorded[method] = raw
			}
		}
	}
	n := soundNode()
	c := dialNode(t, n)
	if _, err := c.Network(t.Context()); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, call := range calls(t) {
		raw, ok := recorded[call.method]
		if !ok {
			continue
		}
		tried += spoil(t, n, c, call, raw)
	}
	if tried < 2000 {
		t.Errorf("%d answers were spoilt", tried)
	}
}

func spoil(t *testing.T, n *fakeNode, c *chain.Client, call someCall, raw json.RawMessage) (tried int) {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var answer any
	if err := d.Decode(&answer); err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	was := n.methods[call.method]
	n.mu.Unlock()
	defer func() { n.handle(call.method, was) }()
	mutations(answer, func(m any) {
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		tried++
		n.answer(call.method, string(text))
		_, _ = call.do(t.Context(), c) // it may have become another sound answer
	})
	return tried
}
