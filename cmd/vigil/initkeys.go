package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/vigil-post/vigil/app"
	"github.com/vigil-post/vigil/wallet"
)

// keys asks for the keys that messages are sent with.
func (i *interview) keys(ctx context.Context) error {
	if i.a.Shadow = i.c.Bool("shadow"); i.a.Shadow {
		fmt.Fprintln(i.out, "✓ no key is needed: the miners are in shadow, and nothing is signed or sent")
		return nil
	}
	i.now.Messager.MaxFee = app.DefaultMaxFee()
	if url := i.c.String("remote-wallet"); url != "" {
		return i.remoteKeys(ctx, url)
	}
	keystore, asked, err := i.given("keystore", "the keystore of the senders' keys (made if it is not there)", "~/.vigil/keystore")
	if err != nil {
		return err
	}
	i.a.Keystore, i.a.PassphraseFile = keystore, i.c.String("passphrase-file")
	if i.a.PassphraseFile == "" {
		i.a.PassphraseFile = filepath.Join(filepath.Dir(keystore), "passphrase")
	}
	w, err := openKeystore(expand(keystore), expand(i.a.PassphraseFile), i.out)
	if err != nil {
		return err
	}
	for _, file := range i.c.StringSlice("key") {
		if err := i.takeOver(w, file); err != nil {
			return err
		}
	}
	i.now.Wallet = app.Wallet{Keystore: expand(keystore), PassphraseFile: expand(i.a.PassphraseFile)}
	for i.unlock(); i.examine(ctx, app.ItsKeys) && asked; {
		file, err := i.ask("key", "a file with a key of theirs, as lotus wallet export prints it (nothing: later)", "")
		if err != nil || file == "" {
			return err
		}
		if err := i.takeOver(w, file); err != nil {
			fmt.Fprintf(i.out, "✗ %v\n", err)
		}
	}
	return nil
}

func (i *interview) remoteKeys(ctx context.Context, url string) error {
	i.a.RemoteWallet, i.a.RemoteTokenFile = url, i.c.String("remote-token-file")
	remote := app.RemoteWallet{URL: url}
	if i.a.RemoteTokenFile != "" {
		token, err := os.ReadFile(expand(i.a.RemoteTokenFile))
		if err != nil {
			return err
		}
		remote.Token = app.Secret(strings.TrimSpace(string(token)))
	}
	i.now.Wallet = app.Wallet{Remotes: []app.RemoteWallet{remote}}
	i.examine(ctx, app.ItsKeys)
	return nil
}

// unlock reads the passphrase for what is looked at later.
func (i *interview) unlock() {
	text, err := os.ReadFile(i.now.Wallet.PassphraseFile)
	if err == nil {
		i.now.Wallet.Passphrase = app.Secret(strings.TrimSpace(string(text)))
	}
}

func (i *interview) takeOver(w *wallet.Wallet, file string) error {
	text, err := os.ReadFile(expand(file))
	if err != nil {
		return err
	}
	held, err := w.Import(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	fmt.Fprintf(i.out, "✓ the key of %s is held\n", held)
	return nil
}

// writeSecret writes a file that others may not read, and that is on the disk before a
// keystore is made with what it has: without its passphrase that is lost.
func writeSecret(path, text string) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close(), syncFolder(filepath.Dir(path))) }()
	if _, err := file.WriteString(text); err != nil {
		return err
	}
	return file.Sync()
}

// syncFolder sees that a folder's new names are on the disk.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// openKeystore opens a keystore, or makes it, and its passphrase if there is none.
func openKeystore(path, passphraseFile string, out io.Writer) (*wallet.Wallet, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if !exists(path) && !exists(passphraseFile) {
		if err := writeSecret(passphraseFile, rand.Text()+"\n"); err != nil {
			return nil, fmt.Errorf("write the keystore's passphrase: %w", err)
		}
		fmt.Fprintf(out, "✓ a passphrase was drawn, and is in %s: keep a copy of it, and of the keystore, elsewhere\n", passphraseFile)
	}
	text, err := os.ReadFile(passphraseFile)
	if err != nil {
		return nil, fmt.Errorf("read the keystore's passphrase (--passphrase-file): %w", err)
	}
	passphrase := strings.TrimSpace(string(text))
	if exists(path) {
		return wallet.Open(path, passphrase, wallet.Options{})
	}
	return wallet.Create(path, passphrase, wallet.Options{})
}
