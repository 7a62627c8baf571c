package scenario_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/proof"

	"github.com/vigil-post/vigil/devnet"
	"github.com/vigil-post/vigil/devnet/scenario"
)

// notForRobots are the stories that the robot below cannot tell: it never uses
// the API, has no files and only one key. The daemon's tests tell them.
var notForRobots = map[string]string{
	"broken-sector":   "its sectors have no files",
	"wrong-proof":     "it posts first",
	"poor-sender":     "it has only the worker's key",
	"stolen-nonce":    "it does not look what became of its message",
	"sectors-all-day": "it posts the first partition only",
}

// robot posts the first partition of every deadline with a fake proof, and again
// after a while if it is not on chain.
type robot struct {
	n    *devnet.Network
	last abi.ChainEpoch
}

func (r *robot) look(ctx context.Context, t *testing.T) {
	t.Helper()
	list, err := r.n.Deadlines(ctx, r.n.Miners()[0])
	if err != nil {
		t.Fatal(err)
	}
	now := r.n.Epoch()
	for _, d := range list {
		if d.Current && d.Live > 0 && d.Posted < d.Partitions && (now >= r.last+4 || now < r.last) {
			r.last = now
			if _, err := r.n.Post(ctx, r.n.Miners()[0], []uint64{0}); err != nil {
				t.Logf("epoch %d: %v", now, err)
			}
		}
	}
}

// newPlayed makes a network for a scenario; its sectors have the shape of 8 MiB
// ones, which is that of 2 KiB.
func newPlayed(t *testing.T, s *scenario.Scenario) (*devnet.Network, *scenario.Player) {
	t.Helper()
	p := &scenario.Player{Scenario: s, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	cfg := devnet.Config{
		Dir: t.TempDir(), Manual: true, Log: p.Log, Disputer: true, Script: p.Step,
		Verify: func(proof.WindowPoStVerifyInfo) error { return nil },
	}
	if err := s.Network.Apply(&cfg); err != nil {
		t.Fatal(err)
	}
	cfg.SectorSizes, cfg.VerifyV1 = []abi.SectorSize{8 << 20}, cfg.Verify
	n, err := devnet.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n, p
}

// Every story that comes with the program is read, and told to its end.
func TestTheStoriesEndAsExpected(t *testing.T) {
	if len(scenario.Names()) < 12 {
		t.Fatalf("only %d stories", len(scenario.Names()))
	}
	for _, name := range scenario.Names() {
		t.Run(name, func(t *testing.T) {
			s, err := scenario.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			if s.Expect == nil {
				t.Error("it expects nothing")
			}
			if why, skip := notForRobots[name]; skip {
				t.Logf("read only; not for a robot: %s", why)
				return
			}
			tell(t, s)
		})
	}
}

func tell(t *testing.T, s *scenario.Scenario) {
	t.Helper()
	n, p := newPlayed(t, s)
	r := &robot{n: n, last: -10}
	for p.Until() == 0 || n.Epoch() < p.Until() {
		if err := n.Advance(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		r.look(t.Context(), t)
	}
	wrong, err := p.Judge(t.Context(), n)
	if err != nil || len(wrong) > 0 {
		t.Errorf("%v %v", wrong, err)
	}
}

func TestAnExpectationThatIsNotMetIsSaid(t *testing.T) {
	s, err := scenario.Parse("test", []byte(`
		about = "nobody posts"
		network.sectors = 8
		[expect]
		until = "close of the first deadline + 1"
		missed = 0
		confirmed = 1`))
	if err != nil {
		t.Fatal(err)
	}
	n, p := newPlayed(t, s)
	if err := n.Advance(t.Context(), 130); err != nil {
		t.Fatal(err)
	}
	wrong, err := p.Judge(t.Context(), n)
	if got := strings.Join(wrong, "; "); err != nil || got != "partitions missed: 1, not 0; partitions confirmed: 0, and it should be 1 at least" {
		t.Errorf("%q %v", got, err)
	}
}

func TestEventsHappenAtTheirEpochs(t *testing.T) {
	s, err := scenario.Parse("test", []byte(`
		about = "the base fee is set at edges of deadlines, and every ten epochs"
		network.sectors = 8
		[[event]]
		at = "challenge"
		base_fee = 1001
		[[event]]
		at = "open of the second deadline + 4"
		base_fee = 1002
		[[event]]
		at = "close of deadline 4 of t01000 - 1"
		base_fee = 1003
		for = "90s"
		[[event]]
		at = 10
		base_fee = 5000
		every = 10
		times = 3`))
	if err != nil {
		t.Fatal(err)
	}
	n, _ := newPlayed(t, s)
	at := map[int64]abi.ChainEpoch{}
	for range 260 {
		if err := n.Advance(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		fee := n.BaseFee().Int64()
		if fee == 5000 {
			fee += int64(n.Epoch())
		}
		if _, seen := at[fee]; !seen {
			at[fee] = n.Epoch()
		}
	}
	// Genesis opens the miner's first deadline with sectors at 66, and it is deadline 2.
	for fee, want := range map[int64]abi.ChainEpoch{1001: 46, 1002: 130, 1003: 245, 5010: 10, 5020: 20, 5030: 30, 5040: 0} {
		if at[fee] != want {
			t.Errorf("base fee %d at epoch %d, want %d", fee, at[fee], want)
		}
	}
}

func TestAFileThatCannotBeMeantIsRefusedInWords(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`about = `, "line 1, column "},
		{`[[event]]`, "it does not say what it is about"},
		{"about = \"x\"\nabuot = 3", `line 2: nothing here is called "abuot"`},
		{"about = \"x\"\n[[event]]\nat = 3\nreorgg = 4", `line 4: an event has no "reorgg"; it has one of add_sectors, `},
		{"about = \"x\"\n[[event]]\nat = 3", "event 1: nothing happens in it: say one of add_sectors, "},
		{"about = \"x\"\n[[event]]\nat = 3\nreorg = 4\nset_back = 1", "event 1: reorg and set_back happen at once"},
		{"about = \"x\"\n[[event]]\nreorg = 4", "event 1: it does not say when"},
		{"about = \"x\"\n[[event]]\nat = 0\nreorg = 4", "event 1: epoch 0: the first one that is made is 1"},
		{"about = \"x\"\n[[event]]\nat = \"tomorrow\"\nreorg = 4", `event 1: "tomorrow" is no point in time: say a number, or like`},
		{"about = \"x\"\n[[event]]\nat = \"open of deadline 48\"\nreorg = 4", "is no point in time"},
		{"about = \"x\"\n[[event]]\nat = \"open of the ninth deadline\"\nreorg = 4", "is no point in time"},
		{"about = \"x\"\n[[event]]\nat = \"open + 5 6\"\nreorg = 4", "is no point in time"},
		{"about = \"x\"\n[[event]]\nat = 3\nreorg = 4\nfor = 5", "event 1: for does not go with reorg"},
		{"about = \"x\"\n[[event]]\nat = 3\nbase_fee = \"high\"", "event 1: base_fee = high: say attoFIL per unit of gas, or a factor like \"x1000\""},
		{"about = \"x\"\n[[event]]\nat = 3\nbase_fee = 200\nfor = \"a while\"", `event 1: "a while" is no time`},
		{"about = \"x\"\n[[event]]\nat = 3\nnode = \"sulks\"", "event 1: a fault of kind \"sulks\": there are [hang"},
		{"about = \"x\"\n[[event]]\nat = 3\nnode = \"slow\"", "event 1: a slow call needs a delay"},
		{"about = \"x\"\n[[event]]\nat = 3\nrival = \"thief\"", "event 1: rival = \"thief\": it is owner, worker or control"},
		{"about = \"x\"\n[[event]]\nat = 3\nbalance = \"much\"", "event 1: \"much\" is no amount"},
		{"about = \"x\"\n[[event]]\nat = 3\ncalm = false", "event 1: it says that something does not happen"},
		{"about = \"x\"\n[[event]]\nat = 3\ncalm = true\ntimes = 3", "event 1: every is a number of epochs"},
		{"about = \"x\"\n[network]\nsector_sizes = [\"3KiB\"]", `sector size "3KiB": there are 2KiB`},
		{"about = \"x\"\n[expect]\nmissed = 0", "expect needs until"},
	} {
		_, err := scenario.Parse("test", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), "scenario test: "+c.want) && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestAStoryThatTheChainHasPassedIsRefused(t *testing.T) {
	s, err := scenario.Parse("test", []byte("about = \"too late\"\n[[event]]\nat = 5\nreorg = 1"))
	if err != nil {
		t.Fatal(err)
	}
	n, _ := newPlayed(t, &scenario.Scenario{About: "x"})
	if err := n.Advance(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	p := &scenario.Player{Scenario: s, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if err := p.Step(t.Context(), n, 11); err == nil || !strings.Contains(err.Error(), "event 1 is to happen at epoch 5, and the chain is at 10") {
		t.Errorf("%v", err)
	}
}

func TestAScenarioIsFoundByNameAndByFile(t *testing.T) {
	if _, err := scenario.Load("no-such-story"); err == nil || !strings.Contains(err.Error(), "neither a file nor one of those that come with this program: base-fee-spike, ") {
		t.Errorf("%v", err)
	}
	file := filepath.Join(t.TempDir(), "mine.toml")
	if err := os.WriteFile(file, []byte(`about = "nothing happens"`), 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := scenario.Load(file); err != nil || s.Name != "mine" {
		t.Errorf("%+v %v", s, err)
	}
}

func TestAnEventIsToldInTheFilesWords(t *testing.T) {
	s, err := scenario.Parse("test", []byte("about = \"x\"\n[[event]]\nat = 3\nfor = \"5m\"\nmethod = \"MpoolPush\"\nnode = \"cut\"\n[[event]]\nat = 4\nbase_fee = \"x10\""))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Events[0].String() + "; " + s.Events[1].String(); got != "node=cut for=5m method=MpoolPush; base_fee=x10" {
		t.Error(got)
	}
}
