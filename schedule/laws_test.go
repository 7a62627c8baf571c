package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/exitcode"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/schedule"
)

// The laws of Plan, on views that chance makes: sound ones and such as no chain
// and no store should ever give, for a plan must be sane for those too.

var dutyStates = []vigil.DutyState{
	vigil.StateScheduled, vigil.StateProved, vigil.StateSubmitted, vigil.StateConfirmed, vigil.StateMissed, vigil.StateReplaced, vigil.StateShadowed,
}

// chance makes views from a seed.
type chance struct{ *rand.Rand }

func (c chance) one(in int) bool { return c.IntN(in) == 0 }

func (c chance) view() schedule.View {
	v := schedule.View{Miner: miner, Epoch: abi.ChainEpoch(900 + c.IntN(300)), Shadow: c.one(8), Hurried: abi.ChainEpoch(c.IntN(2) * 1000)}
	if c.one(3) { // the end of the first deadline, where most goes wrong
		v.Epoch = abi.ChainEpoch(1045 + c.IntN(20))
	}
	for i := range 1 + c.IntN(3) {
		v.Deadlines = append(v.Deadlines, c.deadline(vigil.Deadline{
			Index: uint64(5 + i), Count: 48, Open: abi.ChainEpoch(1000 + 60*i), Close: abi.ChainEpoch(1060 + 60*i), Challenge: abi.ChainEpoch(980 + 60*i), FaultCutoff: abi.ChainEpoch(930 + 60*i),
		}))
	}
	for _, d := range v.Deadlines {
		c.rows(&v, d)
	}
	return v
}

func (c chance) deadline(d vigil.Deadline) schedule.Deadline {
	out := schedule.Deadline{Deadline: d, Commit: []string{"", "aa", "bb"}[c.IntN(3)]}
	next := abi.SectorNumber(10 * d.Index)
	for i := range c.IntN(6) {
		p := schedule.Partition{Index: uint64(i), Due: uint64(c.IntN(3)), Posted: c.one(3), Proven: c.one(2), Recovering: uint64(c.IntN(2))}
		p.Settled = p.Posted && c.one(2)
		for range c.IntN(3) {
			p.Recoverable = append(p.Recoverable, next)
			next++
		}
		p.Idle = slices.Clone(p.Recoverable)
		out.Partitions = append(out.Partitions, p)
	}
	return out
}

// rows adds duties that share the deadline's partitions out, as Plan itself makes
// them, with their messages.
func (c chance) rows(v *schedule.View, d schedule.Deadline) {
	batch := 0
	for i := 0; i < len(d.Partitions); {
		n := min(1+c.IntN(3), len(d.Partitions)-i)
		if c.one(3) { // these have no duty yet
			i += n
			continue
		}
		duty := vigil.Duty{
			ID: vigil.DutyID{Kind: vigil.KindPost, Miner: miner, Open: d.Open, Batch: batch}, Deadline: d.Deadline,
			State: dutyStates[c.IntN(len(dutyStates))], Commit: []string{"", "aa", "bb"}[c.IntN(3)],
		}
		for range n {
			duty.Partitions = append(duty.Partitions, d.Partitions[i].Index)
			i++
		}
		batch++
		v.Duties = append(v.Duties, duty)
		c.messages(v, duty)
	}
	for b := range c.IntN(3) {
		duty := vigil.Duty{
			ID: vigil.DutyID{Kind: vigil.KindRecover, Miner: miner, Open: d.Open, Batch: b}, Deadline: d.Deadline,
			State: dutyStates[c.IntN(len(dutyStates))], Tried: abi.ChainEpoch(900 + c.IntN(200)),
		}
		for _, p := range d.Partitions {
			if int(p.Index)%3 == b {
				duty.Sectors = append(duty.Sectors, p.Recoverable...)
			}
		}
		v.Duties = append(v.Duties, duty)
		c.messages(v, duty)
	}
}

func (c chance) messages(v *schedule.View, duty vigil.Duty) {
	if duty.State == vigil.StateScheduled || duty.State == vigil.StateProved && !c.one(4) {
		return
	}
	for range c.IntN(3) {
		m := vigil.Message{MessageRequest: vigil.MessageRequest{Duty: duty.ID}, State: vigil.MessageStates[c.IntN(len(vigil.MessageStates))]}
		if m.State == vigil.MessageIncluded || m.State == vigil.MessageConfirmed || m.State == vigil.MessageFailed {
			m.Receipt = &vigil.Receipt{Epoch: v.Epoch - abi.ChainEpoch(c.IntN(10)), ExitCode: exitcode.ExitCode(c.IntN(2) * 7)}
		}
		v.Messages = append(v.Messages, m)
	}
}

func (c chance) policy() schedule.Policy {
	p := schedule.DefaultPolicy
	p.MaxPartitions, p.RecoverAlone = 1+c.IntN(3), c.one(2)
	p.StartConfidence, p.SubmitConfidence, p.Confidence = abi.ChainEpoch(c.IntN(4)), abi.ChainEpoch(c.IntN(8)), abi.ChainEpoch(c.IntN(10))
	p.RecoverMargin, p.RecoverEvery = abi.ChainEpoch(c.IntN(6)), abi.ChainEpoch(c.IntN(20))
	return p
}

// eachView runs a law on many views, and names the one that breaks it.
func eachView(t *testing.T, law func(c chance, v schedule.View, p schedule.Policy) error) {
	t.Helper()
	for seed := range uint64(5_000) {
		c := chance{rand.New(rand.NewPCG(seed, 11))}
		v, p := c.view(), c.policy()
		if err := law(c, v, p); err != nil {
			t.Fatalf("seed %d: %v\nview: %+v\npolicy: %+v\nplan: %s", seed, err, v, p, tell(schedule.Plan(v, p)))
		}
	}
}

func deadlineOf(v schedule.View, open abi.ChainEpoch) schedule.Deadline {
	i := slices.IndexFunc(v.Deadlines, func(d schedule.Deadline) bool { return d.Open == open })
	return v.Deadlines[i]
}

func TestNoDutyHasTwoTasksAndNoPartitionTwoDutiesThatProveIt(t *testing.T) {
	eachView(t, func(_ chance, v schedule.View, p schedule.Policy) error {
		duties, partitions := map[vigil.DutyID]bool{}, map[string]bool{}
		for _, task := range schedule.Plan(v, p) {
			if duties[task.Duty.ID] {
				return fmt.Errorf("%s has two tasks", task.Duty.ID)
			}
			duties[task.Duty.ID] = true
			for _, index := range task.Duty.Partitions {
				name := fmt.Sprint(task.Duty.ID.Open, " ", index)
				if partitions[name] {
					return fmt.Errorf("partition %s is in two tasks", name)
				}
				partitions[name] = true
			}
		}
		return nil
	})
}

func TestNothingIsProvedOrSentTooEarlyOrTooLate(t *testing.T) {
	eachView(t, func(_ chance, v schedule.View, p schedule.Policy) error {
		for _, task := range schedule.Plan(v, p) {
			d, id := task.Duty.Deadline, task.Duty.ID
			switch verb := task.Verb; {
			case (verb == schedule.Prove || verb == schedule.Submit) && v.Epoch >= d.Close-1:
				return fmt.Errorf("%s %s: a message could only be executed after Close %d", verb, id, d.Close)
			case verb == schedule.Prove && v.Epoch < d.Challenge+p.StartConfidence:
				return fmt.Errorf("%s is proved before its challenge %d", id, d.Challenge)
			case verb == schedule.Submit && v.Epoch < d.Open+p.SubmitConfidence:
				return fmt.Errorf("%s is sent before Open %d", id, d.Open)
			case verb == schedule.Recover && v.Epoch >= d.FaultCutoff-p.RecoverMargin:
				return fmt.Errorf("%s is declared when the cutoff %d is near", id, d.FaultCutoff)
			case verb == schedule.Miss && id.Kind == vigil.KindPost && v.Epoch < d.Close+p.Confidence:
				return fmt.Errorf("%s is called missed before its deadline's end is believed", id)
			}
		}
		return nil
	})
}

// What a partition owes is in a task, or its duty waits for what is on its way.
func TestEverythingThatIsOwedAndCanBeMetIsInProgress(t *testing.T) {
	eachView(t, func(_ chance, v schedule.View, p schedule.Policy) error {
		tasks := schedule.Plan(v, p)
		for _, d := range v.Deadlines {
			if v.Epoch < d.Challenge+p.StartConfidence || v.Epoch >= d.Close-1 {
				continue
			}
			for _, part := range d.Partitions {
				if part.Due == 0 || part.Posted || inProgress(v, p, tasks, d, part.Index) {
					continue
				}
				return fmt.Errorf("nothing is done for partition %d of deadline %d", part.Index, d.Index)
			}
		}
		return nil
	})
}

func inProgress(v schedule.View, p schedule.Policy, tasks []schedule.Task, d schedule.Deadline, index uint64) bool {
	for _, task := range tasks {
		if task.Duty.ID.Kind == vigil.KindPost && task.Duty.ID.Open == d.Open && slices.Contains(task.Duty.Partitions, index) {
			return task.Verb == schedule.Prove || task.Verb == schedule.Submit || task.Verb == schedule.Retire
		}
	}
	for _, duty := range v.Duties {
		if duty.ID.Kind != vigil.KindPost || duty.ID.Open != d.Open || duty.State == vigil.StateReplaced || !slices.Contains(duty.Partitions, index) {
			continue
		}
		early := v.Epoch < d.Open+p.SubmitConfidence
		return early || v.Shadow || slices.ContainsFunc(v.Messages, func(m vigil.Message) bool { return m.Duty == duty.ID && mayStillLand(m, v, p, d) })
	}
	return false
}

// mayStillLand says that a message may do what it is for, or has done it where the view does not see yet.
func mayStillLand(m vigil.Message, v schedule.View, p schedule.Policy, d schedule.Deadline) bool {
	if m.Receipt == nil {
		return !m.State.Done()
	}
	failed := m.Receipt.ExitCode != exitcode.Ok && v.Epoch >= d.Close-p.PostMargin
	return m.Receipt.Epoch >= v.Epoch || !m.State.Done() && !failed
}

// The order in which the view lists things says nothing.
func TestAPlanDoesNotDependOnTheOrderOfWhatIsSeen(t *testing.T) {
	eachView(t, func(c chance, v schedule.View, p schedule.Policy) error {
		plan := schedule.Plan(v, p)
		if again := schedule.Plan(v, p); !reflect.DeepEqual(again, plan) {
			return fmt.Errorf("the same view has another plan the second time: %s", tell(again))
		}
		mixed := v
		mixed.Deadlines, mixed.Duties = slices.Clone(v.Deadlines), slices.Clone(v.Duties)
		c.Shuffle(len(mixed.Deadlines), func(i, j int) { mixed.Deadlines[i], mixed.Deadlines[j] = mixed.Deadlines[j], mixed.Deadlines[i] })
		c.Shuffle(len(mixed.Duties), func(i, j int) { mixed.Duties[i], mixed.Duties[j] = mixed.Duties[j], mixed.Duties[i] })
		if other := schedule.Plan(mixed, p); !reflect.DeepEqual(other, plan) {
			return fmt.Errorf("in another order: %s", tell(other))
		}
		return nil
	})
}

// A more careful policy does no more than a less careful one.
func TestACarefulPolicyDoesNoMore(t *testing.T) {
	names := func(v schedule.View, p schedule.Policy, verb schedule.Verb, kind vigil.DutyKind) map[string]bool {
		out := map[string]bool{}
		for _, task := range schedule.Plan(v, p) {
			if task.Verb == verb && task.Duty.ID.Kind == kind {
				out[fmt.Sprint(task.Duty.ID, task.Duty.Partitions, task.Sectors)] = true
			}
		}
		return out
	}
	eachView(t, func(_ chance, v schedule.View, p schedule.Policy) error {
		v.Hurried = v.Epoch // how soon sectors are read again depends on how near the policy's cutoff is
		late, margin := p, p
		late.StartConfidence, late.SubmitConfidence = p.StartConfidence+2, p.SubmitConfidence+3
		margin.RecoverMargin = p.RecoverMargin + 4
		for _, c := range []struct {
			careful schedule.Policy
			verb    schedule.Verb
			kind    vigil.DutyKind
		}{{late, schedule.Prove, vigil.KindPost}, {late, schedule.Submit, vigil.KindPost}, {margin, schedule.Recover, vigil.KindRecover}} {
			before := names(v, p, c.verb, c.kind)
			for name := range names(v, c.careful, c.verb, c.kind) {
				if !before[name] {
					return fmt.Errorf("%s %s is planned by the more careful policy alone", c.verb, name)
				}
			}
		}
		return nil
	})
}

// Each sector that can be declared is read or declared by one task at most.
func TestNoSectorIsReadForTwoDeclarations(t *testing.T) {
	eachView(t, func(_ chance, v schedule.View, p schedule.Policy) error {
		taken := map[abi.SectorNumber]vigil.DutyID{}
		for _, task := range schedule.Plan(v, p) {
			if task.Verb != schedule.Recover {
				continue
			}
			if len(task.Sectors) == 0 {
				return fmt.Errorf("%s recovers nothing", task.Duty.ID)
			}
			for _, n := range task.Sectors {
				if other, ok := taken[n]; ok {
					return fmt.Errorf("sector %d is read for %s and %s", n, other, task.Duty.ID)
				}
				taken[n] = task.Duty.ID
				if !slices.ContainsFunc(deadlineOf(v, task.Duty.ID.Open).Partitions, func(part schedule.Partition) bool { return slices.Contains(part.Recoverable, n) }) {
					return fmt.Errorf("sector %d of %s is not faulty", n, task.Duty.ID)
				}
			}
		}
		return nil
	})
}
