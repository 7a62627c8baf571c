package schedule

import (
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// View is how things are for one miner at one head: what the chain says and
// what is stored. It says nothing of what happened.
type View struct {
	Miner abi.ActorID
	Epoch abi.ChainEpoch // of the head
	// Shadow says that somebody else posts for the miner. Its open deadlines
	// are seen as if nobody had, and nothing of it is ever on its way.
	Shadow    bool
	Deadlines []Deadline   // those that matter now, in any order
	Duties    []vigil.Duty // the stored rows
	Messages  []vigil.Message
	// Hurried is when somebody wished that faulty sectors are read again now:
	// reads up to then put off none.
	Hurried abi.ChainEpoch
}

// Deadline is one occurrence of a deadline as the chain has it.
type Deadline struct {
	vigil.Deadline
	// Commit is the randomness that ties a post to the present fork, once
	// it can be drawn; empty before. A message built on another is doomed.
	Commit     string
	Partitions []Partition
}

// Partition is what a plan needs to know of a partition.
type Partition struct {
	Index uint64
	// Due is how many sectors the next proof covers; of a deadline that has
	// closed without a row, how many it should have covered.
	Due uint64
	// Posted says that the state at the head shows it posted, Settled that
	// the state as many epochs ago as the confidence asks for does.
	Posted, Settled bool
	// Proven is for a deadline that has closed: its state after Close, at
	// the confidence, shows that the partition was not missed.
	Proven bool
	// Recovering is how many of the due sectors are faulty until this proof.
	Recovering uint64
	// Recoverable are its faulty sectors for which no recovery is declared.
	Recoverable []abi.SectorNumber
	// Idle are, of a deadline that has closed, its sectors without power.
	Idle []abi.SectorNumber
}

// Policy is what a provider may choose.
type Policy struct {
	// StartConfidence is how many epochs after Challenge the work starts.
	StartConfidence abi.ChainEpoch
	// SubmitConfidence is how many epochs after Open a post is sent.
	SubmitConfidence abi.ChainEpoch
	// Confidence is how many epochs deep a post must stand to be done.
	Confidence abi.ChainEpoch
	// MaxPartitions is how many partitions are proved and posted together.
	MaxPartitions int
	// RecoverAlone proves and posts a partition with recovering sectors alone:
	// the network verifies its proof at once, and refuses the whole message if
	// that fails.
	RecoverAlone bool
	// DeclareSectors, DeclarePartitions and DeclareGas are the most that one
	// declaration of recovered sectors may have.
	DeclareSectors    int
	DeclarePartitions int
	DeclareGas        int64
	// RecoverEvery is how many epochs lie between two reads of the same
	// faulty sectors; one in as many before declarations are given up.
	RecoverEvery abi.ChainEpoch
	// RecoverMargin is how many epochs before the fault cutoff a
	// declaration is given up: it would not be executed in time.
	RecoverMargin abi.ChainEpoch
	// PostMargin is how many epochs before Close a proof should be there:
	// its message is included in a few, and may have to be replaced.
	PostMargin abi.ChainEpoch
	// SkipPercent is how large a part of a duty's sectors may be left out
	// as bad at once; when more look bad, they are waited for.
	SkipPercent int
}

// skipFew is how many sectors may always be left out: of a few, a part says nothing.
const skipFew = 10

// MaySkip is how many of a duty's sectors may be left out as bad without waiting.
func (p Policy) MaySkip(due int) int { return max(skipFew, due*p.SkipPercent/100) }

// DefaultPolicy is right for mainnet: the seed of a challenge does not
// change in a reorg, so work starts at once; the epochs between Open and the
// first message leave the beginning of the window to settle, and there is
// time to replace the message more than ten times before Close.
var DefaultPolicy = Policy{
	StartConfidence:  1,
	SubmitConfidence: 4,
	Confidence:       5,
	MaxPartitions:    3,
	RecoverAlone:     true,
	// the network's own limits (AddressedSectorsMax and AddressedPartitionsMax
	// in policy.go of the miner actor), and half of a block's gas
	DeclareSectors:    25_000,
	DeclarePartitions: 3_000,
	DeclareGas:        5_000_000_000,
	RecoverEvery:      10,
	RecoverMargin:     3,
	PostMargin:        12,
	SkipPercent:       5,
}

// Verb says what a task does.
type Verb string

const (
	Prove   Verb = "prove"   // read, prove and verify, and store the proof
	Submit  Verb = "submit"  // hand the message of a stored proof to the messager
	Recover Verb = "recover" // read faulty sectors, and declare those that can be proved again
	Confirm Verb = "confirm" // write down that the chain shows the duty done
	Miss    Verb = "miss"    // write down that the chain closed without it, and why
	Retire  Verb = "retire"  // write down that its partitions go on in other duties
	Return  Verb = "return"  // write down how much power a recovery has brought back
)

// Task is one thing that should be in progress now. Two tasks of one duty are
// never planned together.
type Task struct {
	Verb Verb
	Duty vigil.Duty // the row to act on; it may be new
	// Generation counts the duty's messages that came to nothing: a new
	// message must not be taken for one of them.
	Generation int
	Failed     string       // what came of the last of these, in words; of a Return, why power is missing
	Reason     vigil.Reason // of a Miss
	// Sectors are, of a Recover, what is to be read and declared, and of a Return
	// those that were declared and have no power.
	Sectors []abi.SectorNumber
	// NextBatch is the first number for a duty of the same deadline and kind
	// that this task may add; no other task adds any meanwhile.
	NextBatch int
}
