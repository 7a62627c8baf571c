package wallet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"filippo.io/age"
	"github.com/gofrs/flock"
)

const (
	// defaultWorkFactor costs about a second and 256 MiB to unlock: once at
	// start, and for every guess of a thief.
	defaultWorkFactor = 18
	// maxWorkFactor bounds what opening a file may cost (4 GiB).
	maxWorkFactor = 22
	fileVersion   = 1
)

// fileContent is what the file holds inside its encryption.
type fileContent struct {
	Version int       `json:"version"`
	Keys    []fileKey `json:"keys"`
}

type fileKey struct {
	Type    KeyType `json:"type"`
	Private []byte  `json:"private_key"`
}

// alone lets f work on the file while no other process and no other call does.
// The lock is a file beside it, which stays; it ends with the process.
func (w *Wallet) alone(f func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	lock := flock.New(w.path+".lock", flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("lock keystore %s: %w", w.path, err)
	}
	return errors.Join(f(), leaveLock(w.path), lock.Unlock())
}

// leaveLock leaves a keystore's lock to the keystore's owner.
func leaveLock(path string) error {
	keystore, err := os.Stat(path)
	if err != nil {
		return nil // it was not made, and that is said
	}
	lock, err := os.Open(path + ".lock")
	if err != nil {
		return err
	}
	return errors.Join(giveTo(lock, keystore), lock.Close())
}

// read decrypts the file and takes its keys.
func (w *Wallet) read() error {
	sealed, err := os.ReadFile(w.path)
	if err != nil {
		return fmt.Errorf("read keystore: %w", err)
	}
	return w.take(sealed)
}

// reread is read where the file is not the one that was read or written last;
// decrypting takes a second. mu is held.
func (w *Wallet) reread() error {
	sealed, err := os.ReadFile(w.path)
	if err != nil {
		return fmt.Errorf("read keystore: %w", err)
	}
	if bytes.Equal(sealed, w.sealed) {
		return nil
	}
	return w.take(sealed)
}

func (w *Wallet) take(sealed []byte) error {
	plain, err := unseal(sealed, w.passphrase)
	if err != nil {
		return fmt.Errorf("open keystore %s: %w", w.path, err)
	}
	keys, err := decodeKeys(plain)
	if err != nil {
		return fmt.Errorf("open keystore %s: %w", w.path, err)
	}
	w.keys, w.sealed = keys, sealed
	return nil
}

func unseal(sealed []byte, passphrase string) ([]byte, error) {
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	identity.SetMaxWorkFactor(maxWorkFactor)
	reader, err := age.Decrypt(bytes.NewReader(sealed), identity)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, ErrPassphrase
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return plain, nil
}

func decodeKeys(plain []byte) ([]key, error) {
	var content fileContent
	if err := json.Unmarshal(plain, &content); err != nil {
		return nil, fmt.Errorf("%w: its content is not a list of keys", ErrDamaged)
	}
	if content.Version != fileVersion {
		return nil, fmt.Errorf("its version is %d and this program knows %d: it was written by another version of Vigil", content.Version, fileVersion)
	}
	keys := make([]key, len(content.Keys))
	for i, k := range content.Keys {
		var err error
		if keys[i], err = newKey(k.Type, k.Private); err != nil {
			return nil, fmt.Errorf("%w: key %d: %w", ErrDamaged, i, err)
		}
	}
	return keys, nil
}

// write replaces the file, then makes the keys the wallet's: after a crash the
// file is the old one or the new one, whole. mu and the lock are held.
func (w *Wallet) write(keys []key) error {
	slices.SortFunc(keys, func(a, b key) int { return bytes.Compare(a.address.Bytes(), b.address.Bytes()) })
	content := fileContent{Version: fileVersion, Keys: make([]fileKey, len(keys))}
	for i, k := range keys {
		content.Keys[i] = fileKey{k.kind, k.private}
	}
	plain, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("encode keystore: %w", err)
	}
	sealed, err := seal(plain, w.passphrase, w.workFactor)
	if err != nil {
		return fmt.Errorf("encrypt keystore: %w", err)
	}
	if err := replaceFile(w.path, sealed); err != nil {
		return fmt.Errorf("write keystore: %w", err)
	}
	w.keys, w.sealed = keys, sealed
	return nil
}

func seal(plain []byte, passphrase string, workFactor int) ([]byte, error) {
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	recipient.SetWorkFactor(workFactor)
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipient)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return sealed.Bytes(), nil
}

// replaceFile writes beside the file, syncs, renames, and syncs the folder. The
// owner stays who it was; root leaves a new file to who the folder belongs to.
func replaceFile(path string, data []byte) error {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, "."+filepath.Base(path)+".*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // there is none after the rename
	_, err = f.Write(data)
	err = errors.Join(err, keepOwner(f, path), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func keepOwner(f *os.File, path string) error {
	before, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if os.Geteuid() != 0 {
			return nil
		}
		before, err = os.Stat(filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	return giveTo(f, before)
}

// Exposed says, in a sentence, that others than its owner may read or change a
// file that holds secrets; or nothing. The keystore is encrypted, so it is no
// reason to stop, but a passphrase beside it is as good as none.
func Exposed(path string) string {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return ""
	}
	return fmt.Sprintf("%s can be read or changed by others (mode %04o): chmod 600 makes it its owner's alone", path, info.Mode().Perm())
}
