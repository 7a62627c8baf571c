package wallet

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

var quick = Options{WorkFactor: 4}

func create(t *testing.T) *Wallet {
	t.Helper()
	w, err := Create(filepath.Join(t.TempDir(), "keys.age"), "open sesame", quick)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// message is one that addr may send; messages of different nonces differ.
func message(addr address.Address, nonce uint64) vigil.SignedMessage {
	return vigil.SignedMessage{
		Call:  vigil.Call{From: addr, To: vigil.MinerAddress(1000), Method: 5, Value: big.Zero(), Params: []byte{1, 2}},
		Nonce: nonce,
		Gas:   vigil.Gas{Limit: 1_000_000, FeeCap: big.NewInt(200), Premium: big.NewInt(100)},
	}
}

func TestNewKeysSignWhatTheirAddressVerifies(t *testing.T) {
	w := create(t)
	for _, kind := range []KeyType{Secp256k1, BLS} {
		addr, err := w.New(kind)
		if err != nil {
			t.Fatal(err)
		}
		first, err := w.Sign(t.Context(), message(addr, 1))
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.Sign(t.Context(), message(addr, 1))
		if err != nil || !bytes.Equal(first.Data, again.Data) {
			t.Errorf("%s: two signatures of the same message differ (%v)", kind, err)
		}
		if err := Verify(message(addr, 1), first); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if err := Verify(message(addr, 2), first); err == nil {
			t.Errorf("%s: the signature verifies for another message", kind)
		}
	}
}

func TestAMessageWithoutAReceiverIsNotSigned(t *testing.T) {
	w := create(t)
	addr, err := w.New(Secp256k1)
	if err != nil {
		t.Fatal(err)
	}
	m := message(addr, 1)
	m.To = address.Undef
	if _, err := w.Sign(t.Context(), m); err == nil {
		t.Error("it was signed")
	}
}

func TestASecondStartHasTheSameKeys(t *testing.T) {
	w := create(t)
	secp, err := w.New(Secp256k1)
	if err != nil {
		t.Fatal(err)
	}
	bls, err := w.New(BLS)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(w.path, "open sesame", quick)
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []address.Address{secp, bls} {
		if has, err := again.Has(t.Context(), addr); err != nil || !has {
			t.Errorf("Has(%s) = %v, %v", addr, has, err)
		}
	}
	if got := again.List(); len(got) != 2 || got[0] != (Key{secp, Secp256k1}) || got[1] != (Key{bls, BLS}) {
		t.Errorf("List() = %v", got)
	}
	if err := again.Delete(secp); err != nil {
		t.Fatal(err)
	}
	if err := again.Delete(secp); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("deleting it again: %v", err)
	}
	third, err := Open(w.path, "open sesame", quick)
	if err != nil {
		t.Fatal(err)
	}
	if got := third.List(); len(got) != 1 || got[0].Address != bls {
		t.Errorf("after Delete: %v", got)
	}
	if _, err := third.Sign(t.Context(), message(secp, 1)); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("signing with a deleted key: %v", err)
	}
}

func TestTheFileIsTheOwnersAlone(t *testing.T) {
	w := create(t)
	if _, err := w.New(BLS); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(w.path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if said := Exposed(w.path); said != "" {
		t.Error(said)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o777} {
		if err := os.Chmod(w.path, mode); err != nil {
			t.Fatal(err)
		}
		if said := Exposed(w.path); !strings.Contains(said, "chmod 600") {
			t.Errorf("with mode %v: %q", mode, said)
		}
	}
	if _, err := w.New(BLS); err != nil {
		t.Fatal(err)
	}
	if said := Exposed(w.path); said != "" {
		t.Errorf("a change did not mend it: %s", said)
	}
	folder, err := os.ReadDir(filepath.Dir(w.path))
	if err != nil || len(folder) != 2 || folder[1].Name() != filepath.Base(w.path)+".lock" {
		t.Errorf("left behind: %v %v", folder, err)
	}
	if _, err := Create(w.path, "another", quick); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create on an existing keystore: %v", err)
	}
}

// Two programs that opened the same file and then each add keys: none is lost.
// Each Wallet stands for a process: the lock is the file system's.
func TestProgramsThatAddKeysAtOnceLoseNone(t *testing.T) {
	first := create(t)
	var all sync.WaitGroup
	var mu sync.Mutex // guards made
	made := map[address.Address]bool{}
	for range 4 {
		w, err := Open(first.path, "open sesame", quick)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for range 5 {
				addr, err := w.New(Secp256k1)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				made[addr] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	last, err := Open(first.path, "open sesame", quick)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range last.List() {
		delete(made, k.Address)
	}
	if len(made) != 0 || len(last.List()) != 20 {
		t.Errorf("%d keys in the file; lost: %v", len(last.List()), made)
	}
}

func TestAKeystoreWhosePassphraseWasChangedMeanwhileIsNotOverwritten(t *testing.T) {
	w := create(t)
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	other, err := Create(w.path, "another", quick)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := other.New(BLS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.New(BLS); !errors.Is(err, ErrPassphrase) {
		t.Errorf("a key was added: %v", err)
	}
	again, err := Open(w.path, "another", quick)
	if err != nil || len(again.List()) != 1 || again.List()[0].Address != kept {
		t.Errorf("after it: %v, %v", again, err)
	}
}

func TestAWrongPassphraseAndDamageAreToldApart(t *testing.T) {
	w := create(t)
	if _, err := w.New(BLS); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(w.path, "open barley", quick); !errors.Is(err, ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := Open(w.path+".absent", "open sesame", quick); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	whole, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(whole); at += 7 {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x10
		tryDamaged(t, w.path, damaged)
	}
	for size := 0; size < len(whole); size += 7 {
		tryDamaged(t, w.path, whole[:size])
	}
	tryDamaged(t, w.path, append(bytes.Clone(whole), 0))
}

func tryDamaged(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := Open(path, "open sesame", quick)
	if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrPassphrase) {
		t.Errorf("%d bytes, damaged: %v, %v", len(data), w, err)
	}
}

func keyInfoText(t *testing.T, kind string, private []byte) string {
	t.Helper()
	encoded, err := json.Marshal(private)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString([]byte(`{"Type":` + kind + `,"PrivateKey":` + string(encoded) + `}`))
}

func TestLotusKeyInfoGoesInAndOut(t *testing.T) {
	private := bytes.Repeat([]byte{7}, 32)
	for _, test := range []struct{ word, number string }{{`"secp256k1"`, "1"}, {`"bls"`, "2"}} {
		w := create(t)
		addr, err := w.Import(keyInfoText(t, test.word, private) + "\n")
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.Import(keyInfoText(t, test.number, private))
		if err != nil || again != addr {
			t.Errorf("type %s: %s, %v, want %s", test.number, again, err, addr)
		}
		exported, err := w.Export(addr)
		if err != nil || exported != keyInfoText(t, test.word, private) {
			t.Errorf("exported %s, %v", exported, err)
		}
		if len(w.List()) != 1 {
			t.Errorf("importing twice made %d keys", len(w.List()))
		}
	}
}

func TestBadKeysAreRefusedAndNotRepeated(t *testing.T) {
	private := bytes.Repeat([]byte{7}, 32)
	for name, text := range map[string]string{
		"no hexadecimal":         "zz" + keyInfoText(t, `"bls"`, private),
		"hexadecimal of no JSON": hex.EncodeToString([]byte("hello")),
		"an unknown type":        keyInfoText(t, `"ed25519"`, private),
		"an unknown number":      keyInfoText(t, `3`, private),
		"a short key":            keyInfoText(t, `"bls"`, private[1:]),
		"zero for secp256k1":     keyInfoText(t, `"secp256k1"`, make([]byte, 32)),
		"zero for BLS":           keyInfoText(t, `"bls"`, make([]byte, 32)),
		"too big for secp256k1":  keyInfoText(t, `"secp256k1"`, bytes.Repeat([]byte{0xff}, 32)),
		"too big for BLS":        keyInfoText(t, `"bls"`, bytes.Repeat([]byte{0xff}, 32)),
	} {
		_, err := create(t).Import(text)
		if err == nil {
			t.Errorf("%s was imported", name)
		} else if strings.Contains(err.Error(), "BwcH") || strings.Contains(err.Error(), "0707") {
			t.Errorf("%s: the error repeats the key: %v", name, err)
		}
	}
}

func TestSignAfterItsContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := create(t)
	addr, err := w.New(BLS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Sign(ctx, message(addr, 1)); err != nil {
		t.Errorf("a local signature needs no waiting: %v", err)
	}
}
