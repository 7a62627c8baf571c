package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin"
	actor "github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// asProgram in the environment makes this test binary the program itself:
// what has to survive a kill is a process of its own.
const asProgram = "VIGIL_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	code := m.Run()
	if keyFolder != "" {
		os.RemoveAll(keyFolder)
	}
	os.Exit(code)
}

// keyFolder is set by devnetKey, and read when all tests have ended.
var keyFolder string

// devnetKey makes the devnet's Groth16 key, once for all tests that want
// it, and says how long it took: that is the measure of this machine.
var devnetKey = sync.OnceValues(func() (took time.Duration, err error) {
	if keyFolder, err = os.MkdirTemp("", "vigil-key-"); err != nil {
		return 0, err
	}
	began := time.Now()
	_, err = (&home{dir: keyFolder, keys: filepath.Join(keyFolder, "params")}).key(context.Background(), func(string) {})
	return time.Since(began), err
})

// epochFor is an epoch in which this machine can do what a test asks of it:
// 200 ms where the key takes four seconds.
func epochFor(t *testing.T) time.Duration {
	t.Helper()
	took, err := devnetKey()
	if err != nil {
		t.Fatal(err)
	}
	return max(200*time.Millisecond, took/20).Round(time.Millisecond)
}

// underRace says whether this is a build for the race detector.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// journal keeps what a program writes.
type journal struct {
	mu    sync.Mutex // guards what follows
	text  []byte
	grown chan struct{} // closed and made anew when there is more
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text = append(j.text, p...)
	close(j.grown)
	j.grown = make(chan struct{})
	return len(p), nil
}

func (j *journal) read() (string, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return string(j.text), j.grown
}

// program is vigil in a process of its own.
type program struct {
	cmd   *exec.Cmd
	log   journal
	ended chan struct{}
}

func launch(t *testing.T, args ...string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{cmd: exec.Command(self, args...), log: journal{grown: make(chan struct{})}, ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asProgram+"=1", "VIGIL_KERNELS=generic") // a proof lasts long enough to be killed in
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // what it says is in ProcessState
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the program at once, and returns when it is gone.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.ended
}

// interrupt asks the program to end, and gives its exit code and how long it took.
func (p *program) interrupt(t *testing.T) (int, time.Duration) {
	t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	return p.wait(t, 20*time.Second), time.Since(began)
}

// wait gives the exit code of a program that ends by itself.
func (p *program) wait(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("it does not end:\n%s", p.tail())
		return 0
	}
}

func (p *program) tail() string {
	text, _ := p.log.read()
	return lastLines(text, 40)
}

// says waits for a whole line with all the words, and gives it, or nothing
// when the time is over or the program has ended.
func (p *program) says(within time.Duration, words ...string) string {
	over := time.After(within)
	for {
		text, grown := p.log.read()
		for line := range strings.Lines(text) {
			if strings.HasSuffix(line, "\n") && containsAll(line, words) {
				return strings.TrimSpace(line)
			}
		}
		select {
		case <-grown:
		case <-p.ended:
			return ""
		case <-over:
			return ""
		}
	}
}

// must is says for what cannot be done without.
func (p *program) must(t *testing.T, within time.Duration, words ...string) string {
	t.Helper()
	line := p.says(max(within, time.Minute), words...) // machines that run tests stand still at times
	if line == "" {
		t.Fatalf("no line says %q:\n%s", words, p.tail())
	}
	return line
}

func containsAll(line string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(line, w) {
			return false
		}
	}
	return true
}

// statusOf is what a daemon's page shows; it answers whatever the node does.
func statusOf(t *testing.T, page string) vigil.Status {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second}
	r, err := client.Get(page + "/api/status")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var s vigil.Status
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// pause lets a time pass.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	case <-time.After(d):
	}
}

// node is a devnet's chain in a process of its own.
type node struct {
	*program
	dir    string // the devnet's
	listen string
	epoch  time.Duration
}

// newNode starts a chain with a miner of 92 sectors, two to a deadline from
// the third on: the first is challenged at epoch 46.
func newNode(t *testing.T, epoch time.Duration) *node {
	t.Helper()
	n := &node{dir: t.TempDir(), epoch: epoch}
	if err := os.CopyFS(n.dir, os.DirFS(keyFolder)); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.listen = free.Addr().String() // the same after a restart
	free.Close()
	n.start(t)
	return n
}

func (n *node) start(t *testing.T) {
	t.Helper()
	n.program = launch(t, "devnet", "--serve-only", "--data", n.dir, "--listen", n.listen,
		"--block-time", n.epoch.String(), "--dashboard", "127.0.0.1:0")
	n.must(t, time.Minute, "vigil run --config")
}

// config is the daemon's configuration for the chain.
func (n *node) config() string { return (&home{dir: n.dir}).config() }

// ask calls a method of the node.
func (n *node) ask(result any, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "Filecoin." + method, "params": params})
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 10 * time.Second}
	r, err := client.Post("http://"+n.listen+"/rpc/v1", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return errors.New(method + ": " + answer.Error.Message)
	}
	return json.Unmarshal(answer.Result, result)
}

// tipset is what the tests read of one.
type tipset struct {
	Cids   []cid.Cid
	Blocks []struct{ Parents []cid.Cid }
	Height abi.ChainEpoch
}

// head is the node's head, or nothing while it does not answer.
func (n *node) head() tipset {
	var head tipset
	_ = n.ask(&head, "ChainHead")
	return head
}

// reach waits until the chain is at the epoch.
func (n *node) reach(t *testing.T, epoch abi.ChainEpoch) {
	t.Helper()
	for {
		left := epoch - n.head().Height
		if left <= 0 {
			return
		}
		pause(t, min(time.Second, time.Duration(left)*n.epoch-n.epoch/2))
	}
}

// place is a partition in an occurrence of its deadline, named by the challenge epoch.
type place struct {
	challenge abi.ChainEpoch
	partition uint64
}

// posts counts the Window PoSts that the chain executed for each partition,
// and gives the messages of any kind that it executed with another exit code than 0.
func (n *node) posts(t *testing.T) (count map[place]int, failed []string) {
	t.Helper()
	count = map[place]int{}
	for ts := n.head(); ts.Height > 0; {
		var messages []struct {
			Message struct {
				Method abi.MethodNum
				Params []byte
			}
		}
		var receipts []struct{ ExitCode int }
		if err := errors.Join(n.ask(&messages, "ChainGetParentMessages", ts.Cids[0]), n.ask(&receipts, "ChainGetParentReceipts", ts.Cids[0])); err != nil {
			t.Fatal(err)
		}
		for i, m := range messages {
			if receipts[i].ExitCode != 0 {
				failed = append(failed, fmt.Sprintf("method %d at epoch %d: exit code %d", m.Message.Method, ts.Height, receipts[i].ExitCode))
			}
			if m.Message.Method != builtin.MethodsMiner.SubmitWindowedPoSt {
				continue
			}
			var params actor.SubmitWindowedPoStParams
			if err := params.UnmarshalCBOR(bytes.NewReader(m.Message.Params)); err != nil {
				t.Fatal(err)
			}
			for _, p := range params.Partitions {
				count[place{params.ChainCommitEpoch, p.Index}]++
			}
		}
		parent := ts.Blocks[0].Parents
		ts = tipset{}
		if err := n.ask(&ts, "ChainGetTipSet", parent); err != nil {
			t.Fatal(err)
		}
	}
	return count, failed
}

// faults is how many sectors the chain has as faulty.
func (n *node) faults(t *testing.T) uint64 {
	t.Helper()
	var faulty bitfield.BitField
	if err := n.ask(&faulty, "StateMinerFaults", "t01000", nil); err != nil {
		t.Fatal(err)
	}
	count, err := faulty.Count()
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// provenOnce checks that the chain shows each of the challenges posted, once,
// and nothing faulty and no message refused.
func (n *node) provenOnce(t *testing.T, challenges ...abi.ChainEpoch) {
	t.Helper()
	count, failed := n.posts(t)
	for _, challenge := range challenges {
		if count[place{challenge, 0}] == 0 {
			t.Errorf("the deadline challenged at epoch %d was not posted", challenge)
		}
	}
	for at, times := range count {
		if times > 1 {
			t.Errorf("partition %d was posted %d times for the challenge of epoch %d", at.partition, times, at.challenge)
		}
	}
	for _, f := range failed {
		t.Errorf("the chain refused a message: %s", f)
	}
	if faulty := n.faults(t); faulty != 0 {
		t.Errorf("%d sectors are faulty", faulty)
	}
}

// database is the daemon's.
func (n *node) database() string { return filepath.Join(n.dir, "daemon", "vigil.db") }
