package devnet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/account"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/ipfs/go-cid"
)

// firstOpen is the epoch at which miner 0's first deadline with sectors opens:
// soon, but late enough to be mutable at genesis (more than 60 epochs ahead).
// The next miners' open one epoch later each, up to firstOpenSpread.
const (
	firstOpen       abi.ChainEpoch = 66
	firstOpenSpread abi.ChainEpoch = 9
)

// sectorLife is how long a sector lives: beyond any run of this network.
const sectorLife abi.ChainEpoch = 5 * 365 * 2880

// funds of a new account and of a new miner, in FIL.
const (
	accountFunds = 1_000_000
	minerFunds   = 10_000
)

func fil(n int64) abi.TokenAmount {
	return big.Mul(big.NewInt(n), big.NewInt(1_000_000_000_000_000_000))
}

// roles are a miner's accounts, with the kinds of their keys.
var roles = []struct {
	name string
	typ  crypto.SigType
}{
	{"owner", crypto.SigTypeSecp256k1},
	{"worker", crypto.SigTypeBLS},
	{"control", crypto.SigTypeSecp256k1},
}

// readSeed reads what the network draws its sectors from, or draws it.
func (n *Network) readSeed(ctx context.Context) error {
	text, err := n.db.meta(ctx, "seed")
	if err != nil {
		return err
	}
	seed, err := hex.DecodeString(text)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	if len(seed) == 0 {
		seed = make([]byte, 32)
		if _, err := rand.Read(seed); err != nil {
			return err
		}
		if err := n.db.write(ctx, func(b *batch) { b.meta("seed", hex.EncodeToString(seed)) }); err != nil {
			return err
		}
	}
	if n.cfg.Sector == nil {
		n.cfg.Sector = fauxSector(seed)
	}
	return nil
}

// makeGenesis makes the accounts, the miners and their sectors, and the block
// that all of it hangs from.
func (n *Network) makeGenesis(ctx context.Context) error {
	x := n.newMachine(ctx, emptyState(), nil)
	x.st.bundle = bundleOf(n.cfg.NetworkVersion)
	if err := x.makeBurntFunds(); err != nil {
		return err
	}
	for i := range n.cfg.Miners {
		if err := n.makeMiner(ctx, x, firstMiner+abi.ActorID(i)); err != nil {
			return fmt.Errorf("miner %d: %w", i, err)
		}
	}
	if n.cfg.Disputer {
		if err := n.makeAccount(x, disputerRole); err != nil {
			return err
		}
	}
	if err := x.st.flush(x.store); err != nil {
		return err
	}
	t, err := n.genesisBlock(x)
	if err != nil {
		return err
	}
	if err := n.db.write(ctx, func(b *batch) {
		b.blocks(x.sc.fresh)
		b.extend(t)
	}); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	n.blocks.add(x.sc.fresh)
	n.chain.extend(t)
	return nil
}

func (x *machine) makeBurntFunds() error {
	head, err := x.store.Put(x.store.Context(), &account.State{Address: idAddress(burntFunds)})
	if err != nil {
		return err
	}
	x.st.set(burntFunds, actorEntry{code: accountCode, head: head, balance: big.Zero()})
	return nil
}

func (n *Network) makeMiner(ctx context.Context, x *machine, id abi.ActorID) error {
	accounts := map[string]abi.ActorID{}
	for _, role := range roles {
		k, err := n.roleKey(role.name, role.typ, id)
		if err != nil {
			return fmt.Errorf("key of %s: %w", role.name, err)
		}
		account, err := x.st.addAccount(x.store, k.Address)
		if err != nil {
			return err
		}
		a := x.st.actors[account]
		a.balance = fil(accountFunds)
		x.st.set(account, a)
		accounts[role.name] = account
	}
	sizes := n.cfg.SectorSizes
	size := sizes[int(id-firstMiner)%len(sizes)]
	opens := firstOpen + abi.ChainEpoch(id-firstMiner)%firstOpenSpread
	if err := x.createMiner(id, size, accounts, opens-120); err != nil {
		return err
	}
	return n.addSectors(ctx, x, id, max(n.cfg.Sectors, 0))
}

// roleKey reads a key that an interrupted genesis left, or draws and exports one.
func (n *Network) roleKey(role string, typ crypto.SigType, miner abi.ActorID) (*Key, error) {
	return readOrMakeKey(n.KeyFile(role, idAddress(miner)), typ)
}

func readOrMakeKey(path string, typ crypto.SigType) (*Key, error) {
	if k, err := ReadKey(path); err == nil && k.Type == typ {
		return k, nil
	}
	k, err := NewKey(typ)
	if err != nil {
		return nil, err
	}
	return k, k.write(path)
}

func (n *Network) genesisBlock(x *machine) (*tipset, error) {
	parent, err := dagCBOR.Sum([]byte(n.cfg.Name))
	if err != nil {
		return nil, err
	}
	h := &BlockHeader{
		Miner:           idAddress(0),
		Ticket:          &Ticket{VRFProof: hash256([]byte(n.cfg.Name), be64(uint64(time.Now().UnixNano())))},
		ElectionProof:   &ElectionProof{},
		BeaconEntries:   []BeaconEntry{{Data: make([]byte, 32)}},
		Parents:         []cid.Cid{parent},
		ParentWeight:    big.Zero(),
		ParentStateRoot: x.st.root,
		Timestamp:       uint64(n.now().Unix()),
		ParentBaseFee:   minimumBaseFee,
	}
	t := &tipset{header: h, before: x.st, after: x.st}
	if h.ParentMessageReceipts, err = receiptsRoot(x.store, nil); err != nil {
		return nil, err
	}
	if h.Messages, err = messagesRoot(x.sc, x.store, t); err != nil {
		return nil, err
	}
	b, err := h.block()
	if err != nil {
		return nil, err
	}
	t.cid = b.Cid()
	return t, nil
}
