package devnet

import (
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/proof"
	block "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
)

// Ticket is a block's random value; the smallest of a tipset seeds the commit
// randomness of a post.
type Ticket struct {
	VRFProof []byte
}

// ElectionProof is how a producer shows it may make a block; here a hash.
type ElectionProof struct {
	WinCount int64
	VRFProof []byte
}

// BeaconEntry is one round of the beacon.
type BeaconEntry struct {
	Round uint64
	Data  []byte
}

// BlockHeader has the fields, their order and their encoding of the network's.
type BlockHeader struct {
	Miner                 address.Address
	Ticket                *Ticket
	ElectionProof         *ElectionProof
	BeaconEntries         []BeaconEntry
	WinPoStProof          []proof.PoStProof
	Parents               []cid.Cid
	ParentWeight          big.Int
	Height                abi.ChainEpoch
	ParentStateRoot       cid.Cid
	ParentMessageReceipts cid.Cid
	Messages              cid.Cid
	BLSAggregate          *crypto.Signature
	Timestamp             uint64
	BlockSig              *crypto.Signature
	ForkSignaling         uint64
	ParentBaseFee         abi.TokenAmount
}

func (h *BlockHeader) encode(e *encoder) {
	e.array(16)
	e.value(&h.Miner)
	e.ticket(h.Ticket)
	e.election(h.ElectionProof)
	e.array(len(h.BeaconEntries))
	for _, b := range h.BeaconEntries {
		e.array(2)
		e.uint(b.Round)
		e.bytes(b.Data)
	}
	e.array(len(h.WinPoStProof))
	for i := range h.WinPoStProof {
		e.value(&h.WinPoStProof[i])
	}
	e.cids(h.Parents)
	e.value(&h.ParentWeight)
	e.int(int64(h.Height))
	e.cid(h.ParentStateRoot)
	e.cid(h.ParentMessageReceipts)
	e.cid(h.Messages)
	e.signature(h.BLSAggregate)
	e.uint(h.Timestamp)
	e.signature(h.BlockSig)
	e.uint(h.ForkSignaling)
	e.value(&h.ParentBaseFee)
}

func (e *encoder) ticket(t *Ticket) {
	if t == nil {
		e.null()
		return
	}
	e.array(1)
	e.bytes(t.VRFProof)
}

func (e *encoder) election(p *ElectionProof) {
	if p == nil {
		e.null()
		return
	}
	e.array(2)
	e.int(p.WinCount)
	e.bytes(p.VRFProof)
}

func (e *encoder) signature(s *crypto.Signature) {
	if s == nil {
		e.null()
		return
	}
	e.value(s)
}

// block is the header as an object of the chain; its CID is the block's.
func (h *BlockHeader) block() (block.Block, error) {
	var e encoder
	h.encode(&e)
	b, err := e.block()
	if err != nil {
		return nil, fmt.Errorf("block header: %w", err)
	}
	return b, nil
}

// TipSet is a tipset in JSON. This network has one block in each.
type TipSet struct {
	Cids   []cid.Cid
	Blocks []*BlockHeader
	Height abi.ChainEpoch
}

// TipSetKey names a tipset by its blocks; none means the head.
type TipSetKey []cid.Cid
