package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"golang.org/x/sync/errgroup"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
	"github.com/vigil-post/vigil/partition"
	"github.com/vigil-post/vigil/sector"
)

// CheckWanted says which sectors are to be checked. Where nothing is chosen, all
// that are live.
type CheckWanted struct {
	Miners     []abi.ActorID      // of the configuration; none: all of them
	Deadlines  []uint64           // none: all
	Partitions []uint64           // of each of those deadlines; none: all
	Sectors    []abi.SectorNumber // these alone
	AtOnce     int                // sectors read from a storage at a time
}

// Verdict is what a check says of a sector.
type Verdict string

const (
	VerdictGood    Verdict = "good"    // its vanilla proof for random challenges verifies
	VerdictBad     Verdict = "bad"     // there is evidence, seen twice
	VerdictUnknown Verdict = "unknown" // it could not be checked
)

// Checked is one sector's result.
type Checked struct {
	Miner     string           `json:"miner"`
	Deadline  *uint64          `json:"deadline,omitempty"` // not known of sectors asked for by number
	Partition *uint64          `json:"partition,omitempty"`
	Sector    abi.SectorNumber `json:"sector"`
	Verdict   Verdict          `json:"verdict"`
	Cause     string           `json:"cause,omitempty"`
	Took      time.Duration    `json:"took"`

	request vigil.ReadRequest
}

// CheckSectors reads sectors as a proof would, for random challenges, and verifies
// what was read against the chain. It says each result as it comes, and gives all in the
// order of deadlines. ctx ends it early: what was not checked is not in the result.
func CheckSectors(ctx context.Context, c Config, wanted CheckWanted, log *slog.Logger, say func(Checked)) ([]Checked, error) {
	nodes, err := chain.Open(ctx, nodeConfigs(c.Nodes, vigil.Network{}, log)...)
	if err != nil {
		return nil, err
	}
	defer nodes.Close()
	if _, err := meetSoon(ctx, nodes, log); err != nil {
		return nil, err
	}
	r := reader(c)
	r.AtOnce = min(max(1, wanted.AtOnce), c.Reading.AtOnce)
	return checkOn(ctx, nodes, c.Miners, r, len(c.Storages), wanted, say)
}

// checkedState is what a check asks of the chain.
type checkedState interface {
	vigil.Heads
	vigil.MinerState
}

func checkOn(ctx context.Context, state checkedState, miners []abi.ActorID, r *sector.Reader, storages int, wanted CheckWanted, say func(Checked)) ([]Checked, error) {
	one := vigil.OneDecision(ctx)
	head, err := state.Head(one)
	if err != nil {
		return nil, fmt.Errorf("ask for the head: %w", err)
	}
	var list []Checked
	for _, miner := range miners {
		if len(wanted.Miners) > 0 && !slices.Contains(wanted.Miners, miner) {
			continue
		}
		theirs, err := wantedOf(one, state, miner, head.Key, wanted)
		if err != nil {
			return nil, fmt.Errorf("miner %s: %w", vigil.MinerAddress(miner), err)
		}
		list = append(list, theirs...)
	}
	return readAll(ctx, r, list, r.AtOnce*max(1, storages), say), nil
}

// wantedOf lists a miner's sectors that are to be checked.
func wantedOf(ctx context.Context, state checkedState, miner abi.ActorID, key vigil.TipSetKey, wanted CheckWanted) ([]Checked, error) {
	info, err := state.Miner(ctx, miner, key)
	if err != nil {
		return nil, fmt.Errorf("read the miner: %w", err)
	}
	form := vigil.ReadRequest{Miner: miner, ProofType: info.ProofType}
	rand.Read(form.Randomness[:])
	form.Randomness[31] &= 0x3f
	if len(wanted.Sectors) > 0 {
		return requests(ctx, state, key, form, partition.Set(wanted.Sectors), nil, nil)
	}
	current, err := state.Deadline(ctx, miner, key)
	if err != nil {
		return nil, fmt.Errorf("read the current deadline: %w", err)
	}
	var list []Checked
	for index := range current.Count {
		if len(wanted.Deadlines) > 0 && !slices.Contains(wanted.Deadlines, index) {
			continue
		}
		partitions, err := state.Partitions(ctx, miner, index, key)
		if err != nil {
			return nil, fmt.Errorf("read the partitions of deadline %d: %w", index, err)
		}
		for _, p := range partitions {
			if len(wanted.Partitions) > 0 && !slices.Contains(wanted.Partitions, p.Index) {
				continue
			}
			theirs, err := requests(ctx, state, key, form, p.Live, &index, &p.Index)
			if err != nil {
				return nil, err
			}
			list = append(list, theirs...)
		}
	}
	return list, nil
}

func requests(ctx context.Context, state vigil.MinerState, key vigil.TipSetKey, form vigil.ReadRequest, set bitfield.BitField, deadline, index *uint64) ([]Checked, error) {
	sectors, err := state.Sectors(ctx, form.Miner, set, key)
	if err != nil {
		return nil, fmt.Errorf("read the sectors: %w", err)
	}
	var list []Checked
	for _, s := range sectors {
		request := form
		request.Sector = s
		list = append(list, Checked{
			Miner: vigil.MinerAddress(form.Miner).String(), Deadline: deadline, Partition: index, Sector: s.Number, request: request,
		})
	}
	return list, nil
}

// readAll reads the sectors, so many at a time. What could not be checked is tried
// once more when all others were.
func readAll(ctx context.Context, r vigil.SectorReader, list []Checked, atOnce int, say func(Checked)) []Checked {
	var saying sync.Mutex // say is called by one at a time
	round := func(last bool) {
		var group errgroup.Group
		group.SetLimit(atOnce)
		for i := range list {
			if list[i].Verdict == VerdictGood || list[i].Verdict == VerdictBad {
				continue
			}
			group.Go(func() error {
				c := checkOne(ctx, r, list[i])
				if ctx.Err() != nil {
					return nil // it says nothing of the sector
				}
				list[i] = c
				if c.Verdict != VerdictUnknown || last {
					saying.Lock()
					defer saying.Unlock()
					say(c)
				}
				return nil
			})
		}
		_ = group.Wait() // its functions return no errors
	}
	round(false)
	round(true)
	return slices.DeleteFunc(list, func(c Checked) bool { return c.Verdict == "" })
}

// checkOne reads a sector, and one that looks bad twice.
func checkOne(ctx context.Context, r vigil.SectorReader, c Checked) Checked {
	began := time.Now()
	_, err := r.Read(ctx, c.request)
	if isBad(err) {
		_, err = r.Read(ctx, c.request)
	}
	c.Took = time.Since(began)
	switch {
	case err == nil:
		c.Verdict = VerdictGood
	case isBad(err):
		c.Verdict, c.Cause = VerdictBad, causeOf(err)
	default:
		c.Verdict, c.Cause = VerdictUnknown, err.Error()
	}
	return c
}

func isBad(err error) bool { return causeOf(err) != "" }

// causeOf is the evidence against a sector, or nothing.
func causeOf(err error) string {
	var bad *vigil.SectorError
	if !errors.As(err, &bad) {
		return ""
	}
	return bad.Cause
}
