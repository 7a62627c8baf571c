package alarm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// unplanned is how many epochs behind the head a miner's plan may be.
const unplanned abi.ChainEpoch = 5

// miner judges all that a miner stands to lose.
func (j *judge) miner(m vigil.MinerStatus) {
	switch {
	case m.Problem != "":
		j.raise(vigil.Alarm{Code: MinerUnread, About: m.Miner, Miner: m.Miner, Urgent: j.soon(m), By: j.nextOf(m), What: m.Problem})
	case m.Epoch > 0 && m.Epoch < j.status.Head-j.epochs(unplanned):
		j.raise(vigil.Alarm{
			Code: MinerUnread, About: m.Miner, Miner: m.Miner, Urgent: j.soon(m), By: j.nextOf(m),
			What: fmt.Sprintf("it was planned for at epoch %d last", m.Epoch),
		})
	}
	for _, d := range m.Deadlines {
		j.deadline(m, d)
	}
	for _, d := range m.Duties {
		j.duty(m, d)
	}
	j.sectors(m)
	j.recoveries(m)
	for _, a := range m.Audits {
		if a.Verdict == vigil.AuditDisputable && j.status.Head < a.Until {
			j.raise(vigil.Alarm{
				Code: ProofDisputable, About: a.Duty, Miner: m.Miner, Urgent: true, By: a.Until,
				What: with(fmt.Sprintf("the post of deadline %d in %s does not prove the chain's sectors", a.Deadline, messageOf(a)), a.Problem),
			})
		}
	}
}

func messageOf(a vigil.AuditStatus) string {
	if a.Message == "" {
		return "a message that is not known here"
	}
	return "message " + a.Message
}

// nextOf is nextLoss of one miner.
func (j *judge) nextOf(m vigil.MinerStatus) abi.ChainEpoch {
	one := judge{status: vigil.Status{Head: j.status.Head, Miners: []vigil.MinerStatus{m}}, policy: j.policy}
	return one.nextLoss()
}

// soon says that a miner's next loss is less than a deadline away.
func (j *judge) soon(m vigil.MinerStatus) bool {
	next := j.nextOf(m)
	return next > 0 && next-j.status.Head < m.Current.Close-m.Current.Open
}

// deadline judges what is known of a deadline before it has duties.
func (j *judge) deadline(m vigil.MinerStatus, d vigil.DeadlineStatus) {
	at, head := d.Deadline, j.status.Head
	ofNow := func(duty vigil.DutyStatus) bool {
		return duty.Kind == vigil.KindPost && duty.Deadline == at.Index && duty.Open == at.Open
	}
	begun := d.Posted > 0 || slices.ContainsFunc(m.Duties, ofNow)
	started := at.Challenge + j.policy.StartConfidence
	if owes(d) && !begun && m.Problem == "" && started+j.epochs(grace) <= head && head < at.Close {
		j.raise(vigil.Alarm{
			Code: NotStarted, About: about(m, at), Miner: m.Miner, Urgent: true, By: at.Close - j.policy.PostMargin,
			What: fmt.Sprintf("the proofs of deadline %d (%s) should have been begun at epoch %d", at.Index, count(d.Partitions, "partition"), started),
		})
	}
	if f := d.Forecast; f != nil && !f.Fits && owes(d) && head < at.Close && !(at.IsOpen(head) && d.Last == vigil.StateConfirmed) {
		j.raise(vigil.Alarm{
			Code: WillNotFit, About: about(m, at), Miner: m.Miner, Urgent: head >= at.Challenge-(at.Close-at.Open), By: at.Close - j.policy.PostMargin,
			What: with(fmt.Sprintf("the last proof of deadline %d is expected on chain at epoch %d, and it closes at %d", at.Index, f.Finish, at.Close), f.Why),
		})
	}
}

// about names an occurrence of a deadline, as its duties are named.
func about(m vigil.MinerStatus, d vigil.Deadline) string {
	return fmt.Sprintf("%s/%d", m.Miner, d.Open)
}

// duty judges how far a duty has come by now.
func (j *judge) duty(m vigil.MinerStatus, d vigil.DutyStatus) {
	switch {
	case d.Row.State == vigil.StateMissed:
		j.missed(m, d)
	case d.Kind != vigil.KindPost, j.status.Head >= d.Close:
	case d.Row.State == vigil.StateScheduled:
		j.unproved(m, d)
	case d.Row.State == vigil.StateProved:
		j.unsent(m, d, d.Row.Problem)
	case d.Row.State == vigil.StateSubmitted:
		j.submitted(m, d)
	}
}

// of is an alarm about a duty that can be helped until the epoch.
func (j *judge) of(m vigil.MinerStatus, d vigil.DutyStatus, code string, by abi.ChainEpoch, what string) vigil.Alarm {
	urgent := j.status.Head >= d.Open+j.epochs(late) || j.status.Head >= by
	return vigil.Alarm{Code: code, About: d.Duty, Miner: m.Miner, Urgent: urgent, By: by, What: what}
}

func (j *judge) unproved(m vigil.MinerStatus, d vigil.DutyStatus) {
	by := d.Close - j.policy.PostMargin
	if j.status.Head >= by {
		by = d.Close
	}
	what := fmt.Sprintf("deadline %d is not proved", d.Deadline)
	if d.Running != "" {
		what += ", it is being worked on"
	}
	a := j.of(m, d, NotProved, by, with(what, d.Row.Problem))
	if d.Row.Problem != "" {
		a.Remedy = advice(d.Row.Reason)
	}
	if d.Row.Problem != "" || a.Urgent {
		j.raise(a)
	}
}

// advice is what the reasons of misses say against one that threatens.
func advice(reason vigil.Reason) string {
	for _, r := range vigil.Reasons {
		if r.Reason == reason {
			return r.Advice
		}
	}
	return ""
}

func (j *judge) unsent(m vigil.MinerStatus, d vigil.DutyStatus, problem string) {
	if j.status.Head < d.Open+j.policy.SubmitConfidence+j.epochs(grace) {
		return
	}
	j.raise(j.of(m, d, ProofUnsent, d.Close, with(fmt.Sprintf("the proof of deadline %d is ready, and its message has not left", d.Deadline), problem)))
}

func (j *judge) submitted(m vigil.MinerStatus, d vigil.DutyStatus) {
	waited := j.status.Head - d.Sent
	switch d.Message {
	case vigil.MessageIncluded, vigil.MessageConfirmed:
		return
	case vigil.MessagePublished, vigil.MessageConflicted:
	default:
		j.unsent(m, d, strings.Join(slices.DeleteFunc([]string{d.MessageProblem, d.Row.Problem}, func(s string) bool { return s == "" }), "; "))
		return
	}
	base := j.status.BaseFee
	switch {
	case base != nil && !base.Nil() && !d.FeeCap.Nil() && d.FeeCap.LessThan(*base):
		j.raise(j.of(m, d, FeeCapLow, d.Close, with(fmt.Sprintf("the message of deadline %d pays at most %s a unit of gas, and the base fee is above it", d.Deadline, vigil.InFIL(d.FeeCap)), d.MessageProblem)))
	case d.Sent > 0 && waited >= j.epochs(j.soonMined(d)):
		j.raise(j.of(m, d, MessageUnmined, d.Close, with(fmt.Sprintf("the message of deadline %d was sent at epoch %d, and no block has taken it", d.Deadline, d.Sent), d.MessageProblem)))
	}
}

// soonMined is how many epochs a message may wait for a block until it is said: the
// less, the less time is left.
func (j *judge) soonMined(d vigil.DutyStatus) abi.ChainEpoch {
	switch {
	case j.status.Head >= d.Close-j.policy.PostMargin:
		return 0
	case j.status.Head >= d.Open+j.epochs(late):
		return grace
	}
	return 2 * max(j.policy.ReplaceAfter, 1)
}

// missed tells of a miss until the next fault cutoff of its deadline, which is
// how long it takes at most until what was lost is declared, or until nothing
// of the deadline is faulty any more.
func (j *judge) missed(m vigil.MinerStatus, d vigil.DutyStatus) {
	at := d.Row.Deadline
	next := at.Plus(int(at.Count)).FaultCutoff
	if j.status.Head >= next || j.mended(m, d) {
		return
	}
	a := vigil.Alarm{Code: DeadlineMissed, About: d.Duty, Miner: m.Miner, Urgent: true, By: next, Remedy: advice(d.Row.Reason)}
	a.What = fmt.Sprintf("the proof of deadline %d (epoch %d) was missed", d.Deadline, d.Open)
	if d.Kind == vigil.KindRecover {
		a.Code, a.Urgent = RecoveryMissed, false
		a.What = fmt.Sprintf("the recovery at deadline %d (epoch %d) was missed", d.Deadline, d.Open)
	}
	if d.Row.Reason != "" {
		a.What += ": " + strings.ReplaceAll(string(d.Row.Reason), "_", " ")
	}
	if d.Row.Problem != "" {
		a.What += " (" + d.Row.Problem + ")"
	}
	j.raise(a)
}

// mended says that the chain has no faulty sector any more in the deadline of a
// miss. That they are declared recovered is enough for a missed recovery alone: the
// daemon declares within seconds of a missed proof, often before it knows of the miss,
// and the power is gone until the next.
func (j *judge) mended(m vigil.MinerStatus, d vigil.DutyStatus) bool {
	for _, line := range m.Deadlines {
		if line.Deadline.Index == d.Deadline && line.Deadline.Count > 0 {
			return line.Sectors > 0 && (line.Faulty == 0 || d.Kind == vigil.KindRecover && line.Faulty <= line.Recovering)
		}
	}
	return false
}

// few bad sectors are left out of proofs without a person being woken.
const few = 10

// sectors judges what reading has found, ahead of deadlines and at them.
func (j *judge) sectors(m vigil.MinerStatus) {
	ahead := map[abi.SectorNumber]bool{}
	for _, r := range m.Rehearsals {
		if overtaken(m, r) {
			continue
		}
		by := j.closeOf(m, r.Deadline)
		if len(r.Bad) > 0 {
			j.raise(vigil.Alarm{
				Code: RehearsalBad, About: fmt.Sprintf("%s deadline %d", m.Miner, r.Deadline), Miner: m.Miner, Urgent: len(r.Bad) > few, By: by,
				What: fmt.Sprintf("%s of deadline %d would be left out: %s", count(len(r.Bad), "sector"), r.Deadline, some(r.Bad)),
			})
		}
		if r.Unchecked > 0 {
			j.raise(vigil.Alarm{
				Code: RehearsalUnread, About: fmt.Sprintf("%s deadline %d", m.Miner, r.Deadline), Miner: m.Miner, By: by,
				What: with(fmt.Sprintf("%s of deadline %d could not be checked", count(r.Unchecked, "sector"), r.Deadline), r.Problem),
			})
		}
		for _, b := range r.Bad {
			ahead[b.Number] = true
		}
	}
	rest := slices.DeleteFunc(slices.Clone(m.Bad), func(b vigil.BadSector) bool { return ahead[b.Number] })
	if n := len(rest); n > 0 {
		j.raise(vigil.Alarm{Code: SectorsBad, About: m.Miner, Miner: m.Miner, Urgent: n > few, What: count(n, "sector") + " cannot be read: " + some(rest)})
	}
}

// overtaken says that a rehearsal was of an occurrence that has closed: what its
// sectors are like since, its proof has told.
func overtaken(m vigil.MinerStatus, r vigil.RehearsalStatus) bool {
	return slices.ContainsFunc(m.Deadlines, func(d vigil.DeadlineStatus) bool {
		return d.Deadline.Index == r.Deadline && r.Epoch < d.Deadline.Plus(-int(d.Deadline.Count)).Open
	})
}

// closeOf is when the next proof of a deadline should be there; 0 if that is not known.
func (j *judge) closeOf(m vigil.MinerStatus, index uint64) abi.ChainEpoch {
	for _, d := range m.Deadlines {
		if d.Deadline.Index == index {
			return d.Deadline.Close - j.policy.PostMargin
		}
	}
	return 0
}

func (j *judge) recoveries(m vigil.MinerStatus) {
	for _, r := range m.Recoveries {
		if r.Problem == "" || r.Declared >= r.Faulty || j.status.Head >= r.Cutoff {
			continue
		}
		j.raise(vigil.Alarm{
			Code: RecoveryBlocked, About: fmt.Sprintf("%s deadline %d", m.Miner, r.Deadline), Miner: m.Miner, By: r.Cutoff,
			Urgent: r.Faulty-r.Declared > few && j.status.Head >= r.Cutoff-(m.Current.Close-m.Current.Open),
			What:   fmt.Sprintf("%s of deadline %d are not declared recovered: %s", count(int(r.Faulty-r.Declared), "sector"), r.Deadline, r.Problem),
		})
	}
}
