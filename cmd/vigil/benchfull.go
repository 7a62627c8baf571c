package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/proofs/bench"
	"github.com/vigil-post/vigil/proofs/groth16"
)

func benchFullCommand() *cli.Command {
	return &cli.Command{
		Name:  "full",
		Usage: "prove a full 32 GiB partition on a key that repeats a few points",
		Description: "The key has the lengths of the network's 61 GB one, and takes 1 GB of disk: the same points again and again. The\n" +
			"proof does not verify; its time and memory are those of a real one, without the reading of the file. Two cores\n" +
			"take five minutes with AVX-512 IFMA and half an hour without, sixteen one and a half minutes. Progress goes to stderr, the\n" +
			"result is a line of JSON.",
		Flags: []cli.Flag{
			dirFlag(), cleanFlag(),
			&cli.IntFlag{Name: "sectors", Usage: "`N` sectors of 32 GiB in a partition", Value: 2349},
			&cli.IntFlag{Name: "partitions", Usage: "`N` partitions in one pass", Value: 1},
			&cli.IntFlag{Name: "memory", Usage: "let the prover take `MIB` of memory; 0: no limit", Value: 20 << 10},
			&cli.StringFlag{Name: "out", Usage: "write the result to `FILE`, too"},
		},
		OnUsageError: onUsageError,
		Action:       does(benchFull),
	}
}

func benchFull(ctx context.Context, c *cli.Command) (err error) {
	if err := noArguments(c); err != nil {
		return err
	}
	if c.Int("sectors") < 1 || c.Int("partitions") < 1 || c.Int("memory") < 0 {
		return &usageError{"--sectors and --partitions are 1 or more, --memory is not below 0"}
	}
	store, err := benchStore(c)
	if err != nil {
		return err
	}
	if c.Bool("clean") {
		defer func() { err = errors.Join(err, store.Clean()) }()
	}
	result, err := bench.Full{
		Store: store, Sectors: c.Int("sectors"), Partitions: c.Int("partitions"), Memory: int64(c.Int("memory")) << 20,
		Progress: progressLines(c.Root().ErrWriter, time.Now),
	}.Run(ctx)
	if err != nil {
		return err
	}
	if file := c.String("out"); file != "" {
		if err := writeResult(file, result); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
	}
	return writeJSON(c.Root().Writer, result)
}

func writeResult(name string, result bench.FullResult) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(writeJSON(f, result), f.Close())
}

// progressEvery is how often a line of progress is printed.
const progressEvery = 10 * time.Second

// progressLines prints a line when a phase begins or ends, and one every few
// seconds between.
func progressLines(out io.Writer, now func() time.Time) func(bench.FullProgress) {
	var last time.Time
	var phase groth16.Phase
	return func(p bench.FullProgress) {
		if p.Phase == phase && p.Done < p.Total && now().Sub(last) < progressEvery {
			return
		}
		last, phase = now(), p.Phase
		memory := ""
		if p.Anon != nil {
			memory = fmt.Sprintf(", %.0f MiB", *p.Anon)
		}
		fmt.Fprintf(out, "%-10s %5.1f %%  after %s, %.0f CPU s%s\n", p.Phase, 100*float64(p.Done)/float64(max(1, p.Total)),
			time.Duration(p.Wall*float64(time.Second)).Round(time.Second), p.CPU, memory)
	}
}

// profiled does work under a CPU profile, if a file is named for it.
func profiled(file string, work func() error) error {
	if file == "" {
		return work()
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = work()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}
