package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// A burst of changes becomes one event; people do not read faster.
	betweenEvents = 250 * time.Millisecond
	// Without changes the ages on the page still move.
	quietTick = time.Second
	// A reader that takes nothing for so long is gone.
	writePatience = 10 * time.Second
)

// delta is an event's data: which parts the page has now, and those that changed.
type delta struct {
	Title string            `json:"title"`
	Icon  string            `json:"icon"`
	Order []string          `json:"order"`
	Parts map[string]string `json:"parts"`
}

// events streams the changed parts of a page until the reader leaves.
func (d *dashboard) events(w http.ResponseWriter, r *http.Request, p page) {
	known := reader{parts: map[string]string{}}
	changed := d.Status.Changed() // asked for before the status is read, so that no change is lost
	event, err := d.changes(r, p, &known)
	if err != nil {
		d.broken(w, r, err)
		return
	}
	stream := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	fmt.Fprint(w, "retry: 1000\n\n")

	tick := time.NewTicker(quietTick)
	defer tick.Stop()
	pause := time.NewTicker(betweenEvents)
	defer pause.Stop()
	for {
		stream.SetWriteDeadline(time.Now().Add(writePatience))
		if _, err := w.Write(event); err != nil {
			return
		}
		if err := stream.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-pause.C:
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		case <-tick.C:
		}
		changed = d.Status.Changed()
		if event, err = d.changes(r, p, &known); err != nil {
			return // the reader asks again, and is told why
		}
	}
}

// reader is what the other end of a stream has.
type reader struct {
	title, icon string
	parts       map[string]string
}

// changes is the event that brings a reader up to date, or a comment that
// keeps the connection alive.
func (d *dashboard) changes(r *http.Request, p page, known *reader) ([]byte, error) {
	v, err := d.show(r, p)
	if err != nil {
		return nil, err
	}
	news := delta{Title: v.Title, Icon: v.Icon, Order: []string{}, Parts: map[string]string{}}
	now := map[string]string{v.Head.ID: string(v.Head.HTML)}
	for _, p := range v.Parts {
		news.Order = append(news.Order, p.ID)
		now[p.ID] = string(p.HTML)
	}
	for id, html := range now {
		if before, ok := known.parts[id]; !ok || before != html {
			news.Parts[id] = html
		}
	}
	if len(news.Parts) == 0 && len(now) == len(known.parts) && v.Title == known.title && v.Icon == known.icon {
		return []byte(": nothing new\n\n"), nil
	}
	*known = reader{v.Title, v.Icon, now}
	data, err := json.Marshal(news)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "event: parts\ndata: %s\n\n", data), nil
}
