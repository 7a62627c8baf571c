// Package wallet holds the keys that sign messages, in a file that is
// encrypted with a passphrase (age, scrypt), and signs with them.
//
// The file is read when it is opened; the keys then live in the process'
// memory. It is replaced as a whole whenever a key is added or deleted, so that
// a crash leaves the old file or the new one; programs that change it at the
// same time take turns, and each keeps what the other wrote.
//
// Keys may also be with another program, a [Remote]. What any of them is used
// for is decided by a [Policy], before it is asked: a [Guard] is the
// vigil.Signer of the daemon, and nothing is signed but through it.
package wallet

import (
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

// Wallet is a keystore file and its keys, unlocked. All methods may be called
// concurrently. What a method wrote is durable when it returns. It signs any
// message: put a Guard in front of it.
type Wallet struct {
	path       string
	passphrase string // kept, because the file is encrypted anew with each change
	workFactor int

	mu     sync.Mutex // guards what follows, and the file
	keys   []key      // by address
	sealed []byte     // the file as it was read or written last
}

var _ vigil.Signer = (*Wallet)(nil)

// Key is what may be known of a key.
type Key struct {
	Address address.Address `json:"address"`
	Type    KeyType         `json:"type"`
}

// Create makes a new file without keys. A file that exists is fs.ErrExist.
func Create(path, passphrase string, o Options) (*Wallet, error) {
	w := newWallet(path, passphrase, o)
	return w, w.alone(func() error {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("create keystore %s: %w", path, fs.ErrExist)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("create keystore: %w", err)
		}
		return w.write(nil)
	})
}

// Open reads a file. It is fs.ErrNotExist where there is none, ErrPassphrase
// or ErrDamaged where it cannot be decrypted.
func Open(path, passphrase string, o Options) (*Wallet, error) {
	w := newWallet(path, passphrase, o)
	if err := w.read(); err != nil {
		return nil, err
	}
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
	return w.change(func(keys []key) ([]key, error) {
		i := index(keys, addr)
		if i < 0 {
			return nil, noKey(addr)
		}
		return slices.Delete(keys, i, i+1), nil
	})
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
	return index(w.keys, addr) >= 0, nil
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
	i := index(w.keys, addr)
	if i < 0 {
		return key{}, noKey(addr)
	}
	return w.keys[i], nil
}

func (w *Wallet) add(k key) error {
	return w.change(func(keys []key) ([]key, error) {
		if index(keys, k.address) >= 0 {
			return keys, nil
		}
		return append(keys, k), nil
	})
}

// change rewrites the file. What another process wrote since it was read is
// read first, so that its keys are kept.
func (w *Wallet) change(f func([]key) ([]key, error)) error {
	return w.alone(func() error {
		if err := w.reread(); err != nil {
			return err
		}
		keys, err := f(slices.Clone(w.keys))
		if err != nil {
			return err
		}
		return w.write(keys)
	})
}

// index is the place of an address' key, or -1.
func index(keys []key, addr address.Address) int {
	return slices.IndexFunc(keys, func(k key) bool { return k.address == addr })
}

func noKey(addr address.Address) error {
	return fmt.Errorf("the key of %s is not in the wallet: %w", addr, vigil.ErrNotFound)
}

// Name implements Source.
func (w *Wallet) Name() string { return "keystore " + w.path }
