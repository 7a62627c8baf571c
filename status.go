package vigil

import (
	"time"

	"github.com/filecoin-project/go-state-types/abi"
)

// Status is what people are shown: the daemon's picture of the chain and of
// its duties after the latest plan. It is a copy; its reader may keep it.
type Status struct {
	Version  string         `json:"version"`
	Network  string         `json:"network"`
	Head     abi.ChainEpoch `json:"head"`
	HeadTime time.Time      `json:"head_time"`
	HeadSeen time.Time      `json:"head_seen"` // when it was learnt of: silence is measured from here
	Delay    time.Duration  `json:"delay"`     // the length of an epoch
	Problem  string         `json:"problem,omitempty"`
	Starting string         `json:"starting,omitempty"` // what the start waits for: no work has begun yet
	Nodes    []NodeStatus   `json:"nodes"`              // in the order of the configuration
	Upgrade  *Upgrade       `json:"upgrade,omitempty"`  // the next one, if it is known when
	Miners   []MinerStatus  `json:"miners"`
	// Storages are in the order of the configuration.
	Storages []StorageStatus  `json:"storages"`
	Senders  []SenderStatus   `json:"senders,omitempty"`  // the accounts that pay for messages
	Alarms   []Alarm          `json:"alarms"`             // the most urgent first
	BaseFee  *abi.TokenAmount `json:"base_fee,omitempty"` // of the head
	Proving  ProvingStatus    `json:"proving"`
	Machine  MachineStatus    `json:"machine"`
	Stuck    []StuckLoop      `json:"stuck,omitempty"` // what should come round and has not for long
}

// StuckLoop is a loop of the daemon that hangs.
type StuckLoop struct {
	Loop  string    `json:"loop"`
	Since time.Time `json:"since"`
}

// ProvingStatus is how the making of proofs goes.
type ProvingStatus struct {
	Running int       `json:"running"`           // proofs being made
	Made    uint64    `json:"made"`              // since the start
	Failed  uint64    `json:"failed"`            // tries that came to nothing, but for those that were given up
	Problem string    `json:"problem,omitempty"` // what stopped the last try; empty after one that went well
	Since   time.Time `json:"since,omitzero"`    // when the first try failed of those in a row
	// Fault is what the CPU's vector unit has computed wrong, and FaultAt when
	// that was seen: proofs are made without it since.
	Fault   string    `json:"fault,omitempty"`
	FaultAt time.Time `json:"fault_at,omitzero"`
}

// MachineStatus is what the daemon depends on beside chain and storages, as
// it was looked at last.
type MachineStatus struct {
	Data       string `json:"data"`                 // the folder of the database
	Free       int64  `json:"free"`                 // bytes left there; negative if that cannot be told
	Database   string `json:"database,omitempty"`   // what stopped the last use of it; empty after one that went well
	Parameters string `json:"parameters,omitempty"` // why proofs cannot be made with the keys that are there
}

// Alarm is something that somebody should do something about, while it lasts.
type Alarm struct {
	Code   string         `json:"code"`            // of which kind it is, in a word or two: "will-not-fit"
	About  string         `json:"about"`           // what it is about: a miner, duty, storage, node, sender
	Miner  string         `json:"miner,omitempty"` // that stands to lose, if it is one of several
	Urgent bool           `json:"urgent"`          // power is lost without it
	Since  time.Time      `json:"since"`
	By     abi.ChainEpoch `json:"by,omitempty"` // until when it can be helped; 0 if that is not known
	What   string         `json:"what"`         // what is wrong, in a sentence
	Remedy string         `json:"remedy"`       // what to do, in a sentence
}

// SenderStatus is an account that sends messages as people are shown it.
type SenderStatus struct {
	Address string          `json:"address"`
	Balance abi.TokenAmount `json:"balance"`
	Sent    int             `json:"sent"`              // messages in the last 24 hours
	Needed  abi.TokenAmount `json:"needed"`            // what as many may cost at their budget
	Problem string          `json:"problem,omitempty"` // what somebody should do something about
	Urgent  bool            `json:"urgent,omitempty"`  // before the next message
}

// NodeState is what the daemon thinks of a node.
//
//	unreachable ─▶ ready ◀─▶ in use
//	     ▲           ▲         │
//	     │           ▼         ▼
//	     └───────── set aside ◀┘      refused: until somebody changes something
type NodeState string

const (
	NodeInUse       NodeState = "in use"      // it is read
	NodeReady       NodeState = "ready"       // it could be read at any moment, and messages go to it
	NodeAside       NodeState = "set aside"   // it answers, but not so that it can be relied on; tried again
	NodeUnreachable NodeState = "unreachable" // no connection; tried again
	NodeRefused     NodeState = "refused"     // another network, or it takes no token of ours
)

// NodeStatus is one node as people are shown it.
type NodeStatus struct {
	Node    string         `json:"node"` // its URL, without the token
	State   NodeState      `json:"state"`
	Why     string         `json:"why,omitempty"` // it is not in use or ready, or is in use all the same
	Since   time.Time      `json:"since"`         // of the state
	Epoch   abi.ChainEpoch `json:"epoch"`         // of its head
	Latency time.Duration  `json:"latency"`       // how long it takes to tell its head, smoothed
	Calls   uint64         `json:"calls"`         // it was asked so often
	Failed  uint64         `json:"failed"`        // and so often came nothing of use
}

// StorageState is what the daemon thinks of a storage.
type StorageState string

const (
	StorageReady  StorageState = "ready"  // it is read, or could be
	StorageSilent StorageState = "silent" // it does not answer, or is not there
)

// StorageStatus is one storage as people are shown it.
type StorageStatus struct {
	Path    string        `json:"path"`
	State   StorageState  `json:"state"`
	Why     string        `json:"why,omitempty"`
	AtOnce  int           `json:"at_once"` // sectors that are read at a time, found by trying
	Reading int           `json:"reading"` // sectors being read
	Waiting int           `json:"waiting"` // sectors waiting for their turn
	Lost    int           `json:"lost"`    // reads given up that have not returned
	Read    uint64        `json:"read"`    // sectors read so far
	Took    time.Duration `json:"took"`    // for one of them, smoothed
	Spent   time.Duration `json:"spent"`   // in all of them
}

// MinerStatus is one miner's part of a Status.
type MinerStatus struct {
	Miner     string           `json:"miner"`
	Epoch     abi.ChainEpoch   `json:"epoch"` // of the head its part was read at
	Current   Deadline         `json:"current"`
	Deadlines []DeadlineStatus `json:"deadlines"` // by index
	Duties    []DutyStatus     `json:"duties"`    // newest first: the open ones and those just over
	Bad       []BadSector      `json:"bad"`       // sectors that cannot be read now
	Problem   string           `json:"problem,omitempty"`
	Shadow    bool             `json:"shadow,omitempty"` // somebody else posts: nothing is signed or sent
	// Rehearsals are the latest of each deadline, by index.
	Rehearsals []RehearsalStatus `json:"rehearsals"`
	Recoveries []RecoveryStatus  `json:"recoveries"` // of the deadlines that have faulty sectors or just got some back, by index
	Audits     []AuditStatus     `json:"audits"`     // of what was posted inside the dispute window, newest first
	// Covered is the epoch since which every sector that owes proofs was read
	// in a rehearsal, and CoveredAt about when that was; 0 until all were.
	Covered   abi.ChainEpoch `json:"covered"`
	CoveredAt time.Time      `json:"covered_at,omitzero"`
}

// RehearsalStatus is how the reading of a deadline's sectors ahead of its proof went.
type RehearsalStatus struct {
	Deadline  uint64         `json:"deadline"`
	Epoch     abi.ChainEpoch `json:"epoch"` // when it began
	Whole     abi.ChainEpoch `json:"whole"` // when the latest began that left no sector unread; 0 if none did
	Sectors   int            `json:"sectors"`
	Bad       []BadSector    `json:"bad"`               // sectors that would have been skipped, each with its cause
	Unchecked int            `json:"unchecked"`         // sectors that could not be read
	Problem   string         `json:"problem,omitempty"` // with the first of those
	ReadTime  time.Duration  `json:"read_time"`
}

// RecoveryStatus is how the faulty sectors of a deadline get their power back.
type RecoveryStatus struct {
	Deadline   uint64         `json:"deadline"`
	Cutoff     abi.ChainEpoch `json:"cutoff"`     // declarations must be on chain before it
	Faulty     uint64         `json:"faulty"`     // sectors that are faulty on chain
	Declared   uint64         `json:"declared"`   // of them, those that are declared recovered
	Returned   uint64         `json:"returned"`   // sectors whose power came back at the last occurrence
	Unreadable []BadSector    `json:"unreadable"` // sectors that cannot be declared, each with its cause
	Problem    string         `json:"problem,omitempty"`
}

// AuditVerdict is what the audit of a post that is on chain found.
type AuditVerdict string

const (
	AuditValid      AuditVerdict = "valid"      // the chain's bytes prove the chain's own sectors
	AuditDisputable AuditVerdict = "disputable" // they do not: anybody can dispute it
	AuditUnknown    AuditVerdict = "unknown"    // it could not be judged yet
)

// AuditStatus is a post as it stands on chain, judged as a disputer would.
type AuditStatus struct {
	Duty     string         `json:"duty"`
	Deadline uint64         `json:"deadline"`
	Message  string         `json:"message_cid"`
	Verdict  AuditVerdict   `json:"verdict"`
	Until    abi.ChainEpoch `json:"until"` // it can be disputed before this epoch
	Problem  string         `json:"problem,omitempty"`
	Seed     string         `json:"seed,omitempty"` // the challenge seed that it was judged with, in hex
}

// Forecast is when a deadline's proofs are expected on chain, going by what
// earlier ones took.
type Forecast struct {
	Start  abi.ChainEpoch `json:"start"` // when work on it can begin
	Read   time.Duration  `json:"read"`
	Prove  time.Duration  `json:"prove"`
	Post   time.Duration  `json:"post"`
	Finish abi.ChainEpoch `json:"finish"` // when the last of it is on chain, if all goes at its usual pace
	Slow   abi.ChainEpoch `json:"slow"`   // and at the pace of the slowest tenth
	Fits   bool           `json:"fits"`   // Finish is before Close
	Why    string         `json:"why"`    // what it rests on; and what is in the way when it does not fit
}

// DeadlineStatus is one of the 48 on the page. The counts are of the chain's state.
type DeadlineStatus struct {
	Deadline   Deadline  `json:"deadline"` // the occurrence that is open or comes next
	Partitions int       `json:"partitions"`
	Sectors    uint64    `json:"sectors"`
	Faulty     uint64    `json:"faulty"`
	Recovering uint64    `json:"recovering"`
	Posted     int       `json:"posted"`         // partitions posted in the occurrence that is open
	Last       DutyState `json:"last,omitempty"` // how the latest occurrence with duties stands
	Forecast   *Forecast `json:"forecast,omitempty"`
}

// DutyStatus is a duty and its message as the page shows them.
type DutyStatus struct {
	Duty      string         `json:"duty"`
	Kind      DutyKind       `json:"kind"`
	Deadline  uint64         `json:"deadline"`
	Open      abi.ChainEpoch `json:"open"`
	Close     abi.ChainEpoch `json:"close"`
	Row       Duty           `json:"row"`
	Running   string         `json:"running,omitempty"` // what is being done about it right now
	Message   MessageState   `json:"message,omitempty"`
	MessageIs string         `json:"message_cid,omitempty"`
	// Of the message: what stopped its last try, the fee cap of its newest
	// attempt, and the epoch of its first.
	MessageProblem string          `json:"message_problem,omitempty"`
	FeeCap         abi.TokenAmount `json:"fee_cap"`
	Sent           abi.ChainEpoch  `json:"sent,omitempty"`
}
