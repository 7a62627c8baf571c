package dashboard

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// What changes something is for operators: those who have a token that permits
// it. A program gives the token with every request (Authorization: Bearer …).
// A browser gives it once, to /login, and has a session from then on: a random
// number in a cookie that no script reads and no other site makes it send. The
// token itself is not put there, because a browser sends a host's cookies to
// every port of it. Requests of other sites' pages are refused before any of this.
//
// A room that lets operators do something else registers its handlers in
// operatorRoutes, each behind operators.

func (d *dashboard) operatorRoutes(mux *http.ServeMux) {
	if d.Operator == nil {
		return
	}
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		d.showLogin(w, r, http.StatusOK, r.URL.Query().Get("back"), "")
	})
	mux.HandleFunc("POST /login", d.login)
	mux.HandleFunc("POST /logout", d.logout)
	d.messageWishes(mux)
}

// maxForm is far above what a form or an API request has.
const maxForm = 64 << 10

// operators lets only them through. A page sends everybody else to the login.
func (d *dashboard) operators(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		refused := d.judge(r)
		switch {
		case refused == nil:
			next(w, r)
		case strings.HasPrefix(r.URL.Path, "/api/"):
			w.Header().Set("WWW-Authenticate", `Bearer realm="vigil"`)
			http.Error(w, refused.text, refused.status)
		case r.Method == http.MethodGet:
			http.Redirect(w, r, "/login?back="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		default:
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		}
	}
}

// refusal says why somebody is not let do something.
type refusal struct {
	status int
	text   string
}

const tokenAdvice = "a token that permits write is needed: it is in the file token of the daemon's data folder, and vigil message token --permit write prints another"

// judge says why a request is not an operator's, or nothing.
func (d *dashboard) judge(r *http.Request) *refusal {
	if header := r.Header.Get("Authorization"); header != "" {
		token, ok := strings.CutPrefix(header, "Bearer ")
		if !ok {
			return &refusal{http.StatusUnauthorized, tokenAdvice + "; it is given as Authorization: Bearer TOKEN"}
		}
		return d.judgeToken(token)
	}
	if d.operates(r) {
		return nil
	}
	return &refusal{http.StatusUnauthorized, tokenAdvice}
}

func (d *dashboard) judgeToken(token string) *refusal {
	permits, err := d.Operator(strings.TrimSpace(token))
	switch {
	case err != nil:
		return &refusal{http.StatusUnauthorized, fmt.Sprintf("%v: %s", err, tokenAdvice)}
	case !permits:
		return &refusal{http.StatusForbidden, "the token permits to look and not to change anything: " + tokenAdvice}
	}
	return nil
}

// operates says that the browser that asks has logged in.
func (d *dashboard) operates(r *http.Request) bool {
	cookie, err := r.Cookie(cookieName(r))
	return err == nil && d.sessions.has(cookie.Value)
}

func (d *dashboard) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form could not be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	back := r.PostForm.Get("back")
	if refused := d.judgeToken(r.PostForm.Get("token")); refused != nil {
		d.say(r, "somebody was not let in as an operator", "why", refused.text)
		d.showLogin(w, r, refused.status, back, refused.text)
		return
	}
	d.say(r, "an operator logged in")
	http.SetCookie(w, sessionCookie(r, d.sessions.begin(), sessionTime))
	http.Redirect(w, r, ownPath(back), http.StatusSeeOther)
}

func (d *dashboard) logout(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(cookieName(r)); err == nil {
		d.sessions.end(cookie.Value)
	}
	http.SetCookie(w, sessionCookie(r, "", -time.Second))
	http.Redirect(w, r, "/messages", http.StatusSeeOther)
}

// say notes in the log what an operator did, and from where.
func (d *dashboard) say(r *http.Request, what string, about ...any) {
	if d.Log != nil {
		d.Log.InfoContext(r.Context(), what, append(about, "remote", r.RemoteAddr)...)
	}
}

type loginPage struct{ Back, Problem string }

func (d *dashboard) showLogin(w http.ResponseWriter, r *http.Request, status int, back, problem string) {
	d.showPage(w, r, status, "login", loginPage{ownPath(back), problem})
}

// showPage renders a page of the name with a status.
func (d *dashboard) showPage(w http.ResponseWriter, r *http.Request, status int, name string, page any) {
	var html bytes.Buffer
	if err := templates.ExecuteTemplate(&html, name, page); err != nil {
		d.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(html.Bytes())
}

// ownPath is where a login leads to: never to another site, whoever made the link.
func ownPath(back string) string {
	u, err := url.Parse(back)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || strings.ContainsAny(back, "\\\r\n\t") {
		return "/messages"
	}
	return back
}

// sessionTime is how long a login lasts: an operator's working day.
const sessionTime = 12 * time.Hour

// sessionCookie is for this daemon alone: cookies know no ports, so the port is in its name.
func sessionCookie(r *http.Request, value string, lasts time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: cookieName(r), Value: value, Path: "/", MaxAge: int(lasts.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	}
}

func cookieName(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		return "vigil-" + port
	}
	return "vigil"
}

// sessions are the browsers that operators have logged in with. They end with
// the process, and hold nothing that would let somebody in elsewhere.
type sessions struct {
	mu   sync.Mutex                      // guards what follows
	ends map[[sha256.Size]byte]time.Time // by the hash of the cookie's value, so that looking it up tells nothing by its time
}

func (s *sessions) begin() string {
	value := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for of, end := range s.ends {
		if !now.Before(end) {
			delete(s.ends, of)
		}
	}
	if s.ends == nil {
		s.ends = map[[sha256.Size]byte]time.Time{}
	}
	s.ends[sha256.Sum256([]byte(value))] = now.Add(sessionTime)
	return value
}

func (s *sessions) has(value string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.ends[sha256.Sum256([]byte(value))])
}

func (s *sessions) end(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ends, sha256.Sum256([]byte(value)))
}
