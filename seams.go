package vigil

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/ipfs/go-cid"
)

// ErrNotFound says that what was asked for does not exist, as opposed to could not be read.
var ErrNotFound = errors.New("not found")

// Heads follows a chain. Every method may fail for as long as no node
// answers, and may be called concurrently. Where several nodes are asked, what
// is read for one decision is read under one OneDecision context.
type Heads interface {
	// Network says which network the node follows; it does not change while the daemon runs.
	Network(ctx context.Context) (Network, error)
	// Head asks for the head now.
	Head(ctx context.Context) (Head, error)
	// Watch gives the latest head whenever it changes, until ctx ends: older
	// ones that were not taken are dropped, and the reader never holds up the
	// node. Lost subscriptions are renewed inside; heads are a hint, so a
	// reader must also ask by the clock.
	Watch(ctx context.Context) <-chan Head
	// At gives the tipset at the epoch in the chain that ends in key, or the
	// latest before it when the epoch has none.
	At(ctx context.Context, epoch abi.ChainEpoch, key TipSetKey) (Head, error)
}

// MinerState reads a miner's state at a tipset: the state that the tipset was
// built on. Every method may fail and may be called concurrently.
type MinerState interface {
	Miner(ctx context.Context, miner abi.ActorID, key TipSetKey) (MinerInfo, error)
	// Deadline is the deadline that is current at the tipset's epoch.
	Deadline(ctx context.Context, miner abi.ActorID, key TipSetKey) (Deadline, error)
	// Partitions of a deadline, by index.
	Partitions(ctx context.Context, miner abi.ActorID, deadline uint64, key TipSetKey) ([]Partition, error)
	// Posted gives, for each deadline, the partitions posted in its present
	// occurrence. The chain clears it when the deadline closes.
	Posted(ctx context.Context, miner abi.ActorID, key TipSetKey) ([]bitfield.BitField, error)
	// Sectors gives the sectors of a set, ascending; one that does not exist is an error.
	Sectors(ctx context.Context, miner abi.ActorID, set bitfield.BitField, key TipSetKey) ([]Sector, error)
	// Faults gives all faulty sectors of a miner, the recovering ones included, and those.
	Faults(ctx context.Context, miner abi.ActorID, key TipSetKey) (faulty, recovering bitfield.BitField, err error)
}

// MinerStanding reads what a miner owes. It may fail, and may be called concurrently.
type MinerStanding interface {
	// Standing is that in the state of the tipset.
	Standing(ctx context.Context, miner abi.ActorID, key TipSetKey) (Standing, error)
}

// GasEstimator runs a call on the head and proposes its gas: the part of a
// MessageNode that decides how large messages may be.
type GasEstimator interface {
	EstimateGas(ctx context.Context, call Call, nonce uint64) (Gas, error)
}

// Randomness draws the chain's randomness for Window PoSt at a tipset. It may
// fail, and always does for an epoch after the tipset's; concurrent calls are fine.
type Randomness interface {
	// Challenge is the beacon's seed of a miner's deadline at its challenge
	// epoch, as the chain gives it (its two top bits are not cleared).
	Challenge(ctx context.Context, miner abi.ActorID, epoch abi.ChainEpoch, key TipSetKey) ([32]byte, error)
	// Commit is the ticket randomness that ties a post to a fork.
	Commit(ctx context.Context, epoch abi.ChainEpoch, key TipSetKey) ([32]byte, error)
}

// MessageNode is the part of a chain node that the messager needs. Every
// method may fail and may be called concurrently.
type MessageNode interface {
	// KeyAddress is the key address of an account given by any of its addresses.
	KeyAddress(ctx context.Context, account address.Address, key TipSetKey) (address.Address, error)
	// Account gives the next nonce of an account in the state of the tipset,
	// after the tipset's own messages, and its balance.
	Account(ctx context.Context, account address.Address, key TipSetKey) (nonce uint64, balance abi.TokenAmount, err error)
	// EstimateGas runs the call on the head and proposes its gas. A call that
	// would fail is a *CallError.
	EstimateGas(ctx context.Context, call Call, nonce uint64) (Gas, error)
	// PoolNonce is the next nonce of an account as the node's pool has it:
	// above Account's by the messages that wait in the pool, whoever made them.
	PoolNonce(ctx context.Context, account address.Address) (uint64, error)
	// PushMessage hands a signed message to the node's pool; of several nodes
	// to each, and one that takes it is enough. A message that the pool already
	// has is a success. The results are those of the nodes that have answered
	// until then. Where it is known why nobody took it, the error wraps one
	// of those of pusherror.go.
	PushMessage(ctx context.Context, m SignedMessage) ([]PushResult, error)
	// Executed gives the messages that the parent of the tipset executed.
	Executed(ctx context.Context, key TipSetKey) ([]Executed, error)
	// Search finds the execution of a message at or before the tipset; it is
	// ErrNotFound when the chain has not executed it.
	Search(ctx context.Context, message cid.Cid, key TipSetKey) (Executed, error)
}

// CallError says that the chain would refuse a call: it is an answer, not a fault of the node.
type CallError struct {
	Text     string
	OutOfGas bool // it needs more gas than a block has
}

func (e *CallError) Error() string { return "the chain would refuse the message: " + e.Text }

// Signer holds keys, and decides what they are used for. Its methods may be
// called concurrently.
type Signer interface {
	// Has says whether the key of an address (f1 or f3) is held.
	Has(ctx context.Context, key address.Address) (bool, error)
	// Sign signs a message with the key of its From; a signature that it has
	// is not looked at. A message that no key is used for is a *SigningRefusal.
	Sign(ctx context.Context, m SignedMessage) (crypto.Signature, error)
}

// SigningRefusal says that keys are held back from a message by policy: asking
// again will not help.
type SigningRefusal struct{ Text string }

func (e *SigningRefusal) Error() string { return "refused to sign: " + e.Text }

// SectorReader reads sectors from storage. It may be called concurrently, with
// any number of sectors at once: it knows itself how many a storage bears.
type SectorReader interface {
	// Read gives the verified vanilla proof of a sector for the statement's
	// seed: the sector's paths lead to its CommR on chain. A sector that is
	// proven bad is a *SectorError; any other error means that it could not
	// be checked, which is not bad.
	Read(ctx context.Context, r ReadRequest) (VanillaProof, error)
	// Recheck returns an error unless a vanilla proof that was kept since Read
	// is what Read would give: it reads no storage.
	Recheck(r ReadRequest, proof VanillaProof) error
}

// ReadRequest asks for a sector's vanilla proof.
type ReadRequest struct {
	Miner      abi.ActorID
	ProofType  abi.RegisteredPoStProof
	Randomness [32]byte
	Sector     Sector
	// Position is the sector's place in the statement's list; the first
	// challenge rule (V1) depends on it, V1_1 does not.
	Position int
}

// SectorError is evidence that a sector cannot be proved from what is stored.
type SectorError struct {
	Sector abi.SectorNumber
	Cause  string // which file, what is wrong with it
}

func (e *SectorError) Error() string {
	return fmt.Sprintf("sector %d is bad: %s", e.Sector, e.Cause)
}

// ErrUnproven says that the vanilla proofs of a request prove nothing: one of them is spoilt, or
// the prover is wrong about it.
var ErrUnproven = errors.New("no proof can be made of these vanilla proofs")

// Prover makes proofs. It may be called concurrently, and orders its own work
// by ProveRequest.Close; it stops soon after ctx ends.
type Prover interface {
	// Prove gives 192 bytes per SNARK partition. The result is not trusted:
	// the caller verifies it.
	Prove(ctx context.Context, r ProveRequest) ([]byte, error)
}

// ProveRequest asks for a proof of a statement.
type ProveRequest struct {
	Duty      DutyID
	Close     abi.ChainEpoch // the most urgent request is served first
	Statement Statement
	Vanilla   []VanillaProof // one for each of the statement's sectors, in its order
	// Begun, where it is set, is called in Prove's own goroutine when the
	// request's turn has come: the time before was spent waiting for others. It is
	// called again if the request has to wait once more.
	Begun func()
	// By is when the proof is worth nothing any more; zero if that is not known.
	By time.Time
}

// Verifier judges proofs as the network does. It may be called concurrently.
type Verifier interface {
	// Verify says whether the proof proves the statement; an error means
	// that the proof is malformed (ErrMalformed) or could not be judged.
	Verify(ctx context.Context, s Statement, proof []byte) (bool, error)
}

// Messager gets calls on chain. It may be called concurrently.
type Messager interface {
	// Push stores the request and returns; from then on the messager sees it
	// through. It is durable on return. The same ID with another call is a
	// *ConflictError.
	Push(ctx context.Context, r MessageRequest) (Message, error)
	// Messages gives a miner's messages whose Expires is at or after the
	// epoch, oldest first.
	Messages(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]Message, error)
}

// MessageDesk is where people look for messages and wish for something to be
// done about one. It may be called concurrently. A wish is durable on return,
// done by the messager's loop as soon as it can be, also after a restart, and
// a later wish takes its place.
type MessageDesk interface {
	// Find gives the messages of a query, oldest first.
	Find(ctx context.Context, q MessageQuery) ([]Message, error)
	// Replace wishes for a new attempt at the message's nonce, with the gas
	// given or, without, with what the fee function says next. Gas that no
	// pool would take is a *WishError at once.
	Replace(ctx context.Context, id string, gas *Gas) error
	// Cancel wishes that the message is not executed. It is a race with the
	// chain once nodes have it: the message's state says how it ended.
	Cancel(ctx context.Context, id string) error
	// Republish wishes that the nodes are handed the message now; without
	// anybody's wish it happens at every head.
	Republish(ctx context.Context, id string) error
}

// WishError says why a wish for a message cannot be had.
type WishError struct{ ID, Why string }

func (e *WishError) Error() string { return fmt.Sprintf("message %s: %s", e.ID, e.Why) }

// TooLargeError says that a message is larger than nodes take: its caller has
// to split it.
type TooLargeError struct {
	Bytes int // about
	Most  int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the message has %d bytes and the network takes %d: split it into messages for fewer partitions or sectors", e.Bytes, e.Most)
}

// LeaseError says that another messager has the sender.
type LeaseError struct {
	Sender address.Address
	Holder string
	Until  time.Time
}

func (e *LeaseError) Error() string {
	return fmt.Sprintf("%s is used by another vigil (%s) until %s: stop one of the two, or give each its own key", e.Sender, e.Holder, e.Until.UTC().Format(time.RFC3339))
}

// ConflictError says that a message ID was used before for another call.
type ConflictError struct{ ID string }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("message %s exists with another content", e.ID)
}

// DutyStore keeps duties and proofs. What a method wrote is durable when it
// returns, all of it or nothing; methods may be called concurrently.
type DutyStore interface {
	// Duties gives a miner's duties of deadlines that open at or after the
	// epoch, and all that are not final, by open epoch, kind and batch.
	Duties(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]Duty, error)
	// SaveDuty writes a duty's row, new or not.
	SaveDuty(ctx context.Context, d Duty) error
	// SaveProof writes a duty's proof, in place of an earlier one, and its row.
	SaveProof(ctx context.Context, p Proof, d Duty) error
	// Proof gives the stored proof of a duty, or ErrNotFound.
	Proof(ctx context.Context, id DutyID) (Proof, error)
	// DropProof deletes a duty's proof, if there is one, and writes its row.
	DropProof(ctx context.Context, d Duty) error
}

// RehearsalStore remembers rehearsals: a restart need not read every sector again to
// say which are bad and since when all were read. Both methods may fail and may be
// called concurrently; what was saved is durable.
type RehearsalStore interface {
	// Rehearsals gives the latest of each of a miner's deadlines, by index.
	Rehearsals(ctx context.Context, miner abi.ActorID) ([]RehearsalStatus, error)
	// SaveRehearsal takes the place of the deadline's earlier one.
	SaveRehearsal(ctx context.Context, miner abi.ActorID, r RehearsalStatus) error
}

// VanillaKey names all that a vanilla proof depends on: miner, sector, CommR, seed and form.
type VanillaKey [32]byte

// VanillaShelf keeps vanilla proofs that were read until their duty is proved.
// Losing one costs a second read and nothing else, so nothing waits for a disk to sync;
// what Kept gives is to be checked. Methods may be called concurrently.
type VanillaShelf interface {
	Keep(id DutyID, key VanillaKey, proof VanillaProof) error
	Kept(id DutyID) (map[VanillaKey]VanillaProof, error)
	// Drop gives up what is kept for a duty.
	Drop(id DutyID) error
	// DropBefore gives up what is kept for deadlines that open before the epoch, of
	// whatever miner: also of one that is no longer configured.
	DropBefore(open abi.ChainEpoch) error
}

// PostRecords reads what a miner's state remembers of deadlines that have
// closed. Every method may fail and may be called concurrently.
type PostRecords interface {
	// Closed gives the deadlines of a miner whose posts can be disputed at the
	// head, the newest first. One that has closed is not among them before the
	// state that the head was built on has closed it too.
	Closed(ctx context.Context, miner abi.ActorID, head Head) ([]ClosedDeadline, error)
	// Record reads the record of a closed deadline.
	Record(ctx context.Context, d ClosedDeadline) (PostRecord, error)
	// PostSectors gives the sectors of a set, ascending, as they were when the
	// post's deadline closed; one that did not exist is an error.
	PostSectors(ctx context.Context, p ChainPost, set bitfield.BitField) ([]Sector, error)
}

// AuditStore keeps verdicts on posts. What a method wrote is durable when it
// returns; methods may be called concurrently.
type AuditStore interface {
	// Audits gives the verdicts on a miner's posts of deadlines that close after
	// the epoch, the newest first.
	Audits(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]Audit, error)
	// SaveAudit writes a verdict, in place of an earlier one on the same evidence.
	SaveAudit(ctx context.Context, a Audit) error
	// DropAudit gives up a verdict whose evidence is not on chain any more.
	DropAudit(ctx context.Context, a Audit) error
	// DropAudits gives up the verdicts on a miner's posts of deadlines that
	// closed at or before the epoch.
	DropAudits(ctx context.Context, miner abi.ActorID, closed abi.ChainEpoch) error
}

// StatusSource is where pages and commands look. It never blocks on the chain.
type StatusSource interface {
	Status() Status
	// Changed is closed at the next change; ask again for the one after.
	Changed() <-chan struct{}
}
