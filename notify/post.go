package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// post sends a request. Its error has nothing of the URL but the host: the rest may be a secret.
func (n *Notifier) post(ctx context.Context, r request) error {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // it is read by people where it is shown raw
	if err := encoder.Encode(r.body); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, &body)
	if err != nil {
		return plainError(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	return n.do(req)
}

func (n *Notifier) do(req *http.Request) error {
	req.Header.Set("User-Agent", "vigil")
	resp, err := n.c.Client.Do(req)
	if err != nil {
		return plainError(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, 300))
	if resp.StatusCode/100 == 2 {
		return nil // whatever it had to say besides
	}
	if err != nil {
		said = nil
	}
	return fmt.Errorf("%s answers HTTP %s: %s", req.URL.Host, resp.Status, withoutPath(strings.TrimSpace(string(said)), req.URL))
}

// sameMethod follows no redirect that makes a GET of a POST: what answers that
// well has been told nothing.
func sameMethod(req *http.Request, via []*http.Request) error {
	if req.Method != via[0].Method || len(via) >= 10 {
		return http.ErrUseLastResponse
	}
	return nil
}

// withoutPath takes the secret part of a URL out of what a server says, for
// many say what they were asked for and do not have.
func withoutPath(said string, u *url.URL) string {
	for _, part := range []string{u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery} {
		if len(part) > 1 {
			said = strings.ReplaceAll(said, part, "…")
		}
	}
	return said
}

// plainError takes the URL out of an error.
func plainError(err error) error {
	var of *url.Error
	if !errors.As(err, &of) {
		return err
	}
	host := "the URL"
	if u, parsed := url.Parse(of.URL); parsed == nil {
		host = u.Host
	}
	return fmt.Errorf("%s: %w", host, of.Err)
}

// Heartbeat is a sign of life to something that is alarmed when it stays away,
// such as healthchecks.io: of all that can be wrong, only a daemon that is gone cannot
// be told of by itself.
type Heartbeat struct {
	URL   string
	Every time.Duration
	// Stopped says why no sign of life would be true now, or nothing.
	Stopped func() string
}

// beat asks the URL for as long as all goes on.
func (n *Notifier) beat(ctx context.Context) {
	said := ""
	for {
		problem := n.c.Beat.Stopped()
		if problem == "" {
			if err := n.Sign(ctx); err != nil {
				problem = err.Error()
			}
		}
		if problem != said && ctx.Err() == nil {
			if said = problem; problem != "" {
				n.c.Log.Warn("no heartbeat is sent", "why", problem)
			} else {
				n.c.Log.Info("the heartbeat is sent again")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(n.c.Beat.Every):
		}
	}
}

// Sign sends one heartbeat.
func (n *Notifier) Sign(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.c.Beat.URL, nil)
	if err != nil {
		return plainError(err)
	}
	return n.do(req)
}
