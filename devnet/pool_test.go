package devnet

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"
)

// anonymous takes out of an error what is particular to a network.
func anonymous(text string) string {
	for _, what := range []string{`bafy2bza[a-z0-9]+`, `t3[a-z2-7]{84}`, `balance: [0-9.]+`, `nonce \d+`} {
		text = regexp.MustCompile(what).ReplaceAllString(text, "*")
	}
	return text
}

// TestThePoolRefusesInTheWordsOfARealNode pushes what was pushed to a Lotus
// node, in the same order, signed with keys of ours.
func TestThePoolRefusesInTheWordsOfARealNode(t *testing.T) {
	calls := recorded(t, "messages.json")
	w := start(t, Config{Sectors: -1})
	worker := w.key("worker")
	n := 0
	for i, c := range calls[:19] {
		if c.Method != "Filecoin.MpoolPush" {
			continue
		}
		sm := decode[SignedMessage](t, c.Params[0])
		m := sm.Message
		m.Nonce -= 3 // the recorded account had sent three messages before
		m.To, m.From = worker.Address, worker.Address
		ours, err := worker.SignMessage(m)
		if err != nil {
			t.Fatal(err)
		}
		switch c.Note {
		case "wrong signature":
			ours.Signature.Data = ours.Signature.Data[1:]
		case "from an id address that did not sign":
			ours.Message.From = idAddress(101)
		case "value beyond the balance":
			// this account is richer than the recorded one, so its value is too
		}
		_, got := w.ask("/rpc/v1", w.Token(), "MpoolPush", ours)
		n++
		want := c.Response.Error
		switch {
		case (got.Error == nil) != (want == nil):
			t.Errorf("call %d, %s: %+v, a node says %+v", i, c.Note, got.Error, want)
		case want != nil && anonymous(got.Error.Message) != anonymous(want.Message):
			t.Errorf("call %d, %s:\n ours %s\ntheirs %s", i, c.Note, anonymous(got.Error.Message), anonymous(want.Message))
		}
	}
	if n != 15 {
		t.Errorf("%d pushes compared, want 15", n)
	}
	var theirs []SignedMessage
	for _, c := range calls {
		if c.Method == "Filecoin.MpoolPending" {
			theirs = decode[[]SignedMessage](t, c.Response.Result)
		}
	}
	pending := get[[]SignedMessage](w, "MpoolPending", nil)
	if len(pending) != len(theirs) {
		t.Fatalf("%d messages are pending, on a node %d", len(pending), len(theirs))
	}
	for i := range pending {
		if pending[i].Message.Nonce != theirs[i].Message.Nonce-3 || !pending[i].Message.GasPremium.Equals(theirs[i].Message.GasPremium) {
			t.Errorf("pending %d: nonce %d, premium %s", i, pending[i].Message.Nonce, pending[i].Message.GasPremium)
		}
	}
	w.settlesAsRecorded(calls, worker)
}

// settlesAsRecorded mines what was pushed: the replacement and the message that
// sends more than there is; those behind the gap wait.
func (w *world) settlesAsRecorded(calls []call, worker *Key) {
	t := w.t
	t.Helper()
	first := get[[]SignedMessage](w, "MpoolPending", nil)[0]
	replacement, err := first.CID()
	if err != nil {
		t.Fatal(err)
	}
	old := first.Message
	old.GasFeeCap, old.GasPremium = big.NewInt(101528), big.NewInt(100474)
	replaced, err := old.CID()
	if err != nil {
		t.Fatal(err)
	}
	if found := get[*MsgLookup](w, "StateSearchMsg", nil, replacement, 900, true); found != nil {
		t.Errorf("found before it was executed: %+v", found)
	}
	w.pass(2)
	for _, c := range []struct {
		is       string
		id       cid.Cid
		replaced bool
		found    bool
	}{
		{"the replacement", replacement, false, true},
		{"the replaced one, content with another", replaced, true, true},
		{"the replaced one itself", replaced, false, false},
	} {
		found := get[*MsgLookup](w, "StateSearchMsg", nil, c.id, 900, c.replaced)
		if (found != nil) != c.found || found != nil && (found.Message != replacement || found.Receipt.ExitCode != 0) {
			t.Errorf("search for %s: %+v", c.is, found)
		}
	}
	head := get[TipSet](w, "ChainHead")
	receipts := get[[]Receipt](w, "ChainGetParentReceipts", head.Cids[0])
	if len(receipts) != 2 || receipts[0].GasUsed != 720563 || receipts[1].ExitCode != 6 {
		t.Errorf("receipts %+v; a node had gas 720563 and exit 6", receipts)
	}
	if got := get[[]SignedMessage](w, "MpoolPending", nil); len(got) != 2 {
		t.Errorf("%d messages are pending behind the gap, want 2", len(got))
	}
	for _, c := range calls[19:] {
		method := strings.TrimPrefix(c.Method, "Filecoin.")
		var got json.RawMessage
		switch method {
		case "ChainGetParentMessages", "ChainGetParentReceipts":
			got = get[json.RawMessage](w, method, head.Cids[0])
		case "ChainGetMessage":
			got = get[json.RawMessage](w, method, replacement)
		case "StateWaitMsg":
			got = get[json.RawMessage](w, method, replacement, 0, 900, true)
		default:
			continue
		}
		compare(method, decode[any](t, got), decode[any](t, c.Response.Result), func(what string) { t.Error(what) })
	}
	m := Message{To: worker.Address, From: worker.Address, GasLimit: 1_000_000, GasFeeCap: big.NewInt(200_000), GasPremium: big.NewInt(190_000)}
	sm, err := worker.SignMessage(m)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.refusal("MpoolPush", sm); got != "minimum expected nonce is 2, got 0: message nonce too low" {
		t.Errorf("a used nonce: %s", got)
	}
}

func TestGasGoesWhereARealNodeSaysItGoes(t *testing.T) {
	for _, c := range recorded(t, "messages.json") {
		if c.Method != "Filecoin.StateReplay" {
			continue
		}
		r := decode[struct {
			Msg     Message
			MsgRct  Receipt
			GasCost GasCost
		}](t, c.Response.Result)
		p := pay(&r.Msg, r.MsgRct.GasUsed, minimumBaseFee)
		g := r.GasCost
		for what, pair := range map[string][2]abi.TokenAmount{
			"base fee burn": {p.baseFeeBurn, g.BaseFeeBurn}, "over-estimation burn": {p.overEstimationBurn, g.OverEstimationBurn},
			"tip": {p.tip, g.MinerTip}, "refund": {p.refund, g.Refund}, "total": {p.total(), g.TotalCost},
		} {
			if !pair[0].Equals(pair[1]) {
				t.Errorf("%s: %s, want %s", what, pair[0], pair[1])
			}
		}
		return
	}
	t.Error("no replay was recorded")
}

func TestTheBaseFeeFollowsTheBlocks(t *testing.T) {
	base := big.NewInt(8000)
	for gas, want := range map[int64]int64{0: 7000, blockGasTarget: 8000, blockGasLimit: 9000} {
		if got := baseFeeByUse(base, gas); !got.Equals(big.NewInt(want)) {
			t.Errorf("after %d gas: %s, want %d", gas, got, want)
		}
	}
	if got := baseFeeByUse(minimumBaseFee, 0); !got.Equals(minimumBaseFee) {
		t.Errorf("below the minimum: %s", got)
	}
}

func TestAHigherPremiumGoesFirstButNeverBeforeItsNonce(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	var order []string
	for _, m := range []struct {
		role    string
		nonce   uint64
		premium int64
	}{{"owner", 0, 100}, {"owner", 1, 900}, {"control", 0, 500}, {"control", 2, 950}} {
		k := w.key(m.role)
		sm, err := k.SignMessage(Message{To: k.Address, From: k.Address, Nonce: m.nonce, GasLimit: 1e6, GasFeeCap: big.NewInt(1000), GasPremium: big.NewInt(m.premium)})
		if err != nil {
			t.Fatal(err)
		}
		get[cid.Cid](w, "MpoolPush", sm)
	}
	for _, m := range w.pool.pick(w.chain.current().after, minimumBaseFee, nobody) {
		order = append(order, m.Message.GasPremium.String())
	}
	if got := strings.Join(order, " "); got != "500 100 900" {
		t.Errorf("premiums in the order %q, want 500 100 900", got)
	}
}

func nobody(*waiting) bool { return false }

func TestAMessageThatCannotPayAnyMoreIsLeftOutAndTheChainGoesOn(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	owner, control := w.key("owner"), w.key("control")
	rich := get[abi.TokenAmount](w, "WalletBalance", owner.Address)
	for nonce, value := range []abi.TokenAmount{big.Sub(rich, big.NewInt(1e15)), big.Zero()} {
		sm, err := owner.SignMessage(Message{To: control.Address, From: owner.Address, Nonce: uint64(nonce), Value: value, GasLimit: 1e6, GasFeeCap: big.NewInt(1e9 - 1), GasPremium: big.NewInt(100)})
		if err != nil {
			t.Fatal(err)
		}
		get[cid.Cid](w, "MpoolPush", sm)
	}
	w.pass(3)
	if n := get[uint64](w, "MpoolGetNonce", owner.Address); n != 2 {
		t.Errorf("the next nonce is %d, want 2: one is executed, one waits", n)
	}
	if a := get[Actor](w, "StateGetActor", owner.Address, nil); a.Nonce != 1 {
		t.Errorf("the nonce on chain is %d, want 1", a.Nonce)
	}
}
