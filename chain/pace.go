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
	}
	if timeout > 0 {
		p.call = timeout
	}
	return p
}

func within(low, d, high time.Duration) time.Duration { return min(max(low, d), high) }

// jitter moves a delay by up to a quarter, so that many daemons do not come back to a node at once.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1)
}
