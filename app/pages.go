package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/dashboard"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/store"
)

// shown is what the dashboard may ask for.
func (d *Daemon) shown() dashboard.Config {
	return dashboard.Config{
		Status: d, Messages: d.tell, Desk: d.courier, Chain: d.nodes, Story: d.story, Times: d.times, Shadow: d.shadows, Measured: d.meter,
		Hosts: d.config.Dashboard.Hosts, Log: d.log,
	}
}

// times gives what the newest proofs took, of each miner its share.
func (d *Daemon) times(ctx context.Context, most int) ([]dashboard.Times, error) {
	var times []dashboard.Times
	for _, miner := range d.config.Miners {
		proofs, err := d.store.Times(ctx, miner, max(1, most/len(d.config.Miners)))
		if err != nil {
			return nil, err
		}
		for _, p := range proofs {
			times = append(times, dashboard.Times{Duty: p.Duty, Partitions: len(p.Partitions), Read: p.ReadTime, Prove: p.ProveTime})
		}
	}
	return times, nil
}

// story tells what is stored of a duty: how its row came to be, and its messages.
func (d *Daemon) story(ctx context.Context, id vigil.DutyID) (dashboard.Story, error) {
	duty, err := d.duty(ctx, id)
	if err != nil {
		return dashboard.Story{}, err
	}
	outcomes, err := d.store.Outcomes(ctx, id)
	if err != nil {
		return dashboard.Story{}, err
	}
	s := dashboard.Story{Duty: duty}
	for _, o := range outcomes {
		s.Events = append(s.Events, eventOf(o))
	}
	proof, err := d.store.Proof(ctx, id)
	if err != nil && !errors.Is(err, vigil.ErrNotFound) {
		return dashboard.Story{}, err
	}
	s.ReadTime, s.ProveTime = proof.ReadTime, proof.ProveTime
	s.Messages, err = d.messagesOf(ctx, duty, outcomes)
	return s, err
}

func (d *Daemon) duty(ctx context.Context, id vigil.DutyID) (vigil.Duty, error) {
	duties, err := d.store.Duties(ctx, id.Miner, id.Open)
	if err != nil {
		return vigil.Duty{}, err
	}
	i := slices.IndexFunc(duties, func(known vigil.Duty) bool { return known.ID == id })
	if i < 0 {
		return vigil.Duty{}, fmt.Errorf("duty %s: %w", id, vigil.ErrNotFound)
	}
	return duties[i], nil
}

// messagesOf tells of a duty's messages, as its log and its row name them, oldest first.
func (d *Daemon) messagesOf(ctx context.Context, duty vigil.Duty, outcomes []store.Outcome) ([]explain.Message, error) {
	var ids []string
	for _, o := range append(outcomes, store.Outcome{Message: duty.MessageID}) {
		if o.Message != "" && !slices.Contains(ids, o.Message) {
			ids = append(ids, o.Message)
		}
	}
	var all []explain.Message
	for _, id := range ids {
		told, err := d.tell(ctx, vigil.MessageQuery{ID: id})
		if err != nil {
			return nil, err
		}
		all = append(all, told...)
	}
	slices.SortStableFunc(all, func(a, b explain.Message) int { return a.Created.Compare(b.Created) })
	return all, nil
}

// eventOf tells an entry of the log in a sentence.
func eventOf(o store.Outcome) dashboard.Event {
	e := dashboard.Event{Time: o.Time, Epoch: o.Epoch, State: o.After, Problem: o.Problem != ""}
	subject := "The duty"
	if o.Message != "" {
		subject = "Its message"
	}
	switch {
	case o.Before == o.After:
		e.State, e.Text = "", subject+" met a problem"
	case o.Before == "":
		e.Text = fmt.Sprintf("%s came to be, %s", subject, o.After)
	default:
		e.Text = fmt.Sprintf("%s was %s and is %s", subject, o.Before, o.After)
	}
	said := cmp.Or(o.Problem, strings.ReplaceAll(string(o.Reason), "_", " "))
	if said != "" {
		e.Text += ": " + said
	}
	e.Text += "."
	return e
}
