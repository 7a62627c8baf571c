package wallet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/jsonrpc"
)

// Remote is a wallet in another program: lotus-wallet, venus-wallet, or a
// node's own. It is asked by JSON-RPC, for Filecoin.WalletHas and
// Filecoin.WalletSign. The message travels with the request, so that the
// remote can judge it too.
type Remote struct {
	client  *jsonrpc.Client
	timeout time.Duration
	bare    atomic.Bool  // it takes a key and bytes only, as a node's own wallet
	hung    atomic.Int64 // when it was last waited for in vain, in nanoseconds since 1970
}

// remotePath is where wallets serve their API.
const remotePath = "/rpc/v0"

// NewRemote reads the address of a wallet, a URL or token:multiaddress, and
// asks nothing yet. A timeout of 0 is 10 s a call.
func NewRemote(address, token string, timeout time.Duration) (*Remote, error) {
	client, err := jsonrpc.New(address, token, remotePath, timeout)
	if err != nil {
		return nil, fmt.Errorf("remote wallet: %w", err)
	}
	return &Remote{client: client, timeout: cmp.Or(timeout, jsonrpc.DefaultTimeout)}, nil
}

// hangs is for how long a wallet that did not answer is given a tenth of the
// time: who signs many messages does not wait in vain for each.
const hangs = time.Minute

func (r *Remote) call(ctx context.Context, result any, method string, params ...any) error {
	patience, hung := r.timeout, time.Since(time.Unix(0, r.hung.Load())) < hangs
	if hung {
		patience /= 10
	}
	err := r.client.CallWithin(ctx, patience, result, method, params...)
	switch {
	case err == nil:
		r.hung.Store(0)
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && !hung:
		r.hung.Store(time.Now().UnixNano())
	}
	return err
}

// Name implements Source.
func (r *Remote) Name() string { return "remote wallet " + r.client.URL() }

// Has implements Source.
func (r *Remote) Has(ctx context.Context, key address.Address) (held bool, err error) {
	return held, r.call(ctx, &held, "Filecoin.WalletHas", key)
}

// List gives the addresses of the wallet's keys.
func (r *Remote) List(ctx context.Context) (keys []address.Address, err error) {
	return keys, r.call(ctx, &keys, "Filecoin.WalletList")
}

// messageMeta tells a wallet what it signs (lotus api/api_wallet.go): of a
// message the CBOR, whose CID the signed bytes are.
type messageMeta struct {
	Type  string
	Extra []byte
}

// Sign implements Source. Like every Source's, its answer is to be verified.
func (r *Remote) Sign(ctx context.Context, m vigil.SignedMessage) (crypto.Signature, error) {
	data, err := m.EncodeUnsigned()
	if err != nil {
		return crypto.Signature{}, err
	}
	unsigned, err := m.UnsignedCID()
	if err != nil {
		return crypto.Signature{}, err
	}
	params := []any{m.From, unsigned.Bytes(), messageMeta{"message", data}}
	if r.bare.Load() {
		params = params[:2]
	}
	signature, err := r.sign(ctx, params)
	var answer *jsonrpc.Error
	if errors.As(err, &answer) && answer.Code == jsonrpc.InvalidParams && len(params) == 3 {
		// A node's WalletSign has no third parameter. It was not carried out.
		if signature, err = r.sign(ctx, params[:2]); err == nil {
			r.bare.Store(true)
		}
	}
	return signature, err
}

func (r *Remote) sign(ctx context.Context, params []any) (crypto.Signature, error) {
	var signature *crypto.Signature
	if err := r.call(ctx, &signature, "Filecoin.WalletSign", params...); err != nil {
		return crypto.Signature{}, err
	}
	if signature == nil {
		return crypto.Signature{}, errors.New("it answers without a signature")
	}
	return *signature, nil
}
