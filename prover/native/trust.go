package native

import (
	"sync"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// trust is what proofs have taught of the arithmetic that makes them.
type trust struct {
	mu      sync.Mutex // guards what follows
	fault   string     // what the vector unit has computed wrong; it is not used any more
	at      time.Time
	cleared vigil.DutyID // the generic arithmetic failed it too, so that it is not tried for each try of the duty
	paces   map[paceOf]time.Duration
}

// paceOf is what the time of a partition's proof depends on.
type paceOf struct {
	form   abi.RegisteredPoStProof
	kernel string
}

func (t *trust) isLost() bool {
	fault, _ := t.lost()
	return fault != ""
}

// lost says why the vector unit is not trusted, and since when.
func (t *trust) lost() (fault string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fault, t.at
}

// lose ends the trust; it is false if it was lost before.
func (t *trust) lose(fault string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fault != "" {
		return false
	}
	t.fault, t.at = fault, time.Now()
	return true
}

func (t *trust) clear(id vigil.DutyID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleared = id
}

func (t *trust) isCleared(id vigil.DutyID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cleared == id && id != vigil.DutyID{}
}

// took notes how long a partition's proof took.
func (t *trust) took(of paceOf, each time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.paces == nil {
		t.paces = map[paceOf]time.Duration{}
	}
	t.paces[of] = each
}

// pace is what the latest took; 0 if none was made.
func (t *trust) pace(of paceOf) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.paces[of]
}
