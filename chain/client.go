package chain

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
)

// Config says which node to use.
type Config struct {
	// URL is the node's API: a URL by http, https, ws or wss, or a
	// multiaddress as in FULLNODE_API_INFO, with the token before it or not.
	// The path is /rpc/v1 unless the URL has one.
	URL string
	// Token is the node's API token. Permission "write" is enough.
	Token string
	// Network is the name of the network the node must follow; empty is any.
	Network string
	// Known is the network that what is stored is of, by name and genesis; the
	// zero value is none yet.
	Known vigil.Network
	// Timeout bounds every call; 0 is one epoch, at least 3 s and at most 30 s.
	Timeout time.Duration
	Log     *slog.Logger
	// DialContext connects to the node, as net.Dialer's does, which is the
	// default: the place for a tunnel.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Observe, where set, is told of every call that the node was asked, by its
	// URL without the token; the error is nil for one that was answered well,
	// and for one that nobody waited for any more. It is called concurrently.
	Observe func(node, method string, took time.Duration, err error)
}

// Client is a node, kept connected. Its methods may be called concurrently,
// fail for as long as the node does not answer, and are bounded in time.
type Client struct {
	node *node
	stop context.CancelFunc
	done sync.WaitGroup

	heads    headlines
	tipsets  tipsetCache
	firstMu  sync.Mutex // guards first
	first    vigil.Network
	warned   bool // of a version that is not known; guarded by firstMu
	known    vigil.Network
	expected string
}

var (
	_ vigil.Heads      = (*Client)(nil)
	_ vigil.MinerState = (*Client)(nil)
	_ vigil.Randomness = (*Client)(nil)
)

// Dial checks the config and begins to connect; it does not wait for the
// node. Network says what is wrong with one that is not reached or is not the
// right one. The client lives until ctx ends or Close is called.
func Dial(ctx context.Context, c Config) (*Client, error) {
	at, err := parseEndpoint(c.URL, c.Token)
	if err != nil {
		return nil, err
	}
	if c.Timeout < 0 {
		return nil, fmt.Errorf("a timeout of %s is negative", c.Timeout)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.DialContext == nil {
		c.DialContext = (&net.Dialer{}).DialContext
	}
	ctx, stop := context.WithCancel(ctx)
	client := &Client{stop: stop, expected: c.Network, known: c.Known}
	client.node = &node{
		at: at, dial: c.DialContext, timeout: c.Timeout, log: c.Log.With("node", at.url),
		accept: client.accept, publish: client.publish, observe: c.Observe,
		changed: make(chan struct{}),
	}
	client.done.Go(func() {
		_ = alive.Restarted(ctx, client.node.log, "connection", func(ctx context.Context) error { client.node.keep(ctx); return nil })
	})
	return client, nil
}

// Close gives the connection up and waits for what the client runs.
func (c *Client) Close() error {
	c.stop()
	c.done.Wait()
	return nil
}

// publish brings a new head to those who watch.
func (c *Client) publish(h vigil.Head) {
	c.tipsets.add(h)
	c.heads.publish(h)
}

// accept judges the network of a node that was just connected to: it must be
// the expected one, and the same for as long as the daemon runs.
func (c *Client) accept(n vigil.Network) error {
	if c.expected != "" && n.Name != c.expected {
		return &RefusedError{fmt.Sprintf("the node follows the network %q, but %q is expected: use a node of %s, or set the expected network to %q", n.Name, c.expected, c.expected, n.Name)}
	}
	if k := c.known; k.Name != "" && (n.Name != k.Name || !n.Genesis.Equal(k.Genesis)) {
		return &RefusedError{fmt.Sprintf("the node follows %s, and the database was made for %s with the genesis of %s: use a node of that network, or a data folder of its own for each network", origin(n), k.Name, k.Genesis.UTC().Format(time.RFC3339))}
	}
	c.firstMu.Lock()
	defer c.firstMu.Unlock()
	if c.first.Name == "" {
		if why := unknownVersion(n.Version); why != "" {
			return &RefusedError{why}
		}
		c.first = n
	}
	if why := unknownVersion(n.Version); why != "" && !c.warned { // what is under way is better done in the old way than not at all
		c.warned = true
		c.node.log.Error("the network was upgraded while the daemon runs, which goes on as before", "problem", why)
	}
	if !n.Same(c.first) {
		return &RefusedError{fmt.Sprintf("the node now follows another network: %s, where it was %s; restart the daemon with a store of its own if this is meant", origin(n), origin(c.first))}
	}
	return nil
}

// origin names a network so that two of one name are told apart.
func origin(n vigil.Network) string {
	return fmt.Sprintf("%s with the genesis of %s and epochs of %s", n.Name, n.Genesis.UTC().Format(time.RFC3339), n.BlockDelay)
}

// call asks the node, and says what is wrong in the words of its reader.
func (c *Client) call(ctx context.Context, method string, params ...any) (json.RawMessage, error) {
	s, err := c.node.session(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.pace.call)
	defer cancel()
	return named{s.link}.call(ctx, method, params...)
}

// caller is anything that can be asked.
type caller interface {
	call(ctx context.Context, method string, params ...any) (json.RawMessage, error)
}

// ask wants an answer that is there and understood.
func ask[T any](ctx context.Context, c caller, method string, params ...any) (T, error) {
	raw, err := c.call(ctx, method, params...)
	if err != nil {
		var none T
		return none, err
	}
	v, err := decode[T](raw)
	if err != nil {
		var none T
		return none, unusable(method, "%w", err)
	}
	return v, nil
}

// askMaybe is ask for methods whose answer may be null: nil then.
func askMaybe[T any](ctx context.Context, c caller, method string, params ...any) (*T, error) {
	raw, err := c.call(ctx, method, params...)
	if err != nil || isNull(raw) {
		return nil, err
	}
	v, err := decode[T](raw)
	if err != nil {
		return nil, unusable(method, "%w", err)
	}
	return &v, nil
}
