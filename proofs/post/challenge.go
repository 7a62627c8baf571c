package post

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/merkle"
)

// ProverID is the miner's name in a proof: the payload of its ID address,
// filled up with zeros. Only the choice of the winning sector depends on it.
func ProverID(miner uint64) [32]byte {
	var id [32]byte
	binary.PutUvarint(id[:], miner)
	return id
}

// MaskRandomness clears the two top bits, as every caller does to randomness
// from the chain, so that it is a field element.
func MaskRandomness(randomness [32]byte) [32]byte {
	randomness[31] &= 0x3f
	return randomness
}

// element decodes what filecoin-proofs calls a safe commitment.
func element(what string, b [32]byte) (fr.Element, error) {
	e, err := merkle.Node(b)
	if err != nil {
		return e, fmt.Errorf("%s: %w", what, err)
	}
	return e, nil
}

// Leaves are the challenged leaves of the sector with a number, at a position
// in the statement's sectors. Only V1 of Window PoSt looks at the position.
// Randomness that is no field element is an error.
func (c Config) Leaves(randomness [32]byte, number uint64, position int) ([]uint64, error) {
	if _, err := element("randomness", randomness); err != nil {
		return nil, err
	}
	first := uint64(0)
	if c.Kind == Window && c.Version == V1 {
		first = uint64(position) * uint64(c.Challenges)
	}
	leaves := make([]uint64, c.Challenges)
	for i := range leaves {
		leaves[i] = c.leaf(randomness, number, first+uint64(i))
	}
	return leaves, nil
}

// leaf is storage-proofs-post src/fallback/vanilla.rs, generate_leaf_challenge.
func (c Config) leaf(randomness [32]byte, number, index uint64) uint64 {
	b := append(make([]byte, 0, 48), randomness[:]...)
	b = binary.LittleEndian.AppendUint64(b, number)
	b = binary.LittleEndian.AppendUint64(b, index)
	sum := sha256.Sum256(b)
	return binary.LittleEndian.Uint64(sum[:]) % c.Shape.Leaves()
}

// WinningSector is the index of the sector that a miner must prove to win a
// block, out of count sectors in ascending order.
func WinningSector(proverID, randomness [32]byte, count uint64) (uint64, error) {
	if count == 0 {
		return 0, errors.New("no sector to choose from")
	}
	if _, err := element("prover id", proverID); err != nil {
		return 0, err
	}
	if _, err := element("randomness", randomness); err != nil {
		return 0, err
	}
	b := append(append(make([]byte, 0, 72), proverID[:]...), randomness[:]...)
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(b, 0))
	return binary.LittleEndian.Uint64(sum[:]) % count, nil
}
