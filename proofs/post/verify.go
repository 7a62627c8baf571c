package post

import (
	"errors"
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/circuit"
	"github.com/vigil-post/vigil/proofs/groth16"
)

// PartitionProofSize is the number of bytes of one partition's proof.
const PartitionProofSize = groth16.ProofSize

// ErrMalformed says that bytes are no proof of so many sectors, whatever they are.
var ErrMalformed = errors.New("malformed proof")

// Verifier judges proofs of one form. It may be used concurrently.
type Verifier struct {
	config  Config
	circuit circuit.Shape
	key     *groth16.PreparedKey
}

// NewVerifier prepares a key, which must be one for the config's circuit.
func NewVerifier(c Config, key *groth16.VerifyingKey) (*Verifier, error) {
	shape := c.Circuit()
	if got, want := len(key.IC), 1+shape.Sectors*(1+shape.Challenges); got != want {
		return nil, fmt.Errorf("verifying key of %d inputs, want %d", got, want)
	}
	prepared, err := key.Prepare()
	if err != nil {
		return nil, fmt.Errorf("prepare verifying key: %w", err)
	}
	return &Verifier{config: c, circuit: shape, key: prepared}, nil
}

// Verify says whether the proof proves the statement. An error means what it
// means in filecoin-proofs: the statement is none (no sectors, a value that is no
// field element), or the bytes are no proof of so many sectors (ErrMalformed: a wrong
// length, a point that is not in its group or is infinity). The prover id is checked for
// its form and has no other influence.
func (v *Verifier) Verify(s Statement, proof []byte) (bool, error) {
	partitions, err := v.config.partitions(s)
	if err != nil {
		return false, err
	}
	if want := len(partitions) * PartitionProofSize; len(proof) != want {
		return false, fmt.Errorf("%w: %d bytes, want %d for %d partitions", ErrMalformed, len(proof), want, len(partitions))
	}
	proofs, inputs := make([]groth16.Proof, len(partitions)), make([][]fr.Element, len(partitions))
	for k, part := range partitions {
		b := proof[k*PartitionProofSize : (k+1)*PartitionProofSize]
		if proofs[k], err = groth16.ParseProof(b); err != nil {
			return false, fmt.Errorf("%w: partition %d: %w", ErrMalformed, k, err)
		}
		if inputs[k], err = v.circuit.PublicInputs(part.says); err != nil {
			return false, fmt.Errorf("partition %d: %w", k, err)
		}
	}
	return v.key.VerifyBatch(inputs, proofs)
}
