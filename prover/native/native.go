// Package native proves and verifies with our own maths, in this process. It
// is a vigil.Prover and a vigil.Verifier.
package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/ifma"
	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/offheap"
	"github.com/vigil-post/vigil/proofs/params"
	"github.com/vigil-post/vigil/proofs/post"
)

// Native makes and judges proofs with the keys in a folder, under the names
// that filecoin-proofs gives them. Keys are opened at their first use.
type Native struct {
	// Log is told what somebody should look after; nil: nothing is said. It and Arithmetic
	// are set before the first proof.
	Log *slog.Logger
	// Arithmetic makes proofs; nil: the fastest that is right (groth16.Kernels). Where it is not
	// the generic one, that takes its place when it has computed something wrong.
	Arithmetic *groth16.Arithmetic

	dir    string
	line   *line
	memory int64 // for each proof in progress; 0: no limit

	register register
	trust    trust

	mu        sync.Mutex // guards the maps, held while a key is opened
	keys      map[abi.RegisteredPoStProof]*key
	verifiers map[abi.RegisteredPoStProof]*post.Verifier
}

// New uses the keys in the folder dir, and makes at most slots proofs at once:
// each uses all cores, so more than one gains little. Together they use at most
// the given bytes of memory, keys not counted; 0 means no limit.
func New(dir string, slots int, memory int64) *Native {
	slots = max(1, slots)
	return &Native{
		dir: dir, line: newLine(slots), memory: memory / int64(slots),
		keys:      map[abi.RegisteredPoStProof]*key{},
		verifiers: map[abi.RegisteredPoStProof]*post.Verifier{},
	}
}

// Close gives up the mapped keys. No proof may be in progress.
func (n *Native) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for _, k := range n.keys {
		errs = append(errs, k.unmap())
	}
	clear(n.keys)
	return errors.Join(errs...)
}

// Prove implements vigil.Prover.
func (n *Native) Prove(ctx context.Context, r vigil.ProveRequest) ([]byte, error) {
	key, err := n.hold(r.Statement.ProofType)
	if err != nil {
		return nil, err
	}
	defer n.release(key)
	m := making{request: r, prover: key.Prover}
	if m.statement, err = translate(r.Statement); err != nil {
		return nil, err
	}
	for _, v := range r.Vanilla {
		m.vanilla = append(m.vanilla, v)
	}
	m.entry = n.register.enter(r)
	defer n.register.leave(m.entry)
	proof, err := n.inTurn(ctx, m)
	switch {
	case damaged(err):
		n.forget(r.Statement.ProofType, key)
		return nil, n.advise(r.Statement.ProofType, err)
	case errors.Is(err, groth16.ErrUnsatisfied):
		return nil, fmt.Errorf("%w: %w", vigil.ErrUnproven, err)
	}
	return proof, err
}

// damaged says that an error is one of the key.
func damaged(err error) bool {
	return errors.Is(err, offheap.ErrUnreadable) || errors.Is(err, ifma.ErrCoordinate) || errors.Is(err, ifma.ErrInfinity)
}

// inTurn makes a proof when those that are more urgent are made. One for which there is no
// memory beside the others waits for one of them to end, and from then on fewer are made at once.
func (n *Native) inTurn(ctx context.Context, m making) ([]byte, error) {
	for {
		if err := n.line.enter(ctx, m.request.Close); err != nil {
			return nil, fmt.Errorf("wait for more urgent proofs: %w", err)
		}
		proof, crowded, err := n.inSlot(ctx, m)
		if !crowded {
			return proof, err
		}
		n.register.waits(m.entry)
		n.log().Warn("there is not the memory for as many proofs at once; fewer are made from now on (set at_once or memory in [proofs] lower)",
			"at_once", n.line.slots(), "duty", m.request.Duty.String(), "error", err)
	}
}

// inSlot makes a proof in a slot of the line, which it leaves whatever happens: those who
// wait must not wait for ever. It is crowded where there is no memory beside others, and
// the line was narrowed for that.
func (n *Native) inSlot(ctx context.Context, m making) (proof []byte, crowded bool, err error) {
	defer n.line.leave()
	n.register.starts(m.entry)
	if m.request.Begun != nil {
		m.request.Begun()
	}
	proof, err = n.make(ctx, m)
	return proof, errors.Is(err, offheap.ErrNoMemory) && n.line.narrow(), err
}

func (n *Native) log() *slog.Logger {
	if n.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return n.Log
}

// Verify implements vigil.Verifier.
func (n *Native) Verify(_ context.Context, s vigil.Statement, proof []byte) (bool, error) {
	verifier, err := n.verifier(s.ProofType)
	if err != nil {
		return false, err
	}
	statement, err := translate(s)
	if err != nil {
		return false, err
	}
	valid, err := verifier.Verify(statement, proof)
	if errors.Is(err, post.ErrMalformed) {
		err = fmt.Errorf("%w: %w", vigil.ErrMalformed, err)
	}
	return valid, err
}

// Check opens both keys of a proof type and sees that they belong together, so
// that what is missing is said at start and not in the first deadline.
func (n *Native) Check(t abi.RegisteredPoStProof) error {
	if _, err := n.verifier(t); err != nil {
		return err
	}
	key, err := n.hold(t)
	if err != nil {
		return err
	}
	defer n.release(key)
	if err := key.Fits(); err != nil {
		return fmt.Errorf("set memory in [proofs] higher, or at_once lower: %w", err)
	}
	proving, verifying, _, err := n.files(t)
	if err != nil {
		return err
	}
	if err := params.Match(verifying, proving); err != nil {
		return n.advise(t, err)
	}
	return nil
}

// CheckPublished sees that a proof type's key is the one of Filecoin's
// ceremony. With a key of another setup proofs are made and verify here, and
// are worth nothing on the public networks.
func (n *Native) CheckPublished(ctx context.Context, t abi.RegisteredPoStProof) error {
	_, verifying, key, err := n.files(t)
	if err != nil {
		return err
	}
	if err := params.CheckDigest(ctx, verifying, params.Published[key].VK); err != nil {
		return n.advise(t, err)
	}
	return nil
}

// files are where a proof type's keys lie.
func (n *Native) files(t abi.RegisteredPoStProof) (proving, verifying string, key params.Proof, err error) {
	form, err := formOf(t)
	if err != nil {
		return "", "", key, err
	}
	key = form.Key()
	if proving, err = key.ParamsFile(); err != nil {
		return "", "", key, err
	}
	if verifying, err = key.VKFile(); err != nil {
		return "", "", key, err
	}
	return filepath.Join(n.dir, proving), filepath.Join(n.dir, verifying), key, nil
}

func (n *Native) verifier(t abi.RegisteredPoStProof) (*post.Verifier, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if v, ok := n.verifiers[t]; ok {
		return v, nil
	}
	form, err := formOf(t)
	if err != nil {
		return nil, err
	}
	v, err := post.OpenVerifier(form, n.dir)
	if err != nil {
		return nil, n.advise(t, err)
	}
	n.verifiers[t] = v
	return v, nil
}

// advise says what to do about a key that is not there or not what it should be.
func (n *Native) advise(t abi.RegisteredPoStProof, err error) error {
	size, _ := t.SectorSize() // the form was found by it
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the Window PoSt parameters for sectors of %s are not in %s; set [proofs] parameters to the folder that has them: %w",
			size.ShortString(), n.dir, err)
	}
	return fmt.Errorf("the Window PoSt parameters for sectors of %s cannot be used; if the file is damaged, fetch it again: %w", size.ShortString(), err)
}

// formOf is the form of the chain's proof type.
func formOf(t abi.RegisteredPoStProof) (post.Config, error) {
	size, err := t.SectorSize()
	if err != nil {
		return post.Config{}, fmt.Errorf("proof type %d: %w", t, err)
	}
	version := post.V1_1
	if vigil.Positional(t) {
		version = post.V1
	}
	return post.WindowConfig(uint64(size), version)
}

// translate puts a statement into the words of the maths library.
func translate(s vigil.Statement) (post.Statement, error) {
	t := post.Statement{ProverID: post.ProverID(uint64(s.Miner)), Randomness: post.MaskRandomness(s.Randomness)}
	for _, sector := range s.Sectors {
		commR, err := merkle.CommRFromCID(sector.SealedCID.Bytes())
		if err != nil {
			return t, fmt.Errorf("sector %d: sealed CID %s: %w", sector.Number, sector.SealedCID, err)
		}
		t.Sectors = append(t.Sectors, post.Sector{Number: uint64(sector.Number), CommR: commR})
	}
	return t, nil
}
