package vigil

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	gsbig "github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
)

func fixture(t *testing.T, name string, into any) {
	t.Helper()
	root := os.Getenv("VIGIL_FIXTURES")
	if root == "" {
		root = filepath.Join("..", "shared", "fixtures")
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
	To, From              string
	Nonce                 uint64
	Value                 string
	GasLimit              int64
	GasFeeCap, GasPremium string
	Method                uint64
	Params                []byte
}

func (j jsonMessage) message(t *testing.T) SignedMessage {
	t.Helper()
	parse := func(text string) address.Address {
		a, err := address.NewFromString(text)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	amountOf := func(text string) abi.TokenAmount {
		n, ok := new(big.Int).SetString(text, 10)
		if !ok {
			t.Fatalf("amount %q", text)
		}
		return abi.TokenAmount{Int: n}
	}
	return SignedMessage{
		Call: Call{
			From: parse(j.From), To: parse(j.To), Method: abi.MethodNum(j.Method), Value: amountOf(j.Value), Params: j.Params,
		},
		Nonce: j.Nonce,
		Gas:   Gas{Limit: j.GasLimit, FeeCap: amountOf(j.GasFeeCap), Premium: amountOf(j.GasPremium)},
	}
}

func TestForestsMessagesAreEncodedByteForByte(t *testing.T) {
	var vectors []struct {
		Message jsonMessage `json:"message"`
		Hex     string      `json:"hex_cbor"`
	}
	fixture(t, "messages/unsigned_messages.json", &vectors)
	for i, v := range vectors {
		got, err := v.Message.message(t).EncodeUnsigned()
		if err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(got) != v.Hex {
			t.Errorf("message %d: got %x, want %s", i, got, v.Hex)
		}
	}
	t.Logf("%d messages", len(vectors))
}

func TestForestsMessagesHaveTheirCIDs(t *testing.T) {
	var vectors []struct {
		Unsigned         jsonMessage
		Cid, CidHexBytes string
	}
	fixture(t, "messages/message_signing.json", &vectors)
	for _, v := range vectors {
		m := v.Unsigned.message(t)
		unsigned, err := m.UnsignedCID()
		if err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(unsigned.Bytes()) != v.CidHexBytes {
			t.Errorf("signing bytes: got %x, want %s", unsigned.Bytes(), v.CidHexBytes)
		}
		if unsigned.String() != v.Cid {
			t.Errorf("CID: got %s, want %s", unsigned, v.Cid)
		}
		m.Signature.Type = crypto.SigTypeBLS
		if c, err := m.CID(); err != nil || c != unsigned {
			t.Errorf("signed with BLS its CID is %s, %v, want %s", c, err, unsigned)
		}
	}
}

func TestLotusGivesPushedMessagesTheSameCIDs(t *testing.T) {
	var recorded struct {
		Calls []struct {
			Method   string
			Params   []json.RawMessage
			Response struct {
				Result json.RawMessage
			}
		}
	}
	fixture(t, "lotus-rpc/messages.json", &recorded)
	checked := 0
	for _, call := range recorded.Calls {
		if call.Method != "Filecoin.MpoolPush" || call.Response.Result == nil {
			continue
		}
		var pushed struct {
			Message   jsonMessage
			Signature crypto.Signature
		}
		var answer struct {
			CID string `json:"/"`
		}
		if err := errors.Join(json.Unmarshal(call.Params[0], &pushed), json.Unmarshal(call.Response.Result, &answer)); err != nil {
			t.Fatal(err)
		}
		m := pushed.Message.message(t)
		m.Signature = pushed.Signature
		if c, err := m.CID(); err != nil || c.String() != answer.CID {
			t.Errorf("got %s, %v, want %s", c, err, answer.CID)
		}
		checked++
	}
	if checked < 4 {
		t.Errorf("only %d pushes in the recording", checked)
	}
}

// The message and both CIDs are from an encoder generated with cbor-gen from
// Lotus' types; the signature is secp256k1 with the private key 07…07.
func TestASecp256k1MessageIsKnownOnChainByItsSignedCID(t *testing.T) {
	from, err := address.NewFromString("f1ick6svk3i23qdgn74hz2yu4wsoryzuaw4h3jk4y")
	if err != nil {
		t.Fatal(err)
	}
	signature, err := hex.DecodeString("c64cdb4d60f50faf4da4ce8190310c401c547c2b434ef66d87c5c6ba616e527d32bbcfe6be17400cd5c36ea2b146dc6cf89f4af0594baf3da4ac2abfb422076f01")
	if err != nil {
		t.Fatal(err)
	}
	m := SignedMessage{
		Call:      Call{From: from, To: MinerAddress(1000), Method: 5, Params: []byte{1, 2}},
		Nonce:     3,
		Gas:       Gas{Limit: 1_000_000, FeeCap: gsbig.NewInt(200), Premium: gsbig.NewInt(100)},
		Signature: crypto.Signature{Type: crypto.SigTypeSecp256k1, Data: signature},
	}
	unsigned, err := m.UnsignedCID()
	if err != nil || unsigned.String() != "bafy2bzacea5q43lcdh3tdpxubkfygxvggrkdp5j2avdfwnmx4pxd75452upqk" {
		t.Errorf("unsigned: %s, %v", unsigned, err)
	}
	signed, err := m.CID()
	if err != nil || signed.String() != "bafy2bzacebqx5gct4hjyvdaofyzlap5o4fpifigdk2uqdr4owv57tggehgdea" {
		t.Errorf("signed: %s, %v", signed, err)
	}
	if data, err := m.Encode(); err != nil || len(data) != 114 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

func TestAmountsAreASignAndAMagnitude(t *testing.T) {
	for text, want := range map[string][]byte{
		"0": nil, "1": {0, 1}, "-1": {1, 1}, "256": {0, 1, 0}, "-65535": {1, 0xff, 0xff},
	} {
		if got := amountBytes(gsbig.MustFromString(text)); !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", text, got, want)
		}
	}
	if got := amountBytes(abi.TokenAmount{}); got != nil {
		t.Errorf("no amount: %x", got)
	}
}

func TestIntegersTakeTheShortestForm(t *testing.T) {
	for n, want := range map[int64]string{
		0: "00", 23: "17", 24: "1818", 255: "18ff", 256: "190100", 65535: "19ffff", 65536: "1a00010000",
		1<<32 - 1: "1affffffff", 1 << 32: "1b0000000100000000", -1: "20", -25: "3818", -1 << 63: "3b7fffffffffffffff",
	} {
		if got := hex.EncodeToString(cborInt(nil, n)); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}
