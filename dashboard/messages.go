package dashboard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
)

// The messages, newest first, can be asked for in two ways, as a page and as
// JSON. The parameters are the same:
//
//	of=TEXT      those that a text means: an ID, a CID, a duty, the beginning of an ID
//	state=STATE  those in a state; may be given more than once
//	limit=N      the newest so many; 100 on the page, 1000 as JSON, and no more at once
//	before=ID    those before a message: the next page
//
// Where there may be more, the answer's header Link has the next page, as
// rel="next" (RFC 8288).

const (
	mostOnPage = 100
	mostInJSON = 1000
)

// badQuery is a question that cannot be meant.
type badQuery struct{ text string }

func (e *badQuery) Error() string { return e.text }

func (d *dashboard) messagesJSON(w http.ResponseWriter, r *http.Request) {
	found, next, err := d.find(r.Context(), r.URL.Query(), mostInJSON)
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	if next != "" {
		w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", r.URL.Path, next))
	}
	body, err := json.MarshalIndent(found, "", "  ")
	if err != nil {
		d.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(body, '\n'))
}

func (d *dashboard) messages(w http.ResponseWriter, r *http.Request) {
	found, next, err := d.find(r.Context(), r.URL.Query(), mostOnPage)
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	page := messagesPage{
		Head: viewHead(d.Status.Status(), time.Now()), Of: r.URL.Query().Get("of"), Most: mostOnPage,
		Operable: d.Operator != nil && d.Desk != nil, Operator: d.operates(r), Here: r.URL.RequestURI(),
	}
	if next != "" {
		page.Older = r.URL.Path + "?" + next
	}
	head := d.Status.Status().Head
	for _, m := range found {
		page.Messages = append(page.Messages, viewMessage(m, head))
	}
	d.showPage(w, r, http.StatusOK, "messages", page)
}

func (d *dashboard) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var bad *badQuery
	switch {
	case errors.As(err, &bad):
		http.Error(w, bad.text, http.StatusBadRequest)
		return
	case errors.Is(err, vigil.ErrNotFound):
		http.Error(w, "there is no message that before= names any more: begin again without it", http.StatusNotFound)
		return
	}
	d.broken(w, r, err)
}

// find gives the messages of a question, newest first, and the question for those
// after them, if there may be more.
func (d *dashboard) find(ctx context.Context, asked url.Values, most int) (found []explain.Message, next string, err error) {
	q, err := query(asked, most)
	if err != nil || d.Messages == nil {
		return []explain.Message{}, "", err
	}
	if found, err = d.Messages(ctx, q); err != nil {
		return nil, "", err
	}
	slices.Reverse(found)
	if q.Of != "" {
		found = slices.DeleteFunc(found, func(m explain.Message) bool { return !m.Matches(q.Of) })
	}
	found = append([]explain.Message{}, found[:min(q.Limit, len(found))]...) // [] in JSON, not null
	if len(found) < q.Limit {
		return found, "", nil
	}
	on := maps.Clone(asked)
	on.Set("before", last(found, q.Of != ""))
	return found, on.Encode(), nil
}

// last is the ID behind which the next page begins: of messages that are meant by a
// text it is the first in the order of IDs, in which they are found.
func last(found []explain.Message, byID bool) string {
	if !byID {
		return found[len(found)-1].ID
	}
	return slices.MinFunc(found, func(a, b explain.Message) int { return cmp.Compare(a.ID, b.ID) }).ID
}

func query(asked url.Values, most int) (vigil.MessageQuery, error) {
	q := vigil.MessageQuery{Limit: most, Of: asked.Get("of"), Before: asked.Get("before")}
	for _, word := range asked["state"] {
		state := vigil.MessageState(word)
		if !slices.Contains(vigil.MessageStates, state) {
			return q, &badQuery{fmt.Sprintf("there is no state %q: use some of %v", word, vigil.MessageStates)}
		}
		q.States = append(q.States, state)
	}
	if text := asked.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostInJSON {
			return q, &badQuery{fmt.Sprintf("limit is %q: give a number from 1 to %d; before= asks for those after them", text, mostInJSON)}
		}
		q.Limit = n
	}
	return q, nil
}

// messagesPage is what the page of messages shows.
type messagesPage struct {
	Head     headView
	Of       string // the text that was asked for
	Most     int
	Older    string // the link to the next page, if there may be more
	Messages []messageView
	Operable bool   // operators may log in and do something
	Operator bool   // one has
	Here     string // to come back to from the login
}

// Detailed says that each message is told of in whole.
func (p messagesPage) Detailed() bool { return p.Of != "" && len(p.Messages) <= 10 }

type messageView struct {
	mark
	explain.Message
	Link string // to the page of this one alone
	What string // method and receiver
	When string // how much time is left
	Fee  string // the last attempt's
}

func viewMessage(m explain.Message, head abi.ChainEpoch) messageView {
	v := messageView{
		mark: messageMark(m.State), Message: m,
		Link: messageLink(m.ID),
		What: fmt.Sprintf("%s to %s", cmp.Or(m.Name, fmt.Sprintf("method %d", m.Method)), m.To),
		When: "–",
	}
	if left, ok := m.Left(head); ok {
		v.When = fmt.Sprintf("%d epochs left", left)
		if left <= 0 {
			v.When = "its time is over"
		}
	}
	if n := len(m.Attempts); n > 0 {
		v.Fee = fmt.Sprintf("premium %s, cap %s", explain.FIL(m.Attempts[n-1].Premium), explain.FIL(m.Attempts[n-1].FeeCap))
	}
	return v
}

// messageMark shows a message's state with the sign of the duty's that it is like.
func messageMark(s vigil.MessageState) mark {
	like := markUpcoming
	switch s {
	case vigil.MessageQueued:
		like = markScheduled
	case vigil.MessageSigned:
		like = markProved
	case vigil.MessagePublished, vigil.MessageIncluded, vigil.MessageConflicted:
		like = markSubmitted
	case vigil.MessageConfirmed:
		like = markConfirmed
	case vigil.MessageFailed, vigil.MessageExpired:
		like = markMissed
	case vigil.MessageCancelled:
		like = markReplaced
	}
	like.Word = strings.ReplaceAll(string(s), "_", " ")
	return like
}
