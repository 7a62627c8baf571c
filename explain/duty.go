package explain

import (
	"cmp"
	"slices"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// Record is all that is known of a duty.
type Record struct {
	Duty     vigil.Duty
	Events   []vigil.Event   // its own, oldest first
	Shared   []vigil.Event   // the daemon's and the nodes', oldest first, from before its challenge on
	Messages []vigil.Message // oldest first
	Audits   []vigil.Audit   // of what was posted for its partitions, whoever did
}

// Verdict is how a duty ended, in a word.
type Verdict string

const (
	VerdictOnTime   Verdict = "on time"
	VerdictLate     Verdict = "late"    // it is on chain, and few epochs were left
	VerdictMissed   Verdict = "missed"  // its partitions became faulty
	VerdictPending  Verdict = "pending" // it is not over
	VerdictReplaced Verdict = "replaced"
)

// lateBelow is how many epochs before Close an execution is late: as many as a
// message is given by default to be included and replaced.
const lateBelow = 12

// Duty is a duty as it is listed.
type Duty struct {
	ID         string            `json:"duty"`
	Kind       vigil.DutyKind    `json:"kind"`
	Miner      string            `json:"miner"`
	Deadline   uint64            `json:"deadline"`
	Open       abi.ChainEpoch    `json:"open"`
	Close      abi.ChainEpoch    `json:"close"`
	Partitions []uint64          `json:"partitions,omitempty"`
	Sectors    int               `json:"sectors,omitempty"` // of a recovery: declared
	State      vigil.DutyState   `json:"state"`
	Skipped    []vigil.BadSector `json:"skipped,omitempty"`
	Reason     vigil.Reason      `json:"reason,omitempty"`  // of one that is not done: why it would be missed now
	Problem    string            `json:"problem,omitempty"` // what stopped the last try
	Tried      abi.ChainEpoch    `json:"tried,omitempty"`   // the epoch of that try
}

// ListDuty is a duty's line of a list.
func ListDuty(d vigil.Duty) Duty {
	return Duty{
		ID: d.ID.String(), Kind: d.ID.Kind, Miner: vigil.MinerAddress(d.ID.Miner).String(), Deadline: d.Deadline.Index,
		Open: d.Deadline.Open, Close: d.Deadline.Close, Partitions: d.Partitions, Sectors: len(d.Sectors),
		State: d.State, Skipped: d.Skipped, Reason: d.Reason, Problem: d.Problem, Tried: d.Tried,
	}
}

// Moment is a thing that happened, in the order in which it did.
type Moment struct {
	Time   time.Time       `json:"time"`
	Epoch  abi.ChainEpoch  `json:"epoch"`
	Left   *float64        `json:"seconds_to_close,omitempty"` // by the chain's clock; less than 0 after Close
	Kind   vigil.EventKind `json:"kind"`
	Level  string          `json:"level"` // info, warn, error
	Duty   string          `json:"duty,omitempty"`
	Miner  string          `json:"miner,omitempty"`
	State  string          `json:"state,omitempty"` // that the duty or the message came to, if it did
	Text   string          `json:"text"`            // a sentence
	TipSet vigil.TipSetKey `json:"tipset,omitempty"`
	Proof  string          `json:"proof_sha256,omitempty"`
	// Message is the CID of the attempt that the moment is about, or the message's ID.
	Message string `json:"message,omitempty"`
}

// ProofFacts is what is known of a duty's last proof.
type ProofFacts struct {
	SHA256  string         `json:"sha256"`
	Sectors int            `json:"sectors"`
	Skipped int            `json:"skipped"`
	Read    time.Duration  `json:"read"`  // nanoseconds
	Prove   time.Duration  `json:"prove"` // nanoseconds
	Kernels string         `json:"kernels,omitempty"`
	Epoch   abi.ChainEpoch `json:"epoch"`
}

// Story is a duty told from its beginning.
type Story struct {
	Duty
	Verdict  Verdict         `json:"verdict"`
	Window   vigil.Deadline  `json:"window"`
	Why      []string        `json:"why"`              // in sentences, what matters most first
	Advice   string          `json:"advice,omitempty"` // what to do, now or for the next time
	Timeline []Moment        `json:"timeline"`
	Proof    *ProofFacts     `json:"proof,omitempty"`
	Messages []Message       `json:"messages"`
	Paid     abi.TokenAmount `json:"paid"` // for gas, of all its messages
}

// Recount tells of a duty. The same record at the same head is told of in the
// same words.
func Recount(r Record, at At) Story {
	at.Epoch = cmp.Or(at.Epoch, epochLength(r.Shared))
	t := teller{record: r, at: at, deadline: r.Duty.Deadline}
	s := Story{
		Duty: ListDuty(r.Duty), Verdict: t.verdict(), Window: r.Duty.Deadline, Timeline: t.timeline(),
		Proof: t.proof(), Messages: []Message{}, Paid: big.Zero(),
	}
	for _, m := range r.Messages {
		s.Messages = append(s.Messages, Tell(m, at))
		s.Paid = big.Add(s.Paid, amount(m.Paid))
	}
	s.Why, s.Advice = t.why(s.Verdict), t.advice(s.Verdict)
	return s
}

// epochLength is the length of an epoch as the daemon noted it last.
func epochLength(shared []vigil.Event) (d time.Duration) {
	for _, e := range shared {
		if e.Kind == vigil.EventStarted && e.Delay > 0 {
			d = e.Delay
		}
	}
	return d
}

// teller tells of one duty.
type teller struct {
	record   Record
	at       At
	deadline vigil.Deadline
}

func (t teller) verdict() Verdict {
	switch t.record.Duty.State {
	case vigil.StateMissed:
		return VerdictMissed
	case vigil.StateReplaced:
		return VerdictReplaced
	case vigil.StateConfirmed:
		if landed, ok := t.landed(); ok && t.deadline.Close-landed < lateBelow && t.record.Duty.ID.Kind == vigil.KindPost {
			return VerdictLate
		}
		return VerdictOnTime
	}
	return VerdictPending
}

// landed is the epoch at which the message was executed that counts.
func (t teller) landed() (abi.ChainEpoch, bool) {
	for _, m := range slices.Backward(t.record.Messages) {
		a, ok := m.Executed()
		if m.Receipt != nil && m.Receipt.ExitCode == 0 && !(ok && a.Cancel) {
			return m.Receipt.Epoch, true
		}
	}
	return 0, false
}

func (t teller) proof() *ProofFacts {
	e, ok := t.last(vigil.EventProof)
	if !ok {
		return nil
	}
	p := &ProofFacts{SHA256: e.Proof, Sectors: e.Sectors, Skipped: e.Bad, Read: e.Read, Prove: e.Prove, Epoch: e.Epoch}
	for _, s := range t.record.Shared {
		if s.Kind == vigil.EventStarted && !s.Time.After(e.Time) {
			p.Kernels = s.Kernels
		}
	}
	return p
}

// last is the duty's last event of a kind.
func (t teller) last(kind vigil.EventKind) (vigil.Event, bool) {
	for _, e := range slices.Backward(t.record.Events) {
		if e.Kind == kind {
			return e, true
		}
	}
	return vigil.Event{}, false
}

// first is the duty's first event of a kind.
func (t teller) first(kind vigil.EventKind, fits func(vigil.Event) bool) (vigil.Event, bool) {
	for _, e := range t.record.Events {
		if e.Kind == kind && (fits == nil || fits(e)) {
			return e, true
		}
	}
	return vigil.Event{}, false
}
