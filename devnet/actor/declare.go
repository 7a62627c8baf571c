package actor

import (
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/dline"
	"github.com/filecoin-project/go-state-types/exitcode"
)

// declared are the sectors of a declaration, by deadline and partition.
type declared map[uint64]map[uint64]bits

func (d declared) add(deadline, partition uint64, sectors bits) error {
	if deadline >= miner.WPoStPeriodDeadlines {
		return illegal("failed to process deadline %d, partition %d: invalid deadline %d", deadline, partition, deadline)
	}
	if d[deadline] == nil {
		d[deadline] = map[uint64]bits{}
	}
	if had, ok := d[deadline][partition]; ok {
		sectors = union(had, sectors)
	}
	d[deadline][partition] = sectors
	return nil
}

// check holds a declaration to the limits of a message.
func (d declared) check() error {
	var partitions, sectors uint64
	for _, byPartition := range d {
		partitions += uint64(len(byPartition))
		for _, set := range byPartition {
			sectors += min(count(set), miner.AddressedSectorsMax+1) // a sum of sets without end would wrap
		}
	}
	if partitions > miner.AddressedPartitionsMax {
		return illegal("cannot process requested parameters: too many partitions %d, max %d", partitions, miner.AddressedPartitionsMax)
	}
	if sectors > miner.AddressedSectorsMax {
		return illegal("cannot process requested parameters: too many sectors %d, max %d", sectors, miner.AddressedSectorsMax)
	}
	return nil
}

// target is the occurrence of a deadline that a declaration is for; it is too
// late for it from the cutoff on, 70 epochs before it opens.
func (s *session) target(index uint64, kind string) (*dline.Info, error) {
	d := upcoming(s.st.ProvingPeriodStart, index, s.rt.Epoch)
	if d.FaultCutoffPassed() {
		return nil, illegal("failed %s declaration at deadline %d: late fault or recovery declaration", kind, index)
	}
	return d, nil
}

// apply does the work of a declaration on each of its deadlines.
func (s *session) apply(all declared, kind string, work func(index uint64, f *frame, d *deadline, sectors map[uint64]bits) error) error {
	return inOrder(all, func(index uint64, sectors map[uint64]bits) error {
		info, err := s.target(index, kind)
		if err != nil {
			return err
		}
		f, err := s.frame(s.st.Sectors, info)
		if err != nil {
			return err
		}
		return s.edit(index, func(d *deadline) error { return work(index, f, d, sectors) })
	})
}

// declareFaults marks sectors as faulty. They lose their power at once and cost
// nothing until the next deadline after the one they are declared for.
func (s *session) declareFaults(p *miner.DeclareFaultsParams) error {
	all := declared{}
	for _, x := range p.Faults {
		if err := all.add(x.Deadline, x.Partition, x.Sectors); err != nil {
			return err
		}
	}
	if err := all.check(); err != nil {
		return err
	}
	if err := s.allowControl(); err != nil {
		return err
	}
	return s.apply(all, "fault", func(index uint64, f *frame, d *deadline, sectors map[uint64]bits) error {
		delta, err := d.recordFaults(f, sectors)
		s.out.Power = s.out.Power.Add(delta)
		return within(err, "failed to declare faults for deadline %d", index)
	})
}

// declareRecovered announces that faulty sectors will be proven in their next
// window; only a proof gives them power. What the miner owes is due first.
func (s *session) declareRecovered(p *miner.DeclareFaultsRecoveredParams) error {
	all := declared{}
	for _, x := range p.Recoveries {
		if err := all.add(x.Deadline, x.Partition, x.Sectors); err != nil {
			return err
		}
	}
	if err := all.check(); err != nil {
		return err
	}
	if err := s.repayAll(); err != nil {
		return err
	}
	if err := s.allowControl(); err != nil {
		return err
	}
	if s.rt.Epoch <= s.info.ConsensusFaultElapsed {
		return refuse(exitcode.ErrForbidden, "recovery not allowed during active consensus fault")
	}
	return s.apply(all, "recovery", func(index uint64, f *frame, d *deadline, sectors map[uint64]bits) error {
		return within(d.declareRecovered(f, sectors), "failed to declare recoveries for deadline %d", index)
	})
}
