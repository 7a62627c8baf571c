package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/params"
	"github.com/vigil-post/vigil/proofs/post"
)

// sealedSectors are two sectors of 2 KiB that filecoin-proofs sealed for miner
// t01000, as they lie in a storage.
//
//go:embed selftest
var sealedSectors embed.FS

const selftestMiner = 1000

func selftestCommand() *cli.Command {
	return &cli.Command{
		Name:  "selftest",
		Usage: "prove and verify with the keys that are here",
		Description: "Proves really sealed sectors of 2 KiB, and sectors of zeros of the other sizes, with every key in the folder, and verifies the\n" +
			"proofs. Window PoSt of 32 and 64 GiB is proved with --large only: 60 GB are read, and it takes 1.5 to 2 core-hours.\n" +
			"The exit code is 1 if a key that is here does not work, or none is here.",
		Flags: []cli.Flag{
			keysFlag(),
			&cli.BoolFlag{Name: "large", Usage: "prove window PoSt of 32 and 64 GiB, too"},
		},
		OnUsageError: onUsageError,
		Action:       does(selftest),
	}
}

func selftest(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "vigil-selftest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t := selfTest{out: c.Root().Writer, bar: newProgress(c.Root().ErrWriter), keys: c.String("params"), dir: dir, large: c.Bool("large")}
	keys, err := allKeys(t.keys)
	if err != nil {
		return err
	}
	kernels := groth16.Kernels()
	sayKernels(t.out, kernels)
	var missing []string
	for _, k := range keys {
		switch {
		case k.here():
			if err := t.key(ctx, k); err != nil {
				return err
			}
		case params.Published[k.Proof] != params.Digests{}:
			missing = append(missing, fmt.Sprintf("%s %s", k.kind(), params.SizeName(k.Proof.SectorSize)))
		}
	}
	if t.worked+t.failed == 0 {
		return noKeys(t.keys)
	}
	if len(missing) > 0 {
		fmt.Fprintf(t.out, "not tried, because no key is here: %s\n", strings.Join(missing, ", "))
	}
	switch {
	case t.failed > 0:
		return fmt.Errorf("%d of %d keys do not work", t.failed, t.worked+t.failed)
	case kernels.Problem != nil:
		return kernels.Problem
	}
	if t.worked == 1 {
		_, err = fmt.Fprintln(t.out, "the one key that is here works")
		return err
	}
	_, err = fmt.Fprintf(t.out, "all %d keys that are here work\n", t.worked)
	return err
}

// sayKernels says the problem at once: what comes after may end the test with another one.
func sayKernels(out io.Writer, k groth16.Choice) {
	fmt.Fprintf(out, "kernels: %s\n", k.Name)
	if k.Problem != nil {
		fmt.Fprintf(out, "kernels: FAILED: %v\n", k.Problem)
	}
}

// selfTest proves with each key.
type selfTest struct {
	out            io.Writer
	bar            *progress
	keys, dir      string // folders
	large          bool
	worked, failed int
}

// key tries one key. Its error ends the test; that the key does not work is
// printed and counted.
func (t *selfTest) key(ctx context.Context, k keyFiles) error {
	if err := k.measure(); err != nil {
		return err
	}
	files := k.files()
	verifying, proving := files[0], files[1]
	began := time.Now()
	how, err := t.try(ctx, k, verifying, proving)
	t.bar.end()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		t.failed++
		fmt.Fprintf(t.out, "%v: FAILED: %v\n", k.Proof, err)
		return nil
	}
	t.worked++
	fmt.Fprintf(t.out, "%v: %s (%.1f s)\n", k.Proof, how, time.Since(began).Seconds())
	return nil
}

func (t *selfTest) try(ctx context.Context, k keyFiles, verifying, proving keyFile) (string, error) {
	switch {
	case verifying.State == stateMissing:
		return "", fmt.Errorf("%s is missing: proofs can be made and not verified", filepath.Base(k.VK))
	case proving.State == stateMissing:
		return fmt.Sprintf("the verifying key is a whole one; %s is missing, so nothing can be proved", filepath.Base(k.Params)), k.open(false)
	}
	if err := params.Match(k.VK, k.Params); err != nil {
		return "", err
	}
	if k.Proof.SectorSize >= 32<<30 && !k.Proof.Winning && !t.large {
		if err := k.open(false); err != nil {
			return "", err
		}
		return "both halves fit together; not proved, --large does", k.open(true)
	}
	return t.prove(ctx, k)
}

func (t *selfTest) prove(ctx context.Context, k keyFiles) (string, error) {
	p := proving{sectors: filepath.Join(t.dir, params.SizeName(k.Proof.SectorSize)), keys: t.keys, api: "1.2.0", miner: selftestMiner, numbers: []uint64{0}, randomness: [32]byte{1}}
	of := proofCase{Type: k.kind(), SectorSize: k.Proof.SectorSize, API: p.api}
	var err error
	if p.form, err = of.form(); err != nil {
		return "", err
	}
	if p.form.Sectors > 1 {
		p.numbers = []uint64{0, 1}
	}
	if err := sectorsFor(p); err != nil {
		return "", fmt.Errorf("write sectors to prove: %w", err)
	}
	if _, err := p.prove(ctx, groth16.Prover{Progress: t.bar.step}); err != nil {
		return "", err
	}
	return "proved and verified", nil
}

// sectorsFor writes the sectors to be proved, if they are not there.
func sectorsFor(p proving) error {
	if _, err := os.Stat(p.sectors); err == nil {
		return nil
	}
	if p.form.Shape.SectorSize != 2<<10 {
		_, err := post.WriteFauxZeros(p.sectors, p.form.Shape, p.miner, 0, 1)
		return err
	}
	sealed, err := fs.Sub(sealedSectors, "selftest")
	if err != nil {
		return err
	}
	return os.CopyFS(p.sectors, sealed)
}
