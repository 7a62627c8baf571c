package actor

import (
	"encoding/binary"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/dline"
	"golang.org/x/crypto/blake2b"
)

// current is the deadline that is open at an epoch. The recorded period start
// counts only as an offset: it may be of another period.
func current(periodStart, epoch abi.ChainEpoch) *dline.Info {
	start := builtin.QuantizeUp(epoch, miner.WPoStProvingPeriod, periodStart)
	if start > epoch {
		start -= miner.WPoStProvingPeriod
	}
	return miner.NewDeadlineInfo(start, uint64((epoch-start)/miner.WPoStChallengeWindow), epoch)
}

// upcoming is the occurrence of a deadline that has not closed yet.
func upcoming(periodStart abi.ChainEpoch, index uint64, epoch abi.ChainEpoch) *dline.Info {
	return miner.NewDeadlineInfo(current(periodStart, epoch).PeriodStart, index, epoch).NextNotElapsed()
}

// mutable says whether sectors may be assigned to a deadline now: not to the
// current one nor to the next.
func mutable(periodStart abi.ChainEpoch, index uint64, epoch abi.ChainEpoch) bool {
	return epoch < upcoming(periodStart, index, epoch).Open-miner.WPoStChallengeWindow
}

// disputable says whether the last proofs of a deadline may be disputed: after
// its window, for two finalities, and never while it is open.
func disputable(periodStart abi.ChainEpoch, index uint64, epoch abi.ChainEpoch) bool {
	d := upcoming(periodStart, index, epoch)
	return !d.IsOpen() && epoch < d.Close-miner.WPoStProvingPeriod+miner.WPoStDisputeWindow
}

// drawOffset is the network's offset of a new miner's proving periods.
func drawOffset(id abi.ActorID, epoch abi.ChainEpoch) abi.ChainEpoch {
	digest := blake2b.Sum256(binary.BigEndian.AppendUint64(encodedID(id), uint64(epoch)))
	return abi.ChainEpoch(binary.BigEndian.Uint64(digest[:]) % uint64(miner.WPoStProvingPeriod))
}
