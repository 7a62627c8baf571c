package devnet

import (
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
)

// Tally counts what became of a miner's deadlines, judged by the chain's state
// at the close of each, whoever posted.
type Tally struct {
	// Deadlines is the deadlines that closed, DeadlinesDue those of them with
	// something to prove.
	Deadlines    uint64
	DeadlinesDue uint64
	// A partition is due if at its deadline's close it had been posted or had a
	// sector to prove: one that is live and neither faulty, or is recovering.
	PartitionsDue       uint64
	PartitionsConfirmed uint64 // due and posted
	PartitionsMissed    uint64 // due and not posted
	SectorsSkipped      uint64 // by accepted posts
	ProofsChecked       uint64 // proofs that the actor took and the verifier was asked about
	ProofsInvalid       uint64 // of them, the wrong ones
	Messages            uint64 // executed, to this miner
	MessagesFailed      uint64 // of them, with an exit code other than 0
	SectorsAdded        uint64 // since genesis
}

func (t Tally) plus(o Tally) Tally { return t.fold(o, func(a, b uint64) uint64 { return a + b }) }
func (t Tally) minus(o Tally) Tally {
	return t.fold(o, func(a, b uint64) uint64 { return a - min(a, b) })
}

func (t Tally) fold(o Tally, f func(a, b uint64) uint64) Tally {
	return Tally{
		Deadlines:           f(t.Deadlines, o.Deadlines),
		DeadlinesDue:        f(t.DeadlinesDue, o.DeadlinesDue),
		PartitionsDue:       f(t.PartitionsDue, o.PartitionsDue),
		PartitionsConfirmed: f(t.PartitionsConfirmed, o.PartitionsConfirmed),
		PartitionsMissed:    f(t.PartitionsMissed, o.PartitionsMissed),
		SectorsSkipped:      f(t.SectorsSkipped, o.SectorsSkipped),
		ProofsChecked:       f(t.ProofsChecked, o.ProofsChecked),
		ProofsInvalid:       f(t.ProofsInvalid, o.ProofsInvalid),
		Messages:            f(t.Messages, o.Messages),
		MessagesFailed:      f(t.MessagesFailed, o.MessagesFailed),
		SectorsAdded:        f(t.SectorsAdded, o.SectorsAdded),
	}
}

// Stats is the counts since Open or the last Mark.
type Stats struct {
	Since   abi.ChainEpoch
	Epoch   abi.ChainEpoch
	Pending int // messages that wait for a block
	Total   Tally
	Miners  []MinerStats
}

// MinerStats is one miner's part of Stats.
type MinerStats struct {
	Miner address.Address
	Tally
}

// Stats counts what happened since Open or the last Mark, up to the head.
func (n *Network) Stats() Stats { return n.StatsOf(n.Miners()) }

// StatsOf counts what happened to some of the miners.
func (n *Network) StatsOf(miners []address.Address) Stats {
	n.markMu.Lock()
	since, head := n.mark, n.chain.current()
	n.markMu.Unlock()
	s := Stats{Since: since.height(), Epoch: head.height(), Pending: n.pool.size()}
	for _, m := range miners {
		id, _, ok := head.after.lookup(m)
		if !ok {
			continue
		}
		t := head.after.tally[id].minus(since.after.tally[id])
		s.Miners = append(s.Miners, MinerStats{idAddress(id), t})
		s.Total = s.Total.plus(t)
	}
	return s
}

// unmark moves a mark that came off the chain to where the branch begins.
func (n *Network) unmark(b branch) {
	n.markMu.Lock()
	defer n.markMu.Unlock()
	if slices.Contains(b.off, n.mark) {
		n.mark = b.on
	}
}

// Mark starts the counts anew at the head.
func (n *Network) Mark() {
	n.markMu.Lock()
	defer n.markMu.Unlock()
	n.mark = n.chain.current()
}
