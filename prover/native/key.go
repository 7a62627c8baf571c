package native

import (
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/post"
)

// key is a mapped proving key with its prover. It stays mapped while somebody holds it.
type key struct {
	*post.Prover
	unmap func() error
	// Guarded by Native.mu:
	held int
	gone bool // nobody is given it any more
}

// hold gives the key of a proof type, which is opened if it is not; release gives it back.
func (n *Native) hold(t abi.RegisteredPoStProof) (*key, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if k, ok := n.keys[t]; ok {
		k.held++
		return k, nil
	}
	form, err := formOf(t)
	if err != nil {
		return nil, err
	}
	p, unmap, err := post.OpenProver(form, n.dir, groth16.Prover{Memory: n.memory})
	if err != nil {
		return nil, n.advise(t, err)
	}
	k := &key{Prover: p, unmap: unmap, held: 1}
	n.keys[t] = k
	return k, nil
}

// release gives a key back. The last to do so gives up the mapping of one that is gone.
func (n *Native) release(k *key) {
	n.mu.Lock()
	defer n.mu.Unlock()
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
	if n.keys[t] == k {
		delete(n.keys, t)
	}
	k.gone = true
}
