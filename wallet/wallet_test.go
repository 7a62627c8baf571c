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
	"testing"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/crypto"
	"golang.org/x/crypto/blake2b"

	"github.com/vigil-post/vigil"
)

var quick = Options{WorkFactor: 4}

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	root := os.Getenv("VIGIL_FIXTURES")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "fixtures")
	}
	data, err := os.ReadFile(filepath.Join(root, name))
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skipf("no fixture %s: set VIGIL_FIXTURES to the folder of fixtures", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func create(t *testing.T) *Wallet {
	t.Helper()
	w, err := Create(filepath.Join(t.TempDir(), "keys.age"), "open sesame", quick)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestForestsBLSVectorsAreSignedByteForByte(t *testing.T) {
	var vectors []struct {
		Unsigned    struct{ From string }
		CidHexBytes string
		PrivateKey  []byte
		Signature   crypto.Signature
	}
	if err := json.Unmarshal(fixture(t, "messages/message_signing.json"), &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		w := create(t)
		addr, err := w.Import(keyInfoText(t, `"bls"`, v.PrivateKey))
		if err != nil {
			t.Fatal(err)
		}
		from, err := address.NewFromString(v.Unsigned.From)
		if err != nil {
			t.Fatal(err)
		}
		if addr != from {
			t.Errorf("address: got %s, want %s", addr, from)
		}
		data, err := hex.DecodeString(v.CidHexBytes)
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.Sign(t.Context(), addr, data)
		if err != nil {
			t.Fatal(err)
		}
		if got.Type != v.Signature.Type || !bytes.Equal(got.Data, v.Signature.Data) {
			t.Errorf("signature of %s: got %x, want %x", v.CidHexBytes, got.Data, v.Signature.Data)
		}
	}
	t.Logf("%d signatures", len(vectors))
}

func TestLotusBLSSignaturesVerifyAsOursDo(t *testing.T) {
	var recorded struct {
		Calls []struct {
			Method   string
			Response struct {
				Result json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(fixture(t, "lotus-rpc/messages.json"), &recorded); err != nil {
		t.Fatal(err)
	}
	for _, call := range recorded.Calls {
		if call.Method != "Filecoin.WalletSignMessage" {
			continue
		}
		var signed struct {
			Message struct {
				From string
				CID  struct {
					CID string `json:"/"`
				}
			}
			Signature crypto.Signature
		}
		if err := json.Unmarshal(call.Response.Result, &signed); err != nil {
			t.Fatal(err)
		}
		from, err := address.NewFromString(signed.Message.From)
		if err != nil {
			t.Fatal(err)
		}
		data, err := vigil.TipSetKey(signed.Message.CID.CID).CIDs()
		if err != nil || len(data) != 1 {
			t.Fatalf("cid %q: %v", signed.Message.CID.CID, err)
		}
		if !blsVerifies(t, from, data[0].Bytes(), signed.Signature) {
			t.Error("a signature that Lotus made does not verify here")
		}
		signed.Signature.Data[95] ^= 1
		if blsVerifies(t, from, data[0].Bytes(), signed.Signature) {
			t.Error("a changed signature verifies")
		}
		return
	}
	t.Fatal("no signature in the recording")
}

// signingBytes is a message's CID with the given last byte.
func signingBytes(last byte) []byte {
	data := make([]byte, messageCIDSize)
	copy(data, messageCID)
	data[messageCIDSize-1] = last
	return data
}

func TestNewKeysSignWhatTheirAddressVerifies(t *testing.T) {
	w := create(t)
	for _, kind := range []KeyType{Secp256k1, BLS} {
		addr, err := w.New(kind)
		if err != nil {
			t.Fatal(err)
		}
		first, err := w.Sign(t.Context(), addr, signingBytes(1))
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.Sign(t.Context(), addr, signingBytes(1))
		if err != nil || !bytes.Equal(first.Data, again.Data) {
			t.Errorf("%s: two signatures of the same bytes differ (%v)", kind, err)
		}
		verifies := blsVerifies
		if kind == Secp256k1 {
			verifies = secpVerifies
		}
		if !verifies(t, addr, signingBytes(1), first) {
			t.Errorf("%s: the signature does not verify", kind)
		}
		if verifies(t, addr, signingBytes(2), first) {
			t.Errorf("%s: the signature verifies for another message", kind)
		}
	}
}

func TestOnlyMessageCIDsAreSigned(t *testing.T) {
	w := create(t)
	addr, err := w.New(Secp256k1)
	if err != nil {
		t.Fatal(err)
	}
	wrongHash := signingBytes(1)
	wrongHash[2] ^= 1
	for name, data := range map[string][]byte{
		"nothing":                  nil,
		"text":                     []byte("let me in"),
		"a CID with a byte more":   append(signingBytes(1), 0),
		"a CID of another hash":    wrongHash,
		"38 bytes that are no CID": make([]byte, messageCIDSize),
	} {
		if _, err := w.Sign(t.Context(), addr, data); err == nil {
			t.Errorf("%s was signed", name)
		}
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
	if _, err := third.Sign(t.Context(), secp, signingBytes(1)); !errors.Is(err, vigil.ErrNotFound) {
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
	folder, err := os.ReadDir(filepath.Dir(w.path))
	if err != nil || len(folder) != 1 {
		t.Errorf("left behind: %v %v", folder, err)
	}
	if _, err := Create(w.path, "another", quick); err == nil {
		t.Error("Create replaced an existing keystore")
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

func blsVerifies(t *testing.T, addr address.Address, data []byte, sig crypto.Signature) bool {
	t.Helper()
	var public bls12381.G1Affine
	if _, err := public.SetBytes(addr.Payload()); err != nil {
		t.Fatal(err)
	}
	var signed bls12381.G2Affine
	if _, err := signed.SetBytes(sig.Data); err != nil {
		return false
	}
	hashed, err := bls12381.HashToG2(data, blsDomain)
	if err != nil {
		t.Fatal(err)
	}
	_, _, base, _ := bls12381.Generators()
	base.Neg(&base)
	ok, err := bls12381.PairingCheck([]bls12381.G1Affine{base, public}, []bls12381.G2Affine{signed, hashed})
	return err == nil && ok && sig.Type == crypto.SigTypeBLS
}

// secpVerifies recovers the key from R || S || V, as the chain does.
func secpVerifies(t *testing.T, addr address.Address, data []byte, sig crypto.Signature) bool {
	t.Helper()
	if len(sig.Data) != 65 || sig.Data[64] > 3 || sig.Type != crypto.SigTypeSecp256k1 {
		return false
	}
	hash := blake2b.Sum256(data)
	compact := append([]byte{27 + sig.Data[64]}, sig.Data[:64]...)
	public, _, err := ecdsa.RecoverCompact(compact, hash[:])
	if err != nil {
		return false
	}
	from, err := address.NewSecp256k1Address(public.SerializeUncompressed())
	return err == nil && from == addr
}

func TestSignAfterItsContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := create(t)
	addr, err := w.New(BLS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Sign(ctx, addr, signingBytes(1)); err != nil {
		t.Errorf("a local signature needs no waiting: %v", err)
	}
}

// The message with this CID is on record with this signature's CID
// (messager's encode_test.go): made by Lotus' own types and decred's signer.
func TestASecp256k1SignatureIsAsOnRecord(t *testing.T) {
	w := create(t)
	addr, err := w.Import(keyInfoText(t, `"secp256k1"`, bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	if addr.String() != "f1ick6svk3i23qdgn74hz2yu4wsoryzuaw4h3jk4y" {
		t.Errorf("address %s", addr)
	}
	message, err := vigil.TipSetKey("bafy2bzacea5q43lcdh3tdpxubkfygxvggrkdp5j2avdfwnmx4pxd75452upqk").CIDs()
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Sign(t.Context(), addr, message[0].Bytes())
	const want = "c64cdb4d60f50faf4da4ce8190310c401c547c2b434ef66d87c5c6ba616e527d32bbcfe6be17400cd5c36ea2b146dc6cf89f4af0594baf3da4ac2abfb422076f01"
	if err != nil || hex.EncodeToString(got.Data) != want {
		t.Errorf("signature %x, %v", got.Data, err)
	}
}
