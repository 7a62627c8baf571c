package devnet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/gorilla/websocket"
)

// asRecorded is a network like the recorded one: at epoch 859, the first miner
// proves all that is due, the second nothing.
func asRecorded(t *testing.T) *replay {
	t.Helper()
	w := start(t, Config{Miners: 2, Sectors: 60})
	m := w.Miners()[0]
	for deadline, open := uint64(firstDeadline), firstOpen; open < 859; deadline, open = deadline+1, open+60 {
		w.to(open + 1)
		w.send(w.key("worker"), m, 5, w.postParams(m, deadline, goodProof, bitfield.New(), 0))
		w.pass(2)
	}
	w.to(860)
	return w.replay()
}

func TestEveryRecordedCallIsAnsweredAsByARealNode(t *testing.T) {
	calls := recorded(t, "calls.json")
	r := asRecorded(t)
	paths := map[int]string{105: "/rpc/v0", 106: "/rpc/v2", 107: "/rpc/v2", 108: "/rpc/v2"}
	for i, c := range calls {
		r.again(cmp.Or(paths[i], "/rpc/v1"), fmt.Sprintf("call %d", i), c)
	}
	r.report()
}

// TestEveryRecordedPushIsAnsweredAsByARealNode sends what was sent to a real
// node, signed with a key of ours, and asks what became of it.
func TestEveryRecordedPushIsAnsweredAsByARealNode(t *testing.T) {
	calls := recorded(t, "messages.json")
	r := start(t, Config{Miners: 2, Sectors: -1}).replay()
	r.to(567)
	for range 3 { // the recorded account had sent three messages before
		r.send(r.key("worker"), r.key("worker").Address, 0, nil)
	}
	r.pass(3)
	for i, c := range calls {
		name := fmt.Sprintf("call %d", i)
		switch c.Method {
		case "Filecoin.MpoolPush":
			r.judge("/rpc/v1", r.Token(), name, c, []any{r.resigned(c)})
		case "Filecoin.StateWaitMsg":
			r.pass(3)
			r.again("/rpc/v1", name, c)
		case "Filecoin.StateReplay":
			r.included = "" // both tipsets are known by now
			r.again("/rpc/v1", name, c)
		default:
			r.again("/rpc/v1", name, c)
		}
	}
	r.report()
}

// TestEveryRecordedPostIsReadAsOnARealNode asks for posts, all that they rest
// on, and their execution once more.
func TestEveryRecordedPostIsReadAsOnARealNode(t *testing.T) {
	calls := recorded(t, "posts.json")
	r := asRecorded(t)
	for i, c := range calls {
		got := r.again("/rpc/v1", fmt.Sprintf("call %d", i), c)
		if c.Method == "Filecoin.StateSearchMsg" {
			child := get[TipSet](r.world, "ChainGetTipSet", decode[MsgLookup](t, got).TipSet)
			r.included = child.Blocks[0].Parents[0].String()
		}
	}
	r.report()
}

// TestASkippingPostIsReadAsOnARealNode mines a post that leaves a sector out.
func TestASkippingPostIsReadAsOnARealNode(t *testing.T) {
	var theirs struct {
		Mined struct {
			SignedMessage    json.RawMessage `json:"signed_message"`
			Wait             json.RawMessage
			PartitionsBefore json.RawMessage `json:"partitions_before"`
			PartitionsAfter  json.RawMessage `json:"partitions_after"`
			DeadlineAfter    json.RawMessage `json:"deadline_after"`
		}
	}
	if err := json.Unmarshal(fixture(t, "lotus-rpc/actor-calls.json"), &theirs); err != nil {
		t.Fatal(err)
	}
	r := opened(t, Config{}).replay()
	before, _, _ := r.state(firstDeadline)
	c := r.send(r.key("worker"), r.Miners()[0], 5, r.postParams(r.Miners()[0], firstDeadline, goodProof, bitfield.NewFromSet([]uint64{1}), 0))
	pending := get[[]json.RawMessage](r.world, "MpoolPending", nil)
	r.pass(2)
	after, _, _ := r.state(firstDeadline)
	r.same("pending", "SignedMessage", pending[0], theirs.Mined.SignedMessage)
	r.same("wait", "StateWaitMsg", get[json.RawMessage](r.world, "StateWaitMsg", c, 0, 900, true), theirs.Mined.Wait)
	r.same("before", "StateMinerPartitions", before, theirs.Mined.PartitionsBefore)
	r.same("after", "StateMinerPartitions", after, theirs.Mined.PartitionsAfter)
	r.same("after", "StateMinerDeadlines", get[[]json.RawMessage](r.world, "StateMinerDeadlines", r.miner(), nil)[firstDeadline], theirs.Mined.DeadlineAfter)
	r.report()
}

// recovery is a recorded message of a miner that comes back, with its state
// before and after.
type recovery struct {
	Message       struct{ Method uint64 }
	Search        json.RawMessage
	Before, After struct{ Partitions, Power, Deadline json.RawMessage }
}

// TestARecoveryIsReadAsOnARealNode lets a deadline pass, declares its sectors
// recovered and proves them a proving period later.
func TestARecoveryIsReadAsOnARealNode(t *testing.T) {
	var theirs struct{ Messages []recovery }
	if err := json.Unmarshal(fixture(t, "lotus-rpc/recoveries.json"), &theirs); err != nil {
		t.Fatal(err)
	}
	r := opened(t, Config{}).replay()
	r.pass(61)
	both := bitfield.NewFromSet([]uint64{0, 1})
	r.recovers(theirs.Messages, 11, encoded(t, &miner.DeclareFaultsRecoveredParams{
		Recoveries: []miner.RecoveryDeclaration{{Deadline: firstDeadline, Sectors: both}},
	}))
	r.to(firstOpen + 1 + miner.WPoStProvingPeriod)
	r.recovers(theirs.Messages, 5, r.postParams(r.Miners()[0], firstDeadline, goodProof, bitfield.New(), 0))
	r.report()
}

func (r *replay) recovers(theirs []recovery, method abi.MethodNum, params []byte) {
	r.t.Helper()
	partsBefore, powerBefore, provingBefore := r.state(firstDeadline)
	c := r.send(r.key("worker"), r.Miners()[0], method, params)
	r.pass(2)
	partsAfter, powerAfter, provingAfter := r.state(firstDeadline)
	found := get[json.RawMessage](r.world, "StateSearchMsg", nil, c, 900, true)
	for i, m := range theirs {
		if m.Message.Method != uint64(method) {
			continue
		}
		name := fmt.Sprintf("message %d", i)
		r.same(name, "StateSearchMsg", found, m.Search)
		r.same(name, "StateMinerPartitions", partsBefore, m.Before.Partitions)
		r.same(name, "StateMinerPartitions", partsAfter, m.After.Partitions)
		r.same(name, "StateMinerPower.MinerPower", powerBefore, m.Before.Power)
		r.same(name, "StateMinerPower.MinerPower", powerAfter, m.After.Power)
		r.same(name, "StateMinerProvingDeadline", provingBefore, m.Before.Deadline)
		r.same(name, "StateMinerProvingDeadline", provingAfter, m.After.Deadline)
	}
}

// TestChainNotifyIsSpokenAsByARealNode sends the frames that were sent to a
// real node and expects the recorded ones.
func TestChainNotifyIsSpokenAsByARealNode(t *testing.T) {
	frames := decode[[]struct{ Sent, Received json.RawMessage }](t, fixture(t, "lotus-rpc/chain-notify.json"))
	r := start(t, Config{Sectors: 8}).replay()
	r.pass(30) // the recorded node had a chain
	ws := r.socket()
	var theirs, ours []json.RawMessage
	for _, f := range frames {
		if f.Sent != nil {
			if err := ws.WriteMessage(websocket.TextMessage, f.Sent); err != nil {
				t.Fatal(err)
			}
			continue
		}
		// The answers to both calls and the first value come by themselves.
		if len(ours) >= 3 && frameName(t, f.Received) == "xrpc.ch.val" {
			r.pass(1)
		}
		_, text, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs = append(ours, text), append(theirs, f.Received)
	}
	byName := func(a, b json.RawMessage) int { return cmp.Compare(frameName(t, a), frameName(t, b)) }
	slices.SortFunc(ours[:3], byName) // two calls on one connection may be answered in any order
	slices.SortFunc(theirs[:3], byName)
	for i := range ours {
		r.same(fmt.Sprintf("frame %d", i), "ChainNotify "+frameName(t, theirs[i]), ours[i], theirs[i])
	}
	r.report()
}

// websocket opens a WebSocket as any client would.
func (w *world) socket() *websocket.Conn {
	w.t.Helper()
	ws, res, err := websocket.DefaultDialer.DialContext(w.t.Context(), "ws://"+w.Addr()+"/rpc/v1", http.Header{"Authorization": {"Bearer " + w.Token()}})
	if err != nil {
		w.t.Fatal(err)
	}
	res.Body.Close()
	w.t.Cleanup(func() { ws.Close() })
	return ws
}

// frameName is what a frame is: a notification's method, or the answer to a call.
func frameName(t *testing.T, text json.RawMessage) string {
	f := decode[struct {
		ID     any
		Method string
	}](t, text)
	return cmp.Or(f.Method, fmt.Sprintf("answer %v", f.ID))
}
