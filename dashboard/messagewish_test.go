package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
)

const (
	operatorToken = "eyJ.operator.token"
	readerToken   = "eyJ.reader.token"
)

// fakeDesk notes what is wished, and refuses what is said.
type fakeDesk struct {
	vigil.MessageDesk
	wished []string
	err    error
}

func (f *fakeDesk) note(verb, id string, gas *vigil.Gas) error {
	if gas != nil {
		verb += fmt.Sprintf(" %d/%s/%s", gas.Limit, gas.FeeCap, gas.Premium)
	}
	f.wished = append(f.wished, verb+" "+id)
	return f.err
}

func (f *fakeDesk) Cancel(_ context.Context, id string) error { return f.note("cancel", id, nil) }
func (f *fakeDesk) Replace(_ context.Context, id string, gas *vigil.Gas) error {
	return f.note("replace", id, gas)
}
func (f *fakeDesk) Republish(_ context.Context, id string) error {
	return f.note("republish", id, nil)
}

// counter is a dashboard that operators can use, its desk and its log.
type counter struct {
	t    *testing.T
	h    http.Handler
	desk *fakeDesk
	log  bytes.Buffer
	all  []explain.Message
}

func newCounter(t *testing.T) *counter {
	c := &counter{t: t, desk: &fakeDesk{}, all: told(t)}
	c.h = New(Config{
		Status: newFake(network(250)), Desk: c.desk, Log: slog.New(slog.NewTextHandler(&c.log, nil)),
		Messages: func(_ context.Context, q vigil.MessageQuery) ([]explain.Message, error) {
			var found []explain.Message
			for _, m := range c.all {
				if q.ID == "" || m.ID == q.ID {
					found = append(found, m)
				}
			}
			return found, nil
		},
		Operator: func(token string) (bool, error) {
			switch token {
			case operatorToken:
				return true, nil
			case readerToken:
				return false, nil
			}
			return false, errors.New("the token is not one of this daemon's")
		},
	})
	return c
}

// ask sends a request; edits may change it first.
func (c *counter) ask(method, target, body string, edits ...func(*http.Request)) *http.Response {
	c.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:8748"
	if method == http.MethodPost && !strings.HasPrefix(target, "/api/") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for _, edit := range edits {
		edit(r)
	}
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	return w.Result()
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func (c *counter) login(token, back string) *http.Response {
	c.t.Helper()
	return c.ask("POST", "/login", url.Values{"token": {token}, "back": {back}}.Encode())
}

// loggedIn is a browser's cookie after a login.
func (c *counter) loggedIn() func(*http.Request) {
	c.t.Helper()
	r := c.login(operatorToken, "/messages")
	if r.StatusCode != http.StatusSeeOther || len(r.Cookies()) != 1 {
		c.t.Fatalf("login: %s, %v", r.Status, r.Cookies())
	}
	return func(r2 *http.Request) { r2.AddCookie(r.Cookies()[0]) }
}

func (c *counter) nothingWished(when string) {
	c.t.Helper()
	if len(c.desk.wished) > 0 {
		c.t.Errorf("%s: %v", when, c.desk.wished)
	}
	c.desk.wished = nil
}

func (c *counter) wished(want string) {
	c.t.Helper()
	if len(c.desk.wished) != 1 || c.desk.wished[0] != want {
		c.t.Errorf("wished %q, want %q", c.desk.wished, want)
	}
	c.desk.wished = nil
}

func escapedID(id string) string { return url.PathEscape(id) }

func TestProgramsWishWithATokenThatPermitsIt(t *testing.T) {
	c := newCounter(t)
	id := c.all[1].ID
	path := "/api/messages/" + escapedID(id) + "/"
	for _, s := range []struct {
		sentence   string
		verb, body string
		edits      []func(*http.Request)
		status     int
		want       string
	}{
		{"no token is refused", "cancel", "", nil, 401, ""},
		{"a token of elsewhere is refused", "cancel", "", []func(*http.Request){bearer("eyJ.x.y")}, 401, ""},
		{"a token that only reads is refused", "cancel", "", []func(*http.Request){bearer(readerToken)}, 403, ""},
		{"another scheme is refused", "cancel", "", []func(*http.Request){func(r *http.Request) { r.Header.Set("Authorization", "Basic "+operatorToken) }}, 401, ""},
		{"a bad token is not helped by a good cookie", "cancel", "", []func(*http.Request){bearer("eyJ.x.y"), c.loggedIn()}, 401, ""},
		{"an operator cancels", "cancel", "", []func(*http.Request){bearer(operatorToken)}, 202, "cancel " + id},
		{"an operator republishes", "republish", "", []func(*http.Request){bearer(operatorToken)}, 202, "republish " + id},
		{"an operator replaces", "replace", "", []func(*http.Request){bearer(operatorToken)}, 202, "replace " + id},
		{"with gas", "replace", `{"gas_limit": 7, "fee_cap": "200", "premium": 101}`, []func(*http.Request){bearer(operatorToken)}, 202, "replace 7/200/101 " + id},
		{"with half of the gas", "replace", `{"gas_limit": 7}`, []func(*http.Request){bearer(operatorToken)}, 400, ""},
		{"with what is no JSON", "replace", `gas_limit=7`, []func(*http.Request){bearer(operatorToken)}, 400, ""},
		{"gas of what is cancelled", "cancel", `{"gas_limit": 7, "fee_cap": "200", "premium": 101}`, []func(*http.Request){bearer(operatorToken)}, 400, ""},
		{"more than anybody has to say", "replace", strings.Repeat(" ", maxForm+1), []func(*http.Request){bearer(operatorToken)}, 413, ""},
		{"what cannot be wished", "delete", "", []func(*http.Request){bearer(operatorToken)}, 404, ""},
		{"from another site's page", "cancel", "", []func(*http.Request){c.loggedIn(), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }}, 403, ""},
		{"by another name", "cancel", "", []func(*http.Request){bearer(operatorToken), func(r *http.Request) { r.Host = "elsewhere.example" }}, 403, ""},
	} {
		r := c.ask("POST", path+s.verb, s.body, s.edits...)
		text := body(t, r)
		if r.StatusCode != s.status {
			t.Errorf("%s: %s %s", s.sentence, r.Status, text)
		}
		if r.StatusCode == 401 && r.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: it is not said how to authenticate", s.sentence)
		}
		if s.want == "" {
			c.nothingWished(s.sentence)
			continue
		}
		c.wished(s.want)
		var m explain.Message
		if err := json.Unmarshal([]byte(text), &m); err != nil || m.ID != id {
			t.Errorf("%s: the answer is not the message: %s", s.sentence, text)
		}
	}
}

func TestAnIDIsTakenWithItsSlashesEscapedOrNot(t *testing.T) {
	c := newCounter(t)
	id := c.all[1].ID
	c.ask("POST", "/api/messages/"+strings.NewReplacer("#", "%23", " ", "%20").Replace(id)+"/republish", "", bearer(operatorToken))
	c.wished("republish " + id)
	if r := c.ask("POST", "/api/messages/cancel", "", bearer(operatorToken)); r.StatusCode != 400 {
		t.Errorf("without an ID: %s", r.Status)
	}
	c.nothingWished("without an ID")
}

func TestWhatTheMessagerRefusesIsSaid(t *testing.T) {
	c := newCounter(t)
	path := "/api/messages/" + escapedID(c.all[1].ID) + "/cancel"
	for _, s := range []struct {
		err    error
		status int
	}{
		{&vigil.WishError{ID: "it", Why: "the chain executed it at epoch 7"}, 409},
		{fmt.Errorf("message: %w", vigil.ErrNotFound), 404},
		{errors.New("disk on fire"), 500},
	} {
		c.desk.err = s.err
		r := c.ask("POST", path, "", bearer(operatorToken))
		if text := body(t, r); r.StatusCode != s.status || !strings.Contains(text, s.err.Error()) {
			t.Errorf("%v: %s %s", s.err, r.Status, text)
		}
	}
}

// What an operator does in a browser, without any script.
func TestABrowserLogsInConfirmsAndCancels(t *testing.T) {
	c := newCounter(t)
	id := c.all[1].ID
	link := "/messages/cancel?id=" + url.QueryEscape(id)

	page := body(t, c.ask("GET", "/messages?of="+url.QueryEscape(id), ""))
	if strings.Contains(page, "/messages/cancel") || !strings.Contains(page, "Log in") {
		t.Error("somebody who is not logged in is shown what an operator may do")
	}
	r := c.ask("GET", link, "")
	if at := r.Header.Get("Location"); r.StatusCode != http.StatusSeeOther || at != "/login?back="+url.QueryEscape(link) {
		t.Errorf("who is not logged in is sent to %s %s", r.Status, at)
	}
	if r := c.ask("POST", "/messages/cancel", url.Values{"id": {id}}.Encode()); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/login" {
		t.Errorf("%s", r.Status)
	}
	c.nothingWished("without a login")

	r = c.login(operatorToken, link)
	cookie := r.Cookies()[0]
	if r.Header.Get("Location") != link || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || strings.Contains(cookie.Value, "operator") {
		t.Errorf("%s, cookie %+v", r.Header.Get("Location"), cookie)
	}
	in := func(r *http.Request) { r.AddCookie(cookie) }
	page = body(t, c.ask("GET", "/messages?of="+url.QueryEscape(id), "", in))
	if !strings.Contains(page, "/messages/cancel?id=") || !strings.Contains(page, "Log out") {
		t.Errorf("an operator is not shown what can be done:\n%s", page)
	}
	page = body(t, c.ask("GET", link, "", in))
	for _, words := range []string{"It is a race", "stays owed", `action="/messages/cancel"`, "cancel it", "leave it"} {
		if !strings.Contains(page, words) {
			t.Errorf("the confirmation does not say %q:\n%s", words, page)
		}
	}
	c.nothingWished("before it is confirmed")
	r = c.ask("POST", "/messages/cancel", url.Values{"id": {id}}.Encode(), in)
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/messages?of="+url.QueryEscape(id) {
		t.Errorf("%s %s", r.Status, r.Header.Get("Location"))
	}
	c.wished("cancel " + id)
	if said := c.log.String(); !strings.Contains(said, "wish=cancel") || strings.Contains(said, operatorToken) {
		t.Errorf("the log: %s", said)
	}

	r = c.ask("POST", "/logout", "", in)
	if r.StatusCode != http.StatusSeeOther || r.Cookies()[0].MaxAge >= 0 {
		t.Errorf("logout: %s %+v", r.Status, r.Cookies())
	}
	c.ask("POST", "/messages/cancel", url.Values{"id": {id}}.Encode(), in)
	c.nothingWished("with the cookie of a session that was ended")
}

func TestAReplacementsGasIsTyped(t *testing.T) {
	c := newCounter(t)
	in, id := c.loggedIn(), c.all[1].ID
	page := body(t, c.ask("GET", "/messages/replace?id="+url.QueryEscape(id), "", in))
	if !strings.Contains(page, "gas limit of 1000, a fee cap of 2000000 and a premium of 100") {
		t.Errorf("the last attempt's gas is not shown:\n%s", page)
	}
	c.ask("POST", "/messages/replace", url.Values{"id": {id}, "gas_limit": {"7"}, "fee_cap": {"200"}, "premium": {"101"}}.Encode(), in)
	c.wished("replace 7/200/101 " + id)
	c.ask("POST", "/messages/replace", url.Values{"id": {id}, "gas_limit": {""}, "fee_cap": {" "}, "premium": {""}}.Encode(), in)
	c.wished("replace " + id)
	r := c.ask("POST", "/messages/replace", url.Values{"id": {id}, "gas_limit": {"7"}, "fee_cap": {"x"}, "premium": {"101"}}.Encode(), in)
	if page := body(t, r); r.StatusCode != 400 || !strings.Contains(page, "all three") || !strings.Contains(page, `value="x"`) {
		t.Errorf("%s: what was typed is gone, or it is not said what is wrong:\n%s", r.Status, page)
	}
	c.nothingWished("with half of the gas")
	c.desk.err = &vigil.WishError{ID: id, Why: evil}
	r = c.ask("POST", "/messages/replace", url.Values{"id": {id}}.Encode(), in)
	if page := body(t, r); r.StatusCode != 409 || strings.Contains(page, evil) || !strings.Contains(page, "Nothing was done.") {
		t.Errorf("%s:\n%s", r.Status, page)
	}
}

func TestALoginNeedsATokenThatPermits(t *testing.T) {
	c := newCounter(t)
	for token, want := range map[string]int{"": 401, "eyJ.x.y": 401, readerToken: 403} {
		r := c.login(token, "/messages")
		if page := body(t, r); r.StatusCode != want || len(r.Cookies()) > 0 || !strings.Contains(page, `role="alert"`) {
			t.Errorf("%q: %s %v", token, r.Status, r.Cookies())
		}
	}
	if r := c.ask("POST", "/login", url.Values{"token": {operatorToken}}.Encode(), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }); r.StatusCode != 403 {
		t.Errorf("another site logs somebody in: %s", r.Status)
	}
	made := func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "vigil-8748", Value: operatorToken}) }
	c.ask("POST", "/messages/cancel", url.Values{"id": {c.all[1].ID}}.Encode(), made)
	c.nothingWished("with a cookie that was made up")
}

// A page that is asked for by a LAN's address over HTTP is no secure context: the browser
// tells where a form comes from by its Origin alone, and makes that null where the page's
// policy is no-referrer (Fetch, "append a request Origin header"; Chromium does).
func TestABrowserElsewhereInTheNetworkLogsIn(t *testing.T) {
	c := newCounter(t)
	const at = "192.0.2.7:8748"
	form := func(origin string) func(*http.Request) {
		return func(r *http.Request) {
			r.Host = at
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", origin)
		}
	}
	origin := "http://" + at
	if page := c.ask("GET", "/login", "", form("")); page.Header.Get("Referrer-Policy") == "no-referrer" {
		origin = "null"
	}
	token := url.Values{"token": {operatorToken}}.Encode()
	if r := c.ask("POST", "/login", token, form(origin)); r.StatusCode != 303 || len(r.Cookies()) != 1 {
		t.Errorf("by origin %s: %s", origin, r.Status)
	}
	for _, other := range []string{"null", "http://elsewhere.example", "http://192.0.2.7:9000"} {
		if r := c.ask("POST", "/login", token, form(other)); r.StatusCode != 403 {
			t.Errorf("by origin %s: %s", other, r.Status)
		}
	}
}

func TestALoginLeadsToNoOtherSite(t *testing.T) {
	for back, want := range map[string]string{
		"/messages?of=f01000%2F1": "/messages?of=f01000%2F1", "": "/messages", "https://elsewhere.example/": "/messages", "//elsewhere.example/": "/messages",
		`/\elsewhere.example/`: "/messages", "messages": "/messages", "/\telsewhere": "/messages", "javascript:alert(1)": "/messages", "/%zz": "/messages",
	} {
		if got := ownPath(back); got != want {
			t.Errorf("%q leads to %q", back, got)
		}
	}
}

func TestASessionEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounter(t)
		in, form := c.loggedIn(), url.Values{"id": {c.all[1].ID}}.Encode()
		time.Sleep(sessionTime - time.Second)
		c.ask("POST", "/messages/republish", form, in)
		c.wished("republish " + c.all[1].ID)
		time.Sleep(time.Second)
		c.ask("POST", "/messages/republish", form, in)
		c.nothingWished("after the session's end")
	})
}

func TestWithoutAJudgeOfTokensNothingCanBeDone(t *testing.T) {
	desk := &fakeDesk{}
	h := New(Config{Status: newFake(network(250)), Desk: desk, Messages: func(context.Context, vigil.MessageQuery) ([]explain.Message, error) { return told(t), nil }})
	for _, path := range []string{"/login", "/messages/cancel", "/api/messages/x/cancel"} {
		r := httptest.NewRequest("POST", path, nil)
		r.Host = "localhost"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 404 && w.Code != 405 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if len(desk.wished) > 0 {
		t.Error(desk.wished)
	}
}
