package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil/proofs/post"
)

const (
	parametersVariable = "FIL_PROOFS_PARAMETER_CACHE"
	usualParameters    = "/var/tmp/filecoin-proof-parameters"
)

func proofCommand() *cli.Command {
	return &cli.Command{
		Name:         "proof",
		Usage:        "make and judge proofs of spacetime",
		Action:       needsCommand,
		OnUsageError: onUsageError,
		Commands: []*cli.Command{proveCommand(), {
			Name:      "verify",
			Usage:     "judge the cases in files as the network would",
			ArgsUsage: "FILE…",
			Description: "Each file is one case or an array of cases in JSON: typ (window, winning), sector_size, api, miner,\n" +
				"prover_id, randomness, sectors [{number, comm_r}], proof, valid. For each case a line of JSON says the\n" +
				"verdict: true, false, or error for what is no proof or no statement. The exit code is 1 if a verdict is not\n" +
				"the case's valid (an error counts as not valid), or a case could not be read or judged.",
			Flags:        []cli.Flag{keysFlag()},
			OnUsageError: onUsageError,
			Action: does(func(ctx context.Context, c *cli.Command) error {
				if !c.Args().Present() {
					return &usageError{"proof verify needs a file"}
				}
				j := judge{dir: c.String("params"), out: json.NewEncoder(c.Root().Writer), verifiers: map[post.Config]*post.Verifier{}}
				j.out.SetEscapeHTML(false)
				for _, file := range c.Args().Slice() {
					if err := j.file(ctx, file); err != nil {
						return err
					}
				}
				if j.wrong {
					return errReported
				}
				return nil
			}),
		}},
	}
}

// keysFlag names the folder with keys.
func keysFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "params", Usage: "the `DIR` with the keys, under the names filecoin-proofs gives them",
		Sources: cli.EnvVars(parametersVariable), Value: usualParameters,
	}
}

// proofCase is a proof with all it is judged by.
type proofCase struct {
	Type       post.Kind    `json:"typ"`
	SectorSize uint64       `json:"sector_size"`
	API        string       `json:"api"`
	Miner      uint64       `json:"miner"`
	ProverID   *hexBytes    `json:"prover_id"`
	Randomness hexBytes     `json:"randomness"`
	Sectors    []caseSector `json:"sectors"`
	Proof      hexBytes     `json:"proof"`
	Valid      *bool        `json:"valid"`
}

type caseSector struct {
	Number *uint64  `json:"number"`
	CommR  hexBytes `json:"comm_r"`
}

// hexBytes are bytes in hexadecimal.
type hexBytes []byte

// UnmarshalText reads them.
func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.AppendDecode(nil, text)
	*h = b
	return err
}

// verdictLine is what is said of a case.
type verdictLine struct {
	File    string `json:"file"`
	Index   int    `json:"index"`
	Verdict string `json:"verdict"`
	Error   string `json:"error"`
}

// unjudged says that a case is none, or that its key is missing: whatever it
// expects, it has not been met.
type unjudged struct{ err error }

func (e *unjudged) Error() string { return e.err.Error() }

// judge reads cases and says what they are.
type judge struct {
	dir       string
	out       *json.Encoder
	verifiers map[post.Config]*post.Verifier
	wrong     bool // a verdict was not the expected one
}

func (j *judge) file(ctx context.Context, name string) error {
	cases, err := readCases(name)
	if err != nil {
		return j.say(name, 0, false, false, &unjudged{err})
	}
	for i, raw := range cases {
		if err := ctx.Err(); err != nil {
			return err
		}
		valid, expected, err := j.judge(raw)
		if err := j.say(name, i, valid, expected, err); err != nil {
			return err
		}
	}
	return nil
}

// say prints a verdict and notes whether it is the expected one.
func (j *judge) say(file string, index int, valid, expected bool, err error) error {
	line := verdictLine{File: file, Index: index, Verdict: fmt.Sprint(valid)}
	if err != nil {
		line.Verdict, line.Error, valid = "error", err.Error(), false
	}
	var not *unjudged
	if valid != expected || errors.As(err, &not) {
		j.wrong = true
	}
	return j.out.Encode(line)
}

// judge gives the verdict on a case, and what the case expects.
func (j *judge) judge(raw json.RawMessage) (valid, expected bool, err error) {
	var expects struct {
		Valid *bool `json:"valid"`
	}
	if err := json.Unmarshal(raw, &expects); err != nil {
		return false, false, &unjudged{fmt.Errorf("no case: %w", err)}
	}
	if expects.Valid == nil {
		return false, false, &unjudged{errors.New(`no case: it does not say "valid"`)}
	}
	var c proofCase
	if err := json.Unmarshal(raw, &c); err != nil {
		return false, *expects.Valid, fmt.Errorf("read the case: %w", err)
	}
	valid, err = j.verify(c)
	return valid, *expects.Valid, err
}

func (j *judge) verify(c proofCase) (bool, error) {
	form, err := c.form()
	if err != nil {
		return false, err
	}
	statement, err := c.statement()
	if err != nil {
		return false, err
	}
	verifier, err := j.verifier(form)
	if err != nil {
		return false, &unjudged{err}
	}
	return verifier.Verify(statement, c.Proof)
}

func (c proofCase) form() (post.Config, error) {
	version, err := post.VersionOfAPI(c.API)
	if err != nil {
		return post.Config{}, err
	}
	switch c.Type {
	case post.Window:
		return post.WindowConfig(c.SectorSize, version)
	case post.Winning:
		form, err := post.WinningConfig(c.SectorSize)
		form.Version = version
		return form, err
	}
	return post.Config{}, fmt.Errorf("no proof is of type %q", c.Type)
}

func (c proofCase) statement() (post.Statement, error) {
	s := post.Statement{ProverID: post.ProverID(c.Miner)}
	err := fill(&s.Randomness, "randomness", c.Randomness)
	if c.ProverID != nil {
		err = cmp.Or(err, fill(&s.ProverID, "prover_id", *c.ProverID))
	}
	for i, sector := range c.Sectors {
		if sector.Number == nil {
			return s, fmt.Errorf("sectors[%d] has no number", i)
		}
		proved := post.Sector{Number: *sector.Number}
		err = cmp.Or(err, fill(&proved.CommR, fmt.Sprintf("comm_r of sector %d", *sector.Number), sector.CommR))
		s.Sectors = append(s.Sectors, proved)
	}
	return s, err
}

func fill(to *[32]byte, what string, from []byte) error {
	if len(from) != len(to) {
		return fmt.Errorf("%s has %d bytes, want %d", what, len(from), len(to))
	}
	copy(to[:], from)
	return nil
}

// verifier is the one for a form of proof; each key is read once.
func (j *judge) verifier(form post.Config) (*post.Verifier, error) {
	if v, ok := j.verifiers[form]; ok {
		return v, nil
	}
	v, err := post.OpenVerifier(form, j.dir)
	if err != nil {
		return nil, keyError(form, err)
	}
	j.verifiers[form] = v
	return v, nil
}

// keyError says which key cannot be used.
func keyError(form post.Config, err error) error {
	return fmt.Errorf("key of %s (--params names its folder): %w", form.Key(), err)
}

// mostCaseBytes is more than any case has: a 32 GiB partition with its vanilla
// proofs in hexadecimal takes a tenth of it.
const mostCaseBytes = 4 << 30

// readCases reads a file's cases without looking into them.
func readCases(name string) ([]json.RawMessage, error) {
	// Not to wait for somebody to write, if it is a pipe.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.Mode().IsRegular() && info.Size() > mostCaseBytes {
		return nil, fmt.Errorf("%s: a file of %d bytes is no list of cases", name, info.Size())
	}
	// The decoder stops where the JSON does: of something else it reads little.
	decoder := json.NewDecoder(io.LimitReader(f, mostCaseBytes))
	var data json.RawMessage
	if err := decoder.Decode(&data); err != nil {
		return nil, fmt.Errorf("no JSON, or cut off (a file has one case or an array of cases): %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("no JSON: a file has one case or an array of cases, and nothing behind it")
	}
	if data[0] != '[' {
		return []json.RawMessage{data}, nil
	}
	var cases []json.RawMessage
	if err := json.Unmarshal(data, &cases); err != nil {
		return nil, fmt.Errorf("no list of cases: %w", err)
	}
	if len(cases) == 0 {
		return nil, errors.New("the list has no case")
	}
	return cases, nil
}
