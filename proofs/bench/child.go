package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
)

// The protocol between the benchmark and a side, lines on stdin and stdout: the
// side warms up and says {"ready":true}; for each line "prove" it makes one proof
// and answers with its Timing; it ends when its input does.

type ready struct {
	Ready bool `json:"ready"`
}

const proveLine = "prove"

// serve is the side's end.
func serve(ctx context.Context, in io.Reader, out io.Writer, prove func(context.Context) error) error {
	answers := json.NewEncoder(out)
	if err := answers.Encode(ready{true}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if lines.Text() != proveLine {
			return fmt.Errorf("told to %q; only %q is known", lines.Text(), proveLine)
		}
		t, err := timed(func() error { return prove(ctx) })
		if err != nil {
			return err
		}
		if err := answers.Encode(t); err != nil {
			return err
		}
	}
	return lines.Err()
}

// ProveArgs tell a side what to prove. The oracle's bench-prove takes the same.
type ProveArgs struct {
	Case    string // file
	Params  string // file
	Sectors int    // in a partition; 0: as many as the network has
	Warm    Warmth
}

// Warmth is how a side gets warm before it is measured.
type Warmth string

const (
	WarmProof Warmth = "proof" // one proof that is not measured
	WarmFile  Warmth = "file"  // the parameter file is read: where a proof takes minutes
)

// Flags of the sides, for those who parse them.
const (
	FlagCase    = "case"
	FlagParams  = "params-file"
	FlagSectors = "sectors-per-partition"
	FlagWarm    = "warm"
	FlagLengths = "lengths"
)

func (a ProveArgs) flags() []string {
	return []string{
		"--" + FlagCase, a.Case, "--" + FlagParams, a.Params,
		"--" + FlagSectors, strconv.Itoa(a.Sectors), "--" + FlagWarm, string(a.Warm),
	}
}

// child is a side from the benchmark's end.
type child struct {
	name    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *json.Decoder
	said    bytes.Buffer // on stderr
}

// startChild starts a side and waits until it is warm. It ends with ctx.
func startChild(ctx context.Context, name string, command ...string) (*child, error) {
	c := &child{name: name, cmd: exec.CommandContext(ctx, command[0], command[1:]...)}
	c.cmd.Stderr = &c.said
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.answers = json.NewDecoder(out)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	var r ready
	if err := c.answers.Decode(&r); err != nil || !r.Ready {
		return nil, errors.Join(fmt.Errorf("%s did not get ready: %w", name, err), c.close())
	}
	return c, nil
}

// prove lets the side make one proof.
func (c *child) prove(ctx context.Context) (t Timing, peak mib, err error) {
	stop := peakAnon(ctx, c.cmd.Process.Pid)
	if _, err = io.WriteString(c.in, proveLine+"\n"); err == nil {
		err = c.answers.Decode(&t)
	}
	peak = stop()
	if err == nil && t.CPU <= 0 {
		err = errors.New("it says that the proof cost nothing")
	}
	if err != nil {
		return t, nil, fmt.Errorf("prove with %s: %w", c.name, err)
	}
	return t, peak, nil
}

// close lets the side end and says how it did.
func (c *child) close() error {
	_ = c.in.Close()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", c.name, err, bytes.TrimSpace(c.said.Bytes()))
	}
	return nil
}
