package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"sync"
	"time"

	"github.com/vigil-post/vigil"
)

// node is one node's API and the session with it. One goroutine, keep, makes
// and replaces the session; callers take whichever is current.
type node struct {
	at      endpoint
	dial    dialFunc
	timeout time.Duration // the operator's for calls; 0 for none
	log     *slog.Logger
	accept  func(vigil.Network) error
	publish func(vigil.Head)
	observe func(node, method string, took time.Duration, err error) // may be nil

	mu      sync.Mutex // guards what follows
	current *session   // nil while the node is not connected
	problem error      // why it is not, if that is known
	epoch   time.Duration
	changed chan struct{} // closed and replaced when current or problem changes
}

func (n *node) pace() pace {
	n.mu.Lock()
	defer n.mu.Unlock()
	return paceOf(n.epoch, n.timeout)
}

// session gives the current session, and waits a little for one.
func (n *node) session(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, n.pace().wait)
	defer cancel()
	for {
		s, changed, problem := n.state()
		var no *RefusedError
		switch {
		case s != nil:
			return s, nil
		case errors.As(problem, &no):
			return nil, fmt.Errorf("node %s cannot be used: %w", n.at.url, problem)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if problem == nil {
				problem = errors.New("connecting")
			}
			return nil, fmt.Errorf("node %s is not connected: %w", n.at.url, problem)
		}
	}
}

// state is how the node stands now: its session or what keeps it from having
// one, and what is closed when that changes.
func (n *node) state() (s *session, changed <-chan struct{}, problem error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.current, n.changed, n.problem
}

// set tells callers of a new session, or of why there is none.
func (n *node) set(s *session, problem error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.current, n.problem = s, problem
	if s != nil {
		n.epoch = s.network.BlockDelay
	}
	close(n.changed)
	n.changed = make(chan struct{})
}

// keep holds a session for as long as ctx lives: it never gives up.
func (n *node) keep(ctx context.Context) {
	var last complaint
	down := func(err error) {
		if ctx.Err() == nil {
			n.set(nil, err)
			last.log(n.log, err)
		}
	}
	failures := 0
	for ctx.Err() == nil {
		if s, err := n.connect(ctx, down); err == nil {
			last, failures = complaint{}, 0
			n.log.Info("node connected", "network", s.network.Name, "epoch", s.head.Epoch)
			down(n.follow(ctx, s))
		} else {
			failures++
		}
		select {
		case <-ctx.Done():
		case <-time.After(jitter(n.pace().again(failures))):
		}
	}
	n.set(nil, &RefusedError{"the client is closed"})
}

// attempts is how many may be under way at once: as many as begin while one hangs.
const attempts = 8

// connect opens a session. An attempt that is not answered soon gets another
// beside it, so that one that hangs does not hold up the one that would not.
// failed is told of each that came to nothing; the error is that of the last.
func (n *node) connect(ctx context.Context, failed func(error)) (*session, error) {
	ctx, cancel := context.WithCancel(ctx)
	var trying sync.WaitGroup
	defer trying.Wait()
	defer cancel()
	type outcome struct {
		s   *session
		err error
	}
	outcomes, running := make(chan outcome), 0
	try := func() {
		s, err := n.openSession(ctx)
		select {
		case outcomes <- outcome{s, err}:
		case <-ctx.Done():
			if err == nil {
				s.link.close()
			}
		}
	}
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-again.C:
			if running < attempts {
				running++
				trying.Go(try)
			}
			again.Reset(n.pace().hedge)
		case o := <-outcomes:
			running--
			if o.err == nil {
				return o.s, nil
			}
			failed(o.err)
			if running == 0 {
				return nil, o.err
			}
		}
	}
}

// follow publishes the heads of a session until it is over; it puts another
// in its place when a fresh one knows more.
func (n *node) follow(ctx context.Context, s *session) error {
	n.set(s, nil)
	n.publish(s.head)
	defer func() { s.link.close() }()
	silence := time.NewTimer(s.pace.silence)
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.link.dead:
			return s.link.why()
		case value := <-s.link.notes:
			head, err := s.headOf(ctx, value)
			if err != nil {
				return err
			}
			if head.Key == s.head.Key {
				continue
			}
			s.head = head
			n.publish(head)
		case <-silence.C:
			if fresh := n.probe(ctx, s); fresh != nil {
				n.log.Info("node connected anew", "cause", errSilent, "epoch", fresh.head.Epoch)
				s.link.close()
				s = fresh
				n.set(s, nil)
				n.publish(s.head)
			}
		}
		silence.Reset(s.pace.silence)
	}
}

// probe finds out whether a silent subscription is dead or the chain just
// stands still. It gives the session to go on with, or nil to keep the old
// one, which it ends if it does not answer and nothing better was found.
func (n *node) probe(ctx context.Context, old *session) *session {
	limited, cancel := context.WithTimeout(ctx, old.pace.attempt)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	noted := old.link.noted.Load()
	var known vigil.Head
	var silent error
	answered := make(chan struct{})
	asking.Go(func() {
		defer close(answered)
		known, silent = headNow(limited, named{old.link})
	})
	fresh, err := n.connect(limited, func(error) {})
	if err == nil && fresh.head.Key != old.head.Key && fresh.head.Epoch >= old.head.Epoch && !old.stirs(limited, noted) {
		return fresh
	}
	<-answered
	switch {
	case silent != nil && err == nil && ctx.Err() == nil:
		return fresh // the old one does not answer
	case silent != nil:
		old.link.fail(fmt.Errorf("the node does not answer any more: %w", silent))
	case known.Key != old.head.Key:
		old.head = known
		n.publish(known)
	}
	if err == nil {
		fresh.link.close()
	}
	return nil
}

// stirs says whether the subscription gave a value since it had given noted,
// or gives one now: a head that a fresh connection knows may be on its way.
func (s *session) stirs(ctx context.Context, noted uint64) bool {
	if s.link.noted.Load() == noted {
		select {
		case <-s.link.dead:
			return false
		case <-ctx.Done():
		case <-time.After(s.pace.grace):
		}
	}
	return s.link.noted.Load() != noted
}

// complaint keeps a node that is down from filling the log: the same words are
// said once a minute, also when others come in between.
type complaint struct{ said map[string]time.Time }

// ownPort is this end of a connection in an error of package net, another one at each try.
var ownPort = regexp.MustCompile(`\S+->`)

func (c *complaint) log(log *slog.Logger, err error) {
	text := ownPort.ReplaceAllString(err.Error(), "")
	if at, ok := c.said[text]; ok && time.Since(at) < time.Minute {
		return
	}
	maps.DeleteFunc(c.said, func(_ string, at time.Time) bool { return time.Since(at) >= time.Minute })
	if c.said == nil {
		c.said = map[string]time.Time{}
	}
	c.said[text] = time.Now()
	var no *RefusedError
	if errors.As(err, &no) {
		log.Error("node refused", "error", err)
		return
	}
	log.Warn("node lost, connecting again", "error", err)
}
