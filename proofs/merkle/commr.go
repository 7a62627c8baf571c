package merkle

import (
	"bytes"
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/poseidon"
)

// PAux is the persistent auxiliary data of a sealed sector, kept in its cache
// folder as "p_aux": the commitments to its labels and to its replica.
type PAux struct {
	CommC, CommRLast fr.Element
}

// PAuxFile is the name of the file, in the cache folder and in errors.
const PAuxFile = "p_aux"

// PAuxSize is the size of the file.
const PAuxSize = 2 * NodeSize

// ReadPAux reads a p_aux file. A nil file is missing.
func ReadPAux(f File) (PAux, error) {
	if err := checkFile(PAuxFile, f, PAuxSize); err != nil {
		return PAux{}, err
	}
	nodes, err := readNodes(PAuxFile, f, 0, 2)
	if err != nil {
		return PAux{}, err
	}
	return PAux{CommC: nodes[0], CommRLast: nodes[1]}, nil
}

// Bytes is the content of a p_aux file.
func (p PAux) Bytes() []byte { return appendNodes(nil, []fr.Element{p.CommC, p.CommRLast}) }

// CommR is what the chain knows of the sector: Poseidon of comm_c and comm_r_last.
func (p PAux) CommR() fr.Element { return poseidon.Hash(p.CommC, p.CommRLast) }

// Check returns a defect unless the tree has the root that p_aux names and p_aux
// hashes to commR.
func (p PAux) Check(t *Tree, commR fr.Element) error {
	if t.Root() != p.CommRLast {
		return defect(DefectRoot, t.unfit(), "the tree's root is %x, comm_r_last %x", NodeBytes(t.Root()), NodeBytes(p.CommRLast))
	}
	if p.CommR() != commR {
		return defect(DefectCommR, PAuxFile, "comm_r is %x, on chain %x", NodeBytes(p.CommR()), NodeBytes(commR))
	}
	return nil
}

// commRPrefix is a CIDv1 of codec fil-commitment-sealed (0xf102) and multihash
// poseidon-bls12_381-a2-fc1 (0xb401) of 32 bytes.
var commRPrefix = []byte{0x01, 0x82, 0xe2, 0x03, 0x81, 0xe8, 0x02, 0x20}

// CommRToCID returns the bytes of the CID that carries a CommR on chain.
func CommRToCID(commR [NodeSize]byte) []byte {
	return append(bytes.Clone(commRPrefix), commR[:]...)
}

// CommRFromCID takes a CommR out of the bytes of its CID.
func CommRFromCID(cid []byte) ([NodeSize]byte, error) {
	digest, ok := bytes.CutPrefix(cid, commRPrefix)
	if !ok || len(digest) != NodeSize {
		return [NodeSize]byte{}, fmt.Errorf("%x is not the CID of a sealed sector", cid)
	}
	return [NodeSize]byte(digest), nil
}
