package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/params"
	"github.com/vigil-post/vigil/proofs/post"
)

func proveCommand() *cli.Command {
	return &cli.Command{
		Name:  "prove",
		Usage: "prove sectors in a storage folder, and print the case",
		Description: "Reads sealed/s-t0MINER-NUMBER and cache/s-t0MINER-NUMBER (update/ and update-cache/ of a sector that was upgraded), and\n" +
			"prints one line of JSON as proof verify reads it, with the challenges, the vanilla proofs and the proof. A proof is verified\n" +
			"before it is printed, if the verifying key is there.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "sectors", Usage: "the storage `DIR`", Required: true},
			keysFlag(),
			&cli.StringFlag{Name: "typ", Usage: "`KIND` of proof: window or winning", Value: string(post.Window)},
			&cli.StringFlag{Name: "size", Usage: "of a sector, as in 2048, 2KiB or 32GiB: `BYTES`", Required: true},
			&cli.StringFlag{Name: "api", Usage: "filecoin-proofs' API `VERSION`: 1.0.0 or 1.1.0 for challenges by V1, 1.2.0 for V1_1; else 1.2.0, and 1.1.0 for a winning proof"},
			&cli.Uint64Flag{Name: "miner", Usage: "the actor `ID`, 1000 for f01000", Required: true},
			&cli.StringFlag{Name: "numbers", Usage: "the sectors, as in 0,1,5-9: `LIST`", Required: true},
			&cli.StringFlag{Name: "memory", Usage: "that the proof may take, as in 18GiB, the key not counted: `BYTES`; else as much as all its partitions at once need"},
			&cli.StringFlag{Name: "randomness", Usage: "32 bytes in `HEX`, as the chain gives them with the two top bits cleared", Required: true},
		},
		OnUsageError: onUsageError,
		Action:       does(proveAction),
	}
}

func proveAction(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	p, err := proofOf(c)
	if err != nil {
		return &usageError{err.Error()}
	}
	var memory uint64
	if text := c.String("memory"); text != "" {
		if memory, err = humanize.ParseBytes(text); err != nil || memory == 0 || memory > math.MaxInt64 {
			return &usageError{fmt.Sprintf("%q is no amount of memory: write it as 18GiB", text)}
		}
	}
	bar := newProgress(c.Root().ErrWriter)
	made, err := p.prove(ctx, groth16.Prover{Progress: bar.step, Memory: int64(memory)})
	bar.end()
	if err != nil {
		return err
	}
	return json.NewEncoder(c.Root().Writer).Encode(made)
}

// madeCase is a proofCase with all that was made on the way.
type madeCase struct {
	Type       post.Kind           `json:"typ"`
	SectorSize uint64              `json:"sector_size"`
	API        string              `json:"api"`
	Miner      uint64              `json:"miner"`
	ProverID   hexBytes            `json:"prover_id"`
	Randomness hexBytes            `json:"randomness"`
	Sectors    []madeSector        `json:"sectors"`
	Challenges map[uint64][]uint64 `json:"challenges"`
	Vanilla    []hexBytes          `json:"vanilla"`
	Proof      hexBytes            `json:"proof"`
	Valid      bool                `json:"valid"`
}

type madeSector struct {
	Number uint64   `json:"number"`
	CommR  hexBytes `json:"comm_r"`
}

// MarshalText writes hexadecimal digits.
func (h hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// proving is a proof to be made from files.
type proving struct {
	sectors, keys string // folders
	form          post.Config
	api           string
	miner         uint64
	numbers       []uint64
	randomness    [32]byte
}

func proofOf(c *cli.Command) (p proving, err error) {
	size, err := sectorSize(c.String("size"))
	if err != nil {
		return p, err
	}
	of := proofCase{Type: post.Kind(c.String("typ")), SectorSize: size, API: c.String("api")}
	if of.API == "" {
		of.API = usualAPI(of.Type)
	}
	p = proving{sectors: c.String("sectors"), keys: c.String("params"), api: of.API, miner: c.Uint64("miner")}
	if p.form, err = of.form(); err != nil {
		return p, err
	}
	if p.form.Kind == post.Winning && p.form.Version != post.V1 {
		return p, fmt.Errorf("a winning proof has --api 1.0.0 or 1.1.0, not %s", of.API)
	}
	if p.numbers, err = sectorNumbers(c.String("numbers")); err != nil {
		return p, err
	}
	if p.form.Kind == post.Winning && len(p.numbers) != 1 {
		return p, fmt.Errorf("a winning proof is of one sector, --numbers has %d", len(p.numbers))
	}
	b, err := hex.DecodeString(c.String("randomness"))
	if err != nil || len(b) != len(p.randomness) {
		return p, fmt.Errorf("--randomness has 64 hexadecimal digits, not %q", c.String("randomness"))
	}
	copy(p.randomness[:], b)
	// Asking for a challenge tells randomness that is no field element.
	if _, err := p.form.Leaves(p.randomness, 0, 0); err != nil {
		return p, fmt.Errorf("%w: are its two top bits (of the last byte) cleared?", err)
	}
	return p, nil
}

// usualAPI is the API version that the network has for a kind of proof.
func usualAPI(kind post.Kind) string {
	if kind == post.Winning {
		return "1.1.0"
	}
	return "1.2.0"
}

// sectorSize reads 2048, 2KiB or 32GiB.
func sectorSize(text string) (uint64, error) {
	size, err := humanize.ParseBytes(text)
	if err != nil || !slices.Contains(merkle.SectorSizes(), size) {
		return 0, fmt.Errorf("no sectors are of size %q; there are %s", text, strings.Join(sizeNames(), ", "))
	}
	return size, nil
}

func sizeNames() []string {
	var names []string
	for _, size := range merkle.SectorSizes() {
		names = append(names, params.SizeName(size))
	}
	return names
}

// mostNumbers bounds what a mistyped range can ask for; a duty has a third of it.
const mostNumbers = 25_000

// sectorNumbers reads 0,1,5-9 as ascending numbers.
func sectorNumbers(text string) ([]uint64, error) {
	var numbers []uint64
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		first, err := strconv.ParseUint(from, 10, 63)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseUint(to, 10, 63)
		}
		if err != nil || last < first {
			return nil, fmt.Errorf("%q is no sector number and no range of them", part)
		}
		if last-first >= mostNumbers || len(numbers) >= mostNumbers {
			return nil, fmt.Errorf("%q are more than %d sectors", text, mostNumbers)
		}
		for n := first; n <= last; n++ {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for i := range numbers[1:] {
		if numbers[i] == numbers[i+1] {
			return nil, fmt.Errorf("sector %d is named twice", numbers[i])
		}
	}
	return numbers, nil
}

func (p proving) prove(ctx context.Context, groth groth16.Prover) (*madeCase, error) {
	prover, done, err := post.OpenProver(p.form, p.keys, groth)
	if err != nil {
		return nil, keyError(p.form, err)
	}
	// A proof that was interrupted may still read the key: it stays mapped
	// until the process ends.
	c, s, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	vanilla := make([][]byte, len(c.Vanilla))
	for i := range c.Vanilla {
		vanilla[i] = c.Vanilla[i]
	}
	if c.Proof, err = prover.Prove(ctx, s, vanilla); err != nil {
		return nil, err
	}
	if err := p.verify(s, c.Proof); err != nil {
		return nil, err
	}
	c.Valid = true
	return c, done()
}

// verify checks the proof with the verifying key beside the proving key.
func (p proving) verify(s post.Statement, proof []byte) error {
	verifier, err := post.OpenVerifier(p.form, p.keys)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return keyError(p.form, err)
	}
	ok, err := verifier.Verify(s, proof)
	if err == nil && !ok {
		err = errors.New("the proof does not verify: the .params and .vk files are not of one key, or damaged; vigil params check tells")
	}
	return err
}

// read makes the vanilla proofs.
func (p proving) read(ctx context.Context) (*madeCase, post.Statement, error) {
	s := post.Statement{ProverID: post.ProverID(p.miner), Randomness: p.randomness}
	c := &madeCase{
		Type: p.form.Kind, SectorSize: p.form.Shape.SectorSize, API: p.api, Miner: p.miner,
		ProverID: s.ProverID[:], Randomness: p.randomness[:], Challenges: map[uint64][]uint64{},
	}
	commRs, err := p.commRs(ctx)
	if err != nil {
		return nil, s, err
	}
	for i, n := range p.numbers {
		leaves, err := p.form.Leaves(p.randomness, n, i)
		if err != nil {
			return nil, s, err
		}
		s.Sectors = append(s.Sectors, post.Sector{Number: n, CommR: commRs[i]})
		c.Sectors = append(c.Sectors, madeSector{n, commRs[i][:]})
		c.Challenges[n] = leaves
	}
	open := func(_ context.Context, sector post.Sector) (post.Files, io.Closer, error) {
		at := p.place(sector.Number)
		return post.OpenFiles(p.form.Shape, at.replica, at.cache)
	}
	proofs, errs := p.form.VanillaAll(ctx, p.randomness, s.Sectors, open, 2*runtime.GOMAXPROCS(0))
	if err := firstErrors(errs); err != nil {
		return nil, s, err
	}
	for _, v := range proofs {
		b, err := p.form.EncodeVanilla(v)
		if err != nil {
			return nil, s, err
		}
		c.Vanilla = append(c.Vanilla, b)
	}
	return c, s, nil
}

// firstErrors joins some errors and counts the others.
func firstErrors(errs []error) error {
	const shown = 10
	errs = slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	if len(errs) > shown {
		errs = append(errs[:shown:shown], fmt.Errorf("and %d more sectors", len(errs)-shown))
	}
	return errors.Join(errs...)
}

// sectorPlace is where a sector's files lie.
type sectorPlace struct{ replica, cache string }

func (p proving) place(number uint64) sectorPlace {
	name := fmt.Sprintf("s-t0%d-%d", p.miner, number)
	upgraded := sectorPlace{filepath.Join(p.sectors, "update", name), filepath.Join(p.sectors, "update-cache", name)}
	if _, err := os.Stat(upgraded.replica); err == nil {
		return upgraded
	}
	return sectorPlace{filepath.Join(p.sectors, "sealed", name), filepath.Join(p.sectors, "cache", name)}
}

// commRs reads what the chain would say of the sectors. A storage that hangs is
// left behind when ctx ends.
func (p proving) commRs(ctx context.Context) ([][32]byte, error) {
	type result struct {
		commRs [][32]byte
		err    error
	}
	read := make(chan result, 1)
	go func() {
		var r result
		for _, n := range p.numbers {
			commR, err := p.place(n).commR()
			if err != nil {
				r.err = fmt.Errorf("sector %d: %w", n, err)
				break
			}
			r.commRs = append(r.commRs, commR)
		}
		read <- r
	}()
	select {
	case r := <-read:
		return r.commRs, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// commR is what the chain would say: from the file comm_r, where there is one,
// else from p_aux.
func (s sectorPlace) commR() (commR [32]byte, err error) {
	file := filepath.Join(s.cache, "comm_r")
	b, err := os.ReadFile(file)
	if err == nil {
		err = fill(&commR, file, b)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return commR, err
	}
	if b, err = os.ReadFile(filepath.Join(s.cache, merkle.PAuxFile)); err != nil {
		return commR, err
	}
	pAux, err := merkle.ReadPAux(bytes.NewReader(b))
	if err != nil {
		return commR, err
	}
	return merkle.NodeBytes(pAux.CommR()), nil
}

// progress shows how far a proof is, on a terminal only.
type progress struct {
	out    io.Writer
	shown  time.Time
	file   string    // being read,
	began  time.Time // since when it is shown,
	before int64     // and how much had been read by then
}

func newProgress(out io.Writer) *progress {
	if f, ok := out.(*os.File); !ok || !term.IsTerminal(f.Fd()) {
		return &progress{}
	}
	return &progress{out: out}
}

func (p *progress) step(s groth16.Progress) {
	if p.out == nil || time.Since(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown = time.Now()
	fmt.Fprintf(p.out, "\r%s %3d %%\x1b[K", s.Phase, 100*s.Done/max(1, s.Total))
}

// bytes says how much of a file has been read.
func (p *progress) bytes(file string, done, total int64) {
	now := time.Now()
	if p.file != file {
		p.file, p.began, p.before, p.shown = file, now, done, now
	}
	if p.out == nil || now.Sub(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown = now
	rate := float64(done-p.before) / now.Sub(p.began).Seconds()
	fmt.Fprintf(p.out, "\r%s: %s of %s, %s/s\x1b[K", file, humanize.IBytes(uint64(done)), humanize.IBytes(uint64(total)), humanize.IBytes(uint64(rate)))
}

func (p *progress) end() {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
