package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
)

// Nodes are several nodes of one network. One of them at a time is read; the
// others are followed, judged and told our messages, so that one of them can
// take its place at any moment. One node alone is used as it is.
//
//	member.attend ─▶ heads, connections ─┐
//	member.examine ─▶ checks ────────────┼─▶ rejudge ─▶ judge (pure) ─▶ read another node
//	compare ─▶ forks ────────────────────┤
//	read ─▶ what became of a question ───┘
type Nodes struct {
	members []*member
	log     *slog.Logger
	open    context.Context // ends with Close, and with it whatever lease there is
	stop    context.CancelFunc
	done    sync.WaitGroup
	heads   headlines
	claims  claimCache
	stirred chan struct{} // capacity 1: heads have changed, forks may have

	mu       sync.Mutex    // guards what follows, and what members say it guards
	network  vigil.Network // once it is decided; its name is empty before
	began    time.Time
	lease    *lease        // of the node that is read; nil while none is
	changed  chan struct{} // closed and replaced when lease changes
	upgrades map[string]bool
	followed map[abi.ChainEpoch]vigil.TipSetKey // the chain that was read
}

// lease is the time for which a node is read. When it ends, questions under
// way end with it: their answers would not fit what is read from then on.
type lease struct {
	*member
	ctx context.Context // ends with the lease; its cause says why
	end context.CancelCauseFunc
}

// member is one of the nodes. What is not constant is guarded by Nodes.mu.
type member struct {
	index  int
	name   string
	client *Client
	slots  chan struct{} // one for each question that may be under way

	standing
	verdict
	network  vigil.Network // that it told last; its name is empty before
	told     bool          // it was connected, or failed to be
	keys     []vigil.TipSetKey
	misses   map[string]int // failures in a row, by what was asked
	until    time.Time      // it is left alone before
	offences int            // how often in a row it was set aside for its answers
	since    time.Time      // of verdict.state
	compared time.Time
	calls    uint64
	failed   uint64
}

// atOnce is how many questions a node is asked at the same time. More are no
// faster, and a node that is busy with them would be late with its heads.
const atOnce = 16

// take takes a slot of a node; give gives it back.
func (m *member) take(ctx context.Context) error {
	select {
	case m.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("node %s is busy with earlier questions: %w", m.name, ctx.Err())
	}
}

func (m *member) give() { <-m.slots }

var (
	_ vigil.Heads       = (*Nodes)(nil)
	_ vigil.MinerState  = (*Nodes)(nil)
	_ vigil.Randomness  = (*Nodes)(nil)
	_ vigil.MessageNode = (*Nodes)(nil)
)

// Open checks the configs and begins to connect to all nodes; it does not wait
// for them. The nodes are used until ctx ends or Close is called.
func Open(ctx context.Context, configs ...Config) (*Nodes, error) {
	if len(configs) == 0 {
		return nil, errors.New("no node is given")
	}
	ctx, stop := context.WithCancel(ctx)
	n := &Nodes{
		open: ctx, stop: stop, began: time.Now(), changed: make(chan struct{}), stirred: make(chan struct{}, 1), upgrades: map[string]bool{},
		followed: map[abi.ChainEpoch]vigil.TipSetKey{},
		log:      configs[0].Log,
	}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	names := map[string]bool{}
	for i, c := range configs {
		client, err := Dial(ctx, c)
		if err == nil && names[client.node.at.url] {
			err = errors.Join(fmt.Errorf("%s is given twice: a node cannot stand in for itself", client.node.at.url), client.Close())
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("node %d: %w", i+1, err), n.Close())
		}
		names[client.node.at.url] = true
		n.members = append(n.members, &member{
			index: i, name: client.node.at.url, client: client, slots: make(chan struct{}, atOnce), misses: map[string]int{}, since: time.Now(),
			standing: standing{name: client.node.at.url, foes: map[int]rift{}},
			verdict:  verdict{state: vigil.NodeUnreachable, why: "connecting"},
		})
	}
	for _, m := range n.members {
		n.keepUp(ctx, "heads of "+m.name, func(ctx context.Context) { n.attend(ctx, m) })
		n.keepUp(ctx, "examination of "+m.name, func(ctx context.Context) { n.examine(ctx, m) })
	}
	n.keepUp(ctx, "comparison of nodes", n.compare)
	return n, nil
}

// keepUp runs a loop until Close, also when a bug ends it.
func (n *Nodes) keepUp(ctx context.Context, name string, loop func(context.Context)) {
	n.done.Go(func() {
		_ = alive.Restarted(ctx, n.log, name, func(ctx context.Context) error { loop(ctx); return nil })
	})
}

// Close gives all connections up and waits for what runs.
func (n *Nodes) Close() error {
	n.stop()
	var errs []error
	for _, m := range n.members {
		errs = append(errs, m.client.Close())
	}
	n.done.Wait()
	return errors.Join(errs...)
}

func (n *Nodes) alone() bool { return len(n.members) == 1 }

// Status says how each node stands.
func (n *Nodes) Status() []vigil.NodeStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := make([]vigil.NodeStatus, len(n.members))
	for i, m := range n.members {
		list[i] = vigil.NodeStatus{
			Node: m.name, State: m.state, Why: m.why, Since: m.since,
			Epoch: m.head.Epoch, Latency: m.latency, Calls: m.calls, Failed: m.failed,
		}
	}
	return list
}

// NextUpgrade is the next planned upgrade of the network, or nil.
func (n *Nodes) NextUpgrade() *vigil.Upgrade {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lease == nil {
		return nil
	}
	next, _ := nextUpgrade(n.lease.network, n.lease.head.Epoch)
	return next
}

// attend learns of a node's heads and of its connections.
func (n *Nodes) attend(ctx context.Context, m *member) {
	heads := m.client.Watch(ctx)
	var known *session
	for {
		session, changed, problem := m.client.node.state()
		n.connection(m, session, session != known, problem)
		known = session
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case head, ok := <-heads:
			if ok {
				n.learn(m, head)
			}
		}
	}
}

// connection takes how a node is connected. On a fresh connection it has told
// its head, and what it said on another one is old.
func (n *Nodes) connection(m *member, s *session, fresh bool, problem error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m.problem, m.told = problem, m.told || s != nil || problem != nil
	if s == nil && problem == nil {
		m.problem = errors.New("connecting")
	}
	news := false
	if s != nil {
		m.network = s.network
		news = fresh && m.sees(s.opened)
	}
	n.rejudge()
	n.tell(m, news)
}

// keptKeys is how many tipsets of a node's chain are known by name: forks are
// noticed without a question where a head is among another node's.
const keptKeys = 64

// learn takes a head of a node.
func (n *Nodes) learn(m *member, head vigil.Head) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if m.sees(head) {
		n.rejudge()
		n.tell(m, true)
	}
}

// sees notes a node's head, and says whether it is another one. n.mu is held.
func (m *member) sees(head vigil.Head) bool {
	if head.Key == m.head.Key {
		return false
	}
	m.head = head
	m.seen = last(append(m.seen, sighting{head.Epoch, time.Now()}), 16)
	m.keys = last(append(m.keys, head.Parent, head.Key), keptKeys)
	return true
}

// tell brings the head of the node that is read to those who watch, and has
// forks looked for. n.mu is held.
func (n *Nodes) tell(m *member, news bool) {
	if !news {
		return
	}
	if n.lease != nil && n.lease.member == m {
		n.follow(m.head)
		n.heads.publish(m.head)
	}
	select {
	case n.stirred <- struct{}{}:
	default:
	}
}

func last[T any](list []T, n int) []T { return list[max(0, len(list)-n):] }
