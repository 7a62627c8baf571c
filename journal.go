package vigil

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
)

// EventKind says what an Event tells. It is stored as this word.
type EventKind string

const (
	EventStarted EventKind = "started" // the daemon sees its first head; Since is the last epoch that it saw before
	EventStopped EventKind = "stopped" // the daemon is told to end; one that is killed cannot say so
	EventNode    EventKind = "node"    // a node came to another state
	EventBlind   EventKind = "blind"   // a miner's state cannot be read from any node, or AboutDatabase; of no miner: there are no heads
	EventSeeing  EventKind = "seeing"  // it can be again
	EventBegun   EventKind = "begun"   // a task of a duty began
	EventRead    EventKind = "read"    // the sectors of a duty were read, as far as they could be
	EventProof   EventKind = "proof"   // a proof was made, verified and stored
	EventEnded   EventKind = "ended"   // a task of a duty ended, well if it has no Problem
	EventDuty    EventKind = "duty"    // a duty came to another state, or met another problem
	EventMessage EventKind = "message" // so did one of its messages
	EventAudit   EventKind = "audit"   // a post on chain was judged: After is the verdict, About the message if it is ours
	EventLost    EventKind = "lost"    // events that could not be written down
)

// TimeOver is how the Problem of a duty begins whose last try was going on when there was
// no time left for it.
const TimeOver = "time was over"

// AboutDatabase is what an EventBlind is about that is not the nodes' doing: the daemon
// could not read what it has written down itself.
const AboutDatabase = "database"

// Event is a line of the journal: something that happened, at the latest epoch
// that was known then.
type Event struct {
	Time  time.Time
	Epoch abi.ChainEpoch
	Kind  EventKind
	Miner abi.ActorID // 0: of all miners
	Duty  DutyID      // its zero value: of no duty
	EventFacts
}

// EventFacts is what is known of an event beyond that it happened. What does
// not matter for its kind is left out.
type EventFacts struct {
	Task       string         `json:"task,omitempty"`    // "prove", "submit", "recover"
	TipSet     TipSetKey      `json:"tipset,omitempty"`  // at which it was decided
	About      string         `json:"about,omitempty"`   // the node's URL, the message's ID
	Before     string         `json:"before,omitempty"`  // the state that it had
	After      string         `json:"after,omitempty"`   // and has
	Reason     Reason         `json:"reason,omitempty"`  // of a duty that is missed, or would be now
	Problem    string         `json:"problem,omitempty"` // in words
	Since      abi.ChainEpoch `json:"since,omitempty"`
	Until      abi.ChainEpoch `json:"until,omitempty"` // of an audit: the post can be disputed before
	Took       time.Duration  `json:"took,omitempty"`
	Partitions []uint64       `json:"partitions,omitempty"`
	Sectors    int            `json:"sectors,omitempty"`   // that were to be read, or are proved
	Bad        int            `json:"bad,omitempty"`       // of them: with evidence that they cannot be proved
	Unchecked  int            `json:"unchecked,omitempty"` // of them: nothing could be told
	Late       int            `json:"late,omitempty"`      // of them: not read for want of time
	Named      []BadSector    `json:"named,omitempty"`     // the first few of those
	Seed       string         `json:"seed,omitempty"`      // the challenge seed, in hex: of an audit
	Proof      string         `json:"proof,omitempty"`     // the SHA-256 of its bytes, in hex
	Read       time.Duration  `json:"read,omitempty"`      // the time that reading took
	Prove      time.Duration  `json:"prove,omitempty"`     // and proving
	Version    string         `json:"version,omitempty"`   // of the daemon
	Kernels    string         `json:"kernels,omitempty"`   // that it computes proofs with
	Delay      time.Duration  `json:"delay,omitempty"`     // the length of an epoch
	Number     int            `json:"number,omitempty"`    // of lost events
}

// Journal is where what happens is written down for people who ask why. Note
// never blocks and never fails: work does not wait for its own history. It may
// be called concurrently; an event without a Time happens now.
type Journal interface {
	Note(e Event)
}

// JournalQuery asks for events: those that fit everything that is set.
type JournalQuery struct {
	Duty   DutyID
	Miner  abi.ActorID    // and what concerns all miners
	From   abi.ChainEpoch // at this epoch or later
	Shared bool           // no duty's
	// Until, where it is set, ends the shared ones: those up to this epoch, and the
	// first start of a daemon after it, which says since when nothing was seen.
	Until abi.ChainEpoch
	After string // those after a JournalPage's Next
	Limit int    // the newest so many, or the first after After; 0 is 1000
}

// JournalPage is an answer, oldest first.
type JournalPage struct {
	Events []Event
	Next   string // asks for what comes after
}

// DutyQuery asks for duties: those that fit everything that is set.
type DutyQuery struct {
	Miner    abi.ActorID
	Deadline *uint64 // its index
	Kind     DutyKind
	States   []DutyState
	Before   abi.ChainEpoch // that open before it
	Limit    int            // the newest so many; 0 is 100
}

// Power is a miner's power as the chain has it, and what it is part of.
type Power struct {
	Miner       abi.ActorID      `json:"-"`
	Address     string           `json:"miner"`
	Epoch       abi.ChainEpoch   `json:"epoch"` // of the head that it was read at
	Raw         abi.StoragePower `json:"raw"`
	QualityAdj  abi.StoragePower `json:"quality_adjusted"`
	NetworkRaw  abi.StoragePower `json:"network_raw"`
	NetworkQA   abi.StoragePower `json:"network_quality_adjusted"`
	HasMinPower bool             `json:"has_min_power"` // it may win blocks
	SectorSize  abi.SectorSize   `json:"sector_size"`
	Sectors     uint64           `json:"sectors"`    // live ones
	Active      uint64           `json:"active"`     // that have power
	Faulty      uint64           `json:"faulty"`     // that have lost it
	Recovering  uint64           `json:"recovering"` // of them: those that are declared recovered
	FaultyRaw   abi.StoragePower `json:"faulty_raw"` // the raw power of the faulty ones
}

// ProverStatus is what makes proofs, and what it does now.
type ProverStatus struct {
	Prover     string      `json:"prover"`            // which way: "native"
	Kernels    string      `json:"kernels,omitempty"` // what it computes with
	Problem    string      `json:"problem,omitempty"` // why it computes with slower ones than it could
	Fault      string      `json:"fault,omitempty"`   // what the CPU's vector unit computed wrong: proofs are made without it
	FaultAt    time.Time   `json:"fault_at,omitzero"`
	Parameters string      `json:"parameters"` // the folder with the keys
	AtOnce     int         `json:"at_once"`    // proofs in progress at the same time
	Memory     int64       `json:"memory"`     // bytes for all of them; 0: no limit
	Made       uint64      `json:"made"`       // proofs since the start, good or not
	Proofs     []ProofWork `json:"proofs"`     // in progress first, then those waiting, the most urgent first
}

// ProofWork is a proof that is being made, or waits for its turn.
type ProofWork struct {
	Duty    string         `json:"duty"`
	Close   abi.ChainEpoch `json:"close"`
	Sectors int            `json:"sectors"`
	Since   time.Time      `json:"since"`
	Running bool           `json:"running"`
}

// ParseDutyID reads what DutyID.String writes, with the addresses of any network.
func ParseDutyID(text string) (DutyID, error) {
	parts := strings.Split(text, "/")
	id := DutyID{Kind: KindPost}
	if len(parts) == 4 {
		id.Kind = DutyKind(parts[2])
		parts = append(parts[:2], parts[3])
	}
	if len(parts) != 3 || id.Kind != KindPost && id.Kind != KindRecover {
		return DutyID{}, notADuty(text)
	}
	miner, err := ParseMiner(parts[0])
	if err != nil {
		return DutyID{}, notADuty(text)
	}
	open, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return DutyID{}, notADuty(text)
	}
	if id.Batch, err = strconv.Atoi(parts[2]); err != nil || id.Batch < 0 {
		return DutyID{}, notADuty(text)
	}
	id.Miner, id.Open = miner, abi.ChainEpoch(open)
	return id, nil
}

func notADuty(text string) error {
	return fmt.Errorf("%q is no duty: write it as f01000/1144209/0, or f01000/1144209/recover/0 for a recovery", text)
}

// ParseMiner reads a miner's ID address as people write it.
func ParseMiner(text string) (abi.ActorID, error) {
	a, err := address.NewFromString(text)
	if err != nil || a.Protocol() != address.ID {
		return 0, fmt.Errorf("%q is no miner's ID address: write it as f01000", text)
	}
	id, err := address.IDFromAddress(a)
	return abi.ActorID(id), err
}
