package sector_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/sector"
)

// testdata has sectors that filecoin-proofs sealed and the vanilla proofs that
// it made of them.

type oracleCase struct {
	API        string
	Miner      uint64
	Randomness string
	Sectors    []struct {
		Number uint64
		CommR  string `json:"comm_r"`
	}
	Vanilla []string
}

func readCase(t *testing.T, file string) oracleCase {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c oracleCase
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func decode(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// request asks for the i-th sector of a case.
func (c oracleCase) request(t *testing.T, i int) vigil.ReadRequest {
	t.Helper()
	form := abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1
	if c.API < "1.2.0" {
		form = abi.RegisteredPoStProof_StackedDrgWindow2KiBV1
	}
	return vigil.ReadRequest{
		Miner: abi.ActorID(c.Miner), ProofType: form, Randomness: [32]byte(decode(t, c.Randomness)), Position: i,
		Sector: vigil.Sector{Number: abi.SectorNumber(c.Sectors[i].Number), SealedCID: sealedCID(t, decode(t, c.Sectors[i].CommR))},
	}
}

func sealedCID(t *testing.T, commR []byte) cid.Cid {
	t.Helper()
	hash, err := multihash.Encode(commR, multihash.POSEIDON_BLS12_381_A1_FC1)
	if err != nil {
		t.Fatal(err)
	}
	return cid.NewCidV1(cid.FilCommitmentSealed, hash)
}

const (
	storage = "testdata/storage"
	replica = "sealed/s-t01000-3"
	pAux    = "cache/s-t01000-3/p_aux"
	tree    = "cache/s-t01000-3/sc-02-data-tree-r-last.dat"
)

// sector3 is a request for a sector and what it must give.
func sector3(t *testing.T) (vigil.ReadRequest, vigil.VanillaProof) {
	t.Helper()
	c := readCase(t, "testdata/window-2k-1.2.0-3.json")
	return c.request(t, 0), decode(t, c.Vanilla[0])
}

// copied is a storage with sector 3 alone, to be spoilt.
func copied(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range []string{replica, pAux, tree} {
		data, err := os.ReadFile(filepath.Join(storage, file))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, file), data)
	}
	return dir
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestVanillaProofsAreThoseOfFilecoinProofs(t *testing.T) {
	for _, file := range []string{"window-2k-1.2.0-3.json", "window-2k-1.0.0-01234.json"} {
		c := readCase(t, filepath.Join("testdata", file))
		r := sector.NewReader(storage)
		for i := range c.Sectors {
			got, err := r.Read(t.Context(), c.request(t, i))
			if err != nil {
				t.Errorf("%s: sector %d: %v", file, c.Sectors[i].Number, err)
			} else if !bytes.Equal(got, decode(t, c.Vanilla[i])) {
				t.Errorf("%s: sector %d: another vanilla proof than filecoin-proofs'", file, c.Sectors[i].Number)
			}
		}
	}
}

func TestWhatIsWrongWithASectorIsNamedWithItsFile(t *testing.T) {
	for _, c := range []struct {
		sentence, file string
		spoil          func([]byte) []byte // nil: the file is taken away
		says           []string
	}{
		{"the replica is gone", replica, nil, []string{"replica", "missing", replica}},
		{"p_aux is gone", pAux, nil, []string{"p_aux", "missing", pAux}},
		{"the tree is gone", tree, nil, []string{"tree-r-last", "missing", tree}},
		{"the replica is cut off", replica, func(b []byte) []byte { return b[:len(b)-1] }, []string{"replica", "2047 bytes", replica}},
		{"the replica is empty", replica, func([]byte) []byte { return nil }, []string{"replica", "0 bytes", replica}},
		{"the tree is cut off", tree, func(b []byte) []byte { return b[:len(b)-1] }, []string{"tree-r-last", "size", tree}},
		{"a byte of p_aux is flipped", pAux, flip(3), []string{"p_aux", pAux}},
		{"a byte of the tree is flipped", tree, flip(3), []string{"tree", tree}},
		{"every byte of the replica is another", replica, func(b []byte) []byte {
			for i := range b {
				b[i] ^= 1
			}
			return b
		}, []string{"replica", "segment", replica}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			dir := copied(t)
			path := filepath.Join(dir, c.file)
			if c.spoil == nil {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else {
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				write(t, path, c.spoil(data))
			}
			request, _ := sector3(t)
			_, err := sector.NewReader(dir).Read(t.Context(), request)
			var bad *vigil.SectorError
			if !errors.As(err, &bad) || bad.Sector != 3 {
				t.Fatalf("%v is no evidence against sector 3", err)
			}
			for _, word := range c.says {
				if !strings.Contains(bad.Cause, word) {
					t.Errorf("it does not say %q: %s", word, bad.Cause)
				}
			}
		})
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[at] ^= 4
		return b
	}
}

// filecoin-proofs proves such a sector, too.
func TestFilesThatAreTooLongDoNotCostTheirSector(t *testing.T) {
	request, want := sector3(t)
	dir := copied(t)
	for _, file := range []string{replica, pAux, tree} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, file), append(data, make([]byte, 4096)...))
	}
	if got, err := sector.NewReader(dir).Read(t.Context(), request); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v", err)
	}
}

// A law: the paths of a 2 KiB sector read all of its replica, so any flipped byte is found.
func TestAnyFlippedByteOfTheReplicaIsEvidence(t *testing.T) {
	request, _ := sector3(t)
	dir := copied(t)
	good, err := os.ReadFile(filepath.Join(dir, replica))
	if err != nil {
		t.Fatal(err)
	}
	for at := 7; at < len(good); at += 113 {
		write(t, filepath.Join(dir, replica), flip(at)(bytes.Clone(good)))
		_, err := sector.NewReader(dir).Read(t.Context(), request)
		var bad *vigil.SectorError
		if !errors.As(err, &bad) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

func TestASectorThatIsNotTheChainsIsBad(t *testing.T) {
	request, _ := sector3(t)
	other := readCase(t, "testdata/window-2k-1.0.0-01234.json")
	request.Sector.SealedCID = sealedCID(t, decode(t, other.Sectors[0].CommR))
	_, err := sector.NewReader(storage).Read(t.Context(), request)
	var bad *vigil.SectorError
	if !errors.As(err, &bad) || !strings.Contains(bad.Cause, "comm_r") || !strings.Contains(bad.Cause, pAux) {
		t.Errorf("%v", err)
	}
}

func TestWhatCouldNotBeCheckedIsNotBad(t *testing.T) {
	request, _ := sector3(t)
	for _, c := range []struct {
		sentence string
		dir      func(t *testing.T) string
		says     string
	}{
		{"the storage is not there", func(t *testing.T) string { return filepath.Join(t.TempDir(), "gone") }, "is not there"},
		{"the storage's disk is not mounted", func(t *testing.T) string { return t.TempDir() }, "is its disk mounted?"},
		{"the storage is a file", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "file")
			write(t, path, nil)
			return path
		}, "not a directory"},
		{"a file cannot be opened", func(t *testing.T) string {
			dir := copied(t)
			remove(t, filepath.Join(dir, pAux))
			if err := os.Symlink("p_aux", filepath.Join(dir, pAux)); err != nil { // a link to itself
				t.Fatal(err)
			}
			return dir
		}, "p_aux"},
		{"a file may not be read", func(t *testing.T) string {
			if os.Geteuid() == 0 {
				t.Skip("root may read everything")
			}
			dir := copied(t)
			if err := os.Chmod(filepath.Join(dir, replica), 0); err != nil {
				t.Fatal(err)
			}
			return dir
		}, "permission denied"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			other := t.TempDir() // is there, and has not the sector
			write(t, filepath.Join(other, "sealed", "s-t01000-4"), nil)
			_, err := sector.NewReader(c.dir(t), other).Read(t.Context(), request)
			var bad *vigil.SectorError
			if err == nil || errors.As(err, &bad) {
				t.Fatalf("%v", err)
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "sector 3") {
				t.Errorf("it does not say %q: %v", c.says, err)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsNoSectorOfAKnownKindIsAnError(t *testing.T) {
	good, _ := sector3(t)
	for sentence, spoil := range map[string]func(r *vigil.ReadRequest){
		"a proof type that does not exist": func(r *vigil.ReadRequest) { r.ProofType = 99 },
		"a sealed CID that is none":        func(r *vigil.ReadRequest) { r.Sector.SealedCID = cid.Undef },
	} {
		request := good
		spoil(&request)
		_, err := sector.NewReader(storage).Read(t.Context(), request)
		var bad *vigil.SectorError
		if err == nil || errors.As(err, &bad) {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

func TestASectorsHalvesMayLieOnTwoStorages(t *testing.T) {
	request, want := sector3(t)
	whole := copied(t)
	sealed, cache := t.TempDir(), t.TempDir()
	for from, to := range map[string]string{"sealed": sealed, "cache": cache} {
		if err := os.Rename(filepath.Join(whole, from), filepath.Join(to, from)); err != nil {
			t.Fatal(err)
		}
	}
	for _, reader := range []*sector.Reader{sector.NewReader(sealed, cache), sector.NewReader(cache, sealed)} {
		if got, err := reader.Read(t.Context(), request); err != nil || !bytes.Equal(got, want) {
			t.Error(err)
		}
	}
}

func TestAStorageThatIsGoneIsSaidToBeUntilItIsBack(t *testing.T) {
	request, _ := sector3(t)
	for _, c := range []struct {
		sentence string
		remains  func(dir string) error
		says     string
	}{
		{"the folder is gone", func(string) error { return nil }, "is not there"},
		{"the folder is there without its disk", func(dir string) error { return os.Mkdir(dir, 0o700) }, "is its disk mounted?"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			dir := copied(t)
			away := filepath.Join(t.TempDir(), "away")
			reader := sector.NewReader(dir)
			expect := func(state vigil.StorageState, says string) {
				t.Helper()
				_, err := reader.Read(t.Context(), request)
				if s := reader.Status()[0]; s.State != state || (s.State == vigil.StorageReady) != (err == nil) || !strings.Contains(s.Why, says) {
					t.Errorf("it is %s: %s (%v)", s.State, s.Why, err)
				}
			}
			expect(vigil.StorageReady, "")
			if err := errors.Join(os.Rename(dir, away), c.remains(dir)); err != nil {
				t.Fatal(err)
			}
			expect(vigil.StorageSilent, c.says)
			if err := errors.Join(os.RemoveAll(dir), os.Rename(away, dir)); err != nil {
				t.Fatal(err)
			}
			expect(vigil.StorageReady, "")
		})
	}
}

func TestAStorageThatIsGoneDoesNotHideASectorOnAnother(t *testing.T) {
	request, want := sector3(t)
	reader := sector.NewReader(filepath.Join(t.TempDir(), "gone"), t.TempDir(), storage)
	if got, err := reader.Read(t.Context(), request); err != nil || !bytes.Equal(got, want) {
		t.Error(err)
	}
}

func TestManyReadsAtOnceAllGetTheirOwn(t *testing.T) {
	c := readCase(t, "testdata/window-2k-1.0.0-01234.json")
	reader := sector.NewReader(storage)
	var wait sync.WaitGroup
	for n := range 20 {
		i := n % len(c.Sectors)
		request, want := c.request(t, i), decode(t, c.Vanilla[i])
		wait.Go(func() {
			if got, err := reader.Read(t.Context(), request); err != nil || !bytes.Equal(got, want) {
				t.Errorf("sector %d: %v", i, err)
			}
		})
	}
	wait.Wait()
}

func TestAnEndedContextEndsARead(t *testing.T) {
	request, _ := sector3(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var bad *vigil.SectorError
	if _, err := sector.NewReader(storage).Read(ctx, request); !errors.Is(err, context.Canceled) || errors.As(err, &bad) {
		t.Error(err)
	}
}
