package devnet

import (
	"fmt"
	"io"

	bls "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/filecoin-project/go-state-types/builtin/v18/util/adt"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/ipfs/go-cid"
	cbg "github.com/whyrusleeping/cbor-gen"
)

// seal fills in what follows from the execution, and names the block.
func (d *draft) seal() error {
	store := d.m.store
	if err := d.m.st.flush(store); err != nil {
		return err
	}
	d.ts.after = d.m.st
	var err error
	if d.header.ParentMessageReceipts, err = receiptsRoot(store, d.parent.receipts); err != nil {
		return fmt.Errorf("receipts: %w", err)
	}
	if d.header.Messages, err = messagesRoot(d.m.sc, store, d.ts); err != nil {
		return fmt.Errorf("messages: %w", err)
	}
	if d.header.BLSAggregate, err = aggregate(d.ts.messages); err != nil {
		return err
	}
	b, err := d.header.block()
	if err != nil {
		return err
	}
	d.ts.cid = b.Cid()
	return nil
}

// MarshalCBOR lets a receipt be stored in an array of the chain.
func (r *Receipt) MarshalCBOR(w io.Writer) error {
	var e encoder
	r.encode(&e)
	if e.err != nil {
		return e.err
	}
	_, err := w.Write(e.buf.Bytes())
	return err
}

func receiptsRoot(store adt.Store, receipts []Receipt) (cid.Cid, error) {
	arr, err := adt.MakeEmptyArray(store, 3)
	if err != nil {
		return cid.Undef, err
	}
	for i := range receipts {
		if err := arr.Set(uint64(i), &receipts[i]); err != nil {
			return cid.Undef, err
		}
	}
	return arr.Root()
}

// messagesRoot is of a pair of arrays: the CIDs of the BLS messages and of the others.
func messagesRoot(sc *scratch, store adt.Store, t *tipset) (cid.Cid, error) {
	var roots []cid.Cid
	for _, isBLS := range []bool{true, false} {
		arr, err := adt.MakeEmptyArray(store, 3)
		if err != nil {
			return cid.Undef, err
		}
		for i, m := range t.messages {
			if (m.Signature.Type == crypto.SigTypeBLS) != isBLS {
				continue
			}
			c := cbg.CborCid(t.cids[i])
			if err := arr.AppendContinuous(&c); err != nil {
				return cid.Undef, err
			}
			if err := sc.putMessage(m); err != nil {
				return cid.Undef, err
			}
		}
		root, err := arr.Root()
		if err != nil {
			return cid.Undef, err
		}
		roots = append(roots, root)
	}
	return sc.put(func(e *encoder) { e.cids(roots) })
}

func (s *scratch) putMessage(m *SignedMessage) error {
	enc := m.encode
	if m.Signature.Type == crypto.SigTypeBLS {
		enc = m.Message.encode
	}
	_, err := s.put(enc)
	return err
}

// aggregate is the sum of the BLS messages' signatures.
func aggregate(list []*SignedMessage) (*crypto.Signature, error) {
	var sum bls.G2Jac
	for _, m := range list {
		if m.Signature.Type != crypto.SigTypeBLS {
			continue
		}
		var s bls.G2Affine
		if _, err := s.SetBytes(m.Signature.Data); err != nil {
			return nil, fmt.Errorf("aggregate signatures: %w", err)
		}
		var j bls.G2Jac
		sum.AddAssign(j.FromAffine(&s))
	}
	var a bls.G2Affine
	b := a.FromJacobian(&sum).Bytes()
	return &crypto.Signature{Type: crypto.SigTypeBLS, Data: b[:]}, nil
}
