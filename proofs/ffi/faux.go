package ffi

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil/proofs/merkle"
)

// FauxRep writes a sector that stores nothing and can be proven: a replica of zeros
// (a sparse file), its tree, and a p_aux with a random comm_c. It returns the sealed
// CID. For tests (filecoin-proofs, fake_seal.rs).
func FauxRep(t abi.RegisteredSealProof, cacheDirPath, sealedSectorPath string) (cid.Cid, error) {
	size, err := t.SectorSize()
	if err != nil {
		return cid.Undef, fmt.Errorf("seal type %d: %w", t, err)
	}
	shape, err := merkle.ShapeOf(uint64(size))
	if err != nil {
		return cid.Undef, err
	}
	built := merkle.BuildZeros(shape)
	for i, name := range shape.TreeFiles() {
		if err := os.WriteFile(filepath.Join(cacheDirPath, name), built.Files[i], 0o644); err != nil {
			return cid.Undef, err
		}
	}
	replica, err := os.Create(sealedSectorPath)
	if err != nil {
		return cid.Undef, err
	}
	if err := errors.Join(replica.Truncate(int64(size)), replica.Close()); err != nil {
		return cid.Undef, err
	}
	return fauxPAux(cacheDirPath, built.Root)
}

// FauxRep2 gives a sector another comm_c, and so another sealed CID: it writes a
// p_aux with the comm_r_last of an existing one. For tests.
func FauxRep2(_ abi.RegisteredSealProof, cacheDirPath, existingPAuxPath string) (cid.Cid, error) {
	b, err := os.ReadFile(existingPAuxPath)
	if err != nil {
		return cid.Undef, err
	}
	existing, err := merkle.ReadPAux(bytes.NewReader(b))
	if err != nil {
		return cid.Undef, err
	}
	return fauxPAux(cacheDirPath, existing.CommRLast)
}

func fauxPAux(cacheDirPath string, commRLast fr.Element) (cid.Cid, error) {
	pAux := merkle.PAux{CommRLast: commRLast}
	if _, err := pAux.CommC.SetRandom(); err != nil {
		return cid.Undef, err
	}
	if err := os.WriteFile(filepath.Join(cacheDirPath, merkle.PAuxFile), pAux.Bytes(), 0o644); err != nil {
		return cid.Undef, err
	}
	return cid.Cast(merkle.CommRToCID(merkle.NodeBytes(pAux.CommR())))
}
