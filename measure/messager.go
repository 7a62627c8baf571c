package measure

import (
	"context"
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
		g.meter.look(miner, list, g.delay)
	}
	return list, err
}

// seenMessage is what was counted of a message already.
type seenMessage struct {
	miner          abi.ActorID
	included, done bool
}

type messageSeries struct {
	miner abi.ActorID
	kind  vigil.DutyKind
	state vigil.MessageState
}

// look compares a miner's messages with what was counted. At the first look all
// that has happened to them happened before the start, and is not counted.
func (m *Meter) look(miner abi.ActorID, list []vigil.Message, delay time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[string]seenMessage{}
	states := map[messageSeries]float64{}
	for _, kind := range []vigil.DutyKind{vigil.KindPost, vigil.KindRecover} {
		for _, s := range vigil.MessageStates {
			states[messageSeries{miner, kind, s}] = 0
		}
	}
	for _, msg := range list {
		states[messageSeries{miner, msg.Duty.Kind, msg.State}]++
		was := m.messages[msg.ID]
		now := seenMessage{miner, was.included || msg.Receipt != nil, was.done || msg.State.Done()}
		if m.looked[miner] {
			m.count(msg, was, now, delay)
		}
		seen[msg.ID] = now
	}
	m.looked[miner] = true
	replace(m.messages, seen, func(id string) bool { return m.messages[id].miner == miner })
	replace(m.states, states, func(s messageSeries) bool { return s.miner == miner })
}

// replace puts the new entries in the place of those that are a miner's.
func replace[K comparable, V any](all, fresh map[K]V, old func(K) bool) {
	for k := range all {
		if old(k) {
			delete(all, k)
		}
	}
	for k, v := range fresh {
		all[k] = v
	}
}

func (m *Meter) count(msg vigil.Message, was, now seenMessage, delay time.Duration) {
	miner, kind := vigil.MinerAddress(now.miner).String(), string(msg.Duty.Kind)
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
