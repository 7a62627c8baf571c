package devnet

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"
)

func TestMain(m *testing.M) {
	address.CurrentNetwork = address.Testnet
	os.Exit(m.Run())
}

// fixture reads a file recorded from others, or skips the test where there are none.
func fixture(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(fixtureRoot(), path))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("fixtures are required in CI: %v", err)
		}
		t.Skipf("no fixtures here (set VIGIL_FIXTURES): %v", err)
	}
	return b
}

func fixtureRoot() string {
	root := os.Getenv("VIGIL_FIXTURES")
	for dir := "."; root == ""; dir = filepath.Join("..", dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			root = filepath.Join(dir, "..", "shared", "fixtures")
		}
	}
	return root
}

// call is a recorded JSON-RPC call of a real node.
type call struct {
	Method   string
	Params   []json.RawMessage
	Status   int
	Note     string
	Response response
}

type response struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int             `json:"code"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
		Meta    json.RawMessage `json:"meta"`
	} `json:"error"`
}

func recorded(t *testing.T, name string) []call {
	t.Helper()
	var f struct{ Calls []call }
	if err := json.Unmarshal(fixture(t, "lotus-rpc/"+name), &f); err != nil {
		t.Fatal(err)
	}
	return f.Calls
}

func decode[T any](t *testing.T, b []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("decode %T: %v: %.300s", v, err, b)
	}
	return v
}

func TestMessagesEncodeAsForestDoes(t *testing.T) {
	vectors := decode[[]struct {
		Message Message
		Hex     string `json:"hex_cbor"`
	}](t, fixture(t, "messages/unsigned_messages.json"))
	for i, v := range vectors {
		b, err := v.Message.Bytes()
		if err != nil || hex.EncodeToString(b) != v.Hex {
			t.Errorf("message %d: %x, %v; want %s", i, b, err, v.Hex)
		}
	}
	if len(vectors) < 10 {
		t.Errorf("only %d vectors", len(vectors))
	}
}

func TestSigningAgreesWithForest(t *testing.T) {
	vectors := decode[[]struct {
		Unsigned   Message
		Cid        string
		PrivateKey []byte
		Signature  crypto.Signature
	}](t, fixture(t, "messages/message_signing.json"))
	for i, v := range vectors {
		k, err := keyOf(v.Signature.Type, v.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		if k.Address != v.Unsigned.From {
			t.Errorf("%d: address %s, want %s", i, k.Address, v.Unsigned.From)
		}
		sm, err := k.SignMessage(v.Unsigned)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := v.Unsigned.CID()
		if c.String() != v.Cid || !bytes.Equal(sm.Signature.Data, v.Signature.Data) {
			t.Errorf("%d: CID %s, signature %x", i, c, sm.Signature.Data)
		}
	}
}

func TestASignatureIsOfOneMessageAndOneKey(t *testing.T) {
	for _, typ := range []crypto.SigType{crypto.SigTypeSecp256k1, crypto.SigTypeBLS} {
		k, err := NewKey(typ)
		if err != nil {
			t.Fatal(err)
		}
		other, _ := NewKey(typ)
		sig, err := k.Sign([]byte("a"))
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(&sig, k.Address, []byte("a")); err != nil {
			t.Errorf("type %d: %v", typ, err)
		}
		if verify(&sig, k.Address, []byte("b")) == nil || verify(&sig, other.Address, []byte("a")) == nil {
			t.Errorf("type %d: taken for other data or another key", typ)
		}
		sig.Data = sig.Data[1:]
		if verify(&sig, k.Address, []byte("a")) == nil {
			t.Errorf("type %d: a short signature was taken", typ)
		}
	}
}

func TestKeysSurviveTheirExport(t *testing.T) {
	for _, typ := range []crypto.SigType{crypto.SigTypeSecp256k1, crypto.SigTypeBLS} {
		k, _ := NewKey(typ)
		path := filepath.Join(t.TempDir(), "k.key")
		if err := k.write(path); err != nil {
			t.Fatal(err)
		}
		got, err := ReadKey(path)
		if err != nil || got.Address != k.Address {
			t.Errorf("read %v, %v; want %v", got, err, k.Address)
		}
		if fi, _ := os.Stat(path); fi.Mode().Perm() != 0o600 {
			t.Errorf("mode %v", fi.Mode())
		}
	}
}

func TestHeadersEncodeAsARealNodeDoes(t *testing.T) {
	n := 0
	for _, c := range recorded(t, "calls.json") {
		if c.Method != "Filecoin.ChainHead" && c.Method != "Filecoin.ChainGetTipSet" && c.Method != "Filecoin.ChainGetGenesis" || c.Response.Error != nil {
			continue
		}
		ts := decode[TipSet](t, c.Response.Result)
		for i, h := range ts.Blocks {
			b, err := h.block()
			if err != nil || b.Cid() != ts.Cids[i] {
				t.Errorf("height %d: %v, want %v (%v)", h.Height, b.Cid(), ts.Cids[i], err)
			}
			n++
		}
	}
	for _, v := range decode[[]struct {
		Block BlockHeader
		Cid   string
	}](t, fixture(t, "messages/block_headers.json")) {
		b, err := v.Block.block()
		if err != nil || b.Cid().String() != v.Cid {
			t.Errorf("forest height %d: %v, want %s (%v)", v.Block.Height, b.Cid(), v.Cid, err)
		}
		n++
	}
	if n < 4 {
		t.Errorf("only %d headers compared", n)
	}
}

func TestRandomnessIsTheNetworks(t *testing.T) {
	miner, _ := address.NewIDAddress(1001)
	var e encoder
	e.value(&miner)
	calls := recorded(t, "calls.json")
	tickets := map[abi.ChainEpoch]*Ticket{}
	n := 0
	for _, c := range calls {
		if c.Method == "Filecoin.ChainGetTipSet" && c.Response.Error == nil {
			h := decode[TipSet](t, c.Response.Result).Blocks[0]
			tickets[h.Height] = h.Ticket
		}
	}
	for _, c := range calls {
		if c.Response.Error != nil {
			continue
		}
		var got []byte
		switch c.Method {
		case "Filecoin.StateGetRandomnessFromBeacon":
			epoch := decode[abi.ChainEpoch](t, c.Params[1])
			got = drawRandomness(beaconDigest(epoch), decode[crypto.DomainSeparationTag](t, c.Params[0]), epoch, e.buf.Bytes())
			if entropy := decode[[]byte](t, c.Params[2]); !bytes.Equal(entropy, e.buf.Bytes()) {
				t.Errorf("entropy %x, want %x", e.buf.Bytes(), entropy)
			}
		case "Filecoin.StateGetRandomnessDigestFromBeacon":
			got = beaconDigest(decode[abi.ChainEpoch](t, c.Params[0]))
		case "Filecoin.StateGetRandomnessFromTickets":
			epoch := decode[abi.ChainEpoch](t, c.Params[1])
			got = drawRandomness(hash256(tickets[epoch].VRFProof), decode[crypto.DomainSeparationTag](t, c.Params[0]), epoch, nil)
		case "Filecoin.StateGetRandomnessDigestFromTickets":
			got = hash256(tickets[decode[abi.ChainEpoch](t, c.Params[0])].VRFProof)
		case "Filecoin.StateGetBeaconEntry":
			want := decode[BeaconEntry](t, c.Response.Result)
			if r := beaconRound(decode[abi.ChainEpoch](t, c.Params[0])); r != want.Round || !bytes.Equal(beaconEntry(r).Data, want.Data) {
				t.Errorf("beacon round %d: %x, want %+v", r, beaconEntry(r).Data, want)
			}
			n++
			continue
		default:
			continue
		}
		n++
		if want := base64.StdEncoding.EncodeToString(got); `"`+want+`"` != string(c.Response.Result) {
			t.Errorf("%s: %s, want %s", c.Method, want, c.Response.Result)
		}
	}
	if n != 5 {
		t.Errorf("%d values compared, want 5", n)
	}
}

func TestMainnetCommitRandomnessFollowsTheFormula(t *testing.T) {
	fixture(t, "README.md")
	files, err := filepath.Glob(filepath.Join(fixtureRoot(), "miner-vectors", "*SubmitWindowedPoSt-Ok*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, f := range files {
		v := decode[struct {
			Randomness []struct {
				On  [2]any
				Ret []byte
			}
			Messages []struct{ Bytes []byte } `json:"apply_messages"`
		}](t, fixture(t, filepath.Join("miner-vectors", filepath.Base(f))))
		r := v.Randomness[0]
		got := drawRandomness(r.Ret, crypto.DomainSeparationTag_PoStChainCommit, abi.ChainEpoch(r.On[1].(float64)), nil)
		msg := v.Messages[0].Bytes // the last field of the last field is the commit randomness
		if !bytes.HasSuffix(msg, got) {
			t.Errorf("%s: %x, the message has %x", filepath.Base(f), []byte(got), msg[len(msg)-32:])
		}
	}
}
