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
	Nodes    []NodeStatus   `json:"nodes"`             // in the order of the configuration
	Upgrade  *Upgrade       `json:"upgrade,omitempty"` // the next one, if it is known when
	Miners   []MinerStatus  `json:"miners"`
	Senders  []SenderStatus `json:"senders,omitempty"` // the accounts that pay for messages
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

// MinerStatus is one miner's part of a Status.
type MinerStatus struct {
	Miner     string           `json:"miner"`
	Epoch     abi.ChainEpoch   `json:"epoch"` // of the head its part was read at
	Current   Deadline         `json:"current"`
	Deadlines []DeadlineStatus `json:"deadlines"` // by index
	Duties    []DutyStatus     `json:"duties"`    // newest first: the open ones and those just over
	Bad       []BadSector      `json:"bad"`       // sectors that cannot be read now
	Problem   string           `json:"problem,omitempty"`
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
}
