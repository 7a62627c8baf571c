package dashboard

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/vigil-post/vigil/forecast"
)

func TestThePlanIsAnsweredForTheWorkersThatAreSupposed(t *testing.T) {
	plan := func(workers int) forecast.Plan { return forecast.Plan{Now: 7, Workers: workers} }
	for _, c := range []struct {
		query     string
		plan      func(int) forecast.Plan
		code, has int
	}{
		{"", plan, http.StatusOK, 0},
		{"?workers=3", plan, http.StatusOK, 3},
		{"?workers=0", plan, http.StatusBadRequest, 0},
		{"?workers=many", plan, http.StatusBadRequest, 0},
		{"?workers=10001", plan, http.StatusBadRequest, 0},
		{"", nil, http.StatusNotFound, 0},
	} {
		answer := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/api/plan"+c.query, nil)
		New(Config{Status: newFake(network(7)), Plan: c.plan}).ServeHTTP(answer, r)
		var got forecast.Plan
		if answer.Code != c.code || c.code == http.StatusOK && (json.Unmarshal(answer.Body.Bytes(), &got) != nil || got.Workers != c.has || got.Now != 7) {
			t.Errorf("%q: %d %s", c.query, answer.Code, answer.Body)
		}
	}
}
