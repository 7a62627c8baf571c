package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/app"
)

// What the commands that only look have in common: where the daemon is found,
// and what is done while it is off.

// reader looks at a daemon.
type reader struct {
	asker
	config string // the configuration file, if it was given
	c      *cli.Command
}

// readCommand makes a command that only looks. Its answer is a value for
// programs, with --json, and text for people.
func readCommand(name, usage, args string, action func(context.Context, *reader) error, flags ...cli.Flag) *cli.Command {
	common := []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "the configuration `FILE` of the daemon", Sources: cli.EnvVars(configVariable)},
		&cli.StringFlag{Name: "url", Usage: "the daemon's `URL`, in place of --config; " + app.UsualPlace().URL + " if neither is given"},
		&cli.BoolFlag{Name: "json", Usage: "as JSON"},
	}
	return &cli.Command{
		Name: name, Usage: usage, ArgsUsage: args, Flags: append(common, flags...), OnUsageError: onUsageError,
		Action: does(func(ctx context.Context, c *cli.Command) error {
			if args == "" {
				if err := noArguments(c); err != nil {
					return err
				}
			}
			r, err := newReader(c)
			if err != nil {
				return err
			}
			return action(ctx, r)
		}),
	}
}

func newReader(c *cli.Command) (*reader, error) {
	r := &reader{c: c, config: c.String("config")}
	switch {
	case c.String("url") != "":
		r.place.URL = strings.TrimRight(c.String("url"), "/")
		if r.config == "" {
			return r, nil
		}
	case r.config == "":
		r.place.URL = app.UsualPlace().URL
		return r, nil
	}
	place, err := app.Locate(r.config)
	if err != nil {
		return nil, err
	}
	if r.place.URL != "" {
		place.URL = r.place.URL
	}
	r.place = place
	return r, nil
}

// answer prints a value: as it is for programs, or by a function for people.
func (r *reader) answer(v any, print func(w io.Writer, p paint)) error {
	out := r.c.Root().Writer
	if r.c.Bool("json") {
		return printJSON(out, v)
	}
	print(out, painter(out))
	return nil
}

// errOff says that no daemon listens where it should.
var errOff = errors.New("the daemon does not answer")

// askFor asks the daemon. It is errOff where none listens.
func askFor[T any](ctx context.Context, r *reader, path string, asked url.Values) (answer T, err error) {
	if r.place.URL == "" {
		return answer, fmt.Errorf("%w: it serves no HTTP (listen in [dashboard] is empty)", errOff)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at := r.place.URL + path
	if len(asked) > 0 {
		at += "?" + asked.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return answer, &usageError{err.Error()}
	}
	response, err := http.DefaultClient.Do(request)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return answer, fmt.Errorf("%w at %s: is it running? --config or --url says where it is", errOff, r.place.URL)
	}
	if err != nil {
		return answer, fmt.Errorf("ask the daemon: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return answer, refusal(r, response)
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("what answers at %s is not a vigil of this version: %w", r.place.URL, err)
	}
	return answer, nil
}

// refusal is what a daemon says in place of an answer.
func refusal(r *reader, response *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	text := strings.TrimSpace(string(body))
	switch {
	case response.StatusCode == http.StatusBadRequest:
		return &usageError{text}
	case response.StatusCode == http.StatusNotFound && !strings.HasPrefix(text, "404 page"):
		return fmt.Errorf("%s", text)
	}
	return fmt.Errorf("the daemon at %s answers %s: %s", r.place.URL, response.Status, text)
}

// status is the daemon's picture. Without a daemon there is none: what is known then is when it was last there.
func (r *reader) status(ctx context.Context) (vigil.Status, error) {
	s, err := askFor[vigil.Status](ctx, r, "/api/status", nil)
	if errors.Is(err, errOff) && r.place.Data != "" {
		if past, opened := app.OpenPast(ctx, r.place.Data); opened == nil {
			defer past.Close()
			if seen, known := past.LastSeen(ctx); known == nil && seen != "" {
				return s, fmt.Errorf("%w; %s", err, seen)
			}
		}
	}
	return s, err
}

// fromPast asks the daemon, or the database where no daemon listens.
func fromPast[T any](ctx context.Context, r *reader, path string, asked url.Values, read func(*app.Past) (T, error)) (answer T, err error) {
	answer, err = askFor[T](ctx, r, path, asked)
	if !errors.Is(err, errOff) || r.place.Data == "" {
		return answer, err
	}
	past, opened := app.OpenPast(ctx, r.place.Data)
	if opened != nil {
		return answer, fmt.Errorf("%w, and its database cannot be read: %w", errOff, opened)
	}
	defer past.Close()
	return read(past)
}

// fromChain asks the daemon, or the nodes of the configuration where no daemon listens.
func fromChain[T any](ctx context.Context, r *reader, path string, asked url.Values, read func(*app.Present) (T, error)) (answer T, err error) {
	answer, err = askFor[T](ctx, r, path, asked)
	if !errors.Is(err, errOff) || r.config == "" {
		return answer, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	present, err := app.OpenPresent(ctx, r.config, warnings(r.c))
	if err != nil {
		return answer, err
	}
	defer present.Close()
	return read(present)
}

// miner is the --miner flag: 0 for all.
func (r *reader) miner() (url.Values, uint64, error) {
	text := r.c.String("miner")
	if text == "" {
		return url.Values{}, 0, nil
	}
	id, err := vigil.ParseMiner(text)
	if err != nil {
		return nil, 0, &usageError{err.Error()}
	}
	return url.Values{"miner": {text}}, uint64(id), nil
}

func minerFlag() cli.Flag {
	return &cli.StringFlag{Name: "miner", Usage: "only of the miner `ADDRESS`"}
}
