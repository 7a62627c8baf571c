package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
	"github.com/vigil-post/vigil/partition"
	"github.com/vigil-post/vigil/schedule"
)

// Recovery is what a dry run found of the faulty sectors of a deadline: the
// daemon would do the same.
type Recovery struct {
	Miner      string             `json:"miner"`
	Deadline   uint64             `json:"deadline"`
	Cutoff     abi.ChainEpoch     `json:"cutoff"` // declarations must be on chain before it
	Left       time.Duration      `json:"left"`   // until then
	Declared   uint64             `json:"declared"`
	Readable   []abi.SectorNumber `json:"readable"` // would be declared
	Unreadable []vigil.BadSector  `json:"unreadable"`
	Messages   []RecoveryMessage  `json:"messages"`
	Hindrance  string             `json:"hindrance,omitempty"` // why the chain would take none of them
}

// RecoveryMessage is a declaration that would be sent.
type RecoveryMessage struct {
	Partitions int    `json:"partitions"`
	Sectors    int    `json:"sectors"`
	Bytes      int    `json:"bytes"`             // of its parameters
	Gas        int64  `json:"gas,omitempty"`     // its limit, as the node proposes it
	Problem    string `json:"problem,omitempty"` // why the node proposes none
}

// PlanRecoveries reads the faulty sectors for which no recovery is declared, as
// the daemon does before it declares them, and says what would be declared. It
// changes nothing and needs no keys. Of what is wanted, partitions are not looked at.
func PlanRecoveries(ctx context.Context, c Config, wanted CheckWanted, log *slog.Logger, say func(Checked)) ([]Recovery, error) {
	nodes, err := chain.Open(ctx, nodeConfigs(c.Nodes, vigil.Network{}, log)...)
	if err != nil {
		return nil, err
	}
	defer nodes.Close()
	network, err := meetSoon(ctx, nodes, log)
	if err != nil {
		return nil, err
	}
	r := reader(c)
	r.AtOnce = min(max(1, wanted.AtOnce), c.Reading.AtOnce)
	one := vigil.OneDecision(ctx)
	head, err := nodes.Head(one)
	if err != nil {
		return nil, fmt.Errorf("ask for the head: %w", err)
	}
	d := dryRun{nodes: nodes, head: head, delay: network.BlockDelay, policy: c.Schedule}
	d.read = func(ctx context.Context, list []Checked) []Checked {
		return readAll(ctx, r, list, r.AtOnce*max(1, len(c.Storages)), say)
	}
	return d.all(one, c.Miners, wanted)
}

// dryRun is a recovery without its messages.
type dryRun struct {
	nodes  dryRunState
	head   vigil.Head
	delay  time.Duration
	policy schedule.Policy
	read   func(ctx context.Context, list []Checked) []Checked
}

// dryRunState is what a dry run asks of the chain.
type dryRunState interface {
	vigil.MinerState
	vigil.MinerStanding
	vigil.GasEstimator
}

func (d dryRun) all(ctx context.Context, miners []abi.ActorID, wanted CheckWanted) ([]Recovery, error) {
	var list []Recovery
	for _, miner := range miners {
		if len(wanted.Miners) > 0 && !slices.Contains(wanted.Miners, miner) {
			continue
		}
		theirs, err := d.miner(ctx, miner, wanted)
		if err != nil {
			return nil, fmt.Errorf("miner %s: %w", vigil.MinerAddress(miner), err)
		}
		list = append(list, theirs...)
	}
	return list, nil
}

// miner plans for one miner, the deadline with the next cutoff first.
func (d dryRun) miner(ctx context.Context, miner abi.ActorID, wanted CheckWanted) ([]Recovery, error) {
	info, err := d.nodes.Miner(ctx, miner, d.head.Key)
	if err != nil {
		return nil, fmt.Errorf("read the miner: %w", err)
	}
	current, err := d.nodes.Deadline(ctx, miner, d.head.Key)
	if err != nil {
		return nil, fmt.Errorf("read the current deadline: %w", err)
	}
	hindrance := ""
	if standing, err := d.nodes.Standing(ctx, miner, d.head.Key); err == nil {
		hindrance = standing.Hindrance(d.head.Epoch + 1)
	}
	var list []Recovery
	for n := range int(current.Count) {
		deadline := current.Plus(n)
		if len(wanted.Deadlines) > 0 && !slices.Contains(wanted.Deadlines, deadline.Index) {
			continue
		}
		if d.head.Epoch >= deadline.FaultCutoff {
			deadline = deadline.Plus(int(deadline.Count))
		}
		r, any, err := d.deadline(ctx, info, deadline, wanted)
		if err != nil {
			return nil, fmt.Errorf("deadline %d: %w", deadline.Index, err)
		}
		if r.Hindrance = hindrance; any {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b Recovery) int { return int(a.Cutoff - b.Cutoff) })
	return list, nil
}

// deadline plans for one deadline, if it has faulty sectors.
func (d dryRun) deadline(ctx context.Context, info vigil.MinerInfo, deadline vigil.Deadline, wanted CheckWanted) (r Recovery, any bool, err error) {
	r = Recovery{
		Miner: vigil.MinerAddress(info.Miner).String(), Deadline: deadline.Index, Cutoff: deadline.FaultCutoff,
		Left:     time.Duration(deadline.FaultCutoff-d.head.Epoch) * d.delay,
		Readable: []abi.SectorNumber{}, Unreadable: []vigil.BadSector{}, Messages: []RecoveryMessage{},
	}
	partitions, err := d.nodes.Partitions(ctx, info.Miner, deadline.Index, d.head.Key)
	if err != nil {
		return r, false, fmt.Errorf("read the partitions: %w", err)
	}
	var list []Checked
	for _, p := range partitions {
		declared, err := p.Recovering.Count()
		if err != nil {
			return r, false, fmt.Errorf("partition %d: count recovering sectors: %w", p.Index, err)
		}
		r.Declared += declared
		theirs, err := d.faulty(ctx, info, deadline.Index, p, wanted.Sectors)
		if err != nil {
			return r, false, err
		}
		list = append(list, theirs...)
	}
	if len(list) == 0 {
		return r, r.Declared > 0, nil
	}
	for _, c := range d.read(ctx, list) {
		if c.Verdict == VerdictGood {
			r.Readable = append(r.Readable, c.Sector)
		} else {
			r.Unreadable = append(r.Unreadable, vigil.BadSector{Number: c.Sector, Cause: c.Cause})
		}
	}
	if err := ctx.Err(); err != nil {
		return r, false, fmt.Errorf("read sectors: %w", err)
	}
	r.Messages, err = d.messages(ctx, info, deadline.Index, partitions, r.Readable)
	return r, true, err
}

// faulty lists the sectors of a partition that are faulty and undeclared, with
// random challenges.
func (d dryRun) faulty(ctx context.Context, info vigil.MinerInfo, deadline uint64, p vigil.Partition, only []abi.SectorNumber) ([]Checked, error) {
	set, err := partition.Recoverable(p)
	if err != nil {
		return nil, err
	}
	count, err := set.Count()
	if err != nil {
		return nil, fmt.Errorf("partition %d: count faulty sectors: %w", p.Index, err)
	}
	numbers, err := partition.Numbers(set, count)
	if err != nil {
		return nil, err
	}
	if len(only) > 0 {
		numbers = slices.DeleteFunc(numbers, func(n abi.SectorNumber) bool { return !slices.Contains(only, n) })
	}
	form := vigil.ReadRequest{Miner: info.Miner, ProofType: info.ProofType}
	rand.Read(form.Randomness[:])
	form.Randomness[31] &= 0x3f // a field element, as the chain's seed becomes one
	return requests(ctx, d.nodes, d.head.Key, form, partition.Set(numbers), &deadline, &p.Index)
}

// messages are those that the daemon would send, split as it splits them.
func (d dryRun) messages(ctx context.Context, info vigil.MinerInfo, deadline uint64, partitions []vigil.Partition, readable []abi.SectorNumber) ([]RecoveryMessage, error) {
	declared, err := partition.Declare(partitions, readable, partition.Limits{Sectors: d.policy.DeclareSectors, Partitions: d.policy.DeclarePartitions})
	if err != nil {
		return nil, err
	}
	list := []RecoveryMessage{}
	_, err = partition.Fit(declared, func(message []partition.Declaration) (bool, error) {
		m, large, err := d.message(ctx, info, deadline, message)
		if !large || m.Sectors == 1 {
			list = append(list, m)
		}
		return large, err
	})
	return list, err
}

// message looks at one message, and says whether it is too large.
func (d dryRun) message(ctx context.Context, info vigil.MinerInfo, deadline uint64, message []partition.Declaration) (m RecoveryMessage, large bool, err error) {
	if partition.TooLong(message) {
		return m, true, nil
	}
	params := partition.Params(deadline, message)
	var encoded bytes.Buffer
	if err := params.MarshalCBOR(&encoded); err != nil {
		return m, false, fmt.Errorf("encode a declaration: %w", err)
	}
	m = RecoveryMessage{Partitions: len(message), Sectors: len(partition.Declared(message)), Bytes: encoded.Len()}
	gas, err := d.nodes.EstimateGas(ctx, vigil.Call{
		From: slices.Concat(info.Control, []address.Address{info.Worker})[0], To: vigil.MinerAddress(info.Miner),
		Method: builtin.MethodsMiner.DeclareFaultsRecovered, Value: abi.NewTokenAmount(0), Params: encoded.Bytes(),
	}, 0)
	m.Gas = gas.Limit
	var refused *vigil.CallError
	if err != nil {
		m.Problem = err.Error()
	}
	large = m.Gas > d.policy.DeclareGas || errors.As(err, &refused) && refused.OutOfGas
	return m, large, ctx.Err()
}
