package sector_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
	"github.com/vigil-post/vigil/sector"
)

const fauxMiner = 1000

// faux writes a sector of 2 KiB as sealed, another replica of it for each seed,
// and gives the request for it.
func faux(t *testing.T, dir string, number, seed uint64) vigil.ReadRequest {
	t.Helper()
	shape, err := merkle.ShapeOf(2 << 10)
	if err != nil {
		t.Fatal(err)
	}
	var key [32]byte
	key[0], key[1] = byte(number), byte(seed)
	f, err := post.FauxSector(shape, rand.NewChaCha8(key))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(dir, fauxMiner, number); err != nil {
		t.Fatal(err)
	}
	return vigil.ReadRequest{
		Miner: fauxMiner, ProofType: abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1, Randomness: [32]byte{9},
		Sector: vigil.Sector{Number: abi.SectorNumber(number), SealedCID: sealedCID(t, f.CommR[:])},
	}
}

// fauxUpdate writes it as updated.
func fauxUpdate(t *testing.T, dir string, number, seed uint64) vigil.ReadRequest {
	t.Helper()
	made := t.TempDir()
	request := faux(t, made, number, seed)
	for from, to := range map[string]string{"sealed": "update", "cache": "update-cache"} {
		if err := os.MkdirAll(filepath.Join(dir, to), 0o755); err != nil {
			t.Fatal(err)
		}
		name := sector.Name(fauxMiner, abi.SectorNumber(number))
		if err := os.Rename(filepath.Join(made, from, name), filepath.Join(dir, to, name)); err != nil {
			t.Fatal(err)
		}
	}
	return request
}

func good(t *testing.T, r *sector.Reader, request vigil.ReadRequest) {
	t.Helper()
	proof, err := r.Read(t.Context(), request)
	if err == nil {
		err = r.Recheck(request, proof)
	}
	if err != nil {
		t.Error(err)
	}
}

func evidence(t *testing.T, r *sector.Reader, request vigil.ReadRequest, words ...string) {
	t.Helper()
	_, err := r.Read(t.Context(), request)
	var bad *vigil.SectorError
	if !errors.As(err, &bad) {
		t.Fatalf("%v is no evidence", err)
	}
	for _, word := range words {
		if !strings.Contains(bad.Cause, word) {
			t.Errorf("it does not say %q: %s", word, bad.Cause)
		}
	}
}

func TestTheChainSaysWhetherTheUpdateCounts(t *testing.T) {
	dir := t.TempDir()
	before, after := faux(t, dir, 7, 1), fauxUpdate(t, dir, 7, 2)
	r := sector.NewReader(dir)
	good(t, r, before) // the update is not on chain yet
	good(t, r, after)  // it is, and the sector's old files are still there
	good(t, r, before) // a reorg took it back
	for _, old := range []string{"sealed", "cache"} {
		if err := os.RemoveAll(filepath.Join(dir, old)); err != nil {
			t.Fatal(err)
		}
	}
	good(t, r, after)
	evidence(t, r, before, "comm_r", "update-cache/s-t01000-7/p_aux")
}

func TestAnUpdateThatIsHalfMovedIsNamedByItsOwnFile(t *testing.T) {
	dir := t.TempDir()
	faux(t, dir, 7, 1)
	after := fauxUpdate(t, dir, 7, 2)
	remove(t, filepath.Join(dir, "update/s-t01000-7"))
	evidence(t, sector.NewReader(dir), after, "comm_r")
	write(t, filepath.Join(dir, "update/s-t01000-7"), make([]byte, 100))
	evidence(t, sector.NewReader(dir), after, "100 bytes", "update/s-t01000-7")
}

// A sector that is moved is on two storages for a while, and whole on one.
func TestOfTwoCopiesOneThatServesIsEnough(t *testing.T) {
	for _, spoil := range []string{"sealed/s-t01000-7", "cache/s-t01000-7/p_aux", "cache/s-t01000-7/sc-02-data-tree-r-last.dat"} {
		t.Run(spoil, func(t *testing.T) {
			one, two := t.TempDir(), t.TempDir()
			request := faux(t, one, 7, 1)
			faux(t, two, 7, 1)
			write(t, filepath.Join(one, spoil), []byte("cut off"))
			for range 10 { // whichever answers first
				good(t, sector.NewReader(one, two), request)
				good(t, sector.NewReader(two, one), request)
			}
			write(t, filepath.Join(two, spoil), nil)
			evidence(t, sector.NewReader(one, two), request, filepath.Base(spoil))
		})
	}
}

func TestASectorThatIsMovedIsFoundAgain(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	request := faux(t, one, 7, 1)
	if err := os.MkdirAll(filepath.Join(two, "sealed"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := sector.NewReader(one, two)
	good(t, r, request)
	for _, half := range []string{"sealed", "cache"} {
		if err := os.MkdirAll(filepath.Join(two, half), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(one, half, "s-t01000-7"), filepath.Join(two, half, "s-t01000-7")); err != nil {
			t.Fatal(err)
		}
		good(t, r, request)
	}
}

func TestALinkOutOfAStorageIsNotFollowedAndSaysWhatToDo(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	request := faux(t, dir, 7, 1)
	if err := os.Rename(filepath.Join(dir, "sealed/s-t01000-7"), filepath.Join(elsewhere, "replica")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(elsewhere, "replica"), filepath.Join(dir, "sealed/s-t01000-7")); err != nil {
		t.Fatal(err)
	}
	_, err := sector.NewReader(dir).Read(t.Context(), request)
	var bad *vigil.SectorError
	if err == nil || errors.As(err, &bad) || !strings.Contains(err.Error(), "leads out of the storage") {
		t.Errorf("%v", err)
	}
}

// A folder of a storage that cannot be asked hides nothing of what the others have.
func TestWhatAStorageHasBesideAFolderThatFailsIsRead(t *testing.T) {
	link := func(t *testing.T, at string) (to string) {
		to = filepath.Join(t.TempDir(), filepath.Base(at))
		if err := errors.Join(os.Rename(at, to), os.Symlink(to, at)); err != nil {
			t.Fatal(err)
		}
		return filepath.Dir(to)
	}
	t.Run("the sealed sector beside updates behind a link", func(t *testing.T) {
		dir := t.TempDir()
		request := faux(t, dir, 7, 1)
		fauxUpdate(t, dir, 7, 2)
		link(t, filepath.Join(dir, "update"))
		good(t, sector.NewReader(dir), request)
	})
	t.Run("the cache beside replicas behind a link, whose folder is a storage, too", func(t *testing.T) {
		dir := t.TempDir()
		request := faux(t, dir, 7, 1)
		other := link(t, filepath.Join(dir, "sealed"))
		good(t, sector.NewReader(dir, other), request)
	})
	t.Run("but it is no evidence", func(t *testing.T) {
		dir := t.TempDir()
		faux(t, dir, 7, 1)
		request := fauxUpdate(t, dir, 7, 2)
		link(t, filepath.Join(dir, "update"))
		_, err := sector.NewReader(dir).Read(t.Context(), request)
		var bad *vigil.SectorError
		if err == nil || errors.As(err, &bad) || !strings.Contains(err.Error(), "leads out of the storage") {
			t.Errorf("%v", err)
		}
	})
}

func TestAVanillaProofOfSomethingElseIsNotKept(t *testing.T) {
	dir := t.TempDir()
	request, other := faux(t, dir, 7, 1), faux(t, dir, 8, 1)
	r := sector.NewReader(dir)
	proof, err := r.Read(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Recheck(other, proof); err == nil {
		t.Error("it is taken for another sector's")
	}
	later := request
	later.Randomness[0]++
	if err := r.Recheck(later, proof); err == nil {
		t.Error("it is taken for another seed's")
	}
	for at := 0; at < len(proof); at += 97 {
		spoilt := bytes.Clone(proof)
		spoilt[at] ^= 0x10
		if err := r.Recheck(request, spoilt); err == nil {
			t.Errorf("byte %d is flipped, and it is taken", at)
		}
	}
	for _, n := range []int{0, 1, len(proof) - 1} {
		if err := r.Recheck(request, proof[:n]); err == nil {
			t.Errorf("%d bytes of it are taken", n)
		}
	}
}

func ExampleName() {
	fmt.Println(sector.Name(1000, 7))
	// Output: s-t01000-7
}
