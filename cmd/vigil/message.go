package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-jsonrpc/auth"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/sophon"
)

func messageCommand() *cli.Command {
	config := &cli.StringFlag{Name: "config", Usage: "the configuration `FILE` of the daemon"}
	url := &cli.StringFlag{Name: "url", Usage: "the daemon's `URL`, in place of --config, for example http://127.0.0.1:8748"}
	token := &cli.StringFlag{Name: "token-file", Usage: "the `FILE` with its token, which --config finds by itself: token in the daemon's data folder"}
	asJSON := &cli.BoolFlag{Name: "json", Usage: "as JSON"}
	testnet := &cli.BoolFlag{Name: "testnet", Usage: "write addresses with t, as on test networks, while the daemon is off"}
	command := func(name, usage, args string, action func(context.Context, *asker, *cli.Command) error, flags ...cli.Flag) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, ArgsUsage: args, Flags: append([]cli.Flag{config, url, token, asJSON, testnet}, flags...),
			OnUsageError: onUsageError,
			Action: does(func(ctx context.Context, c *cli.Command) error {
				if c.Bool("testnet") {
					address.CurrentNetwork = address.Testnet
				}
				a, err := newAsker(c)
				if err != nil {
					return err
				}
				return action(ctx, a, c)
			}),
		}
	}
	return &cli.Command{
		Name:  "message",
		Usage: "look at the messages to the chain, and change what becomes of one",
		Description: "A MESSAGE is said by its ID, the CID of any of its attempts, its duty (f01000/1144209/0) or the beginning of its ID.\n" +
			"list, show and explain also work while the daemon is off; the others need it.",
		Action:       needsCommand,
		OnUsageError: onUsageError,
		Commands: []*cli.Command{
			command("list", "list the messages, the newest first", "", messageList,
				&cli.StringSliceFlag{Name: "state", Usage: "only those in this `STATE`; may be given more than once"},
				&cli.IntFlag{Name: "limit", Usage: "the newest `N`", Value: 30}),
			command("show", "show a message with all its attempts", "MESSAGE", messageShow),
			command("explain", "say what happened to a message, why it waits, and what to do", "MESSAGE", messageExplain),
			command("wait", "wait until a message is done; fails unless it is confirmed", "MESSAGE", messageWait,
				&cli.DurationFlag{Name: "every", Usage: "how often to look", Value: 2 * time.Second}),
			command("replace", "sign a message anew at its nonce, with a higher fee", "MESSAGE", messageReplace,
				&cli.Int64Flag{Name: "gas-limit", Usage: "`GAS`; with the two below, or the daemon chooses all three"},
				&cli.StringFlag{Name: "fee-cap", Usage: "`ATTOFIL` a unit of gas"},
				&cli.StringFlag{Name: "premium", Usage: "`ATTOFIL` a unit of gas"}),
			command("cancel", "see to it that a message is not executed, if that can still be helped", "MESSAGE", messageCancel),
			command("republish", "hand a message to the nodes now", "MESSAGE", messageRepublish),
			command("token", "print a token for the messager's API, for other programs", "", messageToken,
				&cli.StringSliceFlag{Name: "permit", Usage: "`PERMISSION`: read, write, sign or admin; may be given more than once", Value: []string{"read"}}),
		},
	}
}

func messageList(ctx context.Context, a *asker, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	found, err := a.list(ctx, c.StringSlice("state"), c.Int("limit"))
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.Root().Writer, found)
	}
	printMessages(c.Root().Writer, found)
	return nil
}

func messageShow(ctx context.Context, a *asker, c *cli.Command) error {
	return one(ctx, a, c, func(m explain.Message) { printMessage(c.Root().Writer, m) })
}

func messageExplain(ctx context.Context, a *asker, c *cli.Command) error {
	return one(ctx, a, c, func(m explain.Message) { printStory(c.Root().Writer, m) })
}

// one prints the message that the command line means.
func one(ctx context.Context, a *asker, c *cli.Command, print func(explain.Message)) error {
	text, err := meant(c)
	if err != nil {
		return err
	}
	m, err := a.pick(ctx, text)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.Root().Writer, m)
	}
	print(m)
	return nil
}

func meant(c *cli.Command) (string, error) {
	if c.Args().Len() == 0 || c.Args().First() == "" {
		return "", &usageError{c.FullName() + " takes a message: its ID, a CID or its duty"}
	}
	return strings.Join(c.Args().Slice(), " "), nil // an ID has spaces, and may come without quotes
}

// messageWait says each change, until the message is done.
func messageWait(ctx context.Context, a *asker, c *cli.Command) error {
	text, err := meant(c)
	if err != nil {
		return err
	}
	m, err := a.pick(ctx, text)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(max(c.Duration("every"), 10*time.Millisecond))
	defer ticker.Stop()
	said := ""
	for {
		if now := fmt.Sprint(m.State, len(m.Attempts), m.Problem); now != said && !c.Bool("json") {
			fmt.Fprintln(c.Root().Writer, strings.TrimSpace(fmt.Sprintf("%s. %s", m.State, m.Waits)))
			said = now // and not for each epoch that passes
		}
		if m.Done {
			return waited(c, m)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if m, err = a.pick(ctx, m.ID); err != nil {
			return err
		}
	}
}

func waited(c *cli.Command, m explain.Message) error {
	if c.Bool("json") {
		if err := printJSON(c.Root().Writer, m); err != nil {
			return err
		}
	}
	if m.State != "confirmed" {
		return fmt.Errorf("the message is %s: %s", m.State, strings.Join(m.Story[max(0, len(m.Story)-1):], " "))
	}
	return nil
}

func messageReplace(ctx context.Context, a *asker, c *cli.Command) error {
	p, err := replacement(c)
	if err != nil {
		return err
	}
	return alter(ctx, a, c, "replaced", func(id string) error {
		p.ID = id
		var signed cid.Cid
		return a.call(ctx, replaceTimeout, &signed, "Message.ReplaceMessage", p)
	})
}

// replaceTimeout is longer than the daemon waits for its own loop.
const replaceTimeout = 45 * time.Second

// replacement reads the gas of a replacement: all three, or none.
func replacement(c *cli.Command) (sophon.ReplaceParams, error) {
	p := sophon.ReplaceParams{MaxFee: big.Zero(), GasFeecap: big.Zero(), GasPremium: big.Zero()}
	if !c.IsSet("gas-limit") && !c.IsSet("fee-cap") && !c.IsSet("premium") {
		p.Auto = true
		return p, nil
	}
	var err error
	if p.GasFeecap, err = attoFIL(c, "fee-cap"); err != nil {
		return p, err
	}
	if p.GasPremium, err = attoFIL(c, "premium"); err != nil {
		return p, err
	}
	if p.GasLimit = c.Int64("gas-limit"); p.GasLimit <= 0 {
		return p, &usageError{"--gas-limit is needed with --fee-cap and --premium, and greater than 0"}
	}
	return p, nil
}

func attoFIL(c *cli.Command, flag string) (big.Int, error) {
	n, err := big.FromString(c.String(flag))
	if err != nil || n.Sign() <= 0 {
		return big.Zero(), &usageError{fmt.Sprintf("--%s is %q: give a whole number of attoFIL greater than 0, with --gas-limit, --fee-cap and --premium all three", flag, c.String(flag))}
	}
	return n, nil
}

func messageCancel(ctx context.Context, a *asker, c *cli.Command) error {
	return alter(ctx, a, c, "to be cancelled", func(id string) error {
		return a.call(ctx, 0, nil, "Message.MarkBadMessage", id)
	})
}

func messageRepublish(ctx context.Context, a *asker, c *cli.Command) error {
	return alter(ctx, a, c, "handed to the nodes", func(id string) error {
		return a.call(ctx, 0, nil, "Message.RepublishMessage", id)
	})
}

// alter does something to the message that the command line means, and shows
// how it stands then.
func alter(ctx context.Context, a *asker, c *cli.Command, done string, do func(id string) error) error {
	text, err := meant(c)
	if err != nil {
		return err
	}
	m, err := a.pick(ctx, text)
	if err != nil {
		return err
	}
	if err := do(m.ID); err != nil {
		return err
	}
	if m, err = a.pick(ctx, m.ID); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.Root().Writer, m)
	}
	fmt.Fprintf(c.Root().Writer, "%s is %s. It is %s now. vigil message explain says more.\n", m.ID, done, m.State)
	return nil
}

func messageToken(_ context.Context, a *asker, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	if a.place.Data == "" {
		return &usageError{"vigil message token needs --config: the secret is in the daemon's data folder"}
	}
	tokens, err := sophon.OpenTokens(a.place.Data)
	if err != nil {
		return err
	}
	var perms []auth.Permission
	for _, p := range c.StringSlice("permit") {
		perms = append(perms, auth.Permission(p))
	}
	token, err := tokens.Issue(perms...)
	if err != nil {
		return &usageError{err.Error()}
	}
	if c.Bool("json") {
		return printJSON(c.Root().Writer, map[string]string{"token": token, "url": a.place.URL + sophon.Path})
	}
	fmt.Fprintln(c.Root().Writer, token)
	return nil
}
