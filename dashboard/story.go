package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
)

// storyView is a duty's page.
type storyView struct {
	dutyView
	Miner, MinerLink, DeadlineLink string
	Opens, Shuts                   time.Time
	Why                            []string
	Advice                         string
	Paid                           abi.TokenAmount
	Facts                          *explain.ProofFacts
	Events                         []eventView
	Messages                       []messageView
	Bar                            barView
}

// eventView is a moment with its place in the deadline's window.
type eventView struct {
	mark
	explain.Moment
	Left string // to Close
	X    string // on the bar
}

// barView is the time from the challenge to Close as a line.
type barView struct {
	OpenX string
	NowX  string // nothing when the window is over
	Fact  bool   // there is a window to draw
}

// dutyPage is a duty and all that happened to it.
func (d *dashboard) dutyPage(r *http.Request, at moment) (sight, error) {
	name := r.PathValue("duty")
	id, err := vigil.ParseDutyID(name)
	if err != nil {
		return sight{}, &notHere{err.Error()}
	}
	if d.Past == nil {
		return sight{}, &notHere{"no duty is remembered here"}
	}
	story, err := d.stories.get(r.Context(), at, id.String()+stand(id.String(), at), func(ctx context.Context) (explain.Story, error) {
		return d.Past.Why(ctx, id)
	})
	if errors.Is(err, vigil.ErrNotFound) {
		return sight{}, &notHere{"there is no duty " + name}
	}
	if err != nil {
		return unreadable("Duty "+id.String(), err), nil
	}
	return sight{title: "Duty " + id.String(), pieces: []piece{{"duty", "duty", viewStory(id, story, at)}}}, nil
}

// stand is what the status says of a duty: its story is read anew when that changes.
func stand(duty string, at moment) string {
	for _, m := range at.Miners {
		for _, d := range m.Duties {
			if d.Duty == duty {
				return fmt.Sprint(" ", d.Row.State, d.Message, d.MessageIs, d.Running, d.Row.Problem)
			}
		}
	}
	return ""
}

func viewStory(id vigil.DutyID, s explain.Story, at moment) storyView {
	row := vigil.Duty{ID: id, Deadline: s.Window, Partitions: s.Partitions, State: s.State, Skipped: s.Skipped, Reason: s.Reason, Problem: s.Problem}
	line := vigil.DutyStatus{Duty: s.ID, Kind: s.Kind, Deadline: s.Deadline, Open: s.Open, Close: s.Close, Row: row}
	if m, err := at.miner(s.Miner); err == nil {
		for _, d := range m.Duties {
			if d.Duty == line.Duty {
				line.Running, line.Message, line.MessageIs = d.Running, d.Message, d.MessageIs
			}
		}
	}
	v := storyView{
		dutyView: viewDuty(line, at.Head, at), Miner: s.Miner, MinerLink: minerPath(s.Miner), DeadlineLink: deadlinePath(s.Miner, s.Deadline),
		Opens: at.at(s.Open), Shuts: at.at(s.Close), Facts: s.Proof,
		Why: s.Why, Advice: s.Advice, Paid: s.Paid, Bar: viewBar(s.Window, at),
	}
	if s.Kind == vigil.KindRecover {
		v.What = "recover " + count(s.Sectors, "sector")
	}
	for _, e := range s.Timeline {
		v.Events = append(v.Events, viewEvent(e, s.Window, at))
	}
	for _, m := range s.Messages {
		v.Messages = append(v.Messages, viewMessage(m, at.Head))
	}
	return v
}

func viewEvent(e explain.Moment, d vigil.Deadline, at moment) eventView {
	v := eventView{mark: eventMark(e), Moment: e}
	if e.Time.IsZero() {
		e.Time = at.at(e.Epoch) // of the chain's clock
		v.Time = e.Time
	}
	if closes := at.at(d.Close); !closes.IsZero() && !e.Time.IsZero() {
		v.X = barPlace(e.Time, d, at)
		if spare := closes.Sub(e.Time); spare >= 0 {
			v.Left = duration(spare.Truncate(time.Second)) + " before Close"
		} else {
			v.Left = duration((-spare).Truncate(time.Second)) + " after Close"
		}
	}
	return v
}

func eventMark(e explain.Moment) mark {
	m := markOf(vigil.DutyState(e.State))
	if e.Kind == vigil.EventProof {
		m = markOf(vigil.StateProved)
	}
	if m == markUpcoming {
		m = messageMark(vigil.MessageState(e.State))
	}
	if e.Level != "info" && m.Class != markMissed.Class {
		m = mark{"warning", "!", "problem"}
	}
	return m
}

const barWidth = 1000.0

// viewBar draws the window from its challenge to its Close.
func viewBar(d vigil.Deadline, at moment) barView {
	if d.Close <= d.Challenge || at.at(d.Open).IsZero() {
		return barView{}
	}
	v := barView{OpenX: barPlace(at.at(d.Open), d, at), Fact: true}
	if at.Head >= d.Challenge && at.Head < d.Close {
		v.NowX = barPlace(at.at(at.Head), d, at)
	}
	return v
}

// barPlace is where a time is on the bar; what was before or after is at its ends.
func barPlace(t time.Time, d vigil.Deadline, at moment) string {
	from, to := at.at(d.Challenge), at.at(d.Close)
	share := float64(t.Sub(from)) / float64(max(to.Sub(from), 1))
	return decimal(barWidth * min(max(share, 0), 1))
}
