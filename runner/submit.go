package runner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin"
	actor "github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/proof"
	cbg "github.com/whyrusleeping/cbor-gen"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/partition"
	"github.com/vigil-post/vigil/schedule"
)

// submit hands the message of a stored proof to the messager. The proof is
// compared with the chain and verified once more: an exit code of 0 is no
// proof of acceptance, and a wrong proof is fined when somebody disputes it.
func (a *action) submit(ctx context.Context, task schedule.Task) error {
	if !a.shadow && a.duty.State == vigil.StateShadowed {
		a.duty.State = vigil.StateProved // the miner is in shadow no more
	}
	proof, err := a.cfg.Store.Proof(ctx, a.duty.ID)
	if errors.Is(err, vigil.ErrNotFound) {
		return a.drop(ctx, "its proof is not in the store")
	}
	if err != nil {
		return err
	}
	fits, err := a.fits(ctx, proof)
	if err != nil {
		return because(vigil.ReasonNotSent, err)
	}
	if !fits {
		return a.drop(ctx, "the chain's sectors or challenge have changed since it was proved")
	}
	if err := a.verify(ctx, proof.Statement, proof.Bytes); err != nil {
		return a.drop(ctx, err.Error())
	}
	if a.shadow {
		return a.withhold(ctx, a.duty)
	}
	request, commit, err := a.postRequest(ctx, proof, task.Generation)
	if err != nil {
		return because(vigil.ReasonNotSent, err)
	}
	if err := a.push(ctx, request); err != nil {
		return err
	}
	d := a.duty
	d.State, d.MessageID, d.Commit = vigil.StateSubmitted, request.ID, commit
	d.Reason, d.Problem = earlier(task), task.Failed
	if d.Took.Submitted == 0 {
		d.Took.Submitted = a.head.Epoch
	}
	if err := a.save(d, func(d vigil.Duty) error { return a.cfg.Store.SaveDuty(ctx, d) }); err != nil {
		return err
	}
	if task.Failed != "" {
		a.log.Warn("an earlier message came to nothing, another is sent", "problem", task.Failed, "epoch", a.head.Epoch)
	}
	a.log.Info("submitted", "deadline", a.duty.Deadline.Index, "partitions", a.duty.Partitions, "epoch", a.head.Epoch, "close", a.duty.Deadline.Close)
	return nil
}

// earlier is the reason of a duty whose earlier message came to nothing.
func earlier(task schedule.Task) vigil.Reason {
	if task.Failed == "" {
		return ""
	}
	return vigil.ReasonMessageFailed
}

// drop gives up a proof that no longer fits; the next plan makes another.
func (a *action) drop(ctx context.Context, why string) error {
	a.log.Warn("the proof is given up and made again", "why", why, "epoch", a.head.Epoch)
	d := a.duty
	d.State, d.Reason, d.Problem = vigil.StateScheduled, vigil.ReasonNotProved, why
	return a.save(d, func(d vigil.Duty) error { return a.cfg.Store.DropProof(ctx, d) })
}

// push hands a request over. A conflict means that a message for the very
// same statement exists: it is as good as this one.
func (a *action) push(ctx context.Context, r vigil.MessageRequest) error {
	_, err := a.cfg.Messager.Push(ctx, r)
	var conflict *vigil.ConflictError
	if err != nil && !errors.As(err, &conflict) {
		return because(vigil.ReasonNotSent, fmt.Errorf("hand the message over: %w", err))
	}
	return nil
}

// postRequest builds SubmitWindowedPoSt. The post is tied to the fork by the
// randomness of the challenge epoch, the deepest that the actor allows.
func (a *action) postRequest(ctx context.Context, p vigil.Proof, generation int) (vigil.MessageRequest, string, error) {
	deadline := a.duty.Deadline
	commit, err := a.cfg.Randomness.Commit(ctx, deadline.Challenge, a.head.Key)
	if err != nil {
		return vigil.MessageRequest{}, "", fmt.Errorf("draw the commit randomness of epoch %d: %w", deadline.Challenge, err)
	}
	params := actor.SubmitWindowedPoStParams{
		Deadline:         deadline.Index,
		Proofs:           []proof.PoStProof{{PoStProof: p.Statement.ProofType, ProofBytes: p.Bytes}},
		ChainCommitEpoch: deadline.Challenge,
		ChainCommitRand:  commit[:],
	}
	for _, part := range p.Partitions {
		params.Partitions = append(params.Partitions, actor.PoStPartition{Index: part.Index, Skipped: partition.Set(part.Skipped)})
	}
	tie := hex.EncodeToString(commit[:8])
	id := fmt.Sprintf("%s#%d partitions=%v statement=%s commit=%s", a.duty.ID, generation, a.duty.Partitions, digest(p.Statement), tie)
	r, err := a.request(ctx, id, builtin.MethodsMiner.SubmitWindowedPoSt, &params, deadline.Close)
	if a.duty.Commit != "" && a.duty.Commit != tie && a.duty.MessageID != id {
		r.Supersedes = a.duty.MessageID // tied to a fork that is gone, it can only fail
	}
	return r, tie, err
}

// request addresses a call to the miner, from any address the chain lets act for it.
func (a *action) request(ctx context.Context, id string, method abi.MethodNum, params cbg.CBORMarshaler, expires abi.ChainEpoch) (vigil.MessageRequest, error) {
	var encoded bytes.Buffer
	if err := params.MarshalCBOR(&encoded); err != nil {
		return vigil.MessageRequest{}, fmt.Errorf("encode the parameters: %w", err)
	}
	info, err := a.cfg.State.Miner(ctx, a.id, a.head.Key)
	if err != nil {
		return vigil.MessageRequest{}, fmt.Errorf("read the miner's addresses: %w", err)
	}
	return vigil.MessageRequest{
		ID:      id,
		Duty:    a.duty.ID,
		Expires: expires,
		Senders: info.Senders(),
		Call: vigil.Call{
			To: vigil.MinerAddress(a.id), Method: method, Value: abi.NewTokenAmount(0), Params: encoded.Bytes(),
		},
	}, nil
}

// digest names a value in a message's ID.
func digest(v any) string {
	encoded, err := json.Marshal(v)
	if err != nil {
		panic("unreachable: a statement always encodes: " + err.Error())
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:8])
}
