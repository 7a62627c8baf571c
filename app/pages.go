package app

import (
	"context"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/dashboard"
)

// shown is what the dashboard may ask for.
func (d *Daemon) shown() dashboard.Config {
	return dashboard.Config{
		Status: d, Messages: d.tell, Desk: d.courier, Chain: d.nodes, Times: d.times, Shadow: d.shadows, Plan: d.runner.Forecast, Measured: d.meter, Past: d.past(), Present: d.present(),
		Hosts: func() []string { return d.settings().Dashboard.Hosts }, Log: d.log,
	}
}

// times gives what the newest proofs took.
func (d *Daemon) times(ctx context.Context, most int) ([]dashboard.Times, error) {
	duties, err := d.store.FindDuties(ctx, vigil.DutyQuery{Kind: vigil.KindPost, Limit: most})
	if err != nil {
		return nil, err
	}
	var times []dashboard.Times
	for _, duty := range duties {
		if took := duty.Took; took.Prove > 0 {
			times = append(times, dashboard.Times{Duty: duty.ID, Partitions: len(duty.Partitions), Read: took.Read, Prove: took.Prove})
		}
	}
	return times, nil
}
