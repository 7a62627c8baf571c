package shadow

import (
	"context"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/partition"
)

// record reads how a closed deadline went, from the chain and from our rows.
func (w *Watch) record(ctx context.Context, id abi.ActorID, d vigil.Deadline, head vigil.Head) (vigil.ShadowRecord, error) {
	r := vigil.ShadowRecord{Miner: id, Deadline: d, Head: head.Epoch, Partitions: []vigil.ShadowPartition{}, Posts: []vigil.MinerPost{}}
	if head.Epoch <= d.Close+w.c.Confidence() {
		return r, errNotYet
	}
	ours, err := w.ours(ctx, id, d)
	if err != nil {
		return r, err
	}
	before, after, err := w.beforeAndAfter(ctx, id, d, head)
	if err != nil {
		return r, err
	}
	for _, p := range before {
		compared, err := owed(p, after)
		if err != nil {
			return r, err
		}
		if compared.Due > 0 {
			r.Partitions = append(r.Partitions, compared)
		}
	}
	if len(r.Partitions) == 0 {
		return r, nil // nothing was owed
	}
	if r.Posts, err = w.posts(ctx, id, d, head); err != nil {
		return r, err
	}
	for i := range r.Partitions {
		addPosts(&r.Partitions[i], r.Posts)
		addOurs(&r.Partitions[i], ours, before)
		r.Watched = r.Watched || r.Partitions[i].Ours.Work.Begun > 0
	}
	return r, addRecovery(&r, ours, before)
}

// ours gives our duties of a deadline, once all are settled.
func (w *Watch) ours(ctx context.Context, id abi.ActorID, d vigil.Deadline) ([]vigil.Duty, error) {
	duties, err := w.c.Duties.Duties(ctx, id, d.Open)
	if err != nil {
		return nil, err
	}
	duties = slices.DeleteFunc(duties, func(duty vigil.Duty) bool { return duty.ID.Open != d.Open })
	for _, duty := range duties {
		if !duty.State.Final() {
			return nil, errNotYet
		}
	}
	return duties, nil
}

// beforeAndAfter reads the partitions of a deadline as they were when it opened
// and after it had closed.
func (w *Watch) beforeAndAfter(ctx context.Context, id abi.ActorID, d vigil.Deadline, head vigil.Head) (before, after []vigil.Partition, err error) {
	opening, err := w.c.Heads.At(ctx, d.Open, head.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("find the tipset at which it opened: %w", err)
	}
	if before, err = w.c.State.Partitions(ctx, id, d.Index, opening.Key); err != nil {
		return nil, nil, fmt.Errorf("read its partitions when it opened: %w", err)
	}
	end, err := w.firstFrom(ctx, d.Close, head)
	if err != nil {
		return nil, nil, err
	}
	// A tipset shows the state before it: the one after the first that is too late
	// shows how the deadline ended.
	closed, err := w.firstFrom(ctx, end.Epoch+1, head)
	if err != nil {
		return nil, nil, err
	}
	if after, err = w.c.State.Partitions(ctx, id, d.Index, closed.Key); err != nil {
		return nil, nil, fmt.Errorf("read its partitions after it had closed: %w", err)
	}
	return before, after, nil
}

// firstFrom is the first tipset at or after an epoch.
func (w *Watch) firstFrom(ctx context.Context, epoch abi.ChainEpoch, head vigil.Head) (vigil.Head, error) {
	for e := epoch; e < head.Epoch; e++ {
		ts, err := w.c.Heads.At(ctx, e, head.Key)
		if err != nil {
			return vigil.Head{}, fmt.Errorf("find the tipset at epoch %d: %w", e, err)
		}
		if ts.Epoch >= epoch {
			return ts, nil
		}
	}
	if head.Epoch >= epoch {
		return head, nil
	}
	return vigil.Head{}, errNotYet
}

// posts gives the posts that were executed while a deadline was open.
func (w *Watch) posts(ctx context.Context, id abi.ActorID, d vigil.Deadline, head vigil.Head) ([]vigil.MinerPost, error) {
	all := []vigil.MinerPost{}
	ts, err := w.firstFrom(ctx, d.Close, head)
	for err == nil && ts.Epoch > d.Open {
		var some []vigil.MinerPost
		if some, err = w.c.Posts.PostsBefore(ctx, id, ts.Key); err != nil {
			return nil, fmt.Errorf("read the posts before epoch %d: %w", ts.Epoch, err)
		}
		some = slices.DeleteFunc(some, func(p vigil.MinerPost) bool { return p.Deadline != d.Index })
		all = append(some, all...)
		ts, err = w.c.Heads.At(ctx, ts.Epoch-1, ts.Key)
	}
	if err != nil {
		return nil, fmt.Errorf("walk the tipsets of the deadline: %w", err)
	}
	return all, nil
}

// owed begins a partition's comparison: what it owed, and what was lost at the close.
func owed(p vigil.Partition, after []vigil.Partition) (c vigil.ShadowPartition, err error) {
	c.Index = p.Index
	due, err := partition.Due(p)
	if err != nil {
		return c, err
	}
	if c.Due, err = due.Count(); err != nil {
		return c, fmt.Errorf("partition %d: count what is due: %w", p.Index, err)
	}
	i := slices.IndexFunc(after, func(q vigil.Partition) bool { return q.Index == p.Index })
	if i < 0 {
		return c, nil
	}
	healthy, err := bitfield.SubtractBitField(p.Live, p.Faulty)
	if err != nil {
		return c, fmt.Errorf("partition %d: healthy sectors: %w", p.Index, err)
	}
	lost, err := bitfield.IntersectBitField(after[i].Faulty, healthy)
	if err != nil {
		return c, fmt.Errorf("partition %d: lost sectors: %w", p.Index, err)
	}
	c.Theirs.Faulted, err = numbers(lost)
	return c, err
}

func numbers(set bitfield.BitField) ([]abi.SectorNumber, error) {
	n, err := set.Count()
	if err != nil {
		return nil, err
	}
	return partition.Numbers(set, n)
}

// addPosts adds the post of a partition that succeeded; there can be one.
func addPosts(p *vigil.ShadowPartition, posts []vigil.MinerPost) {
	for _, post := range posts {
		part, ok := of(post, p.Index)
		if !ok || !post.ExitCode.IsSuccess() {
			continue
		}
		p.Theirs.Posted, p.Theirs.Epoch, p.Theirs.Message, p.Theirs.Skipped = true, post.Epoch, post.Message.String(), part.Skipped
	}
}

// of is a post's part about a partition.
func of(post vigil.MinerPost, index uint64) (vigil.ProvedPartition, bool) {
	i := slices.IndexFunc(post.Partitions, func(p vigil.ProvedPartition) bool { return p.Index == index })
	if i < 0 {
		return vigil.ProvedPartition{}, false
	}
	return post.Partitions[i], true
}

// addOurs adds how far we came with a partition: the latest duty that has it counts.
func addOurs(p *vigil.ShadowPartition, duties []vigil.Duty, before []vigil.Partition) {
	i := slices.IndexFunc(before, func(q vigil.Partition) bool { return q.Index == p.Index })
	elsewhere := func(b vigil.BadSector) bool {
		here, err := before[i].All.IsSet(uint64(b.Number))
		return err != nil || !here // another partition's of the duty
	}
	for _, d := range duties {
		if d.ID.Kind != vigil.KindPost || d.State == vigil.StateReplaced || !slices.Contains(d.Partitions, p.Index) {
			continue
		}
		p.Ours = vigil.ShadowOurs{Duty: d.ID.String(), State: d.State, Work: d.Shadow, Skipped: slices.DeleteFunc(slices.Clone(d.Skipped), elsewhere), Reason: d.Reason, Problem: d.Problem}
	}
}

// addRecovery adds what was declared recovered before the deadline, and what we
// would have declared.
func addRecovery(r *vigil.ShadowRecord, duties []vigil.Duty, before []vigil.Partition) error {
	for _, d := range duties {
		switch {
		case d.ID.Kind != vigil.KindRecover:
		case d.State == vigil.StateShadowed:
			r.Recovery.Ours = append(r.Recovery.Ours, d.Sectors...)
			if r.Recovery.Epoch == 0 || d.Shadow.Sent < r.Recovery.Epoch {
				r.Recovery.Epoch = d.Shadow.Sent
			}
		case d.State == vigil.StateMissed:
			r.Recovery.Unreadable = append(r.Recovery.Unreadable, d.Skipped...)
		}
	}
	for _, p := range before {
		declared, err := numbers(p.Recovering)
		if err != nil {
			return fmt.Errorf("partition %d: recovering sectors: %w", p.Index, err)
		}
		r.Recovery.Theirs = append(r.Recovery.Theirs, declared...)
	}
	return nil
}
