package post

import (
	"path/filepath"

	"github.com/vigil-post/vigil/proofs/circuit"
	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/params"
)

// Key names the config's key in a parameter cache. All versions of a kind and
// size share one.
func (c Config) Key() params.Proof {
	return params.Proof{Winning: c.Kind == Winning, SectorSize: c.Shape.SectorSize}
}

// OpenVerifier reads the config's verifying key from a parameter cache folder.
func OpenVerifier(c Config, dir string) (*Verifier, error) {
	name, err := c.Key().VKFile()
	if err != nil {
		return nil, err
	}
	built, err := circuit.New(c.Circuit())
	if err != nil {
		return nil, err
	}
	key, err := params.OpenVK(filepath.Join(dir, name), built.Lengths())
	if err != nil {
		return nil, err
	}
	return NewVerifier(c, key)
}

// OpenProver maps the config's proving key from a parameter cache folder. The
// caller calls done when no proof is being made any more.
func OpenProver(c Config, dir string, groth groth16.Prover) (p *Prover, done func() error, err error) {
	name, err := c.Key().ParamsFile()
	if err != nil {
		return nil, nil, err
	}
	built, err := circuit.New(c.Circuit())
	if err != nil {
		return nil, nil, err
	}
	key, err := params.Open(filepath.Join(dir, name), built.Lengths())
	if err != nil {
		return nil, nil, err
	}
	return newProver(c, built, key.ProvingKey, groth), key.Close, nil
}
