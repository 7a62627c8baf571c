package sophon

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	rpc "github.com/filecoin-project/go-jsonrpc"
	"github.com/filecoin-project/go-jsonrpc/auth"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

func exitcodeOf(n int64) exitcode.ExitCode { return exitcode.ExitCode(n) }

// What follows is a client as Venus' programs have it: their types' fields and
// their interface's methods (venus-shared/types/messager and api/messager),
// driven by an unmodified go-jsonrpc.
type (
	venusChainMsg struct {
		CID        cid.Cid
		Version    uint64
		To         address.Address
		From       address.Address
		Nonce      uint64
		Value      abi.TokenAmount
		GasLimit   int64
		GasFeeCap  abi.TokenAmount
		GasPremium abi.TokenAmount
		Method     abi.MethodNum
		Params     []byte
	}
	venusSpec struct {
		ExpireEpoch       abi.ChainEpoch `json:"expireEpoch"`
		GasOverEstimation float64        `json:"gasOverEstimation"`
		MaxFee            big.Int        `json:"maxFee,omitempty"`
		GasOverPremium    float64        `json:"gasOverPremium"`
	}
	venusReceipt struct {
		ExitCode   exitcode.ExitCode
		Return     []byte
		GasUsed    int64
		EventsRoot *cid.Cid
	}
	venusMessage struct {
		ID          string
		UnsignedCid *cid.Cid
		SignedCid   *cid.Cid
		venusChainMsg
		Signature  *crypto.Signature
		Height     int64
		Confidence int64
		Receipt    *venusReceipt
		TipSetKey  []cid.Cid
		Meta       *venusSpec
		WalletName string
		State      int
		ErrorMsg   string
		CreatedAt  time.Time
		UpdatedAt  time.Time
	}
	venusReplace struct {
		ID             string
		Auto           bool
		MaxFee         abi.TokenAmount
		GasLimit       int64
		GasPremium     abi.TokenAmount
		GasFeecap      abi.TokenAmount
		GasOverPremium float64
	}
	venusQuery struct {
		State         []int
		From          []address.Address
		ByUpdateAt    *time.Time
		Asc           bool
		Limit, Offset uint
	}
	venusVersion struct {
		Version    string
		APIVersion uint32
	}
)

type venusClient struct {
	HasMessageByUid          func(context.Context, string) (bool, error)
	WaitMessage              func(context.Context, string, uint64) (*venusMessage, error)
	PushMessage              func(context.Context, *venusChainMsg, *venusSpec) (string, error)
	PushMessageWithId        func(context.Context, string, *venusChainMsg, *venusSpec) (string, error)
	GetMessageByUid          func(context.Context, string) (*venusMessage, error)
	GetMessageBySignedCid    func(context.Context, cid.Cid) (*venusMessage, error)
	GetMessageByUnsignedCid  func(context.Context, cid.Cid) (*venusMessage, error)
	GetMessageByFromAndNonce func(context.Context, address.Address, uint64) (*venusMessage, error)
	ListMessage              func(context.Context, *venusQuery) ([]*venusMessage, error)
	ListMessageByFromState   func(context.Context, address.Address, int, bool, int, int, time.Duration) ([]*venusMessage, error)
	ListMessageByAddress     func(context.Context, address.Address) ([]*venusMessage, error)
	ListFailedMessage        func(context.Context) ([]*venusMessage, error)
	ListBlockedMessage       func(context.Context, address.Address, time.Duration) ([]*venusMessage, error)
	ReplaceMessage           func(context.Context, *venusReplace) (cid.Cid, error)
	RepublishMessage         func(context.Context, string) error
	MarkBadMessage           func(context.Context, string) error
	WalletHas                func(context.Context, address.Address) (bool, error)
	HasAddress               func(context.Context, address.Address) (bool, error)
	Version                  func(context.Context) (venusVersion, error)
}

// served is a server over a desk, and its tokens.
func served(t *testing.T, d *desk) (*httptest.Server, Tokens) {
	t.Helper()
	return servedThrough(t, d, func(h http.Handler) http.Handler { return h })
}

// servedThrough is served with a handler around all others.
func servedThrough(t *testing.T, d *desk, around func(http.Handler) http.Handler) (*httptest.Server, Tokens) {
	t.Helper()
	tokens, err := OpenTokens(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := Server{
		Messager: d, Desk: d, Head: d.epoch, Permissions: tokens.Permissions, Every: 5 * time.Millisecond, Version: "1.2.3",
		Has: func(_ context.Context, key address.Address) (bool, error) { return key == sender, nil },
		Allow: func(c vigil.Call) error {
			if c.To != vigil.MinerAddress(1000) {
				return &vigil.SigningRefusal{Text: "not this one"}
			}
			return nil
		},
	}.Handler()
	mux := http.NewServeMux()
	mux.Handle(Path, h)
	s := httptest.NewServer(around(mux))
	t.Cleanup(s.Close)
	return s, tokens
}

func dial(t *testing.T, url string, header http.Header) *venusClient {
	t.Helper()
	var c venusClient
	closer, err := rpc.NewMergeClient(t.Context(), url+"/rpc/v0", "Message", []any{&c}, header)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closer)
	return &c
}

func bearing(t *testing.T, tokens Tokens, perms ...auth.Permission) http.Header {
	t.Helper()
	token, err := tokens.Issue(perms...)
	if err != nil {
		t.Fatal(err)
	}
	return http.Header{"Authorization": {"Bearer " + token}, "X-Venus-Api-Namespace": {"messager.IMessager"}}
}

func post() *venusChainMsg {
	return &venusChainMsg{
		CID: cid.MustParse("bafy2bzacea5q43lcdh3tdpxubkfygxvggrkdp5j2avdfwnmx4pxd75452upqk"),
		To:  vigil.MinerAddress(1000), From: sender, Value: big.Zero(), Method: 5, Params: []byte{1, 2},
		GasFeeCap: big.NewInt(5_000_000_000), GasPremium: big.Zero(),
	}
}

// TestAVenusClientGetsAMessageOnChain is what a damocles-manager does with a
// proof, over HTTP and over WebSocket.
func TestAVenusClientGetsAMessageOnChain(t *testing.T) {
	for _, scheme := range []string{"http", "ws"} {
		d := &desk{t: t, head: 100}
		s, tokens := served(t, d)
		c := dial(t, scheme+strings.TrimPrefix(s.URL, "http"), bearing(t, tokens, "read", "write"))
		ctx := t.Context()
		if has, err := c.HasMessageByUid(ctx, "post-1"); has || err != nil {
			t.Fatalf("%s: has it before: %v, %v", scheme, has, err)
		}
		for range 2 { // an answer that was lost makes the caller push again
			if id, err := c.PushMessageWithId(ctx, "post-1", post(), &venusSpec{ExpireEpoch: 900, GasOverEstimation: 1.2}); id != "post-1" || err != nil {
				t.Fatalf("push: %q, %v", id, err)
			}
		}
		row := d.rows[0]
		if len(d.rows) != 1 || row.Expires != 900 || row.Duty.Miner != 1000 || len(row.Senders) != 1 || row.Senders[0] != sender || row.Call.Method != 5 || string(row.Call.Params) != "\x01\x02" {
			t.Errorf("stored: %+v", d.rows)
		}
		m, err := c.GetMessageByUid(ctx, "post-1")
		if err != nil || m.State != 1 || m.SignedCid != nil || m.Receipt != nil || m.From != sender || m.Meta.ExpireEpoch != 900 || m.TipSetKey == nil {
			t.Errorf("queued: %+v, %v", m, err)
		}
		d.set("post-1", d.attempt)
		if m, err = c.GetMessageByUid(ctx, "post-1"); err != nil || m.State != 2 || m.Nonce != 7 || m.GasLimit != 1_000_000 || m.SignedCid == nil || *m.SignedCid != d.rows[0].Attempts[0].CID || m.Signature == nil {
			t.Errorf("on its way: %+v, %v", m, err)
		}
		for _, get := range []func() (*venusMessage, error){
			func() (*venusMessage, error) { return c.GetMessageBySignedCid(ctx, *m.SignedCid) },
			func() (*venusMessage, error) { return c.GetMessageByUnsignedCid(ctx, *m.UnsignedCid) },
			func() (*venusMessage, error) { return c.GetMessageByFromAndNonce(ctx, sender, 7) },
		} {
			if found, err := get(); err != nil || found.ID != "post-1" {
				t.Errorf("found %+v, %v", found, err)
			}
		}
		d.landed("post-1", 101, 0)
		d.to(112)
		m, err = c.WaitMessage(ctx, "post-1", 10)
		if err != nil || m.State != 3 || m.Height != 101 || m.Confidence != 11 || m.Receipt.ExitCode != 0 || m.Receipt.GasUsed != 777 || len(m.TipSetKey) != 1 {
			t.Errorf("on chain: %+v, %v", m, err)
		}
	}
}

// An ID that is empty, as of a caller's bug, names no message: not the newest one either.
func TestNothingIsNamedByNothing(t *testing.T) {
	d := &desk{t: t, head: 100}
	s, tokens := served(t, d)
	c := dial(t, s.URL, bearing(t, tokens, "read", "write"))
	ctx := t.Context()
	if _, err := c.PushMessageWithId(ctx, "post-1", post(), nil); err != nil {
		t.Fatal(err)
	}
	if has, err := c.HasMessageByUid(ctx, ""); has || err != nil {
		t.Errorf("it has a message without an ID: %v", err)
	}
	for name, ask := range map[string]func() (*venusMessage, error){
		"GetMessageByUid":       func() (*venusMessage, error) { return c.GetMessageByUid(ctx, "") },
		"WaitMessage":           func() (*venusMessage, error) { return c.WaitMessage(ctx, "", 0) },
		"GetMessageBySignedCid": func() (*venusMessage, error) { return c.GetMessageBySignedCid(ctx, cid.Undef) },
	} {
		if m, err := ask(); err == nil || !strings.Contains(err.Error(), "not found") {
			t.Errorf("%s gives %+v, %v", name, m, err)
		}
	}
	if _, err := c.ReplaceMessage(ctx, &venusReplace{Auto: true}); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("replaced: %v", err)
	}
}

func TestWaitMessageWaitsForTheConfidenceAndEndsOnFailure(t *testing.T) {
	d := &desk{t: t, head: 100}
	s, tokens := served(t, d)
	c := dial(t, s.URL, bearing(t, tokens, AllPermissions...))
	for _, id := range []string{"a", "b", "c"} {
		if _, err := c.PushMessageWithId(t.Context(), id, post(), nil); err != nil {
			t.Fatal(err)
		}
	}
	d.landed("a", 100, 0)
	d.to(110) // a confidence of 10 is not more than 10
	limited, cancel := context.WithTimeout(t.Context(), 40*time.Millisecond)
	defer cancel()
	if m, err := c.WaitMessage(limited, "a", 10); err == nil {
		t.Errorf("answered too early: %+v", m)
	}
	if err := c.MarkBadMessage(t.Context(), "b"); err != nil {
		t.Error(err)
	}
	if m, err := c.WaitMessage(t.Context(), "b", 10); err != nil || m.State != 4 {
		t.Errorf("given up: %+v, %v", m, err)
	}
	d.landed("c", 100, 16)
	d.to(111)
	if m, err := c.WaitMessage(t.Context(), "c", 10); err != nil || m.State != 3 || m.Receipt.ExitCode != 16 {
		t.Errorf("failed on chain: %+v, %v", m, err)
	}
	if m, err := c.WaitMessage(t.Context(), "nobody's", 10); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("unknown: %+v, %v", m, err)
	}
}

func TestTheListsOfAMessager(t *testing.T) {
	d := &desk{t: t, head: 100}
	s, tokens := served(t, d)
	c := dial(t, s.URL, bearing(t, tokens, "read", "write"))
	ctx := t.Context()
	for _, id := range []string{"queued", "published", "executed", "cancelled"} {
		if _, err := c.PushMessageWithId(ctx, id, post(), nil); err != nil {
			t.Fatal(err)
		}
	}
	d.set("queued", func(m *vigil.Message) { m.Problem = "no gas could be estimated" })
	d.set("published", d.attempt)
	d.landed("executed", 99, 0)
	d.set("cancelled", func(m *vigil.Message) { m.State, m.Created = vigil.MessageCancelled, time.Now() })
	ids := func(list []*venusMessage, err error) string {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		var words []string
		for _, m := range list {
			words = append(words, m.ID)
		}
		return strings.Join(words, " ")
	}
	now, made, other := time.Now(), time.Unix(1700000000, 0), vigil.MinerAddress(5000)
	for _, test := range []struct{ got, want string }{
		{ids(c.ListMessage(ctx, nil)), "cancelled executed published queued"},
		{ids(c.ListMessage(ctx, &venusQuery{Asc: true})), "queued published executed cancelled"},
		{ids(c.ListMessage(ctx, &venusQuery{State: []int{1, 3}, Asc: true})), "queued executed"},
		{ids(c.ListMessage(ctx, &venusQuery{State: []int{0}})), ""},
		{ids(c.ListMessage(ctx, &venusQuery{From: []address.Address{sender}, ByUpdateAt: &made, Asc: true, Offset: 1, Limit: 2})), "published executed"},
		{ids(c.ListMessage(ctx, &venusQuery{ByUpdateAt: &now})), ""},
		{ids(c.ListMessage(ctx, &venusQuery{From: []address.Address{other}})), ""},
		{ids(c.ListMessage(ctx, &venusQuery{Offset: 9})), ""},
		{ids(c.ListMessageByAddress(ctx, sender)), "cancelled executed published queued"},
		{ids(c.ListMessageByFromState(ctx, sender, 2, true, 1, 10, 0)), "published"},
		{ids(c.ListMessageByFromState(ctx, sender, 2, true, 2, 10, 0)), ""},
		{ids(c.ListMessageByFromState(ctx, address.Undef, 4, true, 0, 0, time.Hour)), "cancelled"},
		{ids(c.ListMessageByFromState(ctx, sender, 1, true, 1, 10, time.Hour)), ""},
		{ids(c.ListFailedMessage(ctx)), "queued"},
		{ids(c.ListBlockedMessage(ctx, sender, time.Hour)), "queued published"},
		{ids(c.ListBlockedMessage(ctx, address.Undef, time.Since(time.Time{}))), ""},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
	if id, err := c.PushMessage(ctx, post(), nil); err != nil || id == "" {
		t.Errorf("%q, %v", id, err)
	}
	if has, err := c.WalletHas(ctx, sender); !has || err != nil {
		t.Errorf("WalletHas: %v, %v", has, err)
	}
	if has, err := c.HasAddress(ctx, other); has || err != nil {
		t.Errorf("HasAddress: %v, %v", has, err)
	}
	if v, err := c.Version(ctx); err != nil || v.Version != "vigil 1.2.3" {
		t.Errorf("%v, %v", v, err)
	}
}

func TestOperatorsReplaceAndRepublish(t *testing.T) {
	d := &desk{t: t, head: 100}
	s, tokens := served(t, d)
	c := dial(t, s.URL, bearing(t, tokens, "read", "write"))
	if _, err := c.PushMessageWithId(t.Context(), "a", post(), nil); err != nil {
		t.Fatal(err)
	}
	d.set("a", d.attempt)
	first, err := c.ReplaceMessage(t.Context(), &venusReplace{ID: "a", Auto: true, MaxFee: big.Zero(), GasPremium: big.Zero(), GasFeecap: big.Zero()})
	if err != nil || first != d.rows[0].Attempts[1].CID {
		t.Errorf("auto: %s, %v", first, err)
	}
	second, err := c.ReplaceMessage(t.Context(), &venusReplace{ID: "a", GasLimit: 5, MaxFee: big.Zero(), GasPremium: big.NewInt(300), GasFeecap: big.NewInt(400)})
	if err != nil || second != d.rows[0].Attempts[2].CID {
		t.Errorf("by hand: %s, %v", second, err)
	}
	if _, err := c.ReplaceMessage(t.Context(), &venusReplace{ID: "a", MaxFee: big.Zero(), GasPremium: big.Zero(), GasFeecap: big.Zero()}); err == nil {
		t.Error("a replacement without any gas was taken")
	}
	if err := c.RepublishMessage(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if got := strings.Join(d.said, ", "); got != "replace a, replace a 400, republish a" {
		t.Errorf("wished for: %s", got)
	}
}

func TestWhatIsNotSignedIsNotTaken(t *testing.T) {
	d := &desk{t: t, head: 100}
	s, tokens := served(t, d)
	c := dial(t, s.URL, bearing(t, tokens, "read", "write"))
	stranger := post()
	stranger.To = vigil.MinerAddress(1001)
	if _, err := c.PushMessageWithId(t.Context(), "x", stranger, nil); err == nil || !strings.Contains(err.Error(), "refused to sign: not this one") {
		t.Errorf("%v", err)
	}
	if _, err := c.PushMessageWithId(t.Context(), "x", nil, nil); err == nil {
		t.Error("no message was taken")
	}
	if _, err := c.PushMessageWithId(t.Context(), "x", post(), nil); err != nil {
		t.Error(err)
	}
	other := post()
	other.Params = []byte{9}
	if _, err := c.PushMessageWithId(t.Context(), "x", other, nil); err == nil || !strings.Contains(err.Error(), "exists with another content") {
		t.Errorf("%v", err)
	}
	if len(d.rows) != 1 {
		t.Errorf("stored: %+v", d.rows)
	}
}

func TestATokenPermitsWhatItSays(t *testing.T) {
	d := &desk{t: t, head: 100}
	s, tokens := served(t, d)
	reader := dial(t, s.URL, bearing(t, tokens, "read"))
	if _, err := reader.ListMessage(t.Context(), nil); err != nil {
		t.Error(err)
	}
	for name, call := range map[string]func(*venusClient) error{
		"push":      func(c *venusClient) error { _, err := c.PushMessageWithId(t.Context(), "x", post(), nil); return err },
		"mark bad":  func(c *venusClient) error { return c.MarkBadMessage(t.Context(), "x") },
		"republish": func(c *venusClient) error { return c.RepublishMessage(t.Context(), "x") },
		"replace": func(c *venusClient) error {
			_, err := c.ReplaceMessage(t.Context(), &venusReplace{ID: "x", Auto: true, MaxFee: big.Zero(), GasPremium: big.Zero(), GasFeecap: big.Zero()})
			return err
		},
	} {
		if err := call(reader); err == nil || !strings.Contains(err.Error(), "need 'write'") {
			t.Errorf("%s with a token to read: %v", name, err)
		}
	}
	none := dial(t, s.URL, bearing(t, tokens))
	if _, err := none.GetMessageByUid(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "need 'read'") {
		t.Errorf("a token without permissions: %v", err)
	}
	strangers, err := OpenTokens(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, header := range map[string]http.Header{
		"no token": nil, "another's token": bearing(t, strangers, "read", "write"),
		"no JWT": {"Authorization": {"Bearer x"}}, "an unsigned JWT": {"Authorization": {"Bearer eyJhbGciOiJub25lIn0.eyJBbGxvdyI6WyJyZWFkIl19."}},
	} {
		if _, err := dial(t, s.URL, header).ListMessage(t.Context(), nil); err == nil {
			t.Errorf("%s: answered", name)
		}
	}
	if len(d.rows)+len(d.said) > 0 {
		t.Errorf("something was done: %v %v", d.rows, d.said)
	}
}

func TestTokensOutliveTheProcessAndAreTakenBackWithTheirSecret(t *testing.T) {
	dir := t.TempDir()
	first, err := OpenTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	token, err := first.Issue("read")
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	if perms, err := again.Permissions(token); err != nil || len(perms) != 1 {
		t.Errorf("%v, %v", perms, err)
	}
	if _, err := again.Issue("everything"); err == nil {
		t.Error("a permission that does not exist was given")
	}
	if _, err := (Tokens{}).Permissions(token); !errors.Is(err, errToken) {
		t.Errorf("no secret: %v", err)
	}
}

// The names in JSON are those of venus-shared/types/messager, in their order.
func TestTheShapeOfAMessageIsVenus(t *testing.T) {
	text, err := json.Marshal(&Message{Call: Call{Value: big.Zero(), GasFeeCap: big.Zero(), GasPremium: big.Zero()}, Meta: &SendSpec{MaxFee: big.Zero()}, TipSetKey: []cid.Cid{}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"ID":"","UnsignedCid":null,"SignedCid":null,"Version":0,"To":"\u003cempty\u003e","From":"\u003cempty\u003e","Nonce":0,"Value":"0","GasLimit":0,` +
		`"GasFeeCap":"0","GasPremium":"0","Method":0,"Params":null,"Signature":null,"Height":0,"Confidence":0,"Receipt":null,"TipSetKey":[],` +
		`"Meta":{"expireEpoch":0,"gasOverEstimation":0,"maxFee":"0","gasOverPremium":0},"WalletName":"","State":0,"ErrorMsg":"",` +
		`"CreatedAt":"0001-01-01T00:00:00Z","UpdatedAt":"0001-01-01T00:00:00Z"}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}
