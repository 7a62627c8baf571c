package dashboard

import (
	"bytes"
	"fmt"
	"html/template"
	"time"

	"github.com/vigil-post/vigil"
)

var templates = template.Must(template.New("").
	Funcs(template.FuncMap{"short": shortCID, "last": lastAttempt, "meaning": meaning, "first": firstSectors, "rest": restOfSectors}).
	ParseFS(assets, "assets/page.html", "assets/messages.html", "assets/operator.html"))

// part is a piece of the page that changes as a whole; its HTML is one
// element whose id is the part's.
type part struct {
	ID   string
	HTML template.HTML
}

// renderParts renders the page's parts in their order. Every value that comes
// from the status is escaped by html/template.
func renderParts(s vigil.Status, now time.Time) ([]part, error) {
	miners := make([]minerView, len(s.Miners))
	for i, m := range s.Miners {
		miners[i] = viewMiner(m, s)
	}
	parts := []part{{ID: "head"}, {ID: "alarms"}, {ID: "overview"}}
	data := []any{viewHead(s, now), viewAlarms(s, now), miners}
	for _, m := range miners {
		parts = append(parts, part{ID: m.Anchor})
		data = append(data, m)
	}
	for i := range parts {
		name := parts[i].ID
		if i >= 3 {
			name = "miner"
		}
		var html bytes.Buffer
		if err := templates.ExecuteTemplate(&html, name, data[i]); err != nil {
			return nil, fmt.Errorf("render %s: %w", parts[i].ID, err)
		}
		parts[i].HTML = template.HTML(html.String())
	}
	return parts, nil
}

func renderPage(s vigil.Status, now time.Time) ([]byte, error) {
	parts, err := renderParts(s, now)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	err = templates.ExecuteTemplate(&page, "page", parts)
	return page.Bytes(), err
}
