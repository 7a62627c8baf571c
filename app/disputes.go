package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/wallet"
)

// attempts is how often a dispute is sent whose message fails while the post stands.
const attempts = 3

// dispute sees to it that a dispute is on the way of a post that stands, and of
// no other. Its name is the evidence, so it is sent once, also over a restart. A
// post of a miner of our own is told of and left to others, unless the miner was named.
func (d *disputer) dispute(ctx context.Context, a vigil.Audit, stands bool) error {
	if d.messager == nil || slices.Contains(d.own, a.Miner) && !slices.Contains(d.wanted.Miners, a.Miner) {
		if stands {
			d.tell(a) // that of an earlier run too
		}
		return nil
	}
	for n := range attempts {
		id := fmt.Sprintf("dispute/%s/%d/%d/%.16s/%d", vigil.MinerAddress(a.Miner), a.Deadline.Open, a.Index, a.Evidence, n)
		if !stands {
			if err := d.withdraw(ctx, id); err != nil {
				return err
			}
			continue
		}
		m, err := d.send(ctx, id, a)
		if err != nil {
			return err
		}
		if m.State != vigil.MessageFailed { // at confidence, so that the post was seen to stand after it
			return nil
		}
	}
	return nil
}

// send pushes a dispute, if it is not on its way.
func (d *disputer) send(ctx context.Context, id string, a vigil.Audit) (vigil.Message, error) {
	var params bytes.Buffer
	if err := (&miner.DisputeWindowedPoStParams{Deadline: a.Deadline.Index, PoStIndex: a.Index}).MarshalCBOR(&params); err != nil {
		return vigil.Message{}, fmt.Errorf("encode the dispute: %w", err)
	}
	known, err := d.messager.Find(ctx, vigil.MessageQuery{ID: id})
	if err != nil || len(known) > 0 {
		return append(known, vigil.Message{})[0], err
	}
	m, err := d.messager.Push(ctx, vigil.MessageRequest{
		ID: id, Duty: vigil.DutyID{Miner: a.Miner}, Senders: []address.Address{d.wanted.From}, Expires: a.Until(),
		Call: vigil.Call{To: vigil.MinerAddress(a.Miner), Method: builtin.MethodsMiner.DisputeWindowedPoSt, Value: big.Zero(), Params: params.Bytes()},
	})
	if err == nil {
		said := disputedOf(a)
		said.Message = id
		d.say(said)
	}
	return m, err
}

// withdraw gives up a dispute that nobody needs any more, if that can still be helped.
func (d *disputer) withdraw(ctx context.Context, id string) error {
	known, err := d.messager.Find(ctx, vigil.MessageQuery{ID: id})
	if err != nil || len(known) == 0 || known[0].State.Done() || known[0].Receipt != nil || known[0].Wish.Verb == vigil.WishCancel {
		return err
	}
	var tooLate *vigil.WishError
	if err := d.messager.Cancel(ctx, id); err != nil && !errors.As(err, &tooLate) {
		return err
	}
	return nil
}

// tell says what became of a post, once.
func (d *disputer) tell(a vigil.Audit) {
	if !d.told[a.Evidence] {
		d.told[a.Evidence] = true
		d.say(disputedOf(a))
	}
}

func disputedOf(a vigil.Audit) Disputed {
	return Disputed{
		Miner: vigil.MinerAddress(a.Miner).String(), Deadline: a.Deadline.Index, Open: a.Deadline.Open, Post: a.Index,
		Partitions: a.Partitions, Verdict: a.Verdict, Problem: a.Problem, Until: a.Until(), Seed: seedOf(a),
	}
}

// disputeKeys holds keys for disputes and nothing else: what the daemon's policy
// lets pass to its own miners is not passed here, and what is passed here, a call
// that brings no value to any miner, not there.
type disputeKeys struct {
	sources []wallet.Source
	maxFee  abi.TokenAmount
}

var _ vigil.Signer = disputeKeys{}

// Has implements vigil.Signer.
func (k disputeKeys) Has(ctx context.Context, key address.Address) (bool, error) {
	return wallet.Guard{Sources: k.sources}.Has(ctx, key)
}

// Sign implements vigil.Signer.
func (k disputeKeys) Sign(ctx context.Context, m vigil.SignedMessage) (crypto.Signature, error) {
	policy := wallet.Policy{
		Receivers: []address.Address{m.To}, Methods: []abi.MethodNum{builtin.MethodsMiner.DisputeWindowedPoSt},
		MaxValue: big.Zero(), MaxFee: k.maxFee,
	}
	return wallet.Guard{Policy: policy, Sources: k.sources}.Sign(ctx, m)
}
