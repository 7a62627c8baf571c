package chain

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Some answers cost more when they are wrong than a node is worth: a proof for
// a wrong seed is taken by the chain and fined later, a sector that a node
// leaves out is missed, one with a wrong CommR is skipped although it is
// sound. Such an answer is compared with another node's before it is used, if
// it is not the one that two nodes agreed on last. So what changes seldom is
// seldom asked for twice.

// claim is what an answer is about.
type claim struct {
	what   string
	miner  abi.ActorID
	number int64 // an epoch, a deadline; 0 if there is no such thing
}

func (c claim) String() string {
	text := c.what
	if c.miner != 0 {
		text += " of " + vigil.MinerAddress(c.miner).String()
	}
	if c.number != 0 {
		text += fmt.Sprintf(" (%d)", c.number)
	}
	return text
}

// print is an answer in so few bytes that many can be kept.
type print [sha256.Size]byte

func printOf(answer any) (print, error) {
	text, err := json.Marshal(answer)
	return sha256.Sum256(text), err
}

// question asks one node.
type question[T any] func(context.Context, *Client) (T, error)

func (q question[T]) print(ctx context.Context, c *Client) (print, error) {
	answer, err := q(ctx, c)
	if err != nil {
		return print{}, err
	}
	return printOf(answer)
}

// agreed asks the node that is read, and compares its answer. One that two
// nodes do not agree on is held back: a third decides, and the one that is
// alone with its answer is set aside.
func agreed[T any](ctx context.Context, n *Nodes, about claim, key vigil.TipSetKey, ask question[T]) (T, error) {
	answer, err := read(ctx, n, about.what, key, ask)
	if err != nil || n.alone() || key == "" { // without a key two nodes speak of two moments
		return answer, err
	}
	given, err := printOf(answer)
	if err != nil || n.claims.agreed(about, given) {
		return answer, err
	}
	var none T
	l, err := n.reader(ctx)
	if err != nil {
		return none, fmt.Errorf("%s: %w", about.what, err)
	}
	t := trial{n: n, about: about, reading: l.member, given: given, ask: ask.print}
	if err := t.hear(ctx); err != nil {
		return none, err
	}
	return answer, nil
}

// trial compares an answer with those of other nodes.
type trial struct {
	n       *Nodes
	about   claim
	reading *member // the node whose answer it is
	given   print
	ask     func(context.Context, *Client) (print, error)
}

// statement is what a node says.
type statement struct {
	m      *member
	answer print
}

// hear asks one node after the other until two agree. It is nil when the answer may be used.
func (t trial) hear(ctx context.Context) error {
	var others []statement
	for _, m := range t.n.witnesses(t.reading) {
		answer, err := t.testify(ctx, m)
		if err != nil {
			continue // it may not have the tipset yet
		}
		if answer == t.given {
			t.n.claims.agree(t.about, t.given)
			for _, wrong := range others {
				t.outvote(wrong.m, t.reading, m)
			}
			return nil
		}
		for _, other := range others {
			if other.answer == answer {
				t.outvote(t.reading, other.m, m)
				return fmt.Errorf("%s: node %s says something else than %s and %s; it is asked for anew", t.about, t.reading.name, other.m.name, m.name)
			}
		}
		others = append(others, statement{m, answer})
	}
	if len(others) == 0 {
		return nil // nobody else can tell
	}
	return t.hold(ctx, others[0])
}

// hold says that an answer is held back, unless one of the two contradicts itself.
func (t trial) hold(ctx context.Context, other statement) error {
	for _, s := range []statement{{t.reading, t.given}, other} {
		if again, err := t.testify(ctx, s.m); err == nil && again != s.answer {
			t.outvote(s.m, s.m, s.m)
			return fmt.Errorf("%s: node %s gave two different answers; it is asked for anew", t.about, s.m.name)
		}
	}
	if t.n.claims.held(t.about) {
		t.n.log.Error("two nodes contradict each other and no third one can tell who is right: the answer is held back; add a node, or remove the one that is wrong",
			"about", t.about.String(), "node", t.reading.name, "other", other.m.name)
	}
	return fmt.Errorf("%s: held back, because nodes %s and %s contradict each other and no third one can tell who is right", t.about, t.reading.name, other.m.name)
}

// testify asks a node, for no longer than it may take without being slow.
func (t trial) testify(ctx context.Context, m *member) (print, error) {
	t.n.mu.Lock()
	m.calls++
	patience := t.n.pace().slow
	t.n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := m.take(ctx); err != nil {
		return print{}, err
	}
	defer m.give()
	return t.ask(ctx, m.client)
}

// outvote sets a node aside whose answer is not that of two others, or not the
// one that it gave itself a moment ago.
func (t trial) outvote(wrong, a, b *member) {
	why := fmt.Sprintf("what it says of %s is not what %s and %s say", t.about, a.name, b.name)
	if wrong == a {
		why = fmt.Sprintf("asked twice for %s, it gives two answers", t.about)
	}
	t.n.mu.Lock()
	defer t.n.mu.Unlock()
	t.n.blame(wrong, why)
}

// witnesses are the nodes that are good but not read.
func (n *Nodes) witnesses(reading *member) (list []*member) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.members {
		if m != reading && m.state == vigil.NodeReady {
			list = append(list, m)
		}
	}
	return list
}

// claimCache remembers the answers that two nodes agreed on last.
type claimCache struct {
	mu    sync.Mutex // guards what follows
	known map[claim]print
	said  map[claim]bool
}

// cachedClaims is enough for a hundred miners' deadlines.
const cachedClaims = 20_000

func (c *claimCache) agreed(about claim, given print) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.known[about]
	return ok && known == given
}

func (c *claimCache) agree(about claim, given print) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= cachedClaims {
		c.known = map[claim]print{}
	}
	c.known[about] = given
	delete(c.said, about)
}

// held says whether it is to be said that an answer is held back: once, until it is agreed on.
func (c *claimCache) held(about claim) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.said == nil || len(c.said) >= cachedClaims {
		c.said = map[claim]bool{}
	}
	said := c.said[about]
	c.said[about] = true
	return !said
}
