package sophon

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/filecoin-project/go-address"
	rpc "github.com/filecoin-project/go-jsonrpc"
	"github.com/filecoin-project/go-jsonrpc/auth"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/google/uuid"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

const (
	// Path is where the API is served, as by sophon-messager.
	Path      = "/rpc/v0"
	namespace = "Message"
	// maxRequest is far above what a message of 64 KiB takes in JSON.
	maxRequest = 1 << 20
)

// Server is what the API is answered with. All but Changed, Every and Version are required.
type Server struct {
	Messager vigil.Messager
	Desk     vigil.MessageDesk
	// Head is the epoch of the chain's head.
	Head func(context.Context) (abi.ChainEpoch, error)
	// Has says whether the key of an address is held, and Allow whether keys
	// are used for such a call: what is not signed anyway is not taken.
	Has   func(context.Context, address.Address) (bool, error)
	Allow func(vigil.Call) error
	// Permissions of a caller's token, or an error.
	Permissions func(token string) ([]auth.Permission, error)
	// Changed is closed at the next change of the head or of a message: who
	// waits for a message asks nothing before that. nil: they look again after Every.
	Changed func() <-chan struct{}
	// Every is how often a message that is waited for is looked at, at most; default 1 s.
	Every   time.Duration
	Version string
}

// Handler answers at Path, over HTTP and WebSocket. Every call needs a token
// in the Authorization header that permits it.
func (s Server) Handler() http.Handler {
	s = s.withDefaults()
	server := rpc.NewServer(rpc.WithMaxRequestSize(maxRequest))
	server.Register(namespace, &api{s})
	checked := &auth.Handler{
		Verify: func(_ context.Context, token string) ([]auth.Permission, error) { return s.Permissions(token) },
		Next:   server.ServeHTTP,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			http.Error(w, "a token is needed: vigil message token prints one", http.StatusUnauthorized)
			return
		}
		checked.ServeHTTP(w, r)
	})
}

func (s Server) withDefaults() Server {
	if s.Every == 0 {
		s.Every = time.Second
	}
	if s.Changed == nil {
		s.Changed = func() <-chan struct{} { return always }
	}
	return s
}

// api is the methods. It is registered by reflection: everything exported is served.
type api struct{ s Server }

func need(ctx context.Context, perm auth.Permission, method string) error {
	if auth.HasPerm(ctx, nil, perm) {
		return nil
	}
	return fmt.Errorf("missing permission to invoke '%s' (need '%s')", method, perm)
}

// PushMessageWithId takes a message under the caller's ID, and answers when it
// is stored. The same ID with the same call is no error: it is the same message.
// What the message says of gas is not used; the daemon chooses it.
func (a *api) PushMessageWithId(ctx context.Context, id string, call *Call, spec *SendSpec) (string, error) { //nolint:revive // the API's name
	if err := need(ctx, "write", "PushMessageWithId"); err != nil {
		return "", err
	}
	if call == nil {
		return "", fmt.Errorf("push message %q: it holds no message", id)
	}
	r := requestOf(id, *call, spec)
	if err := a.s.Allow(r.Call); err != nil {
		return "", fmt.Errorf("push message %q: %w", id, err)
	}
	m, err := a.s.Messager.Push(ctx, r)
	if err != nil {
		return "", err
	}
	return m.ID, nil
}

// PushMessage is PushMessageWithId under an ID that is made here, so that it
// can be said twice and sends twice: give an ID where that would be wrong.
func (a *api) PushMessage(ctx context.Context, call *Call, spec *SendSpec) (string, error) {
	return a.PushMessageWithId(ctx, uuid.NewString(), call, spec)
}

// requestOf is a pushed message as our messager takes it. Its duty is only the
// miner that it is for, where it is for one.
func requestOf(id string, call Call, spec *SendSpec) vigil.MessageRequest {
	r := vigil.MessageRequest{
		ID:      id,
		Senders: []address.Address{call.From},
		Expires: never,
		Call:    vigil.Call{From: call.From, To: call.To, Method: call.Method, Value: amount(call.Value), Params: call.Params},
	}
	if spec != nil && spec.ExpireEpoch > 0 {
		r.Expires = spec.ExpireEpoch
	}
	if miner, err := address.IDFromAddress(call.To); err == nil {
		r.Duty.Miner = abi.ActorID(miner)
	}
	return r
}

// WaitMessage answers when the message was executed more than so many epochs
// ago, or is given up.
func (a *api) WaitMessage(ctx context.Context, id string, confidence uint64) (*Message, error) {
	ticker := time.NewTicker(a.s.Every)
	defer ticker.Stop()
	for {
		changed := a.s.Changed() // before looking: a change in between is not missed
		m, err := a.GetMessageByUid(ctx, id)
		if err != nil || m.State == FailedMsg || m.State == OnChainMsg && uint64(m.Confidence) > confidence {
			return m, err
		}
		if err := until(ctx, changed); err != nil {
			return nil, err
		}
		if err := until(ctx, ticker.C); err != nil { // changes come in numbers
			return nil, err
		}
	}
}

// until waits for a channel, or for who asked to leave.
func until[T any](ctx context.Context, c <-chan T) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c:
		return nil
	}
}

// always is a change that has been.
var always = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// ReplaceMessage signs the message anew at its nonce, with the gas given or,
// if it says Auto, with what the daemon would take next, and answers with the
// new CID.
func (a *api) ReplaceMessage(ctx context.Context, p *ReplaceParams) (cid.Cid, error) {
	if err := need(ctx, "write", "ReplaceMessage"); err != nil {
		return cid.Undef, err
	}
	if p == nil {
		return cid.Undef, fmt.Errorf("replace a message: which one is not said")
	}
	before, err := a.one(ctx, vigil.MessageQuery{ID: p.ID}, p.ID)
	if err != nil {
		return cid.Undef, err
	}
	gas, err := gasOf(p)
	if err != nil {
		return cid.Undef, err
	}
	if err := a.s.Desk.Replace(ctx, p.ID, gas); err != nil {
		return cid.Undef, err
	}
	return a.newAttempt(ctx, before)
}

// gasOf is the gas of a replacement, or nil where the daemon chooses it.
func gasOf(p *ReplaceParams) (*vigil.Gas, error) {
	if p.Auto {
		return nil, nil
	}
	gas := vigil.Gas{Limit: p.GasLimit, FeeCap: amount(p.GasFeecap), Premium: amount(p.GasPremium)}
	if gas.Limit <= 0 || gas.FeeCap.Sign() <= 0 || gas.Premium.Sign() <= 0 {
		return nil, fmt.Errorf("replace message %s: give GasLimit, GasFeecap and GasPremium, or Auto", p.ID)
	}
	return &gas, nil
}

// replacing is how long ReplaceMessage waits for the daemon's loop, which
// makes the replacement at once unless the node or the signer keeps it waiting.
const replacing = 30 * time.Second

func (a *api) newAttempt(ctx context.Context, before vigil.Message) (cid.Cid, error) {
	limited, cancel := context.WithTimeout(ctx, replacing)
	defer cancel()
	ticker := time.NewTicker(a.s.Every / 4)
	defer ticker.Stop()
	for {
		m, err := a.one(limited, vigil.MessageQuery{ID: before.ID}, before.ID)
		if n := len(m.Attempts); err == nil && n > len(before.Attempts) {
			return m.Attempts[n-1].CID, nil
		}
		if ctx.Err() == nil && limited.Err() == nil && err == nil && !m.State.Done() {
			select {
			case <-limited.Done():
			case <-ticker.C:
			}
			continue
		}
		if err == nil || limited.Err() != nil {
			err = fmt.Errorf("the wish to replace message %s is written down, and nothing has come of it yet: it is %s: %s", before.ID, m.State, m.Problem)
		}
		return cid.Undef, err
	}
}

// MarkBadMessage gives a message up: it is not executed if that can still be helped.
func (a *api) MarkBadMessage(ctx context.Context, id string) error {
	if err := need(ctx, "write", "MarkBadMessage"); err != nil {
		return err
	}
	return a.s.Desk.Cancel(ctx, id)
}

// RepublishMessage hands a message to the nodes now.
func (a *api) RepublishMessage(ctx context.Context, id string) error {
	if err := need(ctx, "write", "RepublishMessage"); err != nil {
		return err
	}
	return a.s.Desk.Republish(ctx, id)
}

// WalletHas says whether messages can be sent from the address of a key.
func (a *api) WalletHas(ctx context.Context, key address.Address) (bool, error) {
	if err := need(ctx, "read", "WalletHas"); err != nil {
		return false, err
	}
	return a.s.Has(ctx, key)
}

// HasAddress is WalletHas: here a key needs nothing else to be used.
func (a *api) HasAddress(ctx context.Context, key address.Address) (bool, error) {
	return a.WalletHas(ctx, key)
}

// Version names this program.
func (a *api) Version(ctx context.Context) (Version, error) {
	return Version{Version: "vigil " + a.s.Version}, need(ctx, "read", "Version")
}
