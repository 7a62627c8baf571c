package devnet

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
)

// compare says where two JSON values differ in shape: in the kinds of values
// and the names of fields. An array is judged by its first element, null and an
// empty array by nothing.
func compare(path string, ours, theirs any, report func(string)) {
	if ours == nil || theirs == nil {
		return
	}
	switch want := theirs.(type) {
	case map[string]any:
		got, ok := ours.(map[string]any)
		if !ok {
			report(fmt.Sprintf("%s: %T, a node has an object", path, ours))
			return
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if _, ok := got[name]; !ok {
				report(fmt.Sprintf("%s.%s is missing", path, name))
				continue
			}
			compare(path+"."+name, got[name], want[name], report)
		}
		for name := range got {
			if _, ok := want[name]; !ok && name != "BlockDelayMillis" {
				report(fmt.Sprintf("%s.%s is not a node's", path, name))
			}
		}
	case []any:
		got, ok := ours.([]any)
		if !ok {
			report(fmt.Sprintf("%s: %T, a node has an array", path, ours))
		} else if len(got) > 0 && len(want) > 0 {
			compare(path+"[0]", got[0], want[0], report)
		}
	default:
		if fmt.Sprintf("%T", ours) != fmt.Sprintf("%T", theirs) {
			report(fmt.Sprintf("%s: %T, a node has %T", path, ours, theirs))
		}
	}
}

// elsewhere are methods that a node serves and this network does not, with the reason.
var elsewhere = map[string]string{
	"ID":                   "there is no libp2p host",
	"WalletSign":           "the keys belong to the daemon",
	"WalletDefaultAddress": "the keys belong to the daemon",
	"StateReplay":          "no trace is kept",
}

var cidText = regexp.MustCompile(`bafy2bza[a-z0-9]+`)

// translated replaces what is particular to the recorded network.
func translated(t *testing.T, w *world, params []json.RawMessage) []any {
	head := get[TipSet](w, "ChainHead")
	worker := w.key("worker").Address.String()
	unknown := cid.MustParse("bafy2bzaceaqjgkqkbp2e6e3zzs26wwcqp5nbxzj7drhijrnvpswz6ug6d7zrs")
	var out []any
	for _, p := range params {
		text := cidText.ReplaceAllStringFunc(string(p), func(c string) string {
			if c == unknown.String() {
				return c
			}
			return head.Cids[0].String()
		})
		text = regexp.MustCompile(`t3[a-z2-7]{84}`).ReplaceAllString(text, worker)
		out = append(out, json.RawMessage(text))
	}
	return out
}

func TestAnswersHaveTheShapeOfARealNodes(t *testing.T) {
	calls := recorded(t, "calls.json")
	w := start(t, Config{Miners: 2, Sectors: 60})
	w.pass(859) // the epoch of the recording
	n := 0
	for i, c := range calls {
		method := strings.TrimPrefix(c.Method, "Filecoin.")
		if elsewhere[method] != "" || i >= 105 { // from 105 on they are of other API versions
			continue
		}
		token := w.Token()
		if c.Note == "no token" {
			token = ""
		}
		status, got := w.ask("/rpc/v1", token, method, translated(t, w, c.Params)...)
		n++
		name := fmt.Sprintf("call %d, %s %s", i, method, c.Note)
		if status != c.Status {
			t.Errorf("%s: status %d, a node answers %d", name, status, c.Status)
		}
		if (got.Error == nil) != (c.Response.Error == nil) {
			t.Errorf("%s: error %+v, a node's is %+v", name, got.Error, c.Response.Error)
			continue
		}
		if got.Error != nil {
			// The actor's words for what is not CBOR are its decoder's.
			if got.Error.Code != c.Response.Error.Code || !strings.Contains(c.Response.Error.Message, "Cbor protocol") && cidText.ReplaceAllString(got.Error.Message, "") != cidText.ReplaceAllString(c.Response.Error.Message, "") {
				t.Errorf("%s:\n ours %d %s\ntheirs %d %s", name, got.Error.Code, got.Error.Message, c.Response.Error.Code, c.Response.Error.Message)
			}
			continue
		}
		compare(method, decode[any](t, got.Result), decode[any](t, c.Response.Result), func(what string) {
			if !strings.HasPrefix(what, "StateCall.ExecutionTrace.") {
				t.Errorf("%s: %s", name, what)
			}
		})
	}
	if n < 90 {
		t.Errorf("only %d calls compared", n)
	}
}

func TestNonsenseIsRefusedAndNothingPanics(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	for _, c := range []struct {
		is     string
		body   string
		token  string
		kind   string
		status int
		code   int
	}{
		{"not JSON", `{"jsonrpc":`, w.Token(), "application/json", 500, -32700},
		{"empty", ``, w.Token(), "application/json", 400, -32600},
		{"an empty batch", `[]`, w.Token(), "application/json", 400, -32600},
		{"parameters that are an object", `{"jsonrpc":"2.0","id":1,"method":"Filecoin.ChainHead","params":{}}`, w.Token(), "application/json", 500, -32700},
		{"an unknown method", `{"jsonrpc":"2.0","id":1,"method":"Filecoin.Nothing","params":[]}`, w.Token(), "application/json", 500, -32601},
		{"an internal method", `{"jsonrpc":"2.0","id":1,"method":"Filecoin.push","params":[]}`, w.Token(), "application/json", 500, -32601},
		{"too few parameters", `{"jsonrpc":"2.0","id":1,"method":"Filecoin.StateCall","params":[]}`, w.Token(), "application/json", 500, -32602},
		{"a form of another site", `{"jsonrpc":"2.0","id":1,"method":"Filecoin.ChainHead","params":[]}`, "", "text/plain", 400, -32600},
		{"ChainNotify without a WebSocket", `{"jsonrpc":"2.0","id":1,"method":"Filecoin.ChainNotify","params":[]}`, w.Token(), "application/json", 500, -32601},
	} {
		status, r := w.post("/rpc/v1", c.token, c.kind, []byte(c.body))
		if status != c.status || r.Error == nil || r.Error.Code != c.code {
			t.Errorf("%s: %d %+v, want %d and %d", c.is, status, r.Error, c.status, c.code)
		}
	}
	if status, _ := w.post("/rpc/v1", "wrong", "application/json", []byte(`{}`)); status != 401 {
		t.Errorf("a bad token: status %d, want 401", status)
	}
	for _, method := range []string{"StateCall", "GasEstimateGasLimit"} {
		for _, m := range []string{`null`, `{}`, `{"From":"t0100"}`, `{"To":"t01000","From":"t0100","Method":5}`} {
			params := []any{json.RawMessage(m), nil}
			if status, r := w.ask("/rpc/v1", w.Token(), method, params...); status != 200 {
				t.Errorf("%s of %s: status %d, %+v", method, m, status, r.Error)
			}
		}
	}
	for _, c := range []struct {
		method string
		params []any
	}{
		{"MpoolPush", []any{nil}},
		{"MpoolBatchPush", []any{[]any{nil}}},
		{"GasEstimateMessageGas", []any{nil, nil, nil}},
		{"GasEstimateMessageGas", []any{map[string]any{"GasLimit": 5}, nil, nil}},
		{"StateMinerSectors", []any{"t01000", nil, nil}},
		{"StateMinerPartitions", []any{"t01000", 1 << 62, nil}},
		{"ChainGetTipSetByHeight", []any{-1, nil}},
		{"StateGetRandomnessFromTickets", []any{9, -5, nil, nil}},
		{"StateGetRandomnessFromBeacon", []any{4, -5, nil, nil}},
		{"ChainGetParentMessages", []any{nil}},
	} {
		if status, r := w.ask("/rpc/v1", w.Token(), c.method, c.params...); status != 200 && (r.Error == nil || r.Error.Code == 0) {
			t.Errorf("%s%v: status %d, %+v", c.method, c.params, status, r.Error)
		}
	}
}
