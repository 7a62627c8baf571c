package devnet

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-jsonrpc/auth"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/gorilla/websocket"
)

// socket is a client that shows every frame.
type socket struct {
	*websocket.Conn
	w *world
	n int
}

func (w *world) socket() *socket {
	w.t.Helper()
	return &socket{Conn: w.websocket(), w: w}
}

func (s *socket) call(method string, params ...any) int {
	s.w.t.Helper()
	if params == nil {
		params = []any{}
	}
	s.n++
	if err := s.WriteJSON(map[string]any{"jsonrpc": "2.0", "id": s.n, "method": "Filecoin." + method, "params": params}); err != nil {
		s.w.t.Fatal(err)
	}
	return s.n
}

// frame is the next thing that comes; an error in words if the connection ends.
func (s *socket) frame() string {
	_, text, err := s.ReadMessage()
	if err != nil {
		return "closed"
	}
	return string(text)
}

func (s *socket) answered(method string, params ...any) response {
	s.w.t.Helper()
	s.call(method, params...)
	return decode[response](s.w.t, []byte(s.frame()))
}

func (w *world) fails(f Fault) {
	w.t.Helper()
	if err := w.Fail(f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) hits() int {
	n := 0
	for _, f := range w.Faults() {
		n += f.Hits
	}
	return n
}

// struck waits until the faults have struck so often: what a subscription sends
// passes the fault layer some time after the epoch is made.
func (w *world) struck(times int) {
	w.t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for w.hits() < times {
		select {
		case <-w.t.Context().Done():
			w.t.Fatalf("the faults struck %d times, want %d", w.hits(), times)
		case <-look.C:
		}
	}
}

func TestEveryKindOfFaultOverASocket(t *testing.T) {
	w := start(t, Config{Sectors: 2})
	w.pass(10)
	whole := func(text string) bool { return json.Valid([]byte(text)) }
	for _, c := range []struct {
		fault Fault
		is    string
		of    func(text string) bool
	}{
		{Fault{Kind: FaultRefuse, Method: "StateNetworkName"}, "the connection is closed", func(s string) bool { return s == "closed" }},
		{Fault{Kind: FaultError, Method: "StateNetworkName"}, "an error", func(s string) bool { return strings.Contains(s, "told to fail this call") }},
		{Fault{Kind: FaultSlow, Method: "StateNetworkName", Delay: time.Millisecond}, "the answer", func(s string) bool { return strings.Contains(s, "vigil-devnet") }},
		{Fault{Kind: FaultCut, Method: "StateNetworkName"}, "the connection is closed", func(s string) bool { return s == "closed" }},
		{Fault{Kind: FaultTruncate, Method: "StateNetworkName"}, "half an answer", func(s string) bool { return !whole(s) && len(s) > 10 }},
		{Fault{Kind: FaultGarbage, Method: "StateNetworkName"}, "no JSON", func(s string) bool { return !whole(s) }},
		{Fault{Kind: FaultLie, Method: "StateNetworkName"}, "another name", func(s string) bool { return strings.Contains(s, "another-network") }},
	} {
		t.Run(string(c.fault.Kind), func(t *testing.T) {
			w.Heal("")
			w.fails(c.fault)
			s := w.socket()
			if got := s.answered("ChainHead"); got.Error != nil {
				t.Errorf("another method: %+v", got.Error)
			}
			s.call("StateNetworkName")
			if got := s.frame(); !c.of(got) {
				t.Errorf("got %q, want %s", got, c.is)
			}
			if w.hits() != 1 {
				t.Errorf("the fault struck %d times", w.hits())
			}
		})
	}
}

func TestEveryKindOfFaultOverHTTP(t *testing.T) {
	w := start(t, Config{Sectors: 2})
	w.pass(10)
	for kind, want := range map[FaultKind]string{
		FaultRefuse: "EOF", FaultCut: "EOF", FaultTruncate: "unexpected EOF",
		FaultError: "told to fail this call", FaultGarbage: "Bad Gateway", FaultLie: "another-network", FaultSlow: "vigil-devnet",
	} {
		w.Heal("")
		w.fails(Fault{Kind: kind, Method: "StateNetworkName", Delay: time.Millisecond})
		if got := w.plain("StateNetworkName"); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
		if got := w.plain("ChainHead"); !strings.Contains(got, "Height") || w.hits() != 1 {
			t.Errorf("%s: another method: %.80q, %d hits", kind, got, w.hits())
		}
	}
}

// plain is what a plain client gets: the answer's text or the error's.
func (w *world) plain(method string) string {
	w.t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"Filecoin.%s","params":[]}`, method)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://"+w.Addr()+"/rpc/v1", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	var b strings.Builder
	if _, err := fmt.Fprint(&b, readAll(res)); err != nil {
		w.t.Fatal(err)
	}
	return b.String()
}

func readAll(res *http.Response) string {
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := res.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return b.String() + err.Error()
		}
	}
}

func TestAHangingCallIsNeverAnsweredAndOthersAre(t *testing.T) {
	w := start(t, Config{Sectors: 2})
	w.fails(Fault{Kind: FaultHang, Method: "StateNetworkName", Times: 1})
	s := w.socket()
	first, second := s.call("StateNetworkName"), s.call("StateNetworkName")
	if got := decode[struct{ ID int }](t, []byte(s.frame())); got.ID != second {
		t.Errorf("call %d is answered, want %d; %d hangs", got.ID, second, first)
	}
}

func TestASilentNodeSendsNothingAndComesBack(t *testing.T) {
	w := start(t, Config{Sectors: 2})
	s := w.socket()
	s.call("ChainNotify")
	s.frame() // the subscription
	s.frame() // the current head
	w.fails(Fault{Kind: FaultHang, Epochs: 5})
	s.call("ChainHead")
	pongs := 0
	s.SetPongHandler(func(string) error { pongs++; return nil })
	if err := s.WriteControl(websocket.PingMessage, []byte("there?"), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	w.struck(1)
	for i := range 5 {
		w.pass(1)
		w.struck(i + 2)
	}
	w.pass(1)
	if heads := decode[changeFrame](t, []byte(s.frame())).heights(t); heads[0] != 6 {
		t.Errorf("the first change after the silence is of %v, want 6", heads)
	}
	if got := s.answered("StateNetworkName"); got.Error != nil {
		t.Errorf("afterwards: %+v", got.Error)
	}
	if pongs != 0 {
		t.Error("a silent node answered a ping")
	}
}

type changeFrame struct {
	Method string
	Params []json.RawMessage
}

func (f changeFrame) heights(t *testing.T) (out []abi.ChainEpoch) {
	t.Helper()
	if f.Method != "xrpc.ch.val" || len(f.Params) != 2 {
		t.Fatalf("no change of the head: %+v", f)
	}
	for _, c := range decode[[]HeadChange](t, f.Params[1]) {
		out = append(out, c.Val.Height)
	}
	return out
}

func TestALaggingNodeIsSomeEpochsBehind(t *testing.T) {
	w := start(t, Config{Sectors: 2})
	w.pass(20)
	s := w.socket()
	s.call("ChainNotify")
	s.frame()
	s.frame()
	w.fails(Fault{Kind: FaultLag, By: 7})
	for i := range 8 {
		w.pass(1)
		w.struck(i + 1)
	}
	if got := decode[changeFrame](t, []byte(s.frame())).heights(t); got[0] != 21 {
		t.Errorf("the first change is of %v, want 21", got)
	}
	if head := decode[TipSet](t, s.answered("ChainHead").Result); head.Height != 21 {
		t.Errorf("the head is at %d, want 21: seven behind 28", head.Height)
	}
	if head := get[TipSet](w, "ChainHead"); head.Height != 21 {
		t.Errorf("over HTTP the head is at %d, want 21", head.Height)
	}
	w.Heal("")
	w.pass(1)
	if head := decode[changeFrame](t, []byte(s.frame())).heights(t); head[0] != 22 {
		t.Errorf("healed, the next change is of %v, want 22", head)
	}
}

func TestALiarsHeadIsInTheFuture(t *testing.T) {
	w := start(t, Config{Sectors: 2})
	w.pass(5)
	w.fails(Fault{Kind: FaultLie, Method: "ChainHead", By: 100})
	head := get[TipSet](w, "ChainHead")
	if head.Height != 105 || head.Blocks[0].Height != 105 || head.Cids[0] != w.chain.current().cid {
		t.Errorf("the head is at %d", head.Height)
	}
}

// The answer to a push is lost: the message is in the pool all the same.
func TestAPushWhoseAnswerIsLostWasTaken(t *testing.T) {
	w := start(t, Config{Sectors: 2})
	w.fails(Fault{Kind: FaultCut, Method: "MpoolPush", Times: 1})
	k := w.key("owner")
	sm := w.signed(k, Message{To: k.Address})
	s := w.socket()
	s.call("MpoolPush", sm)
	if got := s.frame(); got != "closed" {
		t.Fatalf("an answer came: %s", got)
	}
	if n := len(get[[]SignedMessage](w, "MpoolPending", nil)); n != 1 {
		t.Errorf("%d messages are pending", n)
	}
	if got := w.refusal("MpoolPush", sm); !strings.Contains(got, "message with nonce already exists") {
		t.Errorf("pushed again: %s", got)
	}
}

func TestAFaultThatMakesNoSenseIsRefused(t *testing.T) {
	w := start(t, Config{Sectors: -1})
	for _, f := range []Fault{
		{}, {Kind: "sulk"}, {Kind: FaultHang, Share: 2}, {Kind: FaultSlow}, {Kind: FaultLag}, {Kind: FaultLag, By: 3, Method: "MpoolPush"},
		{Kind: FaultLie}, {Kind: FaultLie, Method: "ChainGetGenesis"}, {Kind: FaultHang, Times: -1}, {Kind: FaultHang, Epochs: -1},
	} {
		if err := w.Fail(f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
	if len(w.Faults()) != 0 {
		t.Error("a refused fault is there")
	}
}

func TestTheAdminNeedsItsTokenAndNoFaultReachesIt(t *testing.T) {
	w := start(t, Config{Sectors: 8})
	less, err := w.tokens.issue([]auth.Permission{"read", "write", "sign"})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.devnet(string(less), "Status"); got.Error == nil || !strings.Contains(got.Error.Message, "missing permission to invoke 'Status' (need 'admin'); the file token") {
		t.Errorf("with a token that permits less: %+v", got)
	}
	w.fails(Fault{Kind: FaultRefuse})
	for _, c := range []struct {
		method string
		params []any
	}{
		{"Pause", nil},
		{"Advance", []any{12}},
		{"Resume", nil},
		{"SetBaseFee", []any{"5000", 3}},
		{"MultiplyBaseFee", []any{10, 3}},
		{"NullRounds", []any{0, 2}},
		{"SetNullShare", []any{0.1, 5}},
		{"Reorg", []any{map[string]any{"Depth": 3}}},
		{"SetBack", []any{2}},
		{"DelayMessages", []any{3, 5}},
		{"LoseMessages", []any{0.5, 5}},
		{"HoldMessages", []any{nil, 5}},
		{"HoldMessages", []any{w.key("worker").Address, 5}},
		{"Drop", []any{nil}},
		{"LimitPool", []any{10, 20}},
		{"Calm", nil},
		{"Fail", []any{map[string]any{"Kind": "slow", "Method": "ChainHead", "Delay": "5ms"}}},
		{"Silence", []any{4}},
		{"Heal", []any{""}},
		{"Upgrade", []any{map[string]any{"Epoch": 500, "Version": 29}}},
		{"AddSectors", []any{w.Miners()[0], 4}},
		{"SetBalance", []any{w.key("owner").Address, "12345"}},
		{"Rival", []any{"worker", w.Miners()[0]}},
		{"Advance", []any{2}},
	} {
		if got := w.devnet(w.Token(), c.method, c.params...); got.Error != nil {
			t.Errorf("%s: %s", c.method, got.Error.Message)
		}
	}
	var s DevnetStatus
	if err := json.Unmarshal(w.devnet(w.Token(), "Status").Result, &s); err != nil {
		t.Fatal(err)
	}
	if s.Epoch < 10 || s.Miners[0].SectorsAdded != 4 || len(s.Upgrades) != 2 || len(s.Faults) != 0 {
		t.Errorf("status: %+v", s)
	}
	if got := get[abi.TokenAmount](w, "WalletBalance", w.key("owner").Address); got.Int64() != 12345 {
		t.Errorf("the balance that was set is %s", got)
	}
	if a := get[Actor](w, "StateGetActor", w.key("worker").Address, nil); a.Nonce != 1 {
		t.Errorf("the rival's message: the account's nonce is %d", a.Nonce)
	}
}

// devnet calls a method of the admin's namespace.
func (w *world) devnet(token, method string, params ...any) response {
	w.t.Helper()
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "Devnet." + method, "params": params})
	if err != nil {
		w.t.Fatal(err)
	}
	_, r := w.post("/rpc/v1", token, "application/json", body)
	return r
}

func TestARivalReplacesWhatWaits(t *testing.T) {
	w := start(t, Config{Sectors: 2})
	mine := w.sent("worker")
	c, err := w.Rival(t.Context(), "worker", w.Miners()[0])
	if err != nil {
		t.Fatal(err)
	}
	w.pass(1)
	if w.included(c) != 1 || w.included(mine) != 0 {
		t.Errorf("the rival's message is in %d, the other one in %d", w.included(c), w.included(mine))
	}
}

func TestASectorIsBrokenAndMended(t *testing.T) {
	made := 0
	w := start(t, Config{Sectors: 2, Verify: byWord, Sector: func(ctx context.Context, dir string, m abi.ActorID, n abi.SectorNumber) ([32]byte, error) {
		made++
		name := fmt.Sprintf("s-t0%d-%d", m, n)
		return [32]byte{}, writeFiles(dir, map[string][]byte{"sealed/" + name: []byte("a replica"), "cache/" + name + "/p_aux": []byte("its roots")})
	}})
	m := w.Miners()[0]
	for _, d := range []Damage{DamageCorrupt, DamageTruncate, DamageNoCache, DamageMissing} {
		if err := w.BreakSector(m, 1, d); err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
	if err := w.BreakSector(m, 1, DamageMissing); err == nil {
		t.Error("a replica that is gone was damaged")
	}
	before := made
	if err := w.MendSector(t.Context(), m, 1); err != nil || made != before+1 {
		t.Errorf("mend: %v, made %d times", err, made-before)
	}
	if err := w.BreakSector(m, 1, "scratched"); err == nil {
		t.Error("an unknown damage was taken")
	}
	if err := w.BreakSector(m, 7, DamageMissing); err == nil {
		t.Error("a sector that is none was damaged")
	}
}
