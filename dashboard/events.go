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
	Order []string          `json:"order"`
	Parts map[string]string `json:"parts"`
}

// events streams the changed parts of the page until the reader leaves.
func (d *dashboard) events(w http.ResponseWriter, r *http.Request) {
	stream := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	fmt.Fprint(w, "retry: 1000\n\n")

	tick := time.NewTicker(quietTick)
	defer tick.Stop()
	pause := time.NewTicker(betweenEvents)
	defer pause.Stop()
	shown := map[string]string{}
	for {
		changed := d.Status.Changed() // asked for before the status is read, so that no change is lost
		event, err := d.changes(shown)
		if err != nil {
			d.broken(w, r, err)
			return
		}
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
	}
}

// changes is the event that brings a reader up to date, given what it was
// shown, which it updates; or a comment that keeps the connection alive.
func (d *dashboard) changes(shown map[string]string) ([]byte, error) {
	parts, err := renderParts(d.Status.Status(), time.Now())
	if err != nil {
		return nil, err
	}
	news := delta{Parts: map[string]string{}}
	for _, p := range parts {
		news.Order = append(news.Order, p.ID)
		if html, ok := shown[p.ID]; !ok || html != string(p.HTML) {
			news.Parts[p.ID] = string(p.HTML)
		}
	}
	if len(news.Parts) == 0 && len(news.Order) == len(shown) {
		return []byte(": nothing new\n\n"), nil
	}
	clear(shown)
	for _, p := range parts {
		shown[p.ID] = string(p.HTML)
	}
	data, err := json.Marshal(news)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "event: parts\ndata: %s\n\n", data), nil
}
