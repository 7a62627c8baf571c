package devnet

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
)

// span is the epochs from one on and before another; without an end, all that follow.
type span struct{ from, until abi.ChainEpoch }

func (s span) has(e abi.ChainEpoch) bool { return e >= s.from && (s.until == 0 || e < s.until) }

// weather is what the network was told to do to those who use it. The producer
// and the pool look at it in every epoch. It is about epochs and not about
// tipsets, so that a reorg is rebuilt under the same sky. It is forgotten when
// the process ends.
type weather struct {
	mu     sync.Mutex // guards all below
	paused bool
	dice   *rand.Rand
	fees   []fixedFee // the last one that has the epoch counts
	nulls  []span
	shares []sharedSpan // of null rounds
	delays []delaySpan  // of messages
	losses []sharedSpan // of messages
	holds  []heldSpan
	orders []order
}

type fixedFee struct {
	span
	fee abi.TokenAmount
}

type sharedSpan struct {
	span
	share float64
}

type delaySpan struct {
	span
	epochs abi.ChainEpoch
}

// heldSpan keeps a sender's messages in the pool; no sender is all of them.
type heldSpan struct {
	span
	sender address.Address
}

func newWeather(seed uint64) *weather {
	return &weather{dice: rand.New(rand.NewPCG(seed, seed))}
}

// baseFee is what an epoch was told to cost, if it was.
func (w *weather) baseFee(e abi.ChainEpoch) (abi.TokenAmount, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range slices.Backward(w.fees) {
		if f.has(e) {
			return f.fee, true
		}
	}
	return big.Zero(), false
}

// null says that an epoch was told to have no block.
func (w *weather) null(e abi.ChainEpoch) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.nulls, func(s span) bool { return s.has(e) })
}

// nullShare is the share of null rounds; usual is that of the configuration.
func (w *weather) nullShare(e abi.ChainEpoch, usual float64) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return latestShare(w.shares, e, usual)
}

func latestShare(list []sharedSpan, e abi.ChainEpoch, usual float64) float64 {
	for _, s := range slices.Backward(list) {
		if s.has(e) {
			return s.share
		}
	}
	return usual
}

// loses throws the dice for a message that was pushed.
func (w *weather) loses(e abi.ChainEpoch) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	share := latestShare(w.losses, e, 0)
	return share > 0 && w.dice.Float64() < share
}

// keeps says of a waiting message that the epoch's block may not have it yet.
func (w *weather) keeps(m *waiting, e abi.ChainEpoch) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range slices.Backward(w.delays) {
		if d.has(e) {
			if e <= m.came+d.epochs {
				return true
			}
			break
		}
	}
	return slices.ContainsFunc(w.holds, func(h heldSpan) bool {
		return h.has(e) && (h.sender == address.Undef || h.sender == m.Message.From)
	})
}

// calm forgets all that was told, but not that time stands still.
func (w *weather) calm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fees, w.nulls, w.shares, w.delays, w.losses, w.holds = nil, nil, nil, nil, nil, nil
}

func (w *weather) stands() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.paused
}

// maxSpan is the longest that something lasts which has an end: ten years.
const maxSpan abi.ChainEpoch = 10 * 365 * 2880

// ahead is the span of so many epochs from the next one on; none is for good.
func (n *Network) ahead(epochs abi.ChainEpoch) (span, error) {
	if epochs < 0 || epochs > maxSpan {
		return span{}, fmt.Errorf("%d epochs cannot be how long something lasts", epochs)
	}
	s := span{from: n.Epoch() + 1}
	if epochs > 0 {
		s.until = s.from + epochs
	}
	return s, nil
}

// tell adds to the weather.
func (n *Network) tell(epochs abi.ChainEpoch, add func(w *weather, s span)) error {
	s, err := n.ahead(epochs)
	if err != nil {
		return err
	}
	n.weather.mu.Lock()
	defer n.weather.mu.Unlock()
	add(n.weather, s)
	return nil
}

// SetBaseFee gives the next epochs a base fee, in attoFIL per unit of gas;
// after them it moves by the network's rule again. It cannot be below the
// network's least.
func (n *Network) SetBaseFee(fee abi.TokenAmount, epochs abi.ChainEpoch) error {
	if fee.Int == nil || fee.LessThan(minimumBaseFee) {
		return fmt.Errorf("a base fee of %s attoFIL: the network's least is %s", fee, minimumBaseFee)
	}
	if fee.GreaterThan(allThereIs) {
		return fmt.Errorf("a base fee of %.60s attoFIL: all that there will ever be is %s", fee, allThereIs)
	}
	if epochs < 1 {
		return fmt.Errorf("a base fee for %d epochs: name at least one", epochs)
	}
	return n.tell(epochs, func(w *weather, s span) { w.fees = append(w.fees, fixedFee{s, fee}) })
}

// MultiplyBaseFee is SetBaseFee with a multiple of the present one.
func (n *Network) MultiplyBaseFee(factor int64, epochs abi.ChainEpoch) error {
	if factor < 1 {
		return fmt.Errorf("the base fee times %d: the factor must be 1 or more", factor)
	}
	return n.SetBaseFee(big.Mul(n.chain.current().header.ParentBaseFee, big.NewInt(factor)), epochs)
}

// NullRounds leaves epochs without a block: the next ones, or those from an
// epoch ahead on.
func (n *Network) NullRounds(from, epochs abi.ChainEpoch) error {
	next := n.Epoch() + 1
	if from == 0 {
		from = next
	}
	if from < next {
		return fmt.Errorf("null rounds from epoch %d on: it has passed, the chain is at %d", from, next-1)
	}
	if from > next+maxSpan {
		return fmt.Errorf("null rounds from epoch %d on: that is more than %d epochs ahead", from, maxSpan)
	}
	if epochs < 1 || epochs > finality {
		return fmt.Errorf("%d null rounds: at least 1, at most %d", epochs, finality)
	}
	n.weather.mu.Lock()
	defer n.weather.mu.Unlock()
	n.weather.nulls = append(n.weather.nulls, span{from, from + epochs})
	return nil
}

// SetNullShare leaves a share of the next epochs without a block; for good if epochs is 0.
func (n *Network) SetNullShare(share float64, epochs abi.ChainEpoch) error {
	if share < 0 || share > maxNullShare {
		return fmt.Errorf("a share of null rounds of %v: it lies between 0 and %v", share, maxNullShare)
	}
	return n.tell(epochs, func(w *weather, s span) { w.shares = append(w.shares, sharedSpan{s, share}) })
}

// DelayMessages keeps every message in the pool for so many epochs before a
// block may have it, during the next ones; for good if epochs is 0.
func (n *Network) DelayMessages(by, epochs abi.ChainEpoch) error {
	if by < 0 || by > maxSpan {
		return fmt.Errorf("a delay of %d epochs: it lies between 0 and %d", by, maxSpan)
	}
	return n.tell(epochs, func(w *weather, s span) { w.delays = append(w.delays, delaySpan{s, by}) })
}

// LoseMessages lets a share of the messages that are pushed vanish after they
// were accepted, as a node does whose peers never hear of them.
func (n *Network) LoseMessages(share float64, epochs abi.ChainEpoch) error {
	if share < 0 || share > 1 {
		return fmt.Errorf("a share of lost messages of %v: it lies between 0 and 1", share)
	}
	return n.tell(epochs, func(w *weather, s span) { w.losses = append(w.losses, sharedSpan{s, share}) })
}

// HoldMessages keeps a sender's messages out of blocks, everybody's if it is undefined.
func (n *Network) HoldMessages(sender address.Address, epochs abi.ChainEpoch) error {
	if sender != address.Undef {
		_, e, err := resolve(n.chain.current().after, sender)
		if err != nil {
			return fmt.Errorf("hold the messages of %s: %w", sender, err)
		}
		if e.key == address.Undef {
			return fmt.Errorf("hold the messages of %s: it is no account that sends any", sender)
		}
		sender = e.key
	}
	return n.tell(epochs, func(w *weather, s span) { w.holds = append(w.holds, heldSpan{s, sender}) })
}

// Calm ends everything that was told about base fee, null rounds and messages.
func (n *Network) Calm() { n.weather.calm() }

// Pause lets time stand still but for Advance.
func (n *Network) Pause() { n.stand(true) }

// Resume lets time pass again.
func (n *Network) Resume() { n.stand(false) }

func (n *Network) stand(still bool) {
	n.weather.mu.Lock()
	defer n.weather.mu.Unlock()
	n.weather.paused = still
}

// BaseFee is the head's, in attoFIL per unit of gas.
func (n *Network) BaseFee() abi.TokenAmount { return n.chain.current().header.ParentBaseFee }

// SetClock lets the blocks from the next on carry a time that is so far ahead of this
// machine's clock, as to a daemon whose clock is behind. Less than zero is behind.
func (n *Network) SetClock(ahead time.Duration) { n.fast.Store(int64(ahead)) }

// now is the time that a block carries which is made now.
func (n *Network) now() time.Time { return time.Now().Add(time.Duration(n.fast.Load())) }
