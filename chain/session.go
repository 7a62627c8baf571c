package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/filecoin-project/go-state-types/network"

	"github.com/vigil-post/vigil"
)

// session is a connection that has shown what it is connected to, and is
// subscribed to that node's heads.
type session struct {
	link    *link
	network vigil.Network
	pace    pace
	opened  vigil.Head // the head when it began
	head    vigil.Head // the latest known; only the keeping goroutine reads and writes it
}

// openSession connects, asks who is there, and subscribes.
func (n *node) openSession(ctx context.Context) (*session, error) {
	p := n.pace()
	ctx, cancel := context.WithTimeout(ctx, p.attempt)
	defer cancel()
	l, err := dialLink(ctx, n.at, n.dial, p.quiet)
	if err != nil {
		return nil, err
	}
	if n.observe != nil {
		l.observe = func(method string, took time.Duration, err error) { n.observe(n.at.url, method, took, err) }
	}
	s, err := n.introduce(ctx, l)
	if err != nil {
		l.close()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("the node takes connections but did not answer within %s: %w", p.attempt, err)
		}
		return nil, err
	}
	return s, nil
}

func (n *node) introduce(ctx context.Context, l *link) (*session, error) {
	asked := named{l}
	who, err := identify(ctx, asked)
	if err != nil {
		return nil, err
	}
	if err := n.accept(who); err != nil {
		return nil, err
	}
	s := &session{link: l, network: who, pace: paceOf(who.BlockDelay, n.timeout)}
	l.setQuiet(s.pace.quiet)
	if _, err := ask[uint64](ctx, asked, "ChainNotify"); err != nil { // the channel's number: a link has one
		return nil, err
	}
	s.opened, err = headNow(ctx, asked)
	s.head = s.opened
	return s, err
}

// named is a link whose errors name the method.
type named struct{ link *link }

func (n named) call(ctx context.Context, method string, params ...any) (json.RawMessage, error) {
	began := time.Now()
	raw, err := n.link.call(ctx, method, params...)
	n.link.seen(method, time.Since(began), err)
	if err != nil {
		return nil, explain(method, err)
	}
	return raw, nil
}

// seen tells who observes of a call. That nobody waits for one is not the node's fault.
func (l *link) seen(method string, took time.Duration, err error) {
	switch {
	case l.observe == nil:
	case errors.Is(err, context.Canceled):
		l.observe(method, took, nil)
	default:
		l.observe(method, took, err)
	}
}

// identify asks a node for its network.
func identify(ctx context.Context, c caller) (vigil.Network, error) {
	name, err := ask[string](ctx, c, "StateNetworkName")
	if err != nil {
		return vigil.Network{}, err
	}
	switch name {
	case "":
		return vigil.Network{}, unusable("StateNetworkName", "the name is empty")
	case "testnetnet": // mainnet's genesis has kept the name it was tested under
		name = "mainnet"
	}
	version, err := ask[network.Version](ctx, c, "StateNetworkVersion", noKey)
	if err != nil {
		return vigil.Network{}, err
	}
	params, err := ask[networkParams](ctx, c, "StateGetNetworkParams")
	if err != nil {
		return vigil.Network{}, err
	}
	genesis := time.Unix(int64(params.GenesisTimestamp), 0)
	if params.GenesisTimestamp == 0 { // older nodes do not say
		if genesis, err = genesisTime(ctx, c); err != nil {
			return vigil.Network{}, err
		}
	}
	return vigil.Network{Name: name, Version: version, BlockDelay: params.delay(), Genesis: genesis, Upgrades: params.upgrades()}, nil
}

func genesisTime(ctx context.Context, c caller) (time.Time, error) {
	t, err := ask[tipSet](ctx, c, "ChainGetGenesis")
	if err != nil {
		return time.Time{}, err
	}
	return t.head().Time, nil
}

func headNow(ctx context.Context, c caller) (vigil.Head, error) {
	t, err := ask[tipSet](ctx, c, "ChainHead")
	if err != nil {
		return vigil.Head{}, err
	}
	return t.head(), nil
}

// headOf reads a value of the subscription. Values differ between nodes and
// moments: one current tipset, reverts before applies, several applies in
// either order. The highest tipset that is in the chain after it is the head;
// where the value has none (only reverts), the node is asked.
func (s *session) headOf(ctx context.Context, value json.RawMessage) (vigil.Head, error) {
	head, err := s.changes(value)
	if err != nil {
		return vigil.Head{}, err
	}
	if head != nil {
		return head.head(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.pace.call)
	defer cancel()
	return headNow(ctx, named{s.link})
}

// changes gives the highest tipset of a value that is not taken back, if there is one.
func (s *session) changes(value json.RawMessage) (head *tipSet, err error) {
	var changes []*headChange
	if err := json.Unmarshal(value, &changes); err != nil {
		return nil, unusable("ChainNotify", "%w", err)
	}
	for _, c := range changes {
		if c == nil || c.Val == nil {
			return nil, unusable("ChainNotify", "a change without a tipset")
		}
		if err := c.Val.check(); err != nil {
			return nil, unusable("ChainNotify", "%w", err)
		}
		if c.Type != "revert" && (head == nil || *c.Val.Height > *head.Height) {
			head = c.Val
		}
	}
	return head, nil
}

// errSilent is why a connection is left that a fresh one has outrun.
var errSilent = errors.New("no new head came on the connection, but the node has one")
