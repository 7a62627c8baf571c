package dashboard_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/dashboard"
	"github.com/vigil-post/vigil/explain"
)

// shelf answers everything with what it was asked.
type shelf struct {
	duties  vigil.DutyQuery
	journal vigil.JournalQuery
	id      vigil.DutyID
	miner   abi.ActorID
	err     error
}

func (s *shelf) Duties(_ context.Context, q vigil.DutyQuery) ([]explain.Duty, error) {
	s.duties = q
	return []explain.Duty{}, s.err
}

func (s *shelf) Why(_ context.Context, id vigil.DutyID) (explain.Story, error) {
	s.id = id
	return explain.Story{}, s.err
}

func (s *shelf) Trouble(_ context.Context, miner abi.ActorID) (explain.Story, error) {
	s.miner = miner
	return explain.Story{}, s.err
}

func (s *shelf) Journal(_ context.Context, q vigil.JournalQuery) (explain.Page, error) {
	s.journal = q
	return explain.Page{}, s.err
}

func (s *shelf) Faults(_ context.Context, miner abi.ActorID) ([]explain.Faulty, error) {
	s.miner = miner
	return []explain.Faulty{}, s.err
}

func (s *shelf) Power(_ context.Context, miner abi.ActorID) ([]vigil.Power, error) {
	s.miner = miner
	return []vigil.Power{}, s.err
}

func (s *shelf) Provers() []vigil.ProverStatus { return []vigil.ProverStatus{} }

func ask(t *testing.T, s *shelf, path string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1"+path, nil)
	w := httptest.NewRecorder()
	dashboard.New(dashboard.Config{Status: source{}, Past: s, Present: s}).ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

type source struct{}

func (source) Status() vigil.Status     { return vigil.Status{} }
func (source) Changed() <-chan struct{} { return nil }

func TestQuestionsAreReadAsTheyAreMeant(t *testing.T) {
	s := &shelf{}
	for _, path := range []string{
		"/api/duties?miner=f01000&deadline=17&kind=post&state=missed&state=proved&before=900&limit=5", "/api/duties/f01000/90/recover/1",
		"/api/why?miner=f01001", "/api/journal?duty=f01000/90/0&miner=f01000&since=7&after=3.4&limit=9", "/api/faults", "/api/power?miner=t01002", "/api/provers",
	} {
		if code, body := ask(t, s, path); code != 200 || strings.HasPrefix(body, "null") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	q := s.duties
	if q.Miner != 1000 || q.Deadline == nil || *q.Deadline != 17 || q.Kind != vigil.KindPost || len(q.States) != 2 || q.Before != 900 || q.Limit != 5 {
		t.Errorf("duties: %+v", q)
	}
	if want := (vigil.DutyID{Kind: vigil.KindRecover, Miner: 1000, Open: 90, Batch: 1}); s.id != want {
		t.Errorf("the duty: %+v", s.id)
	}
	if want := (vigil.JournalQuery{Duty: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 90}, Miner: 1000, From: 7, After: "3.4", Limit: 9}); s.journal != want {
		t.Errorf("the journal: %+v", s.journal)
	}
	if s.miner != 1002 {
		t.Errorf("the miner: %d", s.miner)
	}
}

func TestQuestionsThatCannotBeMeantAreRefusedInWords(t *testing.T) {
	for path, words := range map[string]string{
		"/api/duties?miner=me": "f01000", "/api/duties?deadline=48": "from 0 to 47", "/api/duties?state=gone": "use some of", "/api/duties?kind=gift": "post or recover",
		"/api/duties?limit=-1": "limit", "/api/duties?limit=100000": "limit", "/api/duties?before=x": "before", "/api/duties/f01000/90": "f01000/1144209/0",
		"/api/duties/f01000/90/gift/1": "is no duty", "/api/duties/f01000/90/-1": "is no duty", "/api/journal?duty=x": "is no duty", "/api/journal?since=x": "since",
		"/api/why?miner=f1abc": "f01000", "/api/power?miner=0": "f01000",
	} {
		s := &shelf{err: errors.New("it was asked")}
		if code, body := ask(t, s, path); code != 400 || !strings.Contains(body, words) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	for path, code := range map[string]int{"/api/duties/f01000/90/0": 404, "/api/why": 404, "/api/journal": 404} {
		if got, _ := ask(t, &shelf{err: vigil.ErrNotFound}, path); got != code {
			t.Errorf("%s: %d, want %d", path, got, code)
		}
	}
	if code, body := ask(t, &shelf{err: errors.New("no node answers")}, "/api/power"); code != 500 || !strings.Contains(body, "no node answers") {
		t.Errorf("%d %s", code, body)
	}
}
