package actor

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/dline"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"
)

// Post is a Window PoSt that the actor took.
type Post struct {
	Deadline   uint64
	Challenge  abi.ChainEpoch
	Partitions []uint64
	// Skipped counts the sectors that the message named as skipped.
	Skipped uint64
	// Recovered is the power that it brought back. Where it is zero, nobody has
	// looked at the proof.
	Recovered miner.PowerPair
	Proofs    []proof.PoStProof

	// all are the sectors of the partitions, ignored those that are not proven;
	// infos is the root of the sectors' array.
	all, ignored bits
	infos        cid.Cid
}

// Question is what the proof has to answer, as the network would ask it.
func (p *Post) Question(rt *Runtime) (proof.WindowPoStVerifyInfo, error) {
	infos, err := miner.LoadSectors(rt.Store, p.infos)
	if err != nil {
		return proof.WindowPoStVerifyInfo{}, err
	}
	sectors, err := withStandIns(infos, p.all, p.ignored)
	if err != nil {
		return proof.WindowPoStVerifyInfo{}, err
	}
	return rt.question(p.Challenge, sectors, p.Proofs)
}

// withStandIns lists the sectors of a proof: ascending, with the first good one
// in place of each that is ignored; none where none is good.
func withStandIns(from miner.Sectors, all, ignored bits) ([]*miner.SectorOnChainInfo, error) {
	good, err := load(from, minus(all, ignored))
	if err != nil || len(good) == 0 {
		return nil, err
	}
	first := good[0]
	var out []*miner.SectorOnChainInfo
	for _, n := range members(all) {
		if len(good) > 0 && uint64(good[0].SectorNumber) == n {
			out, good = append(out, good[0]), good[1:]
			continue
		}
		out = append(out, first)
	}
	return out, nil
}

// submitPost records the proof of some partitions of the open deadline. The
// proof is looked at only if it brings power back; otherwise it stands until
// somebody disputes it.
func (s *session) submitPost(p *miner.SubmitWindowedPoStParams) error {
	if err := s.checkPostForm(p); err != nil {
		return err
	}
	if err := s.allowControl(); err != nil {
		return err
	}
	if err := s.checkPostSize(p); err != nil {
		return err
	}
	return s.takePost(p)
}

// takePost judges a post whose form and size are right.
func (s *session) takePost(p *miner.SubmitWindowedPoStParams) error {
	d := s.deadline()
	if err := s.checkPostTime(p, d); err != nil {
		return err
	}
	f, err := s.frame(s.st.Sectors, d)
	if err != nil {
		return err
	}
	post := &Post{Deadline: d.Index, Challenge: d.Challenge, Proofs: p.Proofs, infos: s.st.Sectors}
	if err := s.edit(d.Index, func(dl *deadline) error {
		delta, err := dl.prove(f, p.Partitions, post)
		if err != nil {
			return within(err, "failed to process post submission for deadline %d", d.Index)
		}
		s.out.Power = delta
		if covers(post.ignored, post.all) {
			return illegal("cannot prove partitions with no active sectors")
		}
		if post.Recovered.IsZero() {
			return dl.recordPost(s.rt.Store, post)
		}
		return s.verify(post)
	}); err != nil {
		return err
	}
	s.out.Post = post
	return nil
}

// checkPostForm is what can be said without the state.
func (s *session) checkPostForm(p *miner.SubmitWindowedPoStParams) error {
	if n := len(p.Proofs); n != 1 {
		return illegal("expected exactly one proof, got %d", n)
	}
	if t := p.Proofs[0].PoStProof; !s.rt.allows(t) {
		return illegal("proof type %s not allowed", proofName(t))
	}
	if p.Deadline >= miner.WPoStPeriodDeadlines {
		return illegal("invalid deadline %d of %d", p.Deadline, miner.WPoStPeriodDeadlines)
	}
	if n := len(p.ChainCommitRand); n > abi.RandomnessLength {
		return illegal("expected at most %d bytes of randomness, got %d", abi.RandomnessLength, n)
	}
	return nil
}

func (s *session) checkPostSize(p *miner.SubmitWindowedPoStParams) error {
	given := p.Proofs[0]
	if given.PoStProof != s.info.WindowPoStProofType {
		return illegal("expected proof of type %s, got %s", proofName(s.info.WindowPoStProofType), proofName(given.PoStProof))
	}
	each, err := s.info.WindowPoStProofType.ProofSize()
	if err != nil {
		return err
	}
	if limit := int(each) * len(p.Partitions); len(given.ProofBytes) > limit {
		return illegal("expected proof to be smaller than %d bytes", limit)
	}
	limit := min(miner.AddressedSectorsMax/s.info.WindowPoStPartitionSectors, miner.AddressedPartitionsMax, miner.PoStedPartitionsMax)
	if n := uint64(len(p.Partitions)); n > limit {
		return illegal("too many partitions %d, limit %d", n, limit)
	}
	return nil
}

func (s *session) checkPostTime(p *miner.SubmitWindowedPoStParams, d *dline.Info) error {
	if p.Deadline != d.Index {
		return illegal("invalid deadline %d at epoch %d, expected %d", p.Deadline, s.rt.Epoch, d.Index)
	}
	if p.ChainCommitEpoch < d.Challenge {
		return illegal("expected chain commit epoch %d to be after %d", p.ChainCommitEpoch, d.Challenge)
	}
	if p.ChainCommitEpoch >= s.rt.Epoch {
		return illegal("chain commit epoch %d must be less than the current epoch %d", p.ChainCommitEpoch, s.rt.Epoch)
	}
	ticket, err := s.rt.Tickets(crypto.DomainSeparationTag_PoStChainCommit, p.ChainCommitEpoch, nil)
	if err != nil {
		return fmt.Errorf("commit randomness of epoch %d: %w", p.ChainCommitEpoch, err)
	}
	if !bytes.Equal(ticket, p.ChainCommitRand) {
		return illegal("post commit randomness mismatched")
	}
	return nil
}

// verify asks at once about a proof that brings power back.
func (s *session) verify(post *Post) error {
	q, err := post.Question(s.rt)
	if err != nil {
		return err
	}
	if s.rt.Verify(q) != nil {
		return illegal("invalid post was submitted")
	}
	return nil
}

// prove takes the partitions of a message as proven, before anybody looks at
// the proof: skipped sectors become faulty, recovering and unproven ones get
// their power. It fills in the post.
func (d *deadline) prove(f *frame, partitions []miner.PoStPartition, post *Post) (miner.PowerPair, error) {
	delta := miner.NewPowerPairZero()
	post.Recovered = delta
	skipped := map[uint64]bits{}
	for _, p := range partitions {
		skipped[p.Index] = p.Skipped
		post.Partitions = append(post.Partitions, p.Index)
		post.Skipped += count(p.Skipped)
	}
	if len(skipped) != len(partitions) {
		return delta, illegal("duplicate partitions proven")
	}
	if again := both(d.PartitionsPoSted, setOf(post.Partitions...)); !isEmpty(again) {
		return delta, illegal("partition already proven: %s", ranges(again))
	}
	var hit []uint64
	var all, ignored []bits
	if err := d.edit(f, post.Partitions, func(i uint64, p *partition) error {
		out, recovered, err := p.prove(f, skipped[i])
		if err != nil {
			return within(err, "failed to add skipped faults to partition %d", i)
		}
		if !isEmpty(out.sectors) {
			hit = append(hit, i)
		}
		d.FaultyPower = d.FaultyPower.Add(out.power).Sub(recovered)
		delta = delta.Add(out.delta)
		post.Recovered = post.Recovered.Add(recovered)
		all = append(all, p.Sectors)
		ignored = append(ignored, p.Faults, p.Terminated)
		return nil
	}); err != nil {
		return delta, err
	}
	post.all, post.ignored = union(all...), union(ignored...)
	d.PartitionsPoSted = union(d.PartitionsPoSted, setOf(post.Partitions...))
	return delta, d.expectAt(f, f.faultExpiration, setOf(hit...))
}

// prove takes the partition as proven, without the skipped sectors. The delta
// of what it returns is all of the change to the claim.
func (p *partition) prove(f *frame, skipped bits) (out faulted, recovered miner.PowerPair, err error) {
	out = noFault()
	if !isEmpty(skipped) {
		if !covers(p.Sectors, skipped) {
			return out, recovered, illegal("skipped faults contains sectors outside partition")
		}
		if out, err = p.fault(f, skipped); err != nil {
			return out, recovered, err
		}
	}
	if recovered, err = p.recover(f); err != nil {
		return out, recovered, err
	}
	out.delta = out.delta.Add(recovered).Add(p.ActivateUnproven())
	return out, recovered, nil
}

// recordPost keeps a proof that nobody has looked at.
func (d *deadline) recordPost(store adt.Store, post *Post) error {
	arr, err := adt.AsArray(store, d.OptimisticPoStSubmissions, miner.DeadlineOptimisticPoStSubmissionsAmtBitwidth)
	if err != nil {
		return fmt.Errorf("load proofs: %w", err)
	}
	if err := arr.AppendContinuous(&miner.WindowedPoSt{Partitions: setOf(post.Partitions...), Proofs: post.Proofs}); err != nil {
		return err
	}
	d.OptimisticPoStSubmissions, err = arr.Root()
	return err
}

// allows says whether the network takes proofs of a type.
func (rt *Runtime) allows(t abi.RegisteredPoStProof) bool {
	if len(rt.ProofTypes) > 0 {
		return slices.Contains(rt.ProofTypes, t)
	}
	_, ok := proofNames[t]
	return ok
}

// proofNames are the types of Window PoSt V1_1 as the network's actor calls them.
var proofNames = map[abi.RegisteredPoStProof]string{
	abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1:   "StackedDRGWindow2KiBV1P1",
	abi.RegisteredPoStProof_StackedDrgWindow8MiBV1_1:   "StackedDRGWindow8MiBV1P1",
	abi.RegisteredPoStProof_StackedDrgWindow512MiBV1_1: "StackedDRGWindow512MiBV1P1",
	abi.RegisteredPoStProof_StackedDrgWindow32GiBV1_1:  "StackedDRGWindow32GiBV1P1",
	abi.RegisteredPoStProof_StackedDrgWindow64GiBV1_1:  "StackedDRGWindow64GiBV1P1",
}

func proofName(t abi.RegisteredPoStProof) string {
	if name, ok := proofNames[t]; ok {
		return name
	}
	return fmt.Sprintf("Invalid(%d)", t)
}

// ranges writes a set as the network's actor does in its words.
func ranges(set bits) string {
	var runs []string
	from := uint64(0)
	ns := members(set)
	for i, n := range ns {
		if i == 0 || ns[i-1] != n-1 {
			from = n
		}
		if i == len(ns)-1 || ns[i+1] != n+1 {
			runs = append(runs, fmt.Sprintf("%d..%d", from, n+1))
		}
	}
	return "BitField { ranges: [" + strings.Join(runs, ", ") + "], set: {}, unset: {} }"
}
