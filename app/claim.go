package app

import (
	"fmt"

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
	lock := filelock.New(path+"."+key.String()+".lock", filelock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil { // a keystore in a folder that only root writes is a good one
		d.log.Warn("a second daemon with this key would not be noticed", "key", key.String(), "error", err)
		return nil
	}
	if !got {
		return unfit{fmt.Errorf("another vigil on this machine sends with the key %s of %s, and two would send everything twice: stop it, or give each a key of its own", key, path)}
	}
	if d.claimed == nil {
		d.claimed = map[address.Address]bool{}
	}
	d.claimed[key] = true
	d.onClose(lock.Unlock)
	return nil
}
