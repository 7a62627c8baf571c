package vigil

import (
	"context"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"
)

// In shadow, everything is done for a miner but signing and sending: somebody
// else posts for it, and what that came to is compared with what ours would have.

// ShadowWork is when the steps of a duty in shadow were done.
type ShadowWork struct {
	Begun     abi.ChainEpoch `json:"begun,omitempty"` // the first try
	Ready     abi.ChainEpoch `json:"ready,omitempty"` // a verified proof was stored
	Sent      abi.ChainEpoch `json:"sent,omitempty"`  // its message would have been handed over
	ReadTime  float64        `json:"read_seconds,omitempty"`
	ProveTime float64        `json:"prove_seconds,omitempty"`
}

// ShadowRecord is what became of an occurrence of a deadline, by us and by
// those who post. It is written once the deadline has closed, at the configured
// confidence.
type ShadowRecord struct {
	Miner      abi.ActorID       `json:"miner"`
	Deadline   Deadline          `json:"deadline"`
	Watched    bool              `json:"watched"` // we were running when there was something to do
	Partitions []ShadowPartition `json:"partitions"`
	Posts      []MinerPost       `json:"posts"` // the messages of others, in the chain's order, failed ones too
	Recovery   ShadowRecovery    `json:"recovery"`
	Head       abi.ChainEpoch    `json:"head"` // at which it was written
}

// ShadowPartition is a partition that owed a proof.
type ShadowPartition struct {
	Index  uint64       `json:"index"`
	Due    uint64       `json:"due"` // sectors that the proof had to cover
	Ours   ShadowOurs   `json:"ours"`
	Theirs ShadowTheirs `json:"theirs"`
}

// ShadowOurs is how far we came with a partition.
type ShadowOurs struct {
	Duty    string      `json:"duty,omitempty"` // empty: none was begun
	State   DutyState   `json:"state,omitempty"`
	Work    ShadowWork  `json:"work"`
	Skipped []BadSector `json:"skipped,omitempty"`
	Reason  Reason      `json:"reason,omitempty"`
	Problem string      `json:"problem,omitempty"`
}

// ShadowTheirs is what the chain says of a partition.
type ShadowTheirs struct {
	Posted  bool               `json:"posted"`
	Epoch   abi.ChainEpoch     `json:"epoch,omitempty"` // of the tipset that included the post
	Message string             `json:"message,omitempty"`
	Skipped []abi.SectorNumber `json:"skipped,omitempty"`
	Faulted []abi.SectorNumber `json:"faulted,omitempty"` // sectors that became faulty at this deadline
	Verdict AuditVerdict       `json:"verdict,omitempty"` // on the proof; empty while it is not judged
	Problem string             `json:"problem,omitempty"` // with the proof
}

// ShadowRecovery is what became of sectors that were faulty before the deadline.
type ShadowRecovery struct {
	Ours       []abi.SectorNumber `json:"ours,omitempty"`  // we would have declared them, before the cutoff
	Epoch      abi.ChainEpoch     `json:"epoch,omitempty"` // and the first of them then
	Theirs     []abi.SectorNumber `json:"theirs,omitempty"`
	Unreadable []BadSector        `json:"unreadable,omitempty"` // what we would not have declared
}

// MinerPost is a message with a Window PoSt as the chain executed it.
type MinerPost struct {
	Deadline   uint64            `json:"deadline"`
	Partitions []ProvedPartition `json:"partitions"`
	Message    cid.Cid           `json:"message"`
	From       address.Address   `json:"from"`
	Epoch      abi.ChainEpoch    `json:"epoch"`
	ExitCode   exitcode.ExitCode `json:"exit_code"`
	Paid       abi.TokenAmount   `json:"paid"` // for gas
}

// MinerPosts finds a miner's posts on chain. It may fail and may be called concurrently.
type MinerPosts interface {
	// PostsBefore gives the Window PoSts of a miner that the parent of the
	// tipset executed, those that failed too.
	PostsBefore(ctx context.Context, miner abi.ActorID, key TipSetKey) ([]MinerPost, error)
}

// ShadowStore keeps shadow records. What a method wrote is durable when it
// returns; methods may be called concurrently.
type ShadowStore interface {
	// Shadows gives a miner's records of deadlines that open at or after the
	// epoch, the oldest first.
	Shadows(ctx context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]ShadowRecord, error)
	// SaveShadow writes a record, in place of an earlier one of the same deadline.
	SaveShadow(ctx context.Context, r ShadowRecord) error
}
