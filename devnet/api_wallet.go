package devnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
)

// The node's wallet is the folder of keys that the network made for its miners,
// so that tools that let their node sign can be used here. It is read at each
// call: whoever puts an exported key there has imported it.

func (n *Network) keyFolder() string { return filepath.Join(n.cfg.Dir, "keys") }

// wallet reads all keys, in the order of their files' names.
func (n *Network) wallet() ([]*Key, error) {
	files, err := filepath.Glob(filepath.Join(n.keyFolder(), "*.key"))
	if err != nil {
		return nil, err
	}
	var keys []*Key
	for _, f := range files {
		k, err := ReadKey(f)
		if err != nil {
			return nil, fmt.Errorf("read the wallet: %w", err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// walletKey is the key of an account, or nil.
func (n *Network) walletKey(addr address.Address) (*Key, error) {
	keys, err := n.wallet()
	i := slices.IndexFunc(keys, func(k *Key) bool { return k.Address == addr })
	if err != nil || i < 0 {
		return nil, err
	}
	return keys[i], nil
}

// signer is the key for an account that is given by any of its addresses.
func (n *Network) signer(addr address.Address) (*Key, error) {
	key, err := keyAddress(n.chain.current(), addr)
	if err != nil {
		return nil, fmt.Errorf("failed to resolve ID address: %w", err)
	}
	k, err := n.walletKey(key)
	if err == nil && k == nil {
		err = fmt.Errorf("signing using key '%s': key info not found", key)
	}
	return k, err
}

func (a *api) WalletHas(ctx context.Context, addr address.Address) (bool, error) {
	if err := need(ctx, "write", "WalletHas"); err != nil {
		return false, err
	}
	k, err := a.n.walletKey(addr)
	return k != nil, err
}

func (a *api) WalletList(ctx context.Context) ([]address.Address, error) {
	if err := need(ctx, "write", "WalletList"); err != nil {
		return nil, err
	}
	keys, err := a.n.wallet()
	out := []address.Address{}
	for _, k := range keys {
		out = append(out, k.Address)
	}
	return out, err
}

func (a *api) WalletBalance(_ context.Context, addr address.Address) (abi.TokenAmount, error) {
	_, e, err := resolve(a.n.chain.current().before, addr)
	if err != nil {
		return big.Zero(), nil // a node says the same of an address it has never seen
	}
	return e.balance, nil
}

// WalletDefaultAddress is the first miner's worker.
func (a *api) WalletDefaultAddress(ctx context.Context) (address.Address, error) {
	if err := need(ctx, "write", "WalletDefaultAddress"); err != nil {
		return address.Undef, err
	}
	k, err := ReadKey(a.n.KeyFile("worker", idAddress(firstMiner)))
	if err != nil {
		return address.Undef, fmt.Errorf("failed to get default key: %w", err)
	}
	return k.Address, nil
}

func (a *api) WalletSign(ctx context.Context, addr address.Address, data []byte) (*crypto.Signature, error) {
	if err := need(ctx, "sign", "WalletSign"); err != nil {
		return nil, err
	}
	k, err := a.n.signer(addr)
	if err != nil {
		return nil, err
	}
	sig, err := k.Sign(data)
	return &sig, err
}

func (a *api) WalletSignMessage(ctx context.Context, addr address.Address, m *Message) (*SignedMessage, error) {
	if err := need(ctx, "sign", "WalletSignMessage"); err != nil {
		return nil, err
	}
	if err := m.complete(); err != nil {
		return nil, err
	}
	k, err := a.n.signer(addr)
	if err != nil {
		return nil, err
	}
	return k.SignMessage(*m)
}

func (a *api) WalletVerify(_ context.Context, addr address.Address, data []byte, sig *crypto.Signature) (bool, error) {
	return sig != nil && verify(sig, addr, data) == nil, nil
}

func (a *api) WalletValidateAddress(_ context.Context, text string) (address.Address, error) {
	return address.NewFromString(text)
}

// WalletNew draws a key. Its account is on chain when it is first sent something.
func (a *api) WalletNew(ctx context.Context, kind string) (address.Address, error) {
	if err := need(ctx, "write", "WalletNew"); err != nil {
		return address.Undef, err
	}
	typ, ok := keyTypes[kind]
	if !ok {
		return address.Undef, fmt.Errorf("no support for key type: %q", kind)
	}
	k, err := NewKey(typ)
	if err != nil {
		return address.Undef, err
	}
	return k.Address, a.n.keep(k)
}

func (a *api) WalletImport(ctx context.Context, info *keyInfo) (address.Address, error) {
	if err := need(ctx, "admin", "WalletImport"); err != nil {
		return address.Undef, err
	}
	if info == nil {
		return address.Undef, errors.New("failed to make key: no key")
	}
	k, err := info.key()
	if err != nil {
		return address.Undef, fmt.Errorf("failed to make key: %w", err)
	}
	return k.Address, a.n.keep(k)
}

func (a *api) WalletExport(ctx context.Context, addr address.Address) (*keyInfo, error) {
	if err := need(ctx, "admin", "WalletExport"); err != nil {
		return nil, err
	}
	k, err := a.n.walletKey(addr)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, fmt.Errorf("key not found for %s", addr)
	}
	return k.info(), nil
}

// keep stores a key in the wallet, once.
func (n *Network) keep(k *Key) error {
	had, err := n.walletKey(k.Address)
	if err != nil || had != nil {
		return err
	}
	path := filepath.Join(n.keyFolder(), "wallet-"+k.Address.String()+".key")
	if err := k.write(path + ".tmp"); err != nil {
		return err
	}
	return os.Rename(path+".tmp", strings.TrimSuffix(path, ".tmp"))
}
