package vigil

import (
	"bytes"
	"fmt"
	"io"
	gobig "math/big"
	"math/rand/v2"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	cbg "github.com/whyrusleeping/cbor-gen"
)

// oracle encodes a message with the network's own libraries, field by field, in
// the order of Lotus' type: another way to the same bytes, or the same refusal.
func oracle(m SignedMessage) ([]byte, error) {
	var out bytes.Buffer
	w := cbg.NewCborWriter(&out)
	number := func(n int64) func(io.Writer) error {
		return func(io.Writer) error {
			if n < 0 {
				return w.WriteMajorTypeHeader(cbg.MajNegativeInt, uint64(-n-1))
			}
			return w.WriteMajorTypeHeader(cbg.MajUnsignedInt, uint64(n))
		}
	}
	unsigned := func(n uint64) func(io.Writer) error {
		return func(io.Writer) error { return w.WriteMajorTypeHeader(cbg.MajUnsignedInt, n) }
	}
	params := func(io.Writer) error {
		if len(m.Params) > cbg.ByteArrayMaxLen {
			return fmt.Errorf("byte array in field Params was too long")
		}
		if err := w.WriteMajorTypeHeader(cbg.MajByteString, uint64(len(m.Params))); err != nil {
			return err
		}
		_, err := w.Write(m.Params)
		return err
	}
	head := func(io.Writer) error { return w.WriteMajorTypeHeader(cbg.MajArray, 10) }
	for _, field := range []func(io.Writer) error{
		head, unsigned(0), m.To.MarshalCBOR, m.From.MarshalCBOR, unsigned(m.Nonce), m.Value.MarshalCBOR, number(m.Gas.Limit),
		m.Gas.FeeCap.MarshalCBOR, m.Gas.Premium.MarshalCBOR, unsigned(uint64(m.Method)), params,
	} {
		if err := field(w); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

func someAddresses(t *testing.T, r *rand.Rand) []address.Address {
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	var list []address.Address
	add := func(a address.Address, err error) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, a)
	}
	add(address.NewIDAddress(0))
	add(address.NewIDAddress(1<<63 - 1))
	add(address.NewIDAddress(r.Uint64() >> 1))
	add(address.NewSecp256k1Address(noise(65)))
	add(address.NewActorAddress(noise(40)))
	add(address.NewBLSAddress(noise(48)))
	add(address.NewDelegatedAddress(10, noise(20)))
	add(address.NewDelegatedAddress(1<<62, noise(54)))
	add(address.NewDelegatedAddress(32, nil))
	return append(list, address.Undef)
}

func someAmounts(r *rand.Rand) []abi.TokenAmount {
	power := func(n uint) big.Int { return big.NewFromGo(new(gobig.Int).Lsh(gobig.NewInt(1), n)) }
	list := []abi.TokenAmount{{}, big.Zero(), big.NewInt(1), big.NewInt(-1), big.NewInt(int64(r.Uint64()))}
	for _, n := range []uint{7, 8, 63, 64, 127, 128, 1015, 1016, 1017, 2000} {
		list = append(list, power(n), big.Sub(power(n), big.NewInt(1)), power(n).Neg())
	}
	return list
}

// A law: for every kind of address, amounts of every size and sign, and numbers at
// their ends, a message is encoded as the network's libraries encode it, or refused
// as they refuse it. Then it has their CID.
func TestMessagesAreEncodedOrRefusedAsTheNetworksLibrariesDo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	addresses, amounts := someAddresses(t, r), someAmounts(r)
	pick := func() abi.TokenAmount { return amounts[r.IntN(len(amounts))] }
	numbers := []uint64{0, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, 1<<63 - 1, 1<<64 - 1}
	number := func() uint64 { return numbers[r.IntN(len(numbers))] }
	refused, taken := 0, 0
	for range 2_000 {
		m := SignedMessage{
			Call: Call{
				From: addresses[r.IntN(len(addresses))], To: addresses[r.IntN(len(addresses))],
				Method: abi.MethodNum(number()), Value: pick(), Params: make([]byte, []int{0, 1, 23, 24, 300, 70_000}[r.IntN(6)]),
			},
			Nonce: number(), Gas: Gas{Limit: int64(number()), FeeCap: pick(), Premium: pick()},
			Signature: crypto.Signature{Type: crypto.SigTypeBLS},
		}
		want, refusal := oracle(m)
		got, err := m.EncodeUnsigned()
		if (err == nil) != (refusal == nil) || !bytes.Equal(got, want) {
			t.Fatalf("%+v:\n%x, %v\nthe libraries:\n%x, %v", m.Call.From, got, err, want, refusal)
		}
		if err != nil {
			refused++
			continue
		}
		taken++
		sum, err := abi.CidBuilder.Sum(want)
		if c, errCID := m.CID(); err != nil || errCID != nil || c != sum {
			t.Fatalf("CID %s, %v, %v, want %s", c, err, errCID, sum)
		}
	}
	if refused < 300 || taken < 300 {
		t.Errorf("%d are refused and %d taken: neither says much", refused, taken)
	}
}

// A signed message is the array of both; a message of a delegated (f4) or an f1
// sender is named by all of it, one of an f3 sender by the unsigned part.
func TestSignaturesAreEncodedAsTheNetworksLibrariesDo(t *testing.T) {
	for _, c := range []struct {
		kind   crypto.SigType
		length int
	}{{crypto.SigTypeSecp256k1, 65}, {crypto.SigTypeBLS, 96}, {crypto.SigTypeDelegated, 65}, {crypto.SigTypeSecp256k1, 0}, {crypto.SigTypeBLS, 200}, {crypto.SigTypeBLS, 199}} {
		m := SignedMessage{Call: Call{From: MinerAddress(1), To: MinerAddress(2)}, Signature: crypto.Signature{Type: c.kind, Data: make([]byte, c.length)}}
		unsigned, err := oracle(m)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		want.WriteByte(0x82)
		want.Write(unsigned)
		refusal := m.Signature.MarshalCBOR(&want)
		got, err := m.Encode()
		if (err == nil) != (refusal == nil) {
			t.Errorf("%d bytes of kind %d: %v, and the libraries: %v", c.length, c.kind, err, refusal)
			continue
		}
		if err == nil && !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%d bytes of kind %d:\n%x\nthe libraries:\n%x", c.length, c.kind, got, want.Bytes())
		}
		named := want.Bytes()
		if c.kind == crypto.SigTypeBLS {
			named = unsigned
		}
		sum, err := abi.CidBuilder.Sum(named)
		if got, errCID := m.CID(); refusal == nil && (err != nil || errCID != nil || got != sum) {
			t.Errorf("kind %d: CID %s, %v, %v, want %s", c.kind, got, err, errCID, sum)
		}
	}
}
