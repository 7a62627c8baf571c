package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/filecoin-project/go-state-types/abi"
)

// shadowJSON gives the records of miners in shadow, the earliest deadline first.
func (d *dashboard) shadowJSON(w http.ResponseWriter, r *http.Request) {
	if d.Shadow == nil {
		http.NotFound(w, r)
		return
	}
	since := int64(0)
	if text := r.FormValue("since"); text != "" {
		var err error
		if since, err = strconv.ParseInt(text, 10, 64); err != nil || since < 0 {
			http.Error(w, fmt.Sprintf("since=%q is no epoch", text), http.StatusBadRequest)
			return
		}
	}
	records, err := d.Shadow(r.Context(), abi.ChainEpoch(since))
	if err != nil {
		d.broken(w, r, err)
		return
	}
	body, err := json.Marshal(records)
	if err != nil {
		d.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}
