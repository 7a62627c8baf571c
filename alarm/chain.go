package alarm

import (
	"fmt"
	"slices"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Silent says that no head was learnt of for longer than null rounds last.
func Silent(s vigil.Status, now time.Time) bool {
	silence := now.Sub(s.HeadSeen)
	return s.HeadSeen.IsZero() || silence > 3*s.Delay && silence > 10*time.Second
}

// chain judges the nodes, the clock and the network.
func (j *judge) chain() {
	s := j.status
	switch {
	case s.Starting != "" && j.answered():
		j.raise(vigil.Alarm{Code: StartWaits, About: "start", Urgent: true, What: "the start waits: " + s.Starting})
	case s.Starting != "":
		j.raise(vigil.Alarm{Code: NoHead, About: "chain", Urgent: true, What: "the start waits: " + s.Starting})
	case s.HeadSeen.IsZero():
		j.raise(vigil.Alarm{Code: NoHead, About: "chain", Urgent: true, What: with("no chain head has been seen yet", s.Problem)})
	case Silent(s, j.now):
		// The age stays out of it: an alarm that changes every second is read aloud every second.
		j.raise(vigil.Alarm{Code: NoHead, About: "chain", Urgent: true, By: j.nextLoss(), What: with(fmt.Sprintf("no new chain head since epoch %d", s.Head), s.Problem)})
	case s.Problem != "":
		j.raise(vigil.Alarm{Code: NoHead, About: "chain", By: j.nextLoss(), What: s.Problem})
	default:
		j.clock()
	}
	for _, n := range s.Nodes {
		j.node(n)
	}
	if u := s.Upgrade; u != nil && !u.Known {
		j.raise(vigil.Alarm{
			Code: UpgradeUnknown, About: "network", By: u.Epoch, Urgent: j.within(u.Epoch, 24*time.Hour),
			What: fmt.Sprintf("the upgrade %s at epoch %d brings rules that this Vigil does not know", u.Name, u.Epoch),
		})
	}
}

// answered says that there is a node that can be relied on.
func (j *judge) answered() bool {
	return slices.ContainsFunc(j.status.Nodes, func(n vigil.NodeStatus) bool { return n.State == vigil.NodeInUse || n.State == vigil.NodeReady })
}

func with(what, problem string) string {
	if problem == "" {
		return what
	}
	return what + ": " + problem
}

// within says that there is less than so long until an epoch.
func (j *judge) within(epoch abi.ChainEpoch, d time.Duration) bool {
	return time.Duration(epoch-j.status.Head)*j.status.Delay < d
}

// fromFuture is how far ahead of the clock a head may be: nodes take blocks
// that are a second early.
const fromFuture = 3 * time.Second

// clock compares the heads' times with this machine's. Epochs of less than a
// second are those of development networks, whose heads carry no real time.
func (j *judge) clock() {
	s := j.status
	if s.Delay < time.Second || s.HeadTime.IsZero() {
		return
	}
	behind := s.HeadSeen.Sub(s.HeadTime)
	switch {
	case behind < -fromFuture:
		j.raise(vigil.Alarm{
			Code: ClockOff, About: "clock", Urgent: behind < -s.Delay, By: j.nextLoss(),
			What: fmt.Sprintf("heads come %s before the time that they carry: this machine's clock is behind", rounded(-behind, s.Delay)),
		})
	case behind > 3*s.Delay && j.agreed():
		j.raise(vigil.Alarm{
			Code: ClockOff, About: "clock", By: j.nextLoss(),
			What: fmt.Sprintf("heads come %s after the time that they carry, from all nodes: this machine's clock is ahead, or the network stands still", rounded(behind, s.Delay)),
		})
	case behind > 3*s.Delay:
		j.raise(vigil.Alarm{
			Code: NodeLag, About: j.inUse(), Urgent: behind > 20*s.Delay, By: j.nextLoss(),
			What: fmt.Sprintf("its head is %s old when it comes: the node is syncing, or this machine's clock is ahead", rounded(behind, s.Delay)),
		})
	}
}

// rounded is a duration that does not change with every head.
func rounded(d, delay time.Duration) time.Duration {
	if d > 3*delay {
		return d.Round(delay)
	}
	return d.Round(time.Second)
}

// agreed says that several nodes are used, and all of them have about the same head.
func (j *judge) agreed() bool {
	good := 0
	for _, n := range j.status.Nodes {
		if n.State == vigil.NodeInUse || n.State == vigil.NodeReady {
			good++
		}
		if n.Epoch > 0 && n.Epoch < j.status.Head-lag {
			return false
		}
	}
	return good > 1
}

func (j *judge) inUse() string {
	for _, n := range j.status.Nodes {
		if n.State == vigil.NodeInUse {
			return n.Node
		}
	}
	return "chain"
}

// node judges one node. With another one in use it is not urgent. One that is set
// aside may have come an epoch nearer since, or our own head may be late.
func (j *judge) node(n vigil.NodeStatus) {
	what := string(n.State) + with("", n.Why)
	behind := j.status.Head - n.Epoch
	switch {
	case n.State == vigil.NodeUnreachable, n.State == vigil.NodeRefused:
		j.raise(vigil.Alarm{Code: NodeDown, About: n.Node, What: what})
	case n.Epoch > 0 && (behind >= lag && n.State != vigil.NodeInUse || behind >= lag-1 && n.State == vigil.NodeAside):
		j.raise(vigil.Alarm{Code: NodeLag, About: n.Node, What: with(fmt.Sprintf("its head is epoch %d", n.Epoch), n.Why)})
	case n.State == vigil.NodeAside:
		j.raise(vigil.Alarm{Code: NodeAside, About: n.Node, What: what})
	case n.Why != "": // in use for want of a better one
		j.raise(vigil.Alarm{Code: NodeAside, About: n.Node, By: j.nextLoss(), What: what})
	}
}
