package devnet

import (
	"context"
	"fmt"
	"runtime"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"golang.org/x/sync/errgroup"

	"github.com/vigil-post/vigil/devnet/actor"
)

// endEpoch is what the network does after the messages of every epoch, null
// rounds too: sectors arrive, and deadlines whose last epoch this is close.
func (n *Network) endEpoch(ctx context.Context, x *machine, epoch abi.ChainEpoch) error {
	x.epoch = epoch
	for _, id := range x.st.miners() {
		if arriving := n.arriving(epoch); arriving > 0 {
			if err := n.addSectors(ctx, x, id, arriving); err != nil {
				return fmt.Errorf("add sectors to miner %d: %w", id, err)
			}
		}
		if err := n.closeDeadline(x, id); err != nil {
			return fmt.Errorf("cron of miner %d: %w", id, err)
		}
	}
	for _, o := range n.weather.ordered(epoch) {
		n.obey(ctx, x, o)
	}
	return n.migrate(x, epoch)
}

// arriving is how many sectors come in an epoch, so that Onboard of them in a
// proving period are spread evenly.
func (n *Network) arriving(epoch abi.ChainEpoch) int {
	perPeriod, period := int64(n.cfg.Onboard), int64(miner.WPoStProvingPeriod)
	return int(int64(epoch)*perPeriod/period - int64(epoch-1)*perPeriod/period)
}

// closeDeadline lets the actor close the deadline whose last epoch this is, if
// it is one, and counts what became of it.
func (n *Network) closeDeadline(x *machine, id abi.ActorID) error {
	e, err := actor.EndEpoch(x.runtime(id, 0), x.st.actors[id].head)
	if err != nil {
		return err
	}
	if err := x.settle(id, 0, e); err != nil {
		return err
	}
	if e.Closed == nil {
		return nil
	}
	t := x.st.tally[id]
	t.close(e.Closed)
	x.st.tally[id] = t
	if e.Closed.Missed > 0 {
		n.log.Warn("a deadline closed with partitions not posted", "miner", idAddress(id), "epoch", x.epoch,
			"deadline", e.Closed.Deadline, "posted", e.Closed.Posted, "missed", e.Closed.Missed)
	}
	return nil
}

func (t *Tally) close(c *actor.Closed) {
	t.Deadlines++
	if c.Posted+c.Missed > 0 {
		t.DeadlinesDue++
	}
	t.PartitionsDue += c.Posted + c.Missed
	t.PartitionsConfirmed += c.Posted
	t.PartitionsMissed += c.Missed
}

// addSectors makes the files of new sectors, if their size has any, and hands
// them to the actor, which assigns them to deadlines by the network's rule.
func (n *Network) addSectors(ctx context.Context, x *machine, id abi.ActorID, count int) error {
	if count == 0 {
		return nil
	}
	info, err := x.info(id)
	if err != nil {
		return err
	}
	t := x.st.tally[id]
	var sectors []*miner.SectorOnChainInfo
	for range count {
		number := abi.SectorNumber(t.SectorsAdded)
		commR := fakeCommR(id, number)
		if !IsFake(info.SectorSize) {
			if commR, err = n.cfg.Sector(ctx, n.Storage(), id, number); err != nil {
				return fmt.Errorf("make sector %d: %w", number, err)
			}
		}
		sealed, err := sealedCID(commR)
		if err != nil {
			return err
		}
		sectors = append(sectors, newSector(number, info.SectorSize, sealed, x.epoch))
		t.SectorsAdded++
	}
	x.st.tally[id] = t
	return x.assign(id, sectors)
}

// audit asks the real verifier about every proof that the actor took in this
// epoch, as the network itself would only in a dispute.
func (n *Network) audit(ctx context.Context, x *machine) error {
	verdicts := make([]error, len(x.posts))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range x.posts {
		g.Go(func() error {
			verdicts[i] = n.judge(p.question)
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, p := range x.posts {
		t := x.st.tally[p.miner]
		t.ProofsChecked++
		t.SectorsSkipped += p.post.Skipped
		if verdicts[i] != nil {
			t.ProofsInvalid++
			n.log.Error("a posted proof is invalid", "miner", idAddress(p.miner), "deadline", p.post.Deadline,
				"partitions", p.post.Partitions, "epoch", x.epoch, "why", verdicts[i])
		}
		x.st.tally[p.miner] = t
	}
	return nil
}
