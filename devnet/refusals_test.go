package devnet

import (
	"reflect"
	"strings"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/crypto"
)

// TestEachMethodRefusesInItsOwnWords has refusals that are not in the recordings:
// a Lotus node 1.36.2 was asked the same and said what is expected here, but for
// the last three, whose words are from its source (node/impl/full).
func TestEachMethodRefusesInItsOwnWords(t *testing.T) {
	w := start(t, Config{Sectors: 4})
	w.pass(3)
	stranger, err := NewKey(crypto.SigTypeSecp256k1)
	if err != nil {
		t.Fatal(err)
	}
	who, m, worker := stranger.Address.String(), w.miner(), w.key("worker").Address.String()
	nowhere := []any{map[string]string{"/": unknownObject}}
	lost := "get block OBJECT: ipld: could not find OBJECT"
	loading := "loading tipset {OBJECT}: " + lost
	for _, c := range []struct {
		method string
		params []any
		code   int
		says   string
	}{
		{"ChainGetTipSet", []any{nil}, 1, "NewTipSet called with zero length array of blocks"},
		{"ChainGetTipSet", []any{[]any{}}, 1, "NewTipSet called with zero length array of blocks"},
		{"ChainGetPath", []any{nil, nil}, 1, "loading from tipset {}: NewTipSet called with zero length array of blocks"},
		{"ChainGetTipSetByHeight", []any{1, nowhere}, 1, loading},
		{"ChainGetTipSetByHeight", []any{-1, nil}, 1, "height -1 is negative"},
		{"MpoolGetNonce", []any{who}, 1, "resolution lookup failed (" + who + "): resolve address " + who + ": actor not found"},
		{"MpoolGetNonce", []any{"t09999"}, 1, "actor not found"},
		{"ChainGetTipSetAfterHeight", []any{9, nil}, 1, "looking for tipset with height greater than start point, req: 9, head: 3"},
		{"ChainGetMessagesInTipset", []any{nowhere}, 1, lost},
		{"ChainGetMessage", []any{nowhere[0]}, 1, "ipld: could not find OBJECT"},
		{"ChainReadObj", []any{nowhere[0]}, 1, "blockstore get: ipld: could not find OBJECT"},
		{"StateGetActor", []any{who, nil}, 1, "resolution lookup failed (" + who + "): resolve address " + who + ": actor not found"},
		{"StateGetActor", []any{"t09999", nil}, 1, "actor not found"},
		{"StateGetActor", []any{"<empty>", nil}, 1, "GetActor called on undefined address"},
		{"StateGetActor", []any{m, nowhere}, 1, loading},
		{"StateReadState", []any{"t09999", nil}, 1, "getting actor: actor not found"},
		{"StateLookupID", []any{who, nil}, 11, "actor not found"},
		{"StateAccountKey", []any{"t09999", nil}, 1, "failed to find actor: t09999"},
		{"StateAccountKey", []any{m, nil}, 1, "failed to get account actor state for t01000: actor code is not account: storageminer"},
		{"StateMinerInfo", []any{m, nowhere}, 1, "failed to load tipset: " + lost},
		{"StateMinerProvingDeadline", []any{m, nowhere}, 1, loading},
		{"StateMinerDeadlines", []any{m, nowhere}, 1, "failed to load miner actor: " + loading},
		{"StateMinerSectors", []any{worker, nil, nil}, 1, "failed to load miner actor state: actor code is not miner: account"},
		{"StateMinerSectors", []any{m, []int{1, 99}, nil}, 1, "failed to load sectors: can't find sector 4"},
		{"StateMinerPartitions", []any{who, 0, nil}, 1, "failed to load miner actor: resolution lookup failed (" + who + "): resolve address " + who + ": actor not found"},
		{"StateMinerSectorCount", []any{"t09999", nil}, 1, "actor not found"},
		{"StateSectorPartition", []any{worker, 0, nil}, 1, "actor code is not miner: account"},
		{"StateSectorPartition", []any{m, 99, nil}, 1, "sector 99 not due at any deadline"},
		{"StateSectorGetInfo", []any{"t09999", 0, nil}, 1, "(get sset) failed to load miner actor: actor not found"},
		{"StateGetRandomnessFromTickets", []any{9, 1, nil, nil}, 1, "loading tipset key: NewTipSet called with zero length array of blocks"},
		{"StateGetRandomnessFromBeacon", []any{4, 99, nil, nil}, 1, "getting beacon randomness: cannot draw randomness from the future"},
		{"StateGetRandomnessDigestFromTickets", []any{99, nil}, 1, "failed to get randomness digest from tickets: cannot draw randomness from the future"},
		{"StateListMessages", []any{map[string]any{}, nil, 0}, 1, "must specify at least To or From in message filter"},
		{"StateReplay", []any{nowhere, nowhere[0]}, 1, "loading specified tipset {OBJECT}: " + lost},
		{"StateReplay", []any{nil, nowhere[0]}, 1, "searching for msg OBJECT: %!w(*errors.errorString=&{failed to load message}): ipld: could not find OBJECT"},
		{"StateWaitMsg", []any{nowhere[0], 901, 900, true}, 1, "message confidence exceeds maximum: 901 > 900: message confidence exceeds maximum"},
		{"StateDecodeParams", []any{m, 999, "", nil}, 1, "getting params type: unknown method 999 for actor " + minerCode.String() + ": actor metadata not found"},
		{"GasEstimateMessageGas", []any{map[string]any{"From": worker}, nil, nil}, 1, "message To address is undefined"},
		{"GasEstimateMessageGas", []any{map[string]any{"To": worker}, nil, nil}, 1, "message From address is undefined"},
		{"GasEstimateGasLimit", []any{map[string]any{"To": worker, "From": who}, nil}, 1, "gas estimation failed: CallWithGas failed: sender " + who + " not found on chain: sender validation failed"},
		{"GasEstimateFeeCap", []any{map[string]any{"To": worker, "From": who}, 1, nowhere}, 1, "getting tipset from key: " + lost},
		{"StateCall", []any{map[string]any{"To": worker, "From": who}, nil}, 1, "sender " + who + " not found on chain: sender validation failed"},
		{"WalletSign", []any{who, ""}, 1, "signing using key '" + who + "': key info not found"},
		{"MpoolPushMessage", []any{map[string]any{"To": worker, "From": worker, "Nonce": 5}, nil}, 1, "MpoolPushMessage expects message nonce to be 0, was 5"},
		{"MpoolPushMessage", []any{map[string]any{"To": m, "From": worker, "Method": 5, "Params": "gA=="}, nil}, 1, "GasEstimateMessageGas error: message execution failed (exit=[ErrSerialization(21)]"},
	} {
		_, r := w.ask("/rpc/v1", w.Token(), c.method, c.params...)
		says := strings.ReplaceAll(c.says, "OBJECT", unknownObject)
		if r.Error == nil || r.Error.Code != c.code || !strings.HasPrefix(r.Error.Message, says) {
			t.Errorf("%s:\n got %+v\nwant %d %s", c.method, r.Error, c.code, says)
		}
	}
}

// permitted is what a node lets whom do (the perm tags of Lotus' api package).
var permitted = map[string][]string{
	"read": {
		"ChainHead", "ChainGetTipSet", "StateMinerInfo", "StateCall", "StateWaitMsg", "MpoolPending", "MpoolGetNonce",
		"GasEstimateMessageGas", "WalletBalance", "WalletVerify", "WalletValidateAddress", "AuthVerify", "Version", "Session",
	},
	"write": {
		"MpoolPush", "MpoolPushUntrusted", "MpoolBatchPush", "MpoolBatchPushUntrusted", "MpoolClear",
		"WalletHas", "WalletList", "WalletNew", "WalletDefaultAddress",
	},
	"sign":  {"WalletSign", "WalletSignMessage", "MpoolPushMessage", "MpoolBatchPushMessage"},
	"admin": {"WalletExport", "WalletImport", "AuthNew"},
}

func TestATokenPermitsWhatItSays(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	issue := func(perms ...string) string { return string(get[[]byte](w, "AuthNew", perms)) }
	tokens := map[string]string{
		"read": issue("read"), "write": issue("read", "write"), "sign": issue("read", "write", "sign"), "admin": w.Token(),
	}
	order := []string{"read", "write", "sign", "admin"}
	for i, holder := range order {
		if got := get[[]string](w, "AuthVerify", tokens[holder]); strings.Join(got, " ") != strings.Join(order[:i+1], " ") {
			t.Errorf("a token to %s permits %v", holder, got)
		}
		for j, needed := range order {
			for _, method := range permitted[needed] {
				_, r := w.ask("/rpc/v1", tokens[holder], method, emptyParams(t, method)...)
				want := "missing permission to invoke '" + method + "' (need '" + needed + "')"
				if refused := r.Error != nil && r.Error.Message == want; refused != (j > i) {
					t.Errorf("%s with a token to %s: %+v", method, holder, r.Error)
				}
			}
		}
	}
	for _, forged := range []string{"", "a.b.c", tokens["read"] + "x", tokens["read"][:len(tokens["read"])-3], strings.Replace(tokens["read"], ".", ".A", 1)} {
		if _, r := w.ask("/rpc/v1", w.Token(), "AuthVerify", forged); r.Error == nil {
			t.Errorf("token %q was taken: %s", forged, r.Result)
		}
		if forged != "" {
			if status, _ := w.ask("/rpc/v1", forged, "ChainHead"); status != 401 {
				t.Errorf("token %q: HTTP status %d", forged, status)
			}
		}
	}
}

// emptyParams are as many nulls as a method takes.
func emptyParams(t *testing.T, name string) []any {
	t.Helper()
	m, ok := reflect.TypeFor[*api]().MethodByName(name)
	if !ok {
		t.Fatalf("no method %s", name)
	}
	params := make([]any, len(parameters(m)))
	for i := range params {
		params[i] = nil
		if parameters(m)[i] == reflect.TypeFor[address.Address]() {
			params[i] = "t01000" // an address cannot be null
		}
	}
	return params
}
