package chain_test

import (
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// A miner's owner is often a multisig, which has no key. That is what the chain
// says, and no fault of the node that says it: it is not asked again at once, and
// no node is set aside for it. The words are Lotus', Venus' and Forest's.
func TestAnAddressWithoutAKeyIsTheChainsWordAndNoNodesFault(t *testing.T) {
	for _, words := range []string{
		"failed to get account actor state for t01729: actor code is not account: multisig",
		"Unknown actor code bafk2bzacecquc4zxikmjfwsiyzx4tbxlsvauf53c7spf3hdz6jwmkczyqwbrg",
		"failed to find actor: t01729",
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHerd(t, 2, 30*time.Second)
			h.pass(1)
			var asked atomic.Int32
			for _, n := range h.nodes {
				n.handle("StateAccountKey", func([]json.RawMessage) (any, error) {
					asked.Add(1)
					return nil, errors.New(words)
				})
			}
			head, err := h.all.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				if _, err := h.all.KeyAddress(t.Context(), addr(t, "t01729"), head.Key); !errors.Is(err, vigil.ErrNotFound) {
					t.Errorf("%q: %v", words, err)
				}
			}
			if asked.Load() != 5 {
				t.Errorf("%q: asked %d times for 5 answers", words, asked.Load())
			}
			if s := h.states(); s != "in use, ready" {
				t.Errorf("%q: the nodes are %s", words, s)
			}
		})
	}
}

// Lotus says of an account that nobody has sent anything to yet that there is no
// such actor; Forest says null, or begins with a capital.
func TestAnAccountThatDoesNotExistYetIsNotFound(t *testing.T) {
	for name, answer := range map[string]func([]json.RawMessage) (any, error){
		"lotus": func([]json.RawMessage) (any, error) {
			return nil, errors.New("resolution lookup failed (t1x): resolve address t1x: actor not found")
		},
		"forest":        func([]json.RawMessage) (any, error) { return json.RawMessage(`null`), nil },
		"forest, named": func([]json.RawMessage) (any, error) { return nil, errors.New("Actor not found: addr=t1x") },
	} {
		n := soundNode()
		n.handle("StateGetActor", answer)
		c := dialNode(t, n)
		if _, _, err := c.Account(t.Context(), addr(t, workerKey), someKey()); !errors.Is(err, vigil.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The highest sector number there is, abi.MaxSectorNumber, can be faulty like any other.
func TestTheHighestSectorNumberIsRead(t *testing.T) {
	n := soundNode()
	n.answer("StateMinerFaults", `[9223372036854775807,1]`)
	n.answer("StateMinerRecoveries", `[0]`)
	faulty, _, err := dialNode(t, n).Faults(t.Context(), 1000, someKey())
	if err != nil {
		t.Fatal(err)
	}
	if list, err := faulty.All(2); err != nil || len(list) != 1 || list[0] != abi.MaxSectorNumber {
		t.Errorf("%v, %v", list, err)
	}
}

// What nodes say of a message that the chain has not executed: because they have
// never seen it, or because another one took its nonce.
func TestAMessageThatIsNotOnChainIsNotFoundWhateverTheNode(t *testing.T) {
	n := soundNode()
	c := dialNode(t, n)
	for _, row := range []struct {
		node, says string
		want       bool
	}{
		{"lotus", "failed to load message: ipld: could not find bafy2bzace", true},
		{"lotus", "message was replaced: found message with equal nonce as the one we are looking for that is NOT a valid replacement message (F:bafy n 3, TS: bafy n3)", true},
		{"lotus before 1.33, venus", "found message with equal nonce as the one we are looking for (F:bafy n 3, TS: bafy n3)", true},
		{"venus", "failed to get secp message bafy2bzace: ipld: could not find bafy2bzace", true},
		{"forest", "failed to load message Invalid tipset: bafy2bzace", true},
		{"forest", "found message with equal nonce and call params but different CID. wanted bafy, found: bafy, nonce: 3, from: f1abc", true},
		{"lotus, which has found it", "failed to load message after successful receipt search: ipld: could not find bafy2bzace", false},
		{"forest", "failed to load tipset during msg wait searchback: timed out", false},
		{"venus", "failed to get secp message bafy2bzace: datastore closed", false},
	} {
		n.handle("StateSearchMsg", func([]json.RawMessage) (any, error) { return nil, errors.New(row.says) })
		_, err := c.Search(t.Context(), cid.MustParse(blockCID(1)), someKey())
		if err == nil || errors.Is(err, vigil.ErrNotFound) != row.want {
			t.Errorf("%s says %q: %v", row.node, row.says, err)
		}
	}
}
