package measure

import (
	"context"
	"errors"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Left says how long it is until an epoch.
type Left func(abi.ChainEpoch) time.Duration

// Store is a store whose duties are measured when they come to another state.
func (m *Meter) Store(s vigil.DutyStore, left Left) vigil.DutyStore {
	return &dutyStore{DutyStore: s, meter: m, left: left}
}

type dutyStore struct {
	vigil.DutyStore
	meter *Meter
	left  Left
}

func (s *dutyStore) Duties(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Duty, error) {
	list, err := s.DutyStore.Duties(ctx, miner, since)
	s.meter.know(list)
	s.meter.touched(err)
	return list, err
}

func (s *dutyStore) SaveDuty(ctx context.Context, d vigil.Duty) error {
	return s.wrote(d, s.DutyStore.SaveDuty(ctx, d))
}

func (s *dutyStore) SaveProof(ctx context.Context, p vigil.Proof, d vigil.Duty) error {
	err := s.wrote(d, s.DutyStore.SaveProof(ctx, p, d))
	if err == nil {
		s.meter.reading.Observe(p.ReadTime.Seconds())
		s.meter.proving.Observe(p.ProveTime.Seconds())
		s.meter.skipped.WithLabelValues(vigil.MinerAddress(d.ID.Miner).String()).Add(float64(len(d.Skipped)))
	}
	return err
}

func (s *dutyStore) DropProof(ctx context.Context, d vigil.Duty) error {
	return s.wrote(d, s.DutyStore.DropProof(ctx, d))
}

// wrote notes what became of a row that was written.
func (s *dutyStore) wrote(d vigil.Duty, err error) error {
	if err == nil {
		s.meter.passed(d, s.left(d.Deadline.Close))
	}
	s.meter.touched(err)
	return err
}

// touched notes that the database was used, and why that failed if it did. That a
// task was ended is not the database's fault; that its time was over is.
func (m *Meter) touched(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.database = ""
	if err != nil {
		m.database = err.Error()
	}
}

// Database is what stopped the last use of the database, or nothing.
func (m *Meter) Database() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.database
}

// know takes the rows that were there before: their stages are not come to now.
func (m *Meter) know(list []vigil.Duty) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range list {
		if _, known := m.duties[d.ID]; !known {
			m.duties[d.ID] = d.State
		}
	}
}

// passed measures a duty that came to another state.
func (m *Meter) passed(d vigil.Duty, left time.Duration) {
	m.mu.Lock()
	before, known := m.duties[d.ID]
	m.duties[d.ID] = d.State
	m.forget(d.ID)
	m.mu.Unlock()
	if known && before == d.State {
		return
	}
	if stage, ok := stageOf(d.State); ok && d.ID.Kind == vigil.KindPost {
		m.toClose.WithLabelValues(stage).Observe(left.Seconds())
	}
	if !d.State.Final() {
		return
	}
	reason := ""
	if d.State == vigil.StateMissed {
		reason = string(d.Reason)
	}
	m.outcomes.WithLabelValues(vigil.MinerAddress(d.ID.Miner).String(), string(d.ID.Kind), string(d.State), reason).Inc()
}

// forget keeps what is known of duties within bounds: after some days a row is
// read no more. The caller holds the mutex.
func (m *Meter) forget(newest vigil.DutyID) {
	const most, days = 1 << 14, 3 * 2880
	if len(m.duties) < most {
		return
	}
	for id := range m.duties {
		if id.Open < newest.Open-days {
			delete(m.duties, id)
		}
	}
}

func stageOf(s vigil.DutyState) (string, bool) {
	switch s {
	case vigil.StateScheduled:
		return stageBegun, true
	case vigil.StateProved:
		return stageProved, true
	case vigil.StateSubmitted:
		return stageSubmitted, true
	case vigil.StateConfirmed:
		return stageConfirmed, true
	}
	return "", false
}
