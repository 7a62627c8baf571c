package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// mostWorkers is more than anybody has.
const mostWorkers = 10_000

// plan answers with a forecast.Plan. workers=N supposes that so many proofs are
// made at the same time; without, it is as many as there are.
func (d *dashboard) plan(w http.ResponseWriter, r *http.Request) {
	if d.Plan == nil {
		http.NotFound(w, r)
		return
	}
	workers := 0
	if text := r.URL.Query().Get("workers"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostWorkers {
			http.Error(w, fmt.Sprintf("workers=%q: it is a number from 1 to %d", text, mostWorkers), http.StatusBadRequest)
			return
		}
		workers = n
	}
	body, err := json.MarshalIndent(d.Plan(workers), "", "  ")
	if err != nil {
		d.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(body, '\n'))
}
