package chain

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// forkDepth is how many epochs below the lower of two heads the chains must be
// the same: above, nodes differ every day.
const forkDepth abi.ChainEpoch = 5

// compare finds out, whenever heads have changed, which nodes follow different
// chains. Nodes whose heads are in each other's chain need no question.
func (n *Nodes) compare(ctx context.Context) {
	if n.alone() {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.stirred:
		}
		for i, a := range n.members {
			for _, b := range n.members[i+1:] {
				n.comparePair(ctx, a, b)
			}
		}
	}
}

// comparePair asks two nodes for the tipset at one epoch of their chains.
func (n *Nodes) comparePair(ctx context.Context, a, b *member) {
	headA, headB, needed := n.apart(a, b)
	epoch := min(headA.Epoch, headB.Epoch) - forkDepth
	if !needed || epoch < 0 {
		return
	}
	atA, errA := n.tipsetAt(ctx, a, epoch, headA.Key)
	atB, errB := n.tipsetAt(ctx, b, epoch, headB.Key)
	if errA != nil || errB != nil { // what is known of them is still the best there is
		return
	}
	n.relate(a, b, atA, atB, epoch)
}

// apart says whether two nodes must be asked, and not asked too often.
func (n *Nodes) apart(a, b *member) (headA, headB vigil.Head, needed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a.problem != nil || b.problem != nil || a.head.Key == "" || b.head.Key == "" || a.refused != "" || b.refused != "" {
		return a.head, b.head, false
	}
	if knows(a, b.head) || knows(b, a.head) {
		n.reconcile(a, b)
		return a.head, b.head, false
	}
	if now := time.Now(); now.Sub(a.compared) >= n.pace().spread || now.Sub(b.compared) >= n.pace().spread {
		a.compared, b.compared = now, now
		return a.head, b.head, true
	}
	return a.head, b.head, false
}

// knows says whether a head, or its parent, is in a node's chain as far as that is known.
func knows(m *member, head vigil.Head) bool {
	return slices.Contains(m.keys, head.Key) || slices.Contains(m.keys, head.Parent)
}

func (n *Nodes) tipsetAt(ctx context.Context, m *member, epoch abi.ChainEpoch, key vigil.TipSetKey) (vigil.Head, error) {
	n.mu.Lock()
	m.calls++
	patience := 2 * n.pace().slow
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return m.client.At(ctx, epoch, key)
}

// relate notes whether two nodes follow one chain, from their tipsets at an epoch.
func (n *Nodes) relate(a, b *member, atA, atB vigil.Head, epoch abi.ChainEpoch) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if atA.Key == atB.Key {
		n.reconcile(a, b)
		return
	}
	ours := func(h vigil.Head) bool { return n.followed[h.Epoch] == h.Key }
	a.foes[b.index] = rift{epoch, compareForks(atA, atB, ours)}
	b.foes[a.index] = rift{epoch, compareForks(atB, atA, ours)}
	n.rejudge()
}

// compareForks says which of two tipsets at one epoch is of the better fork:
// the heavier is the network's; of two as heavy, the one that was read.
func compareForks(a, b vigil.Head, ours func(vigil.Head) bool) int {
	return cmp.Or(orZero(a.Weight).Cmp(orZero(b.Weight).Int), compareBool(ours(a), ours(b)))
}

// reconcile notes that two nodes follow one chain. n.mu is held.
func (n *Nodes) reconcile(a, b *member) {
	if _, were := a.foes[b.index]; were {
		delete(a.foes, b.index)
		delete(b.foes, a.index)
		n.rejudge()
	}
}
