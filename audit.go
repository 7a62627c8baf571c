package vigil

import (
	"errors"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"
)

// The chain takes a post without looking at its proof, unless it brings power
// back. When the deadline closes it keeps a record of it: the posts it took
// unseen, and the partitions and sectors as they were. For the dispute window
// anybody may have it look at a post again.

// DisputeWindow is how long after its close a deadline's posts can be disputed:
// twice the chain's finality (wpost_dispute_window, policy.rs of builtin-actors).
const DisputeWindow abi.ChainEpoch = 1800

// ErrMalformed says that bytes are no proof at all, whatever they should prove:
// the network takes that for a wrong proof.
var ErrMalformed = errors.New("it is no proof at all")

// ClosedDeadline is an occurrence of a deadline that is over, and the record
// that the miner's state keeps of it.
type ClosedDeadline struct {
	Miner    abi.ActorID
	Deadline Deadline
	Record   cid.Cid // of the deadline in the state: while it is the same, so is all that is in it
}

// Until is the first epoch at which its posts cannot be disputed any more.
func (d ClosedDeadline) Until() abi.ChainEpoch { return d.Deadline.Close + DisputeWindow }

// PostRecord is what the chain remembers of a deadline that has closed.
type PostRecord struct {
	// Snapshot names the partitions and sectors as they were at the close. A
	// dispute takes a post out of the record and leaves the snapshot as it is.
	Snapshot string
	Posts    []ChainPost // those that were taken unseen, by index
}

// ChainPost is a post that the chain took unseen.
type ChainPost struct {
	ClosedDeadline
	Index      uint64      // that a dispute names it by
	Partitions []Partition // that it proves, as they were when the deadline closed
	Sectors    cid.Cid     // the miner's sectors at that time
	ProofType  abi.RegisteredPoStProof
	Proof      []byte
	Snapshot   string // of its record
	// Evidence names all that a verdict on the post rests on, but for the
	// challenge seed, which is the beacon's and the same on every fork.
	Evidence string
}

// Audit is a verdict on a post as it stands on chain.
type Audit struct {
	Miner      abi.ActorID
	Deadline   Deadline
	Index      uint64   // of the post in the deadline's record
	Partitions []uint64 // that it proves
	Snapshot   string
	Evidence   string
	Verdict    AuditVerdict   // valid or disputable; what is not known is not kept
	Problem    string         // what is wrong with a disputable one
	Epoch      abi.ChainEpoch // of the head at which it was judged
	// Seed is the challenge seed that it was judged with, as the chain gave it; zero of
	// verdicts that are older than this field.
	Seed [32]byte
}

// Until is the first epoch at which the post cannot be disputed any more.
func (a Audit) Until() abi.ChainEpoch { return a.Deadline.Close + DisputeWindow }
