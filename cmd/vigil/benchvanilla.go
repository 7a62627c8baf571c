package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/proofs/bench"
)

func benchVanillaCommand() *cli.Command {
	return &cli.Command{
		Name:  "vanilla",
		Usage: "make vanilla proofs of sparse 32 GiB sectors, beside bare reads and filecoin-proofs",
		Description: "Writes sectors of zeros, which take no room, and prints a line of JSON: reads of a sector against those nobody can avoid,\n" +
			"time against the bare reads of the same bytes from memory and on a disk that is made up, and against filecoin-proofs\n" +
			"on the same files.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "sectors", Usage: "`N` sectors: a partition has 2349", Value: 2349},
			&cli.IntFlag{Name: "at-a-time", Usage: "read `N` sectors at a time", Value: 4 * runtime.GOMAXPROCS(0), DefaultText: "four for each core"},
			&cli.DurationFlag{Name: "seek", Usage: "of the disk that is made up: `TIME`", Value: 8 * time.Millisecond},
			oracleFlag(),
			&cli.StringFlag{Name: "dir", Usage: "write the sectors below `DIR` (default: a temporary folder); they are removed"},
		},
		OnUsageError: onUsageError,
		Action:       does(benchVanilla),
	}
}

func benchVanilla(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	if c.Int("sectors") < 1 || c.Int("at-a-time") < 1 || c.Duration("seek") < 0 {
		return &usageError{"--sectors and --at-a-time are 1 or more, --seek is not below 0"}
	}
	program, err := oracle(c)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(c.String("dir"), "vigil-vanilla-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	result, err := bench.Vanilla{
		Dir: dir, Sectors: c.Int("sectors"), Limit: c.Int("at-a-time"), Seek: c.Duration("seek"), Oracle: program,
		Say: func(format string, args ...any) { fmt.Fprintf(c.Root().ErrWriter, format+"\n", args...) },
	}.Run(ctx)
	if err != nil {
		return err
	}
	return writeJSON(c.Root().Writer, result)
}
