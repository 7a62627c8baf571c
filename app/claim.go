package app

import (
	"fmt"
	"log/slog"

	"github.com/filecoin-project/go-address"
	filelock "github.com/gofrs/flock"
)

// claim keeps a key of the keystore for this daemon while it runs. Two daemons
// with one key would both give its nonces: with one data folder the second is
// refused by that, and with two by this, on one machine.
func (d *Daemon) claim(key address.Address) error {
	path := d.config.Wallet.Keystore
	if path == "" || d.config.Messager.Sophon.URL != "" || d.claimed[key] {
		return nil
	}
	release, err := claimKey(path, key, d.log)
	if err != nil {
		return err
	}
	if d.claimed == nil {
		d.claimed = map[address.Address]bool{}
	}
	d.claimed[key] = true
	d.onClose(release)
	return nil
}

// claimKey takes the lock of a keystore's key, where it can be taken, until release.
func claimKey(keystore string, key address.Address, log *slog.Logger) (release func() error, err error) {
	lock := filelock.New(keystore+"."+key.String()+".lock", filelock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil { // a keystore in a folder that only root writes is a good one
		log.Warn("a second daemon with this key would not be noticed", "key", key.String(), "error", err)
		return func() error { return nil }, nil
	}
	if !got {
		return nil, unfit{fmt.Errorf("another vigil on this machine sends with the key %s of %s, and two would send everything twice: stop it, or give each a key of its own", key, keystore)}
	}
	return lock.Unlock, nil
}
