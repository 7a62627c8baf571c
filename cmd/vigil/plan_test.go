package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/forecast"
)

// planned is a plan with a deadline for each verdict.
func planned() forecast.Plan {
	expected := func(index uint64, done bool, f *vigil.Forecast) forecast.Expected {
		open := abi.ChainEpoch(6000 + 60*index)
		d := vigil.Deadline{Index: index, Count: 48, Challenge: open - 20, Open: open, Close: open + 60}
		if f != nil {
			f.Start, f.Finish, f.Slow = d.Challenge+1, f.Finish+open, f.Slow+open
		}
		return forecast.Expected{Miner: "f01000", Deadline: d, Partitions: 3, Sectors: 7047, Done: done, Forecast: f}
	}
	took := vigil.Forecast{Read: 70 * time.Second, Prove: 9 * time.Minute, Post: time.Minute, Fits: true, Why: "from 7 posts"}
	with := func(finish, slow abi.ChainEpoch, fits bool) *vigil.Forecast {
		f := took
		f.Finish, f.Slow, f.Fits = finish, slow, fits
		return &f
	}
	return forecast.Plan{
		Now: 6000, Time: time.Now(), Epoch: 30 * time.Second, Workers: 1, Enough: 3,
		Deadlines: []forecast.Expected{
			expected(0, true, with(6, 6, true)), expected(1, false, with(6, 9, true)), expected(2, false, with(50, 61, true)),
			expected(3, false, with(75, 90, false)), expected(30, false, nil),
		},
	}
}

func TestThePlanNamesWhatWillNotFitAndWhatWouldHelp(t *testing.T) {
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		_ = json.NewEncoder(w).Encode(planned())
	}))
	defer server.Close()
	code, stdout, stderr := invoke(t, "plan", "--url", server.URL, "--workers", "1")
	if code != 1 || asked != "/api/plan?workers=1" {
		t.Errorf("exit code %d, asked for %s\n%s", code, asked, stderr)
	}
	lines := strings.Split(stdout, "\n")
	for i, words := range [][]string{
		{"MINER", "THERE IS", "VERDICT"},
		{"f01000", " 0 ", "open", "on chain"},
		{" 1 ", "7047", "1:10", "9:00", "11:10", "39:30", "27:00", " fits"},
		{" 2 ", "5:00", "tight"},
		{" 3 ", "-7:30", "WILL NOT FIT"},
		{" 30 ", "no history yet"},
		{"f01000 deadline 3 will not fit: from 7 posts"},
		{"one proof is made at a time; as many deadlines as can fit do with 3 at the same time"},
	} {
		for _, word := range words {

			if i >= len(lines) || !strings.Contains(lines[i], word) {
				t.Errorf("line %d does not say %q:\n%s", i, word, stdout)
			}
		}
	}
}

func TestThePlanOfSomeHoursOrOfAnotherMiner(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(planned())
	}))
	defer server.Close()
	var got forecast.Plan
	code, stdout, _ := invoke(t, "plan", "--url", server.URL, "--hours", "1", "--miner", "t01000", "--json")
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 || len(got.Deadlines) != 2 {
		t.Errorf("exit code %d, %v\n%s", code, err, stdout)
	}
	if code, stdout, _ := invoke(t, "plan", "--url", server.URL, "--miner", "f01001"); code != 0 || !strings.Contains(stdout, "nothing is to be proved") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}

func TestAnAnswerThatIsNoPlanIsSaid(t *testing.T) {
	for body, word := range map[string]string{"<html>": "is not a vigil of this version", "{}": "has not heard of the chain yet"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		if code, _, stderr := invoke(t, "plan", "--url", server.URL); code != 1 || !strings.Contains(stderr, word) {
			t.Errorf("%s: exit code %d: %s", body, code, stderr)
		}
		server.Close()
	}
	if code, _, stderr := invoke(t, "plan", "--url", "http://127.0.0.1:1"); code != 1 || !strings.Contains(stderr, "no daemon answers at") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestDurationsOfAPlanAreShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1234 * time.Millisecond: "1.23s", 70 * time.Second: "1:10", time.Hour - time.Millisecond: "1h00", -90 * time.Second: "-1:30", 25*time.Hour + time.Minute: "25h01",
	} {
		if got := minutes(d); got != want {
			t.Errorf("%v is written %s, want %s", d, got, want)
		}
	}
}
