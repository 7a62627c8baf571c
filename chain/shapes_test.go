package chain_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
)

// nonsense is what no method that must answer may answer.
var nonsense = []string{
	`null`, `{}`, `[]`, `[{}]`, `[null]`, `0`, `-1`, `1e300`, `18446744073709551616`, `true`, `""`, `"x"`, `"AAAA"`, `[[]]`, `[0,0]`, `[-1]`,
	`{"Height":null}`, `{"/":"x"}`, `{"/":""}`, `{"/":7}`, `{"Cids":null,"Blocks":null,"Height":null}`,
	`"` + strings.Repeat("9", 1<<20) + `"`, strings.Repeat("[", 9000) + strings.Repeat("]", 9000), `[` + strings.Repeat(`null,`, 100_000) + `null]`,
}

// someCall is one seam method with a key that a known-good node would answer.
type someCall struct {
	name, method string
	may          []string // which nonsense is sense to it
	do           func(ctx context.Context, c *chain.Client) (any, error)
}

func someKey() vigil.TipSetKey { return vigil.TipSetKey(blockCID(1)) }

func someMessage(t testing.TB) vigil.SignedMessage {
	return vigil.SignedMessage{
		Call:      vigil.Call{From: addr(t, workerKey), To: vigil.MinerAddress(1000), Method: 5, Value: big.Zero(), Params: []byte{1}},
		Nonce:     3,
		Gas:       vigil.Gas{Limit: 1000, FeeCap: big.NewInt(100), Premium: big.NewInt(1)},
		Signature: crypto.Signature{Type: crypto.SigTypeBLS, Data: make([]byte, 96)},
	}
}

func calls(t testing.TB) []someCall {
	key, miner := someKey(), abi.ActorID(1000)
	worker, someID, block := addr(t, workerKey), addr(t, "t0100"), cid.MustParse(blockCID(1))
	signed := someMessage(t)
	empty := []string{`null`, `[]`}
	return []someCall{
		{"Head", "ChainHead", nil, func(ctx context.Context, c *chain.Client) (any, error) { return c.Head(ctx) }},
		{"Network", "StateNetworkVersion", []string{`0`}, func(ctx context.Context, c *chain.Client) (any, error) { return c.Network(ctx) }},
		{"At", "ChainGetTipSetByHeight", nil, func(ctx context.Context, c *chain.Client) (any, error) { return c.At(ctx, 1, key) }},
		{"Miner", "StateMinerInfo", nil, func(ctx context.Context, c *chain.Client) (any, error) { return c.Miner(ctx, miner, key) }},
		{"Deadline", "StateMinerProvingDeadline", nil, func(ctx context.Context, c *chain.Client) (any, error) { return c.Deadline(ctx, miner, key) }},
		{"Partitions", "StateMinerPartitions", empty, func(ctx context.Context, c *chain.Client) (any, error) { return c.Partitions(ctx, miner, 0, key) }},
		{"Power", "StateMinerPower", nil, func(ctx context.Context, c *chain.Client) (any, error) { return c.Power(ctx, miner, key) }},
		{"Posted", "StateMinerDeadlines", nil, func(ctx context.Context, c *chain.Client) (any, error) { return c.Posted(ctx, miner, key) }},
		{"Sectors", "StateMinerSectors", nil, func(ctx context.Context, c *chain.Client) (any, error) {
			return c.Sectors(ctx, miner, bitfield.NewFromSet([]uint64{4, 7}), key)
		}},
		{"Faults", "StateMinerFaults", nil, func(ctx context.Context, c *chain.Client) (any, error) {
			f, _, err := c.Faults(ctx, miner, key)
			return f, err
		}},
		{"Recoveries", "StateMinerRecoveries", []string{`[]`}, func(ctx context.Context, c *chain.Client) (any, error) {
			_, r, err := c.Faults(ctx, miner, key)
			return r, err
		}},
		{"Standing", "StateReadState", nil, func(ctx context.Context, c *chain.Client) (any, error) { return c.Standing(ctx, miner, key) }},
		{"Challenge", "StateGetRandomnessFromBeacon", nil, func(ctx context.Context, c *chain.Client) (any, error) { return c.Challenge(ctx, miner, 1, key) }},
		{"Commit", "StateGetRandomnessFromTickets", nil, func(ctx context.Context, c *chain.Client) (any, error) { return c.Commit(ctx, 1, key) }},
		{"KeyAddress", "StateAccountKey", nil, func(ctx context.Context, c *chain.Client) (any, error) {
			return c.KeyAddress(ctx, someID, key)
		}},
		{"Account", "StateGetActor", []string{`null`}, func(ctx context.Context, c *chain.Client) (any, error) {
			nonce, _, err := c.Account(ctx, worker, key)
			return nonce, err
		}},
		{"Account's messages", "ChainGetMessagesInTipset", empty, func(ctx context.Context, c *chain.Client) (any, error) {
			nonce, _, err := c.Account(ctx, worker, key)
			return nonce, err
		}},
		{"EstimateGas", "GasEstimateMessageGas", nil, func(ctx context.Context, c *chain.Client) (any, error) {
			return c.EstimateGas(ctx, signed.Call, 3)
		}},
		{"PoolNonce", "MpoolGetNonce", []string{`0`}, func(ctx context.Context, c *chain.Client) (any, error) { return c.PoolNonce(ctx, worker) }},
		{"PushMessage", "MpoolPush", nil, func(ctx context.Context, c *chain.Client) (any, error) { return c.PushMessage(ctx, signed) }},
		{"Executed", "ChainGetParentMessages", nil, func(ctx context.Context, c *chain.Client) (any, error) { return c.Executed(ctx, key) }},
		{"Executed's receipts", "ChainGetParentReceipts", nil, func(ctx context.Context, c *chain.Client) (any, error) { return c.Executed(ctx, key) }},
		{"Closed's objects", "ChainReadObj", nil, func(ctx context.Context, c *chain.Client) (any, error) {
			return c.Closed(ctx, miner, vigil.Head{Key: key})
		}},
		{"Record", "ChainReadObj", nil, func(ctx context.Context, c *chain.Client) (any, error) {
			r, err := c.Record(ctx, vigil.ClosedDeadline{Miner: miner, Record: block})
			return r.Posts, err
		}},
		{"PostSectors", "ChainReadObj", nil, func(ctx context.Context, c *chain.Client) (any, error) {
			return c.PostSectors(ctx, vigil.ChainPost{Sectors: block}, bitfield.NewFromSet([]uint64{4}))
		}},
		{"Miners", "StateListMiners", []string{`[]`}, func(ctx context.Context, c *chain.Client) (any, error) { return c.Miners(ctx, key) }},
		{"Search", "StateSearchMsg", []string{`null`}, func(ctx context.Context, c *chain.Client) (any, error) { return c.Search(ctx, block, key) }},
	}
}

// soundNode answers every call well enough that only the method under test is at fault.
func soundNode() *fakeNode {
	n := newFakeNode(30 * time.Second)
	tip := string(tipset(1))
	message := fmt.Sprintf(`{"From":%q,"To":"t01000","Nonce":7,"Value":"0","GasLimit":1,"GasFeeCap":"2","GasPremium":"1","Method":0}`, workerKey)
	for method, raw := range map[string]string{
		"ChainGetTipSetByHeight":   tip,
		"ChainGetParentMessages":   fmt.Sprintf(`[{"Cid":{"/":%q},"Message":%s}]`, blockCID(5), message),
		"ChainGetParentReceipts":   `[{"ExitCode":0,"GasUsed":5}]`,
		"ChainGetMessagesInTipset": fmt.Sprintf(`[{"Cid":{"/":%q},"Message":%s}]`, blockCID(5), message),
		"StateMinerFaults":         `[4,2]`,
		"StateMinerRecoveries":     `[4,1]`,
		"StateGetActor":            fmt.Sprintf(`{"Nonce":7,"Balance":"5","Head":{"/":%q}}`, blockCID(1)),
		"StateLookupID":            `"t0100"`,
	} {
		n.answer(method, raw)
	}
	n.handle("ChainGetTipSet", func(params []json.RawMessage) (any, error) {
		if strings.Contains(string(params[0]), blockCID(1)) {
			return tipset(1), nil
		}
		return tipset(0), nil
	})
	return n
}

// Whatever a node answers, the client neither panics nor takes it for something.
func TestNonsenseIsRefusedWithTheMethodsName(t *testing.T) {
	for _, call := range calls(t) {
		t.Run(call.name, func(t *testing.T) {
			n := soundNode()
			c := dialNode(t, n)
			if _, err := c.Network(t.Context()); err != nil { // connected before the answers go wrong
				t.Fatal(err)
			}
			for _, raw := range nonsense {
				n.answer(call.method, raw)
				v, err := call.do(t.Context(), c)
				sense := false
				for _, s := range call.may {
					sense = sense || s == raw
				}
				switch {
				case sense && err != nil && !strings.Contains(err.Error(), "not found"):
					t.Errorf("%.60s is sense: %v", raw, err)
				case !sense && err == nil:
					t.Errorf("%.60s was taken for %v", raw, v)
				case !sense && !strings.Contains(err.Error(), call.method) && !strings.Contains(err.Error(), "ChainGetParent") && !strings.Contains(err.Error(), "StateMinerRec"):
					t.Errorf("%.60s: the error does not name %s: %.300v", raw, call.method, err)
				}
			}
		})
	}
}

func TestAnswersThatDoNotFitAreRefused(t *testing.T) {
	const deadline = `{"CurrentEpoch":%d,"Index":%d,"Open":%d,"Close":%d,"Challenge":%d,"FaultCutoff":%d,"WPoStPeriodDeadlines":%d}`
	partition := func(all, live, active, faulty, recovering string) string {
		return fmt.Sprintf(`[{"AllSectors":%s,"LiveSectors":%s,"ActiveSectors":%s,"FaultySectors":%s,"RecoveringSectors":%s}]`, all, live, active, faulty, recovering)
	}
	block := func(height int, parent int, fee string) string {
		return fmt.Sprintf(`{"Parents":[{"/":%q}],"Height":%d,"Timestamp":1795462726,"ParentBaseFee":%q}`, blockCID(parent), height, fee)
	}
	tip := func(height int, cids int, blocks ...string) string {
		var names []string
		for i := range cids {
			names = append(names, fmt.Sprintf(`{"/":%q}`, blockCID(100+i)))
		}
		return fmt.Sprintf(`{"Cids":[%s],"Blocks":[%s],"Height":%d}`, strings.Join(names, ","), strings.Join(blocks, ","), height)
	}
	sector := func(number int, proof int) string {
		return fmt.Sprintf(`{"SectorNumber":%d,"SealProof":%d,"SealedCID":{"/":"bagboea4b5abcbw5idhxmqnj2p7jhpi6zxawcgyi2hwnvzbv6j4ngmewqls3lk5zt"}}`, number, proof)
	}
	info := func(owner string, proof, size, sectors int) string {
		return fmt.Sprintf(`{"Owner":%q,"Worker":"t0101","NewWorker":"<empty>","ControlAddresses":null,"WindowPoStProofType":%d,"SectorSize":%d,"WindowPoStPartitionSectors":%d}`, owner, proof, size, sectors)
	}
	byMethod := map[string]someCall{}
	for _, c := range calls(t) {
		byMethod[c.method] = c
	}
	for _, c := range []struct{ sentence, method, raw, want string }{
		{"a tipset with more CIDs than blocks", "ChainHead", tip(9, 2, block(9, 8, "100")), "2 CIDs and 1 blocks"},
		{"a tipset whose block has another height", "ChainHead", tip(9, 1, block(8, 7, "100")), "its height is 8"},
		{"a tipset of a negative height", "ChainHead", tip(-1, 1, block(-1, 7, "100")), "without a height"},
		{"a tipset whose blocks have different parents", "ChainHead", tip(9, 2, block(9, 8, "100"), block(9, 7, "100")), "its parents are not those of the first block"},
		{"a tipset whose blocks have different base fees", "ChainHead", tip(9, 2, block(9, 8, "100"), block(9, 8, "101")), "its base fee"},
		{"a tipset with a negative base fee", "ChainHead", tip(9, 1, block(9, 8, "-1")), "ParentBaseFee"},
		{"a tipset with a null block", "ChainHead", tip(9, 1, "null"), "it is null"},
		{"a later tipset than was asked for", "ChainGetTipSetByHeight", string(tipset(5)), "the tipset of epoch 5 where 1 or one before it was asked for"},
		{"a deadline beyond the last", "StateMinerProvingDeadline", fmt.Sprintf(deadline, 1, 48, 0, 60, -20, -70, 48), "deadline 48 of 48"},
		{"another number of deadlines", "StateMinerProvingDeadline", fmt.Sprintf(deadline, 1, 4, 0, 60, -20, -70, 12), "12 deadlines"},
		{"a deadline that closes before it opens", "StateMinerProvingDeadline", fmt.Sprintf(deadline, 1, 4, 60, 60, -20, -70, 48), "open 60, close 60"},
		{"a deadline whose challenge is after its opening", "StateMinerProvingDeadline", fmt.Sprintf(deadline, 1, 4, 0, 60, 1, -70, 48), "challenge 1, open 0"},
		{"a deadline that is over", "StateMinerProvingDeadline", fmt.Sprintf(deadline, 60, 4, 0, 60, -20, -70, 48), "closed at 60"},
		{"the deadline of another epoch", "StateMinerProvingDeadline", fmt.Sprintf(deadline, 2, 4, 0, 60, -20, -70, 48), "the deadline at epoch 2 for a tipset of epoch 1"},
		{"47 deadlines", "StateMinerDeadlines", `[` + strings.Repeat(`{"PostSubmissions":[0]},`, 46) + `{"PostSubmissions":[0]}]`, "47 deadlines where there are 48"},
		{"a deadline without its posts", "StateMinerDeadlines", `[` + strings.Repeat(`{"PostSubmissions":[0]},`, 47) + `{}]`, "deadline 47 has no PostSubmissions"},
		{"a partition without its live sectors", "StateMinerPartitions", `[{"AllSectors":[0,2],"ActiveSectors":[0,2],"FaultySectors":[0],"RecoveringSectors":[0]}]`, "LiveSectors"},
		{"live sectors that are not there", "StateMinerPartitions", partition("[0,2]", "[0,3]", "[0]", "[0]", "[0]"), "live that it does not have"},
		{"active sectors that are terminated", "StateMinerPartitions", partition("[0,4]", "[0,2]", "[2,1]", "[0]", "[0]"), "active or faulty that are not live"},
		{"sectors active and faulty at once", "StateMinerPartitions", partition("[0,4]", "[0,4]", "[0,2]", "[1,1]", "[0]"), "active and faulty at once"},
		{"recovering sectors that are not faulty", "StateMinerPartitions", partition("[0,4]", "[0,4]", "[0,2]", "[2,1]", "[3,1]"), "recovering that are not faulty"},
		{"more sectors than any partition has", "StateMinerPartitions", partition("[0,20000]", "[0]", "[0]", "[0]", "[0]"), "it has 20000 sectors"},
		{"more sectors than any miner has", "StateMinerFaults", `[0,4611686018427387904]`, "more than 33554432 sectors"},
		{"sector numbers beyond the highest", "StateMinerFaults", `[9223372036854775808,1]`, "beyond the highest"},
		{"runs that add up to nothing", "StateMinerFaults", `[18446744073709551615,18446744073709551615]`, "beyond the highest"},
		{"an empty run", "StateMinerFaults", `[0,1,0,1]`, "empty run"},
		{"recovering sectors that no partition has faulty", "StateMinerRecoveries", `[6,1]`, "recovering that are not faulty"},
		{"one sector of two", "StateMinerSectors", `[` + sector(4, 5) + `]`, "sector 7: not found"},
		{"another sector", "StateMinerSectors", `[` + sector(4, 5) + `,` + sector(8, 5) + `]`, "sector 7: not found"},
		{"a sector twice", "StateMinerSectors", `[` + sector(4, 5) + `,` + sector(4, 5) + `,` + sector(7, 5) + `]`, "sector 4 is there twice"},
		{"a sector too many", "StateMinerSectors", `[` + sector(4, 5) + `,` + sector(7, 5) + `,` + sector(9, 5) + `]`, "3 sectors where 2 were asked for"},
		{"a seal proof of the future", "StateMinerSectors", `[` + sector(4, 5) + `,` + sector(7, 99) + `]`, "sector 7 has seal proof 99"},
		{"a miner without an owner", "StateMinerInfo", info("<empty>", 10, 2048, 2), "Owner"},
		{"a proof type of the future", "StateMinerInfo", info("t0100", 99, 2048, 2), "proof type 99"},
		{"a sector size that is not the proof type's", "StateMinerInfo", info("t0100", 10, 4096, 2), "sectors of 4096 bytes"},
		{"partitions of no sectors", "StateMinerInfo", info("t0100", 10, 2048, 0), "partitions of 0 sectors"},
		{"an owner that is no address", "StateMinerInfo", info("t0100x", 10, 2048, 2), "not an address"},
		{"31 bytes of randomness", "StateGetRandomnessFromTickets", `"` + strings.Repeat("AAAA", 10) + `AA=="`, "31 bytes"},
		{"randomness of zeros", "StateGetRandomnessFromBeacon", `"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="`, "all bytes are zero"},
		{"an ID address as a key address", "StateAccountKey", `"t0100"`, "t0100 is not a key address"},
		{"an account with more messages than there are", "StateGetActor", `{"Nonce":18446744073709551615,"Balance":"5"}`, "Nonce"},
		{"a pool with more messages than there are", "MpoolGetNonce", `18446744073709551615`, "a nonce of 18446744073709551615"},
		{"an account with a negative balance", "StateGetActor", `{"Nonce":7,"Balance":"-5"}`, "Balance"},
		{"fewer receipts than messages", "ChainGetParentReceipts", `[]`, "0 receipts for 1 messages"},
		{"receipts without messages", "ChainGetParentMessages", `null`, "1 receipts for 0 messages"},
		{"a receipt without an exit code", "ChainGetParentReceipts", `[{"GasUsed":5}]`, "ExitCode"},
		{"the CID of another message", "MpoolPush", fmt.Sprintf(`{"/":%q}`, blockCID(5)), "to the node and"},
		{"the execution of another message", "StateSearchMsg", fmt.Sprintf(`{"Message":{"/":%q},"Receipt":{"ExitCode":0,"GasUsed":1},"TipSet":[{"/":%q}],"Height":1}`, blockCID(5), blockCID(1)), "where"},
		{"an execution at another height", "StateSearchMsg", fmt.Sprintf(`{"Message":{"/":%q},"Receipt":{"ExitCode":0,"GasUsed":1},"TipSet":[{"/":%[1]q}],"Height":2}`, blockCID(1)), "height 2 for a tipset of epoch 1"},
		{"an estimate of no gas", "GasEstimateMessageGas", fmt.Sprintf(`{"From":%q,"To":"t01000","Nonce":7,"Value":"0","GasLimit":0,"GasFeeCap":"2","GasPremium":"1"}`, workerKey), "a gas limit of 0"},
		{"an estimate with a premium above its cap", "GasEstimateMessageGas", fmt.Sprintf(`{"From":%q,"To":"t01000","Nonce":7,"Value":"0","GasLimit":9,"GasFeeCap":"2","GasPremium":"3"}`, workerKey), "a premium of 3"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			n := soundNode()
			client := dialNode(t, n)
			if _, err := client.Head(t.Context()); err != nil {
				t.Fatal(err)
			}
			n.answer(c.method, c.raw)
			v, err := byMethod[c.method].do(t.Context(), client)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v; want an error with %q", v, err, c.want)
			}
		})
	}
}

// An answer of any bytes at all leaves the client as it was.
func FuzzAnswersNeverPanic(f *testing.F) {
	for _, raw := range nonsense {
		f.Add(uint8(0), raw)
	}
	f.Add(uint8(5), `[{"AllSectors":[0,2],"FaultySectors":[0],"RecoveringSectors":[0],"LiveSectors":[0,2],"ActiveSectors":[0,2]}]`)
	n := soundNode()
	c := dialNode(f, n)
	if _, err := c.Network(f.Context()); err != nil {
		f.Fatal(err)
	}
	list := calls(f)
	f.Fuzz(func(t *testing.T, which uint8, raw string) {
		if !json.Valid([]byte(raw)) {
			return
		}
		call := list[int(which)%len(list)]
		n.mu.Lock()
		sound := n.methods[call.method]
		n.mu.Unlock()
		n.answer(call.method, raw)
		defer n.handle(call.method, sound)
		start := time.Now()
		_, err := call.do(t.Context(), c)
		if time.Since(start) > time.Second {
			t.Fatalf("slow: %v", err)
		}
	})
}

// What a real node told at epochs after a null one, and for a miner without
// sectors: see TestAfterANullLastEpochTheDeadlineToldIsTheOneThatClosed of the devnet.
func TestADeadlineThatClosedWithoutItsCronIsNotTheCurrentOne(t *testing.T) {
	told := vigil.Deadline{Index: 39, Count: 48, Challenge: 3680, Open: 3700, Close: 3760, FaultCutoff: 3630}
	next := vigil.Deadline{Index: 40, Count: 48, Challenge: 860, Open: 880, Close: 940, FaultCutoff: 810}
	n := soundNode()
	client := dialNode(t, n)
	for epoch, want := range map[abi.ChainEpoch]vigil.Deadline{
		879: next.Plus(-1), 880: next, 881: next, 939: next, 940: next.Plus(1), 3699: told.Plus(-1), 3700: told, 3759: told,
	} {
		n.answer("StateMinerProvingDeadline", fmt.Sprintf(`{"CurrentEpoch":%d,"PeriodStart":1360,"Index":39,"Open":3700,"Close":3760,"Challenge":3680,"FaultCutoff":3630,"WPoStPeriodDeadlines":48,"WPoStProvingPeriod":2880,"WPoStChallengeWindow":60,"WPoStChallengeLookback":20,"FaultDeclarationCutoff":70}`, epoch))
		if got, err := client.Deadline(t.Context(), 1000, vigil.TipSetKey(blockCID(77))); err != nil || got != want {
			t.Errorf("at epoch %d: %+v, %v; want %+v", epoch, got, err, want)
		}
	}
}
