package chain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
)

// pushed is what became of a message at one node.
type pushed struct {
	m   *member
	err error
}

// PushMessage hands a signed message to every node that can take it: the same
// bytes do no harm twice, and whichever node is heard by the network will do.
// It has succeeded as soon as one node took the message; the others are given
// it all the same, and their words waited for a moment. The error is the word
// of the node that is read.
func (n *Nodes) PushMessage(ctx context.Context, message vigil.SignedMessage) ([]vigil.PushResult, error) {
	l, err := n.reader(ctx)
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	takers := n.takers(l.member)
	results := make(chan pushed, len(takers))
	for _, m := range takers {
		n.done.Go(func() {
			// The caller may have its answer before this node has: it is not hurried.
			err := alive.Caught(func() error {
				_, err := m.client.PushMessage(context.WithoutCancel(ctx), message)
				return err
			})
			n.took(m, message, err)
			results <- pushed{m, err}
		})
	}
	return collect(ctx, takers, results)
}

// collect waits for all nodes; once one took the message, not for long.
func collect(ctx context.Context, takers []*member, results <-chan pushed) (said []vigil.PushResult, err error) {
	refusals := map[*member]error{}
	taken := false
	var enough <-chan time.Time
	for range takers {
		select {
		case <-ctx.Done():
			if !taken {
				return said, fmt.Errorf("push: no node has answered: %w", ctx.Err())
			}
			return said, nil
		case <-enough:
			return said, nil
		case r := <-results:
			said = append(said, resultOf(r))
			if r.err != nil {
				refusals[r.m] = r.err
				continue
			}
			if !taken {
				taken, enough = true, time.After(moment)
			}
		}
	}
	if taken {
		return said, nil
	}
	return said, refusal(takers, refusals)
}

// moment is how long the other nodes are waited for when one took a message.
const moment = 300 * time.Millisecond

func resultOf(r pushed) vigil.PushResult {
	result := vigil.PushResult{Node: r.m.name}
	if r.err != nil {
		result.Problem = r.err.Error()
	}
	return result
}

// takers are the nodes that a message goes to, the one that is read first: all
// that are connected and of this network. One that is behind takes it as well.
func (n *Nodes) takers(first *member) []*member {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := []*member{first}
	for _, m := range n.members {
		if m != first && (m.state == vigil.NodeReady || m.state == vigil.NodeAside) {
			list = append(list, m)
		}
	}
	return list
}

// took notes what a node did with a message, and says so.
func (n *Nodes) took(m *member, message vigil.SignedMessage, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m.calls++
	say := n.log.With("node", m.name, "from", message.From.String(), "nonce", message.Nonce)
	var said *nodeError
	switch {
	case err == nil:
		say.Debug("the node took the message")
		m.misses[place] = 0
		return
	case errors.As(err, &said): // it has its reasons
		say.Debug("the node refused the message", "error", err)
	default:
		m.failed++
		say.Debug("the node did not take the message", "error", err)
		if m.problem == nil && !lost(err) {
			n.miss(m, place, err)
		}
	}
}

// refusal is why no node took a message: in the class that counts, with the words of all.
func refusal(takers []*member, refusals map[*member]error) error {
	first := counting(takers, refusals)
	if len(takers) == 1 {
		return first
	}
	text := ""
	for _, m := range takers {
		if refusals[m] != first {
			text += fmt.Sprintf("; node %s: %v", m.name, refusals[m])
		}
	}
	return fmt.Errorf("no node took the message: %w%s", first, text)
}

// counting is the refusal whose class counts: of the first node that gives a reason. That a
// message is invalid counts last: another node may take it yet, also one that gave no reason.
func counting(takers []*member, refusals map[*member]error) error {
	var reason, open error
	for _, m := range takers {
		err := refusals[m]
		if errors.Is(err, vigil.ErrMessageInvalid) {
			continue
		}
		var said *nodeError
		if reason == nil && errors.As(err, &said) {
			reason = err
		}
		open = cmp.Or(open, err)
	}
	return cmp.Or(reason, open, refusals[takers[0]])
}

// place is what a node has for messages, as its failures are counted.
const place = "messages a place"
