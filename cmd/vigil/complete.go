package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/app"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/wallet"
)

// Completion of values. The library completes commands and flags; what comes after
// --miner or vigil why is known here, some of it by the daemon alone.

// completing is the last word of what a shell asks when it completes: see the script
// that vigil completion prints.
const completing = "--generate-shell-completion"

// completionPatience is how long a person waits for a key's effect.
const completionPatience = 2 * time.Second

// choices gives what a value may be, a word or "word:what it is" each.
type choices func(ctx context.Context, a *asker) []string

// flagChoices are those of flags, by command and flag, or by flag where all commands mean the same.
var flagChoices = map[string]choices{
	"--miner":              minersThere,
	"--duty":               dutiesThere,
	"--level":              words("info", "warn", "error"),
	"--type":               words(wallet.Secp256k1, wallet.BLS),
	"--permit":             words("read", "write", "sign", "admin"),
	"duties --state":       words(dutyStates...),
	"duties --kind":        words(vigil.KindPost, vigil.KindRecover),
	"message list --state": words(vigil.MessageStates...),
}

// argumentChoices are those of commands' arguments.
var argumentChoices = map[string]choices{
	"why": dutiesThere, "message show": dutiesThere, "message explain": dutiesThere, "message wait": dutiesThere,
	"message replace": dutiesThere, "message cancel": dutiesThere, "message republish": dutiesThere,
}

// completed prints what the value may be that comes next, if it is known here.
func completed(ctx context.Context, root *cli.Command, args []string, out io.Writer) bool {
	if len(args) < 2 || args[len(args)-1] != completing {
		return false
	}
	given := args[1 : len(args)-1]
	c, path := commandOf(root, given)
	of := choicesAfter(c, path, given)
	if of == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, completionPatience)
	defer cancel()
	for _, choice := range of(ctx, askerOf(given)) {
		fmt.Fprintln(out, choice)
	}
	return true
}

// commandOf is the command that words lead to, and its name below root.
func commandOf(root *cli.Command, given []string) (*cli.Command, string) {
	c, path := root, ""
	for _, word := range given {
		if below := c.Command(word); below != nil {
			c, path = below, strings.TrimSpace(path+" "+below.Name)
		}
	}
	return c, path
}

// choicesAfter are those of the value that comes after the words; nil where none are known.
func choicesAfter(c *cli.Command, path string, given []string) choices {
	last := ""
	if len(given) > 0 {
		last = given[len(given)-1]
	}
	if !strings.HasPrefix(last, "-") {
		return argumentChoices[path]
	}
	for _, flag := range c.Flags {
		value, ok := flag.(cli.DocGenerationFlag)
		if !ok || !value.TakesValue() || !slices.Contains(flag.Names(), strings.TrimLeft(last, "-")) {
			continue
		}
		if of := flagChoices[path+" --"+flag.Names()[0]]; of != nil {
			return of
		}
		return flagChoices["--"+flag.Names()[0]]
	}
	return nil
}

// askerOf finds the daemon as the command would whose words these are.
func askerOf(given []string) *asker {
	after := func(flag string) string {
		if i := slices.Index(given, flag); i >= 0 && i+1 < len(given) {
			return given[i+1]
		}
		return ""
	}
	a := &asker{place: app.UsualPlace()}
	if at := after("--url"); at != "" {
		a.place.URL = strings.TrimRight(at, "/")
		return a
	}
	config := after("--config")
	if config == "" {
		config = os.Getenv(configVariable)
	}
	if config != "" {
		a.place, _ = app.Locate(config) // one that cannot be read completes nothing
	}
	return a
}

func words[S ~string](list ...S) choices {
	all := make([]string, len(list))
	for i, word := range list {
		all[i] = string(word)
	}
	return func(context.Context, *asker) []string { return all }
}

// minersThere are the daemon's, with how each stands. Where it does not answer there are none.
func minersThere(ctx context.Context, a *asker) (list []string) {
	s, err := served[vigil.Status](ctx, a, "/api/status")
	if err != nil {
		return nil
	}
	for _, m := range s.Miners {
		list = append(list, fmt.Sprintf("%s:deadline %d", m.Miner, m.Current.Index))
	}
	return list
}

// dutiesThere are the newest of the daemon, with how each stands.
func dutiesThere(ctx context.Context, a *asker) (list []string) {
	found, err := served[[]explain.Duty](ctx, a, "/api/duties?"+url.Values{"limit": {"50"}}.Encode())
	if err != nil {
		return nil
	}
	for _, d := range found {
		list = append(list, fmt.Sprintf("%s:deadline %d, %s", d.ID, d.Deadline, d.State))
	}
	return list
}
