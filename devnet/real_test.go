package devnet

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
)

// prove makes the real proof of sectors from their files and from what the API
// says, as a daemon has to.
func (w *world) prove(form post.Config, prover *post.Prover, sectors []*miner.SectorOnChainInfo) []byte {
	w.t.Helper()
	m := w.Miners()[0]
	head := get[TipSet](w, "ChainHead")
	seed := get[[]byte](w, "StateGetRandomnessFromBeacon", 4, w.challenge(m, head), encoded(w.t, &m), head.Cids)
	s := post.Statement{ProverID: post.ProverID(1000), Randomness: post.MaskRandomness([32]byte(seed))}
	var vanilla [][]byte
	for i, info := range sectors {
		commR, err := commROf(info.SealedCID)
		if err != nil {
			w.t.Fatal(err)
		}
		sector := post.Sector{Number: uint64(info.SectorNumber), CommR: commR}
		s.Sectors = append(s.Sectors, sector)
		leaves, err := form.Leaves(s.Randomness, sector.Number, i)
		if err != nil {
			w.t.Fatal(err)
		}
		v, err := form.Vanilla(w.t.Context(), sector, w.files(form, sector.Number), leaves)
		if err != nil {
			w.t.Fatal(err)
		}
		b, err := form.EncodeVanilla(v)
		if err != nil {
			w.t.Fatal(err)
		}
		vanilla = append(vanilla, b)
	}
	proof, err := prover.Prove(w.t.Context(), s, vanilla)
	if err != nil {
		w.t.Fatal(err)
	}
	return proof
}

func (w *world) files(form post.Config, number uint64) post.Files {
	w.t.Helper()
	name := fmt.Sprintf("s-t01000-%d", number)
	read := func(path ...string) merkle.File {
		b, err := os.ReadFile(filepath.Join(append([]string{w.Storage()}, path...)...))
		if err != nil {
			w.t.Fatal(err)
		}
		return bytes.NewReader(b)
	}
	f := post.Files{Replica: read("sealed", name), PAux: read("cache", name, merkle.PAuxFile)}
	for _, tree := range form.Shape.TreeFiles() {
		f.Trees = append(f.Trees, read("cache", name, tree))
	}
	return f
}

func TestARealProofOfARealSectorIsCountedAsValid(t *testing.T) {
	fixture(t, "README.md")
	form, err := post.WindowConfig(uint64(provableSize), post.V1_1)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(fixtureRoot(), "oracle", "params")
	verifier, err := post.OpenVerifier(form, dir)
	if err != nil {
		t.Fatal(err)
	}
	prover, done, err := post.OpenProver(form, dir, groth16.Prover{})
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	w := start(t, Config{Proofs: verifier, Verify: verifyWith(verifier), Sectors: 4})
	w.to(firstOpen + 1)
	m := w.Miners()[0]
	sectors := get[[]*miner.SectorOnChainInfo](w, "StateMinerSectors", m, bitfield.NewFromSet([]uint64{0, 1}), nil)
	proof := w.prove(form, prover, sectors)
	c := w.send(w.key("control"), m, 5, w.postParams(m, firstDeadline, proof, bitfield.New(), 0))
	w.pass(2)
	if r := w.receipt(c); r.ExitCode != 0 {
		t.Fatalf("exit code %d", r.ExitCode)
	}
	if got := w.Stats().Total; got.ProofsChecked != 1 || got.ProofsInvalid != 0 {
		t.Errorf("counts %+v", got)
	}
	w.to(firstOpen + 61) // the same proof answers nothing in the next deadline
	c = w.send(w.key("control"), m, 5, w.postParams(m, firstDeadline+1, proof, bitfield.New(), 0))
	w.pass(2)
	if got := w.Stats().Total; w.receipt(c).ExitCode != 0 || got.ProofsChecked != 2 || got.ProofsInvalid != 1 {
		t.Errorf("counts %+v", got)
	}
}

func TestTheSameSeedMakesTheSameSectorAndLeavesFilesAlone(t *testing.T) {
	seed, dir := hash256([]byte("seed")), t.TempDir()
	first, err := fauxSector(seed)(t.Context(), dir, 1000, 7)
	if err != nil {
		t.Fatal(err)
	}
	replica := filepath.Join(dir, "sealed", "s-t01000-7")
	if err := os.WriteFile(replica, []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := fauxSector(seed)(t.Context(), dir, 1000, 7)
	if err != nil || again != first {
		t.Errorf("CommR %x, then %x (%v)", first, again, err)
	}
	if b, _ := os.ReadFile(replica); string(b) != "damaged" {
		t.Error("a file that was there was replaced")
	}
	other, _ := fauxSector(seed)(t.Context(), dir, 1001, 7)
	if other == first {
		t.Error("two miners have the same sector")
	}
	for _, name := range []string{"p_aux", "sc-02-data-tree-r-last.dat"} {
		if _, err := os.Stat(filepath.Join(dir, "cache", "s-t01000-7", name)); err != nil {
			t.Error(err)
		}
	}
}
