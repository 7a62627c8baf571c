package chain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// How nodes are judged. It is a pure function of what is known of them, so
// that a node that was right again is back without anybody remembering why it
// was gone. docs/decisions/0004 has the reasons.

// standing is what is known of a node.
type standing struct {
	name    string
	problem error  // why it is not connected; nil if it is
	refused string // why it must not be used, or nothing
	head    vigil.Head
	seen    []sighting // its heads, latest last
	trouble string     // why its answers are not relied on, or nothing
	latency time.Duration
	foes    map[int]rift // nodes that follow another chain
}

// rift is that between two nodes' chains.
type rift struct {
	epoch  abi.ChainEpoch // of different tipsets, well below both heads
	better int            // above 0: this node's chain is the better one; 0: nobody knows
}

// sighting is a head and when it was learnt of.
type sighting struct {
	epoch abi.ChainEpoch
	at    time.Time
}

// verdict is what is thought of a node.
type verdict struct {
	state vigil.NodeState
	why   string
	fault fault // of one that is set aside
}

// fault is what a node is set aside for, the least harm first: when all are
// set aside, the one that does the least is read.
type fault int

const (
	faultNone   fault = iota
	faultSlow         // right, but late
	faultBehind       // right about the past
	faultAnswer       // fails, or answers what cannot be
	faultFork         // right about a chain that will not last
	faultFuture       // made up
)

func aside(f fault, why string, args ...any) verdict {
	return verdict{vigil.NodeAside, fmt.Sprintf(why, args...), f}
}

// measure is what nodes are measured by.
type measure struct {
	now     time.Time
	network vigil.Network
	pace    pace
	inUse   int // the node that is read, -1 for none
}

// lagging is how many epochs behind the others a node is not read any more.
const lagging = 3

// judge says what is thought of each node, and which one is to be read, -1 for none.
func judge(m measure, nodes []standing) ([]verdict, int) {
	out := make([]verdict, len(nodes))
	for i, s := range nodes {
		out[i] = m.alone(s)
	}
	if len(nodes) > 1 {
		m.againstClock(nodes, out)
		m.againstForks(nodes, out)
		m.againstHeights(nodes, out)
		m.againstPatience(nodes, out)
	}
	use := m.choose(nodes, out)
	if use >= 0 {
		out[use].state = vigil.NodeInUse
		if out[use].why == "" {
			out[use].why = m.remark(nodes[use].head)
		}
	}
	return out, use
}

// alone judges a node without the others.
func (m measure) alone(s standing) verdict {
	switch {
	case s.refused != "":
		return verdict{state: vigil.NodeRefused, why: s.refused}
	case s.problem != nil:
		return verdict{state: vigil.NodeUnreachable, why: s.problem.Error()}
	case s.head.Key == "":
		return verdict{state: vigil.NodeUnreachable, why: "it has not told its head yet"}
	case s.trouble != "":
		return aside(faultAnswer, "%s", s.trouble)
	}
	return verdict{state: vigil.NodeReady}
}

// ready gives the nodes that nothing was found against so far.
func ready(out []verdict) (list []int) {
	for i, v := range out {
		if v.state == vigil.NodeReady {
			list = append(list, i)
		}
	}
	return list
}

// clocked says that the network's heights can be told from the time: blocks
// have whole seconds, and shorter epochs are those of development networks,
// which stand still while nobody runs them.
func (m measure) clocked() bool {
	return m.network.BlockDelay >= time.Second && !m.network.Genesis.IsZero()
}

func anyOf(n int, is func(int) bool) bool {
	for i := range n {
		if is(i) {
			return true
		}
	}
	return false
}

// due is the height that a chain without pauses has now.
func (m measure) due() abi.ChainEpoch {
	return abi.ChainEpoch(m.now.Sub(m.network.Genesis) / m.network.BlockDelay)
}

// againstClock sets those aside whose head is from the future. When all heads
// are, it is this machine's clock that is wrong, and it is not believed.
func (m measure) againstClock(nodes []standing, out []verdict) {
	if !m.clocked() {
		return
	}
	due := m.due()
	fromFuture := func(i int) bool { return nodes[i].head.Epoch > due+1 }
	agrees := func(i int) bool { // with the clock, however it answers otherwise
		return nodes[i].problem == nil && nodes[i].refused == "" && nodes[i].head.Key != "" && !fromFuture(i)
	}
	if !anyOf(len(nodes), agrees) {
		return
	}
	for _, i := range ready(out) {
		if fromFuture(i) {
			out[i] = aside(faultFuture, "its head, epoch %d, is from the future: the clock is at epoch %d", nodes[i].head.Epoch, due)
		}
	}
}

// againstForks sets those aside that follow another chain than the most, or
// of equally many, than those of the better one.
func (m measure) againstForks(nodes []standing, out []verdict) {
	candidates := ready(out)
	if len(candidates) == 0 {
		return
	}
	friends := func(i int) int { // also of those that cannot be read now: what chain they had is known
		n := 0
		for j, s := range nodes {
			if _, apart := nodes[i].foes[j]; !apart && s.refused == "" && s.head.Key != "" {
				n++
			}
		}
		return n
	}
	model := slices.MaxFunc(candidates, func(a, b int) int {
		return cmp.Or(
			cmp.Compare(friends(a), friends(b)),
			nodes[a].foes[b].better,
			compareBool(a == m.inUse, b == m.inUse),
			cmp.Compare(b, a),
		)
	})
	for _, i := range candidates {
		if rift, apart := nodes[model].foes[i]; apart {
			out[i] = aside(faultFork, "it follows another fork: at epoch %d it has another tipset than %s", rift.epoch, nodes[model].name)
		}
	}
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// againstHeights sets those aside that are behind a head which has had the
// time to come to them.
func (m measure) againstHeights(nodes []standing, out []verdict) {
	candidates := ready(out)
	var best abi.ChainEpoch
	for _, i := range candidates {
		for _, s := range nodes[i].seen {
			if m.now.Sub(s.at) >= m.pace.spread {
				best = max(best, s.epoch)
			}
		}
	}
	for _, i := range candidates {
		if behind := best - nodes[i].head.Epoch; behind >= lagging {
			out[i] = aside(faultBehind, "its head, epoch %d, is %d epochs behind the other nodes", nodes[i].head.Epoch, behind)
		}
	}
}

// againstPatience sets those aside that take long to answer, as long as
// another does not.
func (m measure) againstPatience(nodes []standing, out []verdict) {
	candidates := ready(out)
	slow := func(i int) bool { return nodes[i].latency > m.pace.slow }
	if !slices.ContainsFunc(candidates, func(i int) bool { return !slow(i) }) {
		return
	}
	for _, i := range candidates {
		if slow(i) {
			out[i] = aside(faultSlow, "it takes %s to tell its head", nodes[i].latency.Round(time.Millisecond))
		}
	}
}

// choose says which node to read: the one that is read for as long as no other
// is better, so that decisions do not go to and fro between nodes; then the
// highest. When none is good, one that is set aside is better than none.
func (m measure) choose(nodes []standing, out []verdict) int {
	use := -1
	for i, v := range out {
		if v.state != vigil.NodeReady && v.state != vigil.NodeAside {
			continue
		}
		if use < 0 || m.better(nodes, out, i, use) {
			use = i
		}
	}
	return use
}

func (m measure) better(nodes []standing, out []verdict, a, b int) bool {
	return cmp.Or(
		cmp.Compare(out[b].fault, out[a].fault),
		compareBool(a == m.inUse, b == m.inUse),
		cmp.Compare(nodes[a].head.Epoch, nodes[b].head.Epoch),
		cmp.Compare(nodes[b].latency, nodes[a].latency),
	) > 0
}

// remark is what a person should know of the chain that the best node shows:
// it may be the clock that is wrong, or the network, or all nodes together.
func (m measure) remark(head vigil.Head) string {
	if !m.clocked() {
		return ""
	}
	due := m.due()
	switch {
	case head.Epoch > due+1:
		return fmt.Sprintf("its head, epoch %d, is ahead of this machine's clock, which is at epoch %d: is the clock right", head.Epoch, due)
	case head.Epoch < due-farBehind:
		return fmt.Sprintf("its head, epoch %d, is behind the clock, which is at epoch %d: it is syncing, or the network stands still", head.Epoch, due)
	}
	return ""
}

// farBehind is more epochs than a network is without a block in a row.
const farBehind = 10

// majority gives the network that the most nodes follow, of equally many the
// one that the first of them does. known says which nodes have told theirs.
func majority(networks []vigil.Network, known []bool) (vigil.Network, bool) {
	var best vigil.Network
	most := 0
	for i, n := range networks {
		count := 0
		for j := range networks {
			if known[i] && known[j] && n.Same(networks[j]) {
				count++
			}
		}
		if count > most {
			best, most = n, count
		}
	}
	return best, most > 0
}
