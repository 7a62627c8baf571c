package actor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/dline"
	"github.com/filecoin-project/go-state-types/exitcode"
)

// What a v18 actor on a private Lotus network answered, and the partitions it
// had: 2 KiB sectors, assigned and active at genesis, epoch 0.

const window2KiB = abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1

// recordedPartition is StateMinerPartitions.
type recordedPartition struct {
	AllSectors, FaultySectors, RecoveringSectors, LiveSectors, ActiveSectors bitfield.BitField
}

type recordedMessage struct {
	From   string
	Method abi.MethodNum
	Params []byte
}

// lotusMiner is a miner of that network, with nothing posted until an epoch.
func lotusMiner(t *testing.T, id abi.ActorID, periodStart abi.ChainEpoch, sectors int, epoch abi.ChainEpoch) *lab {
	t.Helper()
	l := newLab(t, id, window2KiB, 0, periodStart)
	l.rt.ProofTypes = []abi.RegisteredPoStProof{window2KiB}
	l.add(sectors, 500*2880)
	l.activate()
	l.until(epoch)
	return l
}

func fixture(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(fixtures(t, name))
	check(t, err)
	check(t, json.Unmarshal(data, into))
}

func (l *lab) comparePartitions(deadline uint64, recorded []recordedPartition) {
	l.t.Helper()
	here := l.partitions(deadline)
	if len(here) != len(recorded) {
		l.t.Fatalf("deadline %d has %d partitions, on Lotus %d", deadline, len(here), len(recorded))
	}
	for i, p := range here {
		r := recorded[i]
		same(l.t, fmt.Sprintf("deadline %d partition %d", deadline, i), map[string][2]any{
			"all": {r.AllSectors, p.All}, "faulty": {r.FaultySectors, p.Faulty}, "recovering": {r.RecoveringSectors, p.Recovering},
			"live": {r.LiveSectors, p.Live}, "active": {r.ActiveSectors, p.Active},
		})
	}
}

func (l *lab) compareDeadline(recorded dline.Info) {
	l.t.Helper()
	if here := *l.view().ProvingDeadline(recorded.CurrentEpoch); here != recorded {
		l.t.Errorf("proving deadline is %+v, on Lotus %+v", here, recorded)
	}
}

type actorCalls struct {
	Mined struct {
		SignedMessage    struct{ Message recordedMessage } `json:"signed_message"`
		PartitionsBefore []recordedPartition               `json:"partitions_before"`
		PartitionsAfter  []recordedPartition               `json:"partitions_after"`
		DeadlineAfter    struct {
			PostSubmissions      bitfield.BitField
			DisputableProofCount uint64
		} `json:"deadline_after"`
	}
	Epoch           abi.ChainEpoch
	ProvingDeadline dline.Info `json:"proving_deadline"`
	Partitions      []struct {
		Deadline   uint64
		Partitions []recordedPartition
	}
	Calls []struct {
		Note    string
		Message recordedMessage
		Exit    exitcode.ExitCode
		Error   string
	}
}

// recall draws the randomness that the accepted posts say the chain had.
func (c *actorCalls) recall(t *testing.T) Draw {
	t.Helper()
	had := map[abi.ChainEpoch][]byte{}
	for _, x := range c.Calls {
		var p miner.SubmitWindowedPoStParams
		if x.Message.Method == 5 && x.Exit == exitcode.Ok {
			check(t, p.UnmarshalCBOR(bytes.NewReader(x.Message.Params)))
			had[p.ChainCommitEpoch] = p.ChainCommitRand
		}
	}
	return func(_ crypto.DomainSeparationTag, epoch abi.ChainEpoch, _ []byte) ([]byte, error) {
		if r, ok := had[epoch]; ok {
			return r, nil
		}
		return nil, fmt.Errorf("nothing recorded of epoch %d", epoch)
	}
}

// words are the actor's own in the error that a node reports.
func words(reported string) string {
	_, text, _ := strings.Cut(reported, ") -- ")
	i := strings.LastIndex(text, " (RetCode")
	text = strings.TrimSpace(text[:max(i, 0)])
	return text[:max(strings.LastIndex(text, " ("), 0)]
}

func TestMessagesGetTheAnswersOfTheRealActor(t *testing.T) {
	var rec actorCalls
	fixture(t, "lotus-rpc/actor-calls.json", &rec)
	start := lotusMiner(t, 1002, rec.ProvingDeadline.PeriodStart, 100, rec.Epoch)
	start.rt.Tickets = rec.recall(t)
	start.compareDeadline(rec.ProvingDeadline)
	for _, d := range rec.Partitions {
		start.comparePartitions(d.Deadline, d.Partitions)
	}
	for _, c := range rec.Calls {
		t.Run(c.Note, func(t *testing.T) {
			l := *start
			l.t = t
			if strings.HasPrefix(c.Note, "mined: ") {
				_, err := l.send(5, rec.Mined.SignedMessage.Message.Params)
				check(t, err)
			}
			rt := *l.rt
			if strings.HasPrefix(c.Message.From, "t3uggm7") {
				rt.Caller = stranger
			}
			_, err := Invoke(&rt, l.head, c.Message.Method, c.Message.Params)
			if c.Exit == exitcode.Ok {
				check(t, err)
				return
			}
			said := words(c.Error)
			if c.Exit == exitcode.ErrSerialization {
				// The words after the prefix are of the network's CBOR library.
				said = err.Error()
				if !strings.HasPrefix(said, "Serialization error for Cbor protocol: ") {
					t.Error(said)
				}
			}
			refused(t, err, c.Exit, said)
		})
	}
}

func TestAMinedPostSkipsASectorAsOnLotus(t *testing.T) {
	var rec actorCalls
	fixture(t, "lotus-rpc/actor-calls.json", &rec)
	l := lotusMiner(t, 1002, rec.ProvingDeadline.PeriodStart, 100, rec.Epoch)
	l.rt.Tickets = rec.recall(t)
	l.comparePartitions(10, rec.Mined.PartitionsBefore)
	out, err := l.send(5, rec.Mined.SignedMessage.Message.Params)
	check(t, err)
	l.comparePartitions(10, rec.Mined.PartitionsAfter)
	ds, err := l.view().Deadlines()
	check(t, err)
	same(t, "deadline 10", map[string][2]any{
		"posted":     {rec.Mined.DeadlineAfter.PostSubmissions, ds[10].PostSubmissions},
		"disputable": {rec.Mined.DeadlineAfter.DisputableProofCount, ds[10].DisputableProofCount},
	})
	q, err := out.Post.Question(l.rt)
	check(t, err)
	if n := len(q.ChallengedSectors); n != 2 || q.ChallengedSectors[0] != q.ChallengedSectors[1] || q.ChallengedSectors[0].SectorNumber != 20 {
		t.Errorf("the proof is asked over %v, want sector 20 twice", q.ChallengedSectors)
	}
}

type recordedPower struct{ RawBytePower, QualityAdjPower abi.StoragePower }

type recordedState struct {
	Partitions []recordedPartition
	Power      recordedPower
	Deadline   dline.Info
}

func TestRecoveriesGoAsOnLotus(t *testing.T) {
	var rec struct {
		Messages []struct {
			Message       recordedMessage
			Before, After recordedState
		}
	}
	fixture(t, "lotus-rpc/recoveries.json", &rec)
	l := lotusMiner(t, 1001, 154, 10, 0)
	for _, m := range rec.Messages {
		epoch := m.Before.Deadline.CurrentEpoch
		deadline, rand := target(t, m.Message)
		l.until(epoch)
		l.rt.Tickets = func(crypto.DomainSeparationTag, abi.ChainEpoch, []byte) ([]byte, error) { return rand, nil }
		l.compareState(t, deadline, m.Before)
		l.asked = nil
		out, err := l.send(m.Message.Method, m.Message.Params)
		check(t, err)
		l.compareState(t, deadline, m.After)
		if m.Message.Method == 5 && (len(l.asked) != 1 || len(l.asked[0].ChallengedSectors) != 2 || out.Post.Recovered.IsZero()) {
			t.Errorf("the proof of epoch %d was asked for as %v", epoch, l.asked)
		}
		if m.Message.Method == 11 && len(l.asked) != 0 {
			t.Errorf("a declaration had a proof verified")
		}
	}
}

func (l *lab) compareState(t *testing.T, deadline uint64, r recordedState) {
	t.Helper()
	l.comparePartitions(deadline, r.Partitions)
	l.compareDeadline(r.Deadline)
	if !l.claim.Raw.Equals(r.Power.RawBytePower) || !l.claim.QA.Equals(r.Power.QualityAdjPower) {
		t.Errorf("power at %d is %v, on Lotus %v", r.Deadline.CurrentEpoch, l.claim, r.Power)
	}
}

// target is the deadline of a message and the commit randomness that it names.
func target(t *testing.T, m recordedMessage) (uint64, []byte) {
	t.Helper()
	if m.Method == 11 {
		var p miner.DeclareFaultsRecoveredParams
		check(t, p.UnmarshalCBOR(bytes.NewReader(m.Params)))
		return p.Recoveries[0].Deadline, nil
	}
	var p miner.SubmitWindowedPoStParams
	check(t, p.UnmarshalCBOR(bytes.NewReader(m.Params)))
	return p.Deadline, p.ChainCommitRand
}

func TestPostsOfLotusMinerAreTaken(t *testing.T) {
	var rec struct {
		Calls []struct {
			Method   string
			Params   []json.RawMessage
			Response struct{ Result json.RawMessage }
		}
	}
	fixture(t, "lotus-rpc/posts.json", &rec)
	type step struct {
		message  recordedMessage
		deadline dline.Info
		parts    []recordedPartition
		ticket   []byte
		seed     []byte
	}
	var steps []step
	for _, c := range rec.Calls {
		if c.Method == "Filecoin.ChainGetMessage" {
			steps = append(steps, step{})
		}
		if len(steps) == 0 {
			continue
		}
		s := &steps[len(steps)-1]
		into := map[string]any{
			"Filecoin.ChainGetMessage": &s.message, "Filecoin.StateMinerProvingDeadline": &s.deadline, "Filecoin.StateMinerPartitions": &s.parts,
			"Filecoin.StateGetRandomnessFromTickets": &s.ticket, "Filecoin.StateGetRandomnessFromBeacon": &s.seed,
		}[c.Method]
		if into != nil {
			check(t, json.Unmarshal(c.Response.Result, into))
		}
	}
	l := lotusMiner(t, 1000, 658, 60, 0)
	taken := 0
	for i := len(steps) - 1; i >= 0; i-- { // the newest was recorded first
		s := steps[i]
		if s.message.Method != 5 {
			continue
		}
		l.until(s.deadline.CurrentEpoch)
		l.compareDeadline(s.deadline)
		l.comparePartitions(s.deadline.Index, s.parts)
		l.rt.Tickets = func(crypto.DomainSeparationTag, abi.ChainEpoch, []byte) ([]byte, error) { return s.ticket, nil }
		l.rt.Beacon = func(tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte) ([]byte, error) {
			if tag != 4 || epoch != s.deadline.Challenge || !bytes.Equal(entropy, []byte{0x43, 0x00, 0xe8, 0x07}) {
				t.Errorf("beacon asked with %d, %d, %x", tag, epoch, entropy)
			}
			return s.seed, nil
		}
		out, err := l.send(5, s.message.Params)
		check(t, err)
		q, err := out.Post.Question(l.rt)
		check(t, err)
		if !bytes.Equal(q.Randomness, s.seed) || len(q.ChallengedSectors) != 2 {
			t.Errorf("question %+v", q)
		}
		taken++
	}
	if taken != 4 {
		t.Errorf("%d posts taken, want 4", taken)
	}
	if want := big.NewInt(60 * 2048); !l.claim.Raw.Equals(want) {
		t.Errorf("power %s, want %s", l.claim.Raw, want)
	}
}
