package wallet

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
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil/jsonrpc"
)

// MsgMeta is Lotus' own (api/api_wallet.go).
type MsgMeta struct {
	Type  string
	Extra []byte
}

// walletAPI is the wallet that lotus-wallet and venus-wallet serve, over ours.
type walletAPI struct {
	keys   *Wallet
	t      *testing.T
	spoil  func(*crypto.Signature)
	before func()
}

func (a *walletAPI) WalletHas(ctx context.Context, key address.Address) (bool, error) {
	return a.keys.Has(ctx, key)
}

func (a *walletAPI) WalletList(context.Context) ([]address.Address, error) {
	var list []address.Address
	for _, k := range a.keys.List() {
		list = append(list, k.Address)
	}
	return list, nil
}

func (a *walletAPI) WalletSign(_ context.Context, signer address.Address, toSign []byte, meta MsgMeta) (*crypto.Signature, error) {
	if a.before != nil {
		a.before()
	}
	m := message(signer, 1)
	data, err := m.EncodeUnsigned()
	if err != nil {
		return nil, err
	}
	if meta.Type != "message" || string(meta.Extra) != string(data) {
		a.t.Errorf("asked to sign a %q of %x, want a message of %x", meta.Type, meta.Extra, data)
	}
	return a.sign(signer, toSign)
}

func (a *walletAPI) sign(signer address.Address, toSign []byte) (*crypto.Signature, error) {
	k, err := a.keys.key(signer)
	if err != nil {
		return nil, err
	}
	s, err := k.sign(toSign)
	if a.spoil != nil {
		a.spoil(&s)
	}
	return &s, err
}

// nodeAPI is the wallet of a node: its WalletSign knows no meta.
type nodeAPI struct{ *walletAPI }

func (a nodeAPI) WalletSign(_ context.Context, signer address.Address, toSign []byte) (*crypto.Signature, error) {
	return a.sign(signer, toSign)
}

// token has the form that Filecoin's programs give out.
const token = "eyJhbGciOiJIUzI1NiJ9.eyJBbGxvdyI6WyJhZG1pbiJdfQ.c2ln"

func serve(t *testing.T, api any) *httptest.Server {
	t.Helper()
	server := rpc.NewServer()
	server.Register("Filecoin", api)
	mux := http.NewServeMux()
	mux.Handle("/rpc/v0", &auth.Handler{
		Verify: func(_ context.Context, given string) ([]auth.Permission, error) {
			if given != token {
				return nil, errors.New("no such token")
			}
			return []auth.Permission{"admin"}, nil
		},
		Next: server.ServeHTTP,
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func remote(t *testing.T, s *httptest.Server) *Remote {
	t.Helper()
	host, port, _ := strings.Cut(s.Listener.Addr().String(), ":")
	r, err := NewRemote(token+":/ip4/"+host+"/tcp/"+port+"/http", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARemoteWalletSignsWhatItIsShown(t *testing.T) {
	for _, kind := range []KeyType{Secp256k1, BLS} {
		keys := create(t)
		addr, err := keys.New(kind)
		if err != nil {
			t.Fatal(err)
		}
		api := &walletAPI{keys: keys, t: t}
		for name, served := range map[string]any{"a wallet": api, "a node": nodeAPI{api}} {
			r := remote(t, serve(t, served))
			g := Guard{policy, []Source{r}}
			if has, err := g.Has(t.Context(), addr); !has || err != nil {
				t.Fatalf("%s: Has: %v, %v", name, has, err)
			}
			if list, err := r.List(t.Context()); err != nil || len(list) != 1 || list[0] != addr {
				t.Errorf("%s: List: %v, %v", name, list, err)
			}
			for range 2 { // what a node takes is found out once
				s, err := g.Sign(t.Context(), message(addr, 1))
				if err != nil || Verify(message(addr, 1), s) != nil {
					t.Errorf("%s, %s: %v", name, kind, err)
				}
			}
			if has, err := g.Has(t.Context(), keyAddress(t)); has || err != nil {
				t.Errorf("%s: Has of another key: %v, %v", name, has, err)
			}
		}
	}
}

func TestARemoteThatSignsSomethingElseIsRefusedByName(t *testing.T) {
	keys := create(t)
	addr, err := keys.New(Secp256k1)
	if err != nil {
		t.Fatal(err)
	}
	other, err := keys.New(BLS)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*crypto.Signature){
		"a flipped bit": func(s *crypto.Signature) { s.Data[5] ^= 1 },
		"another type":  func(s *crypto.Signature) { s.Type = crypto.SigTypeBLS },
		"no bytes":      func(s *crypto.Signature) { s.Data = nil },
		"another key's": func(s *crypto.Signature) {
			o, err := keys.Sign(t.Context(), message(other, 1))
			if err != nil {
				t.Error(err)
			}
			*s = o
		},
		"another message's": func(s *crypto.Signature) {
			o, err := keys.Sign(t.Context(), message(addr, 2))
			if err != nil {
				t.Error(err)
			}
			*s = o
		},
	} {
		server := serve(t, &walletAPI{keys: keys, t: t, spoil: spoil})
		_, err := Guard{policy, []Source{remote(t, server)}}.Sign(t.Context(), message(addr, 1))
		if err == nil || !strings.Contains(err.Error(), "remote wallet "+server.URL) || !strings.Contains(err.Error(), "is refused") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARemoteWithAnotherTokenOrWithoutAnAnswer(t *testing.T) {
	keys := create(t)
	addr, err := keys.New(Secp256k1)
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, &walletAPI{keys: keys, t: t})
	r, err := NewRemote(server.URL, "a.b.c", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Has(t.Context(), addr); !errors.Is(err, jsonrpc.ErrToken) || strings.Contains(err.Error(), "a.b.c") {
		t.Errorf("another token: %v", err)
	}
	ended := make(chan struct{})
	defer close(ended)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-ended:
		case <-r.Context().Done():
		}
	}))
	defer silent.CloseClientConnections()
	if r, err = NewRemote(silent.URL, token, 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Sign(t.Context(), message(addr, 1)); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("no answer: %v", err)
	}
}

// The shapes are those of a real Lotus node.
func TestARemoteAsksAsLotusWasAsked(t *testing.T) {
	type call struct {
		Method   string
		Params   []json.RawMessage
		Response json.RawMessage
	}
	var recorded struct{ Calls []call }
	fixture(t, "lotus-rpc/calls.json", &recorded)
	answers := map[string]call{}
	for _, c := range recorded.Calls {
		answers[c.Method] = c
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked call
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		if asked.Method == "Filecoin.WalletSign" && len(asked.Params) == 3 {
			w.WriteHeader(http.StatusInternalServerError)
			w.Write([]byte(`{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"wrong param count (method 'Filecoin.WalletSign'): 3 != 2"}}`))
			return
		}
		if want := answers[asked.Method]; len(want.Params) != len(asked.Params) {
			t.Errorf("%s was asked with %d parameters, Lotus takes %d", asked.Method, len(asked.Params), len(want.Params))
		}
		w.Write(answers[asked.Method].Response)
	}))
	defer server.Close()
	r, err := NewRemote(server.URL, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.List(t.Context())
	if err != nil || len(list) != 3 {
		t.Fatalf("List: %v, %v", list, err)
	}
	if has, err := r.Has(t.Context(), list[0]); !has || err != nil {
		t.Errorf("Has: %v, %v", has, err)
	}
	// The recorded signature is of "hello", so it is none of a message.
	s, err := r.Sign(t.Context(), message(list[2], 1))
	if err != nil || s.Type != crypto.SigTypeBLS || len(s.Data) != 96 {
		t.Errorf("Sign: %v, %v", s, err)
	}
	if err := blsVerify(list[2], []byte("hello"), s.Data); err != nil {
		t.Errorf("Lotus' signature of hello: %v", err)
	}
	if _, err := (Guard{policy, []Source{r}}).Sign(t.Context(), message(list[2], 1)); err == nil {
		t.Error("a signature of hello was taken for one of a message")
	}
}
