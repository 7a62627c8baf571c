package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/app"
)

func storageCommand() *cli.Command {
	config := &cli.StringFlag{Name: "config", Usage: "the configuration `FILE` that names the storages", Sources: cli.EnvVars(configVariable)}
	asJSON := &cli.BoolFlag{Name: "json", Usage: "print JSON"}
	command := func(name, usage, args, description string, action cli.ActionFunc, flags ...cli.Flag) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, ArgsUsage: args, Description: description, Flags: append([]cli.Flag{config, asJSON}, flags...),
			OnUsageError: onUsageError, Action: does(action),
		}
	}
	return &cli.Command{
		Name:         "storage",
		Usage:        "the folders that sectors are read from",
		Action:       needsCommand,
		OnUsageError: onUsageError,
		Commands: []*cli.Command{
			command("list", "say what storages have, and which are not there", "[FOLDER…]",
				"Of the configuration's storages, or of the folders that are given.", storageList),
			command("scan", "find storages", "PLACE…",
				"A place is a folder, which is searched three folders deep; the storage.json of lotus-miner, a worker or Curio; or the\n"+
					"configuration of a damocles-manager. What is found is printed as a configuration names it, without what --config has already.", storageScan),
			command("add", "write storages into a configuration", "PLACE…",
				"Takes the places that scan takes. The file changes whole or not at all; a running daemon is to be started anew.", storageAdd),
			command("find", "say where a sector's files are", "SECTOR…",
				"A sector is its number, with --miner where the configuration has several, or the name of its files, s-t01000-7.", storageFind,
				&cli.StringFlag{Name: "miner", Usage: "the `ADDRESS` of the sectors' miner"}),
		},
	}
}

// configured are the storages that the configuration names.
func configured(c *cli.Command) ([]string, error) {
	if c.String("config") == "" {
		return nil, &usageError{c.FullName() + " needs --config"}
	}
	return app.StoragesIn(c.String("config"))
}

func storageList(ctx context.Context, c *cli.Command) error {
	paths := c.Args().Slice()
	if len(paths) == 0 {
		var err error
		if paths, err = configured(c); err != nil {
			return err
		}
	}
	list := app.ListStorages(ctx, paths)
	var err error
	if c.Bool("json") {
		err = writeJSON(c.Root().Writer, list)
	} else {
		err = printStorages(c.Root().Writer, list)
		if c.String("config") != "" {
			printCoverage(ctx, c.Root().Writer, c.String("config"))
		}
	}
	if err == nil && slices.ContainsFunc(list, func(s app.StorageContents) bool { return s.Problem != "" }) {
		return errReported
	}
	return err
}

func printStorages(out io.Writer, list []app.StorageContents) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STORAGE\tSEALED\tUPDATED\tONE HALF ONLY\t")
	for _, s := range list {
		if s.Problem != "" {
			fmt.Fprintf(table, "%s\t-\t-\t-\t%s\n", s.Path, s.Problem)
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t\n", s.Path, s.Sealed, s.Updated, s.Partial)
	}
	return table.Flush()
}

// scanned finds the storages at all places that are given.
func scanned(c *cli.Command) ([]string, error) {
	if !c.Args().Present() {
		return nil, &usageError{c.FullName() + " needs a place to look at"}
	}
	var found []string
	for _, place := range c.Args().Slice() {
		here, err := app.ScanStorages(place)
		if err != nil {
			return nil, err
		}
		if len(here) == 0 {
			return nil, fmt.Errorf("%s: no storage is there: one has sealed/ and cache/, or update/ and update-cache/", place)
		}
		found = append(found, here...)
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func storageScan(ctx context.Context, c *cli.Command) error {
	found, err := scanned(c)
	if err != nil {
		return err
	}
	if c.String("config") != "" {
		has, err := configured(c)
		if err != nil {
			return err
		}
		found = slices.DeleteFunc(found, func(path string) bool { return slices.Contains(has, path) })
	}
	list := app.ListStorages(ctx, found)
	if c.Bool("json") {
		return writeJSON(c.Root().Writer, list)
	}
	for _, s := range list {
		comment := fmt.Sprintf("%d sealed and %d updated sectors", s.Sealed, s.Updated)
		if s.Problem != "" {
			comment = s.Problem
		}
		fmt.Fprintf(c.Root().Writer, "# %s\n%s\n", comment, app.StorageTOML(s.Path))
	}
	return nil
}

func storageAdd(_ context.Context, c *cli.Command) error {
	if c.String("config") == "" {
		return &usageError{c.FullName() + " needs --config"}
	}
	found, err := scanned(c)
	if err != nil {
		return err
	}
	added, err := app.AddStorages(c.String("config"), found)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(c.Root().Writer, map[string][]string{"added": append([]string{}, added...)})
	}
	for _, path := range added {
		fmt.Fprintln(c.Root().Writer, "added", path)
	}
	if len(added) == 0 {
		fmt.Fprintln(c.Root().Writer, "the configuration has all of them already")
	}
	return nil
}

func storageFind(ctx context.Context, c *cli.Command) error {
	if !c.Args().Present() {
		return &usageError{c.FullName() + " needs a sector"}
	}
	var sectors []abi.SectorID
	for _, text := range c.Args().Slice() {
		id, err := sectorOf(text, c.String("miner"))
		if err != nil {
			return err
		}
		sectors = append(sectors, id)
	}
	paths, err := configured(c)
	if err != nil {
		return err
	}
	out := []whereabouts{}
	for _, id := range sectors {
		out = append(out, foundOf(ctx, paths, id))
	}
	if c.Bool("json") {
		if err := writeJSON(c.Root().Writer, out); err != nil {
			return err
		}
	} else {
		for _, f := range out {
			f.print(c.Root().Writer)
		}
	}
	if slices.ContainsFunc(out, func(f whereabouts) bool { return len(f.Files) == 0 }) {
		return errReported
	}
	return nil
}

// whereabouts is where a sector is.
type whereabouts struct {
	Miner    abi.ActorID      `json:"miner"`
	Sector   abi.SectorNumber `json:"sector"`
	Files    []string         `json:"files"`
	Problems []string         `json:"problems,omitempty"` // of storages that could not be asked
}

func foundOf(ctx context.Context, paths []string, id abi.SectorID) whereabouts {
	out := whereabouts{Miner: id.Miner, Sector: id.Number, Files: []string{}}
	for _, f := range app.FindSector(ctx, paths, id.Miner, id.Number) {
		out.Files = append(out.Files, app.SectorFiles(f)...)
		if f.Problem != "" {
			out.Problems = append(out.Problems, f.Problem)
		}
	}
	return out
}

func (f whereabouts) print(out io.Writer) {
	fmt.Fprintf(out, "sector %d of f0%d\n", f.Sector, f.Miner)
	for _, file := range f.Files {
		fmt.Fprintf(out, "  %s\n", file)
	}
	if len(f.Files) == 0 {
		fmt.Fprintln(out, "  no storage has anything of it")
	}
	for _, p := range f.Problems {
		fmt.Fprintf(out, "  not asked: %s\n", p)
	}
}

// sectorOf reads a sector as people write it.
func sectorOf(text, miner string) (abi.SectorID, error) {
	if m, n, ok := strings.Cut(strings.TrimPrefix(text, "s-t0"), "-"); ok && strings.HasPrefix(text, "s-t0") {
		text, miner = n, "f0"+m
	}
	number, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return abi.SectorID{}, &usageError{fmt.Sprintf("%q is no sector: write its number, or its name as s-t01000-7", text)}
	}
	id, err := minerOf(miner)
	return abi.SectorID{Miner: id, Number: abi.SectorNumber(number)}, err
}

// minerOf reads a miner's ID address.
func minerOf(text string) (abi.ActorID, error) {
	if text == "" {
		return 0, &usageError{"--miner says whose sector it is, as f01000"}
	}
	a, err := address.NewFromString(text)
	var id uint64
	if err == nil {
		id, err = address.IDFromAddress(a)
	}
	if err != nil {
		return 0, &usageError{fmt.Sprintf("%q is no miner's ID address: write it as f01000", text)}
	}
	return abi.ActorID(id), nil
}
