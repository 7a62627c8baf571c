package devnet_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-jsonrpc"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/dline"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/google/uuid"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil/devnet"
)

// The types below are what a tool of the ecosystem has: written from the API's
// documentation on go-state-types, sharing nothing with this package's own.

type tipset struct {
	Cids   []cid.Cid
	Blocks []struct {
		Miner           address.Address
		Parents         []cid.Cid
		ParentWeight    big.Int
		ParentStateRoot cid.Cid
		Height          abi.ChainEpoch
		WinPoStProof    []proof.PoStProof
		BLSAggregate    *crypto.Signature
		Timestamp       uint64
		ParentBaseFee   abi.TokenAmount
	}
	Height abi.ChainEpoch
}

type headChange struct {
	Type string
	Val  *tipset
}

type message struct {
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

type signedMessage struct {
	Message   message
	Signature crypto.Signature
}

type sendSpec struct {
	MaxFee         abi.TokenAmount
	MsgUuid        uuid.UUID
	MaximizeFeeCap bool
}

type msgLookup struct {
	Message cid.Cid
	Receipt struct {
		ExitCode   exitcode.ExitCode
		Return     []byte
		GasUsed    int64
		EventsRoot *cid.Cid
	}
	ReturnDec any
	TipSet    []cid.Cid
	Height    abi.ChainEpoch
}

type deadline struct {
	PostSubmissions      bitfield.BitField
	DisputableProofCount uint64
	DailyFee             abi.TokenAmount
}

type partition struct {
	AllSectors        bitfield.BitField
	FaultySectors     bitfield.BitField
	RecoveringSectors bitfield.BitField
	LiveSectors       bitfield.BitField
	ActiveSectors     bitfield.BitField
}

// node is a proxy as the ecosystem's tools have one: a struct of functions.
type node struct {
	Internal struct {
		Version                   func(context.Context) (struct{ APIVersion uint32 }, error)                          `perm:"read"`
		ChainHead                 func(context.Context) (*tipset, error)                                              `perm:"read"`
		ChainNotify               func(context.Context) (<-chan []*headChange, error)                                 `perm:"read"`
		StateMinerProvingDeadline func(context.Context, address.Address, []cid.Cid) (*dline.Info, error)              `perm:"read"`
		StateMinerDeadlines       func(context.Context, address.Address, []cid.Cid) ([]deadline, error)               `perm:"read"`
		StateMinerPartitions      func(context.Context, address.Address, uint64, []cid.Cid) ([]partition, error)      `perm:"read"`
		StateListMiners           func(context.Context, []cid.Cid) ([]address.Address, error)                         `perm:"read"`
		StateSearchMsg            func(context.Context, []cid.Cid, cid.Cid, abi.ChainEpoch, bool) (*msgLookup, error) `perm:"read"`
		StateWaitMsg              func(context.Context, cid.Cid, uint64, abi.ChainEpoch, bool) (*msgLookup, error)    `perm:"read"`
		MpoolGetNonce             func(context.Context, address.Address) (uint64, error)                              `perm:"read"`
		MpoolPush                 func(context.Context, *signedMessage) (cid.Cid, error)                              `perm:"write"`
		MpoolPushMessage          func(context.Context, *message, *sendSpec) (*signedMessage, error)                  `perm:"sign"`
		MpoolSub                  func(context.Context) (<-chan mpoolUpdate, error)                                   `perm:"read"`
		GasEstimateMessageGas     func(context.Context, *message, *sendSpec, []cid.Cid) (*message, error)             `perm:"read"`
		WalletDefaultAddress      func(context.Context) (address.Address, error)                                      `perm:"write"`
		WalletSignMessage         func(context.Context, address.Address, *message) (*signedMessage, error)            `perm:"sign"`
		Closing                   func(context.Context) (<-chan struct{}, error)                                      `perm:"read"`
	}
}

type mpoolUpdate struct {
	Type    int
	Message *signedMessage
}

// infoWithToken is how the ecosystem's tools see that an API info has a token.
var infoWithToken = regexp.MustCompile(`^[a-zA-Z0-9\-_]+?\.[a-zA-Z0-9\-_]+?\.([a-zA-Z0-9\-_]+)?:.+$`)

// dial takes an API info apart as those tools do and opens a connection.
func dial(t *testing.T, info, scheme string) *node {
	t.Helper()
	if !infoWithToken.MatchString(info) {
		t.Fatalf("%s is not token:multiaddr", info)
	}
	token, addr, _ := strings.Cut(info, ":")
	var port int
	if _, err := fmt.Sscanf(addr, "/ip4/127.0.0.1/tcp/%d/http", &port); err != nil {
		t.Fatalf("multiaddr %s: %v", addr, err)
	}
	var n node
	closer, err := jsonrpc.NewMergeClient(t.Context(), fmt.Sprintf("%s://127.0.0.1:%d/rpc/v1", scheme, port), "Filecoin",
		[]any{&n.Internal}, http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closer)
	return &n
}

func running(t *testing.T) *devnet.Network {
	t.Helper()
	chain, err := devnet.Open(t.Context(), devnet.Config{
		Dir: t.TempDir(), Manual: true, Sectors: 8, Log: slog.New(slog.DiscardHandler),
		Verify: func(proof.WindowPoStVerifyInfo) error { return nil },
		Sector: func(_ context.Context, _ string, _ abi.ActorID, n abi.SectorNumber) ([32]byte, error) {
			return [32]byte{byte(n) + 1}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- chain.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return chain
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestAnEcosystemClientFollowsReadsAndPushes is what a Window PoSt tool does
// all day, with go-jsonrpc's client as it is.
func TestAnEcosystemClientFollowsReadsAndPushes(t *testing.T) {
	chain, ctx := running(t), t.Context()
	for _, scheme := range []string{"ws", "http"} {
		api := dial(t, chain.APIInfo(), scheme).Internal
		if v := must(api.Version(ctx))(t); v.APIVersion>>8 != 2<<8|3 {
			t.Errorf("%s: API version %#x", scheme, v.APIVersion)
		}
		readsDeadlines(t, dial(t, chain.APIInfo(), scheme))
	}
	api := dial(t, chain.APIInfo(), "ws").Internal
	heads := must(api.ChainNotify(ctx))(t)
	if first := <-heads; len(first) != 1 || first[0].Type != "current" {
		t.Fatalf("first %+v", first)
	}
	worker := must(api.WalletDefaultAddress(ctx))(t)
	miner := must(api.StateListMiners(ctx, nil))(t)[0]

	// A message of the client's own making.
	draft := &message{To: miner, From: worker, Method: 2, Value: big.Zero(), GasFeeCap: big.Zero(), GasPremium: big.Zero()}
	priced := must(api.GasEstimateMessageGas(ctx, draft, &sendSpec{MaxFee: big.NewInt(1e18)}, nil))(t)
	priced.Nonce = must(api.MpoolGetNonce(ctx, worker))(t)
	signed := must(api.WalletSignMessage(ctx, worker, priced))(t)
	pushed := must(api.MpoolPush(ctx, signed))(t)
	// One that the node signs.
	other := must(api.MpoolPushMessage(ctx, draft, nil))(t)
	if other.Message.Nonce != priced.Nonce+1 {
		t.Errorf("nonce %d after %d", other.Message.Nonce, priced.Nonce)
	}

	waited := make(chan *msgLookup)
	go func() {
		found, err := api.StateWaitMsg(ctx, pushed, 2, 100, true)
		if err != nil {
			t.Errorf("wait: %v", err)
		}
		waited <- found
	}()
	if err := chain.Advance(ctx, 4); err != nil {
		t.Fatal(err)
	}
	for want := abi.ChainEpoch(1); want <= 4; want++ {
		if change := <-heads; change[0].Type != "apply" || change[0].Val.Height != want {
			t.Errorf("change %+v, want epoch %d", change[0], want)
		}
	}
	found := <-waited
	if found == nil || found.Message != pushed || found.Receipt.ExitCode != 0 || found.Height != 2 {
		t.Fatalf("waited for %+v", found)
	}
	if dec, ok := found.ReturnDec.(map[string]any); !ok || dec["Worker"] == nil {
		t.Errorf("what ControlAddresses returned is not decoded: %v", found.ReturnDec)
	}
	again := must(api.StateSearchMsg(ctx, nil, pushed, -1, true))(t)
	if again == nil || again.Height != found.Height || again.TipSet[0] != found.TipSet[0] {
		t.Errorf("searched %+v, waited for %+v", again, found)
	}
}

// readsDeadlines finds the miner's 48 deadlines, where its sectors are and what is open.
func readsDeadlines(t *testing.T, n *node) {
	t.Helper()
	api, ctx := n.Internal, t.Context()
	head := must(api.ChainHead(ctx))(t)
	miner := must(api.StateListMiners(ctx, head.Cids))(t)[0]
	info := must(api.StateMinerProvingDeadline(ctx, miner, head.Cids))(t)
	if info.CurrentEpoch != head.Height || info.Open > info.CurrentEpoch || info.WPoStPeriodDeadlines != 48 {
		t.Errorf("proving deadline %+v at %d", info, head.Height)
	}
	sectors := uint64(0)
	for i := range must(api.StateMinerDeadlines(ctx, miner, head.Cids))(t) {
		for _, p := range must(api.StateMinerPartitions(ctx, miner, uint64(i), head.Cids))(t) {
			sectors += must(p.LiveSectors.Count())(t)
		}
	}
	if sectors != 8 {
		t.Errorf("%d sectors, want 8", sectors)
	}
}

// TestAnEcosystemClientHearsOfThePool subscribes to the message pool.
func TestAnEcosystemClientHearsOfThePool(t *testing.T) {
	chain, ctx := running(t), t.Context()
	api := dial(t, chain.APIInfo(), "ws").Internal
	updates := must(api.MpoolSub(ctx))(t)
	worker := must(api.WalletDefaultAddress(ctx))(t)
	sm := must(api.MpoolPushMessage(ctx, &message{To: worker, From: worker, Value: big.Zero(), GasFeeCap: big.Zero(), GasPremium: big.Zero()}, nil))(t)
	if u := <-updates; u.Type != 0 || u.Message.Message.Nonce != sm.Message.Nonce {
		t.Errorf("update %+v, want that the message came", u)
	}
	if err := chain.Advance(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if u := <-updates; u.Type != 1 || u.Message.Message.Nonce != sm.Message.Nonce {
		t.Errorf("update %+v, want that the message left", u)
	}
}
