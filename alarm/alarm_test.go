package alarm_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alarm"
)

var (
	now    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	policy = alarm.Policy{StartConfidence: 1, SubmitConfidence: 4, PostMargin: 12, ReplaceAfter: 5}
)

const head abi.ChainEpoch = 10_000

func at(index uint64, open abi.ChainEpoch) vigil.Deadline {
	return vigil.Deadline{Index: index, Count: 48, Challenge: open - 20, Open: open, Close: open + 60, FaultCutoff: open - 70}
}

// calm is a status of which nobody has to do anything: one miner, with a
// deadline that is open and posted, and one to come.
func calm() vigil.Status {
	base := abi.NewTokenAmount(100)
	open, next := at(5, head-30), at(6, head+30)
	return vigil.Status{
		Head: head, HeadTime: now.Add(-8 * time.Second), HeadSeen: now.Add(-5 * time.Second), Delay: 30 * time.Second, BaseFee: &base,
		Nodes: []vigil.NodeStatus{
			{Node: "ws://one", State: vigil.NodeInUse, Epoch: head},
			{Node: "ws://two", State: vigil.NodeReady, Epoch: head},
		},
		Miners: []vigil.MinerStatus{{
			Miner: "f01000", Epoch: head, Current: open,
			Deadlines: []vigil.DeadlineStatus{
				{Deadline: open, Partitions: 1, Sectors: 20, Posted: 1, Last: vigil.StateConfirmed},
				{Deadline: next, Partitions: 1, Sectors: 20},
			},
			Duties: []vigil.DutyStatus{duty(open, vigil.StateConfirmed)},
		}},
		Storages: []vigil.StorageStatus{{Path: "/mnt/a", State: vigil.StorageReady}},
		Senders:  []vigil.SenderStatus{{Address: "f3x", Balance: abi.NewTokenAmount(50), Needed: abi.NewTokenAmount(40)}},
		Machine:  vigil.MachineStatus{Data: "/var/lib/vigil", Free: 100 << 30},
	}
}

func duty(d vigil.Deadline, state vigil.DutyState) vigil.DutyStatus {
	return vigil.DutyStatus{
		Duty: fmt.Sprintf("f01000/%d/0", d.Open), Kind: vigil.KindPost, Deadline: d.Index, Open: d.Open, Close: d.Close,
		Row: vigil.Duty{Deadline: d, Partitions: []uint64{0}, State: state},
	}
}

// open replaces the calm miner's duties by one of the deadline that is open.
func open(s *vigil.Status, since abi.ChainEpoch, state vigil.DutyState, change func(*vigil.DutyStatus)) {
	m := &s.Miners[0]
	d := at(5, head-since)
	line := duty(d, state)
	if change != nil {
		change(&line)
	}
	m.Current, m.Duties = d, []vigil.DutyStatus{line}
	m.Deadlines = []vigil.DeadlineStatus{{Deadline: d, Partitions: 1, Sectors: 20, Last: state}}
}

func fil(n int64) abi.TokenAmount { return abi.NewTokenAmount(n) }

var stories = []struct {
	sentence string
	happens  func(s *vigil.Status)
	want     string // "code about by urgent", or nothing
	says     string
}{
	{"all is well", func(*vigil.Status) {}, "", ""},
	{"no head was ever seen", func(s *vigil.Status) { *s = vigil.Status{Problem: "connection refused"} }, "no-head chain 0 urgent", "connection refused"},
	{"the start waits for a node", func(s *vigil.Status) {
		*s = vigil.Status{Starting: "no node answers: EOF", Nodes: []vigil.NodeStatus{{Node: "ws://one", State: vigil.NodeUnreachable, Why: "EOF"}}}
	}, "no-head chain 0 urgent, node-down ws://one 0", "no node answers"},
	{"the start waits for something else", func(s *vigil.Status) {
		*s = vigil.Status{Starting: "miner f01000 and its keys cannot be looked at: the wallet is locked", Nodes: s.Nodes[:1]}
	}, "start-waits start 0 urgent", "the wallet is locked"},
	{"three null rounds are no silence", func(s *vigil.Status) { s.HeadSeen, s.HeadTime = now.Add(-90*time.Second), now.Add(-91*time.Second) }, "", ""},
	{"all nodes are silent", func(s *vigil.Status) { s.HeadSeen, s.HeadTime = now.Add(-2*time.Minute), now.Add(-2*time.Minute) }, "no-head chain 10078 urgent", "since epoch 10000"},
	{"the node in use gives no head", func(s *vigil.Status) { s.Problem = "no head from the node: EOF" }, "no-head chain 10078", "EOF"},
	{"this machine's clock is behind", func(s *vigil.Status) { s.HeadTime = s.HeadSeen.Add(42 * time.Second) }, "clock-off clock 10078 urgent", "42s before"},
	{"a block that is a second early is none of ours", func(s *vigil.Status) { s.HeadTime = s.HeadSeen.Add(time.Second) }, "", ""},
	{"this machine's clock is ahead", func(s *vigil.Status) { s.HeadTime = s.HeadSeen.Add(-10 * time.Minute) }, "clock-off clock 10078", "10m0s after"},
	{"a lone node is syncing", func(s *vigil.Status) { s.Nodes = s.Nodes[:1]; s.HeadTime = s.HeadSeen.Add(-5 * time.Minute) }, "node-lag ws://one 10078", "syncing"},
	{"the second node lags", func(s *vigil.Status) { s.Nodes[1].State, s.Nodes[1].Epoch = vigil.NodeAside, head-7 }, "node-lag ws://two 0", "epoch 9993"},
	{"the second node lies", func(s *vigil.Status) { s.Nodes[1].State, s.Nodes[1].Why = vigil.NodeAside, "another fork" }, "node-set-aside ws://two 0", "another fork"},
	{"the second node is away", func(s *vigil.Status) {
		s.Nodes[1] = vigil.NodeStatus{Node: "ws://two", State: vigil.NodeUnreachable, Why: "connection refused"}
	}, "node-down ws://two 0", "connection refused"},
	{"an upgrade comes that is not known", func(s *vigil.Status) { s.Upgrade = &vigil.Upgrade{Name: "Next", Epoch: head + 9000} }, "upgrade-unknown network 19000", "Next"},
	{"and comes tomorrow", func(s *vigil.Status) { s.Upgrade = &vigil.Upgrade{Name: "Next", Epoch: head + 2000} }, "upgrade-unknown network 12000 urgent", "Next"},
	{"an upgrade comes that is known", func(s *vigil.Status) { s.Upgrade = &vigil.Upgrade{Name: "Fine", Epoch: head + 9000, Known: true} }, "", ""},
	{"the miner cannot be read", func(s *vigil.Status) { s.Miners[0].Problem = "no such actor" }, "miner-unread f01000 10078", "no such actor"},
	{"the miner's loop stands", func(s *vigil.Status) { s.Miners[0].Epoch = head - 9 }, "miner-unread f01000 10078", "epoch 9991"},
	{"nothing was begun", func(s *vigil.Status) {
		open(s, -14, vigil.StateScheduled, nil)
		s.Miners[0].Duties = nil
	}, "not-started f01000/10014 10062 urgent", "deadline 5"},
	{"with epochs of a tenth of a second a second is no delay", func(s *vigil.Status) {
		open(s, -10, vigil.StateScheduled, nil)
		s.Miners[0].Duties, s.Miners[0].Epoch, s.Delay = nil, head-10, 100*time.Millisecond
	}, "", ""},
	{"nor is it for a message", func(s *vigil.Status) {
		open(s, 30, vigil.StateSubmitted, func(d *vigil.DutyStatus) { d.Message, d.Sent = vigil.MessagePublished, head-5 })
		s.Delay = 100 * time.Millisecond
	}, "", ""},
	{"there is still a moment until it is late", func(s *vigil.Status) {
		open(s, -17, vigil.StateScheduled, nil)
		s.Miners[0].Duties = nil
	}, "", ""},
	{"somebody else has posted", func(s *vigil.Status) {
		open(s, 14, vigil.StateScheduled, nil)
		s.Miners[0].Duties, s.Miners[0].Deadlines[0].Posted = nil, 1
	}, "", ""},
	{"a deadline of which all is faulty owes nothing", func(s *vigil.Status) {
		open(s, 14, vigil.StateScheduled, nil)
		s.Miners[0].Duties, s.Miners[0].Deadlines[0].Faulty = nil, 20
	}, "", ""},
	{"a deadline will not fit", func(s *vigil.Status) {
		s.Miners[0].Deadlines[1].Forecast = &vigil.Forecast{Finish: head + 95, Why: "3 proofs one after another"}
	}, "will-not-fit f01000/10030 10078 urgent", "expected on chain at epoch 10095"},
	{"one tomorrow will not fit", func(s *vigil.Status) {
		s.Miners[0].Deadlines[1] = vigil.DeadlineStatus{Deadline: at(6, head+2000), Sectors: 20, Forecast: &vigil.Forecast{Finish: head + 3000}}
	}, "will-not-fit f01000/12000 12048", ""},
	{"the prover failed", func(s *vigil.Status) {
		open(s, 2, vigil.StateScheduled, func(d *vigil.DutyStatus) {
			d.Row.Reason, d.Row.Problem = vigil.ReasonNotProved, "out of memory"
		})
	}, "not-proved f01000/9998/0 10046", "out of memory"},
	{"a proof takes long", func(s *vigil.Status) {
		open(s, 21, vigil.StateScheduled, func(d *vigil.DutyStatus) { d.Running = "prove" })
	}, "not-proved f01000/9979/0 10027 urgent", "being worked on"},
	{"a proof is being made in time", func(s *vigil.Status) {
		open(s, 2, vigil.StateScheduled, func(d *vigil.DutyStatus) { d.Running = "prove" })
	}, "", ""},
	{"a proof waits for its epoch", func(s *vigil.Status) { open(s, 2, vigil.StateProved, nil) }, "", ""},
	{"a proof is not sent", func(s *vigil.Status) {
		open(s, 8, vigil.StateProved, func(d *vigil.DutyStatus) { d.Row.Problem = "the node does not estimate" })
	}, "proof-unsent f01000/9992/0 10052", "does not estimate"},
	{"a message cannot be signed", func(s *vigil.Status) {
		open(s, 25, vigil.StateSubmitted, func(d *vigil.DutyStatus) {
			d.Message, d.MessageProblem = vigil.MessageQueued, "the wallet is locked"
		})
	}, "proof-unsent f01000/9975/0 10035 urgent", "the wallet is locked"},
	{"no block takes a message", func(s *vigil.Status) {
		open(s, 15, vigil.StateSubmitted, func(d *vigil.DutyStatus) {
			d.Message, d.Sent, d.FeeCap = vigil.MessagePublished, head-11, fil(100)
		})
	}, "message-unmined f01000/9985/0 10045", "sent at epoch 9989"},
	{"a message was sent late, and waits", func(s *vigil.Status) {
		open(s, 30, vigil.StateSubmitted, func(d *vigil.DutyStatus) {
			d.Message, d.Sent, d.FeeCap = vigil.MessagePublished, head-3, fil(100)
		})
	}, "message-unmined f01000/9970/0 10030 urgent", "no block has taken it"},
	{"a message was sent in the last minutes", func(s *vigil.Status) {
		open(s, 50, vigil.StateSubmitted, func(d *vigil.DutyStatus) {
			d.Message, d.Sent, d.FeeCap = vigil.MessagePublished, head, fil(100)
		})
	}, "message-unmined f01000/9950/0 10010 urgent", "no block has taken it"},
	{"a message was sent late, just now", func(s *vigil.Status) {
		open(s, 30, vigil.StateSubmitted, func(d *vigil.DutyStatus) {
			d.Message, d.Sent, d.FeeCap = vigil.MessagePublished, head-1, fil(100)
		})
	}, "", ""},
	{"a message is on its way", func(s *vigil.Status) {
		open(s, 8, vigil.StateSubmitted, func(d *vigil.DutyStatus) {
			d.Message, d.Sent, d.FeeCap = vigil.MessagePublished, head-4, fil(100)
		})
	}, "", ""},
	{"the base fee rose above the fee cap", func(s *vigil.Status) {
		open(s, 8, vigil.StateSubmitted, func(d *vigil.DutyStatus) {
			d.Message, d.Sent, d.FeeCap = vigil.MessagePublished, head-4, fil(99)
		})
	}, "fee-cap-low f01000/9992/0 10052", "base fee"},
	{"a message is on chain", func(s *vigil.Status) {
		open(s, 30, vigil.StateSubmitted, func(d *vigil.DutyStatus) {
			d.Message, d.Sent, d.FeeCap = vigil.MessageIncluded, head-24, fil(99)
		})
	}, "", ""},
	{"a deadline was missed", func(s *vigil.Status) {
		open(s, 70, vigil.StateMissed, func(d *vigil.DutyStatus) { d.Row.Reason = vigil.ReasonNotIncluded })
		s.Miners[0].Deadlines[0] = vigil.DeadlineStatus{Deadline: at(5, head+2810), Sectors: 20, Faulty: 20}
	}, "deadline-missed f01000/9930/0 12740 urgent", "not included"},
	{"a missed deadline's sectors are declared", func(s *vigil.Status) {
		open(s, 70, vigil.StateMissed, nil)
		s.Miners[0].Deadlines[0] = vigil.DeadlineStatus{Deadline: at(5, head+2810), Sectors: 20, Faulty: 20, Recovering: 20}
	}, "deadline-missed f01000/9930/0 12740 urgent", ""},
	{"a missed deadline's sectors are proved again", func(s *vigil.Status) {
		open(s, 70, vigil.StateMissed, nil)
		s.Miners[0].Deadlines[0] = vigil.DeadlineStatus{Deadline: at(5, head+2810), Sectors: 20}
	}, "", ""},
	{"a miss is over at the next cutoff", func(s *vigil.Status) { open(s, 2811, vigil.StateMissed, nil) }, "", ""},
	{"a recovery was missed", func(s *vigil.Status) {
		open(s, -60, vigil.StateMissed, func(d *vigil.DutyStatus) { d.Kind, d.Row.Reason = vigil.KindRecover, vigil.ReasonUnreadable })
		s.Miners[0].Deadlines[0].Faulty = 3
	}, "recovery-missed f01000/10060/0 12870", "unreadable"},
	{"a recovery is blocked", func(s *vigil.Status) {
		s.Miners[0].Recoveries = []vigil.RecoveryStatus{{Deadline: 9, Cutoff: head + 40, Faulty: 5, Declared: 2, Problem: "the miner is in debt"}}
	}, "recovery-blocked f01000 deadline 9 10040", "3 sectors of deadline 9 are not declared recovered: the miner is in debt"},
	{"a recovery is complete", func(s *vigil.Status) {
		s.Miners[0].Recoveries = []vigil.RecoveryStatus{{Deadline: 9, Cutoff: head + 40, Faulty: 5, Declared: 5, Problem: "an old one"}}
	}, "", ""},
	{"a post can be disputed", func(s *vigil.Status) {
		s.Miners[0].Audits = []vigil.AuditStatus{{Duty: "f01000/9000/0", Verdict: vigil.AuditDisputable, Until: head + 700, Message: "bafy1"}}
	}, "proof-disputable f01000/9000/0 10700 urgent", "bafy1"},
	{"a post that is not ours can be disputed", func(s *vigil.Status) {
		s.Miners[0].Audits = []vigil.AuditStatus{{Duty: "f01000/9000", Verdict: vigil.AuditDisputable, Until: head + 700}}
	}, "proof-disputable f01000/9000 10700 urgent", "in a message that is not known here does not prove"},
	{"posts are good, or not judged", func(s *vigil.Status) {
		s.Miners[0].Audits = []vigil.AuditStatus{{Verdict: vigil.AuditValid, Until: head + 700}, {Verdict: vigil.AuditUnknown, Until: head + 700}}
	}, "", ""},
	{"sectors are bad", func(s *vigil.Status) {
		s.Miners[0].Bad = []vigil.BadSector{{Number: 17, Cause: "replica: missing"}}
	}, "sectors-bad f01000 0", "1 sector cannot be read: 17 (replica: missing)"},
	{"a rehearsal finds bad sectors", func(s *vigil.Status) {
		bad := []vigil.BadSector{{Number: 17, Cause: "replica: missing"}}
		s.Miners[0].Bad = bad
		s.Miners[0].Rehearsals = []vigil.RehearsalStatus{{Deadline: 6, Epoch: head - 120, Bad: bad}}
	}, "rehearsal-bad f01000 deadline 6 10078", "17 (replica: missing)"},
	{"a rehearsal cannot check", func(s *vigil.Status) {
		s.Miners[0].Rehearsals = []vigil.RehearsalStatus{{Deadline: 6, Epoch: head - 120, Unchecked: 4, Problem: "storage /mnt/a does not answer"}}
	}, "rehearsal-unread f01000 deadline 6 10078", "4 sectors"},
	{"a rehearsal's deadline has closed since", func(s *vigil.Status) {
		bad := []vigil.BadSector{{Number: 17, Cause: "replica: missing"}}
		s.Miners[0].Rehearsals = []vigil.RehearsalStatus{{Deadline: 6, Epoch: head + 30 - 2880 - 150, Bad: bad, Unchecked: 4}}
	}, "", ""},
	{"a mount hangs", func(s *vigil.Status) {
		s.Storages[0].State, s.Storages[0].Why = vigil.StorageSilent, "4 reads were given up"
	}, "storage-silent /mnt/a 10078 urgent", "given up"},
	{"a sender cannot pay for a day", func(s *vigil.Status) { s.Senders[0].Needed = fil(60) }, "balance-low f3x 0", "may cost 0.00000000000000006 FIL"},
	{"a sender cannot pay for one message", func(s *vigil.Status) {
		s.Senders[0] = vigil.SenderStatus{Address: "f3x", Balance: fil(5), Needed: fil(60), Urgent: true, Problem: "it has 5 attoFIL, and one message may cost 6: top it up"}
	}, "balance-low f3x 10078 urgent", "one message may cost 6"},
	{"a stranger uses a sender", func(s *vigil.Status) {
		s.Senders[0].Problem, s.Senders[0].Urgent = "messages that are not ours wait", true
	}, "sender-trouble f3x 0 urgent", "not ours"},
	{"the prover fails", func(s *vigil.Status) {
		s.Miners[0].Duties = append(s.Miners[0].Duties, duty(at(6, head+15), vigil.StateScheduled))
		s.Proving = vigil.ProvingStatus{Problem: "worker lost", Since: now.Add(-time.Minute)}
	}, "prover-failing prover 10078", "worker lost"},
	{"the prover has failed for long", func(s *vigil.Status) {
		s.Miners[0].Duties = append(s.Miners[0].Duties, duty(at(6, head+15), vigil.StateScheduled))
		s.Proving = vigil.ProvingStatus{Problem: "worker lost", Since: now.Add(-10 * time.Minute)}
	}, "prover-failing prover 10078 urgent", "worker lost"},
	{"the prover failed, and nothing is to be proved any more", func(s *vigil.Status) {
		s.Proving = vigil.ProvingStatus{Problem: "worker lost", Since: now.Add(-time.Hour)}
	}, "", ""},
	{"the vector unit computes wrong", func(s *vigil.Status) {
		s.Proving = vigil.ProvingStatus{Fault: "the CPU of host computed something wrong", FaultAt: now}
	}, "vector-unit-faulty prover 0", "the CPU of host"},
	{"a loop hangs", func(s *vigil.Status) {
		s.Stuck = []vigil.StuckLoop{{Loop: "messages", Since: now.Add(-6 * time.Minute)}}
	}, "loop-stuck messages 10078 urgent", "2026-03-01T11:54:00Z"},
	{"the parameters are gone", func(s *vigil.Status) { s.Machine.Parameters = "v28-….params: no such file" }, "parameters-missing parameters 10078 urgent", "no such file"},
	{"the disk is nearly full", func(s *vigil.Status) { s.Machine.Free = 300 << 20 }, "disk-full /var/lib/vigil 10078", "512 MiB"},
	{"the disk is full", func(s *vigil.Status) { s.Machine.Free = 0 }, "disk-full /var/lib/vigil 10078 urgent", "16 MiB"},
	{"a disk that does not tell is not full", func(s *vigil.Status) { s.Machine.Free = -1 }, "", ""},
	{"the database cannot be written", func(s *vigil.Status) { s.Machine.Database = "database or disk is full" }, "database-trouble database 10078 urgent", "disk is full"},
}

func TestEachTroubleHasItsAlarm(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range stories {
		s := calm()
		c.happens(&s)
		var got, says []string
		for _, a := range alarm.Of(s, policy, now) {
			seen[a.Code] = true
			text := fmt.Sprintf("%s %s %d", a.Code, a.About, a.By)
			if a.Urgent {
				text += " urgent"
			}
			got, says = append(got, text), append(says, a.What)
			if a.Remedy == "" || a.What == "" {
				t.Errorf("%s: %+v does not say what is wrong and what to do", c.sentence, a)
			}
		}
		if text := strings.Join(got, ", "); text != c.want || !strings.Contains(strings.Join(says, "\n"), c.says) {
			t.Errorf("%s: %q says %q, want %q with %q", c.sentence, text, says, c.want, c.says)
		}
	}
	for _, c := range alarm.Codes {
		if !seen[c.Code] {
			t.Errorf("no story has the alarm %s", c.Code)
		}
	}
}

// What people and programs are given of a status holds all of it.
func TestAStatusWithEverythingIsJSON(t *testing.T) {
	text, err := json.Marshal(calm())
	if err != nil {
		t.Fatal(err)
	}
	var back vigil.Status
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if back.BaseFee == nil || !back.BaseFee.Equals(fil(100)) || back.Machine.Free != 100<<30 {
		t.Errorf("%s", text)
	}
}

func TestTheMostUrgentComesFirst(t *testing.T) {
	s := calm()
	s.Machine.Free = 300 << 20
	s.Nodes[1].State, s.Nodes[1].Why = vigil.NodeAside, "slow"
	open(&s, 25, vigil.StateScheduled, nil)
	s.Miners[0].Bad = []vigil.BadSector{{Number: 1, Cause: "missing"}}
	var order []string
	for _, a := range alarm.Of(s, policy, now) {
		order = append(order, a.Code)
	}
	if got := strings.Join(order, " "); got != "not-proved disk-full node-set-aside sectors-bad" {
		t.Error(got)
	}
}

func TestAnAlarmKeepsItsBeginning(t *testing.T) {
	var k alarm.Keeper
	one, two := vigil.Alarm{Code: "a", About: "x"}, vigil.Alarm{Code: "a", About: "y"}
	k.Keep([]vigil.Alarm{one}, now)
	one.What = "other words"
	list := k.Keep([]vigil.Alarm{one, two}, now.Add(time.Minute))
	if !list[0].Since.Equal(now) || !list[1].Since.Equal(now.Add(time.Minute)) {
		t.Errorf("%v", list)
	}
	k.Keep(nil, now.Add(2*time.Minute))
	if list := k.Keep([]vigil.Alarm{one}, now.Add(3*time.Minute)); !list[0].Since.Equal(now.Add(3 * time.Minute)) {
		t.Errorf("an alarm that came back is a new one: %v", list)
	}
}

func TestEveryCodeIsExplainedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range alarm.Codes {
		if seen[c.Code] {
			t.Errorf("%s is explained twice", c.Code)
		}
		seen[c.Code] = true
		if !strings.HasSuffix(c.Meaning, ".") || !strings.HasSuffix(c.Remedy, ".") {
			t.Errorf("%s: its meaning and its remedy are not sentences", c.Code)
		}
	}
}

var update = flag.Bool("update", false, "write the generated page of docs")

func TestThePageOfAlarmsIsCurrent(t *testing.T) {
	path := filepath.Join("..", "docs", "alarms.md")
	const begin, end = "<!-- written from alarm/codes.go -->\n", "<!-- up to here -->\n"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has lost the marks between which its codes are written", path)
	}
	var codes strings.Builder
	for _, c := range alarm.Codes {
		fmt.Fprintf(&codes, "\n### `%s`\n\n%s\n\n**What to do:** %s\n", c.Code, c.Meaning, c.Remedy)
	}
	want := before + begin + codes.String() + "\n" + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(page) {
		t.Errorf("%s is not what alarm.Codes says; run: go test ./alarm -run TestThePage -update", path)
	}
}
