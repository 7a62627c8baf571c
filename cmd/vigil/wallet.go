package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/charmbracelet/x/term"
	"github.com/filecoin-project/go-address"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/app"
	"github.com/vigil-post/vigil/wallet"
)

func walletCommand() *cli.Command {
	keystore := &cli.StringFlag{Name: "keystore", Usage: "the encrypted `FILE` of the keys", Required: true}
	passphrase := &cli.StringFlag{
		Name: "passphrase-file", Usage: "the `FILE` with its passphrase; else the variable VIGIL_PASSPHRASE, else it is asked for",
	}
	kind := &cli.StringFlag{Name: "type", Usage: "`KIND` of key: secp256k1 or bls", Value: string(wallet.Secp256k1)}
	config := &cli.StringFlag{Name: "config", Usage: "write addresses as on the network of this configuration `FILE`; without it as on that of the keystore's folder", Sources: cli.EnvVars(configVariable)}
	testnet := &cli.BoolFlag{Name: "testnet", Usage: "write addresses with t, as on test networks"}
	command := func(name, usage, args string, action func(*cli.Command) error, flags ...cli.Flag) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, ArgsUsage: args, Flags: append([]cli.Flag{keystore, passphrase, config, testnet}, flags...),
			OnUsageError: onUsageError,
			Action: does(func(_ context.Context, c *cli.Command) error {
				if err := writeAddresses(c); err != nil {
					return err
				}
				return action(c)
			}),
		}
	}
	return &cli.Command{
		Name:         "wallet",
		Usage:        "keep the keys that send messages",
		Action:       needsCommand,
		OnUsageError: onUsageError,
		Commands: []*cli.Command{
			command("new", "make a key, and the keystore if there is none", "", walletNew, kind),
			command("import", "take over a key as lotus wallet export prints it", "[FILE]", walletImport),
			command("list", "name the keys", "", walletList, &cli.BoolFlag{Name: "json", Usage: "as JSON"}),
			command("export", "print a key as lotus wallet import takes it: it is a secret", "ADDRESS", walletExport),
		},
	}
}

// writeAddresses decides whether addresses begin with f or t: nobody is to tell a
// command what a daemon beside it has written down.
func writeAddresses(c *cli.Command) error {
	address.CurrentNetwork = address.Mainnet
	switch {
	case c.Bool("testnet"):
		address.CurrentNetwork = address.Testnet
	case c.String("config") != "":
		return app.WriteAddressesAs(c.String("config"))
	}
	return app.WriteAddressesIn(filepath.Dir(c.String("keystore")))
}

func walletNew(c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	kind := wallet.KeyType(c.String("type"))
	if kind != wallet.Secp256k1 && kind != wallet.BLS {
		return &usageError{fmt.Sprintf("no key is of type %q: use secp256k1 or bls", kind)}
	}
	w, err := openOrCreate(c)
	if err != nil {
		return err
	}
	made, err := w.New(kind)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.Root().Writer, made)
	return nil
}

func walletImport(c *cli.Command) error {
	from := io.Reader(os.Stdin)
	switch c.Args().Len() {
	case 0:
	case 1:
		file, err := os.Open(c.Args().First())
		if err != nil && isKey(c.Args().First()) {
			return &usageError{"a key on the command line can be read by others on this machine, and may be in the shell's history now: give it in a file or on standard input"}
		}
		if err != nil {
			return err
		}
		defer file.Close()
		from = file
	default:
		return &usageError{"wallet import takes one file, or the key on standard input"}
	}
	text, err := io.ReadAll(io.LimitReader(from, 1<<16))
	if err != nil {
		return fmt.Errorf("read the key: %w", err)
	}
	w, err := openOrCreate(c)
	if err != nil {
		return err
	}
	held, err := w.Import(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	fmt.Fprintln(c.Root().Writer, held)
	return nil
}

// isKey says that a text looks like a key in place of a file's name. It must
// not be repeated.
func isKey(text string) bool {
	_, err := hex.DecodeString(text)
	return strings.Contains(text, "{") || err == nil && len(text) >= 64
}

func walletList(c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	w, err := open(c)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return json.NewEncoder(c.Root().Writer).Encode(w.List())
	}
	for _, key := range w.List() {
		fmt.Fprintf(c.Root().Writer, "%s %s\n", key.Address, key.Type)
	}
	return nil
}

func walletExport(c *cli.Command) error {
	if c.Args().Len() != 1 {
		return &usageError{"wallet export takes one address"}
	}
	a, err := address.NewFromString(c.Args().First())
	if err != nil {
		return &usageError{fmt.Sprintf("%q is no address: %v", c.Args().First(), err)}
	}
	w, err := open(c)
	if err != nil {
		return err
	}
	key, err := w.Export(a)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Root().ErrWriter, "what follows is the key of %s: whoever reads it can spend what the address has. Do not leave it in a shell's history or a file that others can read.\n", a)
	fmt.Fprintln(c.Root().Writer, key)
	return nil
}

func open(c *cli.Command) (*wallet.Wallet, error) {
	path := c.String("keystore")
	for _, file := range []string{path, c.String("passphrase-file")} {
		if said := wallet.Exposed(file); said != "" {
			fmt.Fprintf(c.Root().ErrWriter, "warning: %s\n", said)
		}
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no keystore %s: vigil wallet new makes one: %w", path, err)
	}
	secret, err := passphrase(c, false)
	if err != nil {
		return nil, err
	}
	return wallet.Open(path, secret, wallet.Options{})
}

func openOrCreate(c *cli.Command) (*wallet.Wallet, error) {
	path := c.String("keystore")
	_, err := os.Stat(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return open(c)
	}
	secret, err := passphrase(c, true)
	if err != nil {
		return nil, err
	}
	w, err := wallet.Create(path, secret, wallet.Options{})
	if errors.Is(err, fs.ErrExist) { // another command was faster
		return wallet.Open(path, secret, wallet.Options{})
	}
	return w, err
}

// passphrase comes from a file, the environment or the terminal, in this order.
func passphrase(c *cli.Command, isNew bool) (string, error) {
	if file := c.String("passphrase-file"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		line, _, _ := strings.Cut(string(text), "\n")
		if line = strings.TrimSpace(line); line == "" {
			return "", fmt.Errorf("the passphrase file %s is empty", file)
		}
		return line, nil
	}
	if secret := os.Getenv("VIGIL_PASSPHRASE"); secret != "" {
		return secret, nil
	}
	if !term.IsTerminal(os.Stdin.Fd()) {
		return "", &usageError{"the passphrase is not given: use --passphrase-file or the variable VIGIL_PASSPHRASE"}
	}
	return askPassphrase(c.Root().ErrWriter, isNew)
}

func askPassphrase(prompt io.Writer, isNew bool) (string, error) {
	ask := func(question string) (string, error) {
		fmt.Fprint(prompt, question)
		secret, err := term.ReadPassword(os.Stdin.Fd())
		fmt.Fprintln(prompt)
		return string(secret), err
	}
	secret, err := ask("passphrase: ")
	if err != nil || !isNew {
		return secret, err
	}
	again, err := ask("once more: ")
	if err == nil && again != secret {
		err = errors.New("the two passphrases differ")
	}
	if err == nil && secret == "" {
		err = errors.New("the passphrase is empty")
	}
	return secret, err
}
