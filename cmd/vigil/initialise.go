package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/app"
)

func initCommand() *cli.Command {
	return &cli.Command{
		Name:  "init",
		Usage: "write a configuration: asks for what it needs, and checks each answer at once",
		Description: "What a flag gives is not asked. Each answer is checked against the node and the disks before the next question; the file\n" +
			"is written at the end, with every other setting and its default as a comment. Nothing that exists is overwritten.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "write `FILE`", Value: "vigil.toml"},
			&cli.StringFlag{Name: "node", Usage: "the `URL` of a node, or token:multiaddress"},
			&cli.StringFlag{Name: "token-file", Usage: "the `FILE` with the node's token"},
			&cli.StringSliceFlag{Name: "miner", Usage: "keep the miner `ADDRESS` proven; may be repeated"},
			&cli.BoolFlag{Name: "shadow", Usage: "somebody else posts for the miners: sign and send nothing, ask for no key, and compare"},
			&cli.StringSliceFlag{Name: "storage", Usage: "read sectors in `PLACE`, as vigil storage scan takes it; may be repeated"},
			&cli.StringFlag{Name: "keystore", Usage: "the encrypted `FILE` of the keys; made if it is not there"},
			&cli.StringFlag{Name: "passphrase-file", Usage: "the `FILE` with its passphrase; made if it is not there"},
			&cli.StringSliceFlag{Name: "key", Usage: "take over the key in `FILE`, as lotus wallet export prints it; may be repeated"},
			&cli.StringFlag{Name: "remote-wallet", Usage: "the `URL` of lotus-wallet or venus-wallet, instead of a keystore"},
			&cli.StringFlag{Name: "remote-token-file", Usage: "the `FILE` with its token"},
			&cli.StringFlag{Name: "parameters", Usage: "the `FOLDER` of Filecoin's proof parameters, if it is not the usual one"},
			&cli.StringFlag{Name: "data", Usage: "the daemon's own `FOLDER`", Value: "~/.vigil"},
		},
		OnUsageError: onUsageError,
		Action: does(func(ctx context.Context, c *cli.Command) error {
			if err := noArguments(c); err != nil {
				return err
			}
			i := &interview{c: c, in: bufio.NewReader(c.Root().Reader), out: c.Root().Writer}
			return i.hold(ctx)
		}),
	}
}

// interview asks for what a configuration needs.
type interview struct {
	c   *cli.Command
	in  *bufio.Reader
	out io.Writer
	a   app.Answers
	now app.Config // as far as it is known
}

func (i *interview) hold(ctx context.Context) error {
	path := i.c.String("config")
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is there already: remove it, or write another with --config; vigil doctor checks it", path)
	}
	for _, step := range []func(context.Context) error{i.node, i.miners, i.storages, i.keys, i.parameters} {
		if err := step(ctx); err != nil {
			return err
		}
		fmt.Fprintln(i.out)
	}
	return i.write(path)
}

// errNoAnswer says that the answers have ended.
type errNoAnswer struct{ flag string }

func (e *errNoAnswer) Error() string { return fmt.Sprintf("nothing answers: give --%s", e.flag) }

// ask asks a question; nothing means the usual answer.
func (i *interview) ask(flag, question, usual string) (string, error) {
	if usual != "" {
		question += " [" + withoutToken(usual) + "]"
	}
	fmt.Fprintf(i.out, "%s: ", question)
	line, err := i.in.ReadString('\n')
	if err != nil && line == "" {
		fmt.Fprintln(i.out)
		return "", &errNoAnswer{flag}
	}
	if line = strings.TrimSpace(line); line == "" {
		return usual, nil
	}
	return line, nil
}

// withoutToken is an answer as it may stand on a screen: FULLNODE_API_INFO has the
// node's token before its address.
func withoutToken(answer string) string {
	if token, at, found := strings.Cut(answer, ":"); found && strings.Count(token, ".") == 2 {
		return "…:" + at
	}
	return answer
}

// given is a flag's value, or what is asked for.
func (i *interview) given(flag, question, usual string) (value string, asked bool, err error) {
	if v := i.c.String(flag); v != "" {
		return v, false, nil
	}
	value, err = i.ask(flag, question, usual)
	return value, true, err
}

// examine shows what is found about the miners, or about the node alone, and says whether something is ill.
func (i *interview) examine(ctx context.Context, aspects app.Aspect) (ill bool) {
	app.ExamineMiners(ctx, i.now, aspects, func(e app.Examined) {
		if aspects != 0 && strings.HasPrefix(e.About, "node ") && e.Health == app.Well {
			return // it was shown before
		}
		ill = ill || e.Health == app.Ill
		sayExamined(i.out, e)
	})
	return ill
}

func (i *interview) node(ctx context.Context) error {
	usual := "ws://127.0.0.1:1234/rpc/v1"
	if info := os.Getenv("FULLNODE_API_INFO"); info != "" {
		usual, _, _ = strings.Cut(info, ",")
	}
	for {
		url, asked, err := i.given("node", "the API of your Lotus, Venus or Forest node", usual)
		if err != nil {
			return err
		}
		i.a.NodeURL, i.a.NodeTokenFile = url, i.c.String("token-file")
		if own := expand("~/.lotus/token"); i.a.NodeTokenFile == "" && strings.Contains(url, "://") && !strings.Contains(strings.SplitN(url, "/", 2)[0], ".") && exists(own) {
			i.a.NodeTokenFile = own
		}
		i.now.Nodes = []app.Node{{URL: url}}
		if file := i.a.NodeTokenFile; file != "" {
			token, err := os.ReadFile(expand(file))
			if err != nil {
				return err
			}
			i.now.Nodes[0].Token = app.Secret(strings.TrimSpace(string(token)))
		}
		if !i.examine(ctx, 0) {
			return nil
		}
		if !asked {
			return errReported
		}
	}
}

func (i *interview) miners(ctx context.Context) error {
	given := i.c.StringSlice("miner")
	for n := 0; ; n++ {
		if n == len(given) && n > 0 {
			return nil
		}
		text := ""
		if n < len(given) {
			text = given[n]
		} else {
			var err error
			question := "the miner's address"
			if len(i.a.Miners) > 0 {
				question = "another miner's (nothing: no more)"
			}
			if text, err = i.ask("miner", question, ""); err != nil {
				return err
			}
			if text == "" && len(i.a.Miners) > 0 {
				return nil
			}
		}
		if i.miner(ctx, text) {
			i.a.Miners = append(i.a.Miners, text)
		} else if n < len(given) {
			return errReported
		}
	}
}

func (i *interview) miner(ctx context.Context, text string) bool {
	a, err := address.NewFromString(text)
	if err != nil || a.Protocol() != address.ID {
		fmt.Fprintf(i.out, "✗ %q is no miner's address: write it as f01000\n", text)
		return false
	}
	id, err := address.IDFromAddress(a)
	if err != nil {
		fmt.Fprintf(i.out, "✗ %q is no miner's address: %v\n", text, err)
		return false
	}
	before := i.now.Miners
	i.now.Miners = append(before[:len(before):len(before)], abi.ActorID(id))
	if i.examine(ctx, app.ItExists) {
		i.now.Miners = before
		return false
	}
	return true
}

func (i *interview) storages(ctx context.Context) error {
	places := i.c.StringSlice("storage")
	usual := ""
	for _, place := range []string{"~/.lotusminer/storage.json", "~/.curio/storage.json"} {
		if exists(expand(place)) {
			usual = place
		}
	}
	for n := 0; n < len(places) || len(places) == 0; n++ {
		place, question := "", "a folder with sectors, a storage.json, or damocles' configuration"
		if len(i.a.Storages) > 0 {
			question, usual = "another (nothing: no more)", ""
		}
		if n < len(places) {
			place = places[n]
		} else {
			var err error
			if place, err = i.ask("storage", question, usual); err != nil {
				return err
			}
			if place == "" && len(i.a.Storages) > 0 {
				return nil
			}
		}
		found, err := app.ScanStorages(expand(place))
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("%s: no storage is there: one has sealed/ and cache/, or update/ and update-cache/", place)
		}
		if err != nil && n < len(places) {
			return err
		}
		if err != nil {
			fmt.Fprintf(i.out, "✗ %v\n", err)
			continue
		}
		i.a.Storages = append(i.a.Storages, found...)
		i.now.Storages = i.a.Storages
		if n >= len(places)-1 {
			i.examine(ctx, app.ItsSectors)
		}
	}
	return nil
}

func (i *interview) parameters(ctx context.Context) error {
	i.a.Parameters = i.c.String("parameters")
	i.now.Proofs.Parameters = expand(i.a.Parameters)
	if i.a.Parameters == "" {
		i.now.Proofs.Parameters = app.UsualParameters(os.Getenv)
	}
	if !exists(i.now.Proofs.Parameters) {
		folder, err := i.ask("parameters", i.now.Proofs.Parameters+" is not there; the folder of Filecoin's proof parameters", "")
		if err != nil || folder == "" {
			return err
		}
		i.a.Parameters, i.now.Proofs.Parameters = folder, expand(folder)
	}
	i.examine(ctx, app.ItsParameters)
	return nil
}

// write writes the file, and says what is next.
func (i *interview) write(path string) error {
	if data := i.c.String("data"); data != "~/.vigil" {
		i.a.Data = data
	}
	for _, p := range []*string{&i.a.NodeTokenFile, &i.a.Keystore, &i.a.PassphraseFile, &i.a.RemoteTokenFile, &i.a.Parameters, &i.a.Data} {
		if *p != "" && !strings.HasPrefix(*p, "~/") { // the file may be moved
			absolute, err := filepath.Abs(*p)
			if err != nil {
				return err
			}
			*p = absolute
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // an address may have a token in it
	if err != nil {
		return err
	}
	_, err = f.WriteString(i.a.Text())
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	fmt.Fprintf(i.out, "%s is written. What is next:\n", path)
	for _, line := range [][2]string{
		{"vigil doctor --config " + path, "looks at everything once more"},
		{"vigil check --config " + path, "reads and verifies every sector"},
		{"vigil run --config " + path, "keeps the miners proven"},
	} {
		fmt.Fprintf(i.out, "  %-36s  %s\n", line[0], line[1])
	}
	return nil
}

// expand is a path with its ~/ resolved.
func expand(path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	if dir, err := os.UserHomeDir(); ok && err == nil {
		return filepath.Join(dir, rest)
	}
	return path
}
