package vigil

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/network"
	"github.com/ipfs/go-cid"
)

// TipSetKey names a tipset by the CIDs of its blocks, in the chain's order and
// separated by commas, so that it can be compared, stored and logged. The zero
// value names no tipset.
type TipSetKey string

// NewTipSetKey joins the CIDs of a tipset's blocks.
func NewTipSetKey(blocks ...cid.Cid) TipSetKey {
	names := make([]string, len(blocks))
	for i, c := range blocks {
		names[i] = c.String()
	}
	return TipSetKey(strings.Join(names, ","))
}

// CIDs is the inverse of NewTipSetKey.
func (k TipSetKey) CIDs() ([]cid.Cid, error) {
	if k == "" {
		return nil, nil
	}
	var blocks []cid.Cid
	for name := range strings.SplitSeq(string(k), ",") {
		c, err := cid.Decode(name)
		if err != nil {
			return nil, fmt.Errorf("tipset key %q: %w", string(k), err)
		}
		blocks = append(blocks, c)
	}
	return blocks, nil
}

// Network is what a node says of the network it follows.
type Network struct {
	Name       string
	Version    network.Version
	BlockDelay time.Duration // the length of an epoch
	Genesis    time.Time
	Upgrades   []Upgrade // those that a node has a height for, by epoch
}

// Same says whether another node's answer is of this very network. Versions
// and upgrades are left out: they differ while nodes are brought up to date.
func (n Network) Same(other Network) bool {
	return n.Name == other.Name && n.BlockDelay == other.BlockDelay && n.Genesis.Equal(other.Genesis)
}

// Upgrade is a change of the network's rules.
type Upgrade struct {
	Name  string         `json:"name"`
	Epoch abi.ChainEpoch `json:"epoch"` // the first with the new rules
	// Known says that this Vigil was made with the rules after it in mind.
	Known bool `json:"known"`
}

// Head is a tipset that a node follows. A decision reads everything at one Head's key.
type Head struct {
	Key     TipSetKey
	Parent  TipSetKey
	Epoch   abi.ChainEpoch
	Time    time.Time // the timestamp its blocks carry
	BaseFee abi.TokenAmount
	Weight  big.Int // of the chain before it: of two forks the network follows the heavier
}

// Deadline is one occurrence of one of a miner's deadlines.
type Deadline struct {
	Index       uint64         `json:"index"`
	Count       uint64         `json:"count"` // deadlines in a proving period: 48
	Challenge   abi.ChainEpoch `json:"challenge"`
	Open        abi.ChainEpoch `json:"open"`
	Close       abi.ChainEpoch `json:"close"` // the first epoch that is too late
	FaultCutoff abi.ChainEpoch `json:"fault_cutoff"`
}

// Plus is the deadline n windows later; n may be negative.
func (d Deadline) Plus(n int) Deadline {
	if d.Count == 0 {
		return d
	}
	shift := abi.ChainEpoch(n) * (d.Close - d.Open)
	count := int(d.Count)
	return Deadline{
		Index:       uint64(((int(d.Index)+n)%count + count) % count),
		Count:       d.Count,
		Challenge:   d.Challenge + shift,
		Open:        d.Open + shift,
		Close:       d.Close + shift,
		FaultCutoff: d.FaultCutoff + shift,
	}
}

// IsOpen says whether a message executed at the epoch would still count for the deadline.
func (d Deadline) IsOpen(epoch abi.ChainEpoch) bool { return d.Open <= epoch && epoch < d.Close }

// Partition is a partition of a deadline as the chain has it at one tipset.
type Partition struct {
	Index      uint64
	All        bitfield.BitField
	Live       bitfield.BitField // not terminated
	Active     bitfield.BitField // live, not faulty, proven at least once
	Faulty     bitfield.BitField
	Recovering bitfield.BitField // faulty, declared recovered, due in the next proof
}

// Sector is what a proof needs of a sector on chain.
type Sector struct {
	Number    abi.SectorNumber        `json:"number"`
	SealProof abi.RegisteredSealProof `json:"seal_proof"`
	SealedCID cid.Cid                 `json:"sealed_cid"` // CommR
}

// MinerInfo is what the chain says of a miner that does not change from day to day.
type MinerInfo struct {
	Miner            abi.ActorID
	Owner            address.Address
	Worker           address.Address
	Control          []address.Address
	ProofType        abi.RegisteredPoStProof
	SectorSize       abi.SectorSize
	PartitionSectors uint64
}

// Senders are the addresses that the chain lets send a miner's posts, the ones to
// prefer first: who owns a miner should not have to leave the key here.
func (m MinerInfo) Senders() []address.Address {
	return slices.Concat(m.Control, []address.Address{m.Worker, m.Owner})
}

// MinerAddress is the ID address of a miner, as people write it.
func MinerAddress(miner abi.ActorID) address.Address {
	a, err := address.NewIDAddress(uint64(miner))
	if err != nil {
		panic("unreachable: an ID address of " + strconv.FormatUint(uint64(miner), 10))
	}
	return a
}

// DutyKind says what a duty owes the chain. It is stored as this word.
type DutyKind string

const (
	KindPost    DutyKind = "post"    // a Window PoSt of some partitions
	KindRecover DutyKind = "recover" // a declaration that faulty sectors can be proved again
	KindFill    DutyKind = "fill"    // no duty: a message of the messager's own, for a nonce that nobody uses
)

// DutyID names a duty: it is the map key, the log field and the key in the store.
type DutyID struct {
	Kind  DutyKind
	Miner abi.ActorID
	Open  abi.ChainEpoch // of the deadline it is owed at
	Batch int
}

// String is f01000/1144209/0 for a post and f01000/1144209/recover/0 for a recovery.
func (id DutyID) String() string {
	if id.Kind == KindPost {
		return fmt.Sprintf("%s/%d/%d", MinerAddress(id.Miner), id.Open, id.Batch)
	}
	return fmt.Sprintf("%s/%d/%s/%d", MinerAddress(id.Miner), id.Open, id.Kind, id.Batch)
}

// DutyState is how far a duty has come. It is stored as this word.
//
//	            ┌──────────── proof no longer fits the chain ────────┐
//	            ▼                                                    │
//	(due) ─▶ scheduled ─▶ proved ─▶ submitted ─▶ confirmed           │
//	            │            │          │  ▲          │              │
//	            │            │          │  └─ reorg ──┘              │
//	            │            └──────────┴────────────────────────────┘
//	            ├─▶ replaced  (its partitions went on in other duties)
//	            ├─▶ shadowed  (from proved: its miner is in shadow; submitted if that ends in time)
//	            └─▶ missed    (also from proved and submitted: Close has passed)
//
// "proving" is not a state: after a crash it would be false.
type DutyState string

const (
	StateScheduled DutyState = "scheduled" // it is owed; nothing is stored for it yet
	StateProved    DutyState = "proved"    // a verified proof is stored
	StateSubmitted DutyState = "submitted" // the messager has its message
	StateConfirmed DutyState = "confirmed" // the chain shows it, at the configured confidence
	StateMissed    DutyState = "missed"    // the chain closed without it; Reason says why
	StateReplaced  DutyState = "replaced"  // other duties took its partitions over
	StateShadowed  DutyState = "shadowed"  // all was done but sending: its miner is in shadow
)

// Final says that nothing more is to be done, unless a reorg takes a confirmation back.
func (s DutyState) Final() bool {
	return s == StateConfirmed || s == StateMissed || s == StateReplaced || s == StateShadowed
}

// Duty is a row of the store: what is owed and how far it has come.
type Duty struct {
	ID         DutyID             `json:"-"`
	Deadline   Deadline           `json:"deadline"`
	Partitions []uint64           `json:"partitions"`        // of a post: what is proved together
	Sectors    []abi.SectorNumber `json:"sectors,omitempty"` // of a recovery: what was declared
	State      DutyState          `json:"state"`
	Skipped    []BadSector        `json:"skipped,omitempty"` // sectors left out, each with its cause
	MessageID  string             `json:"message_id,omitempty"`
	Commit     string             `json:"commit,omitempty"`  // the commit randomness its message is tied to
	Reason     Reason             `json:"reason,omitempty"`  // what stopped the last try; of a missed duty, why
	Problem    string             `json:"problem,omitempty"` // what stopped the last try, in words
	Tried      abi.ChainEpoch     `json:"tried,omitempty"`   // the head's epoch at that try
	Shadow     ShadowWork         `json:"shadow,omitzero"`   // of a duty in shadow
	// Returned is how many sectors of a recovery had power again after their
	// deadline; nil until that is known.
	Returned *int `json:"returned,omitempty"`
	Took     Took `json:"took,omitzero"` // of a post: what its stages took so far
}

// Took is what the stages of a post took: the next ones are expected to take
// as long. What is not over yet, or was not measured, is 0.
type Took struct {
	ProofType abi.RegisteredPoStProof `json:"proof_type"`
	Sectors   int                     `json:"sectors"` // that were proved
	Began     abi.ChainEpoch          `json:"began"`   // the head's, when the reading began
	Read      time.Duration           `json:"read"`
	Prove     time.Duration           `json:"prove"`               // from its turn on: without the wait for other proofs
	Submitted abi.ChainEpoch          `json:"submitted,omitempty"` // the head's, when the first message was handed over
	Included  abi.ChainEpoch          `json:"included,omitempty"`  // the chain executed the message in it
}

// BadSector is a sector that cannot be proved, by name and with evidence.
type BadSector struct {
	Number abi.SectorNumber `json:"number"`
	Cause  string           `json:"cause"`
}

// Statement is what a Window PoSt states, and all that a verifier needs to
// judge it: the sectors are distinct and ascending, as the chain derives them
// from the message's partitions without the faulty and the skipped.
type Statement struct {
	Miner      abi.ActorID             `json:"miner"`
	ProofType  abi.RegisteredPoStProof `json:"proof_type"`
	Randomness [32]byte                `json:"randomness"` // the challenge seed as the chain gives it
	Sectors    []Sector                `json:"sectors"`
}

// VanillaProof is a sector's Merkle paths in filecoin-ffi's encoding. It
// is made by the one code path that reads sectors, and was verified there.
type VanillaProof []byte

// Proof is a verified Window PoSt of a duty.
type Proof struct {
	Duty       DutyID
	Statement  Statement
	Partitions []ProvedPartition
	Bytes      []byte // 192 bytes per SNARK partition
	ReadTime   time.Duration
	ProveTime  time.Duration
}

// ProvedPartition is a partition of a proof and the sectors it leaves out.
type ProvedPartition struct {
	Index   uint64             `json:"index"`
	Skipped []abi.SectorNumber `json:"skipped,omitempty"`
}

// Positional says that the challenges of a proof type depend on each sector's
// place in the statement: the rule before FIP-0061, V1.
func Positional(t abi.RegisteredPoStProof) bool {
	return t <= abi.RegisteredPoStProof_StackedDrgWindow64GiBV1
}
