package devnet

import (
	"cmp"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
)

// link is some messages of one sender, in the order of their nonces, that a
// producer takes together: a message that pays little may stand in the way of
// one that pays much (lotus chain/messagepool/selection.go).
type link struct {
	list   []*waiting
	reward abi.TokenAmount // for the producer
	gas    int64           // limits
}

// pays compares what two links pay for a unit of gas.
func (l *link) pays(o *link) int {
	return big.Cmp(big.Mul(l.reward, big.NewInt(o.gas)), big.Mul(o.reward, big.NewInt(l.gas)))
}

// reward is what a producer gets of a message at a base fee.
func reward(m *Message, baseFee abi.TokenAmount) abi.TokenAmount {
	tip := big.Max(big.Min(m.GasPremium, big.Sub(m.GasFeeCap, baseFee)), big.Zero())
	return big.Mul(tip, big.NewInt(m.GasLimit))
}

// links cuts a sender's messages so that each link pays less than the one before it.
func links(queue []*waiting, baseFee abi.TokenAmount) []*link {
	var out []*link
	for _, m := range queue {
		next := &link{[]*waiting{m}, reward(&m.Message, baseFee), m.Message.GasLimit}
		for len(out) > 0 && next.pays(out[len(out)-1]) >= 0 {
			last := out[len(out)-1]
			out = out[:len(out)-1]
			next = &link{slices.Concat(last.list, next.list), big.Add(last.reward, next.reward), last.gas + next.gas}
		}
		out = append(out, next)
	}
	return out
}

// pack fills a block: the links that pay best first, cut where the block's gas
// ends. What follows a message that was left out is left out too.
func pack(queues [][]*waiting, baseFee abi.TokenAmount) []*SignedMessage {
	var all []*link
	owner := map[*link]int{}
	for i, q := range queues {
		for _, l := range links(q, baseFee) {
			all = append(all, l)
			owner[l] = i
		}
	}
	slices.SortStableFunc(all, func(a, b *link) int {
		return cmp.Or(b.pays(a), big.Cmp(b.list[0].Message.GasPremium, a.list[0].Message.GasPremium))
	})
	gas, cut := int64(blockGasLimit), map[int]bool{}
	var out []*SignedMessage
	for _, l := range all {
		for _, m := range l.list {
			if m.Message.GasLimit > gas || len(out) >= maxBlockMessages {
				cut[owner[l]] = true
			}
			if cut[owner[l]] {
				break
			}
			gas -= m.Message.GasLimit
			out = append(out, m.SignedMessage)
		}
	}
	return out
}
