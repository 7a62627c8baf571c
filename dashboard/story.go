package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
)

// Story is what is known of a duty: its row and what happened, oldest first.
type Story struct {
	Duty     vigil.Duty
	Why      []string // how it stands or ended and why, in sentences
	Advice   string   // what to do, if there is something
	Paid     abi.TokenAmount
	Events   []Event
	Messages []explain.Message
	// Of its proof, if one is stored.
	ReadTime, ProveTime time.Duration
}

// Event is one thing that happened to a duty.
type Event struct {
	Time    time.Time
	Epoch   abi.ChainEpoch // the latest that was known
	State   string         // of the duty or of its message that it came to, if it did
	Text    string         // in a sentence
	Problem bool
}

// storyView is a duty's page.
type storyView struct {
	dutyView
	Miner, MinerLink, DeadlineLink string
	Opens, Shuts                   time.Time
	Why                            []string
	Advice                         string
	Paid                           abi.TokenAmount
	ReadTime, ProveTime            time.Duration
	Events                         []eventView
	Messages                       []messageView
	Bar                            barView
}

// eventView is an event with its place in the deadline's window.
type eventView struct {
	mark
	Event
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
	id, err := parseDuty(name)
	if err != nil {
		return sight{}, &notHere{err.Error()}
	}
	if d.Story == nil {
		return sight{}, &notHere{"no duty is remembered here"}
	}
	story, err := d.stories.get(r.Context(), at, id.String()+stand(id.String(), at), func(ctx context.Context) (Story, error) {
		return d.Story(ctx, id)
	})
	if errors.Is(err, vigil.ErrNotFound) {
		return sight{}, &notHere{"there is no duty " + name}
	}
	if err != nil {
		return unreadable("Duty "+id.String(), err), nil
	}
	return sight{title: "Duty " + id.String(), pieces: []piece{{"duty", "duty", viewStory(story, at)}}}, nil
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

// parseDuty reads a duty's name: f01000/1144209/0, or f01000/1144209/recover/0.
func parseDuty(name string) (vigil.DutyID, error) {
	unknown := fmt.Errorf("%q is no duty's name: it is like f01000/1144209/0", name)
	words := strings.Split(name, "/")
	id := vigil.DutyID{Kind: vigil.KindPost}
	if len(words) == 4 && words[2] == string(vigil.KindRecover) {
		id.Kind, words = vigil.KindRecover, slices.Delete(words, 2, 3)
	}
	if len(words) != 3 {
		return id, unknown
	}
	named, err := address.NewFromString(words[0])
	if err != nil {
		return id, unknown
	}
	miner, err := address.IDFromAddress(named)
	if err != nil {
		return id, unknown
	}
	open, errOpen := strconv.ParseInt(words[1], 10, 64)
	batch, errBatch := strconv.Atoi(words[2])
	if errOpen != nil || errBatch != nil || open < 0 || batch < 0 {
		return id, unknown
	}
	id.Miner, id.Open, id.Batch = abi.ActorID(miner), abi.ChainEpoch(open), batch
	return id, nil
}

func viewStory(s Story, at moment) storyView {
	row := s.Duty
	line := vigil.DutyStatus{Duty: row.ID.String(), Kind: row.ID.Kind, Deadline: row.Deadline.Index, Open: row.Deadline.Open, Close: row.Deadline.Close, Row: row}
	miner := vigil.MinerAddress(row.ID.Miner).String()
	if m, err := at.miner(miner); err == nil {
		for _, d := range m.Duties {
			if d.Duty == line.Duty {
				line.Running, line.Message, line.MessageIs = d.Running, d.Message, d.MessageIs
			}
		}
	}
	v := storyView{
		dutyView: viewDuty(line, at.Head, at), Miner: miner, MinerLink: minerPath(miner), DeadlineLink: deadlinePath(miner, row.Deadline.Index),
		Opens: at.at(row.Deadline.Open), Shuts: at.at(row.Deadline.Close), ReadTime: s.ReadTime, ProveTime: s.ProveTime,
		Why: s.Why, Advice: s.Advice, Paid: s.Paid, Bar: viewBar(row.Deadline, at),
	}
	for _, e := range s.Events {
		v.Events = append(v.Events, viewEvent(e, row.Deadline, at))
	}
	for _, m := range s.Messages {
		v.Messages = append(v.Messages, viewMessage(m, at.Head))
	}
	return v
}

func viewEvent(e Event, d vigil.Deadline, at moment) eventView {
	v := eventView{mark: eventMark(e), Event: e}
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

func eventMark(e Event) mark {
	m := markOf(vigil.DutyState(e.State))
	if m == markUpcoming {
		m = messageMark(vigil.MessageState(e.State))
	}
	if e.Problem && m.Class != markMissed.Class {
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
