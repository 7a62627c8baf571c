package dashboard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
)

// whole is a dashboard with all that it can be asked for.
func whole(s vigil.StatusSource) Config {
	return Config{Status: s, Chain: &fakeChain{}, Past: past{}, Present: present{status: s}, Times: times, Messages: func(context.Context, vigil.MessageQuery) ([]explain.Message, error) {
		return []explain.Message{toldOf(vigil.MessagePublished)}, nil
	}}
}

// present has a prover that is busy while there are miners, and one of another kind that is idle.
type present struct {
	Present
	status vigil.StatusSource
}

func (p present) Provers() []vigil.ProverStatus {
	s := p.status.Status()
	if len(s.Miners) == 0 {
		return nil
	}
	native := vigil.ProverStatus{Prover: "native", Kernels: "avx512-ifma", Parameters: "/var/tmp/filecoin-proof-parameters", AtOnce: 1, Memory: 96 << 30, Made: 4711}
	for i := range min(40, 3*len(s.Miners)) {
		native.Proofs = append(native.Proofs, vigil.ProofWork{
			Duty: fmt.Sprintf("%s/%d/%d", s.Miners[0].Miner, s.Head-9, i), Close: s.Head + 51, Sectors: 2349, Since: time.Now().Add(-3 * time.Minute), Running: i == 0,
		})
	}
	return []vigil.ProverStatus{native, {Prover: "external", Parameters: "/mnt/keys", AtOnce: 2, Problem: "the CPU has no AVX-512 IFMA " + evil}}
}

// fakeChain has partitions of a mainnet miner's size; some sectors are in each state.
type fakeChain struct {
	asked int
	err   error
}

func (c *fakeChain) Head(context.Context) (vigil.Head, error) {
	return vigil.Head{Key: "a", Epoch: 1144209}, c.err
}

func (c *fakeChain) Partitions(_ context.Context, _ abi.ActorID, deadline uint64, _ vigil.TipSetKey) ([]vigil.Partition, error) {
	c.asked++
	if deadline%5 == 3 {
		return nil, c.err
	}
	all := span(0, 2349)
	return []vigil.Partition{
		{Index: 0, All: all, Live: all, Active: all, Faulty: none(), Recovering: none()},
		{Index: 1, All: span(2349, 2349), Live: span(2349, 2300), Active: span(2349, 2200), Faulty: span(2400, 7), Recovering: span(2404, 3)},
	}, c.err
}

func none() bitfield.BitField { return bitfield.New() }

func span(from, many uint64) bitfield.BitField {
	set := bitfield.New()
	for n := from; n < from+many; n++ {
		set.Set(n)
	}
	return set
}

// past remembers a duty that met trouble and was confirmed.
type past struct{ Past }

func (past) Why(_ context.Context, id vigil.DutyID) (explain.Story, error) {
	at := deadlineAt(14, id.Open)
	if id.Miner == 404 {
		return explain.Story{}, vigil.ErrNotFound
	}
	if id.Miner == 500 {
		return explain.Story{}, errors.New("the disk is gone")
	}
	began := time.Now().Add(-20 * time.Minute)
	return explain.Story{
		Duty:   explain.ListDuty(vigil.Duty{ID: id, Deadline: at, Partitions: []uint64{0, 1}, State: vigil.StateConfirmed}),
		Window: at, Verdict: explain.VerdictOnTime, Why: []string{"It was confirmed in time."},
		Proof: &explain.ProofFacts{Read: 95 * time.Second, Prove: 12 * time.Minute},
		Timeline: []explain.Moment{
			{Time: began, Epoch: id.Open - 18, Level: "info", State: "scheduled", Text: "It was planned."},
			{Time: began.Add(2 * time.Minute), Epoch: id.Open - 12, Level: "warn", Text: "read sectors: a mount did not answer " + evil},
			{Epoch: id.Open, Level: "info", Kind: "epoch", Text: "The deadline opened."},
			{Time: began.Add(14 * time.Minute), Epoch: id.Open + 3, Level: "info", State: "proved", Text: "A proof was made."},
			{Time: began.Add(15 * time.Minute), Epoch: id.Open + 5, Level: "info", State: "submitted", Text: "Its message was handed over."},
			{Time: began.Add(18 * time.Minute), Epoch: id.Open + 7, Level: "info", State: "confirmed", Text: "The chain shows it."},
		},
		Messages: []explain.Message{toldOf(vigil.MessageConfirmed)},
	}, nil
}

func toldOf(state vigil.MessageState) explain.Message {
	return explain.Tell(vigil.Message{
		MessageRequest: vigil.MessageRequest{
			ID: "f01000/1144200/0#0 partitions=[0]", Duty: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 1144200}, Expires: 1144260,
			Call: vigil.Call{To: vigil.MinerAddress(1000), Method: 5},
		},
		State: state,
	}, explain.At{Head: 1144209})
}

// times are two days of proofs, in no order.
func times(_ context.Context, most int) ([]Times, error) {
	var all []Times
	for i := range min(most, 96) {
		all = append(all, Times{
			Duty:       vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 1144200 - abi.ChainEpoch(i*60)},
			Partitions: 1 + i%3, Read: time.Duration(40+i%17) * time.Second, Prove: time.Duration(300+i%7*40) * time.Second,
		})
	}
	return all, nil
}

// furnished adds to a status what other rooms of the house will have in it.
func furnished(s vigil.Status) vigil.Status {
	now := time.Now()
	s.Nodes = []vigil.NodeStatus{
		{Node: "ws://10.0.0.1:1234/rpc/v1", State: vigil.NodeInUse, Since: now.Add(-3 * time.Hour), Epoch: s.Head, Latency: 23 * time.Millisecond, Calls: 91_234, Failed: 3},
		{Node: "ws://10.0.0.2:1234/rpc/v1", State: vigil.NodeAside, Why: "its head is 12 epochs behind", Since: now.Add(-5 * time.Minute), Epoch: s.Head - 12},
	}
	s.Upgrade = &vigil.Upgrade{Name: "Next", Epoch: s.Head + 90_000}
	s.Proving = vigil.ProvingStatus{Running: 1, Made: 4711, Failed: 2, Problem: "make the proof: out of memory", Since: now.Add(-7 * time.Minute)}
	s.Storages = []vigil.StorageStatus{
		{Path: "/mnt/one", State: vigil.StorageReady, AtOnce: 16, Reading: 4, Waiting: 40, Read: 12_345, Took: 180 * time.Millisecond},
		{Path: "/mnt/two", State: vigil.StorageSilent, Why: "no read returned for 2 min", AtOnce: 1, Lost: 3},
	}
	s.Senders = []vigil.SenderStatus{
		{Address: "f1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za", Balance: big.Mul(big.NewInt(12), big.NewInt(1e18)), Sent: 61, Needed: big.NewInt(3e17)},
		{Address: "f3qzhu2p5rvqy2h4vqjv6m7ozohw3ejbkdygqvumwfi2sbzuqmdnnpqd5ukcwjnkphmxhwvvcdv2lvvkuykhqa", Balance: big.NewInt(1e15), Needed: big.NewInt(3e17), Problem: "it cannot pay for a day of messages: send it 0.3 FIL", Urgent: true},
	}
	s.Alarms = []vigil.Alarm{
		{Code: "will-not-fit", About: "f01000/1144260/0", Miner: "f01000", Urgent: true, Since: now.Add(-4 * time.Minute), By: s.Head + 51, What: "the proof of deadline 15 needs 40 min and there are 25", Remedy: "start another worker, or let what is proved be posted alone " + evil},
		{Code: "node-behind", About: "ws://10.0.0.2:1234/rpc/v1", Since: now.Add(-5 * time.Minute), What: "its head is 12 epochs behind", Remedy: "look whether it syncs"},
	}
	if s.Miners = slices.Clone(s.Miners); len(s.Miners) > 0 { // others show the same miner without it
		s.Miners[0] = furnishedMiner(s.Miners[0])
	}
	return s
}

func furnishedMiner(m vigil.MinerStatus) vigil.MinerStatus {
	m.Covered, m.Deadlines = m.Epoch-1440, slices.Clone(m.Deadlines)
	for i := range uint64(6) {
		m.Rehearsals = append(m.Rehearsals, vigil.RehearsalStatus{Deadline: 20 + i, Epoch: m.Epoch - 200 + abi.ChainEpoch(i*10), Sectors: 2349, ReadTime: 90 * time.Second})
	}
	m.Rehearsals[2].Bad = []vigil.BadSector{{Number: 2405, Cause: "sealed/s-t01000-2405: no such file"}}
	m.Rehearsals[3].Unchecked, m.Rehearsals[3].Problem = 4, "/mnt/two does not answer"
	m.Recoveries = []vigil.RecoveryStatus{
		{Deadline: 16, Cutoff: m.Current.Open + 50, Faulty: 7, Declared: 3, Returned: 2, Unreadable: []vigil.BadSector{{Number: 2401, Cause: "cache/s-t01000-2401: the tree is cut off"}}},
	}
	m.Audits = []vigil.AuditStatus{
		{Duty: fmt.Sprintf("%s/%d/0", m.Miner, m.Current.Open-60), Deadline: 13, Message: "bafy2bzacea5q43lcdh3tdpxubkfygxvggrkdp5j2avdfwnmx4pxd75452upqk", Verdict: vigil.AuditValid, Until: m.Epoch + 1700},
		{Duty: fmt.Sprintf("%s/%d/0", m.Miner, m.Current.Open-120), Deadline: 12, Message: "bafy2bzacecvkjwneoiuweoiruwoieuroiwueroiuweoiruwoeiruo", Verdict: vigil.AuditUnknown, Until: m.Epoch + 1600, Problem: "no node answers"},
	}
	for i := range m.Deadlines {
		if d := &m.Deadlines[i]; d.Sectors > 0 {
			open := d.Deadline.Open
			d.Forecast = &vigil.Forecast{Start: open - 20, Read: 90 * time.Second, Prove: 12 * time.Minute, Post: time.Minute, Finish: open + 10, Fits: true, Why: "31 proofs of 2 partitions"}
		}
	}
	if f := m.Deadlines[(m.Current.Index+1)%48].Forecast; f != nil {
		f.Finish, f.Fits, f.Why = m.Current.Open+140, false, "the one prover is busy with deadline 14 until Open + 40 epochs"
	}
	return m
}
