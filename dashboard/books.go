package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
)

// What the commands ask the daemon for, as JSON. docs/commands.md shows each answer.
//
//	GET /api/duties        the newest duties: miner=, deadline=, kind=, state= (more than once), before=EPOCH, limit=
//	GET /api/duties/DUTY   the story of one, as f01000/1144209/0
//	GET /api/why           the story of the last that was missed or late: miner=
//	GET /api/journal       what happened, in sentences: duty=, miner=, since=EPOCH, after=NEXT, limit=
//	GET /api/faults        the faulty sectors by partition, with cause and advice: miner=
//	GET /api/power         the miners' power as the chain has it: miner=
//	GET /api/provers       what makes proofs, and which

// Past answers what happened. It may be called concurrently; every method may fail.
type Past interface {
	// Duties gives the newest duties of a query, newest first.
	Duties(ctx context.Context, q vigil.DutyQuery) ([]explain.Duty, error)
	// Why tells of a duty; it is vigil.ErrNotFound where there is none.
	Why(ctx context.Context, id vigil.DutyID) (explain.Story, error)
	// Trouble tells of the last duty that was missed or late, of a miner or, if
	// it is 0, of any; it is vigil.ErrNotFound where none was.
	Trouble(ctx context.Context, miner abi.ActorID) (explain.Story, error)
	// Journal gives a piece of the journal.
	Journal(ctx context.Context, q vigil.JournalQuery) (explain.Page, error)
}

// Present answers how things are now; it may ask a node. It may be called
// concurrently; every method may fail. A miner of 0 is all that are configured.
type Present interface {
	Faults(ctx context.Context, miner abi.ActorID) ([]explain.Faulty, error)
	Power(ctx context.Context, miner abi.ActorID) ([]vigil.Power, error)
	Provers() []vigil.ProverStatus
}

// books adds the API of the past and the present, as far as they are there.
func (d *dashboard) books(mux *http.ServeMux) {
	if d.Past != nil {
		mux.HandleFunc("GET /api/duties", d.answers(func(ctx context.Context, asked url.Values, _ string) (any, error) {
			q, err := dutyQuery(asked)
			if err != nil {
				return nil, err
			}
			return d.Past.Duties(ctx, q)
		}))
		mux.HandleFunc("GET /api/duties/{duty...}", d.answers(func(ctx context.Context, _ url.Values, duty string) (any, error) {
			id, err := vigil.ParseDutyID(duty)
			if err != nil {
				return nil, &badQuery{err.Error()}
			}
			return d.Past.Why(ctx, id)
		}))
		mux.HandleFunc("GET /api/why", d.answers(func(ctx context.Context, asked url.Values, _ string) (any, error) {
			miner, err := minerQuery(asked)
			if err != nil {
				return nil, err
			}
			return d.Past.Trouble(ctx, miner)
		}))
		mux.HandleFunc("GET /api/journal", d.answers(func(ctx context.Context, asked url.Values, _ string) (any, error) {
			q, err := journalQuery(asked)
			if err != nil {
				return nil, err
			}
			return d.Past.Journal(ctx, q)
		}))
	}
	if d.Present != nil {
		mux.HandleFunc("GET /api/faults", d.answers(func(ctx context.Context, asked url.Values, _ string) (any, error) {
			miner, err := minerQuery(asked)
			if err != nil {
				return nil, err
			}
			return d.Present.Faults(ctx, miner)
		}))
		mux.HandleFunc("GET /api/power", d.answers(func(ctx context.Context, asked url.Values, _ string) (any, error) {
			miner, err := minerQuery(asked)
			if err != nil {
				return nil, err
			}
			return d.Present.Power(ctx, miner)
		}))
		mux.HandleFunc("GET /api/provers", d.answers(func(context.Context, url.Values, string) (any, error) { return d.Present.Provers(), nil }))
	}
}

// answers writes what a question gives as JSON. What fails is said in words: the
// person who asked is the one who can do something about it.
func (d *dashboard) answers(ask func(ctx context.Context, asked url.Values, duty string) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := ask(r.Context(), r.URL.Query(), r.PathValue("duty"))
		var bad *badQuery
		switch {
		case errors.As(err, &bad):
			http.Error(w, bad.text, http.StatusBadRequest)
			return
		case errors.Is(err, vigil.ErrNotFound):
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		body, err := json.MarshalIndent(answer, "", "  ")
		if err != nil {
			d.broken(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(append(body, '\n'))
	}
}

func minerQuery(asked url.Values) (abi.ActorID, error) {
	text := asked.Get("miner")
	if text == "" {
		return 0, nil
	}
	id, err := vigil.ParseMiner(text)
	if err != nil {
		return 0, &badQuery{err.Error()}
	}
	return id, nil
}

// dutyStates are those that a row has.
var dutyStates = []vigil.DutyState{
	vigil.StateScheduled, vigil.StateProved, vigil.StateSubmitted, vigil.StateConfirmed, vigil.StateMissed, vigil.StateReplaced, vigil.StateShadowed,
}

func dutyQuery(asked url.Values) (q vigil.DutyQuery, err error) {
	if q.Miner, err = minerQuery(asked); err != nil {
		return q, err
	}
	if asked.Get("deadline") != "" {
		index, err := number(asked, "deadline", 47)
		if err != nil {
			return q, err
		}
		n := uint64(index)
		q.Deadline = &n
	}
	for _, word := range asked["state"] {
		if !slices.Contains(dutyStates, vigil.DutyState(word)) {
			return q, &badQuery{fmt.Sprintf("there is no state %q: use some of %v", word, dutyStates)}
		}
		q.States = append(q.States, vigil.DutyState(word))
	}
	if q.Kind = vigil.DutyKind(asked.Get("kind")); q.Kind != "" && q.Kind != vigil.KindPost && q.Kind != vigil.KindRecover {
		return q, &badQuery{fmt.Sprintf("there is no kind %q: use post or recover", q.Kind)}
	}
	before, err := number(asked, "before", 1<<40)
	if err != nil {
		return q, err
	}
	limit, err := number(asked, "limit", mostInJSON)
	q.Before, q.Limit = abi.ChainEpoch(before), int(limit)
	return q, err
}

func journalQuery(asked url.Values) (q vigil.JournalQuery, err error) {
	if q.Miner, err = minerQuery(asked); err != nil {
		return q, err
	}
	if duty := asked.Get("duty"); duty != "" {
		if q.Duty, err = vigil.ParseDutyID(duty); err != nil {
			return q, &badQuery{err.Error()}
		}
	}
	since, err := number(asked, "since", 1<<40)
	if err != nil {
		return q, err
	}
	limit, err := number(asked, "limit", 10*mostInJSON)
	q.From, q.Limit, q.After = abi.ChainEpoch(since), int(limit), asked.Get("after")
	return q, err
}

// number reads a parameter from 0 to most; 0 where it is not given.
func number(asked url.Values, name string, most int64) (int64, error) {
	text := asked.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, &badQuery{fmt.Sprintf("%s is %q: give a number from 0 to %d", name, text, most)}
	}
	return n, nil
}
