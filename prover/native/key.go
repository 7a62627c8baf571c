package native

import (
	"os"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/params"
	"github.com/vigil-post/vigil/proofs/post"
)

// key is a mapped proving key with its prover. It stays mapped while somebody holds it.
type key struct {
	*post.Prover
	unmap func() error
	file  os.FileInfo // that it is mapped from
	// Guarded by Native.mu:
	held int
	gone bool // nobody is given it any more
}

// hold gives the key of a proof type, which release gives back. It is opened unless that
// has been done and the file is the same: one that was fetched again is used without a
// restart. While the file is none, or is not of the verifying key's setup, the key that is
// mapped serves: no proof that another makes would verify.
func (n *Native) hold(t abi.RegisteredPoStProof) (*key, error) {
	file, verifying, _, err := n.files(t)
	if err != nil {
		return nil, err
	}
	now, failed := os.Stat(file)
	n.mu.Lock()
	defer n.mu.Unlock()
	mapped := n.keys[t]
	if mapped != nil && (failed != nil || os.SameFile(mapped.file, now) || params.Match(verifying, file) != nil) {
		mapped.held++
		return mapped, nil
	}
	form, err := formOf(t)
	if err != nil {
		return nil, err
	}
	p, unmap, err := post.OpenProver(form, n.dir, groth16.Prover{Memory: n.memory})
	switch {
	case err != nil && mapped != nil:
		mapped.held++
		return mapped, nil
	case err != nil:
		return nil, n.advise(t, err)
	case mapped != nil:
		mapped.held++
		n.retire(t, mapped)
		n.giveUp(mapped)
	}
	k := &key{Prover: p, unmap: unmap, file: now, held: 1}
	n.keys[t] = k
	return k, nil
}

// release gives a key back.
func (n *Native) release(k *key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.giveUp(k)
}

// giveUp is release for who holds the lock. The last to do so gives up the mapping of a key that
// is gone.
func (n *Native) giveUp(k *key) {
	if k.held--; k.held > 0 || !k.gone {
		return
	}
	if err := k.unmap(); err != nil {
		n.log().Warn("a key that is not used any more stays mapped until the end", "error", err)
	}
}

// forget has the key opened anew for the next proof: a file put in the place of a
// damaged one is another file.
func (n *Native) forget(t abi.RegisteredPoStProof, k *key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.retire(t, k)
}

// retire is forget for who holds the lock.
func (n *Native) retire(t abi.RegisteredPoStProof, k *key) {
	if n.keys[t] == k {
		delete(n.keys, t)
	}
	k.gone = true
}
