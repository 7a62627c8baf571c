package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/dashboard"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/jsonrpc"
	"github.com/vigil-post/vigil/messager"
	"github.com/vigil-post/vigil/sophon"
	"github.com/vigil-post/vigil/store"
)

// courier gets messages on chain and lets people look at them: our messager,
// or another one.
type courier interface {
	vigil.Messager
	vigil.MessageDesk
	senders
	// Senders is how the accounts that send stand.
	Senders() []vigil.SenderStatus
	Run(ctx context.Context) error
	// BusySince is since when its loop has been at one step; zero while it waits.
	BusySince() time.Time
	// adjust changes what messages may cost and when they are done, or nothing with an error.
	adjust(to Messager) error
}

// ours is our own messager.
type ours struct{ *messager.Messager }

func (o ours) adjust(to Messager) error { return o.Adjust(to.terms()) }

// newCourier makes the one of the configuration, and says with whose keys it sends.
func (d *Daemon) newCourier(network vigil.Network, keys vigil.Signer) (courier, keyring, error) {
	c := d.config
	changed := func() { d.runner.Nudge() } // called only while Run runs: the runner is there
	if c.Messager.Sophon.URL != "" {
		b, err := d.newBackend(network, changed)
		return elsewhere{b}, b, err
	}
	terms := c.Messager.terms()
	m, err := messager.New(messager.Config{
		Heads: d.nodes, Node: mute{d.nodes, c.Shadow}, Signer: keys, Store: d.store, Log: d.log,
		Epoch: network.BlockDelay, Confidence: terms.Confidence, ReplaceAfter: terms.ReplaceAfter,
		MaxFee: terms.MaxFee, LowFeeCap: terms.LowFeeCap, Budgets: terms.Budgets,
		GasOverEstimation: terms.GasOverEstimation, GasOverPremium: terms.GasOverPremium, Preferred: terms.Preferred,
		Changed: changed, Miner: d.nodes.Miner,
	})
	return ours{m}, keys, err
}

// elsewhere is another program's messager. What its senders have is looked at there.
type elsewhere struct{ *sophon.Backend }

func (elsewhere) Senders() []vigil.SenderStatus { return nil }

func (elsewhere) Watch(...address.Address) {}

func (e elsewhere) adjust(to Messager) error {
	e.Adjust(to.Confidence, to.MaxFee)
	return nil
}

// TestSign does not sign: that the key is there is all that can be asked.
func (elsewhere) TestSign(context.Context, address.Address) error { return nil }

func (d *Daemon) newBackend(network vigil.Network, changed func()) (*sophon.Backend, error) {
	at := d.config.Messager.Sophon
	client, err := jsonrpc.New(at.URL, string(at.Token), sophon.Path, at.Timeout)
	if err != nil {
		return nil, fmt.Errorf("the messager of [messager.sophon]: %w", err)
	}
	return sophon.NewBackend(sophon.BackendConfig{
		Client: client, Heads: d.nodes, Rows: d.store, Find: d.store.FindMessages,
		Save: func(ctx context.Context, messages ...vigil.Message) error {
			return d.store.SaveMessages(ctx, "", messages...) // nobody's nonces: they have no attempts
		},
		KeyAddress: d.nodes.KeyAddress, Log: d.log,
		Epoch: network.BlockDelay, Confidence: d.config.Messager.Confidence, MaxFee: d.config.Messager.MaxFee, Changed: changed,
		Withheld: func(m vigil.Message) bool {
			_, is := inShadowOf(m.MessageRequest, d.config.Shadow)
			return is
		},
	})
}

// basePatience is how long a page waits for the base fee, which only makes it better.
const basePatience = time.Second

// tell finds messages and tells of them as they stand now.
func (d *Daemon) tell(ctx context.Context, q vigil.MessageQuery) ([]explain.Message, error) {
	found, err := d.store.FindMessages(ctx, q)
	if err != nil {
		return nil, err
	}
	return tellAll(found, d.presently(ctx)), nil
}

func tellAll(found []vigil.Message, at explain.At) []explain.Message {
	told := make([]explain.Message, len(found))
	for i, m := range found {
		told[i] = explain.Tell(m, at)
	}
	return told
}

// StoredMessages tells of the messages in the data folder of a daemon that does
// not run; it is store.ErrInUse while it does.
func StoredMessages(ctx context.Context, data string, q vigil.MessageQuery) (told []explain.Message, err error) {
	path := filepath.Join(data, "vigil.db")
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("no daemon has run with this configuration: %w", err)
	}
	s, err := store.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := WriteAddressesIn(data); err != nil {
		return nil, err
	}
	found, err := s.FindMessages(ctx, q)
	return tellAll(found, explain.At{}), err
}

// makePages makes the dashboard and the messager's API at one address. Both take the
// tokens of the data folder; without them there is the dashboard to look at.
func (d *Daemon) makePages() http.Handler {
	shown := d.shown()
	mux := http.NewServeMux()
	tokens, err := sophon.OpenTokens(d.config.Data)
	if err != nil {
		d.log.Error("the messager's API is not served, and nothing can be done on the dashboard; proving goes on", "error", err)
	} else {
		shown.Operator = operators(tokens)
		mux.Handle(sophon.Path, d.api(tokens))
	}
	mux.Handle("/", dashboard.New(shown))
	mux.HandleFunc("POST "+RecoverPath, d.recoverWish)
	mux.HandleFunc("POST "+ConfigPath, d.configAsked)
	mux.HandleFunc("POST "+ReloadPath, d.reloadWish)
	return mux
}

// operators are those whose token permits to write, as for the API's methods
// that change something.
func operators(tokens sophon.Tokens) func(token string) (bool, error) {
	return func(token string) (bool, error) {
		permissions, err := tokens.Permissions(token)
		return slices.Contains(permissions, "write"), err
	}
}

// api is the HTTP API of the messager, for other programs and the command line.
func (d *Daemon) api(tokens sophon.Tokens) http.Handler {
	return sophon.Server{
		Messager: d.courier, Desk: d.courier, Has: d.keys.Has, Allow: func(c vigil.Call) error { return d.settings().Wallet.Policy.Allows(c) }, Permissions: tokens.Permissions,
		Changed: d.runner.Changed,
		Head:    func(context.Context) (abi.ChainEpoch, error) { return d.runner.Status().Head, nil },
		Version: d.config.Version,
	}.Handler()
}
