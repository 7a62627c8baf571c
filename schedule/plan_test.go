package schedule_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/exitcode"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/schedule"
)

const miner = abi.ActorID(1000)

// TestStories runs the stories in testdata: each `plan` lists how things are,
// one line a fact, and below the dashes what should then be in progress.
//
//	plan epoch=<head> [max=<partitions in a message>] [together] [hurried=<epoch>] [shadow]
//	deadline <index> open=<epoch> [commit=<word>]
//	partition <index> [due=<sectors>] [posted] [settled] [proven] [recovering=<sectors>] [recoverable=<n,n>] [idle=<n,n>]
//	duty <kind> <batch> <state> [open=<epoch>] [partitions=<n,n>] [sectors=<n,n>] [skipped=<n>] [returned=<sectors>] [tried=<epoch>] [reason=<word>] [commit=<word>]
//	message <kind> <batch> <state> [executed=<epoch>] [exit=<code>] [unsent] [taken_back]
//
// Partitions, duties and messages belong to the deadline above them.
func TestStories(t *testing.T) {
	address.CurrentNetwork = address.Testnet
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "plan" {
				t.Fatalf("%s: no command %q", d.Pos, d.Cmd)
			}
			var epoch int
			d.ScanArgs(t, "epoch", &epoch)
			view := parse(t, d.Input)
			view.Epoch, view.Shadow = abi.ChainEpoch(epoch), d.HasArg("shadow")
			policy := schedule.DefaultPolicy
			if d.HasArg("max") {
				d.ScanArgs(t, "max", &policy.MaxPartitions)
			}
			if d.HasArg("hurried") {
				var hurried int
				d.ScanArgs(t, "hurried", &hurried)
				view.Hurried = abi.ChainEpoch(hurried)
			}
			policy.RecoverAlone = !d.HasArg("together")
			return tell(schedule.Plan(view, policy))
		})
	})
}

func tell(tasks []schedule.Task) string {
	if len(tasks) == 0 {
		return "nothing\n"
	}
	var b strings.Builder
	for _, task := range tasks {
		fmt.Fprintf(&b, "%s %s", task.Verb, task.Duty.ID)
		if len(task.Duty.Partitions) > 0 {
			fmt.Fprintf(&b, " partitions=%v", task.Duty.Partitions)
		}
		if len(task.Sectors) > 0 {
			fmt.Fprintf(&b, " sectors=%v", task.Sectors)
		}
		if task.Verb == schedule.Return {
			fmt.Fprintf(&b, " why=%q", task.Failed)
		}
		if task.Generation > 0 {
			fmt.Fprintf(&b, " generation=%d", task.Generation)
		}
		if task.Reason != "" {
			fmt.Fprintf(&b, " reason=%s", task.Reason)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func parse(t *testing.T, input string) schedule.View {
	t.Helper()
	view := schedule.View{Miner: miner}
	for line := range strings.Lines(input) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		f := facts{t: t, words: words}
		switch words[0] {
		case "deadline":
			view.Deadlines = append(view.Deadlines, schedule.Deadline{
				Deadline: deadline(f.at(1), f.number("open")),
				Commit:   f.word("commit"),
			})
		case "partition":
			d := &view.Deadlines[len(view.Deadlines)-1]
			d.Partitions = append(d.Partitions, schedule.Partition{
				Index: uint64(f.at(1)), Due: uint64(f.number("due")),
				Posted: f.has("posted"), Settled: f.has("settled"), Proven: f.has("proven"),
				Recovering: uint64(f.number("recovering")), Recoverable: list[abi.SectorNumber](f, "recoverable"), Idle: list[abi.SectorNumber](f, "idle"),
			})
		case "duty":
			duty := vigil.Duty{
				Deadline:   last(view, f),
				State:      vigil.DutyState(words[3]),
				Partitions: list[uint64](f, "partitions"), Sectors: list[abi.SectorNumber](f, "sectors"),
				Tried: abi.ChainEpoch(f.number("tried")), Reason: vigil.Reason(f.word("reason")), Commit: f.word("commit"),
			}
			for _, n := range list[abi.SectorNumber](f, "skipped") {
				duty.Skipped = append(duty.Skipped, vigil.BadSector{Number: n, Cause: "replica: missing"})
			}
			if f.word("returned") != "" {
				returned := f.number("returned")
				duty.Returned = &returned
			}
			duty.ID = vigil.DutyID{Kind: vigil.DutyKind(words[1]), Miner: miner, Open: duty.Deadline.Open, Batch: f.at(2)}
			view.Duties = append(view.Duties, duty)
		case "message":
			id := vigil.DutyID{Kind: vigil.DutyKind(words[1]), Miner: miner, Open: last(view, f).Open, Batch: f.at(2)}
			m := vigil.Message{MessageRequest: vigil.MessageRequest{Duty: id}, State: vigil.MessageState(words[3])}
			if f.word("executed") != "" {
				m.Receipt = &vigil.Receipt{Epoch: abi.ChainEpoch(f.number("executed")), ExitCode: exitcode.ExitCode(f.number("exit"))}
			}
			if f.has("taken_back") {
				m.Problem = vigil.TookBack + " at epoch 1057"
			}
			if !f.has("unsent") {
				m.Attempts = []vigil.Attempt{{Number: 1, Published: true}}
			}
			view.Messages = append(view.Messages, m)
		default:
			t.Fatalf("no fact begins with %q", words[0])
		}
	}
	return view
}

// last is the deadline a duty or message belongs to.
func last(view schedule.View, f facts) vigil.Deadline {
	if open := f.number("open"); open > 0 {
		return deadline(0, open)
	}
	return view.Deadlines[len(view.Deadlines)-1].Deadline
}

func deadline(index, open int) vigil.Deadline {
	o := abi.ChainEpoch(open)
	return vigil.Deadline{Index: uint64(index), Count: 48, FaultCutoff: o - 70, Challenge: o - 20, Open: o, Close: o + 60}
}

// facts reads a line of a story.
type facts struct {
	t     *testing.T
	words []string
}

func (f facts) at(i int) int {
	f.t.Helper()
	n, err := strconv.Atoi(f.words[i])
	if err != nil {
		f.t.Fatalf("%v: %v", f.words, err)
	}
	return n
}

func (f facts) has(name string) bool {
	for _, w := range f.words[1:] {
		if w == name {
			return true
		}
	}
	return false
}

func (f facts) word(name string) string {
	for _, w := range f.words[1:] {
		if value, ok := strings.CutPrefix(w, name+"="); ok {
			return value
		}
	}
	return ""
}

func (f facts) number(name string) int {
	f.t.Helper()
	w := f.word(name)
	if w == "" {
		return 0
	}
	n, err := strconv.Atoi(w)
	if err != nil {
		f.t.Fatalf("%v: %v", f.words, err)
	}
	return n
}

func list[N ~uint64](f facts, name string) []N {
	f.t.Helper()
	var numbers []N
	for w := range strings.SplitSeq(f.word(name), ",") {
		if w == "" {
			continue
		}
		n, err := strconv.ParseUint(w, 10, 64)
		if err != nil {
			f.t.Fatalf("%v: %v", f.words, err)
		}
		numbers = append(numbers, N(n))
	}
	return numbers
}

// A message that the actor refused goes back to its duty with what it said.
func TestAFailedMessageIsToldToTheDuty(t *testing.T) {
	d := vigil.Deadline{Index: 1, Count: 48, Challenge: 980, Open: 1000, Close: 1060, FaultCutoff: 930}
	duty := vigil.Duty{ID: vigil.DutyID{Kind: vigil.KindPost, Miner: miner, Open: 1000}, Deadline: d, Partitions: []uint64{0}, State: vigil.StateSubmitted}
	failed := vigil.Message{
		MessageRequest: vigil.MessageRequest{Duty: duty.ID}, State: vigil.MessageFailed, Problem: "it was executed with exit code 16",
		Receipt: &vigil.Receipt{Epoch: 1010},
	}
	view := schedule.View{
		Miner: miner, Epoch: 1020, Duties: []vigil.Duty{duty}, Messages: []vigil.Message{failed},
		Deadlines: []schedule.Deadline{{Deadline: d, Partitions: []schedule.Partition{{Index: 0, Due: 2}}}},
	}
	tasks := schedule.Plan(view, schedule.DefaultPolicy)
	if len(tasks) != 1 || tasks[0].Verb != schedule.Submit || tasks[0].Generation != 1 || !strings.Contains(tasks[0].Failed, "exit code 16") {
		t.Errorf("got %+v", tasks)
	}
}
