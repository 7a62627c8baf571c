package chain_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
)

// A real Lotus node answered these calls (see fixtures/README.md). They are
// replayed by go-jsonrpc's server to calls with the very same parameters, so
// that what is asked is judged too, not only how answers are read.

// recorded is one call and what the node said.
type recorded struct {
	Method   string
	Params   []json.RawMessage
	Response json.RawMessage
	Note     string
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	root := os.Getenv("VIGIL_FIXTURES")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "fixtures")
	}
	data, err := os.ReadFile(filepath.Join(root, name))
	switch {
	case err == nil:
		return data
	case os.Getenv("CI") == "true":
		t.Fatalf("fixtures are needed: %v", err)
	}
	t.Skipf("no fixtures here (set VIGIL_FIXTURES): %v", err)
	return nil
}

func recordings(t testing.TB, name string) []recorded {
	t.Helper()
	var file struct{ Calls []recorded }
	if err := json.Unmarshal(fixture(t, "lotus-rpc/"+name), &file); err != nil {
		t.Fatal(err)
	}
	return file.Calls
}

// canonical makes equal parameters equal text; CIDs inside messages are for people.
func canonical(params []json.RawMessage) string {
	var out []string
	for _, p := range params {
		var v any
		if err := json.Unmarshal(p, &v); err != nil {
			return err.Error()
		}
		text, err := json.Marshal(withoutCIDs(v))
		if err != nil {
			return err.Error()
		}
		out = append(out, string(text))
	}
	return strings.Join(out, ",")
}

func withoutCIDs(v any) any {
	if m, ok := v.(map[string]any); ok {
		delete(m, "CID")
		for k := range m {
			m[k] = withoutCIDs(m[k])
		}
	}
	return v
}

// replay answers what was recorded for exactly these parameters. Where the
// recording asked in another way, alike maps our parameters to the recorded ones.
func replay(n *fakeNode, calls []recorded, alike map[string]func(string) string) {
	answers := map[string]map[string]json.RawMessage{}
	for _, c := range calls {
		method := strings.TrimPrefix(c.Method, "Filecoin.")
		if answers[method] == nil {
			answers[method] = map[string]json.RawMessage{}
		}
		if _, ok := answers[method][canonical(c.Params)]; !ok {
			answers[method][canonical(c.Params)] = c.Response
		}
	}
	for method, known := range answers {
		n.handle(method, func(params []json.RawMessage) (any, error) {
			asked := canonical(params)
			if f := alike[method]; f != nil {
				asked = f(asked)
			}
			raw, ok := known[asked]
			if !ok {
				return nil, fmt.Errorf("nothing was recorded for %s(%s)", method, asked)
			}
			return said(raw)
		})
	}
}

// said is a recorded response as a method's result.
func said(raw json.RawMessage) (any, error) {
	var r struct {
		Result json.RawMessage
		Error  *struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, err
	}
	if r.Error != nil {
		return nil, &answerError{r.Error.Code, r.Error.Message}
	}
	return r.Result, nil
}

const (
	recordedHead = vigil.TipSetKey("bafy2bzaceaujconltieot6z6i7bgkcvhzvho5ygydc3pncqmhiofrlvd2ky4i")
	workerKey    = "t3usm7ykknvs4qn6bufbvg744ncfefrdbrajqd4qkof22dfz6eihirfmabzmfxfajtmty5zzsebguxmqkwpo5a"
)

func replayCalls(t *testing.T, file string) *chain.Client {
	t.Helper()
	n := newFakeNode(time.Second)
	replay(n, recordings(t, file), map[string]func(string) string{
		"StateNetworkVersion": func(asked string) string {
			if asked == "[]" { // recorded at the head's key
				return `[{"/":"` + string(recordedHead) + `"}]`
			}
			return asked
		},
	})
	return dialNode(t, n)
}

func addr(t testing.TB, s string) address.Address {
	t.Helper()
	a, err := address.NewFromString(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func bits(t testing.TB, b bitfield.BitField) string {
	t.Helper()
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if g, w := fmt.Sprintf("%v", got), fmt.Sprintf("%v", want); g != w {
		t.Errorf("%s is %s, want %s", what, g, w)
	}
}

func TestTheRecordedChainIsRead(t *testing.T) {
	c, ctx := replayCalls(t, "calls.json"), t.Context()
	n, err := c.Network(ctx)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "network", n, vigil.Network{Name: "lt2k", Version: 28, BlockDelay: time.Second, Genesis: time.Unix(1795462726, 0),
		Upgrades: []vigil.Upgrade{{Name: "Xx", Epoch: 1000000000}},
	})

	h, err := c.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "head", h, vigil.Head{
		Key: recordedHead, Parent: "bafy2bzacecvl4nhmewqkob4au3tx6ewmpk2moia5b32yotd4fc3lm2a2r4jm6",
		Epoch: 859, Time: time.Unix(1795462726+859, 0), BaseFee: big.NewInt(100), Weight: big.NewInt(4664945),
	})
	at, err := c.At(ctx, 854, recordedHead)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "tipset by height", at.Key, "bafy2bzacedx4mqfty3l42wd3x4y22uboltds5eszzzrpzuus47axeac6ryjeg")
	if _, err := c.At(ctx, 1859, recordedHead); err == nil || !strings.Contains(err.Error(), "height greater than start point") {
		t.Errorf("a tipset ahead of the head: %v", err)
	}
	executed, err := c.Executed(ctx, recordedHead)
	if err != nil || len(executed) != 0 {
		t.Errorf("a tipset whose parent is empty executed %v, %v", executed, err)
	}
}

func TestTheRecordedMinersAreRead(t *testing.T) {
	c, ctx := replayCalls(t, "calls.json"), t.Context()
	info, err := c.Miner(ctx, 1001, recordedHead)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "miner", info, vigil.MinerInfo{
		Miner: 1001, Owner: addr(t, "t0101"), Worker: addr(t, "t0101"),
		ProofType: abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1, SectorSize: 2048, PartitionSectors: 2,
	})
	d, err := c.Deadline(ctx, 1000, recordedHead)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "deadline", d, vigil.Deadline{Index: 3, Count: 48, Challenge: 818, Open: 838, Close: 898, FaultCutoff: 768})

	healthy, err := c.Partitions(ctx, 1000, 3, recordedHead)
	if err != nil || len(healthy) != 1 {
		t.Fatalf("partitions %v, %v", healthy, err)
	}
	same(t, "all", bits(t, healthy[0].All), "[6,2]")
	same(t, "active", bits(t, healthy[0].Active), "[6,2]")
	same(t, "faulty", bits(t, healthy[0].Faulty), "[0]")
	faulty, err := c.Partitions(ctx, 1001, 4, recordedHead)
	if err != nil || len(faulty) != 1 {
		t.Fatalf("partitions %v, %v", faulty, err)
	}
	same(t, "faulty", bits(t, faulty[0].Faulty), "[8,2]")
	none, err := c.Partitions(ctx, 1001, 5, recordedHead)
	if err != nil || none != nil {
		t.Errorf("an empty deadline has %v, %v", none, err)
	}
	if _, err := c.Partitions(ctx, 1001, 48, recordedHead); err == nil || !strings.Contains(err.Error(), "invalid deadline 48") {
		t.Errorf("deadline 48: %v", err)
	}

	posted, err := c.Posted(ctx, 1000, recordedHead)
	if err != nil || len(posted) != 48 {
		t.Fatalf("%d deadlines, %v", len(posted), err)
	}
	same(t, "posted in deadline 3", bits(t, posted[3]), "[0,1]")
	same(t, "posted in deadline 4", bits(t, posted[4]), "[0]")

	power, err := c.Power(ctx, 1000, recordedHead)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "power", power, vigil.Power{
		Miner: 1000, Address: vigil.MinerAddress(1000).String(), Raw: big.NewInt(122880), QualityAdj: big.NewInt(1228800),
		NetworkRaw: big.NewInt(278528), NetworkQA: big.NewInt(2785280), HasMinPower: true, Sectors: 60, Active: 60,
	})
	f, r, err := c.Faults(ctx, 1001, recordedHead)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "faults", bits(t, f)+bits(t, r), "[0,10][0]")
	sectors, err := c.Sectors(ctx, 1001, bitfield.NewFromSet([]uint64{1, 2}), recordedHead)
	if err != nil || len(sectors) != 2 {
		t.Fatalf("sectors %v, %v", sectors, err)
	}
	same(t, "sector 1", sectors[0], vigil.Sector{
		Number: 1, SealProof: abi.RegisteredSealProof_StackedDrg2KiBV1_1,
		SealedCID: cid.MustParse("bagboea4b5abcb3vbiygx7fpzo7mbyykm5wgoqc7q2ildlcts7z36pc3doeopz2j2"),
	})
}

func TestTheRecordedErrorsAreUnderstood(t *testing.T) {
	c, ctx := replayCalls(t, "calls.json"), t.Context()
	if _, err := c.Miner(ctx, 9999, recordedHead); !errors.Is(err, vigil.ErrNotFound) || !strings.HasPrefix(err.Error(), "StateMinerInfo: ") {
		t.Errorf("a miner that does not exist: %v", err)
	}
	if _, err := c.Miner(ctx, 101, recordedHead); !errors.Is(err, vigil.ErrNotFound) || !strings.Contains(err.Error(), "actor code is not miner: account") {
		t.Errorf("a miner that is an account: %v", err)
	}
	if _, err := c.Challenge(ctx, 1001, 959, recordedHead); err == nil || !strings.Contains(err.Error(), "epoch 959 is after the tipset's") {
		t.Errorf("randomness of an epoch ahead: %v", err)
	}
	if _, err := c.Executed(ctx, "bafy2bzaceaqjgkqkbp2e6e3zzs26wwcqp5nbxzj7drhijrnvpswz6ug6d7zrs"); err == nil || !strings.Contains(err.Error(), "could not find") {
		t.Errorf("a tipset the node does not have: %v", err)
	}
	call := vigil.Call{From: addr(t, workerKey), To: vigil.MinerAddress(1001), Method: 5, Params: []byte{0x80}}
	n := newFakeNode(time.Second)
	for _, r := range recordings(t, "calls.json") {
		if r.Method == "Filecoin.GasEstimateMessageGas" && strings.Contains(string(r.Response), `"code"`) {
			n.handle("GasEstimateMessageGas", func([]json.RawMessage) (any, error) { return said(r.Response) })
		}
	}
	_, err := dialNode(t, n).EstimateGas(ctx, call, 0)
	var refused *vigil.CallError
	if !errors.As(err, &refused) || !strings.Contains(refused.Text, "ErrSerialization(21)") {
		t.Errorf("a call that would fail: %v", err)
	}
}

func TestRecordedRandomnessIsDrawnWithTheRightParameters(t *testing.T) {
	// The replay answers only if tag, epoch, entropy and key are those the
	// actor accepted a post for.
	c, ctx := replayCalls(t, "posts.json"), t.Context()
	for _, post := range []struct {
		epoch             abi.ChainEpoch
		key               vigil.TipSetKey
		challenge, commit string
	}{
		{818, "bafy2bzacedqcdjasrfrokiagdzqbxzne7utn7panqxnd6zpjy64ei4oy3uwqm", "9/cS8Mqk2YYyZl95rv3YaC1YL1XnVxzT/wAYCmqGyYM=", "IVg0nNI+i2QLFFefmPojnYNwBkcN6t4s+/NQPb1h+oQ="},
		{638, "bafy2bzaceaiz2l7uyl4mwzx5xmhhhv5v5ez53deadw6pv6j2ls5bmmlqtnt36", "f4QBhuTY0QsYYBXpXf3poqCsUcQyO2a31b0x8SBL6XE=", "Edebw3/0SJYuRkouvIIcgfhUpHy1kqnxDI2w936GpCw="},
	} {
		seed, err := c.Challenge(ctx, 1000, post.epoch, post.key)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "challenge", base64.StdEncoding.EncodeToString(seed[:]), post.challenge)
		commit, err := c.Commit(ctx, post.epoch, post.key)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "commit", base64.StdEncoding.EncodeToString(commit[:]), post.commit)
	}
	if _, err := c.Commit(ctx, 818, ""); err == nil || !strings.Contains(err.Error(), "tipset") {
		t.Errorf("ticket randomness without a tipset: %v", err)
	}
}

func TestTheRecordedAccountIsRead(t *testing.T) {
	c, ctx := replayCalls(t, "calls.json"), t.Context()
	key, err := c.KeyAddress(ctx, addr(t, "t0101"), recordedHead)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "key address", key, addr(t, workerKey))
	nonce, balance, err := c.Account(ctx, addr(t, "t01001"), recordedHead)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "account", fmt.Sprint(nonce, balance), "0 16215969877500")
}

func TestRecordedExecutionsHaveTheirReceipts(t *testing.T) {
	c, ctx := replayMessages(t), t.Context()
	const (
		after      = vigil.TipSetKey("bafy2bzacedzrkpyysrpon7smuvwag5jvvxcf76bd46xtyafypivxnz2zqsf3i")
		replaced   = "bafy2bzaced4745lgvikszqo6dzjgrmaft4roeiwcajr62slw33atnndc2zv4u"
		inItsPlace = "bafy2bzacebnlfmp3dyjmcp3u7nrtn7mbphb2jubulq65ybddvndka62mukrpk"
		unknown    = "bafy2bzaceaqjgkqkbp2e6e3zzs26wwcqp5nbxzj7drhijrnvpswz6ug6d7zrs"
	)
	list, err := c.Executed(ctx, after)
	if err != nil || len(list) != 2 {
		t.Fatalf("executed %v, %v", list, err)
	}
	same(t, "first", fmt.Sprint(list[0].CID, list[0].Nonce, list[0].Receipt.ExitCode, list[0].Receipt.GasUsed, list[0].Receipt.Epoch), inItsPlace+fmt.Sprint(" 3 ", exitcode.Ok, " 720563 566"))
	same(t, "second", fmt.Sprint(list[1].Nonce, list[1].Receipt.ExitCode), fmt.Sprint("4 ", exitcode.SysErrInsufficientFunds))
	if list[0].Receipt.TipSet == after {
		t.Error("the receipt names the tipset that executed the message, not the one that includes it")
	}
	found, err := c.Search(ctx, cid.MustParse(inItsPlace), "")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "found", found, list[0])
	for _, c1 := range []string{replaced, unknown} {
		if _, err := c.Search(ctx, cid.MustParse(c1), ""); !errors.Is(err, vigil.ErrNotFound) {
			t.Errorf("%s: %v", c1, err)
		}
	}
}

// replayMessages: searches were recorded from the head with a limit, and the
// parent of the tipset with the receipts was not.
func replayMessages(t *testing.T) *chain.Client {
	t.Helper()
	n := newFakeNode(time.Second)
	calls := recordings(t, "messages.json")
	replay(n, calls, map[string]func(string) string{
		"StateSearchMsg": func(asked string) string {
			if strings.Contains(asked, "aceaqjgkqkbp2e6e3zzs26wwcqp5nbxzj7drhijrnvpswz6ug6d7zrs") {
				asked = strings.Replace(asked, ",false", ",true", 1)
			}
			return strings.Replace(strings.Replace(asked, "[],", "null,", 1), ",-1,", ",900,", 1)
		},
	})
	tipsets := n.methods["ChainGetTipSet"]
	n.handle("ChainGetTipSet", func(params []json.RawMessage) (any, error) {
		if v, err := tipsets(params); err == nil {
			return v, nil
		}
		return json.RawMessage(fmt.Sprintf(`{"Cids":%s,"Blocks":[{"Parents":%[1]s,"Height":566,"Timestamp":1795463292,"ParentBaseFee":"100"}],"Height":566}`, params[0])), nil
	})
	return dialNode(t, n)
}

// recordedMessage is a signed message as the recording pushed it.
type recordedMessage struct {
	Message struct {
		Version, Nonce, Method uint64
		To, From, Value        string
		GasLimit               int64
		GasFeeCap, GasPremium  string
		Params                 *string
		CID                    struct{ Slash string } `json:"-"`
	}
	Signature struct {
		Type byte
		Data []byte
	}
}

func (r recordedMessage) signed(t *testing.T) vigil.SignedMessage {
	t.Helper()
	m := r.Message
	amount := func(s string) big.Int {
		n, err := big.FromString(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var params []byte
	if m.Params != nil {
		var err error
		if params, err = base64.StdEncoding.DecodeString(*m.Params); err != nil {
			t.Fatal(err)
		}
	}
	return vigil.SignedMessage{
		Call:      vigil.Call{From: addr(t, m.From), To: addr(t, m.To), Method: abi.MethodNum(m.Method), Value: amount(m.Value), Params: params},
		Nonce:     m.Nonce,
		Gas:       vigil.Gas{Limit: m.GasLimit, FeeCap: amount(m.GasFeeCap), Premium: amount(m.GasPremium)},
		Signature: crypto.Signature{Type: crypto.SigType(r.Signature.Type), Data: r.Signature.Data},
	}
}

func TestEveryRecordedPushIsUnderstood(t *testing.T) {
	means := map[string]error{
		"good": nil, "the same again": nil, "nonce gap of 5": nil, "nonce gap of 10000": nil, "value beyond the balance": nil,
		"same nonce, premium 26 % higher: a replacement": nil,
		"same nonce, premium one higher":                 vigil.ErrPremiumTooLow,
		"nonce already used on chain":                    vigil.ErrPremiumTooLow, // so said the pool, which still held it
		"wrong signature":                                vigil.ErrMessageInvalid,
		"fee cap of 10 attoFIL":                          vigil.ErrMessageInvalid,
		"premium above the fee cap":                      vigil.ErrMessageInvalid,
		"gas limit 10":                                   vigil.ErrMessageInvalid,
		"gas limit above the block limit":                vigil.ErrMessageInvalid,
		"fee cap beyond the balance":                     vigil.ErrNotEnoughFunds,
		"parameters of 67 kB":                            vigil.ErrMessageInvalid,
		"from an id address that did not sign":           vigil.ErrMessageInvalid,
	}
	tried := 0
	for _, r := range recordings(t, "messages.json") {
		if r.Method != "Filecoin.MpoolPush" {
			continue
		}
		tried++
		t.Run(r.Note, func(t *testing.T) {
			want, known := means[r.Note]
			if !known {
				t.Fatalf("no verdict for this recording")
			}
			var m recordedMessage
			if err := json.Unmarshal(r.Params[0], &m); err != nil {
				t.Fatal(err)
			}
			n := newFakeNode(time.Second)
			n.handle("MpoolPush", func(params []json.RawMessage) (any, error) {
				if got := canonical(params); got != canonical(r.Params) {
					t.Errorf("pushed %.700s\nwant   %.700s", got, canonical(r.Params))
				}
				return said(r.Response)
			})
			got, err := dialNode(t, n).PushMessage(t.Context(), m.signed(t))
			if want == nil && (err != nil || !bytes.Contains(append(r.Params[0], r.Response...), []byte(got.String()))) {
				t.Errorf("pushed as %s, %v", got, err)
			}
			if want != nil && !errors.Is(err, want) {
				t.Errorf("refused with %v, want %v", err, want)
			}
		})
	}
	if tried < len(means) {
		t.Errorf("%d pushes were recorded, %d have a verdict", tried, len(means))
	}
}

func TestARecordedEstimateIsAskedAndRead(t *testing.T) {
	n, calls := newFakeNode(time.Second), recordings(t, "calls.json")
	n.handle("GasEstimateMessageGas", func(params []json.RawMessage) (any, error) {
		for _, r := range calls {
			if r.Note == "method 2 ControlAddresses" && r.Method == "Filecoin.GasEstimateMessageGas" && canonical(r.Params[:1]) == canonical(params[:1]) {
				return said(r.Response)
			}
		}
		return nil, fmt.Errorf("not recorded: %s", canonical(params))
	})
	gas, err := dialNode(t, n).EstimateGas(t.Context(), vigil.Call{From: addr(t, workerKey), To: vigil.MinerAddress(1001), Method: 2}, 0)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "gas", gas, vigil.Gas{Limit: 2383440, FeeCap: big.NewInt(99934), Premium: big.NewInt(98880)})
}

// Forest takes a specification with all its fields or none at all (struct
// MessageSendSpec, src/rpc/types/mod.rs): with one missing no call is estimated.
func TestAnEstimateIsAskedWithAllThatForestInsistsOn(t *testing.T) {
	n := newFakeNode(time.Second)
	var spec map[string]any
	n.handle("GasEstimateMessageGas", func(params []json.RawMessage) (any, error) {
		if err := json.Unmarshal(params[1], &spec); err != nil {
			return nil, err
		}
		return nil, errors.New("asked")
	})
	_, _ = dialNode(t, n).EstimateGas(t.Context(), vigil.Call{From: addr(t, workerKey), To: vigil.MinerAddress(1001), Method: 5}, 0)
	want := map[string]any{"MaxFee": "1000000000000000000000", "MsgUuid": "00000000-0000-0000-0000-000000000000", "MaximizeFeeCap": false}
	if !reflect.DeepEqual(spec, want) {
		t.Errorf("asked with %v, want %v", spec, want)
	}
}

func TestTheRecordedSubscriptionIsFollowed(t *testing.T) {
	var frames []struct {
		Received *struct {
			Method string
			Params []json.RawMessage
		}
	}
	if err := json.Unmarshal(fixture(t, "lotus-rpc/chain-notify.json"), &frames); err != nil {
		t.Fatal(err)
	}
	n := newFakeNode(time.Second)
	heads := dialNode(t, n).Watch(t.Context())
	<-heads // connected and subscribed
	var epochs []abi.ChainEpoch
	for _, f := range frames {
		if f.Received == nil || f.Received.Method != "xrpc.ch.val" {
			continue
		}
		n.mu.Lock()
		n.tell(f.Received.Params[1])
		n.mu.Unlock()
		h := <-heads
		epochs = append(epochs, h.Epoch)
	}
	same(t, "heads", epochs, []abi.ChainEpoch{505, 507, 508, 509, 510, 511, 512, 513, 514, 515, 516, 517, 518, 519})
}
