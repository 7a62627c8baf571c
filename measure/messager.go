package measure

import (
	"context"
	"maps"
	"math/big"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Messager is a messager whose messages are measured when they are looked at.
// delay is the length of an epoch.
func (m *Meter) Messager(of vigil.Messager, delay time.Duration) vigil.Messager {
	return messager{of, m, delay}
}

type messager struct {
	vigil.Messager
	meter *Meter
	delay time.Duration
}

func (g messager) Messages(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Message, error) {
	list, err := g.Messager.Messages(ctx, miner, since)
	if err == nil {
		g.meter.look(miner, since, list, g.delay)
	}
	return list, err
}

// seenMessage is what was counted of a message already.
type seenMessage struct {
	series         messageSeries
	expires        abi.ChainEpoch
	included, done bool
}

type messageSeries struct {
	miner abi.ActorID
	kind  vigil.DutyKind
	state vigil.MessageState
}

// look compares a miner's messages with what was counted. At the first look all
// that has happened to them happened before the start, and is not counted. Not
// every look goes back as far as the one before: a message is known for another
// proving period, so that it is counted once.
func (m *Meter) look(miner abi.ActorID, since abi.ChainEpoch, list []vigil.Message, delay time.Duration) {
	const period = 2880
	m.mu.Lock()
	defer m.mu.Unlock()
	seen, known := m.messages[miner]
	if !known {
		seen = map[string]seenMessage{}
		m.messages[miner] = seen
	}
	for _, msg := range list {
		was := seen[msg.ID]
		now := seenMessage{messageSeries{miner, msg.Duty.Kind, msg.State}, msg.Expires, was.included || msg.Receipt != nil, was.done || msg.State.Done()}
		if known {
			m.count(msg, was, now, delay)
		}
		seen[msg.ID] = now
	}
	maps.DeleteFunc(seen, func(_ string, s seenMessage) bool { return s.expires < since-period })
}

// states counts messages by miner, kind and state. m.mu is held.
func (m *Meter) states() map[messageSeries]float64 {
	states := map[messageSeries]float64{}
	for miner, seen := range m.messages {
		for _, kind := range []vigil.DutyKind{vigil.KindPost, vigil.KindRecover} {
			for _, s := range vigil.MessageStates {
				states[messageSeries{miner, kind, s}] = 0
			}
		}
		for _, s := range seen {
			states[s.series]++
		}
	}
	return states
}

func (m *Meter) count(msg vigil.Message, was, now seenMessage, delay time.Duration) {
	miner, kind := vigil.MinerAddress(now.series.miner).String(), string(msg.Duty.Kind)
	if now.included && !was.included && msg.Receipt != nil && msg.Duty.Kind == vigil.KindPost && msg.Receipt.ExitCode.IsSuccess() {
		m.toClose.WithLabelValues(stageIncluded).Observe((time.Duration(msg.Expires-msg.Receipt.Epoch) * delay).Seconds())
	}
	if now.done && !was.done {
		m.done.WithLabelValues(miner, kind, string(msg.State)).Inc()
		m.fees.WithLabelValues(miner, kind).Add(fil(msg.Paid))
	}
}

// fil is an amount in FIL, as near as a float comes to it.
func fil(a abi.TokenAmount) float64 {
	if a.Nil() {
		return 0
	}
	f, _ := new(big.Rat).SetFrac(a.Int, big.NewInt(1e18)).Float64()
	return max(f, 0)
}
