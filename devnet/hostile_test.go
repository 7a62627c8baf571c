package devnet

import (
	"encoding/json"
	"testing"
)

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
		{"a form, as curl sends it unless told otherwise", `{"jsonrpc":"2.0","id":1,"method":"Filecoin.ChainHead","params":[]}`, "", "application/x-www-form-urlencoded", 400, -32600},
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
