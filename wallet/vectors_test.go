package wallet

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
)

func fixture(t *testing.T, name string, into any) {
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
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// jsonMessage is a message as Lotus writes it in JSON.
type jsonMessage struct {
	To, From   address.Address
	Nonce      uint64
	Value      big.Int
	GasLimit   int64
	GasFeeCap  big.Int
	GasPremium big.Int
	Method     abi.MethodNum
	Params     []byte
}

func (j jsonMessage) message() vigil.SignedMessage {
	return vigil.SignedMessage{
		Call:  vigil.Call{From: j.From, To: j.To, Method: j.Method, Value: j.Value, Params: j.Params},
		Nonce: j.Nonce,
		Gas:   vigil.Gas{Limit: j.GasLimit, FeeCap: j.GasFeeCap, Premium: j.GasPremium},
	}
}

// Every vector of the file, of whichever key type: a BLS signature has only one
// form; of secp256k1 ones, which may be made with any nonce, ours is the same
// each time, and both lead to From.
func TestForestsVectorsAreSignedAsTheNetworkVerifies(t *testing.T) {
	var vectors []struct {
		Unsigned    jsonMessage
		CidHexBytes string
		PrivateKey  []byte
		Signature   crypto.Signature
	}
	fixture(t, "messages/message_signing.json", &vectors)
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for i, v := range vectors {
		kind := BLS
		if v.Signature.Type == crypto.SigTypeSecp256k1 {
			kind = Secp256k1
		}
		k, err := newKey(kind, v.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		if k.address != v.Unsigned.From {
			t.Errorf("vector %d: the key's address is %s, want %s", i, k.address, v.Unsigned.From)
		}
		w := create(t)
		if err := w.add(k); err != nil {
			t.Fatal(err)
		}
		m := v.Unsigned.message()
		got, err := w.Sign(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.Sign(t.Context(), m)
		if err != nil || !bytes.Equal(got.Data, again.Data) {
			t.Errorf("vector %d: signed twice it has two signatures (%v)", i, err)
		}
		if kind == BLS && !bytes.Equal(got.Data, v.Signature.Data) {
			t.Errorf("vector %d: got %x, want %x", i, got.Data, v.Signature.Data)
		}
		for _, s := range []crypto.Signature{got, v.Signature} {
			if err := Verify(m, s); err != nil {
				t.Errorf("vector %d: %v", i, err)
			}
		}
		if unsigned, err := m.UnsignedCID(); err != nil || hex.EncodeToString(unsigned.Bytes()) != v.CidHexBytes {
			t.Errorf("vector %d: signs %x, %v, want %s", i, unsigned.Bytes(), err, v.CidHexBytes)
		}
	}
	t.Logf("%d signatures", len(vectors))
}

// What a real Lotus node signed or took into its pool verifies, and does not
// with a changed byte.
func TestLotusSignaturesVerify(t *testing.T) {
	var recorded struct {
		Calls []struct {
			Method   string
			Params   []json.RawMessage
			Response struct{ Result json.RawMessage }
		}
	}
	fixture(t, "lotus-rpc/messages.json", &recorded)
	verified := 0
	for _, call := range recorded.Calls {
		if call.Response.Result == nil {
			continue
		}
		text := call.Response.Result
		switch call.Method {
		case "Filecoin.WalletSignMessage":
		case "Filecoin.MpoolPush":
			text = call.Params[0]
		default:
			continue
		}
		var signed struct {
			Message   jsonMessage
			Signature crypto.Signature
		}
		if err := json.Unmarshal(text, &signed); err != nil {
			t.Fatal(err)
		}
		m := signed.Message.message()
		if err := Verify(m, signed.Signature); err != nil {
			t.Error(err)
		}
		m.Nonce++
		if Verify(m, signed.Signature) == nil {
			t.Error("the signature verifies for another nonce")
		}
		m.Nonce--
		signed.Signature.Data[len(signed.Signature.Data)-2] ^= 1
		if Verify(m, signed.Signature) == nil {
			t.Error("a changed signature verifies")
		}
		verified++
	}
	if verified < 4 {
		t.Errorf("only %d signatures in the recording", verified)
	}
}

// The signature is on record from decred's signer over Lotus' own types; its
// message is messager's example of a known CID (see encode_test.go at the root).
func TestASecp256k1SignatureIsAsOnRecord(t *testing.T) {
	w := create(t)
	addr, err := w.Import(keyInfoText(t, `"secp256k1"`, bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := address.NewFromString("f1ick6svk3i23qdgn74hz2yu4wsoryzuaw4h3jk4y"); addr != want {
		t.Errorf("address %s", addr)
	}
	got, err := w.Sign(t.Context(), message(addr, 3))
	const want = "c64cdb4d60f50faf4da4ce8190310c401c547c2b434ef66d87c5c6ba616e527d32bbcfe6be17400cd5c36ea2b146dc6cf89f4af0594baf3da4ac2abfb422076f01"
	if err != nil || hex.EncodeToString(got.Data) != want {
		t.Errorf("signature %x, %v", got.Data, err)
	}
}

func TestNoSignatureOfAnotherKindVerifies(t *testing.T) {
	w := create(t)
	secp, err := w.New(Secp256k1)
	if err != nil {
		t.Fatal(err)
	}
	bls, err := w.New(BLS)
	if err != nil {
		t.Fatal(err)
	}
	ofSecp, err := w.Sign(t.Context(), message(secp, 1))
	if err != nil {
		t.Fatal(err)
	}
	ofBLS, err := w.Sign(t.Context(), message(bls, 1))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		from address.Address
		s    crypto.Signature
	}{
		"BLS for secp256k1":       {secp, ofBLS},
		"secp256k1 for BLS":       {bls, ofSecp},
		"a secp256k1 cut short":   {secp, crypto.Signature{Type: ofSecp.Type, Data: ofSecp.Data[:64]}},
		"a BLS cut short":         {bls, crypto.Signature{Type: ofBLS.Type, Data: ofBLS.Data[:95]}},
		"a BLS with a byte more":  {bls, crypto.Signature{Type: ofBLS.Type, Data: append(bytes.Clone(ofBLS.Data), 0)}},
		"nothing":                 {secp, crypto.Signature{}},
		"an empty secp256k1":      {secp, crypto.Signature{Type: crypto.SigTypeSecp256k1}},
		"an empty BLS":            {bls, crypto.Signature{Type: crypto.SigTypeBLS}},
		"zeros":                   {secp, crypto.Signature{Type: crypto.SigTypeSecp256k1, Data: make([]byte, 65)}},
		"infinity":                {bls, crypto.Signature{Type: crypto.SigTypeBLS, Data: append([]byte{0xc0}, make([]byte, 95)...)}},
		"by the other type's key": {secp, crypto.Signature{Type: crypto.SigTypeBLS, Data: ofSecp.Data}},
		"an unknown type":         {secp, crypto.Signature{Type: 9, Data: ofSecp.Data}},
		"for an ID address":       {vigil.MinerAddress(1000), ofSecp},
	} {
		if err := Verify(message(test.from, 1), test.s); err == nil {
			t.Errorf("%s verifies", name)
		}
	}
}
