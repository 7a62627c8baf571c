package dashboard

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Times are how long the work on a duty's proof took.
type Times struct {
	Duty       vigil.DutyID
	Partitions int
	Read       time.Duration
	Prove      time.Duration
}

const (
	mostTimes      = 400 // on the plot
	mostTimesLines = 24  // in the table
)

// timesView is the page of times.
type timesView struct {
	Lines []timesLine
	All   int
	Read  spread
	Prove spread
}

type timesLine struct {
	Times
	Opened time.Time
	Link   string
}

// spread is how long something usually takes, and at worst.
type spread struct{ Median, Ninth, Most time.Duration }

// times gives the times of the proofs that are stored, by when their deadlines opened.
func (d *dashboard) times(ctx context.Context, at moment) ([]Times, error) {
	if d.Times == nil {
		return nil, nil
	}
	found, err := d.proofs.get(ctx, at, "", func(ctx context.Context) ([]Times, error) {
		found, err := d.Times(ctx, mostTimes)
		slices.SortStableFunc(found, func(a, b Times) int { return cmp.Compare(a.Duty.Open, b.Duty.Open) })
		return found, err
	})
	return found, err
}

func (d *dashboard) timesPage(r *http.Request, at moment) (sight, error) {
	found, err := d.times(r.Context(), at)
	if err != nil {
		return unreadable("Times", err), nil
	}
	v := timesView{All: len(found)}
	for i := len(found) - 1; i >= max(0, len(found)-mostTimesLines); i-- {
		v.Lines = append(v.Lines, timesLine{found[i], at.at(found[i].Duty.Open), dutyPath(found[i].Duty.String())})
	}
	v.Read = spreadOf(found, func(t Times) time.Duration { return t.Read })
	v.Prove = spreadOf(found, func(t Times) time.Duration { return t.Prove })
	return sight{title: "Times", pieces: []piece{{"plots", "plots", v.All > 0}, {"times", "times", v}}, plots: true}, nil
}

func spreadOf(found []Times, of func(Times) time.Duration) spread {
	if len(found) == 0 {
		return spread{}
	}
	all := make([]time.Duration, len(found))
	for i, t := range found {
		all[i] = of(t)
	}
	slices.Sort(all)
	return spread{all[len(all)/2], all[len(all)*9/10], all[len(all)-1]}
}

// timesJSON is the plot's data, the earliest deadline first.
func (d *dashboard) timesJSON(w http.ResponseWriter, r *http.Request) {
	at := moment{d.Status.Status(), time.Now()}
	found, err := d.times(r.Context(), at)
	if err != nil {
		d.broken(w, r, err)
		return
	}
	type line struct {
		Duty       string         `json:"duty"`
		Open       abi.ChainEpoch `json:"open"`
		Opened     time.Time      `json:"opened"`
		Partitions int            `json:"partitions"`
		Read       float64        `json:"read_seconds"`
		Prove      float64        `json:"prove_seconds"`
	}
	lines := []line{}
	for _, t := range found {
		lines = append(lines, line{t.Duty.String(), t.Duty.Open, at.at(t.Duty.Open), t.Partitions, t.Read.Seconds(), t.Prove.Seconds()})
	}
	body, err := json.Marshal(lines)
	if err != nil {
		d.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}
