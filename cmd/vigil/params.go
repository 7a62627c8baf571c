package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v3"
	"golang.org/x/sync/errgroup"

	"github.com/vigil-post/vigil/proofs/circuit"
	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/params"
	"github.com/vigil-post/vigil/proofs/post"
)

func paramsCommand() *cli.Command {
	return &cli.Command{
		Name:         "params",
		Usage:        "the Groth16 keys that proofs need",
		Action:       needsCommand,
		OnUsageError: onUsageError,
		Commands: []*cli.Command{
			{
				Name:         "list",
				Usage:        "say which keys there are, which of them are here, and where they would lie",
				Description:  "Sizes that no public network has are shown with --all, with --json, and where one is here.",
				Flags:        []cli.Flag{keysFlag(), jsonFlag(), &cli.BoolFlag{Name: "all", Usage: "show the test sizes, too"}},
				OnUsageError: onUsageError,
				Action:       does(listParams),
			},
			{
				Name:  "check",
				Usage: "read the keys that are here, and compare them with the published digests",
				Description: "Reads every file whole: 61 GB take minutes. Keys of a local setup are said to be such. The exit code is 1 if a file is\n" +
					"damaged or of another circuit, or a key for 32 or 64 GiB is not Filecoin's and no warning of params make lies beside it.",
				Flags:        []cli.Flag{keysFlag()},
				OnUsageError: onUsageError,
				Action:       does(checkParams),
			},
			{
				Name:  "make",
				Usage: "make a key by a local setup, for development networks only",
				Description: "Whoever makes a key can forge proofs that it accepts, and no public network accepts its proofs. Sizes up to 1 GiB,\n" +
					"for winning PoSt all; seconds for 2 KiB, minutes for the large ones.",
				Flags: []cli.Flag{
					keysFlag(),
					&cli.StringFlag{Name: "typ", Usage: "`KIND` of proof: window or winning", Value: string(post.Window)},
					&cli.StringFlag{Name: "size", Usage: "of a sector, as in 2048 or 2KiB: `BYTES`", Required: true},
					&cli.BoolFlag{Name: "force", Usage: "replace a key that is there"},
				},
				OnUsageError: onUsageError,
				Action:       does(makeParams),
			},
		},
	}
}

// keyFiles are a proof's two key files in a folder.
type keyFiles struct {
	Proof   params.Proof
	Params  string // paths
	VK      string
	Lengths groth16.Lengths // once they are measured
}

// allKeys are those of every kind and size, not measured.
func allKeys(dir string) ([]keyFiles, error) {
	var all []keyFiles
	for _, winning := range []bool{false, true} {
		for _, size := range params.SectorSizes() {
			k, err := keyOf(dir, params.Proof{Winning: winning, SectorSize: size})
			if err != nil {
				return nil, err
			}
			all = append(all, k)
		}
	}
	return all, nil
}

func keyOf(dir string, p params.Proof) (keyFiles, error) {
	proving, err := p.ParamsFile()
	if err != nil {
		return keyFiles{}, err
	}
	verifying, err := p.VKFile()
	return keyFiles{Proof: p, Params: filepath.Join(dir, proving), VK: filepath.Join(dir, verifying)}, err
}

// measure works out the lengths, which takes a tenth of a second: it is done
// for the keys that are asked for.
func (k *keyFiles) measure() error {
	shape, err := k.Proof.Shape()
	if err != nil {
		return err
	}
	built, err := circuit.New(shape)
	if err != nil {
		return err
	}
	k.Lengths = built.Lengths()
	return nil
}

// measureAll measures all at once.
func measureAll(keys []keyFiles) error {
	var each errgroup.Group
	for i := range keys {
		each.Go(keys[i].measure)
	}
	return each.Wait()
}

// here says whether there is anything under one of the two names.
func (k keyFiles) here() bool {
	return stateOf(k.VK, 0) != stateMissing || stateOf(k.Params, 0) != stateMissing
}

// kind is the word for the kind of proof.
func (k keyFiles) kind() post.Kind {
	if k.Proof.Winning {
		return post.Winning
	}
	return post.Window
}

// keyFile is one of the files, as params list shows it.
type keyFile struct {
	Type       post.Kind `json:"typ"`
	SectorSize uint64    `json:"sector_size"`
	File       string    `json:"file"`
	Bytes      int64     `json:"bytes"`     // that it has to have
	State      string    `json:"state"`     // found, missing, wrong size, unreadable
	Published  string    `json:"published"` // digest of Filecoin's key, "" where there is none
}

func (k keyFiles) files() []keyFile {
	d := params.Published[k.Proof]
	return []keyFile{
		{k.kind(), k.Proof.SectorSize, k.VK, k.Lengths.VKSize(), stateOf(k.VK, k.Lengths.VKSize()), d.VK},
		{k.kind(), k.Proof.SectorSize, k.Params, k.Lengths.ParamsSize(), stateOf(k.Params, k.Lengths.ParamsSize()), d.Params},
	}
}

const (
	stateFound   = "found"
	stateMissing = "missing"
)

func stateOf(file string, size int64) string {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return stateMissing
	case err != nil:
		return "unreadable"
	case !info.Mode().IsRegular():
		return "no file"
	case info.Size() != size:
		return "wrong size"
	}
	return stateFound
}

func listParams(_ context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	keys, err := allKeys(c.String("params"))
	if err == nil {
		err = measureAll(keys)
	}
	if err != nil {
		return err
	}
	if c.Bool("json") {
		e := json.NewEncoder(c.Root().Writer)
		for _, k := range keys {
			for _, f := range k.files() {
				if err := e.Encode(f); err != nil {
					return err
				}
			}
		}
		return nil
	}
	fmt.Fprintf(c.Root().Writer, "in %s\n\n", c.String("params"))
	t := tabwriter.NewWriter(c.Root().Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "proof\tsectors\tbytes\tstate\tfile")
	for _, k := range keys {
		for _, f := range k.files() {
			if f.Published == "" && f.State == stateMissing && !c.Bool("all") {
				continue
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", f.Type, params.SizeName(f.SectorSize), humanize.Comma(f.Bytes), f.State, filepath.Base(f.File))
		}
	}
	return t.Flush()
}

func checkParams(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	dir := c.String("params")
	keys, err := allKeys(dir)
	if err != nil {
		return err
	}
	_, err = os.Stat(filepath.Join(dir, params.Warning))
	k := keyCheck{out: c.Root().Writer, bar: newProgress(c.Root().ErrWriter), local: err == nil}
	for _, key := range keys {
		if !key.here() {
			continue
		}
		if err := key.measure(); err != nil {
			return err
		}
		if err := k.check(ctx, key); err != nil {
			return err
		}
	}
	switch {
	case k.found == 0:
		return noKeys(dir)
	case k.bad > 0:
		return fmt.Errorf("%d of %d files cannot be used: fetch them again, or make them again if they are your own", k.bad, k.found)
	case k.published == k.found:
		_, err = fmt.Fprintf(k.out, "all %d files are Filecoin's\n", k.found)
	case k.published == 0:
		_, err = fmt.Fprintf(k.out, "all %d files are whole, none is Filecoin's: nothing can be proved to a public network with them\n", k.found)
	default:
		_, err = fmt.Fprintf(k.out, "all %d files are whole, %d of them Filecoin's: with the others nothing can be proved to a public network\n", k.found, k.published)
	}
	return err
}

// noKeys says what to do without any key.
func noKeys(dir string) error {
	return fmt.Errorf("no key is in %s: name another folder with --params, fetch Filecoin's parameters (vigil params list has the names), "+
		"or make a key for a development network (vigil params make)", dir)
}

// keyCheck says of each file what it is.
type keyCheck struct {
	out                   io.Writer
	bar                   *progress
	local                 bool // keys of a local setup are expected here
	found, bad, published int
}

func (c *keyCheck) check(ctx context.Context, k keyFiles) error {
	files := k.files()
	for i, f := range files {
		if f.State == stateMissing {
			continue
		}
		c.found++
		began := time.Now()
		what, err := c.what(ctx, k, f, i == 1)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.bad++
			fmt.Fprintf(c.out, "%s: BAD: %v\n", filepath.Base(f.File), err)
			continue
		}
		fmt.Fprintf(c.out, "%s: %s (%s, %s)\n", filepath.Base(f.File), what, humanize.IBytes(uint64(f.Bytes)), time.Since(began).Round(time.Millisecond))
	}
	for _, f := range files {
		if f.State == stateMissing {
			_, err := fmt.Fprintf(c.out, "%s: missing, and its other half is here\n", filepath.Base(f.File))
			return err
		}
	}
	if err := params.Match(k.VK, k.Params); err != nil {
		c.bad++
		fmt.Fprintf(c.out, "%v: BAD: %v\n", k.Proof, err)
	}
	return nil
}

// what reads a file whole. That it is damaged is an error, and so is a key of
// the main network's sizes which is not the main network's: there it is not
// meant.
func (c *keyCheck) what(ctx context.Context, k keyFiles, f keyFile, proving bool) (string, error) {
	if err := k.open(proving); err != nil {
		return "", err
	}
	name := fmt.Sprintf("%v, %s", k.Proof, filepath.Ext(f.File)) // one line of a terminal
	digest, err := params.Digest(ctx, f.File, func(done int64) { c.bar.bytes(name, done, f.Bytes) })
	c.bar.end()
	if err != nil {
		return "", err
	}
	if digest == f.Published {
		c.published++
		return "Filecoin's published key", nil
	}
	if proving {
		if err := k.checkPoints(ctx); err != nil {
			return "", err
		}
	}
	switch {
	case f.Published == "":
		return "a whole key; no public network has sectors of this size", nil
	case c.local:
		return "a whole key of a local setup, worth nothing on a public network", nil
	case k.Proof.SectorSize >= 32<<30:
		return "", fmt.Errorf("a whole key, but not Filecoin's: its BLAKE2b digest is %s, the published one %s", digest, f.Published)
	}
	return "a whole key of some local setup, not Filecoin's: worth nothing on a public network", nil
}

// open sees that a key is one of its circuit, and not cut off.
func (k keyFiles) open(proving bool) error {
	if !proving {
		_, err := params.OpenVK(k.VK, k.Lengths)
		return err
	}
	key, err := params.Open(k.Params, k.Lengths)
	if err != nil {
		return err
	}
	return key.Close()
}

// checkPoints looks at every point of a key whose digest nobody knows.
func (k keyFiles) checkPoints(ctx context.Context) error {
	key, err := params.Open(k.Params, k.Lengths)
	if err != nil {
		return err
	}
	err = key.CheckPoints(ctx)
	return errors.Join(err, key.Close())
}

func makeParams(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	size, err := sectorSize(c.String("size"))
	if err != nil {
		return &usageError{err.Error()}
	}
	kind := post.Kind(c.String("typ"))
	if kind != post.Window && kind != post.Winning {
		return &usageError{fmt.Sprintf("no proof is of type %q", kind)}
	}
	dir := c.String("params")
	k, err := keyOf(dir, params.Proof{Winning: kind == post.Winning, SectorSize: size})
	if err != nil {
		return err
	}
	for _, file := range []string{k.Params, k.VK} {
		if stateOf(file, 0) != stateMissing && !c.Bool("force") {
			return fmt.Errorf("%s is there already; --force replaces it", file)
		}
	}
	fmt.Fprintf(c.Root().ErrWriter, "making a key for %v by a local setup: for development networks only, never for a network with value\n", k.Proof)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	began := time.Now()
	if err := params.Generate(ctx, dir, k.Proof); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.Root().Writer, "%s\n%s\nmade in %s\n", k.Params, k.VK, time.Since(began).Round(100*time.Millisecond))
	return err
}
