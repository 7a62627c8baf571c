package dashboard

import (
	"cmp"
	"net/http"
	"slices"
)

// overview is the first page: the alarms, and the miners. One miner is shown
// whole; of many each has a small dial.
func (d *dashboard) overview(_ *http.Request, at moment) (sight, error) {
	pieces := []piece{{"alarms", "alarms", alarmLines(at)}}
	miners := make([]minerView, len(at.Miners))
	for i, m := range at.Miners {
		miners[i] = viewMiner(m, at)
	}
	switch len(miners) {
	case 0:
		return sight{title: "No miner", pieces: append(pieces, piece{"none", "none", at.Status})}, nil
	case 1:
		return sight{title: miners[0].Miner, pieces: append(pieces, minerPieces(miners[0])...)}, nil
	}
	slices.SortStableFunc(miners, func(a, b minerView) int { return cmp.Compare(weight(b), weight(a)) })
	pieces = append(pieces, piece{"sum", "sum", sumOf(miners)})
	for _, m := range miners {
		pieces = append(pieces, piece{anchor(m.Miner), "card", m})
	}
	return sight{title: count(len(miners), "miner"), pieces: pieces}, nil
}

// weight puts those first that need somebody.
func weight(v minerView) int {
	if v.Worst == minerTrouble {
		return 1
	}
	return 0
}

// sumView is all miners in a line.
type sumView struct {
	Miners, Troubled, Busy int
	Sectors, Faulty        uint64
	Legend                 []mark
}

func sumOf(miners []minerView) sumView {
	v := sumView{Miners: len(miners), Legend: legend}
	for _, m := range miners {
		v.Sectors += m.Sectors
		v.Faulty += m.Faulty
		v.Troubled += weight(m)
		if m.Worst == minerBusy {
			v.Busy++
		}
	}
	return v
}
