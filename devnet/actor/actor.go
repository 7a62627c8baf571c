package actor

import (
	"errors"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/dline"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"
)

var errUnwritten = errors.New("not written yet")

// Config is a new miner.
type Config struct {
	Owner, Worker abi.ActorID
	Control       []abi.ActorID
	ProofType     abi.RegisteredPoStProof
	// PeriodStart is an epoch at which a proving period starts, of any period;
	// nil takes the network's rule, a hash of the miner's ID and the epoch.
	PeriodStart *abi.ChainEpoch
}

// Construct makes the state of a miner without sectors. Nothing is charged.
func Construct(rt *Runtime, c Config) (cid.Cid, error) { return cid.Undef, errUnwritten }

// AddSectors gives a miner sectors whose replicas are taken as proven, and
// assigns them to deadlines by the network's rule: never to the current or the
// next one. They have power from their first Window PoSt on. Their pledge must
// be in the balance; a number that the miner ever had is refused.
func AddSectors(rt *Runtime, head cid.Cid, sectors []*miner.SectorOnChainInfo) (Effects, error) {
	return Effects{}, errUnwritten
}

// Invoke executes a message: SubmitWindowedPoSt (5), DeclareFaults (10),
// DeclareFaultsRecovered (11) or DisputeWindowedPoSt (24). Params are the
// message's own bytes. None of the methods returns a value. An error that is a
// *Refusal is the message's exit code and words.
func Invoke(rt *Runtime, head cid.Cid, method abi.MethodNum, params []byte) (Effects, error) {
	return Effects{}, errUnwritten
}

// EndEpoch is the network's cron, to be called after the messages of every
// epoch, null rounds too. In the last epoch of a deadline it closes it: what was
// not proven becomes faulty, what is due expires, the proofs are kept for
// disputes, fees and penalties are charged.
func EndEpoch(rt *Runtime, head cid.Cid) (Effects, error) { return Effects{}, errUnwritten }

// Post is a Window PoSt that the actor took.
type Post struct {
	Deadline   uint64
	Challenge  abi.ChainEpoch
	Partitions []uint64
	// Skipped counts the sectors that the message named as skipped.
	Skipped uint64
	// Recovered is the power that it brought back. Where it is zero, nobody has
	// looked at the proof.
	Recovered miner.PowerPair
	Proofs    []proof.PoStProof
}

// Question is what the proof has to answer, as the network would ask it.
func (p *Post) Question(rt *Runtime) (proof.WindowPoStVerifyInfo, error) {
	return proof.WindowPoStVerifyInfo{}, errUnwritten
}

// View reads a miner's state. It is as immutable as the state.
type View struct {
	State miner.State
	Info  miner.MinerInfo
	store adt.Store
}

// Open reads the state of a miner.
func Open(store adt.Store, head cid.Cid) (*View, error) { return nil, errUnwritten }

// ProvingDeadline is the deadline that is open at an epoch.
func (v *View) ProvingDeadline(epoch abi.ChainEpoch) *dline.Info { return nil }

// Partition is the sectors of one partition, by what they are.
type Partition struct {
	All, Faulty, Recovering, Live, Active, Unproven bitfield.BitField
}

// Partitions lists a deadline's partitions in order.
func (v *View) Partitions(deadline uint64) ([]Partition, error) { return nil, errUnwritten }

// Deadline is what a deadline has been told.
type Deadline struct {
	// PostSubmissions are the partitions proven in the open window.
	PostSubmissions bitfield.BitField
	// DisputableProofCount counts the proofs of the last window.
	DisputableProofCount uint64
	DailyFee             abi.TokenAmount
}

// Deadlines lists all 48.
func (v *View) Deadlines() ([]Deadline, error) { return nil, errUnwritten }

// Sectors are the infos of a set of sectors, ascending; nil is all. A number
// that the miner does not have is left out.
func (v *View) Sectors(of *bitfield.BitField) ([]*miner.SectorOnChainInfo, error) {
	return nil, errUnwritten
}

// SectorsForProof is the list that a proof of these partitions must be over:
// ascending over all of them, with the first good sector of the message in place
// of each that is faulty, terminated or skipped. It is empty where there is
// nothing to prove.
func (v *View) SectorsForProof(deadline uint64, partitions []miner.PoStPartition) ([]*miner.SectorOnChainInfo, error) {
	return nil, errUnwritten
}
