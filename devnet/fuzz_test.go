package devnet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"
)

// rounds is how often each method is called with noise; with VIGIL_LONG=1 far oftener.
var rounds = map[bool]int{false: 40, true: 400}[os.Getenv("VIGIL_LONG") == "1"]

// answerOf sends a body to the API without a network in between.
func answerOf(h http.Handler, ctx context.Context, token string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/rpc/v1", bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// errorStatuses are the error codes that a client may see, with the HTTP status that goes with them.
var errorStatuses = map[int]int{1: 200, 2: 200, 3: 200, 11: 200, -32700: 500, -32602: 500, -32601: 500, -32600: 400}

// judgeAnswer says what is wrong with an answer to one request.
func judgeAnswer(w *httptest.ResponseRecorder) error {
	var r response
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		return fmt.Errorf("HTTP status %d, not JSON: %w: %.200s", w.Code, err, w.Body)
	}
	switch {
	case bytes.Contains(r.Result, []byte(`"\u003cnil\u003e"`)):
		return fmt.Errorf("an amount that no client can read: %.300s", w.Body)
	case r.Error == nil && w.Code == 200:
		return nil
	case r.Error == nil:
		return fmt.Errorf("an answer with HTTP status %d: %.200s", w.Code, w.Body)
	case strings.Contains(r.Error.Message, "fatal error calling") || strings.Contains(r.Error.Message, "panic"):
		return fmt.Errorf("it panicked: %s", r.Error.Message)
	case errorStatuses[r.Error.Code] != w.Code:
		return fmt.Errorf("code %d with HTTP status %d: %.200s", r.Error.Code, w.Code, r.Error.Message)
	}
	return nil
}

// noise makes parameters: of the right type mostly, with values that are on
// the edge or beside it, and sometimes of no type at all.
type noise struct {
	*rand.Rand
	miner, worker, stranger string
	cids                    []string
}

func (n *noise) pick(from ...any) any { return from[n.IntN(len(from))] }

func (n *noise) text(from ...string) string { return from[n.IntN(len(from))] }

// nonsense is any JSON.
func (n *noise) nonsense(depth int) any {
	switch n.IntN(10 - depth) {
	case 8, 9:
		list := make([]any, n.IntN(4))
		for i := range list {
			list[i] = n.nonsense(depth + 1)
		}
		return list
	case 7:
		return map[string]any{n.text("/", "To", "Message", "key", "height", ""): n.nonsense(depth + 1)}
	case 6:
		return n.value(reflect.TypeFor[TipSetKey](), 0)
	case 5:
		return n.value(reflect.TypeFor[*Message](), 0)
	}
	return n.pick(nil, true, "", "t01000", "<empty>", "AA==", "-1", 0, -1, 1, math.MaxInt64, math.MinInt64, 1.5, 1e300, json.RawMessage("18446744073709551616"))
}

func (n *noise) address() string {
	return n.text(n.miner, n.miner, n.worker, n.worker, n.stranger, "t0100", "t09999", "t018446744073709551615", "t2plku564ddywnmb5b2ky7dhk4mb6uacsxuuev3pi", "<empty>")
}

// value makes JSON for a type, by its own rules where it has some.
func (n *noise) value(t reflect.Type, depth int) any {
	if n.IntN(25) == 0 || depth > 4 {
		return n.nonsense(1)
	}
	switch t {
	case reflect.TypeFor[address.Address]():
		return n.address()
	case reflect.TypeFor[cid.Cid]():
		return map[string]string{"/": n.text(n.cids...)}
	case reflect.TypeFor[big.Int]():
		return n.text("0", "1", "-1", "1000000", "100000000000000000000000000000000")
	case reflect.TypeFor[bitfield.BitField]():
		return n.pick([]any{0}, []any{0, 2}, []any{1, 1, 1}, []any{0, math.MaxInt64}, []any{})
	case reflect.TypeFor[json.RawMessage]():
		return n.nonsense(0)
	case reflect.TypeFor[[]byte]():
		return n.pick(nil, "", "AA==", "gA==", "hQqBggBAgA==", "QwDoBw==")
	}
	switch t.Kind() {
	case reflect.Pointer:
		if n.IntN(6) == 0 {
			return nil
		}
		return n.value(t.Elem(), depth)
	case reflect.Slice:
		list := make([]any, n.IntN(3))
		for i := range list {
			list[i] = n.value(t.Elem(), depth+1)
		}
		return list
	case reflect.Struct:
		fields := map[string]any{}
		for i := range t.NumField() {
			if n.IntN(5) > 0 {
				fields[t.Field(i).Name] = n.value(t.Field(i).Type, depth+1)
			}
		}
		return fields
	case reflect.String:
		return n.text("", "read", "bls", "secp256k1", "latest", "safe", "finalized", n.miner, "x")
	case reflect.Bool:
		return n.IntN(2) == 0
	case reflect.Float32, reflect.Float64:
		return n.pick(0, 1, -1, 0.5, 1e300)
	case reflect.Uint, reflect.Uint64, reflect.Uint8, reflect.Uint32:
		return n.pick(0, 1, 2, 5, 10, 24, 47, 48, 900, math.MaxInt64, json.RawMessage("18446744073709551615"))
	default:
		return n.pick(0, 1, 2, 30, 69, 70, 900, -1, math.MaxInt64, math.MinInt64)
	}
}

// TestNoParametersMakeAMethodPanic calls every method of every version with
// noise. Whatever comes, it answers in the right class.
func TestNoParametersMakeAMethodPanic(t *testing.T) {
	w := opened(t, Config{Miners: 2})
	c := w.send(w.key("worker"), w.Miners()[0], 5, w.postParams(w.Miners()[0], firstDeadline, goodProof, bitfield.New(), 0))
	w.pass(3)
	head := get[TipSet](w, "ChainHead")
	seed := rand.Uint64()
	n := &noise{
		Rand: rand.New(rand.NewPCG(seed, 0)), miner: w.miner(), worker: w.key("worker").Address.String(),
		stranger: "t1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za",
		cids: []string{
			c.String(), c.String(), head.Cids[0].String(), head.Cids[0].String(), head.Blocks[0].Parents[0].String(), unknownObject,
			head.Blocks[0].ParentStateRoot.String(), minerCode.String(), "nonsense",
		},
	}
	a := newAPI(w.Network)
	calls := 0
	for path, served := range map[string]any{"v0": &apiV0{a}, "v1": a, "v2": &apiV2{a}} {
		h := a.rpc(served)
		for _, m := range methods(served) {
			ctx, cancel := context.WithCancel(t.Context())
			if m.Name == "StateGetBeaconEntry" || strings.HasPrefix(m.Name, "StateWaitMsg") || m.Name == "BeaconGetEntry" {
				cancel() // these wait for the chain, which stands still
			}
			for range rounds {
				params := []any{}
				for _, p := range parameters(m) {
					params = append(params, n.value(p, 0))
				}
				body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "Filecoin." + m.Name, "params": params})
				if err != nil {
					t.Fatal(err)
				}
				calls++
				if err := judgeAnswer(answerOf(h, ctx, w.Token(), body)); err != nil {
					t.Errorf("seed %d, %s: %s: %v", seed, path, body, err)
				}
			}
			cancel()
		}
	}
	w.pass(2) // the chain still goes on
	t.Logf("%d calls", calls)
}

// FuzzRequest feeds the API bytes.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		"", "null", "[]", "{}", "[{}]", "[[]]", `{"id":{}}`, `{"jsonrpc":"2.0","id":1,"method":"Filecoin.ChainHead","params":[]}`,
		`{"id":"x","method":"Filecoin.StateMinerInfo","params":["t01000",null]}`, `[{"id":1,"method":"Filecoin.Version"},{"method":"Filecoin.Version"}]`,
		`{"id":1,"method":"Filecoin.StateCall","params":[{"To":"t01000","From":"t0101","Method":5,"Params":"gA=="},null]}`,
		`{"id":1,"method":"Filecoin.ChainHead","params":[],"meta":{"SpanContext":"!!!"}}`, `{"id":1,"method":"Filecoin.ChainHead","meta":{"SpanContext":"AAAA"}}`,
		`{"id":1,"method":"Filecoin.ChainHead","params":[],"meta":{"SpanContext":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}`,
		`{"id":1,"method":"Filecoin.ChainHead","params":[],"meta":[]}`,
		strings.Repeat("[", 20_000), `{"id":1,"method":"Filecoin.ChainHead","params":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`,
	} {
		f.Add([]byte(seed))
	}
	n, err := Open(f.Context(), Config{Dir: f.TempDir(), Manual: true, Sectors: 4, Verify: byWord, Sector: sectorOfWords, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = n.Close() })
	a := newAPI(n)
	h := a.rpc(a)
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	f.Fuzz(func(t *testing.T, body []byte) {
		w := answerOf(h, ctx, n.Token(), body)
		text := bytes.TrimSpace(w.Body.Bytes())
		if len(text) == 0 || text[0] == '[' {
			if len(text) > 0 && !json.Valid(text) {
				t.Errorf("%q: not JSON: %q", body, text)
			}
			return // of notifications nothing comes back, of a batch a list
		}
		if err := judgeAnswer(w); err != nil {
			t.Errorf("%q: %v", body, err)
		}
	})
}
