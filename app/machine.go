package app

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store"
)

// machine looks now and then at what the daemon depends on beside chain and
// storages: room on the data folder's disk, and the proof parameters, which
// were there at the start and may be cleared away while it runs.
type machine struct {
	parameters // those that Check was asked for are looked after
	data       string

	mu    sync.Mutex // guards what follows
	forms []abi.RegisteredPoStProof
	seen  vigil.MachineStatus
}

// machineLookEvery is how often the machine is looked at: disks fill up within minutes.
const machineLookEvery = time.Minute

// Check says whether the keys of proofs of a type are there, and from then on
// they are looked after.
func (m *machine) Check(t abi.RegisteredPoStProof) error {
	m.mu.Lock()
	if !slices.Contains(m.forms, t) {
		m.forms = append(m.forms, t)
	}
	m.mu.Unlock()
	return m.parameters.Check(t)
}

func (m *machine) run(ctx context.Context) {
	for {
		m.look()
		select {
		case <-ctx.Done():
			return
		case <-time.After(machineLookEvery):
		}
	}
}

func (m *machine) look() {
	seen := vigil.MachineStatus{Data: m.data, Free: store.DiskFree(m.data)}
	if seen.Free == math.MaxInt64 {
		seen.Free = -1
	}
	m.mu.Lock()
	forms := slices.Clone(m.forms)
	m.mu.Unlock()
	for _, t := range forms {
		if err := m.parameters.Check(t); err != nil {
			seen.Parameters = err.Error()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = seen
}

// status is what was seen last.
func (m *machine) status() vigil.MachineStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen
}
