package ffi

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
)

const (
	parametersVariable = "FIL_PROOFS_PARAMETER_CACHE"
	usualParameters    = "/var/tmp/filecoin-proof-parameters"
)

// Proofs makes and judges proofs with the keys in a folder. Keys are opened when
// they are first needed and stay open; each is checked once. It may be used
// concurrently.
type Proofs struct {
	Dir     string         // the parameter folder; "" means what FIL_PROOFS_PARAMETER_CACHE says, else the usual one
	Groth16 groth16.Prover // how proofs are computed; the zero value is good
	Readers int            // sectors read at a time; 0 means four for each CPU

	mu        sync.Mutex // guards the maps, held while a key is opened
	provers   map[post.Config]*post.Prover
	verifiers map[post.Config]*post.Verifier
}

// Default is what the functions use that have filecoin-ffi's signatures, which leave
// no room to say where parameters are: the price of being exchanged for it by an
// import path. Set it before the first use, or not at all.
var Default = &Proofs{}

func (p *Proofs) dir() string {
	if p.Dir != "" {
		return p.Dir
	}
	if dir := os.Getenv(parametersVariable); dir != "" {
		return dir
	}
	return usualParameters
}

func (p *Proofs) readers() int {
	if p.Readers > 0 {
		return p.Readers
	}
	return 4 * runtime.GOMAXPROCS(0)
}

func (p *Proofs) prover(c post.Config) (*post.Prover, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if prover, ok := p.provers[c]; ok {
		return prover, nil
	}
	prover, _, err := post.OpenProver(c, p.dir(), p.Groth16) // mapped as long as the process lives
	if err != nil {
		return nil, fmt.Errorf("proving key of %v: %w", c.Key(), err)
	}
	if p.provers == nil {
		p.provers = map[post.Config]*post.Prover{}
	}
	p.provers[c] = prover
	return prover, nil
}

func (p *Proofs) verifier(c post.Config) (*post.Verifier, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if verifier, ok := p.verifiers[c]; ok {
		return verifier, nil
	}
	verifier, err := post.OpenVerifier(c, p.dir())
	if err != nil {
		return nil, fmt.Errorf("verifying key of %v: %w", c.Key(), err)
	}
	if p.verifiers == nil {
		p.verifiers = map[post.Config]*post.Verifier{}
	}
	p.verifiers[c] = verifier
	return verifier, nil
}

// The registered types by what they are (go-state-types, abi/sector.go).
var (
	winningTypes = []abi.RegisteredPoStProof{
		abi.RegisteredPoStProof_StackedDrgWinning2KiBV1, abi.RegisteredPoStProof_StackedDrgWinning8MiBV1,
		abi.RegisteredPoStProof_StackedDrgWinning512MiBV1, abi.RegisteredPoStProof_StackedDrgWinning32GiBV1,
		abi.RegisteredPoStProof_StackedDrgWinning64GiBV1,
	}
	positionalTypes = []abi.RegisteredPoStProof{
		abi.RegisteredPoStProof_StackedDrgWindow2KiBV1, abi.RegisteredPoStProof_StackedDrgWindow8MiBV1,
		abi.RegisteredPoStProof_StackedDrgWindow512MiBV1, abi.RegisteredPoStProof_StackedDrgWindow32GiBV1,
		abi.RegisteredPoStProof_StackedDrgWindow64GiBV1,
	}
)

// configOf is the form of a registered type's proofs; an unknown type is an error.
func configOf(t abi.RegisteredPoStProof) (post.Config, error) {
	size, err := t.SectorSize()
	if err != nil {
		return post.Config{}, fmt.Errorf("PoSt type %d: %w", t, err)
	}
	switch {
	case slices.Contains(winningTypes, t):
		return post.WinningConfig(uint64(size))
	case slices.Contains(positionalTypes, t):
		return post.WindowConfig(uint64(size), post.V1)
	}
	return post.WindowConfig(uint64(size), post.V1_1)
}

// configFor is configOf, for a type of the given kind.
func configFor(t abi.RegisteredPoStProof, kind post.Kind) (post.Config, error) {
	c, err := configOf(t)
	if err == nil && c.Kind != kind {
		err = fmt.Errorf("PoSt type %d is one of %s PoSt, not of %s", t, c.Kind, kind)
	}
	return c, err
}

func randomness32(r abi.PoStRandomness) ([32]byte, error) {
	if len(r) != 32 {
		return [32]byte{}, fmt.Errorf("randomness has %d bytes, want 32", len(r))
	}
	return [32]byte(r), nil
}

// statementOf is what a proof of the sectors says.
func statementOf(miner abi.ActorID, r abi.PoStRandomness, sectors []post.Sector) (post.Statement, error) {
	randomness, err := randomness32(r)
	if err == nil && len(sectors) == 0 {
		err = errors.New("no sectors")
	}
	return post.Statement{ProverID: post.ProverID(uint64(miner)), Randomness: randomness, Sectors: sectors}, err
}

// sectorOf takes a sector's CommR out of its sealed CID.
func sectorOf(number abi.SectorNumber, cid []byte) (post.Sector, error) {
	commR, err := merkle.CommRFromCID(cid)
	if err != nil {
		return post.Sector{}, fmt.Errorf("sector %d: sealed CID: %w", number, err)
	}
	return post.Sector{Number: uint64(number), CommR: commR}, nil
}

// GetPoStVersion is the name that filecoin-proofs-api has for a registered type, as
// "StackedDrgWindow32GiBV1_2". It must agree with the Debug form of its
// RegisteredPoStProof.
func GetPoStVersion(t abi.RegisteredPoStProof) (string, error) {
	c, err := configOf(t)
	if err != nil {
		return "", err
	}
	size, err := t.SectorSize()
	if err != nil {
		return "", err
	}
	version := "V1"
	if c.Version == post.V1_1 {
		version = "V1_2"
	}
	kind := strings.ToUpper(string(c.Kind[:1])) + string(c.Kind[1:])
	return "StackedDrg" + kind + size.ShortString() + version, nil
}

// GetNumPartitionForFallbackPost is the number of proofs of 192 bytes for so many
// sectors of a window type, at least one (filecoin-proofs, post_util.rs).
func GetNumPartitionForFallbackPost(t abi.RegisteredPoStProof, sectors uint) (uint, error) {
	c, err := configFor(t, post.Window)
	if err != nil {
		return 0, err
	}
	return (max(1, sectors)-1)/uint(c.Sectors) + 1, nil
}
