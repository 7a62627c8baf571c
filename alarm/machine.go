package alarm

import (
	"fmt"
	"strings"
	"time"

	"github.com/vigil-post/vigil"
)

const (
	diskLow  = 1 << 30  // bytes: a day's proofs and messages are some MB, and a disk that fills up goes on filling up
	diskFull = 64 << 20 // SQLite's log and a checkpoint still fit
)

// failingLong is how many epochs a prover fails until it is urgent: some tries fail and the next does not.
const failingLong = 10

// machine judges what every proof and message depends on.
func (j *judge) machine() {
	for _, s := range j.status.Storages {
		if s.State == vigil.StorageSilent {
			j.raise(vigil.Alarm{Code: StorageSilent, About: s.Path, Urgent: true, By: j.nextLoss(), What: with("it does not answer", s.Why)})
		}
	}
	for _, s := range j.status.Senders {
		j.sender(s)
	}
	if p := j.status.Proving; p.Problem != "" && j.unproven() {
		j.raise(vigil.Alarm{Code: ProverFailing, About: "prover", Urgent: j.now.Sub(p.Since) > failingLong*j.status.Delay, By: j.nextLoss(), What: p.Problem})
	}
	for _, l := range j.status.Stuck {
		j.raise(vigil.Alarm{Code: LoopStuck, About: l.Loop, Urgent: true, By: j.nextLoss(), What: "it has stood still since " + l.Since.UTC().Format(time.RFC3339)})
	}
	if fault := j.status.Proving.Fault; fault != "" {
		j.raise(vigil.Alarm{Code: VectorUnitFaulty, About: "prover", What: fault})
	}
	m := j.status.Machine
	if m.Parameters != "" {
		j.raise(vigil.Alarm{Code: ParametersMissing, About: "parameters", Urgent: true, By: j.nextLoss(), What: m.Parameters})
	}
	if m.Data != "" && m.Free >= 0 && m.Free < diskLow {
		j.raise(vigil.Alarm{
			Code: DiskFull, About: m.Data, Urgent: m.Free < diskFull, By: j.nextLoss(),
			What: fmt.Sprintf("less than %s are left on the disk of the data folder", amountLeft(m.Free)),
		})
	}
	if m.Database != "" {
		j.raise(vigil.Alarm{Code: DatabaseTrouble, About: "database", Urgent: true, By: j.nextLoss(), What: m.Database})
	}
}

// unproven says that a proof is still to be made for which the prover is needed: what stopped
// the last try of another is nobody's trouble any more.
func (j *judge) unproven() bool {
	for _, m := range j.status.Miners {
		for _, d := range m.Duties {
			if d.Kind == vigil.KindPost && d.Row.State == vigil.StateScheduled && d.Close > j.status.Head {
				return true
			}
		}
	}
	return false
}

// amountLeft is in steps, so that the sentence is not another one every minute.
func amountLeft(free int64) string {
	for _, step := range []int64{16, 64, 256, 512} {
		if free < step<<20 {
			return fmt.Sprintf("%d MiB", step)
		}
	}
	return "1 GiB"
}

// poor is how the messager ends what it says of a balance, which is judged here by its numbers.
const poor = ": top it up"

func (j *judge) sender(s vigil.SenderStatus) {
	if !s.Balance.Nil() && !s.Needed.Nil() && s.Balance.LessThan(s.Needed) {
		what := fmt.Sprintf("it has %s, and the messages of a day may cost %s", vigil.InFIL(s.Balance), vigil.InFIL(s.Needed))
		if said, isPoor := strings.CutSuffix(s.Problem, poor); isPoor {
			what = said
		}
		a := vigil.Alarm{Code: BalanceLow, About: s.Address, Urgent: s.Urgent, What: what}
		if s.Urgent {
			a.By = j.nextLoss()
		}
		j.raise(a)
	}
	if s.Problem != "" && !strings.HasSuffix(s.Problem, poor) {
		j.raise(vigil.Alarm{Code: SenderTrouble, About: s.Address, Urgent: s.Urgent, What: s.Problem})
	}
}
