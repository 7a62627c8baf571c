package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/store"
)

// Past tells what happened from a daemon's database, while it runs or not.
type Past struct {
	store *store.Store
	at    func(context.Context) explain.At // what is known of the present
	close func() error
}

// OpenPast opens the database of a data folder for reading; a daemon may be using it.
func OpenPast(ctx context.Context, data string) (*Past, error) {
	path := filepath.Join(data, "vigil.db")
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("no daemon has run with this configuration: %w", err)
	}
	network, err := readOrigin(data)
	if err != nil {
		return nil, err
	}
	s, err := store.OpenReading(ctx, path)
	if err != nil {
		return nil, err
	}
	if network.Name != "" {
		writeAddressesOf(network)
	}
	return &Past{store: s, at: func(context.Context) explain.At { return explain.At{Epoch: readDelay(data)} }, close: s.Close}, nil
}

// Close gives up what OpenPast opened.
func (p *Past) Close() error { return p.close() }

// past is what a running daemon answers from.
func (d *Daemon) past() *Past {
	return &Past{store: d.store, at: d.presently, close: func() error { return nil }}
}

// presently is when somebody looks.
func (d *Daemon) presently(ctx context.Context) explain.At {
	status := d.picture()
	at := explain.At{Head: status.Head, Epoch: status.Delay, Confidence: d.settings().Messager.Confidence}
	limited, cancel := context.WithTimeout(ctx, basePatience)
	defer cancel()
	if head, err := d.nodes.Head(limited); err == nil {
		at.BaseFee = head.BaseFee
	}
	return at
}

// Duties implements dashboard.Past.
func (p *Past) Duties(ctx context.Context, q vigil.DutyQuery) ([]explain.Duty, error) {
	found, err := p.store.FindDuties(ctx, q)
	if err != nil {
		return nil, err
	}
	list := make([]explain.Duty, len(found))
	for i, d := range found {
		list[i] = explain.ListDuty(d)
	}
	return list, nil
}

// sharedBefore is how many epochs before a duty's challenge the daemon's and the
// nodes' events are looked at: how things stood when it began.
const sharedBefore = 2880

// mostShared is how many of those, and of those until it was over, are looked at:
// nodes that come and go every second must not make a story of megabytes.
const mostShared = 5000

// Why implements dashboard.Past.
func (p *Past) Why(ctx context.Context, id vigil.DutyID) (explain.Story, error) {
	d, err := p.store.Duty(ctx, id)
	if err != nil {
		return explain.Story{}, err
	}
	own, err := p.store.Journal(ctx, vigil.JournalQuery{Duty: id})
	if err != nil {
		return explain.Story{}, err
	}
	shared, err := p.store.Journal(ctx, vigil.JournalQuery{
		Shared: true, Miner: id.Miner, Limit: mostShared,
		From: max(d.Deadline.Challenge-sharedBefore, 0), Until: lastOf(d, own.Events),
	})
	if err != nil {
		return explain.Story{}, err
	}
	messages, err := p.store.DutyMessages(ctx, id)
	if err != nil {
		return explain.Story{}, err
	}
	audits, err := p.auditsOf(ctx, d)
	if err != nil {
		return explain.Story{}, err
	}
	return explain.Recount(explain.Record{Duty: d, Events: own.Events, Shared: shared.Events, Messages: messages, Audits: audits}, p.at(ctx)), nil
}

// auditsOf gives the verdicts on what was posted for a post's partitions.
func (p *Past) auditsOf(ctx context.Context, d vigil.Duty) ([]vigil.Audit, error) {
	if d.ID.Kind != vigil.KindPost {
		return nil, nil
	}
	audits, err := p.store.Audits(ctx, d.ID.Miner, d.Deadline.Open)
	return slices.DeleteFunc(audits, func(a vigil.Audit) bool {
		theirs := func(partition uint64) bool { return slices.Contains(d.Partitions, partition) }
		return a.Deadline.Open != d.Deadline.Open || !slices.ContainsFunc(a.Partitions, theirs)
	}), err
}

// lastOf is the last epoch of a duty's time: its Close, or what was done about it later.
func lastOf(d vigil.Duty, own []vigil.Event) abi.ChainEpoch {
	last := d.Deadline.Close
	for _, e := range own {
		last = max(last, e.Epoch)
	}
	return last
}

// lookedAt is how many duties are looked at to find one that was missed or late.
const lookedAt = 500

// Trouble implements dashboard.Past.
func (p *Past) Trouble(ctx context.Context, miner abi.ActorID) (explain.Story, error) {
	found, err := p.store.FindDuties(ctx, vigil.DutyQuery{Miner: miner, Kind: vigil.KindPost, Limit: lookedAt})
	if err != nil {
		return explain.Story{}, err
	}
	d, ok, err := explain.PickLast(found, func(id vigil.DutyID) ([]vigil.Message, error) { return p.store.DutyMessages(ctx, id) })
	if err != nil {
		return explain.Story{}, err
	}
	if !ok {
		return explain.Story{}, noTrouble(len(found))
	}
	return p.Why(ctx, d.ID)
}

// noTrouble says that all of so many duties went well: it is a vigil.ErrNotFound.
type noTrouble int

func (n noTrouble) Error() string {
	return fmt.Sprintf("of the last %d posts none was missed, and none was late: say which duty is meant, vigil duties lists them", int(n))
}

func (noTrouble) Is(target error) bool { return target == vigil.ErrNotFound }

// Journal implements dashboard.Past.
func (p *Past) Journal(ctx context.Context, q vigil.JournalQuery) (explain.Page, error) {
	page, err := p.store.Journal(ctx, q)
	return explain.TellPage(page), err
}

// LastSeen is the newest epoch that a daemon has written down, and when.
func (p *Past) LastSeen(ctx context.Context) (string, error) {
	epoch, at, err := p.store.LastSign(ctx)
	if err != nil || epoch == 0 {
		return "", err
	}
	text := fmt.Sprintf("its database knows of epoch %d", epoch)
	if !at.IsZero() {
		text += fmt.Sprintf(", and the daemon was alive at %s", at.Local().Format("2006-01-02 15:04:05"))
	}
	return text, nil
}
