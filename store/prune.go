package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil/store/internal/rows"
)

// What bounds each table:
//
//	journal, outcomes      the keeping time ([data] journal_days)
//	duties, shadows        the same; of duties those that are final
//	messages, attempts,    the same; of messages those that are settled and whose
//	nonces                 nonces the chain is past (prune.sql)
//	proofs                 a proving period and finality: after its deadline's Close no
//	                       proof is sent, but a reorg can open the deadline again, and
//	                       how long the next ones take is measured on those of a day
//	audits                 the dispute window; a miner's own are dropped by audit,
//	                       those of a miner that is not configured any more here
//	rehearsals             one row a deadline of a miner
//	cursor                 the tipsets that can be reorganised
//	senders, leases        one row a sender
//	alive                  one row
//
// Rows of the last week are kept whatever the keeping time is and whatever the
// clock says: budgets count back a day, disputes and reorgs less, and a clock that
// jumps ahead must not cost the present its rows. SQLite gives the room of deleted
// rows to new ones: the file stays as large as it was.

const (
	// proofsKept is how many epochs after its deadline opens a proof is kept: a
	// proving period, a deadline and the chain's finality, and some.
	proofsKept abi.ChainEpoch = 2880 + 1000
	// leastKept is a week.
	leastKept abi.ChainEpoch = 7 * 2880
	// auditsKept is longer than a post can be disputed.
	auditsKept abi.ChainEpoch = 2880

	// prunedAtOnce is how many rows are deleted in one transaction: others wait for it.
	prunedAtOnce = 500
	// messagesAtOnce are deleted with their attempts and nonces.
	messagesAtOnce = 50
	// proofsAtOnce have some hundred kilobytes each.
	proofsAtOnce = 20
	// turnsInARow is how many transactions a table is given before it is the others' turn again.
	turnsInARow = 40
)

// Prune deletes what nobody needs any more: proofs and verdicts that are over, and
// what happened before a time; the zero time keeps all that happened. It does a
// piece of it, in short transactions with turns for others in between, and says
// whether there is more.
func (s *Store) Prune(ctx context.Context, before time.Time) (more bool, err error) {
	p := pruning{store: s, before: before}
	if err := s.look(ctx, "see what is old", func(q *rows.Queries) error { return p.measure(ctx, q) }); err != nil {
		return false, err
	}
	for _, step := range []func(context.Context) error{p.proofs, p.audits, p.duties, p.shadows, p.messages, p.outcomes, p.events} {
		if err := step(ctx); err != nil {
			return false, fmt.Errorf("delete what is old: %w", err)
		}
	}
	return p.more, nil
}

// pruning is one run of it.
type pruning struct {
	store  *Store
	before time.Time
	head   abi.ChainEpoch // the latest that is known
	week   abi.ChainEpoch // before it: what happened since is kept, whatever the clock says
	epoch  abi.ChainEpoch // of the time: what is owed since is kept
	more   bool
}

// measure finds the epoch that was the latest at the time, from what was written
// down then: the time and the epoch of an outcome stand in one row.
func (p *pruning) measure(ctx context.Context, q *rows.Queries) error {
	head, err := q.LatestEpoch(ctx)
	if err != nil {
		return err
	}
	p.head, p.week = abi.ChainEpoch(head), abi.ChainEpoch(head)-leastKept
	if p.before.IsZero() {
		return nil
	}
	epoch, err := q.EpochBefore(ctx, p.before.UnixNano())
	p.epoch = min(abi.ChainEpoch(epoch), p.week)
	return err
}

// turns deletes again and again until less is found than was asked for, or it is
// others' turn.
func (p *pruning) turns(ctx context.Context, most int64, what string, f func(q *rows.Queries, most int64) (int64, error)) error {
	for range turnsInARow {
		var n int64
		err := p.store.transact(ctx, what, func(q *rows.Queries) (err error) {
			n, err = f(q, most)
			return err
		})
		if err != nil || n < most {
			return err
		}
	}
	p.more = true
	return nil
}

// ofMiners does it for every miner of a table.
func (p *pruning) ofMiners(ctx context.Context, next func(*rows.Queries) func(context.Context, int64) (int64, error), most int64, what string, f func(q *rows.Queries, miner, most int64) (int64, error)) error {
	var miners []int64
	err := p.store.look(ctx, what, func(q *rows.Queries) (err error) {
		miners, err = each(ctx, next(q))
		return err
	})
	if err != nil {
		return err
	}
	for _, miner := range miners {
		if err := p.turns(ctx, most, what, func(q *rows.Queries, most int64) (int64, error) { return f(q, miner, most) }); err != nil {
			return err
		}
	}
	return nil
}

func nextMiner(q *rows.Queries) func(context.Context, int64) (int64, error) { return q.NextMiner }

func (p *pruning) proofs(ctx context.Context) error {
	return p.ofMiners(ctx, nextMiner, proofsAtOnce, "proofs", func(q *rows.Queries, miner, most int64) (int64, error) {
		return q.PruneProofs(ctx, rows.PruneProofsParams{Miner: miner, Epoch: int64(p.head - proofsKept), Most: most})
	})
}

func (p *pruning) audits(ctx context.Context) error {
	next := func(q *rows.Queries) func(context.Context, int64) (int64, error) { return q.NextAuditMiner }
	return p.ofMiners(ctx, next, prunedAtOnce, "audits", func(q *rows.Queries, miner, most int64) (int64, error) {
		return 0, q.DeleteAudits(ctx, rows.DeleteAuditsParams{Miner: miner, Closed: int64(p.head - auditsKept)})
	})
}

func (p *pruning) duties(ctx context.Context) error {
	return p.ofMiners(ctx, nextMiner, prunedAtOnce, "duties", func(q *rows.Queries, miner, most int64) (int64, error) {
		return q.PruneDuties(ctx, rows.PruneDutiesParams{Miner: miner, Epoch: int64(p.epoch), Most: most})
	})
}

func (p *pruning) shadows(ctx context.Context) error {
	next := func(q *rows.Queries) func(context.Context, int64) (int64, error) { return q.NextShadowMiner }
	return p.ofMiners(ctx, next, prunedAtOnce, "shadow records", func(q *rows.Queries, miner, most int64) (int64, error) {
		return q.PruneShadows(ctx, rows.PruneShadowsParams{Miner: miner, Epoch: int64(p.epoch), Most: most})
	})
}

func (p *pruning) messages(ctx context.Context) error {
	return p.turns(ctx, messagesAtOnce, "messages", func(q *rows.Queries, most int64) (int64, error) {
		ids, err := q.ListForgettable(ctx, rows.ListForgettableParams{Before: p.before.UnixNano(), Epoch: int64(p.epoch), Most: most})
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		if err := errors.Join(q.DeleteAttempts(ctx, ids), q.DeleteNonces(ctx, ids)); err != nil {
			return 0, err
		}
		return q.DeleteMessages(ctx, ids)
	})
}

func (p *pruning) outcomes(ctx context.Context) error {
	return p.turns(ctx, prunedAtOnce, "outcomes", func(q *rows.Queries, most int64) (int64, error) {
		return q.PruneOutcomes(ctx, rows.PruneOutcomesParams{Before: p.before.UnixNano(), Epoch: int64(p.week), Most: most})
	})
}

func (p *pruning) events(ctx context.Context) error {
	return p.turns(ctx, prunedAtOnce, "events of the journal", func(q *rows.Queries, most int64) (int64, error) {
		return q.PruneEvents(ctx, rows.PruneEventsParams{Before: p.before.UnixNano(), Epoch: int64(p.week), Most: most})
	})
}
