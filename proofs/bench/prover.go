package bench

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/vigil-post/vigil/proofs/circuit"
	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/params"
	"github.com/vigil-post/vigil/proofs/post"
)

// ServeProver is our side: it proves the case whenever in tells it to.
func ServeProver(ctx context.Context, a ProveArgs, in io.Reader, out io.Writer) error {
	p, err := openProver(a, groth16.Prover{})
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.warm(ctx, a); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	return serve(ctx, in, out, p.prove)
}

// prover proves one case, as often as one likes.
type prover struct {
	post      *post.Prover
	statement post.Statement
	vanilla   [][]byte
	close     func() error
}

func openProver(a ProveArgs, groth groth16.Prover) (*prover, error) {
	c, err := readCase(a.Case)
	if err != nil {
		return nil, err
	}
	form, err := config(c.SectorSize, a.Sectors)
	if err != nil {
		return nil, err
	}
	p := new(prover)
	if p.statement, p.vanilla, err = c.statement(); err != nil {
		return nil, err
	}
	lengths, err := lengthsOf(form)
	if err != nil {
		return nil, err
	}
	key, err := params.Open(a.Params, lengths)
	if err != nil {
		return nil, err
	}
	p.close = key.Close
	p.post, err = post.NewProver(form, key.ProvingKey, groth)
	return p, err
}

func lengthsOf(form post.Config) (groth16.Lengths, error) {
	built, err := circuit.New(form.Circuit())
	if err != nil {
		return groth16.Lengths{}, err
	}
	return built.Lengths(), nil
}

func (p *prover) prove(ctx context.Context) error {
	_, err := p.post.Prove(ctx, p.statement, p.vanilla)
	return err
}

func (p *prover) warm(ctx context.Context, a ProveArgs) error {
	switch a.Warm {
	case WarmProof:
		return p.prove(ctx)
	case WarmFile:
		return readThrough(ctx, a.Params)
	}
	return fmt.Errorf("no warming by %q", a.Warm)
}

// readThrough brings a file into the system's cache.
func readThrough(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch _, err := f.Read(b); err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}
