package devnet

import (
	"strings"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"
)

// outbid pushes a message and then another one in its place.
func (w *world) outbid(first, second address.Address) (replaced, replacement cid.Cid) {
	w.t.Helper()
	worker := w.key("worker")
	m := w.signed(worker, Message{To: first}).Message
	push := func(m Message) cid.Cid {
		sm, err := worker.SignMessage(m)
		if err != nil {
			w.t.Fatal(err)
		}
		return get[cid.Cid](w, "MpoolPush", sm)
	}
	replaced = push(m)
	m.To, m.GasPremium, m.GasFeeCap = second, big.Mul(m.GasPremium, big.NewInt(2)), big.Mul(m.GasFeeCap, big.NewInt(2))
	return replaced, push(m)
}

func TestAReplacedMessageIsFoundOnlyByWhoIsContentWithIt(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	worker := w.key("worker").Address
	replaced, replacement := w.outbid(worker, worker)
	w.pass(2)
	if found := get[*MsgLookup](w, "StateSearchMsg", nil, replaced, -1, true); found == nil || found.Message != replacement {
		t.Errorf("content with another: %+v", found)
	}
	if found := get[*MsgLookup](w, "StateSearchMsg", nil, replaced, -1, false); found != nil {
		t.Errorf("not content: %+v", found)
	}
	if got := w.refusal("StateWaitMsg", replaced, 0, -1, false); !strings.HasPrefix(got, "message was replaced: found message with equal nonce as the one we are looking for (F:"+replaced.String()+" n 0, TS: "+replacement.String()) {
		t.Errorf("waiting for it alone: %s", got)
	}
}

func TestAnotherMessageInItsPlaceIsAnError(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	replaced, replacement := w.outbid(w.key("worker").Address, w.key("owner").Address)
	w.pass(2)
	want := "message was replaced: found message with equal nonce as the one we are looking for that is NOT a valid replacement message (F:" + replaced.String() + " n 0, TS: " + replacement.String() + " n0): message was replaced"
	if got := w.refusal("StateSearchMsg", nil, replaced, -1, true); got != want {
		t.Errorf("at the tipset that executed it:\n got %s\nwant %s", got, want)
	}
	w.pass(1)
	if got := w.refusal("StateSearchMsg", nil, replaced, -1, true); got != "checking for message execution during lookback: "+want {
		t.Errorf("a tipset later: %s", got)
	}
	if found := get[*MsgLookup](w, "StateSearchMsg", nil, replaced, -1, false); found != nil {
		t.Errorf("by itself: %+v", found)
	}
}

func TestASearchGoesBackAsFarAsItMay(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	c := w.send(w.key("worker"), w.key("worker").Address, 0, nil)
	w.pass(1)
	for _, limit := range []int{-1, 0, 1, 900} {
		if get[*MsgLookup](w, "StateSearchMsg", nil, c, limit, true) != nil {
			t.Errorf("limit %d: found in the tipset that has it, which has no receipt of it", limit)
		}
	}
	w.pass(1)
	inclusion := get[TipSet](w, "ChainHead").Blocks[0].Parents
	for behind, found := range []map[int]bool{
		{-1: true, 0: true, 1: true, 900: true},            // the head executed it
		{-1: true, 0: false, 1: false, 2: true, 900: true}, // its parent did
		{-1: true, 0: false, 1: false, 2: false, 3: true},
	} {
		for limit, want := range found {
			if got := get[*MsgLookup](w, "StateSearchMsg", nil, c, limit, true); (got != nil) != want {
				t.Errorf("%d epochs later, limit %d: %+v", behind, limit, got)
			}
		}
		w.pass(1)
	}
	if got := get[*MsgLookup](w, "StateSearchMsg", inclusion, c, -1, true); got != nil {
		t.Errorf("from before its execution: %+v", got)
	}
}

// TestVersion0SpeaksAsItDid calls what version 1 has changed.
func TestVersion0SpeaksAsItDid(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	c := w.send(w.key("worker"), w.key("worker").Address, 0, nil)
	w.pass(3)
	head := get[TipSet](w, "ChainHead")
	v0 := func(method string, params ...any) string {
		t.Helper()
		_, r := w.ask("/rpc/v0", w.Token(), method, params...)
		if r.Error != nil {
			t.Errorf("%s: %+v", method, r.Error)
		}
		return string(r.Result)
	}
	lookup := v0("StateSearchMsg", c)
	for method, params := range map[string][]any{
		"StateSearchMsgLimited": {c, 900}, "StateWaitMsg": {c, 1}, "StateWaitMsgLimited": {c, 1, 900},
	} {
		if got := v0(method, params...); got != lookup || got == "null" {
			t.Errorf("%s: %s, want %s", method, got, lookup)
		}
	}
	if got := decode[Receipt](t, []byte(v0("StateGetReceipt", c, nil))); got.ExitCode != 0 || got.GasUsed == 0 {
		t.Errorf("receipt %+v", got)
	}
	for method, old := range map[string]string{"StateGetRandomnessFromTickets": "ChainGetRandomnessFromTickets", "StateGetRandomnessFromBeacon": "ChainGetRandomnessFromBeacon"} {
		_, now := w.ask("/rpc/v1", w.Token(), method, 4, 1, "AA==", head.Cids)
		if got := v0(old, head.Cids, 4, 1, "AA=="); got != string(now.Result) {
			t.Errorf("%s: %s, want %s", old, got, now.Result)
		}
	}
	if got := v0("BeaconGetEntry", 2); !strings.Contains(got, `"Round"`) {
		t.Errorf("beacon entry %s", got)
	}
	if status, r := w.ask("/rpc/v1", w.Token(), "StateWaitMsg", c, 1); status != 500 || r.Error == nil || r.Error.Code != -32602 {
		t.Errorf("version 1 with version 0's parameters: %d %+v", status, r.Error)
	}
}
