package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
)

// Operators may wish for something to be done about a message:
//
//	GET  /messages/{verb}?id=ID    a page that says what it means, with a form
//	POST /messages/{verb}          does it: id, and for replace gas_limit, fee_cap and premium, all or none
//	POST /api/messages/{id}/{verb} the same for programs; gas as a JSON object of the same names
//
// The verbs are vigil.WishVerb's words. An ID has slashes; they may be escaped (%2F) or not.

func (d *dashboard) messageWishes(mux *http.ServeMux) {
	if d.Desk == nil || d.Messages == nil {
		return
	}
	mux.HandleFunc("GET /messages/{verb}", d.operators(d.wishPage))
	mux.HandleFunc("POST /messages/{verb}", d.operators(d.wishForm))
	mux.HandleFunc("POST /api/messages/{wish...}", d.operators(d.wishJSON))
}

// wish is what an operator wants of a message.
type wish struct {
	id   string
	verb vigil.WishVerb
	gas  *vigil.Gas // of a replacement; nil: the daemon chooses it
}

func wishOf(id, verb string) (wish, error) {
	w := wish{id: id, verb: vigil.WishVerb(verb)}
	switch {
	case !slices.Contains(explain.Wishes, w.verb):
		return w, fmt.Errorf("nothing is called %q that could be wished of a message, use one of %v: %w", verb, explain.Wishes, vigil.ErrNotFound)
	case id == "":
		return w, &badQuery{"which message is not said: give its id"}
	}
	return w, nil
}

// grant hands a wish to the desk.
func (d *dashboard) grant(r *http.Request, w wish) error {
	var err error
	switch w.verb {
	case vigil.WishCancel:
		err = d.Desk.Cancel(r.Context(), w.id)
	case vigil.WishReplace:
		err = d.Desk.Replace(r.Context(), w.id, w.gas)
	case vigil.WishRepublish:
		err = d.Desk.Republish(r.Context(), w.id)
	}
	if err != nil {
		d.say(r, "an operator's wish cannot be had", "message", w.id, "wish", string(w.verb), "error", err)
		return err
	}
	d.say(r, "an operator wishes something of a message", "message", w.id, "wish", string(w.verb))
	return nil
}

// wishStatus is what an error of a wish is in HTTP.
func wishStatus(err error) int {
	var bad *badQuery
	var no *vigil.WishError
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &bad):
		return http.StatusBadRequest
	case errors.As(err, &tooLong):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, vigil.ErrNotFound):
		return http.StatusNotFound
	case errors.As(err, &no):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}

// message finds the one of an ID.
func (d *dashboard) message(ctx context.Context, id string) (explain.Message, error) {
	found, err := d.Messages(ctx, vigil.MessageQuery{ID: id})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("message %q: %w: /messages shows those that there are", id, vigil.ErrNotFound)
	}
	if err != nil {
		return explain.Message{}, err
	}
	return found[0], nil
}

// wishPage says what a wish means before anything is done.
type wishPage struct {
	explain.Message
	Verb    vigil.WishVerb
	Means   []string
	Link    string
	Problem string
	Gas     gasForm
}

// gasForm is what was typed.
type gasForm struct{ Limit, FeeCap, Premium string }

func (d *dashboard) wishPage(w http.ResponseWriter, r *http.Request) {
	wanted, err := wishOf(r.URL.Query().Get("id"), r.PathValue("verb"))
	if err != nil {
		http.Error(w, err.Error(), wishStatus(err))
		return
	}
	d.showWish(w, r, wanted, gasForm{}, nil)
}

// showWish shows the page of a wish, after an error with its text.
func (d *dashboard) showWish(w http.ResponseWriter, r *http.Request, wanted wish, gas gasForm, problem error) {
	m, err := d.message(r.Context(), wanted.id)
	if err != nil {
		http.Error(w, err.Error(), wishStatus(err))
		return
	}
	page := wishPage{Message: m, Verb: wanted.verb, Means: explain.Means(wanted.verb, m), Link: messageLink(m.ID), Gas: gas}
	status := http.StatusOK
	if problem != nil {
		page.Problem, status = problem.Error(), wishStatus(problem)
	}
	d.showPage(w, r, status, "wish", page)
}

func messageLink(id string) string { return "/messages?of=" + url.QueryEscape(id) }

func (d *dashboard) wishForm(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form could not be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	wanted, err := wishOf(r.PostForm.Get("id"), r.PathValue("verb"))
	if err != nil {
		http.Error(w, err.Error(), wishStatus(err))
		return
	}
	typed := gasForm{r.PostForm.Get("gas_limit"), r.PostForm.Get("fee_cap"), r.PostForm.Get("premium")}
	if wanted.gas, err = typed.gas(); err == nil {
		err = d.grant(r, wanted)
	}
	if err != nil {
		d.showWish(w, r, wanted, typed, err)
		return
	}
	http.Redirect(w, r, messageLink(wanted.id), http.StatusSeeOther)
}

// gas reads what was typed: all three, or nothing.
func (f gasForm) gas() (*vigil.Gas, error) {
	limit, feeCap, premium := strings.TrimSpace(f.Limit), strings.TrimSpace(f.FeeCap), strings.TrimSpace(f.Premium)
	if limit == "" && feeCap == "" && premium == "" {
		return nil, nil
	}
	var gas vigil.Gas
	var errs [3]error
	gas.Limit, errs[0] = strconv.ParseInt(limit, 10, 64)
	gas.FeeCap, errs[1] = big.FromString(feeCap)
	gas.Premium, errs[2] = big.FromString(premium)
	if errors.Join(errs[:]...) != nil || feeCap == "" || premium == "" {
		return nil, &badQuery{"give gas limit, fee cap and premium all three, in whole numbers (gas, and attoFIL a unit of gas), or none of them"}
	}
	return &gas, nil
}

// gasJSON is the gas of a replacement as programs give it; amounts are strings
// or numbers of attoFIL.
type gasJSON struct {
	Limit   json.Number `json:"gas_limit"`
	FeeCap  json.Number `json:"fee_cap"`
	Premium json.Number `json:"premium"`
}

func readGas(r *http.Request) (*vigil.Gas, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if len(strings.TrimSpace(string(body))) == 0 {
		return nil, nil
	}
	var g gasJSON
	if err := json.Unmarshal(body, &g); err != nil {
		return nil, &badQuery{`the body is not the JSON of a replacement's gas, {"gas_limit": 1, "fee_cap": "1", "premium": "1"}, or empty: ` + err.Error()}
	}
	return gasForm{g.Limit.String(), g.FeeCap.String(), g.Premium.String()}.gas()
}

// wishJSON answers 202 with the message as it is now: what was wished is
// written down, and done by the messager as soon as it can be.
func (d *dashboard) wishJSON(w http.ResponseWriter, r *http.Request) {
	path := r.PathValue("wish")
	cut := strings.LastIndexByte(path, '/')
	wanted, err := wishOf(path[:max(cut, 0)], path[cut+1:])
	if err == nil {
		wanted.gas, err = readGas(r)
	}
	if err == nil && wanted.gas != nil && wanted.verb != vigil.WishReplace {
		err = &badQuery{fmt.Sprintf("gas is of a replacement, and not of what is to %s", wanted.verb)}
	}
	if err == nil {
		err = d.grant(r, wanted)
	}
	var m explain.Message
	if err == nil {
		m, err = d.message(r.Context(), wanted.id)
	}
	if err != nil {
		http.Error(w, err.Error(), wishStatus(err))
		return
	}
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		d.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	w.Write(append(body, '\n'))
}

// lastAttempt is the place of the last of some attempts.
func lastAttempt(attempts []explain.Attempt) int { return len(attempts) - 1 }
