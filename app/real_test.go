package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/prover/native"
	"github.com/vigil-post/vigil/sector"
)

// TestTwoReallySealedSectorsProveAndVerify goes the daemon's own way from the
// files of two sectors that a real network began with to a verified proof.
func TestTwoReallySealedSectorsProveAndVerify(t *testing.T) {
	dir := fixtures(t)
	statement := vigil.Statement{
		Miner: 106, ProofType: abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1,
		Randomness: [32]byte{7, 31: 0xff}, // as the chain gives it: no field element yet
		Sectors:    sealed106(t, filepath.Join(dir, "sectors-2k", "pre-seal-t0106.json")),
	}
	reader := sector.NewReader(filepath.Join(dir, "sectors-2k"))
	var vanilla []vigil.VanillaProof
	for i, s := range statement.Sectors {
		proof, err := reader.Read(t.Context(), vigil.ReadRequest{
			Miner: statement.Miner, ProofType: statement.ProofType, Randomness: statement.Randomness, Sector: s, Position: i,
		})
		if err != nil {
			t.Fatal(err)
		}
		vanilla = append(vanilla, proof)
	}
	maths := native.New(filepath.Join(dir, "oracle", "params"), 1, 0)
	defer maths.Close()
	proof, err := maths.Prove(t.Context(), vigil.ProveRequest{Statement: statement, Vanilla: vanilla})
	if err != nil {
		t.Fatal(err)
	}
	if valid, err := maths.Verify(t.Context(), statement, proof); err != nil || !valid {
		t.Errorf("the proof verifies: %v, %v", valid, err)
	}
	statement.Sectors[0].SealedCID = statement.Sectors[1].SealedCID
	if valid, err := maths.Verify(t.Context(), statement, proof); err != nil || valid {
		t.Errorf("the proof verifies for another sector: %v, %v", valid, err)
	}
}

// sealed106 reads the sectors' numbers and CommR as the network's genesis has them.
func sealed106(t *testing.T, path string) (sectors []vigil.Sector) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var genesis map[string]struct {
		Sectors []struct {
			CommR    cid.Cid
			SectorID abi.SectorNumber
		}
	}
	if err := json.Unmarshal(data, &genesis); err != nil {
		t.Fatal(err)
	}
	for _, s := range genesis["t0106"].Sectors {
		sectors = append(sectors, vigil.Sector{Number: s.SectorID, SealedCID: s.CommR})
	}
	if len(sectors) != 2 {
		t.Fatalf("%d sectors, want 2", len(sectors))
	}
	return sectors
}

// fixtures is the folder of data from other projects, kept beside the
// repository. Without it the test is skipped, in CI it fails.
func fixtures(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("VIGIL_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "fixtures")
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no fixtures in CI: %v", err)
		}
		t.Skipf("no fixtures (set VIGIL_FIXTURES): %v", err)
	}
	return dir
}
