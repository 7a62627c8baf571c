package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/proofs/bench"
)

const (
	oracleVariable = "VIGIL_ORACLE"
	oracleName     = "vigil-oracle"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:         "bench",
		Usage:        "measure what proofs cost on this machine",
		Action:       needsCommand,
		OnUsageError: onUsageError,
		Commands: []*cli.Command{
			benchProofsCommand(), benchPassesCommand(), benchVanillaCommand(), benchReadingCommand(), benchFullCommand(),
			benchProverCommand(), benchKernelsCommand(),
		},
	}
}

func oracleFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "oracle", Usage: "the oracle's program, at `PATH` (default: " + oracleName + " on the search path)",
		Sources: cli.EnvVars(oracleVariable),
	}
}

func dirFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "dir", Usage: "the `DIR` where keys made here are kept, up to 3 GB (default: in the user's cache directory)",
	}
}

func paramsFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "params", Usage: "a `DIR` with proving keys under the names filecoin-proofs gives them; keys not there are made",
		Sources: cli.EnvVars(parametersVariable),
	}
}

func onlyFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "only", Usage: "measure these rows: `NAME,…`"}
}

func cleanFlag() cli.Flag {
	return &cli.BoolFlag{Name: "clean", Usage: "remove what the benchmark keeps in its folder when done"}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print one JSON object a line"}
}

func benchProofsCommand() *cli.Command {
	return &cli.Command{
		Name:  "proofs",
		Usage: "prove window posts, ours and bellperson's in turns",
		Description: "Prints time, CPU time and peak anonymous memory of our prover and of bellperson, on the same circuits and the same\n" +
			"parameter files: " + rowNames() + ".\n" +
			"bellperson is in the oracle, a Rust program for tests (interop/README says how to build it); without it its\n" +
			"columns are empty. All rows take about ten minutes on two cores, and 2 GB of disk for the last one's key.",
		Flags: []cli.Flag{
			jsonFlag(),
			oracleFlag(), paramsFlag(), onlyFlag(), dirFlag(), cleanFlag(),
			&cli.IntFlag{Name: "repeat", Usage: "measure each side `N` times (default: by row, 5 to 1)"},
		},
		OnUsageError: onUsageError,
		Action:       does(benchProofs),
	}
}

func rowNames() string {
	names := ""
	for i, r := range bench.Rows() {
		if i > 0 {
			names += ", "
		}
		names += r.Name
	}
	return names
}

func benchProofs(ctx context.Context, c *cli.Command) (err error) {
	if err := noArguments(c); err != nil {
		return err
	}
	rows, err := chosenRows(c, bench.Rows())
	if err != nil {
		return err
	}
	if c.Int("repeat") < 0 {
		return &usageError{"--repeat is a number of times"}
	}
	p := bench.Proofs{Repeats: c.Int("repeat")}
	if p.Store, err = benchStore(c); err != nil {
		return err
	}
	if p.Oracle, err = oracle(c); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p.Self = []string{self, "bench"}
	if c.Bool("clean") {
		defer func() { err = errors.Join(err, p.Clean()) }()
	}
	var results []bench.Result
	for _, row := range rows {
		r, err := p.Measure(ctx, row)
		if err != nil {
			return err
		}
		if c.Bool("json") {
			if err := writeJSON(c.Root().Writer, r); err != nil {
				return err
			}
		}
		results = append(results, r)
	}
	if c.Bool("json") {
		return nil
	}
	return bench.WriteTable(c.Root().Writer, results)
}

func chosenRows(c *cli.Command, unless []bench.Row) ([]bench.Row, error) {
	var rows []bench.Row
	for _, name := range c.StringSlice("only") {
		r, err := bench.RowNamed(name)
		if err != nil {
			return nil, &usageError{err.Error()}
		}
		rows = append(rows, r)
	}
	if rows == nil {
		return unless, nil
	}
	return rows, nil
}

func benchStore(c *cli.Command) (bench.Store, error) {
	s := bench.Store{Dir: c.String("dir"), Params: c.String("params"), Say: func(format string, args ...any) {
		fmt.Fprintf(c.Root().ErrWriter, format+"\n", args...)
	}}
	if s.Dir != "" {
		return s, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return s, fmt.Errorf("find a place for keys (--dir names one): %w", err)
	}
	s.Dir = filepath.Join(cache, "vigil", "bench")
	return s, nil
}

// oracle finds the oracle; "" means that there is none, and somebody has been told.
func oracle(c *cli.Command) (string, error) {
	if path := c.String("oracle"); path != "" {
		found, err := exec.LookPath(path)
		if err != nil {
			return "", &usageError{fmt.Sprintf("there is no oracle at %s: %v", path, err)}
		}
		return found, nil
	}
	path, err := exec.LookPath(oracleName)
	if err != nil {
		fmt.Fprintf(c.Root().ErrWriter, "no %s here, so bellperson is not measured; interop/README says how to build it, --oracle or %s where it is\n", oracleName, oracleVariable)
		return "", nil
	}
	return path, nil
}

func writeJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func benchPassesCommand() *cli.Command {
	return &cli.Command{
		Name:  "passes",
		Usage: "compare three partitions proved in one pass over the key with one partition",
		Description: "Prints a JSON object a line: CPU time for one partition and for all, their ratio, and how many bytes of the key\n" +
			"were handed to the kernels and read from the disk.",
		Flags: []cli.Flag{
			paramsFlag(), onlyFlag(), dirFlag(), cleanFlag(),
			&cli.IntFlag{Name: "partitions", Usage: "`N` partitions in the pass", Value: 3},
			&cli.IntFlag{Name: "repeat", Usage: "measure `N` times and take the least", Value: 3},
		},
		OnUsageError: onUsageError,
		Action:       does(benchPasses),
	}
}

func benchPasses(ctx context.Context, c *cli.Command) (err error) {
	if err := noArguments(c); err != nil {
		return err
	}
	rows, err := chosenRows(c, bench.Rows()[:3])
	if err != nil {
		return err
	}
	if c.Int("partitions") < 1 || c.Int("repeat") < 1 {
		return &usageError{"--partitions and --repeat are 1 or more"}
	}
	store, err := benchStore(c)
	if err != nil {
		return err
	}
	if c.Bool("clean") {
		defer func() { err = errors.Join(err, store.Clean()) }()
	}
	for _, row := range rows {
		r, err := store.Passes(ctx, row, c.Int("partitions"), c.Int("repeat"))
		if err != nil {
			return fmt.Errorf("measure passes of %s: %w", row.Name, err)
		}
		if err := writeJSON(c.Root().Writer, r); err != nil {
			return err
		}
	}
	return nil
}

// benchProverCommand is our side of a comparison, a child of bench proofs.
func benchProverCommand() *cli.Command {
	return &cli.Command{
		Name:   "prover",
		Usage:  "prove a case whenever a line says so (bench proofs starts it)",
		Hidden: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: bench.FlagCase, Required: true}, &cli.StringFlag{Name: bench.FlagParams, Required: true},
			&cli.IntFlag{Name: bench.FlagSectors}, &cli.StringFlag{Name: bench.FlagWarm, Value: string(bench.WarmProof)},
			&cli.StringFlag{Name: "profile", Usage: "write a CPU profile of the proofs to `FILE`"},
		},
		OnUsageError: onUsageError,
		Action: does(func(ctx context.Context, c *cli.Command) error {
			return profiled(c.String("profile"), func() error {
				return bench.ServeProver(ctx, bench.ProveArgs{
					Case: c.String(bench.FlagCase), Params: c.String(bench.FlagParams),
					Sectors: c.Int(bench.FlagSectors), Warm: bench.Warmth(c.String(bench.FlagWarm)),
				}, os.Stdin, c.Root().Writer)
			})
		}),
	}
}

func benchKernelsCommand() *cli.Command {
	return &cli.Command{
		Name:         "kernels",
		Usage:        "run bare kernels whenever a line says so (bench proofs starts it)",
		Hidden:       true,
		Flags:        []cli.Flag{&cli.StringFlag{Name: bench.FlagLengths, Required: true}},
		OnUsageError: onUsageError,
		Action: does(func(ctx context.Context, c *cli.Command) error {
			return bench.ServeKernels(ctx, c.String(bench.FlagLengths), os.Stdin, c.Root().Writer)
		}),
	}
}
