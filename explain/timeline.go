package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// timeline puts all that is known in order: what the daemon did about the duty,
// what the messager and the chain did with its messages, what happened to the
// daemon and its nodes meanwhile, and the duty's own epochs in between.
func (t teller) timeline() []Moment {
	var moments []Moment
	for i, e := range t.record.Events {
		if text := t.event(i); text != "" {
			moments = append(moments, t.moment(e, text))
		}
	}
	for _, m := range t.record.Messages {
		moments = append(moments, t.attempts(m)...)
	}
	for _, e := range t.relevant() {
		moments = append(moments, t.moment(e, TellShared(e)))
	}
	slices.SortStableFunc(moments, func(a, b Moment) int { return a.Time.Compare(b.Time) })
	for i, m := range moments {
		moments[i].Text = oneLine(m.Text)
	}
	return t.withEpochs(t.raised(moments))
}

// raised corrects epochs that lag: each part of the daemon notes with the head that it
// knows, the store with the last that was read whole, and a task with what the clock says,
// so that one may be some behind what came before it. After a reorg it is the highest head
// that was seen.
func (t teller) raised(moments []Moment) []Moment {
	var head abi.ChainEpoch
	for i, m := range moments {
		if m.Epoch < head {
			moments[i].Epoch, moments[i].Left = head, t.left(head)
		}
		head = max(head, m.Epoch)
	}
	return moments
}

func (t teller) moment(e vigil.Event, text string) Moment {
	m := Moment{
		Time: e.Time, Epoch: e.Epoch, Left: t.left(e.Epoch), Kind: e.Kind, Level: LevelOf(e), State: e.After, Text: text, TipSet: t.tipset(e), Proof: e.Proof,
	}
	if e.Kind == vigil.EventMessage {
		m.Message = e.About
	}
	return m
}

// left is how many seconds the chain's clock has to Close at an epoch.
func (t teller) left(epoch abi.ChainEpoch) *float64 {
	if t.at.Epoch <= 0 || epoch <= 0 {
		return nil
	}
	seconds := (time.Duration(t.deadline.Close-epoch) * t.at.Epoch).Seconds()
	return &seconds
}

// tipset is the one that an event was decided at. A change of the row is written by a
// task, whose end says at which.
func (t teller) tipset(e vigil.Event) vigil.TipSetKey {
	task := map[string]string{"confirmed": "confirm", "missed": "miss", "replaced": "retire", "submitted": "submit"}[e.After]
	if e.Kind != vigil.EventDuty || task == "" {
		return e.TipSet
	}
	end, _ := t.first(vigil.EventEnded, func(end vigil.Event) bool { return end.Task == task && !end.Time.Before(e.Time) && end.Problem == "" })
	return end.TipSet
}

// LevelOf is how much an event matters: info, warn or error.
func LevelOf(e vigil.Event) string {
	switch {
	case e.Kind == vigil.EventDuty && e.After == string(vigil.StateMissed), e.Kind == vigil.EventMessage && e.After == string(vigil.MessageFailed),
		e.Kind == vigil.EventAudit && e.After == string(vigil.AuditDisputable):
		return "error"
	case e.Problem != "", e.Bad+e.Unchecked+e.Late > 0 && e.Kind == vigil.EventRead, e.Kind == vigil.EventLost, e.Kind == vigil.EventBlind:
		return "warn"
	}
	return "info"
}

// event is the sentence of one of the duty's events, or nothing where another
// event says the same and more.
func (t teller) event(i int) string {
	e := t.record.Events[i]
	switch e.Kind {
	case vigil.EventEnded:
		return t.ended(e)
	case vigil.EventDuty:
		return t.changed(e)
	case vigil.EventMessage:
		return t.messageChanged(e)
	}
	return tellOwn(e)
}

// ended tells of a task that failed. What one achieved is told by what it wrote.
func (t teller) ended(e vigil.Event) string {
	if e.Problem == "" {
		return ""
	}
	text := strings.TrimSuffix(tellOwn(e), ".")
	if d := t.record.Duty; d.Problem == e.Problem && d.Tried > e.Epoch {
		text += fmt.Sprintf("; tried again until epoch %d, with the same result", d.Tried)
	}
	return text + "."
}

// changed tells of another state of the row.
func (t teller) changed(e vigil.Event) string {
	same := func(other vigil.Event) bool {
		return other.Kind == vigil.EventEnded && (other.Problem == e.Problem || isStop(other.Problem) && strings.HasPrefix(e.Problem, vigil.TimeOver))
	}
	switch {
	case e.Before == e.After && slices.ContainsFunc(t.record.Events, same):
		return ""
	case e.After == string(vigil.StateProved):
		if _, made := t.first(vigil.EventProof, nil); made && e.Before == string(vigil.StateScheduled) {
			return "" // the proof is told of
		}
	}
	return tellChange(e)
}

// messageChanged tells of another state of a message, but for what its attempts tell.
func (t teller) messageChanged(e vigil.Event) string {
	known := slices.ContainsFunc(t.record.Messages, func(m vigil.Message) bool { return m.ID == e.About && len(m.Attempts) > 0 })
	fresh := e.Before == "" || e.Before == string(vigil.MessageQueued) || e.Before == string(vigil.MessageSigned)
	if known && fresh && e.Problem == "" && (e.After == string(vigil.MessageSigned) || e.After == string(vigil.MessagePublished)) {
		return ""
	}
	if e.After == string(vigil.MessageIncluded) && t.takenBackLater(e) {
		return "A tipset executed the message; a reorg took that back later."
	}
	return tellMessageChange(e, t.record.Messages)
}

// takenBackLater says that an execution of a message did not last: what is known of one
// now is of another.
func (t teller) takenBackLater(included vigil.Event) bool {
	return slices.ContainsFunc(t.record.Events, func(e vigil.Event) bool {
		return e.Kind == vigil.EventMessage && e.About == included.About && e.Time.After(included.Time) && strings.HasPrefix(e.Problem, vigil.TookBack)
	})
}

// attempts tells of each signed form of a message.
func (t teller) attempts(m vigil.Message) []Moment {
	var moments []Moment
	for i, a := range m.Attempts {
		level := "info"
		if !a.Published {
			level = "warn"
		}
		moments = append(moments, Moment{
			Time: a.Created, Epoch: a.Epoch, Left: t.left(a.Epoch), Kind: vigil.EventMessage, Level: level,
			Text: signed(m, i) + " " + heard(a), Message: a.CID.String(),
		})
	}
	return moments
}

// relevant gives the shared events of the duty's time, and how things stood when it began.
func (t teller) relevant() []vigil.Event {
	begin, end := t.deadline.Challenge, t.end()
	before := map[string]vigil.Event{} // by what it is about: the last before the beginning
	var events []vigil.Event
	for _, e := range t.record.Shared {
		switch {
		case e.Epoch < begin:
			before[aboutWhat(e)] = e
		case e.Epoch <= end || e.Kind == vigil.EventStarted && e.Since <= end:
			events = append(events, e)
		}
	}
	for _, e := range before {
		if stands(e) {
			events = append(events, e)
		}
	}
	slices.SortStableFunc(events, func(a, b vigil.Event) int { return a.Time.Compare(b.Time) })
	return events
}

// aboutWhat tells nodes, a miner's blindness and everybody's, and the daemon's starts apart.
func aboutWhat(e vigil.Event) string {
	switch e.Kind {
	case vigil.EventStarted, vigil.EventStopped:
		return "the daemon"
	case vigil.EventBlind, vigil.EventSeeing:
		return fmt.Sprintf("miner %d", e.Miner)
	}
	return e.About
}

// stands says that an event left something wrong behind.
func stands(e vigil.Event) bool {
	return e.Kind == vigil.EventStopped || e.Kind == vigil.EventBlind || e.Kind == vigil.EventNode && e.Problem != ""
}

// end is the last epoch that matters to the duty.
func (t teller) end() abi.ChainEpoch {
	end := t.deadline.Close
	if t.record.Duty.ID.Kind == vigil.KindRecover {
		end = t.deadline.FaultCutoff
	}
	if n := len(t.record.Events); n > 0 {
		if last := t.record.Events[n-1].Epoch; !t.record.Duty.State.Final() || last < end {
			return last
		}
	}
	return end
}

// withEpochs puts the duty's own epochs between what happened.
func (t teller) withEpochs(moments []Moment) []Moment {
	d := t.deadline
	marks := []struct {
		epoch abi.ChainEpoch
		text  string
	}{
		{d.FaultCutoff, "The fault cutoff: recoveries had to be on chain before."},
		{d.Challenge, "The challenge is known from here on: work can begin."},
		{d.Open, "The deadline opens: a proof may be on chain from here on."},
		{d.Close, "The deadline closes: it is too late from here on."},
	}
	if t.record.Duty.ID.Kind == vigil.KindPost {
		marks = marks[1:]
	} else {
		marks = marks[:1]
	}
	now := t.at.Head
	if n := len(moments); n > 0 {
		now = max(now, moments[n-1].Epoch)
	}
	for _, mark := range marks {
		if mark.epoch > now {
			continue
		}
		i := slices.IndexFunc(moments, func(m Moment) bool { return m.Epoch >= mark.epoch })
		if i < 0 {
			i = len(moments)
		}
		moments = slices.Insert(moments, i, Moment{Epoch: mark.epoch, Left: t.left(mark.epoch), Kind: "epoch", Level: "info", Text: mark.text})
	}
	return moments
}

// tellOwn is the sentence of an event of a duty.
func tellOwn(e vigil.Event) string {
	switch e.Kind {
	case vigil.EventBegun:
		text := "Work began: " + taskWords[e.Task]
		if len(e.Partitions) > 0 {
			text += fmt.Sprintf(" of partitions %v", e.Partitions)
		}
		return text + "."
	case vigil.EventRead:
		return tellRead(e)
	case vigil.EventAudit:
		return tellAudit(e)
	case vigil.EventProof:
		text := fmt.Sprintf("A proof of %d sectors was made, verified and stored: read in %s, proved in %s", e.Sectors, brief(e.Read), brief(e.Prove))
		if e.Bad > 0 {
			text += fmt.Sprintf("; %d sectors are left out", e.Bad)
		}
		return text + "."
	case vigil.EventEnded:
		what := cmp.Or(taskWords[e.Task], e.Task)
		if e.Problem == "" {
			return fmt.Sprintf("Done: %s, in %s.", what, brief(e.Took))
		}
		return fmt.Sprintf("It came to nothing: %s, after %s: %s.", what, brief(e.Took), strings.TrimSuffix(e.Problem, "."))
	}
	return ""
}

// taskWords says what a task does.
var taskWords = map[string]string{
	"prove": "reading and proving", "submit": "handing the message over", "recover": "reading faulty sectors to declare them recovered",
	"confirm": "writing down that it is done", "miss": "writing down that it was missed", "retire": "giving its partitions to other duties",
}

func tellRead(e vigil.Event) string {
	if e.Bad+e.Unchecked+e.Late == 0 {
		return fmt.Sprintf("All %d sectors were read, in %s.", e.Sectors, brief(e.Took))
	}
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{e.Bad, "bad"}, {e.Unchecked, "could not be checked"}, {e.Late, "were not read for want of time"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	text := fmt.Sprintf("Of %d sectors %s, after %s", e.Sectors, strings.Join(parts, ", "), brief(e.Took))
	for i, b := range e.Named {
		text += fmt.Sprintf("%s sector %d: %s", map[bool]string{true: ":", false: ";"}[i == 0], b.Number, b.Cause)
	}
	if more := e.Bad + e.Unchecked + e.Late - len(e.Named); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text + "."
}

// tellChange is the sentence of another state of a duty.
func tellChange(e vigil.Event) string {
	because := ""
	if e.Problem != "" {
		because = ": " + strings.TrimSuffix(e.Problem, ".")
	}
	after := vigil.DutyState(e.After)
	switch {
	case e.Before == e.After:
		return fmt.Sprintf("A try came to nothing%s.", because)
	case after == vigil.StateMissed:
		return fmt.Sprintf("It was missed: %s.", strings.TrimSuffix(meaningOf(e.Reason), "."))
	case after == vigil.StateConfirmed:
		return "The chain shows it done, at the configured confidence: confirmed."
	case e.Before == string(vigil.StateConfirmed):
		return fmt.Sprintf("A reorg took it off the chain again; it goes on as %s%s.", e.After, because)
	case after == vigil.StateReplaced:
		return "Its partitions go on in other duties: replaced."
	case after == vigil.StateSubmitted && e.Duty.Kind == vigil.KindRecover:
		return "The declaration was handed to the messager" + because + "."
	case after == vigil.StateSubmitted:
		return "The proof was compared with the chain and verified once more, and its message was handed to the messager" + because + "."
	case after == vigil.StateScheduled && e.Before != "":
		return fmt.Sprintf("The proof was given up, to be made again%s.", because)
	case after == vigil.StateScheduled:
		return "It was written down as owed" + because + "."
	case after == vigil.StateProved:
		return "A verified proof is stored that fits what the chain asks for."
	}
	return fmt.Sprintf("It is %s%s.", e.After, because)
}

func meaningOf(r vigil.Reason) string {
	for _, known := range vigil.Reasons {
		if known.Reason == r {
			return known.Meaning
		}
	}
	return string(cmp.Or(r, "the reason is not known"))
}

// tellMessageChange is the sentence of another state of a message.
func tellMessageChange(e vigil.Event, messages []vigil.Message) string {
	because := ""
	if e.Problem != "" {
		because = ": " + strings.TrimSuffix(e.Problem, ".")
	}
	i := slices.IndexFunc(messages, func(m vigil.Message) bool { return m.ID == e.About })
	before, after := vigil.MessageState(e.Before), vigil.MessageState(e.After)
	wasOnChain := before == vigil.MessageIncluded || before == vigil.MessageConfirmed
	switch {
	case before == after:
		return "The message" + because + "."
	case wasOnChain && !after.Done() && after != vigil.MessageIncluded:
		return fmt.Sprintf("A reorg took the message's execution back; it is %s again%s.", e.After, because)
	case after == vigil.MessageQueued:
		return "The message was stored with the messager" + because + "."
	case after == vigil.MessageIncluded && i >= 0 && messages[i].Receipt != nil:
		return executed(messages[i])
	}
	return fmt.Sprintf("The message is %s%s.", e.After, because)
}

// TellShared is the sentence of an event that is no duty's.
func TellShared(e vigil.Event) string {
	switch e.Kind {
	case vigil.EventStarted:
		text := fmt.Sprintf("Vigil %s saw its first head, at epoch %d", e.Version, e.Epoch)
		if e.Since > 0 && e.Since < e.Epoch {
			text += fmt.Sprintf(": it had seen nothing since epoch %d, for %d epochs", e.Since, e.Epoch-e.Since)
		}
		return text + "."
	case vigil.EventStopped:
		return "Vigil was told to stop."
	case vigil.EventNode:
		return tellNode(e)
	case vigil.EventBlind:
		if e.Miner == 0 {
			return fmt.Sprintf("The chain fell silent at epoch %d: %s.", e.Epoch, strings.TrimSuffix(e.Problem, "."))
		}
		if e.About == vigil.AboutDatabase {
			return "Nothing could be planned for the miner, because the daemon's own database could not be read: " + strings.TrimSuffix(e.Problem, ".") + "."
		}
		return "The miner's state could not be read from any node: " + strings.TrimSuffix(e.Problem, ".") + "."
	case vigil.EventSeeing:
		if e.Miner == 0 {
			return fmt.Sprintf("There are new heads again, at epoch %d.", e.Epoch)
		}
		return "The miner can be planned for again."
	case vigil.EventAudit:
		return tellAudit(e)
	case vigil.EventLost:
		return fmt.Sprintf("%d events could not be written down: the disk did not take them.", e.Number)
	}
	return string(e.Kind)
}

func tellNode(e vigil.Event) string {
	text := fmt.Sprintf("Node %s is %s", e.About, e.After)
	if e.Before != "" && e.Before != e.After {
		text += fmt.Sprintf(" after %s of being %s", brief(e.Took), e.Before)
	}
	if e.Problem != "" {
		text += ": " + strings.TrimSuffix(e.Problem, ".")
	}
	return text + "."
}

// TellEvent is the sentence of any event, by itself.
func TellEvent(e vigil.Event) string {
	switch {
	case e.Kind == vigil.EventDuty:
		return tellChange(e)
	case e.Kind == vigil.EventMessage:
		return tellMessageChange(e, nil)
	case e.Duty != vigil.DutyID{}:
		return tellOwn(e)
	}
	return TellShared(e)
}

// brief is a duration as people say it.
func brief(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
