package devnet

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/ipfs/go-cid"
)

// TestAReplayDoesWhatWasDone executes every message of a chain with null rounds
// and arriving sectors again: receipts and what the sender paid are the same.
func TestAReplayDoesWhatWasDone(t *testing.T) {
	w := opened(t, Config{NullRounds: 0.4, Onboard: 960})
	m, worker := w.Miners()[0], w.key("worker")
	var sent []cid.Cid
	for i := range 8 {
		switch i {
		case 2:
			sent = append(sent, w.send(worker, m, 5, w.postParams(m, firstDeadline, goodProof, bitfield.New(), 0)))
		case 3:
			sent = append(sent, w.send(worker, m, 99, nil))
		default:
			sent = append(sent, w.send(worker, w.key("owner").Address, 0, nil))
		}
		w.pass(1)
	}
	w.pass(1)
	head := get[TipSet](w, "ChainHead")
	for i, c := range sent {
		found := get[*MsgLookup](w, "StateSearchMsg", nil, c, -1, true)
		r := get[InvocResult](w, "StateReplay", nil, c)
		if found == nil || r.MsgRct.ExitCode != found.Receipt.ExitCode || r.MsgRct.GasUsed != found.Receipt.GasUsed || r.MsgCid != c {
			t.Fatalf("message %d: replayed %+v, was %+v", i, r.MsgRct, found)
		}
		var charged int64
		for _, g := range r.ExecutionTrace.GasCharges {
			charged += g.TotalGas
		}
		if charged != r.MsgRct.GasUsed {
			t.Errorf("message %d: charges of %d, used %d", i, charged, r.MsgRct.GasUsed)
		}
		paid := big.Sub(requiredFunds(&SignedMessage{Message: *r.Msg}), r.GasCost.Refund)
		if sum := big.Sum(r.GasCost.BaseFeeBurn, r.GasCost.OverEstimationBurn, r.GasCost.MinerTip); !sum.Equals(paid) || !sum.Equals(r.GasCost.TotalCost) {
			t.Errorf("message %d: costs %+v", i, r.GasCost)
		}
		if failed := found.Receipt.ExitCode != 0; failed != (r.Error != "") {
			t.Errorf("message %d: exit code %d, error %q", i, found.Receipt.ExitCode, r.Error)
		}
	}
	if now := get[TipSet](w, "ChainHead"); now.Cids[0] != head.Cids[0] {
		t.Error("a replay moved the head")
	}
}

func TestAComputationLeavesNothingBehind(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	w.send(w.key("worker"), w.key("owner").Address, 0, nil)
	w.pass(1)
	head := get[TipSet](w, "ChainHead")
	msg := Message{To: w.key("owner").Address, From: w.key("worker").Address, Nonce: 1, Value: big.NewInt(5), GasLimit: 2_000_000, GasFeeCap: big.NewInt(200), GasPremium: big.NewInt(1)}
	out := get[ComputeStateOutput](w, "StateCompute", head.Height+10, []Message{msg}, nil)
	if len(out.Trace) != 2 || out.Trace[1].MsgRct.ExitCode != 0 || !out.Root.Defined() {
		t.Errorf("computed %+v", out)
	}
	again := get[ComputeStateOutput](w, "StateCompute", head.Height, []Message{}, nil)
	if again.Root == out.Root || len(again.Trace) != 1 {
		t.Errorf("without the message the state is %s, with it %s", again.Root, out.Root)
	}
	w.pass(1)
	if next := get[TipSet](w, "ChainHead"); next.Blocks[0].ParentStateRoot != again.Root {
		t.Errorf("the chain left %s, computed was %s", next.Blocks[0].ParentStateRoot, again.Root)
	}
}

func TestVersion2FindsTipsetsByKeyHeightAndTag(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	w.pass(300)
	head := get[TipSet](w, "ChainHead")
	for _, c := range []struct {
		is, selector string
		height       abi.ChainEpoch
		refused      string
	}{
		{"the latest", `{"tag":"latest"}`, 300, ""},
		{"a safe one", `{"tag":"safe"}`, 100, ""},
		{"the finalized one, of a young chain", `{"tag":"finalized"}`, 0, ""},
		{"by key", `{"key":[{"/":"` + head.Cids[0].String() + `"}]}`, 300, ""},
		{"by height", `{"height":{"at":42,"anchor":{"tag":"latest"}}}`, 42, ""},
		{"by height from the head", `{"height":{"at":42,"previous":true,"anchor":{}}}`, 42, ""},
		{"ahead of the finalized one", `{"height":{"at":42}}`, 0, "looking for tipset with height greater than start point, req: 42, head: 0"},
		{"no criterion", `{}`, 0, "validating selector: exactly one tipset selection criteria must be specified, found: 0"},
		{"two criteria", `{"tag":"safe","key":[]}`, 0, "validating selector: exactly one tipset selection criteria must be specified, found: 2"},
		{"a height before genesis", `{"height":{"at":-1}}`, 0, "validating selector: validating tipset height: invalid tipset height: epoch cannot be less than zero"},
		{"an unknown tag", `{"tag":"newest"}`, 0, "unknown tipset tag: newest"},
	} {
		_, r := w.ask("/rpc/v2", w.Token(), "ChainGetTipSet", json.RawMessage(c.selector))
		switch {
		case c.refused != "":
			if r.Error == nil || r.Error.Message != c.refused {
				t.Errorf("%s: %+v, want %s", c.is, r.Error, c.refused)
			}
		case r.Error != nil:
			t.Errorf("%s: %+v", c.is, r.Error)
		default:
			if ts := decode[TipSet](t, r.Result); ts.Height != c.height {
				t.Errorf("%s: height %d, want %d", c.is, ts.Height, c.height)
			}
		}
	}
	worker := w.key("worker").Address
	_, r := w.ask("/rpc/v2", w.Token(), "StateGetID", worker, json.RawMessage(`{"tag":"latest"}`))
	if got := decode[address.Address](t, r.Result); got != get[address.Address](w, "StateLookupID", worker, nil) {
		t.Errorf("ID %s", got)
	}
}

func TestTheWalletKeepsWhatItIsGiven(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	for _, kind := range []string{"bls", "secp256k1"} {
		made := get[address.Address](w, "WalletNew", kind)
		sig := get[crypto.Signature](w, "WalletSign", made, []byte("x"))
		if !get[bool](w, "WalletVerify", made, []byte("x"), sig) || get[bool](w, "WalletVerify", made, []byte("y"), sig) {
			t.Errorf("%s: the signature is judged wrongly", kind)
		}
		exported := get[json.RawMessage](w, "WalletExport", made)
		if got := get[address.Address](w, "WalletImport", exported); got != made {
			t.Errorf("%s: exported %s, imported %s", kind, made, got)
		}
		if n := strings.Count(string(get[json.RawMessage](w, "WalletList")), made.String()); n != 1 {
			t.Errorf("%s: it is in the wallet %d times", kind, n)
		}
		// Its account begins when it is sent something, and can then send.
		w.send(w.key("owner"), made, 0, nil)
		m := w.signed(w.key("owner"), Message{To: made, Value: fil(1)})
		get[cid.Cid](w, "MpoolPush", m)
		w.pass(2)
		sent := get[SignedMessage](w, "MpoolPushMessage", free(Message{To: w.key("owner").Address, From: made}), nil)
		w.pass(2)
		c, err := sent.CID()
		if err != nil {
			t.Fatal(err)
		}
		if r := w.receipt(c); r.ExitCode != 0 {
			t.Errorf("%s: receipt %+v", kind, r)
		}
	}
	for _, bad := range []string{`{"Type":"bls","PrivateKey":"AA=="}`, `{"Type":"delegated","PrivateKey":""}`, `null`} {
		if got := w.refusal("WalletImport", json.RawMessage(bad)); !strings.HasPrefix(got, "failed to make key") {
			t.Errorf("%s: %s", bad, got)
		}
	}
}

// free is a message that says nothing of its price.
func free(m Message) Message {
	m.defaults()
	return m
}

// TestAPushWithTheSameUUIDIsTheSamePush is how a caller that did not hear an
// answer asks again.
func TestAPushWithTheSameUUIDIsTheSamePush(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	m := free(Message{To: w.key("owner").Address, From: w.key("worker").Address})
	push := func(id string) SignedMessage {
		return get[SignedMessage](w, "MpoolPushMessage", m, map[string]string{"MsgUuid": id})
	}
	const id = "c1c3e2f6-0d3c-4d5d-9b2a-0c57b3a3a001"
	first, again, other := push(id), push(id), push(noUUID)
	if again.Message.Nonce != first.Message.Nonce || other.Message.Nonce != first.Message.Nonce+1 {
		t.Errorf("nonces %d, %d, %d", first.Message.Nonce, again.Message.Nonce, other.Message.Nonce)
	}
}

func TestParametersAreDecodedAndEncoded(t *testing.T) {
	w := opened(t, Config{})
	params := w.postParams(w.Miners()[0], firstDeadline, goodProof, bitfield.New(), 0)
	shown := get[json.RawMessage](w, "StateDecodeParams", w.miner(), 5, params, nil)
	if !strings.Contains(string(shown), `"ChainCommitEpoch"`) {
		t.Errorf("decoded %s", shown)
	}
	if again := get[[]byte](w, "StateEncodeParams", minerCode, 5, shown); string(again) != string(params) {
		t.Errorf("encoded %x, want %x", again, params)
	}
}

// TestABatchIsPricedAsItWillBeExecuted is how Venus' messager asks.
func TestABatchIsPricedAsItWillBeExecuted(t *testing.T) {
	w := opened(t, Config{})
	m, worker := w.Miners()[0], w.key("worker").Address
	post := free(Message{To: m, From: worker, Method: 5, Params: w.postParams(m, firstDeadline, goodProof, bitfield.New(), 0)})
	spec := map[string]any{"GasOverEstimation": 2, "GasOverPremium": 3}
	got := get[[]EstimateResult](w, "GasBatchEstimateMessageGas", []any{
		map[string]any{"Msg": post, "Spec": spec},
		map[string]any{"Msg": post}, // the partition is posted by then
		map[string]any{"Msg": free(Message{To: worker, From: worker})},
	}, 7, nil)
	if len(got) != 3 || got[0].Err != "" || !strings.Contains(got[1].Err, "already proven") || got[2].Err != "" {
		t.Fatalf("results %+v", got)
	}
	if got[0].Msg.Nonce != 7 || got[1].Msg.Nonce != 0 || got[2].Msg.Nonce != 8 {
		t.Errorf("nonces %d, %d, %d", got[0].Msg.Nonce, got[1].Msg.Nonce, got[2].Msg.Nonce)
	}
	alone := get[Message](w, "GasEstimateMessageGas", post, nil, nil)
	if got[0].Msg.GasLimit < alone.GasLimit*3/2 || !got[0].Msg.GasPremium.Equals(big.Mul(alone.GasPremium, big.NewInt(3))) {
		t.Errorf("limit %d and premium %s, alone %d and %s", got[0].Msg.GasLimit, got[0].Msg.GasPremium, alone.GasLimit, alone.GasPremium)
	}
}

func TestTheProposedPremiumFollowsTheBlocks(t *testing.T) {
	message := func(premium, limit int64) *SignedMessage {
		return &SignedMessage{Message: Message{GasPremium: big.NewInt(premium), GasLimit: limit}}
	}
	for _, c := range []struct {
		is   string
		list []*SignedMessage
		gas  int64
		want int64
	}{
		{"no messages", nil, 100, 0},
		{"one that fills nothing", []*SignedMessage{message(7, 10)}, 100, 7},
		{"the two lowest of few", []*SignedMessage{message(9, 10), message(5, 10), message(7, 10)}, 100, 6},
		{"where the gas is used up", []*SignedMessage{message(5, 60), message(9, 60), message(7, 60), message(1, 60)}, 100, 8},
	} {
		if got := belowMedian(c.list, c.gas); !got.Equals(big.NewInt(c.want)) {
			t.Errorf("%s: %s, want %d", c.is, got, c.want)
		}
	}
	w := start(t, Config{Sectors: -1})
	w.pass(3)
	for blocks, want := range map[uint64]int64{0: 200_000, 1: 200_000, 2: 150_000, 10: 100_000} {
		if got := get[big.Int](w, "GasEstimateGasPremium", blocks, w.miner(), 0, nil); !got.Equals(big.NewInt(want)) {
			t.Errorf("within %d blocks of an idle chain: %s, want %d", blocks, got, want)
		}
	}
}

// TestThePageOfTheAPINamesEveryMethod keeps docs/devnet-api.md true.
func TestThePageOfTheAPINamesEveryMethod(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "devnet-api.md"))
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, api := range []any{&apiV0{}, &api{}, &apiV2{}} {
		for _, m := range methods(api) {
			served[m.Name] = true
			if !strings.Contains(string(page), "`"+m.Name+"`") {
				t.Errorf("%s is served and not on the page", m.Name)
			}
		}
	}
	_, list, _ := strings.Cut(string(page), "## Methods")
	for _, m := range regexp.MustCompile("`([A-Za-z]+)`").FindAllStringSubmatch(list, -1) {
		if !served[m[1]] {
			t.Errorf("%s is on the page and not served", m[1])
		}
	}
}

func TestEverythingServedIsDescribed(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	for path, want := range map[string]int{"/rpc/v0": 90, "/rpc/v1": 85, "/rpc/v2": 4} {
		_, r := w.ask(path, w.Token(), "Discover")
		doc := decode[OpenRPC](t, r.Result)
		if len(doc.Methods) < want {
			t.Errorf("%s: %d methods", path, len(doc.Methods))
		}
		_, alias := w.post(path, w.Token(), "application/json", []byte(`{"jsonrpc":"2.0","id":1,"method":"rpc.discover","params":[]}`))
		if string(alias.Result) != string(r.Result) {
			t.Errorf("%s: rpc.discover answers otherwise", path)
		}
	}
}
