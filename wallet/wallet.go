// Package wallet holds the keys that sign messages, in a file that is
// encrypted with a passphrase (age, scrypt), and signs with them.
//
// The file is read once, when it is opened; the keys then live in the
// process' memory. It is replaced as a whole whenever a key is added or
// deleted, so that a crash leaves the old file or the new one.
//
// The policy: only the signing bytes of a message, its CID, are signed;
// anything else a key could be asked for (block headers, logins, free text)
// is refused.
package wallet

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
)

var (
	// ErrPassphrase says that the passphrase does not open the file. A file
	// damaged in its first lines cannot be told from that.
	ErrPassphrase = errors.New("the passphrase is wrong")
	// ErrDamaged says that the file is not what was written: restore it from a backup.
	ErrDamaged = errors.New("the file is damaged")
)

// Options are what a wallet may do without. The zero value is right for production.
type Options struct {
	// WorkFactor is the logarithm of scrypt's cost when the file is written;
	// 0 is 18: about a second to open it. A throw-away key may do with less.
	WorkFactor int
}

// Wallet is a keystore file and its keys, unlocked. It is a vigil.Signer; all
// methods may be called concurrently. What a method wrote is durable when it returns.
type Wallet struct {
	path       string
	passphrase string // kept, because the file is encrypted anew with each change
	workFactor int

	mu   sync.Mutex // guards keys and the file
	keys []key      // by address
}

var _ vigil.Signer = (*Wallet)(nil)

// Key is what may be known of a key.
type Key struct {
	Address address.Address
	Type    KeyType
}

// Create makes a new file without keys. A file that exists is an error.
func Create(path, passphrase string, o Options) (*Wallet, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("create keystore: %s exists", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("create keystore: %w", err)
	}
	w := newWallet(path, passphrase, o)
	if err := w.save(nil); err != nil {
		return nil, err
	}
	return w, nil
}

// Open reads a file. It is fs.ErrNotExist where there is none, ErrPassphrase
// or ErrDamaged where it cannot be decrypted.
func Open(path, passphrase string, o Options) (*Wallet, error) {
	w := newWallet(path, passphrase, o)
	keys, err := readFile(path, passphrase)
	if err != nil {
		return nil, err
	}
	w.keys = keys
	return w, nil
}

func newWallet(path, passphrase string, o Options) *Wallet {
	return &Wallet{path: path, passphrase: passphrase, workFactor: cmp.Or(o.WorkFactor, defaultWorkFactor)}
}

// New makes a key.
func (w *Wallet) New(kind KeyType) (address.Address, error) {
	k, err := randomKey(kind)
	if err != nil {
		return address.Undef, err
	}
	return k.address, w.add(k)
}

// Import takes a key as Lotus exports it. One that is held already is a success.
func (w *Wallet) Import(keyInfo string) (address.Address, error) {
	k, err := parseKeyInfo(keyInfo)
	if err != nil {
		return address.Undef, err
	}
	return k.address, w.add(k)
}

// Export gives a key in the form that Lotus imports. It is a secret.
func (w *Wallet) Export(addr address.Address) (string, error) {
	k, err := w.key(addr)
	if err != nil {
		return "", err
	}
	return k.keyInfo()
}

// Delete forgets a key for good. One that is not held is vigil.ErrNotFound.
func (w *Wallet) Delete(addr address.Address) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.index(addr)
	if i < 0 {
		return noKey(addr)
	}
	return w.save(slices.Delete(slices.Clone(w.keys), i, i+1))
}

// List names the keys, by address.
func (w *Wallet) List() []Key {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]Key, len(w.keys))
	for i, k := range w.keys {
		list[i] = Key{k.address, k.kind}
	}
	return list
}

// Has says whether the key of an f1 or f3 address is held.
func (w *Wallet) Has(_ context.Context, addr address.Address) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.index(addr) >= 0, nil
}

// Sign signs a message with the key of its From. Only messages are signed,
// by their CID, which is computed here; nothing else that a key could be asked
// for (block headers, logins, free text) has a way in.
func (w *Wallet) Sign(_ context.Context, m vigil.SignedMessage) (crypto.Signature, error) {
	k, err := w.key(m.From)
	if err != nil {
		return crypto.Signature{}, err
	}
	unsigned, err := m.UnsignedCID()
	if err != nil {
		return crypto.Signature{}, err
	}
	return k.sign(unsigned.Bytes())
}

func (w *Wallet) key(addr address.Address) (key, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.index(addr)
	if i < 0 {
		return key{}, noKey(addr)
	}
	return w.keys[i], nil
}

func (w *Wallet) add(k key) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.index(k.address) >= 0 {
		return nil
	}
	return w.save(append(slices.Clone(w.keys), k))
}

// index is the place of an address' key, or -1; mu is held.
func (w *Wallet) index(addr address.Address) int {
	return slices.IndexFunc(w.keys, func(k key) bool { return k.address == addr })
}

// save writes the file, then makes the keys the wallet's; mu is held.
func (w *Wallet) save(keys []key) error {
	slices.SortFunc(keys, func(a, b key) int { return bytes.Compare(a.address.Bytes(), b.address.Bytes()) })
	if err := writeFile(w.path, w.passphrase, w.workFactor, keys); err != nil {
		return err
	}
	w.keys = keys
	return nil
}

func noKey(addr address.Address) error {
	return fmt.Errorf("the key of %s is not in the wallet: %w", addr, vigil.ErrNotFound)
}
