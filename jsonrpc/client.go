// Package jsonrpc asks other programs over JSON-RPC 2.0, one HTTP POST a call:
// wallets and messagers, which are asked seldom and push nothing. Chain nodes,
// which do, have a connection of their own in package chain.
package jsonrpc

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

const (
	// DefaultTimeout is how long a call may take where nothing else is said.
	DefaultTimeout = 10 * time.Second
	// maxAnswer is far above any answer that is asked for.
	maxAnswer = 64 << 20
)

// Client asks one server. Its methods may be called concurrently.
type Client struct {
	at      string // what is posted to
	url     string // without a query, which may hold a key: it may be logged
	token   string
	timeout time.Duration
	http    *http.Client
}

// Error is what a server answered in place of a result.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return fmt.Sprintf("it answers: %s (code %d)", e.Message, e.Code) }

// InvalidParams is the Code of a call with parameters that the method has not.
const InvalidParams = -32602

// ErrToken says that the server wants a token, or another one.
var ErrToken = errors.New("the token is refused: is it this server's, and does it permit the call?")

// New reads a server's address, a URL or token:multiaddress (see
// ParseAddress), and asks nothing yet. A timeout of 0 is DefaultTimeout.
func New(address, token, defaultPath string, timeout time.Duration) (*Client, error) {
	at, token, err := ParseAddress(address, token, defaultPath)
	if err != nil {
		return nil, err
	}
	bare, _, _ := strings.Cut(at, "?")
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	return &Client{at: at, url: bare, token: token, timeout: timeout, http: &http.Client{
		// A redirection would carry the token to whoever it names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// URL is the server's, without secrets.
func (c *Client) URL() string { return c.url }

type request struct {
	Version string `json:"jsonrpc"`
	ID      int    `json:"id"`
	Method  string `json:"method"`
	Params  []any  `json:"params"`
}

type response struct {
	Result json.RawMessage `json:"result"`
	Error  *Error          `json:"error"`
}

// Call asks for a method and decodes the result, or drops it where result is
// nil. An *Error is the server's own answer; after any other error but ErrToken
// the call may have been carried out or not.
func (c *Client) Call(ctx context.Context, result any, method string, params ...any) error {
	return c.CallWithin(ctx, c.timeout, result, method, params...)
}

// CallWithin is Call with another patience, for methods that answer late.
func (c *Client) CallWithin(ctx context.Context, timeout time.Duration, result any, method string, params ...any) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(request{"2.0", 1, method, params})
	if err != nil {
		return fmt.Errorf("%s: encode its parameters: %w", method, err)
	}
	answer, err := c.post(limited, body)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return fmt.Errorf("%s: no answer within %s from %s: %w", method, timeout, c.url, err)
	case err != nil:
		return fmt.Errorf("%s: %w", method, err)
	case result == nil:
		return nil
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return fmt.Errorf("%s: %s gives an answer of another form: %w", method, c.url, err)
	}
	return nil
}

func (c *Client) post(ctx context.Context, body []byte) (json.RawMessage, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.at, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(r)
	var asked *url.Error
	if errors.As(err, &asked) {
		err = fmt.Errorf("ask %s: %w", c.url, asked.Err) // it has the whole URL
	}
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", c.url, err)
	}
	if len(text) > maxAnswer {
		return nil, fmt.Errorf("the answer of %s is longer than %d bytes", c.url, maxAnswer)
	}
	return c.read(answer.StatusCode, text)
}

// read finds the result in an answer. Servers send errors with any status.
func (c *Client) read(status int, text []byte) (json.RawMessage, error) {
	if c.token != "" { // a server that repeats what it was sent
		text = bytes.ReplaceAll(text, []byte(c.token), []byte("(token)"))
	}
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return nil, fmt.Errorf("%s: %w", c.url, ErrToken)
	}
	var found response
	err := json.Unmarshal(text, &found)
	switch {
	case err == nil && found.Error != nil:
		return nil, found.Error
	case err == nil && found.Result != nil && status == http.StatusOK:
		return found.Result, nil
	case err == nil && status == http.StatusOK && bytes.Contains(text, []byte(`"jsonrpc"`)):
		return json.RawMessage("null"), nil // a method without a result
	}
	return nil, fmt.Errorf("%s does not speak JSON-RPC (HTTP status %d: %s): is the path right?", c.url, status, firstLine(text))
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	const most = 120
	if len(line) > most {
		line = line[:most] + "…"
	}
	return fmt.Sprintf("%q", line)
}
