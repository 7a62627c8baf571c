package app

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/prover/native"
	"github.com/vigil-post/vigil/sector"
)

// TestWhatIsLeftOfRottenStoragesIsReallyProved goes from five really sealed
// sectors on three storages, of which one is not there and one has a flipped bit, to a
// proof of the others that verifies.
func TestWhatIsLeftOfRottenStoragesIsReallyProved(t *testing.T) {
	dir := fixtures(t)
	from := filepath.Join(dir, "oracle", "sectors", "2k")
	disks := []string{filepath.Join(t.TempDir(), "not mounted"), t.TempDir(), t.TempDir()}
	statement := vigil.Statement{Miner: 1000, ProofType: abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1, Randomness: [32]byte{5, 31: 0xff}}
	for n := range 5 {
		name := sector.Name(statement.Miner, abi.SectorNumber(n))
		statement.Sectors = append(statement.Sectors, vigil.Sector{Number: abi.SectorNumber(n), SealedCID: sealedIn(t, from, name)})
		to := disks[n%3]
		if n%3 == 0 {
			continue // it lies where nobody can look
		}
		for _, half := range []string{"sealed", "cache"} {
			folder(t, to, half)
		}
		if err := os.CopyFS(filepath.Join(to, "cache", name), os.DirFS(filepath.Join(from, "cache", name))); err != nil {
			t.Fatal(err)
		}
		replica, err := os.ReadFile(filepath.Join(from, "sealed", name))
		if err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			replica[1234] ^= 1
		}
		put(t, filepath.Join(to, "sealed", name), string(replica))
	}
	reader := sector.NewReader(disks...)
	left := statement
	left.Sectors = nil
	var vanilla []vigil.VanillaProof
	outcome := map[abi.SectorNumber]string{}
	for _, s := range statement.Sectors {
		proof, err := reader.Read(t.Context(), vigil.ReadRequest{Miner: 1000, ProofType: statement.ProofType, Randomness: statement.Randomness, Sector: s})
		var bad *vigil.SectorError
		switch {
		case err == nil:
			outcome[s.Number], vanilla, left.Sectors = "good", append(vanilla, proof), append(left.Sectors, s)
		case errors.As(err, &bad):
			outcome[s.Number] = "bad"
		default:
			outcome[s.Number] = "unknown"
		}
	}
	// That sector 1 is good on the storage that is gone cannot be excluded.
	for n, want := range []string{"unknown", "unknown", "good", "unknown", "good"} {
		if outcome[abi.SectorNumber(n)] != want {
			t.Errorf("sector %d is %s, want %s", n, outcome[abi.SectorNumber(n)], want)
		}
	}
	_, err := sector.NewReader(disks[1:]...).Read(t.Context(), vigil.ReadRequest{
		Miner: 1000, ProofType: statement.ProofType, Randomness: statement.Randomness, Sector: statement.Sectors[1],
	})
	var bad *vigil.SectorError
	if !errors.As(err, &bad) {
		t.Errorf("without it there is evidence against sector 1: %v", err)
	}
	maths := native.New(filepath.Join(dir, "oracle", "params"), 1, 0)
	defer maths.Close()
	proof, err := maths.Prove(t.Context(), vigil.ProveRequest{Statement: left, Vanilla: vanilla})
	if err != nil {
		t.Fatal(err)
	}
	if valid, err := maths.Verify(t.Context(), left, proof); err != nil || !valid {
		t.Errorf("the proof of what is left verifies: %v, %v", valid, err)
	}
	if valid, err := maths.Verify(t.Context(), statement, proof); err == nil && valid {
		t.Error("it verifies for what was left out too")
	}
}

// sealedIn is the CommR of a sector of the oracle's, as the chain would have it.
func sealedIn(t *testing.T, dir, name string) cid.Cid {
	t.Helper()
	commR, err := os.ReadFile(filepath.Join(dir, "cache", name, "comm_r"))
	if err != nil {
		t.Fatal(err)
	}
	_, c, err := cid.CidFromBytes(merkle.CommRToCID([32]byte(commR)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
