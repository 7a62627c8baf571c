package chain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/ipfs/go-cid"
	cbg "github.com/whyrusleeping/cbor-gen"

	"github.com/vigil-post/vigil"
)

// The record of a closed deadline is in the miner's state and in no answer of a
// node's: DisputableProofCount alone says how many posts it has. So the state
// itself is walked, object by object, as the actor does. An object is named by
// its hash, which is computed again here: of all that a node says only the
// state's root is to be believed, and that one is compared with other nodes'.

// stateSource is where the objects of a miner's state come from.
type stateSource interface {
	minerRoot(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (cid.Cid, error)
	object(ctx context.Context, name cid.Cid) ([]byte, error)
}

// Closed gives the deadlines of a miner whose posts can be disputed.
func (c *Client) Closed(ctx context.Context, miner abi.ActorID, head vigil.Head) ([]vigil.ClosedDeadline, error) {
	return closed(ctx, c, miner, head)
}

// Record reads the record of a closed deadline.
func (c *Client) Record(ctx context.Context, d vigil.ClosedDeadline) (vigil.PostRecord, error) {
	return record(ctx, c, d)
}

// PostSectors gives sectors as they were when the post's deadline closed.
func (c *Client) PostSectors(ctx context.Context, p vigil.ChainPost, set bitfield.BitField) ([]vigil.Sector, error) {
	return postSectors(ctx, c, p, set)
}

// Miners lists all miners of the network.
func (c *Client) Miners(ctx context.Context, key vigil.TipSetKey) ([]abi.ActorID, error) {
	const method = "StateListMiners"
	k, err := keyParam(key)
	if err != nil {
		return nil, err
	}
	list, err := ask[[]address.Address](ctx, c, method, k)
	if err != nil {
		return nil, err
	}
	miners := make([]abi.ActorID, len(list))
	for i, a := range list {
		id, err := address.IDFromAddress(a)
		if err != nil {
			return nil, unusable(method, "miner %d, %s: %w", i, a, err)
		}
		miners[i] = abi.ActorID(id)
	}
	return miners, nil
}

// Closed gives the deadlines of a miner whose posts can be disputed.
func (n *Nodes) Closed(ctx context.Context, miner abi.ActorID, head vigil.Head) ([]vigil.ClosedDeadline, error) {
	return closed(ctx, n, miner, head)
}

// Record reads the record of a closed deadline.
func (n *Nodes) Record(ctx context.Context, d vigil.ClosedDeadline) (vigil.PostRecord, error) {
	return record(ctx, n, d)
}

// PostSectors gives sectors as they were when the post's deadline closed.
func (n *Nodes) PostSectors(ctx context.Context, p vigil.ChainPost, set bitfield.BitField) ([]vigil.Sector, error) {
	return postSectors(ctx, n, p, set)
}

// Miners lists all miners of the network.
func (n *Nodes) Miners(ctx context.Context, key vigil.TipSetKey) ([]abi.ActorID, error) {
	return read(ctx, n, "the network's miners", key, func(ctx context.Context, c *Client) ([]abi.ActorID, error) { return c.Miners(ctx, key) })
}

func (n *Nodes) minerRoot(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (cid.Cid, error) {
	return agreed(ctx, n, claim{"the state's root", miner, 0}, key, func(ctx context.Context, c *Client) (cid.Cid, error) { return c.minerRoot(ctx, miner, key) })
}

// object reads an object of a miner's state, which may be old. Only audits need
// one, so that a node that does not have it, or does not give any, is as good as
// before for all else: its name stands where a tipset that every node must know
// would be. Another node's is no worse, for it is held against the name.
func (n *Nodes) object(ctx context.Context, name cid.Cid) ([]byte, error) {
	data, err := read(ctx, n, "objects of a state", vigil.TipSetKey(name.String()), func(ctx context.Context, c *Client) ([]byte, error) { return c.object(ctx, name) })
	if err == nil || ctx.Err() != nil || n.alone() {
		return data, err
	}
	l, unread := n.reader(ctx)
	if unread != nil {
		return nil, err
	}
	elsewhere := trial{n: n, ask: func(ctx context.Context, c *Client) (none print, err error) {
		data, err = c.object(ctx, name)
		return none, err
	}}
	for _, m := range n.witnesses(l.member) {
		if _, lacking := elsewhere.testify(ctx, m); lacking == nil {
			return data, nil
		}
	}
	return nil, err
}

// actorRoot is where an actor's state begins.
type actorRoot struct{ Head cid.Cid }

func (a *actorRoot) check() error { return required(field{"Head", a.Head.Defined()}) }

func (c *Client) minerRoot(ctx context.Context, miner abi.ActorID, key vigil.TipSetKey) (cid.Cid, error) {
	k, err := keyParam(key)
	if err != nil {
		return cid.Undef, err
	}
	a, err := ask[actorRoot](ctx, c, "StateGetActor", vigil.MinerAddress(miner), k)
	return a.Head, err
}

func (c *Client) object(ctx context.Context, name cid.Cid) ([]byte, error) {
	const method = "ChainReadObj"
	data, err := ask[[]byte](ctx, c, method, name)
	if err != nil {
		return nil, err
	}
	hash, err := name.Prefix().Sum(data)
	if err != nil {
		return nil, fmt.Errorf("%s: name %s: %w", method, name, err)
	}
	if !hash.Equals(name) {
		return nil, unusable(method, "what came for %s is named %s", name, hash)
	}
	return data, nil
}

// objects is a source as go-state-types reads it: an adt.Store has a context,
// and is made for one piece of work.
type objects struct {
	ctx  context.Context
	from stateSource
}

var _ adt.Store = objects{}

func (o objects) Context() context.Context { return o.ctx }

func (o objects) Get(ctx context.Context, name cid.Cid, out any) error {
	into, ok := out.(cbg.CBORUnmarshaler)
	if !ok {
		return fmt.Errorf("read %s: %T has no encoding", name, out)
	}
	data, err := o.from.object(ctx, name)
	if err != nil {
		return err
	}
	if err := into.UnmarshalCBOR(cbg.NewCborReader(bytes.NewReader(data))); err != nil {
		return fmt.Errorf("%s is no %T as this version of Vigil knows it (actors v18): %w", name, out, err)
	}
	return nil
}

func (objects) Put(context.Context, any) (cid.Cid, error) {
	return cid.Undef, errors.New("a chain's state is only read")
}

// closed lists by the state's own clock what is over: after null rounds it may
// be behind the head's, and then a deadline's record is still that of the day before.
func closed(ctx context.Context, from stateSource, id abi.ActorID, head vigil.Head) ([]vigil.ClosedDeadline, error) {
	root, err := from.minerRoot(ctx, id, head.Key)
	if err != nil {
		return nil, err
	}
	store := objects{ctx, from}
	var state miner.State
	if err := store.Get(ctx, root, &state); err != nil {
		return nil, fmt.Errorf("read the state of miner %s: %w", vigil.MinerAddress(id), err)
	}
	all, err := state.LoadDeadlines(store)
	if err != nil {
		return nil, fmt.Errorf("read the deadlines of miner %s: %w", vigil.MinerAddress(id), err)
	}
	if state.CurrentDeadline >= deadlines {
		return nil, fmt.Errorf("the state of miner %s has deadline %d open, of %d", vigil.MinerAddress(id), state.CurrentDeadline, deadlines)
	}
	open := openIn(state)
	var list []vigil.ClosedDeadline
	for back := range deadlines - 1 { // of the one before those, the record is gone or about to be
		d := open.Plus(-1 - back)
		if d.Close+vigil.DisputeWindow <= head.Epoch {
			break
		}
		if d.Close <= head.Epoch && d.Open >= 0 {
			list = append(list, vigil.ClosedDeadline{Miner: id, Deadline: d, Record: all.Due[d.Index]})
		}
	}
	return list, nil
}

// openIn is the deadline that a state has open.
func openIn(state miner.State) vigil.Deadline {
	d := miner.NewDeadlineInfo(state.ProvingPeriodStart, state.CurrentDeadline, state.ProvingPeriodStart)
	return vigil.Deadline{Index: d.Index, Count: deadlines, Challenge: d.Challenge, Open: d.Open, Close: d.Close, FaultCutoff: d.FaultCutoff}
}

func record(ctx context.Context, from stateSource, d vigil.ClosedDeadline) (vigil.PostRecord, error) {
	store := objects{ctx, from}
	var state miner.Deadline
	if err := store.Get(ctx, d.Record, &state); err != nil {
		return vigil.PostRecord{}, fmt.Errorf("read deadline %d of miner %s: %w", d.Deadline.Index, vigil.MinerAddress(d.Miner), err)
	}
	r := recordReader{store, d, &state}
	out := vigil.PostRecord{Snapshot: state.PartitionsSnapshot.String() + " " + state.SectorsSnapshot.String()}
	posts, err := state.OptimisticProofsSnapshotArray(store)
	if err != nil {
		return out, fmt.Errorf("read the posts of deadline %d of miner %s: %w", d.Deadline.Index, vigil.MinerAddress(d.Miner), err)
	}
	var post miner.WindowedPoSt
	err = posts.ForEach(&post, func(index int64) error {
		p, err := r.post(uint64(index), post)
		p.Snapshot = out.Snapshot
		out.Posts = append(out.Posts, p)
		return err
	})
	if err != nil {
		return out, fmt.Errorf("read the posts of deadline %d of miner %s: %w", d.Deadline.Index, vigil.MinerAddress(d.Miner), err)
	}
	return out, nil
}

// recordReader reads the posts of one deadline's record.
type recordReader struct {
	store objects
	of    vigil.ClosedDeadline
	state *miner.Deadline
}

func (r recordReader) post(index uint64, post miner.WindowedPoSt) (vigil.ChainPost, error) {
	p := vigil.ChainPost{ClosedDeadline: r.of, Index: index, Sectors: r.state.SectorsSnapshot}
	if len(post.Proofs) != 1 { // of the one kind that a miner's sectors have
		return p, fmt.Errorf("post %d has %d proofs, where the actor takes one", index, len(post.Proofs))
	}
	p.ProofType, p.Proof = post.Proofs[0].PoStProof, post.Proofs[0].ProofBytes
	var err error
	if p.Evidence, err = r.evidence(index, post); err != nil {
		return p, err
	}
	p.Partitions, err = r.partitions(post.Partitions)
	return p, err
}

// evidence hashes what a verdict rests on.
func (r recordReader) evidence(index uint64, post miner.WindowedPoSt) (string, error) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%d %d %d %s %s ", r.of.Miner, r.of.Deadline.Challenge, index, r.state.PartitionsSnapshot, r.state.SectorsSnapshot)
	if err := post.MarshalCBOR(hash); err != nil {
		return "", fmt.Errorf("post %d: %w", index, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func (r recordReader) partitions(set bitfield.BitField) ([]vigil.Partition, error) {
	indices, err := set.All(maxPartitionSectors)
	if err != nil {
		return nil, err
	}
	snapshot, err := r.state.PartitionsSnapshotArray(r.store)
	if err != nil {
		return nil, err
	}
	var list []vigil.Partition
	for _, index := range indices {
		var p miner.Partition
		found, err := snapshot.Get(index, &p)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fmt.Errorf("partition %d was posted and does not exist", index)
		}
		partition, err := snapshotOf(index, p)
		if err != nil {
			return nil, err
		}
		list = append(list, partition)
	}
	return list, nil
}

func snapshotOf(index uint64, p miner.Partition) (vigil.Partition, error) {
	live, err := p.LiveSectors()
	if err != nil {
		return vigil.Partition{}, err
	}
	active, err := p.ActiveSectors()
	if err != nil {
		return vigil.Partition{}, err
	}
	return vigil.Partition{Index: index, All: p.Sectors, Live: live, Active: active, Faulty: p.Faults, Recovering: p.Recoveries}, nil
}

func postSectors(ctx context.Context, from stateSource, p vigil.ChainPost, set bitfield.BitField) ([]vigil.Sector, error) {
	if _, err := set.All(maxSet); err != nil {
		return nil, fmt.Errorf("the set of sectors to read: %w", err)
	}
	all, err := miner.LoadSectors(objects{ctx, from}, p.Sectors)
	if err != nil {
		return nil, fmt.Errorf("read the sectors of miner %s: %w", vigil.MinerAddress(p.Miner), err)
	}
	infos, err := all.Load(set)
	if err != nil {
		return nil, fmt.Errorf("read the sectors of miner %s: %w", vigil.MinerAddress(p.Miner), err)
	}
	sectors := make([]vigil.Sector, len(infos))
	for i, s := range infos {
		sectors[i] = vigil.Sector{Number: s.SectorNumber, SealProof: s.SealProof, SealedCID: s.SealedCID}
	}
	return sectors, nil
}
