package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

func TestAMinerInShadowIsCalledSo(t *testing.T) {
	m := vigil.MinerStatus{Miner: "f01000", Epoch: 10, Shadow: true, Current: vigil.Deadline{Index: 1, Count: 48, Open: 0, Close: 60}}
	if got := currentSentence(m, 30*time.Second); !strings.Contains(got, "in shadow") || !strings.Contains(got, "nothing is signed or sent") {
		t.Error(got)
	}
	if got := markOf(vigil.StateShadowed); got.Word != "shadowed" {
		t.Errorf("%+v", got)
	}
}

func TestShadowRecordsAreServedAsJSON(t *testing.T) {
	var since abi.ChainEpoch
	var fails error
	d := &dashboard{Config: Config{Log: slog.New(slog.DiscardHandler), Shadow: func(_ context.Context, s abi.ChainEpoch) ([]vigil.ShadowRecord, error) {
		since = s
		return []vigil.ShadowRecord{{Miner: 1000, Deadline: vigil.Deadline{Open: 600}}}, fails
	}}}
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		d.shadowJSON(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	w := get("/api/shadow?since=540")
	var got []vigil.ShadowRecord
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || len(got) != 1 || got[0].Deadline.Open != 600 || since != 540 {
		t.Errorf("%d since %d: %s", w.Code, since, w.Body)
	}
	if w := get("/api/shadow?since=yesterday"); w.Code != http.StatusBadRequest {
		t.Errorf("since=yesterday: %d", w.Code)
	}
	fails = errors.New("disk gone")
	if w := get("/api/shadow"); w.Code != http.StatusInternalServerError {
		t.Errorf("a failure: %d", w.Code)
	}
}
