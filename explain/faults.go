package explain

import (
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Faulty is a partition with faulty sectors.
type Faulty struct {
	Miner      string         `json:"miner"`
	Deadline   uint64         `json:"deadline"`
	Partition  uint64         `json:"partition"`
	Open       abi.ChainEpoch `json:"open"`       // when they can be proved next
	Cutoff     abi.ChainEpoch `json:"cutoff"`     // recoveries must be on chain before it
	Recovering int            `json:"recovering"` // of the sectors: those that are declared recovered
	Sectors    []FaultySector `json:"sectors"`
}

// FaultySector is a sector without power.
type FaultySector struct {
	Number     abi.SectorNumber `json:"number"`
	Recovering bool             `json:"recovering"`
	Cause      string           `json:"cause,omitempty"` // why it could not be proved, where that is known
	Advice     string           `json:"advice"`
}

// FaultsOf tells of a partition's faulty sectors, with the causes that are known.
func FaultsOf(miner abi.ActorID, d vigil.Deadline, p vigil.Partition, causes map[abi.SectorNumber]string) (Faulty, error) {
	f := Faulty{Miner: vigil.MinerAddress(miner).String(), Deadline: d.Index, Partition: p.Index, Open: d.Open, Cutoff: d.FaultCutoff, Sectors: []FaultySector{}}
	err := p.Faulty.ForEach(func(n uint64) error {
		recovering, err := p.Recovering.IsSet(n)
		if err != nil {
			return err
		}
		s := FaultySector{Number: abi.SectorNumber(n), Recovering: recovering, Cause: causes[abi.SectorNumber(n)]}
		s.Advice = faultAdvice(f, s)
		if recovering {
			f.Recovering++
		}
		f.Sectors = append(f.Sectors, s)
		return nil
	})
	if err != nil {
		return f, fmt.Errorf("the faulty sectors of partition %d of deadline %d: %w", p.Index, d.Index, err)
	}
	return f, nil
}

func faultAdvice(f Faulty, s FaultySector) string {
	switch {
	case s.Recovering:
		return fmt.Sprintf("It is declared recovered: its power comes back with the proof of the deadline that opens at epoch %d.", f.Open)
	case s.Cause != "":
		return fmt.Sprintf("Mend what the cause says; it is read again and declared recovered by itself, for this proof before epoch %d.", f.Cutoff)
	}
	return fmt.Sprintf("It is read and declared recovered by itself if it can be, before epoch %d; vigil check --sector %d says whether it can.", f.Cutoff, s.Number)
}
