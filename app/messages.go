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

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
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
	Run(ctx context.Context) error
}

// newCourier makes the one of the configuration, and says with whose keys it sends.
func (d *Daemon) newCourier(network vigil.Network, keys vigil.Signer) (courier, keyring, error) {
	c := d.config
	changed := func() { d.runner.Nudge() } // called only while Run runs: the runner is there
	if c.Messager.Sophon.URL != "" {
		b, err := d.newBackend(network, changed)
		return b, b, err
	}
	m, err := messager.New(messager.Config{
		Heads: d.nodes, Node: d.nodes, Signer: keys, Store: d.store, Log: d.log,
		Epoch: network.BlockDelay, Confidence: c.Messager.Confidence, MaxFee: c.Messager.MaxFee,
		Changed: changed,
	})
	return &ours{m, desk{d.store, c.Miners}}, keys, err
}

func (d *Daemon) newBackend(network vigil.Network, changed func()) (*sophon.Backend, error) {
	at := d.config.Messager.Sophon
	client, err := jsonrpc.New(at.URL, string(at.Token), sophon.Path, at.Timeout)
	if err != nil {
		return nil, fmt.Errorf("the messager of [messager.sophon]: %w", err)
	}
	return sophon.NewBackend(sophon.BackendConfig{
		Client: client, Heads: d.nodes, Rows: d.store, Save: d.store.SaveMessages, Find: desk{d.store, d.config.Miners}.Find,
		KeyAddress: d.nodes.KeyAddress, Log: d.log,
		Epoch: network.BlockDelay, Confidence: d.config.Messager.Confidence, MaxFee: d.config.Messager.MaxFee, Changed: changed,
	})
}

// ours is the embedded messager with its desk.
type ours struct {
	*messager.Messager
	desk
}

// desk finds the miners' messages in the store.
type desk struct {
	store  *store.Store
	miners []abi.ActorID
}

// Find implements vigil.MessageDesk.
func (d desk) Find(ctx context.Context, q vigil.MessageQuery) ([]vigil.Message, error) {
	var found []vigil.Message
	for _, miner := range d.miners {
		messages, err := d.store.Messages(ctx, miner, 0)
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			if fitsQuery(m, q) {
				found = append(found, m)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b vigil.Message) int { return a.Created.Compare(b.Created) })
	most := q.Limit
	if most == 0 {
		most = 1000
	}
	return found[max(0, len(found)-most):], nil
}

func fitsQuery(m vigil.Message, q vigil.MessageQuery) bool {
	return (q.ID == "" || m.ID == q.ID) && (q.Nonce == nil || m.Call.From == q.From && m.Nonce == *q.Nonce) &&
		(len(q.States) == 0 || slices.Contains(q.States, m.State)) &&
		(!q.CID.Defined() || slices.ContainsFunc(m.Attempts, func(a vigil.Attempt) bool { return a.CID == q.CID }))
}

// errNoWish says that the embedded messager does not take wishes.
var errNoWish = errors.New("this messager goes on by itself and takes no wishes")

// Replace implements vigil.MessageDesk.
func (desk) Replace(context.Context, string, *vigil.Gas) error { return errNoWish }

// Cancel implements vigil.MessageDesk.
func (desk) Cancel(context.Context, string) error { return errNoWish }

// Republish implements vigil.MessageDesk.
func (desk) Republish(context.Context, string) error { return errNoWish }

// basePatience is how long a page waits for the base fee, which only makes it better.
const basePatience = time.Second

// tell finds messages and tells of them as they stand now.
func (d *Daemon) tell(ctx context.Context, q vigil.MessageQuery) ([]explain.Message, error) {
	found, err := d.courier.Find(ctx, q)
	if err != nil {
		return nil, err
	}
	status := d.runner.Status()
	at := explain.At{Head: status.Head, Epoch: status.Delay, Confidence: d.config.Messager.Confidence}
	limited, cancel := context.WithTimeout(ctx, basePatience)
	defer cancel()
	if head, err := d.nodes.Head(limited); err == nil {
		at.BaseFee = head.BaseFee
	}
	return tellAll(found, at), nil
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
func StoredMessages(ctx context.Context, at Place, q vigil.MessageQuery) (told []explain.Message, err error) {
	path := filepath.Join(at.Data, "vigil.db")
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("no daemon has run with this configuration: %w", err)
	}
	s, err := store.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	found, err := desk{s, at.Miners}.Find(ctx, q)
	return tellAll(found, explain.At{}), err
}

// api is the HTTP API of the messager, for other programs and the command line.
func (d *Daemon) api() (http.Handler, error) {
	tokens, err := sophon.OpenTokens(d.config.Data)
	if err != nil {
		return nil, err
	}
	return sophon.Server{
		Messager: d.courier, Desk: d.courier, Has: d.keys.Has, Allow: d.config.Wallet.Policy.Allows, Permissions: tokens.Permissions,
		Head:    func(context.Context) (abi.ChainEpoch, error) { return d.runner.Status().Head, nil },
		Version: d.config.Version,
	}.Handler(), nil
}
