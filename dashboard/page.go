package dashboard

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// moment is the status that a page is made of, and when somebody looks.
type moment struct {
	vigil.Status
	now time.Time
}

// at is when an epoch begins, by the head's time; zero while there is no head.
func (m moment) at(epoch abi.ChainEpoch) time.Time {
	if m.HeadTime.IsZero() || m.Delay <= 0 {
		return time.Time{}
	}
	return m.HeadTime.Add(time.Duration(epoch-m.Head) * m.Delay)
}

// miner finds a miner's part by its name.
func (m moment) miner(name string) (vigil.MinerStatus, error) {
	for _, found := range m.Miners {
		if found.Miner == name {
			return found, nil
		}
	}
	return vigil.MinerStatus{}, &notHere{"no miner " + name + " is looked after here"}
}

// page makes what a page shows at a moment. It is asked again for every event
// of the page's stream.
type page func(r *http.Request, at moment) (sight, error)

// sight is what a page shows at one moment.
type sight struct {
	title  string // of what the page is, without how it stands
	pieces []piece
	plots  bool // it has plots, which need a script of their own
}

// notHere is a page that does not exist.
type notHere struct{ what string }

func (e *notHere) Error() string { return e.what }

// unreadable is a page whose content could not be read. It is a page all the
// same, so that it comes right by itself when it can be.
func unreadable(title string, err error) sight {
	return sight{title: title, pieces: []piece{{"unreadable", "unreadable", err.Error()}}}
}

// shown is a page that was rendered. Every value that comes from the status
// is escaped by html/template.
type shown struct {
	Title string
	Icon  string
	Plots bool
	Gone  bool // there is no such page, or not yet
	Head  part
	Parts []part
}

// show renders a page as it is now.
func (d *dashboard) show(r *http.Request, p page) (shown, error) {
	at := moment{d.Status.Status(), time.Now()}
	seen, err := p(r, at)
	var gone *notHere
	if errors.As(err, &gone) {
		seen, err = sight{title: "Not here", pieces: []piece{{"gone", "gone", gone.what}}}, nil
	}
	if err != nil {
		return shown{}, err
	}
	head := viewHead(at.Status, at.now)
	head.Nav = navigation(r.URL.Path, at)
	mood := moodOf(at)
	v := shown{Title: mood.title(seen.title), Icon: mood.icon(), Plots: seen.plots, Gone: gone != nil}
	if v.Head, err = (piece{"head", "head", head}).render(); err != nil {
		return shown{}, err
	}
	for _, p := range seen.pieces {
		rendered, err := p.render()
		if err != nil {
			return shown{}, err
		}
		v.Parts = append(v.Parts, rendered)
	}
	return v, nil
}

// live serves a page, whole to who asks for HTML and as a stream of its
// changes to the page's own script.
func (d *dashboard) live(p page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
			d.events(w, r, p)
			return
		}
		v, err := d.show(r, p)
		if err != nil {
			d.broken(w, r, err)
			return
		}
		d.write(w, r, v)
	}
}

func (d *dashboard) write(w http.ResponseWriter, r *http.Request, v shown) {
	var html bytes.Buffer
	if err := templates.ExecuteTemplate(&html, "page", v); err != nil {
		d.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if v.Gone {
		w.WriteHeader(http.StatusNotFound)
	}
	w.Write(html.Bytes())
}

// link is an entry of the navigation.
type link struct {
	Path, Word string
	Count      int // what waits there for somebody
	Here       bool
}

func navigation(path string, at moment) []link {
	links := []link{
		{Path: "/", Word: "Miners"}, {Path: "/alarms", Word: "Alarms", Count: len(alarmLines(at))}, {Path: "/forecast", Word: "Forecast"},
		{Path: "/messages", Word: "Messages"}, {Path: "/times", Word: "Times"}, {Path: "/system", Word: "System"},
	}
	for i := range links {
		links[i].Here = path == links[i].Path
	}
	return links
}

// mood is how all stands, for a tab that is not looked at.
type mood struct {
	alarms int
	urgent bool
	busy   int // duties in progress
}

func moodOf(at moment) mood {
	var m mood
	for _, a := range alarmLines(at) {
		m.alarms++
		m.urgent = m.urgent || a.Urgent
	}
	for _, miner := range at.Miners {
		for _, d := range miner.Duties {
			if !d.Row.State.Final() {
				m.busy++
			}
		}
	}
	return m
}

func (m mood) title(of string) string {
	switch {
	case m.urgent:
		return fmt.Sprintf("✕ %s · %s – Vigil", count(m.alarms, "alarm"), of)
	case m.alarms > 0:
		return fmt.Sprintf("⚠ %s · %s – Vigil", count(m.alarms, "alarm"), of)
	case m.busy > 0:
		return fmt.Sprintf("… %d in progress · %s – Vigil", m.busy, of)
	}
	return fmt.Sprintf("✓ %s – Vigil", of)
}

func (m mood) icon() string {
	switch {
	case m.urgent:
		return "/assets/icon-urgent.svg"
	case m.alarms > 0:
		return "/assets/icon-alarm.svg"
	}
	return "/assets/icon.svg"
}
