package app

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/audit"
	"github.com/vigil-post/vigil/schedule"
)

// auditEvery is the most epochs between two comparisons of a miner's posts on
// chain with their verdicts: a deadline's length, so that nodes are asked for
// nothing but when a deadline has closed.
const auditEvery abi.ChainEpoch = 60

// newAudit makes what judges our posts once they are on chain.
func (d *Daemon) newAudit(verifier vigil.Verifier) (*audit.Watch, error) {
	return audit.New(audit.Config{
		Judge: audit.Judge{Records: d.nodes, Randomness: d.nodes, Verifier: verifier},
		Heads: d.nodes, Store: d.store, Every: auditEvery, Log: d.log,
		Miners: func(context.Context, vigil.TipSetKey) ([]abi.ActorID, error) { return d.config.Miners, nil },
		Busy:   d.proving, Name: d.nameOf, Judged: d.sayVerdict,
	})
}

// proving says that a proof is being made, which nothing may slow down.
func (d *Daemon) proving() bool {
	return slices.ContainsFunc(d.runner.Status().Miners, func(m vigil.MinerStatus) bool {
		return slices.ContainsFunc(m.Duties, func(l vigil.DutyStatus) bool { return l.Running == string(schedule.Prove) })
	})
}

// nameOf finds the duty and the message that made a post, if they are ours.
func (d *Daemon) nameOf(ctx context.Context, a vigil.Audit) (duty, message string) {
	duties, err := d.store.Duties(ctx, a.Miner, a.Deadline.Open)
	if err != nil {
		return "", "" // it is asked for again
	}
	messages, err := d.courier.Messages(ctx, a.Miner, a.Deadline.Close)
	if err != nil {
		return "", ""
	}
	for _, of := range duties {
		if of.ID.Kind != vigil.KindPost || of.ID.Open != a.Deadline.Open || !slices.Equal(slices.Sorted(slices.Values(of.Partitions)), a.Partitions) {
			continue
		}
		duty = of.ID.String()
		for _, m := range messages {
			attempt, executed := m.Executed()
			if m.Duty == of.ID && executed && !attempt.Cancel && m.Receipt != nil && m.Receipt.ExitCode == 0 {
				return duty, attempt.CID.String()
			}
		}
	}
	return duty, ""
}

// sayVerdict writes a verdict into the journal and the log, and what to do about a
// bad one. The journal knows of it when its window is long over.
func (d *Daemon) sayVerdict(ctx context.Context, a vigil.Audit) {
	d.journal.Note(d.verdictEvent(ctx, a))
	log := d.log.With("miner", vigil.MinerAddress(a.Miner).String(), "deadline", a.Deadline.Index, "opened", a.Deadline.Open, "partitions", a.Partitions, "epoch", a.Epoch, "seed", seedOf(a))
	if a.Verdict != vigil.AuditDisputable {
		log.Info("a post on chain was audited: it stands", "until", a.Until())
		return
	}
	log.Error("a post on chain can be disputed by anybody: its proof is wrong", "problem", a.Problem, "until", a.Until(), "remedy", remedy(a))
}

// verdictEvent is a verdict as an event of the duty that it is about, if that is
// ours, and of the miner otherwise.
func (d *Daemon) verdictEvent(ctx context.Context, a vigil.Audit) vigil.Event {
	duty, message := d.nameOf(ctx, a)
	id, _ := vigil.ParseDutyID(duty) // of no duty: its zero value
	return vigil.Event{
		Epoch: a.Epoch, Kind: vigil.EventAudit, Miner: a.Miner, Duty: id,
		EventFacts: vigil.EventFacts{
			After: string(a.Verdict), Problem: a.Problem, About: message, Partitions: a.Partitions,
			Since: a.Deadline.Challenge, Until: a.Until(), Seed: seedOf(a),
		},
	}
}

// seedOf is the seed that a post was judged with, in hex, if that is known.
func seedOf(a vigil.Audit) string {
	if a.Seed == ([32]byte{}) {
		return ""
	}
	return hex.EncodeToString(a.Seed[:])
}

// remedy is what can be done about a disputable post. The partitions cannot be
// posted again, and declaring them faulty does not spare the fine, which is for
// the power at the close; the figures are those of builtin-actors' monies.rs.
func remedy(a vigil.Audit) string {
	return fmt.Sprintf("it cannot be taken back, and faults declared now do not spare the fine: until epoch %d a dispute costs 24 FIL and 5.51 days of the sectors' reward, and makes them faulty. "+
		"See with vigil check --deadline %d that they are sound; find out who made this proof, for what Vigil sends was verified before: is another daemon using the miner's keys? "+
		"Keep the miner's balance above the fine, because with a fee debt no recovery is taken; after a dispute Vigil declares the sectors recovered by itself", a.Until(), a.Deadline.Index)
}

// auditLines are a miner's posts on chain as people are shown them.
func (d *Daemon) auditLines(miner abi.ActorID) []vigil.AuditStatus {
	lines := []vigil.AuditStatus{}
	for _, p := range d.audit.Posts(miner) {
		line := vigil.AuditStatus{
			Duty: p.Duty, Deadline: p.Deadline.Index, Message: p.Message, Verdict: p.Verdict, Until: p.Until(), Problem: p.Problem, Seed: seedOf(p.Audit),
		}
		if line.Duty == "" { // somebody else's, or older than our database
			line.Duty = fmt.Sprintf("%s/%d", vigil.MinerAddress(miner), p.Deadline.Open)
		}
		if p.Gone {
			line.Problem += "; it was disputed, and its sectors are faulty until they are recovered"
		}
		lines = append(lines, line)
	}
	return lines
}

// showAudits puts the audits into a status.
func (d *Daemon) showAudits(s *vigil.Status) {
	s.Miners = slices.Clone(s.Miners) // the runner's own is read by others
	for i := range s.Miners {
		for _, id := range d.config.Miners {
			if s.Miners[i].Miner == vigil.MinerAddress(id).String() {
				s.Miners[i].Audits = d.auditLines(id)
			}
		}
	}
}
