package ffi

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil/proofs/merkle"
)

// fixtures is the folder of what filecoin-proofs made.
func fixtures(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("VIGIL_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "fixtures")
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no fixtures: %v", err)
		}
		t.Skipf("no fixtures: %v; set VIGIL_FIXTURES", err)
	}
	return filepath.Join(dir, "oracle")
}

// oracleCase is one of filecoin-proofs' cases.
type oracleCase struct {
	Typ        string
	SectorSize uint64 `json:"sector_size"`
	API        string
	Miner      abi.ActorID
	Randomness text
	Sectors    []struct {
		Number abi.SectorNumber
		CommR  text `json:"comm_r"`
	}
	Challenges map[abi.SectorNumber][]uint64
	Vanilla    []text
	Proof      text
	Single     []text
	Dir        string
}

type text []byte

func (b *text) UnmarshalText(from []byte) (err error) {
	*b, err = hex.AppendDecode(nil, from)
	return err
}

func readCase(t testing.TB, file string) *oracleCase {
	t.Helper()
	b, err := os.ReadFile(file)
	check(t, err)
	c := new(oracleCase)
	check(t, json.Unmarshal(b, c))
	return c
}

func oracleCases(t *testing.T) []*oracleCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(fixtures(t), "cases", "*-1.*.json"))
	check(t, err)
	var all []*oracleCase
	for _, file := range files {
		all = append(all, readCase(t, file))
	}
	if len(all) < 20 {
		t.Fatalf("%d cases", len(all))
	}
	return all
}

// sealType is one with the sector size, of any version; 0 and false for test sizes.
func sealType(size uint64) (abi.RegisteredSealProof, bool) {
	t, ok := map[uint64]abi.RegisteredSealProof{
		2 << 10: abi.RegisteredSealProof_StackedDrg2KiBV1_1, 8 << 20: abi.RegisteredSealProof_StackedDrg8MiBV1_1,
		512 << 20: abi.RegisteredSealProof_StackedDrg512MiBV1_1,
	}[size]
	return t, ok
}

func (c *oracleCase) postType(t testing.TB) abi.RegisteredPoStProof {
	t.Helper()
	seal, _ := sealType(c.SectorSize)
	var p abi.RegisteredPoStProof
	var err error
	if c.Typ == "winning" {
		p, err = seal.RegisteredWinningPoStProof()
	} else if p, err = seal.RegisteredWindowPoStProof(); err == nil && c.API == "1.2.0" {
		p, err = p.ToV1_1PostProof()
	}
	check(t, err)
	return p
}

func (c *oracleCase) infos(t testing.TB) []proof.SectorInfo {
	t.Helper()
	seal, _ := sealType(c.SectorSize)
	var all []proof.SectorInfo
	for _, s := range c.Sectors {
		all = append(all, proof.SectorInfo{SealProof: seal, SectorNumber: s.Number, SealedCID: sealedCID(t, s.CommR)})
	}
	return all
}

func sealedCID(t testing.TB, commR []byte) cid.Cid {
	t.Helper()
	c, err := cid.Cast(merkle.CommRToCID([32]byte(commR)))
	check(t, err)
	return c
}

func (c *oracleCase) replicas(t testing.TB, dir string) SortedPrivateSectorInfo {
	t.Helper()
	var all []PrivateSectorInfo
	for _, s := range c.infos(t) {
		name := "s-t01000-" + s.SectorNumber.String()
		all = append(all, PrivateSectorInfo{
			SectorInfo: s, PoStProofType: c.postType(t),
			CacheDirPath: filepath.Join(dir, "cache", name), SealedSectorPath: filepath.Join(dir, "sealed", name),
		})
	}
	slices.Reverse(all) // the order does not matter
	return NewSortedPrivateSectorInfo(all...)
}

func (c *oracleCase) vanilla() [][]byte {
	var all [][]byte
	for _, v := range c.Vanilla {
		all = append(all, v)
	}
	return all
}

func TestChallengesVanillaProofsAndVerdictsAreThoseOfFilecoinProofs(t *testing.T) {
	dir := fixtures(t)
	p := &Proofs{Dir: filepath.Join(dir, "params")}
	judged := 0
	for _, c := range oracleCases(t) {
		if _, ok := sealType(c.SectorSize); !ok {
			continue // a test size has no registered type
		}
		var numbers []abi.SectorNumber
		for _, s := range c.Sectors {
			numbers = append(numbers, s.Number)
		}
		challenges, err := GeneratePoStFallbackSectorChallenges(c.postType(t), c.Miner, abi.PoStRandomness(c.Randomness), numbers)
		check(t, err)
		if !slices.Equal(challenges.Sectors, numbers) {
			t.Errorf("sectors %v, want %v", challenges.Sectors, numbers)
		}
		for n, want := range c.Challenges {
			if !slices.Equal(challenges.Challenges[n], want) {
				t.Errorf("%s %s %d: challenges of sector %d differ", c.Typ, c.API, c.SectorSize, n)
			}
		}
		if c.SectorSize == 2<<10 {
			sorted := c.replicas(t, filepath.Join(dir, "sectors", c.Dir))
			for i, replica := range sorted.Values() {
				have, err := GenerateSingleVanillaProof(replica, c.Challenges[replica.SectorNumber])
				check(t, err)
				if !bytes.Equal(have, c.Vanilla[i]) {
					t.Errorf("%s: vanilla proof of sector %d differs", c.Typ, replica.SectorNumber)
				}
			}
		}
		for _, right := range []bool{true, false} {
			randomness := slices.Clone(c.Randomness)
			if !right {
				randomness[3] ^= 1
			}
			ok, err := p.verifyCase(t, c, abi.PoStRandomness(randomness))
			if ok != right || err != nil {
				t.Errorf("%s %s %d: %v, %v, want %v", c.Typ, c.API, c.SectorSize, ok, err, right)
			}
			judged++
		}
	}
	t.Logf("%d verdicts", judged)
}

func (p *Proofs) verifyCase(t testing.TB, c *oracleCase, randomness abi.PoStRandomness) (bool, error) {
	proofs := []proof.PoStProof{{PoStProof: c.postType(t), ProofBytes: c.Proof}}
	if c.Typ == "winning" {
		return p.VerifyWinningPoSt(proof.WinningPoStVerifyInfo{Randomness: randomness, Proofs: proofs, ChallengedSectors: c.infos(t), Prover: c.Miner})
	}
	return p.VerifyWindowPoSt(proof.WindowPoStVerifyInfo{Randomness: randomness, Proofs: proofs, ChallengedSectors: c.infos(t), Prover: c.Miner})
}

func TestProofsVerifyHoweverTheyAreMade(t *testing.T) {
	dir := fixtures(t)
	p := &Proofs{Dir: filepath.Join(dir, "params")}
	for _, name := range []string{"window-2k-1.0.0-01234", "window-2k-1.2.0-01"} {
		c := readCase(t, filepath.Join(dir, "cases", name+".json"))
		randomness := abi.PoStRandomness(c.Randomness)
		made, faulty, err := p.GenerateWindowPoSt(t.Context(), c.Miner, c.replicas(t, filepath.Join(dir, "sectors", c.Dir)), randomness)
		if err != nil || faulty != nil || len(made) != 1 || made[0].PoStProof != c.postType(t) {
			t.Fatal(made, faulty, err)
		}
		whole, err := p.GenerateWindowPoStWithVanilla(t.Context(), c.postType(t), c.Miner, randomness, c.vanilla())
		check(t, err)
		var parts []PartitionProof
		for k := range (len(c.Vanilla) + 1) / 2 {
			part, err := p.GenerateSinglePartitionWindowPoStWithVanilla(t.Context(), c.postType(t), c.Miner, randomness, c.vanilla()[2*k:min(2*k+2, len(c.Vanilla))], uint(k))
			check(t, err)
			parts = append(parts, *part)
		}
		merged, err := MergeWindowPoStPartitionProofs(c.postType(t), parts)
		check(t, err)
		for how, b := range map[string][]byte{"from files": made[0].ProofBytes, "from vanilla proofs": whole[0].ProofBytes, "by partitions": merged.ProofBytes} {
			one := *c
			one.Proof = b
			if ok, err := p.verifyCase(t, &one, randomness); !ok || err != nil {
				t.Errorf("%s %s: %v, %v", name, how, ok, err)
			}
		}
	}
}

func TestFaultySectorsAreListedWithAnError(t *testing.T) {
	dir := fixtures(t)
	sectors := t.TempDir()
	check(t, os.CopyFS(sectors, os.DirFS(filepath.Join(dir, "sectors", "2k"))))
	check(t, os.Remove(filepath.Join(sectors, "sealed", "s-t01000-1")))
	check(t, os.Chmod(filepath.Join(sectors, "cache", "s-t01000-3", "p_aux"), 0o600))
	check(t, os.WriteFile(filepath.Join(sectors, "cache", "s-t01000-3", "p_aux"), make([]byte, 64), 0o600))
	c := readCase(t, filepath.Join(dir, "cases", "window-2k-1.0.0-01234.json"))
	p := &Proofs{Dir: filepath.Join(dir, "params")}
	proofs, faulty, err := p.GenerateWindowPoSt(t.Context(), c.Miner, c.replicas(t, sectors), abi.PoStRandomness(c.Randomness))
	if proofs != nil || !slices.Equal(faulty, []abi.SectorNumber{1, 3}) || err == nil {
		t.Fatal(proofs, faulty, err)
	}
	for _, want := range []string{"sector 1: replica", "sector 3:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestWhatIsNoQuestionIsAnError(t *testing.T) {
	p := &Proofs{Dir: "testdata/keys"}
	c := readCase(t, "testdata/case.json")
	window, winning := c.postType(t), abi.RegisteredPoStProof_StackedDrgWinning2KiBV1
	r := abi.PoStRandomness(c.Randomness)
	info := func(change func(*proof.WindowPoStVerifyInfo)) func() error {
		return func() error {
			i := proof.WindowPoStVerifyInfo{Randomness: r, Proofs: []proof.PoStProof{{PoStProof: window, ProofBytes: c.Proof}}, ChallengedSectors: c.infos(t), Prover: c.Miner}
			change(&i)
			_, err := p.VerifyWindowPoSt(i)
			return err
		}
	}
	for sentence, ask := range map[string]func() error{
		"no proof":              info(func(i *proof.WindowPoStVerifyInfo) { i.Proofs = nil }),
		"two proofs":            info(func(i *proof.WindowPoStVerifyInfo) { i.Proofs = append(i.Proofs, i.Proofs[0]) }),
		"a winning type":        info(func(i *proof.WindowPoStVerifyInfo) { i.Proofs[0].PoStProof = winning }),
		"an unknown type":       info(func(i *proof.WindowPoStVerifyInfo) { i.Proofs[0].PoStProof = 99 }),
		"a negative type":       info(func(i *proof.WindowPoStVerifyInfo) { i.Proofs[0].PoStProof = -1 }),
		"a proof cut off":       info(func(i *proof.WindowPoStVerifyInfo) { i.Proofs[0].ProofBytes = c.Proof[1:] }),
		"no sectors":            info(func(i *proof.WindowPoStVerifyInfo) { i.ChallengedSectors = nil }),
		"a sector without CID":  info(func(i *proof.WindowPoStVerifyInfo) { i.ChallengedSectors[0].SealedCID = cid.Undef }),
		"no randomness":         info(func(i *proof.WindowPoStVerifyInfo) { i.Randomness = nil }),
		"randomness not masked": info(func(i *proof.WindowPoStVerifyInfo) { i.Randomness = bytes.Repeat([]byte{0xff}, 32) }),
		"a size without a key here": info(func(i *proof.WindowPoStVerifyInfo) {
			i.Proofs[0].PoStProof = abi.RegisteredPoStProof_StackedDrgWindow32GiBV1_1
		}),
		"challenges of no sectors": func() error { _, err := GeneratePoStFallbackSectorChallenges(window, 1, r, nil); return err },
		"challenges without randomness": func() error {
			_, err := GeneratePoStFallbackSectorChallenges(window, 1, nil, []abi.SectorNumber{1})
			return err
		},
		"a winning challenge of a window type": func() error { _, err := GenerateWinningPoStSectorChallenge(window, 1, r, 5); return err },
		"a winning challenge of no sectors":    func() error { _, err := GenerateWinningPoStSectorChallenge(winning, 1, r, 0); return err },
		"no vanilla proofs": func() error {
			_, err := p.GenerateWindowPoStWithVanilla(t.Context(), window, 1, r, nil)
			return err
		},
		"a vanilla proof of no bytes": func() error {
			_, err := p.GenerateWindowPoStWithVanilla(t.Context(), window, 1, r, [][]byte{nil})
			return err
		},
		"nothing to merge": func() error { _, err := MergeWindowPoStPartitionProofs(window, nil); return err },
		"a short partition proof": func() error {
			_, err := MergeWindowPoStPartitionProofs(window, []PartitionProof{{window, []byte{1}}})
			return err
		},
		"a partition proof of another type": func() error {
			_, err := MergeWindowPoStPartitionProofs(window, []PartitionProof{{winning, make([]byte, 192)}})
			return err
		},
		"no sectors to prove": func() error {
			_, _, err := p.GenerateWindowPoSt(t.Context(), 1, SortedPrivateSectorInfo{}, r)
			return err
		},
		"a vanilla proof of nothing": func() error { _, err := GenerateSingleVanillaProof(PrivateSectorInfo{}, nil); return err },
		"a winning proof of no sector": func() error {
			_, err := p.VerifyWinningPoSt(proof.WinningPoStVerifyInfo{})
			return err
		},
		"the version of no type": func() error { _, err := GetPoStVersion(77); return err },
		"the partitions of a winning type": func() error {
			_, err := GetNumPartitionForFallbackPost(abi.RegisteredPoStProof_StackedDrgWinning2KiBV1, 1)
			return err
		},
		"the partitions of no type": func() error { _, err := GetNumPartitionForFallbackPost(77, 1); return err },
	} {
		if err := ask(); err == nil {
			t.Errorf("%s: no error", sentence)
		}
	}
}

func TestPartitionsAreCountedAsInFilecoinProofs(t *testing.T) {
	for _, c := range []struct {
		of            abi.RegisteredPoStProof
		sectors, want uint
	}{
		{abi.RegisteredPoStProof_StackedDrgWindow32GiBV1_1, 0, 1},
		{abi.RegisteredPoStProof_StackedDrgWindow32GiBV1_1, 2349, 1},
		{abi.RegisteredPoStProof_StackedDrgWindow32GiBV1_1, 2350, 2},
		{abi.RegisteredPoStProof_StackedDrgWindow64GiBV1, 2301, 2},
		{abi.RegisteredPoStProof_StackedDrgWindow2KiBV1, math.MaxUint, math.MaxUint/2 + 1},
	} {
		if have, err := GetNumPartitionForFallbackPost(c.of, c.sectors); err != nil || have != c.want {
			t.Errorf("%d sectors of type %d: %d, %v", c.sectors, c.of, have, err)
		}
	}
}

func TestSectorsAreSortedAndEachOnce(t *testing.T) {
	info := func(n abi.SectorNumber, path string) PrivateSectorInfo {
		return PrivateSectorInfo{SectorInfo: proof.SectorInfo{SectorNumber: n, SealedCID: sealedCID(t, make([]byte, 32))}, SealedSectorPath: path}
	}
	s := NewSortedPrivateSectorInfo(info(5, "a"), info(2, "b"), info(5, "c"))
	b, err := json.Marshal(s)
	check(t, err)
	var back SortedPrivateSectorInfo
	check(t, json.Unmarshal(b, &back))
	for _, list := range [][]PrivateSectorInfo{s.Values(), back.Values()} {
		if len(list) != 2 || list[0].SealedSectorPath != "b" || list[1].SealedSectorPath != "a" {
			t.Errorf("%+v", list)
		}
	}
}

func TestAFauxSectorIsProvable(t *testing.T) {
	cache, replica := t.TempDir(), filepath.Join(t.TempDir(), "replica")
	sealed, err := FauxRep(abi.RegisteredSealProof_StackedDrg2KiBV1_1, cache, replica)
	check(t, err)
	ask := func(sealed cid.Cid) error {
		_, err := GenerateSingleVanillaProof(PrivateSectorInfo{
			SectorInfo: proof.SectorInfo{SectorNumber: 4, SealedCID: sealed}, CacheDirPath: cache, SealedSectorPath: replica,
			PoStProofType: abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1,
		}, []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 63})
		return err
	}
	check(t, ask(sealed))
	other, err := FauxRep2(abi.RegisteredSealProof_StackedDrg2KiBV1_1, cache, filepath.Join(cache, "p_aux"))
	check(t, err)
	check(t, ask(other))
	if ask(sealed) == nil {
		t.Error("the sector is still the first one")
	}
}

func FuzzSectorsFromJSON(f *testing.F) {
	f.Add([]byte(`[{"SealProof":5,"SectorNumber":3,"SealedCID":null,"CacheDirPath":"a","PoStProofType":10,"SealedSectorPath":"b"},{"SectorNumber":1}]`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s SortedPrivateSectorInfo
		if s.UnmarshalJSON(b) != nil {
			return
		}
		for i, v := range s.Values() {
			if i > 0 && s.Values()[i-1].SectorNumber >= v.SectorNumber {
				t.Fatal("not sorted")
			}
		}
	})
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
