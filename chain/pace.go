package chain

import (
	"math/rand/v2"
	"time"
)

// pace is how fast things are done, from the length of the network's epochs:
// what is prudence on mainnet would be many lost epochs on a fast network.
type pace struct {
	retry   time.Duration // between attempts to reach a node that is down
	hedge   time.Duration // an attempt unanswered for so long gets another beside it
	attempt time.Duration // an attempt to connect, all in all
	quiet   time.Duration // a socket from which nothing comes for so long is dead; it is pinged three times as often
	silence time.Duration // a subscription without a new head for so long is put to the test
	grace   time.Duration // a head may come so much later on one connection than on another
	wait    time.Duration // a call waits for a connection this long
	call    time.Duration // and this long for its answer
	check   time.Duration // between two questions for a node's head, of several nodes
	slow    time.Duration // longer than this for a head is slow
	tardy   time.Duration // longer than this for anything else is slow
	spread  time.Duration // a head that one node has needs so long to come to all
	penance time.Duration // a node that answers badly is left alone so long, at first
}

// paceOf derives the pace; an epoch of 0 is one not known yet. timeout, if
// set, is the operator's word on calls.
func paceOf(epoch, timeout time.Duration) pace {
	if epoch <= 0 {
		epoch = 30 * time.Second
	}
	p := pace{
		retry:   within(50*time.Millisecond, epoch/2, 800*time.Millisecond),
		hedge:   within(150*time.Millisecond, epoch, 3*time.Second),
		attempt: within(time.Second, 2*epoch, 10*time.Second),
		quiet:   within(time.Second, 3*epoch, 15*time.Second), // a busy node pauses for an epoch or two of a second
		silence: max(300*time.Millisecond, epoch*3/2),
		grace:   within(20*time.Millisecond, epoch/10, time.Second),
		wait:    within(time.Second, epoch, 5*time.Second),
		call:    within(3*time.Second, epoch, 30*time.Second),
		check:   within(300*time.Millisecond, epoch/2, 15*time.Second),
		slow:    within(time.Second, epoch/6, 5*time.Second),
		tardy:   within(2*time.Second, epoch/2, 15*time.Second),
		spread:  within(200*time.Millisecond, epoch/2, 15*time.Second),
		penance: within(time.Second, epoch, 30*time.Second),
	}
	if timeout > 0 {
		p.call = timeout
	}
	return p
}

// again is the pause before the next attempt to reach a node, after so many in
// a row that failed: at first it is short, and it never is long, because a
// node that is back must be found while its deadline can still be met.
func (p pace) again(failures int) time.Duration {
	return within(p.retry, p.retry<<min(max(0, failures-4), 8), max(p.retry, p.quiet/3))
}

// doubled is a pause after so many failures in a row.
func doubled(pause time.Duration, failures int) time.Duration {
	return min(pause<<min(max(0, failures-1), 10), 10*time.Minute)
}

func within(low, d, high time.Duration) time.Duration { return min(max(low, d), high) }

// jitter moves a delay by up to a quarter, so that many daemons do not come back to a node at once.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1)
}
