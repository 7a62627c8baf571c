package chain_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/vigil-post/vigil"
)

// What the devnet's actor keeps of a deadline that closed is what is read: the
// state's objects are the network's own.
func TestTheRecordOfAClosedDeadlineIsRead(t *testing.T) {
	n, c := startDevnet(t)
	ctx := t.Context()
	addr := n.Miners()[0]
	advance := func(epochs int) vigil.Head {
		t.Helper()
		if err := n.Advance(ctx, epochs); err != nil {
			t.Fatal(err)
		}
		h, err := c.Head(ctx)
		if err != nil || h.Epoch != n.Epoch() {
			t.Fatalf("the head is %d of %d, %v", h.Epoch, n.Epoch(), err)
		}
		return h
	}
	h := advance(1)
	d, err := c.Deadline(ctx, 1000, h.Key)
	if err != nil {
		t.Fatal(err)
	}
	for { // to one with a partition
		if list, err := c.Partitions(ctx, 1000, d.Index, h.Key); err != nil {
			t.Fatal(err)
		} else if len(list) > 0 && d.Open > h.Epoch {
			break
		}
		d = d.Plus(1)
	}
	h = advance(int(d.Open + 1 - h.Epoch))
	if _, err := n.WrongPost(ctx, addr, 0); err != nil {
		t.Fatal(err)
	}
	find := func(h vigil.Head) *vigil.ClosedDeadline {
		t.Helper()
		list, err := c.Closed(ctx, 1000, h)
		if err != nil {
			t.Fatal(err)
		}
		for i, closed := range list {
			if i > 0 && closed.Deadline != list[i-1].Deadline.Plus(-1) || closed.Deadline.Close > h.Epoch {
				t.Errorf("at epoch %d, closed deadline %d is %+v", h.Epoch, i, closed.Deadline)
			}
			if closed.Deadline == d {
				return &list[i]
			}
		}
		return nil
	}
	if h = advance(int(d.Close - 1 - h.Epoch)); find(h) != nil {
		t.Error("it is closed before its end")
	}
	h = advance(1)
	closed := find(h)
	if closed == nil {
		t.Fatal("it is not closed at its end")
	}
	r, err := c.Record(ctx, *closed)
	if err != nil || len(r.Posts) != 1 {
		t.Fatalf("the record %+v, %v", r, err)
	}
	p := r.Posts[0]
	active, err := p.Partitions[0].Active.All(100)
	if err != nil || len(active) != 2 || len(p.Proof) != 192 || p.Evidence == "" || p.Snapshot != r.Snapshot {
		t.Errorf("the post %+v with the sectors %v, %v", p, active, err)
	}
	sectors, err := c.PostSectors(ctx, p, p.Partitions[0].Active)
	if err != nil || len(sectors) != 2 || uint64(sectors[0].Number) != active[0] || !sectors[1].SealedCID.Defined() {
		t.Errorf("sectors %v, %v", sectors, err)
	}
	if _, err := c.PostSectors(ctx, p, bitfield.NewFromSet([]uint64{5000})); err == nil {
		t.Error("a sector that does not exist was given")
	}
	late := h // as after null rounds
	late.Epoch = d.Close + vigil.DisputeWindow - 1
	if find(late) == nil {
		t.Error("it cannot be disputed at the last epoch")
	}
	if late.Epoch++; find(late) != nil {
		t.Error("it can be disputed when the window is over")
	}
	if miners, err := c.Miners(ctx, h.Key); err != nil || len(miners) != 1 || miners[0] != abi.ActorID(1000) {
		t.Errorf("miners %v, %v", miners, err)
	}
}

// Whatever a node says that an object is, it is looked at no further than its name.
func TestAnObjectThatIsNotWhatItsNameSaysIsRefused(t *testing.T) {
	n := newFakeNode(30 * time.Second)
	n.answer("StateGetActor", fmt.Sprintf(`{"Head":{"/":%q}}`, blockCID(1)))
	n.answer("ChainReadObj", fmt.Sprintf("%q", base64.StdEncoding.EncodeToString([]byte("a state of its own making"))))
	_, err := dialNode(t, n).Closed(t.Context(), 1000, vigil.Head{Key: someKey()})
	if err == nil || !strings.Contains(err.Error(), "what came for "+blockCID(1)+" is named ") {
		t.Errorf("got %v", err)
	}
	n.answer("StateGetActor", `{"Nonce":1,"Balance":"2"}`)
	if _, err := dialNode(t, n).Closed(t.Context(), 1000, vigil.Head{Key: someKey()}); err == nil || !strings.Contains(err.Error(), "Head") {
		t.Errorf("without a state: %v", err)
	}
}

func TestAMinersPostsAreFoundOnChain(t *testing.T) {
	n, c := startDevnet(t)
	ctx := t.Context()
	at := func(epoch abi.ChainEpoch) vigil.Head {
		t.Helper()
		if err := n.Advance(ctx, int(epoch-n.Epoch())); err != nil {
			t.Fatal(err)
		}
		h, err := c.Head(ctx)
		if err != nil || h.Epoch != epoch {
			t.Fatalf("the head is %d, not %d: %v", h.Epoch, epoch, err)
		}
		return h
	}
	h := at(1)
	d, err := c.Deadline(ctx, 1000, h.Key)
	if err != nil {
		t.Fatal(err)
	}
	for { // to one with a partition
		list, err := c.Partitions(ctx, 1000, d.Index, h.Key)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > 0 && d.Open > h.Epoch {
			break
		}
		d = d.Plus(1)
	}
	at(d.Open + 1)
	if _, err := n.WrongPost(ctx, n.Miners()[0], 0); err != nil {
		t.Fatal(err)
	}
	found := 0
	for epoch := d.Open + 2; epoch < d.Open+12; epoch++ {
		h := at(epoch)
		posts, err := c.PostsBefore(ctx, 1000, h.Key)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range posts {
			found++
			if p.Deadline != d.Index || len(p.Partitions) != 1 || p.Partitions[0].Index != 0 || p.Epoch != epoch-1 || !p.ExitCode.IsSuccess() || p.Paid.Sign() <= 0 || !p.Message.Defined() {
				t.Errorf("at epoch %d: %+v", epoch, p)
			}
			executed, err := c.Search(ctx, p.Message, h.Key)
			if err != nil || executed.From != p.From || executed.Receipt.Epoch != p.Epoch {
				t.Errorf("the chain knows %+v of it, %v", executed, err)
			}
		}
		if others, err := c.PostsBefore(ctx, 1001, h.Key); err != nil || len(others) > 0 {
			t.Errorf("another miner's: %+v, %v", others, err)
		}
	}
	if found != 1 {
		t.Errorf("%d posts, where there is one", found)
	}
}

// What only audits need of a node takes nothing from what proofs need of it, and
// may come from another one.
func TestANodeWithoutObjectsIsReadAsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHerd(t, 2, 30*time.Second)
		h.pass(1.5)
		object := []byte("no state")
		name, err := cid.V1Builder{Codec: cid.DagCBOR, MhType: multihash.BLAKE2B_MIN + 31}.Sum(object)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range h.nodes {
			n.answer("StateGetActor", fmt.Sprintf(`{"Head":{"/":%q}}`, name))
			n.handle("ChainReadObj", func([]json.RawMessage) (any, error) { return nil, errors.New("ipld: could not find it") })
		}
		before := h.states()
		look := func() error {
			key := vigil.TipSetKey(blockCID(h.nodes[0].height()))
			_, err := h.all.Closed(t.Context(), 1000, vigil.Head{Key: key})
			return err
		}
		for range 5 {
			if err := look(); err == nil || !strings.Contains(err.Error(), "could not find it") {
				t.Errorf("got %v", err)
			}
			h.pass(1)
		}
		if h.states() != before {
			t.Errorf("the nodes are %s, and were %s", h.states(), before)
		}
		for i, n := range h.nodes {
			if s := h.all.Status()[i]; s.State != vigil.NodeInUse {
				n.answer("ChainReadObj", fmt.Sprintf("%q", base64.StdEncoding.EncodeToString(object)))
			}
		}
		if err := look(); err == nil || !strings.Contains(err.Error(), "actors v18") {
			t.Errorf("the other node's object was not taken: %v", err)
		}
	})
}
