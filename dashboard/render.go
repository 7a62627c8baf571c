package dashboard

import (
	"bytes"
	"fmt"
	"html/template"

	"github.com/dustin/go-humanize"

	"github.com/vigil-post/vigil/explain"
)

var templates = template.Must(template.New("").
	Funcs(template.FuncMap{
		"short": shortCID, "last": lastAttempt, "meaning": meaning, "first": firstSectors, "rest": restOfSectors, "duration": duration, "took": took, "clock": clockTime,
		"count": count, "fil": explain.FIL, "storage": storageMark, "verdict": verdictMark, "bytes": func(n int64) string { return humanize.IBytes(uint64(max(n, 0))) },
	}).
	ParseFS(assets, "assets/*.html"))

// piece is a part of a page before it is rendered. The template makes one
// element whose id is the piece's, and it changes as a whole.
type piece struct {
	id, template string
	data         any
}

// part is a piece that was rendered. Every value that comes from the status is
// escaped by html/template.
type part struct {
	ID   string
	HTML template.HTML
}

func (p piece) render() (part, error) {
	var html bytes.Buffer
	if err := templates.ExecuteTemplate(&html, p.template, p.data); err != nil {
		return part{}, fmt.Errorf("render %s: %w", p.id, err)
	}
	return part{p.id, template.HTML(html.String())}, nil
}
