package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/app"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/jsonrpc"
	"github.com/vigil-post/vigil/sophon"
)

// asker asks a daemon about messages, or its database while it is off.
type asker struct {
	place     app.Place
	tokenFile string
}

// configVariable names the configuration of commands that are not given one.
const configVariable = "VIGIL_CONFIG"

// configOf is the configuration of a command that may be given a URL instead: the
// variable's one does not go with a URL, which may be of another daemon.
func configOf(c *cli.Command) string {
	if given := c.String("config"); given != "" || c.String("url") != "" {
		return given
	}
	return os.Getenv(configVariable)
}

func newAsker(c *cli.Command) (*asker, error) {
	a := &asker{tokenFile: c.String("token-file")}
	switch config := configOf(c); {
	case config != "":
		place, err := app.Locate(config)
		if err != nil {
			return nil, err
		}
		a.place = place
	case c.String("url") == "":
		a.place = app.UsualPlace()
	}
	if c.String("url") != "" {
		a.place.URL = strings.TrimRight(c.String("url"), "/")
	}
	if a.tokenFile == "" && a.place.Data != "" {
		a.tokenFile = filepath.Join(a.place.Data, "token")
	}
	return a, nil
}

// pageSize is how many messages a daemon gives at once.
const pageSize = 1000

// list gives the newest messages in the states, newest first, page by page.
func (a *asker) list(ctx context.Context, states []string, limit int) ([]explain.Message, error) {
	var q vigil.MessageQuery
	for _, word := range states {
		state := vigil.MessageState(word)
		if !slices.Contains(vigil.MessageStates, state) {
			return nil, &usageError{fmt.Sprintf("there is no state %q: use some of %v", word, vigil.MessageStates)}
		}
		q.States = append(q.States, state)
	}
	if limit < 1 {
		return nil, &usageError{"--limit has to be 1 or more"}
	}
	all := []explain.Message{}
	for len(all) < limit {
		q.Limit = min(limit-len(all), pageSize)
		found, err := a.find(ctx, q, url.Values{"state": states, "limit": {strconv.Itoa(q.Limit)}, "before": {q.Before}})
		if err != nil {
			return nil, err
		}
		if all = append(all, found...); len(found) < q.Limit {
			break
		}
		q.Before = found[len(found)-1].ID
	}
	return all, nil
}

// pick gives the message that a text means.
func (a *asker) pick(ctx context.Context, text string) (explain.Message, error) {
	found, err := a.find(ctx, vigil.MessageQuery{Of: text}, url.Values{"of": {text}})
	if err != nil {
		return explain.Message{}, err
	}
	return explain.Pick(found, text)
}

// find asks the daemon or, where none listens, the database.
func (a *asker) find(ctx context.Context, q vigil.MessageQuery, asked url.Values) ([]explain.Message, error) {
	if a.place.URL == "" {
		return a.stored(ctx, q)
	}
	found, err := served[[]explain.Message](ctx, a, "/api/messages?"+asked.Encode())
	if errors.Is(err, syscall.ECONNREFUSED) && a.place.Data != "" {
		return a.stored(ctx, q)
	}
	return found, err
}

func (a *asker) stored(ctx context.Context, q vigil.MessageQuery) ([]explain.Message, error) {
	found, err := app.StoredMessages(ctx, a.place.Data, q)
	if err != nil {
		return nil, fmt.Errorf("the daemon does not answer at %s, and its database cannot be read: %w", orNone(a.place.URL), err)
	}
	slices.Reverse(found)
	return found, nil
}

func orNone(url string) string {
	if url == "" {
		return "any address (listen in [dashboard] is empty)"
	}
	return url
}

// patience is how long the daemon may take for a list.
const patience = 30 * time.Second

// served asks the daemon for what it serves at a path.
func served[T any](ctx context.Context, a *asker, path string) (answer T, err error) {
	body, err := a.ask(ctx, http.MethodGet, path, "", http.StatusOK)
	if err != nil {
		return answer, err
	}
	return decoded[T](body, a.place.URL)
}

// decoded is the answer of the daemon at a URL.
func decoded[T any](body io.ReadCloser, url string) (answer T, err error) {
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("what answers at %s is not a vigil of this version: %w", url, err)
	}
	return answer, nil
}

// ask gives the daemon's answer, if it is the one wanted.
func (a *asker) ask(ctx context.Context, method, path, token string, want int) (io.ReadCloser, error) {
	return a.send(ctx, method, path, token, nil, want)
}

// send is ask with something to read.
func (a *asker) send(ctx context.Context, method, path, token string, content io.Reader, want int) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, a.place.URL+path, content)
	if err != nil {
		return nil, &usageError{err.Error()}
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := (&http.Client{Timeout: patience}).Do(r)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("the daemon is off: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	if answer.StatusCode == want {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	return nil, fmt.Errorf("the daemon at %s answers %s: %s", a.place.URL, answer.Status, strings.TrimSpace(string(text)))
}

// token is what the daemon lets those do something by who can read its file.
func (a *asker) token() (string, error) {
	if a.place.URL == "" {
		return "", errors.New("the daemon serves no HTTP: set listen in [dashboard]")
	}
	if a.tokenFile == "" {
		return "", &usageError{"--token-file is needed with --url: the file token in the daemon's data folder"}
	}
	token, err := os.ReadFile(a.tokenFile)
	if err != nil {
		return "", fmt.Errorf("read the daemon's token (it writes it at its start): %w", err)
	}
	return string(token), nil
}

// call asks the daemon to do something. It needs the token.
func (a *asker) call(ctx context.Context, timeout time.Duration, result any, method string, params ...any) error {
	token, err := a.token()
	if err != nil {
		return err
	}
	client, err := jsonrpc.New(a.place.URL, token, sophon.Path, timeout)
	if err != nil {
		return err
	}
	err = client.Call(ctx, result, method, params...)
	var answer *jsonrpc.Error
	switch {
	case errors.As(err, &answer):
		return errors.New(answer.Message) // in the daemon's own words
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("the daemon is off, and only it can do this: %w", err)
	}
	return err
}
