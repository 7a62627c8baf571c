package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/devnet"
	"github.com/vigil-post/vigil/proofs/post"
	"github.com/vigil-post/vigil/wallet"
)

// A miner that nobody looked after has no sector left that is not faulty. The
// network verifies the post of a recovering sector at once, and refuses a wrong
// one: so a daemon that is given such a miner has to declare every sector, and
// prove it in the same message, before any power is back.
//
// What is told here with real sectors and real proofs on the devnet is the
// story that a real node is used for: the neglected miner, the restart of the
// daemon in between, the sector file that is taken away and comes back.
func TestANeglectedMinerIsRecoveredAndAMissingSectorComesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes real proofs")
	}
	s := newKept(t)
	tended, neglected := s.chain.Miners()[0], s.chain.Miners()[1]

	s.daemon(tended)
	s.through(firstDeadline)
	s.counts("the neglected miner missed its deadline", neglected, 2, 0)
	s.counts("the tended one did not", tended, 0, 0)

	replica := filepath.Join(s.chain.Storage(), "sealed", "s-t01000-0")
	away := filepath.Join(t.TempDir(), "replica")
	rename(t, replica, away)
	s.daemon(tended, neglected) // restarted with both
	s.until("every sector is declared", func() bool { return s.standing(neglected).Recovering == 2 })
	s.through(firstDeadline + provingPeriod)
	s.counts("the neglected miner is recovered", neglected, 0, 0)
	s.counts("the missing sector is skipped, its neighbour is proven", tended, 1, 0)
	s.says("sector is skipped", "sector=0 ", "missing")

	rename(t, away, replica)
	s.until("the sector that is back is declared", func() bool { return s.standing(tended).Recovering == 1 })
	s.through(firstDeadline + 2*provingPeriod)
	s.counts("the sector is recovered", tended, 0, 0)
	s.counts("the other miner stays proven", neglected, 0, 0)

	s.stop()
	total := s.chain.Stats().Total
	if total.ProofsInvalid != 0 || total.MessagesFailed != 0 || total.PartitionsMissed != 1 {
		t.Errorf("want no wrong proof, no failed message and one partition missed, by the miner nobody had looked after yet: %+v", total)
	}
}

const (
	provingPeriod abi.ChainEpoch = 2880
	firstDeadline abi.ChainEpoch = 66 // at which the devnet's first miner is due; the next an epoch later
)

// kept is a chain that passes epochs in step with the daemon that keeps its miners.
type kept struct {
	t     *testing.T
	dir   string
	chain *devnet.Network
	log   lines // of the daemons, one after the other
	run   *Daemon
	stop  func()
	// sends is how the daemon's configuration says who sends; the keystore if empty.
	sends string
	// listens is the dashboard's address; none if empty.
	listens string
}

func newKept(t *testing.T) *kept {
	t.Helper()
	parameters, err := filepath.Abs(filepath.Join(fixtures(t), "oracle", "params"))
	if err != nil {
		t.Fatal(err)
	}
	form, err := post.WindowConfig(2048, post.V1_1)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := post.OpenVerifier(form, parameters)
	if err != nil {
		t.Fatal(err)
	}
	s := &kept{t: t, dir: t.TempDir(), stop: func() {}}
	s.chain, err = devnet.Open(t.Context(), devnet.Config{
		Dir: filepath.Join(s.dir, "chain"), Manual: true, BlockTime: 30 * time.Second,
		Miners: 2, Sectors: 2, Proofs: verifier, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	runs(t, s.chain.Run)
	t.Setenv(parametersVariable, parameters)
	s.keys()
	t.Cleanup(func() { s.stop() })
	return s
}

// runs lets something run until the test is over.
func runs(t *testing.T, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return stop
}

func (s *kept) keys() {
	s.t.Helper()
	keys, err := wallet.Create(filepath.Join(s.dir, "keystore"), "open", wallet.Options{WorkFactor: 10})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range s.chain.Miners() {
		text, err := os.ReadFile(s.chain.KeyFile("worker", m))
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := keys.Import(strings.TrimSpace(string(text))); err != nil {
			s.t.Fatal(err)
		}
	}
}

// daemon starts a daemon for these miners, in place of the one that runs.
func (s *kept) daemon(miners ...address.Address) {
	s.t.Helper()
	s.stop()
	var text strings.Builder
	fmt.Fprintf(&text, "[node]\nurl = %q\ntoken = %q\n", "ws://"+s.chain.Addr()+"/rpc/v1", s.chain.Token())
	for _, m := range miners {
		fmt.Fprintf(&text, "[[miner]]\naddress = %q\n", m)
	}
	fmt.Fprintf(&text, "[[storage]]\npath = %q\n", s.chain.Storage())
	text.WriteString(cmp.Or(s.sends, "[wallet]\nkeystore = \"keystore\"\npassphrase_file = \"pass\"\n"))
	fmt.Fprintf(&text, "[dashboard]\nlisten = %q\n[data]\ndir = \"data\"\n", s.listens)
	path := filepath.Join(s.dir, "vigil.toml")
	write(s.t, filepath.Join(s.dir, "pass"), "open\n")
	write(s.t, path, text.String())
	config, err := Load(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.run, err = New(s.t.Context(), config, slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))); err != nil {
		s.t.Fatal(err)
	}
	s.stop = runs(s.t, s.run.Run)
	s.settle(len(miners))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// patience is how long an epoch lasts at most while the daemon still works.
const patience = 3 * time.Second

// step lets an epoch pass, and the daemon do what it has to do in it.
func (s *kept) step(epochs abi.ChainEpoch) {
	s.t.Helper()
	if err := s.chain.Advance(s.t.Context(), int(epochs)); err != nil {
		s.t.Fatal(err)
	}
	s.settle(len(s.run.Status().Miners))
}

// settle waits until the daemon has seen the head with its miners, and
// nothing is left that it could do at this epoch, or its time is over.
func (s *kept) settle(miners int) {
	s.t.Helper()
	over := time.After(patience)
	for {
		changed := s.run.Changed()
		if status := s.run.Status(); len(status.Miners) >= miners && s.idle(status) {
			return
		}
		select {
		case <-changed:
		case <-over:
			return
		case <-s.t.Context().Done():
			s.t.Fatal("the test is over")
		}
	}
}

// idle says that the daemon waits for the chain.
func (s *kept) idle(status vigil.Status) bool {
	for _, m := range status.Miners {
		if m.Epoch < s.chain.Epoch() {
			return false
		}
		for _, d := range m.Duties {
			if d.Running != "" || d.Message == vigil.MessageQueued || d.Message == vigil.MessageSigned {
				return false
			}
		}
	}
	return true
}

// through goes to the deadline that opens at the epoch and to the next miner's,
// an epoch later, and past them until their outcome is believed.
func (s *kept) through(open abi.ChainEpoch) {
	s.t.Helper()
	if before := open - 25; s.chain.Epoch() < before {
		s.step(before - s.chain.Epoch())
	}
	for s.chain.Epoch() < open+75 {
		s.step(1)
	}
}

// until lets epochs pass until something is so.
func (s *kept) until(what string, so func() bool) {
	s.t.Helper()
	for range 100 {
		if so() {
			return
		}
		s.step(1)
	}
	s.t.Fatalf("not in 100 epochs: %s; the daemon says\n%s", what, s.log.String())
}

// standing is what the chain has of a miner's sectors, in all its deadlines.
func (s *kept) standing(miner address.Address) (sum devnet.DeadlineView) {
	s.t.Helper()
	list, err := s.chain.Deadlines(s.t.Context(), miner)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, d := range list {
		sum.Live += d.Live
		sum.Faulty += d.Faulty
		sum.Recovering += d.Recovering
	}
	return sum
}

func (s *kept) counts(what string, miner address.Address, faulty, recovering uint64) {
	s.t.Helper()
	if now := s.standing(miner); now.Live != 2 || now.Faulty != faulty || now.Recovering != recovering {
		s.t.Fatalf("%s: of %d sectors %d are faulty and %d recovering, want %d and %d; the daemon says\n%s",
			what, now.Live, now.Faulty, now.Recovering, faulty, recovering, s.log.String())
	}
}

// says looks for a line of the log that has all these words.
func (s *kept) says(words ...string) {
	s.t.Helper()
	for line := range strings.Lines(s.log.String()) {
		has := true
		for _, word := range words {
			has = has && strings.Contains(line, word)
		}
		if has {
			return
		}
	}
	s.t.Errorf("no line of the log has %q:\n%s", words, s.log.String())
}

// lines is a log that is read while it is written.
type lines struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
