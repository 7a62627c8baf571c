package explain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// window is deadline 3, open from 90 to 150.
var window = vigil.Deadline{Index: 3, Count: 48, Challenge: 70, Open: 90, Close: 150, FaultCutoff: 20}

func postDuty(state vigil.DutyState) vigil.Duty {
	return vigil.Duty{ID: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 90}, Deadline: window, Partitions: []uint64{0, 1}, State: state}
}

// at is an event at an epoch of a chain whose epochs last as long as they should.
func event(epoch abi.ChainEpoch, kind vigil.EventKind, facts vigil.EventFacts) vigil.Event {
	return vigil.Event{Time: time.Unix(0, 0).Add(time.Duration(epoch) * 30 * time.Second), Epoch: epoch, Kind: kind, EventFacts: facts}
}

func changed(epoch abi.ChainEpoch, before, after vigil.DutyState) vigil.Event {
	return event(epoch, vigil.EventDuty, vigil.EventFacts{Before: string(before), After: string(after)})
}

func told(s Story) string {
	var lines []string
	for _, m := range s.Timeline {
		left := "?"
		if m.Left != nil {
			left = fmt.Sprint(*m.Left)
		}
		lines = append(lines, fmt.Sprintf("%d (%s) %s %s", m.Epoch, left, m.Level, m.Text))
	}
	return strings.Join(append(lines, append(s.Why, s.Advice)...), "\n")
}

// wellDone is a duty that went well, but for what a test changes.
func wellDone(t *testing.T, executed abi.ChainEpoch) Record {
	m := landed(message(t, vigil.MessageConfirmed, 100), 0)
	m.Receipt.Epoch, m.Paid = executed, big.NewInt(5e15)
	m.Attempts[0].Created, m.Attempts[0].Epoch = time.Unix(94*30, 0), 94
	return Record{
		Duty: postDuty(vigil.StateConfirmed),
		Events: []vigil.Event{
			event(71, vigil.EventBegun, vigil.EventFacts{Task: "prove", TipSet: "t71", Partitions: []uint64{0, 1}}), changed(71, "", vigil.StateScheduled),
			event(73, vigil.EventRead, vigil.EventFacts{Sectors: 20, Took: time.Minute}),
			event(80, vigil.EventProof, vigil.EventFacts{Sectors: 20, Proof: "ab12", Read: time.Minute, Prove: 3 * time.Minute}), changed(80, vigil.StateScheduled, vigil.StateProved),
			event(80, vigil.EventEnded, vigil.EventFacts{Task: "prove", TipSet: "t71"}),
			changed(94, vigil.StateProved, vigil.StateSubmitted), event(94, vigil.EventEnded, vigil.EventFacts{Task: "submit", TipSet: "t94"}),
			changed(executed+6, vigil.StateSubmitted, vigil.StateConfirmed), event(executed+6, vigil.EventEnded, vigil.EventFacts{Task: "confirm", TipSet: "confirming"}),
		},
		Shared:   []vigil.Event{event(5, vigil.EventStarted, vigil.EventFacts{Version: "v1", Kernels: "ifma", Delay: 30 * time.Second})},
		Messages: []vigil.Message{m},
	}
}

func TestADutyIsToldFromItsBeginning(t *testing.T) {
	s := Recount(wellDone(t, 96), At{Head: 200})
	want := []string{
		"70 (2400) info The challenge is known", "71 (2370) info Work began: reading and proving of partitions [0 1].", "written down as owed",
		"73 (2310) info All 20 sectors were read, in 1m0s.", "80 (2100) info A proof of 20 sectors was made, verified and stored: read in 1m0s, proved in 3m0s.",
		"90 (1800) info The deadline opens", "94 (1680) info The proof was compared", "Attempt 1 (", "confirmed.",
		"150 (0) info The deadline closes",
		"It is done: the chain executed its message at epoch 96, 54 epochs (27 minutes) before Close.", "Work on it began at epoch 71, 1 epoch (30s) after its challenge.",
		"Its proof was ready at epoch 80", "executed at epoch 96, for 0.005 FIL",
	}
	text := told(s)
	for _, words := range want {
		_, rest, found := strings.Cut(text, words)
		if !found {
			t.Fatalf("it does not say, in order, %q:\n%s", words, told(s))
		}
		text = rest
	}
	if s.Verdict != VerdictOnTime || s.Proof == nil || s.Proof.SHA256 != "ab12" || s.Proof.Kernels != "ifma" || s.Paid.Int64() != 5e15 || s.Advice != "" {
		t.Errorf("%+v", s)
	}
	for _, m := range s.Timeline {
		if strings.HasSuffix(m.Text, "confirmed.") && m.TipSet != "confirming" {
			t.Errorf("it was confirmed at the tipset %q", m.TipSet)
		}
	}
}

func TestWhyADutyEndedAsItDid(t *testing.T) {
	late := wellDone(t, 147)
	slow := wellDone(t, 146)
	for i := range slow.Events[3:6] {
		slow.Events[3+i].Epoch = 140
	}
	slow.Messages[0].Attempts[0].Epoch = 141
	off := Record{
		Duty:   postDuty(vigil.StateMissed),
		Events: []vigil.Event{event(180, vigil.EventDuty, vigil.EventFacts{After: "missed", Reason: vigil.ReasonNotStarted})},
		Shared: []vigil.Event{
			event(40, vigil.EventStopped, vigil.EventFacts{}),
			event(174, vigil.EventStarted, vigil.EventFacts{Version: "v1", Since: 40, Delay: 30 * time.Second}),
			event(190, vigil.EventNode, vigil.EventFacts{About: "ws://later", After: "unreachable", Problem: "refused"}),
		},
	}
	off.Duty.Reason = vigil.ReasonNotStarted
	failing := Record{
		Duty: postDuty(vigil.StateMissed),
		Events: []vigil.Event{
			event(71, vigil.EventBegun, vigil.EventFacts{Task: "prove"}),
			event(72, vigil.EventEnded, vigil.EventFacts{Task: "prove", Problem: "no memory", Took: time.Second}),
			event(72, vigil.EventDuty, vigil.EventFacts{Before: "scheduled", After: "scheduled", Problem: "no memory"}),
			event(156, vigil.EventDuty, vigil.EventFacts{Before: "scheduled", After: "missed", Reason: vigil.ReasonNotProved, Problem: "no memory"}),
		},
		Shared: []vigil.Event{
			event(30, vigil.EventNode, vigil.EventFacts{About: "ws://b", After: "unreachable", Problem: "refused"}),
			event(100, vigil.EventBlind, vigil.EventFacts{Problem: "no node has told of a new head for 2m"}), event(110, vigil.EventSeeing, vigil.EventFacts{}),
		},
	}
	failing.Duty.Reason, failing.Duty.Problem, failing.Duty.Tried = vigil.ReasonNotProved, "no memory", 148
	taken := wellDone(t, 96)
	taken.Events = append(taken.Events, changed(110, vigil.StateConfirmed, vigil.StateSubmitted),
		event(110, vigil.EventMessage, vigil.EventFacts{About: taken.Messages[0].ID, Before: "included", After: "published"}))
	taken.Duty.State = vigil.StateSubmitted
	bad := wellDone(t, 96)
	bad.Duty.Skipped = []vigil.BadSector{{Number: 7, Cause: "replica: missing"}}
	bad.Events[2].EventFacts = vigil.EventFacts{Sectors: 20, Bad: 1, Unchecked: 2, Named: []vigil.BadSector{{Number: 7, Cause: "replica: missing"}}, Took: time.Minute}
	for _, c := range []struct {
		what    string
		record  Record
		verdict Verdict
		says    []string
		never   []string
	}{
		{"late, for its message waited", late, VerdictLate, []string{"only 3 epochs", "The longest part of its way was from the first message to its execution: 53 epochs", "fee cap"}, nil},
		{"late, for its proof was slow", slow, VerdictLate, []string{"The longest part of its way was reading and proving: 69 epochs", "vigil plan"}, nil},
		{"missed, for the daemon was off", off, VerdictMissed, []string{"missed (not_started)", "The daemon was told to stop and was off from epoch 40 to 174: the whole time", "Nothing had been begun for it", "can-restart", "Vigil was told to stop.", "nothing since epoch 40, for 134 epochs"}, []string{"ws://later"}},
		{"missed, for nothing was proved", failing, VerdictMissed,
			[]string{"came to nothing: reading and proving, after 1s: no memory; tried again until epoch 148, with the same result.", "What stopped it, from epoch 72 to the last try at epoch 148: no memory.", "From epoch 100 to 110 no new head was seen: 10 of the 80 epochs from its challenge to its Close; meanwhile node ws://b was unreachable (refused).", "Node ws://b is unreachable: refused."},
			[]string{"A try came to nothing"}},
		{"taken back", taken, VerdictPending, []string{"A reorg took it off the chain again; it goes on as submitted.", "A reorg took the message's execution back; it is published again.", "It is not over: it is submitted"}, nil},
		{"with a bad sector", bad, VerdictOnTime, []string{"Of 20 sectors 1 bad, 2 could not be checked, after 1m0s: sector 7: replica: missing; and 2 more.", "1 sector is left out of its proof, the first is 7: replica: missing."}, nil},
	} {
		s := Recount(c.record, At{Head: 120, Epoch: 30 * time.Second})
		text := told(s)
		if s.Verdict != c.verdict {
			t.Errorf("%s: %s, want %s", c.what, s.Verdict, c.verdict)
		}
		for _, words := range c.says {
			if !strings.Contains(text, words) {
				t.Errorf("%s: it does not say %q:\n%s", c.what, words, text)
			}
		}
		for _, words := range c.never {
			if strings.Contains(text, words) {
				t.Errorf("%s: it says %q:\n%s", c.what, words, text)
			}
		}
	}
}

func TestTheLastOneThatWasMissedOrLateIsFound(t *testing.T) {
	fine, late, missed := wellDone(t, 96), wellDone(t, 147), postDuty(vigil.StateMissed)
	late.Duty.ID.Batch, missed.ID.Batch = 1, 2
	sent := map[vigil.DutyID][]vigil.Message{fine.Duty.ID: fine.Messages, late.Duty.ID: late.Messages}
	messages := func(id vigil.DutyID) ([]vigil.Message, error) { return sent[id], nil }
	for _, c := range []struct {
		duties []vigil.Duty
		batch  int
		ok     bool
	}{
		{[]vigil.Duty{fine.Duty, late.Duty, missed}, 1, true},
		{[]vigil.Duty{missed, late.Duty}, 2, true},
		{[]vigil.Duty{fine.Duty, postDuty(vigil.StateProved)}, 0, false},
	} {
		if d, ok, err := PickLast(c.duties, messages); err != nil || ok != c.ok || ok && d.ID.Batch != c.batch {
			t.Errorf("%v: %v, %v, %v", c.duties, d.ID, ok, err)
		}
	}
}

func TestEveryKindOfEventIsTold(t *testing.T) {
	for _, kind := range []vigil.EventKind{
		vigil.EventStarted, vigil.EventStopped, vigil.EventNode, vigil.EventBlind, vigil.EventSeeing, vigil.EventBegun, vigil.EventRead,
		vigil.EventProof, vigil.EventEnded, vigil.EventDuty, vigil.EventMessage, vigil.EventLost,
	} {
		e := vigil.Event{Kind: kind, EventFacts: vigil.EventFacts{About: "ws://a", Task: "prove", After: "proved"}}
		switch kind {
		case vigil.EventBegun, vigil.EventRead, vigil.EventProof, vigil.EventEnded, vigil.EventDuty, vigil.EventMessage:
			e.Duty = postDuty("").ID
		}
		if text := TellEvent(e); len(text) < 15 || !strings.HasSuffix(text, ".") {
			t.Errorf("%s: %q", kind, text)
		}
	}
}

func TestWhenItIsSafeToRestart(t *testing.T) {
	next := window.Plus(1)
	deadline := func(d vigil.Deadline, posted int) vigil.DeadlineStatus {
		return vigil.DeadlineStatus{Deadline: d, Partitions: 2, Sectors: 20, Posted: posted}
	}
	duty := func(state vigil.DutyState, message vigil.MessageState, running string) vigil.DutyStatus {
		row := postDuty(state)
		return vigil.DutyStatus{Duty: row.ID.String(), Kind: row.ID.Kind, Open: 90, Close: 150, Row: row, Message: message, Running: running}
	}
	for _, c := range []struct {
		what   string
		head   abi.ChainEpoch
		duties []vigil.DutyStatus
		posted int
		safe   bool
		until  abi.ChainEpoch
	}{
		{"nothing to do before the challenge", 40, nil, 0, true, 70},
		{"the challenge is too near", 68, nil, 0, false, 70},
		{"it is being proved", 75, []vigil.DutyStatus{duty(vigil.StateScheduled, "", "prove")}, 0, false, 75},
		{"it is proved, and the opening is far", 75, []vigil.DutyStatus{duty(vigil.StateProved, "", "")}, 0, true, 90},
		{"it is proved, and open", 95, []vigil.DutyStatus{duty(vigil.StateProved, "", "")}, 0, false, 95},
		{"its message is on its way", 95, []vigil.DutyStatus{duty(vigil.StateSubmitted, vigil.MessagePublished, "")}, 0, true, 126},
		{"its message is included", 100, []vigil.DutyStatus{duty(vigil.StateSubmitted, vigil.MessageIncluded, "")}, 2, true, 130},
		{"it is confirmed", 110, []vigil.DutyStatus{duty(vigil.StateConfirmed, vigil.MessageConfirmed, "")}, 2, true, 130},
		{"nothing was begun for what is open", 95, nil, 0, false, 95},
	} {
		s := vigil.Status{Head: c.head, Delay: 30 * time.Second, Miners: []vigil.MinerStatus{{
			Miner: "f01000", Current: window, Duties: c.duties, Deadlines: []vigil.DeadlineStatus{deadline(window, c.posted), deadline(next, 0)},
		}}}
		r := CanRestart(s, 4)
		if r.Safe != c.safe || r.Until != c.until || r.Answer == "" || r.Safe == (len(r.Why) > 0) {
			t.Errorf("%s: %+v", c.what, r)
		}
	}
	busy := vigil.Status{Head: 75, Miners: []vigil.MinerStatus{{
		Miner: "f01000", Current: window, Duties: []vigil.DutyStatus{duty(vigil.StateScheduled, "", "prove")},
		Deadlines: []vigil.DeadlineStatus{deadline(window, 0), deadline(next, 0)},
	}}}
	if r := CanRestart(busy, 20); r.Safe || r.After != 102 { // then it is on chain, and the next is challenged at 130
		t.Errorf("between two deadlines: %+v", r)
	}
	if r := CanRestart(busy, 40); r.Safe || r.After != 162 {
		t.Errorf("not between, but after them: %+v", r)
	}
	if r := CanRestart(vigil.Status{}, 4); r.Safe {
		t.Error("a daemon that knows nothing may be restarted")
	}
	idle := vigil.Status{Head: 5, Miners: []vigil.MinerStatus{{Current: window}}}
	if r := CanRestart(idle, 4); !r.Safe {
		t.Errorf("a miner that owes nothing: %+v", r)
	}
}

// A daemon that does not see the chain does not know what has become due since.
func TestWhetherItIsSafeToRestartIsNotKnownFromAnOldPicture(t *testing.T) {
	seen := vigil.Status{Head: 40, Delay: 30 * time.Second, Miners: []vigil.MinerStatus{{
		Miner: "f01000", Current: window, Deadlines: []vigil.DeadlineStatus{{Deadline: window, Partitions: 2, Sectors: 20}},
	}}}
	if r := CanRestart(seen, 4); !r.Safe {
		t.Fatalf("%+v", r)
	}
	silent := seen
	silent.Alarms = []vigil.Alarm{{Code: "no-head", Urgent: true, What: "no new chain head since epoch 40"}}
	blind := seen
	blind.Miners = []vigil.MinerStatus{seen.Miners[0]}
	blind.Miners[0].Problem = "read its deadline: no node answers"
	for what, s := range map[string]vigil.Status{"no new chain head since epoch 40": silent, "no node answers": blind} {
		if r := CanRestart(s, 4); r.Safe || !strings.Contains(r.Answer, "not known") || !strings.Contains(r.Answer, what) {
			t.Errorf("%s: %+v", what, r)
		}
	}
}

// A row is written down with the epoch that the store knows, which lags: what is told does not go back.
func TestATimelineDoesNotGoBack(t *testing.T) {
	r := wellDone(t, 96)
	r.Events[1].Epoch = 64                        // "it was written down as owed", at 71
	r.Events[4].Epoch, r.Events[5].Epoch = 78, 77 // the proof was stored at 80
	r.Messages[0].Attempts[0].Epoch = 93          // it was handed over at 94
	for i := range r.Events {
		r.Events[i].Time = r.Events[0].Time.Add(time.Duration(i) * time.Second)
	}
	s := Recount(r, At{Head: 200})
	for i, m := range s.Timeline[1:] {
		if before := s.Timeline[i]; m.Epoch < before.Epoch {
			t.Errorf("epoch %d is told after epoch %d:\n%s", m.Epoch, before.Epoch, told(s))
		}
	}
}

// missedBy is a miss of which a test changes what it was due to.
func missedBy(reason vigil.Reason, events, shared []vigil.Event, messages ...vigil.Message) Record {
	r := Record{Duty: postDuty(vigil.StateMissed), Events: events, Shared: shared, Messages: messages}
	r.Duty.Reason = reason
	return r
}

func TestAMissIsPutDownToWhatItWasDueTo(t *testing.T) {
	proved := []vigil.Event{
		event(71, vigil.EventBegun, vigil.EventFacts{Task: "prove"}), changed(71, "", vigil.StateScheduled),
		event(80, vigil.EventProof, vigil.EventFacts{Sectors: 20}), changed(80, vigil.StateScheduled, vigil.StateProved),
	}
	start := event(5, vigil.EventStarted, vigil.EventFacts{Version: "v1", Delay: 30 * time.Second})
	again := event(160, vigil.EventStarted, vigil.EventFacts{Version: "v1", Since: 85})
	about := func(epoch abi.ChainEpoch, before, after, problem string) vigil.Event {
		return event(epoch, vigil.EventMessage, vigil.EventFacts{About: "m", Before: before, After: after, Problem: problem})
	}
	sent := message(t, vigil.MessageExpired, 100, 125)
	for i := range sent.Attempts {
		sent.Attempts[i].Pushes = []vigil.PushResult{{Node: "ws://a"}}
	}
	late := message(t, vigil.MessageExpired, 100)
	cancel := late.Attempts[0]
	cancel.Number, cancel.Cancel, cancel.Epoch = 2, true, 151
	late.Attempts = append(late.Attempts, cancel)
	late = landed(late, 0) // its nonce went to nothing
	late.Receipt.Epoch = 152
	for _, c := range []struct {
		what   string
		record Record
		says   []string
		never  []string
	}{
		{"the daemon was killed", missedBy(vigil.ReasonNotSent, proved, []vigil.Event{start, again}),
			[]string{"It was missed. The daemon ended without having been told to", "from about epoch 85 to 160: 65 of the 80 epochs", "Until then its proof was made, and had not been sent", "can-restart"}, []string{"balance", "wallet"}},
		{"it was told to stop", missedBy(vigil.ReasonNotSent, proved, []vigil.Event{start, event(85, vigil.EventStopped, vigil.EventFacts{}), again}),
			[]string{"It was missed. The daemon was told to stop and was off from epoch 85 to 160"}, []string{"killed"}},
		{"a restart at the end is not why", missedBy(vigil.ReasonNotSent, append(proved, about(92, "queued", "queued", "sign: the wallet is locked")), []vigil.Event{start, event(140, vigil.EventStopped, vigil.EventFacts{}), event(152, vigil.EventStarted, vigil.EventFacts{Since: 140})}),
			[]string{"It was missed (not_sent)", "What kept its message from the chain, from epoch 92 to 150: sign: the wallet is locked.", "was off from epoch 140 to 152: 10 of the 80 epochs"}, nil},
		{"what came last is only that time was over", missedBy(vigil.ReasonNotSent, append(proved, about(92, "queued", "queued", "sign: the wallet is locked"), about(149, "queued", "queued", "invalid deadline")), []vigil.Event{start}),
			[]string{"from epoch 92 to 149: sign: the wallet is locked"}, []string{"What kept its message from the chain, from epoch 149"}},
		{"the nodes that were away are named", missedBy(vigil.ReasonNotStarted, nil, []vigil.Event{start,
			event(60, vigil.EventNode, vigil.EventFacts{About: "ws://fine", After: "set aside", Problem: "slow"}), event(62, vigil.EventNode, vigil.EventFacts{About: "ws://fine", After: "ready"}),
			event(65, vigil.EventNode, vigil.EventFacts{About: "ws://a", After: "unreachable", Problem: "connection refused"}),
			event(66, vigil.EventBlind, vigil.EventFacts{Problem: "no head"}), event(155, vigil.EventSeeing, vigil.EventFacts{}),
		}), []string{"It was missed (not_started). From epoch 66 to 155 no new head was seen: the whole time", "meanwhile node ws://a was unreachable (connection refused)", "second node"}, []string{"ws://fine was"}},
		{"the machine slept", missedBy(vigil.ReasonNotStarted, nil, []vigil.Event{start,
			event(66, vigil.EventBlind, vigil.EventFacts{Problem: "for 44m this process did nothing: the machine slept, or the process was stopped"}), event(155, vigil.EventSeeing, vigil.EventFacts{}),
		}), []string{"no new head was seen", "the machine slept"}, []string{"node ws"}},
		{"no block took it, and the fee was not why", missedBy(vigil.ReasonNotIncluded, proved, []vigil.Event{start}, sent),
			[]string{"handed to the nodes at epoch 91 (ws://a took it) and, with a higher fee, again until epoch 92, and no block had it", "It paid more than the base fee", "have peers"}, []string{"max_fee"}},
		{"the fee was why", missedBy(vigil.ReasonNotIncluded, append(proved, about(93, "published", "published", "the base fee is above the fee cap")), []vigil.Event{start}, sent),
			[]string{"from epoch 93 to 150: the base fee is above the fee cap", "max_fee"}, []string{"It paid more than", "have peers"}},
		{"a nonce that went to nothing is no execution", missedBy(vigil.ReasonNotIncluded, proved, []vigil.Event{start}, late),
			[]string{"no block had it"}, []string{"It was executed at epoch 152", "2 times in all"}},
		{"a reorg took it back", missedBy(vigil.ReasonTakenBack, append(proved, about(140, "published", "included", ""), about(148, "included", "published", vigil.TookBack+" at epoch 139")), []vigil.Event{start}, sent),
			[]string{"A tipset executed the message; a reorg took that back later.", "It was seen at epoch 148 that a reorg took back its inclusion at epoch 139, 2 epochs (1m0s) before Close."}, nil},
	} {
		s := Recount(c.record, At{Head: 200, Epoch: 30 * time.Second})
		text := strings.Join(append(s.Why, s.Advice), "\n")
		for _, words := range c.says {
			if !strings.Contains(told(s), words) {
				t.Errorf("%s: it does not say %q:\n%s", c.what, words, told(s))
			}
		}
		for _, words := range c.never {
			if strings.Contains(text, words) {
				t.Errorf("%s: it says %q:\n%s", c.what, words, text)
			}
		}
	}
}

// A daemon that is off does not know how a duty ended that was under way.
func TestHowItEndedIsNotMadeUp(t *testing.T) {
	r := wellDone(t, 96)
	r.Duty.State, r.Messages = vigil.StateProved, nil
	r.Events = r.Events[:6]
	if s := Recount(r, At{}); s.Verdict != VerdictPending || !strings.Contains(s.Why[0], "How it ended is not known: at epoch 80, the last that is known of, it was proved") {
		t.Errorf("%s: %q", s.Verdict, s.Why)
	}
}

func TestAPostThatCanBeDisputedIsNotDone(t *testing.T) {
	r := wellDone(t, 96)
	r.Audits = []vigil.Audit{{Deadline: window, Partitions: []uint64{0}, Verdict: vigil.AuditDisputable, Problem: "the proof is of another statement"}}
	s := Recount(r, At{Head: 200})
	if text := strings.Join(s.Why, "\n"); !strings.Contains(text, "does not prove the chain's sectors (the proof is of another statement): until epoch 1950 anybody can dispute it") || !strings.Contains(s.Advice, "Find out who") {
		t.Errorf("%s\n%s", text, s.Advice)
	}
}

func TestADeclarationIsNoProof(t *testing.T) {
	e := changed(94, vigil.StateScheduled, vigil.StateSubmitted)
	e.Duty = vigil.DutyID{Kind: vigil.KindRecover, Miner: 1000, Open: 90}
	if text := TellEvent(e); text != "The declaration was handed to the messager." {
		t.Error(text)
	}
}
