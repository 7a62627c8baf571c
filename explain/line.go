package explain

import (
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Page is a piece of the journal in sentences.
type Page struct {
	Moments []Moment `json:"moments"` // oldest first
	Next    string   `json:"next"`    // after=NEXT asks for what comes after
}

// TellPage puts a piece of the journal into sentences.
func TellPage(p vigil.JournalPage) Page {
	page := Page{Moments: make([]Moment, len(p.Events)), Next: p.Next}
	for i, e := range p.Events {
		m := Moment{Time: e.Time, Epoch: e.Epoch, Kind: e.Kind, Level: LevelOf(e), State: e.After, Text: TellEvent(e), TipSet: e.TipSet, Proof: e.Proof}
		if e.Duty != (vigil.DutyID{}) {
			m.Duty = e.Duty.String()
		}
		if e.Kind == vigil.EventMessage {
			m.Message = e.About
		}
		if id := max(e.Miner, e.Duty.Miner); id != abi.ActorID(0) {
			m.Miner = vigil.MinerAddress(id).String()
		}
		page.Moments[i] = m
	}
	return page
}
