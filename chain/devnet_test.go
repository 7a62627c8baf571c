package chain_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"
	"golang.org/x/crypto/blake2b"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
	"github.com/vigil-post/vigil/devnet"
)

// The devnet shares no wire type with this package, so that the two can judge
// each other.
func startDevnet(t *testing.T) (*devnet.Network, *chain.Client) {
	t.Helper()
	n, err := devnet.Open(t.Context(), devnet.Config{
		Dir: t.TempDir(), Manual: true, Log: slog.New(slog.DiscardHandler),
		Verify: func(proof.WindowPoStVerifyInfo) error { return nil },
		Sector: func(_ context.Context, _ string, m abi.ActorID, s abi.SectorNumber) ([32]byte, error) {
			return blake2b.Sum256([]byte{byte(m), byte(s)}), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- n.Run(ctx) }()
	client, err := chain.Dial(ctx, chain.Config{URL: "http://" + n.Addr(), Token: n.Token()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	return n, client
}

// learn waits for a head of the devnet's epoch.
func learn(t *testing.T, n *devnet.Network, heads <-chan vigil.Head) vigil.Head {
	t.Helper()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	for {
		select {
		case h := <-heads:
			if h.Epoch == n.Epoch() {
				return h
			}
		case <-limit.C:
			t.Fatalf("the head of epoch %d was not learnt", n.Epoch())
		}
	}
}

func TestTheDevnetsStateIsRead(t *testing.T) {
	n, c := startDevnet(t)
	ctx := t.Context()
	got, err := c.Network(ctx)
	if err != nil || got.BlockDelay != 100*time.Millisecond {
		t.Fatalf("network %v, %v", got, err)
	}
	heads := c.Watch(ctx)
	if err := n.Advance(ctx, 40); err != nil {
		t.Fatal(err)
	}
	h := learn(t, n, heads)
	id, err := address.IDFromAddress(n.Miners()[0])
	if err != nil {
		t.Fatal(err)
	}
	miner := abi.ActorID(id)
	if _, err := c.Miner(ctx, miner, h.Key); err != nil {
		t.Error(err)
	}
	d, err := c.Deadline(ctx, miner, h.Key)
	if err != nil {
		t.Fatal(err)
	}
	var all []bitfield.BitField
	for i := range d.Count {
		partitions, err := c.Partitions(ctx, miner, i, h.Key)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range partitions {
			all = append(all, p.All)
		}
	}
	set, err := bitfield.MultiMerge(all...)
	if err != nil {
		t.Fatal(err)
	}
	sectors, err := c.Sectors(ctx, miner, set, h.Key)
	if err != nil || len(sectors) != 92 {
		t.Errorf("%d sectors, %v", len(sectors), err)
	}
	if _, err := c.Sectors(ctx, miner, bitfield.NewFromSet([]uint64{1, 5000}), h.Key); err == nil {
		t.Error("a sector that does not exist was given")
	}
	if _, err := c.Posted(ctx, miner, h.Key); err != nil {
		t.Error(err)
	}
	if _, _, err := c.Faults(ctx, miner, h.Key); err != nil {
		t.Error(err)
	}
	seed, err := c.Challenge(ctx, miner, h.Epoch-3, h.Key)
	if err != nil {
		t.Error(err)
	}
	commit, err := c.Commit(ctx, h.Epoch-3, h.Key)
	if err != nil || seed == commit {
		t.Errorf("randomness %x and %x, %v", seed, commit, err)
	}
	at, err := c.At(ctx, 7, h.Key)
	if err != nil || at.Epoch != 7 {
		t.Errorf("tipset of epoch %d, %v", at.Epoch, err)
	}
	if err := n.Reorg(ctx, 3); err != nil {
		t.Fatal(err)
	}
	if err := n.Advance(ctx, 5); err != nil {
		t.Fatal(err)
	}
	if after := learn(t, n, heads); after.Epoch <= h.Epoch {
		t.Errorf("after the reorg the head is %d", after.Epoch)
	}
}

func TestAMessageGoesToTheDevnetAndBack(t *testing.T) {
	n, c := startDevnet(t)
	ctx := t.Context()
	heads := c.Watch(ctx)
	if err := n.Advance(ctx, 3); err != nil {
		t.Fatal(err)
	}
	h := learn(t, n, heads)
	key, from := secpKey(t, n)
	nonce, before, err := c.Account(ctx, from, h.Key)
	if err != nil {
		t.Fatal(err)
	}
	call := vigil.Call{From: from, To: from, Value: big.NewInt(7)}
	gas, err := c.EstimateGas(ctx, call, nonce)
	if err != nil {
		t.Fatal(err)
	}
	m := sign(t, key, vigil.SignedMessage{Call: call, Nonce: nonce, Gas: gas})
	name, err := c.PushMessage(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.PushMessage(ctx, m); err != nil || !again.Equals(name) {
		t.Errorf("pushed again as %s, %v", again, err)
	}
	cheaper := m
	cheaper.Gas.Premium = big.Add(gas.Premium, big.NewInt(1))
	cheaper.Gas.FeeCap = big.Add(gas.FeeCap, big.NewInt(1))
	if _, err := c.PushMessage(ctx, sign(t, key, cheaper)); !errors.Is(err, vigil.ErrPremiumTooLow) {
		t.Errorf("a replacement for one attoFIL more: %v", err)
	}
	var found []vigil.Executed
	for range 4 {
		if err := n.Advance(ctx, 1); err != nil {
			t.Fatal(err)
		}
		h = learn(t, n, heads)
		if found, err = c.Executed(ctx, h.Key); err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 {
			break
		}
		if next, _, err := c.Account(ctx, from, h.Key); err != nil || next > nonce+1 {
			t.Errorf("next nonce %d, %v", next, err)
		}
	}
	if len(found) != 1 || !found[0].CID.Equals(name) || found[0].Nonce != nonce || found[0].Receipt.ExitCode != 0 || found[0].Receipt.TipSet != h.Parent {
		t.Fatalf("executed %v, want %s", found, name)
	}
	searched, err := c.Search(ctx, name, h.Key)
	if err != nil || searched != found[0] {
		t.Errorf("found %v, %v; want %v", searched, err, found[0])
	}
	if _, err := c.Search(ctx, cid.MustParse(blockCID(1)), h.Key); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("an unknown message: %v", err)
	}
	next, after, err := c.Account(ctx, from, h.Key)
	if err != nil || next != nonce+1 || !after.LessThan(before) {
		t.Errorf("next nonce %d, balance %s after %s, %v", next, after, before, err)
	}
	if _, err := c.PushMessage(ctx, sign(t, key, m)); !errors.Is(err, vigil.ErrNonceTooLow) {
		t.Errorf("pushed after it was executed: %v", err)
	}
	if _, err := c.EstimateGas(ctx, vigil.Call{From: from, To: vigil.MinerAddress(1000), Method: 5, Params: []byte{0x80}}, next); !isCallError(err) {
		t.Errorf("a call that would fail: %v", err)
	}
}

func isCallError(err error) bool {
	var refused *vigil.CallError
	return errors.As(err, &refused)
}

// secpKey is the key of the first role that has one of that kind.
func secpKey(t *testing.T, n *devnet.Network) (*secp256k1.PrivateKey, address.Address) {
	t.Helper()
	for _, role := range []string{"owner", "worker", "control"} {
		text, err := os.ReadFile(n.KeyFile(role, n.Miners()[0]))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		var info struct {
			Type       string
			PrivateKey []byte
		}
		if err := json.Unmarshal(raw, &info); err != nil {
			t.Fatal(err)
		}
		if info.Type == "secp256k1" {
			key := secp256k1.PrivKeyFromBytes(info.PrivateKey)
			from, err := address.NewSecp256k1Address(key.PubKey().SerializeUncompressed())
			if err != nil {
				t.Fatal(err)
			}
			return key, from
		}
	}
	t.Fatal("no role has a secp256k1 key")
	return nil, address.Undef
}

// sign signs what the message's own CID would be without a signature.
func sign(t *testing.T, key *secp256k1.PrivateKey, m vigil.SignedMessage) vigil.SignedMessage {
	t.Helper()
	m.Signature = crypto.Signature{}
	unsigned, err := m.UnsignedCID()
	if err != nil {
		t.Fatal(err)
	}
	hash := blake2b.Sum256(unsigned.Bytes())
	compact := ecdsa.SignCompact(key, hash[:], false)
	m.Signature = crypto.Signature{Type: crypto.SigTypeSecp256k1, Data: append(compact[1:], compact[0]-27)}
	return m
}
