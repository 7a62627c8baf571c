package ffi_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil/proofs/ffi"
	"github.com/vigil-post/vigil/proofs/merkle"
)

// Which leaves of two sectors must be shown, for a window proof of 32 GiB sectors.
func ExampleGeneratePoStFallbackSectorChallenges() {
	randomness := make(abi.PoStRandomness, 32)
	randomness[0] = 1
	c, err := ffi.GeneratePoStFallbackSectorChallenges(abi.RegisteredPoStProof_StackedDrgWindow32GiBV1_1, 1000, randomness, []abi.SectorNumber{3, 7})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range c.Sectors {
		fmt.Println(n, c.Challenges[n][:3], len(c.Challenges[n]))
	}
	// Output:
	// 3 [731359423 1064255389 410818197] 10
	// 7 [299160535 702407636 657284078] 10
}

// sealed is a sector that filecoin-proofs sealed, with its files in testdata.
func sealed(number int) ffi.PrivateSectorInfo {
	dir := fmt.Sprintf("testdata/sectors/cache/s-t01000-%d", number)
	commR, err := os.ReadFile(dir + "/comm_r")
	if err != nil {
		panic(err)
	}
	c, err := cid.Cast(merkle.CommRToCID([32]byte(commR)))
	if err != nil {
		panic(err)
	}
	return ffi.PrivateSectorInfo{
		SectorInfo:       proof.SectorInfo{SealProof: abi.RegisteredSealProof_StackedDrg2KiBV1_1, SectorNumber: abi.SectorNumber(number), SealedCID: c},
		CacheDirPath:     dir,
		SealedSectorPath: fmt.Sprintf("testdata/sectors/sealed/s-t01000-%d", number),
		PoStProofType:    abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1,
	}
}

// A vanilla proof is made and checked from the sector's files alone.
func ExampleGenerateSingleVanillaProof() {
	sector := sealed(0)
	c, err := ffi.GeneratePoStFallbackSectorChallenges(sector.PoStProofType, 1000, make(abi.PoStRandomness, 32), []abi.SectorNumber{0})
	if err != nil {
		fmt.Println(err)
		return
	}
	vanilla, err := ffi.GenerateSingleVanillaProof(sector, c.Challenges[0])
	fmt.Println(len(vanilla), "bytes", err)

	sector.SealedSectorPath = "testdata/sectors/sealed/gone"
	_, err = ffi.GenerateSingleVanillaProof(sector, c.Challenges[0])
	var defect *merkle.DefectError
	fmt.Println(errors.As(err, &defect), err)
	// Output:
	// 5680 bytes <nil>
	// true sector 0: replica: missing: not there
}

// A proof that filecoin-proofs made, judged with a key of its test setup.
func ExampleProofs_VerifyWindowPoSt() {
	var made struct{ Randomness, Proof string }
	b, err := os.ReadFile("testdata/case.json")
	if err == nil {
		err = json.Unmarshal(b, &made)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	randomness, _ := hex.DecodeString(made.Randomness)
	bytes, _ := hex.DecodeString(made.Proof)

	p := &ffi.Proofs{Dir: "testdata/keys"}
	info := proof.WindowPoStVerifyInfo{
		Randomness:        randomness,
		Proofs:            []proof.PoStProof{{PoStProof: abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1, ProofBytes: bytes}},
		ChallengedSectors: []proof.SectorInfo{sealed(0).SectorInfo, sealed(1).SectorInfo},
		Prover:            1000,
	}
	fmt.Println(p.VerifyWindowPoSt(info))
	info.Randomness[0] ^= 1
	fmt.Println(p.VerifyWindowPoSt(info))
	// Output:
	// true <nil>
	// false <nil>
}

// Proving needs the proving key, too; what is missing is said.
func ExampleProofs_GenerateWindowPoSt() {
	p := &ffi.Proofs{Dir: "testdata/keys"}
	_, _, err := p.GenerateWindowPoSt(context.Background(), 1000, ffi.NewSortedPrivateSectorInfo(sealed(1), sealed(0)), make(abi.PoStRandomness, 32))
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output:
	// true
}
