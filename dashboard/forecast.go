package dashboard

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// A page shows so many deadlines that fit; those that do not fit are all shown.
const mostForecasts = 100

// forecastView is what is expected of the deadlines to come.
type forecastView struct {
	Late, Fitting []forecastLine // by when they open
	Rest          int            // that fit and are not shown
	Miners        int
}

type forecastLine struct {
	Miner, Link    string
	Index          uint64
	Opens, Closes  time.Time
	In             string // until it opens
	Sectors        uint64
	Partitions     int
	Finish         time.Time
	Spare          string // between the finish and Close
	open           abi.ChainEpoch
	vigil.Forecast // what it rests on
}

func (d *dashboard) forecastPage(_ *http.Request, at moment) (sight, error) {
	return sight{title: "Forecast", pieces: []piece{{"forecast", "forecast", viewForecast(at)}}}, nil
}

func viewForecast(at moment) forecastView {
	v := forecastView{Miners: len(at.Miners)}
	for _, m := range at.Miners {
		for _, d := range m.Deadlines {
			if d.Forecast == nil || d.Deadline.Close <= m.Epoch {
				continue
			}
			line := viewForecastLine(m, d, at)
			if line.Fits {
				v.Fitting = append(v.Fitting, line)
			} else {
				v.Late = append(v.Late, line)
			}
		}
	}
	for _, lines := range [][]forecastLine{v.Late, v.Fitting} {
		slices.SortStableFunc(lines, func(a, b forecastLine) int { return cmp.Compare(a.open, b.open) })
	}
	v.Rest = max(0, len(v.Fitting)-mostForecasts)
	v.Fitting = v.Fitting[:len(v.Fitting)-v.Rest]
	return v
}

func viewForecastLine(m vigil.MinerStatus, d vigil.DeadlineStatus, at moment) forecastLine {
	spare := time.Duration(d.Deadline.Close-d.Forecast.Finish) * at.Delay
	line := forecastLine{
		Miner: m.Miner, Link: deadlinePath(m.Miner, d.Deadline.Index), Index: d.Deadline.Index, open: d.Deadline.Open,
		Opens: at.at(d.Deadline.Open), Closes: at.at(d.Deadline.Close), In: when(d.Deadline.Open, d.Deadline.Close, m.Epoch, at.Delay),
		Sectors: d.Sectors, Partitions: d.Partitions, Finish: at.at(d.Forecast.Finish), Forecast: *d.Forecast,
	}
	line.Spare = duration(max(spare, 0)) + " to spare"
	if spare < 0 {
		line.Spare = duration(-spare) + " late"
	}
	return line
}
