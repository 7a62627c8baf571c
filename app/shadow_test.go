package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/shadow"
)

// noKeys is a wallet that nobody may ask: a miner in shadow needs none.
type noKeys struct{ t *testing.T }

func (k noKeys) Has(context.Context, address.Address) (bool, error) {
	k.t.Error("a key was asked for")
	return false, errors.New("a key was asked for")
}

func (k noKeys) Sign(context.Context, vigil.SignedMessage) (crypto.Signature, error) {
	k.t.Error("a message was to be signed")
	return crypto.Signature{}, errors.New("a message was to be signed")
}

// inShadow is a second daemon on the same chain, in shadow of the first.
func (f *flock) inShadow() (*flock, *workshop) {
	f.t.Helper()
	w := &workshop{}
	s := &flock{t: f.t, chain: f.chain, lines: f.lines, log: &journal{}, patience: f.patience, config: f.config}
	s.config.Shadow, s.config.Data = f.config.Miners, filepath.Join(f.t.TempDir(), "data")
	s.tools = w.tools(tools{keys: noKeys{f.t}})
	s.start(s.config, s.tools)
	return s, w
}

// both lets epochs pass one by one up to an epoch, and both daemons do all that
// they can do in each.
func both(f, s *flock, epoch abi.ChainEpoch) {
	f.t.Helper()
	for f.chain.Epoch() < epoch {
		f.pass()
		for began := time.Now(); !s.idle() && time.Since(began) < s.patience; {
			s.pause(flockEpoch / 50)
		}
	}
}

// record waits for the record of the n-th deadline with sectors, and for the
// verdict on what was posted. Epochs pass only if it does not come without them.
func (f *flock) record(n int) vigil.ShadowRecord {
	f.t.Helper()
	for tries := range 200 {
		records, err := f.daemon.shadows(f.t.Context(), opens(n))
		if err != nil {
			f.t.Fatal(err)
		}
		if len(records) > 0 && records[0].Deadline.Open == opens(n) {
			if p := records[0].Partitions[0]; !p.Theirs.Posted || p.Theirs.Verdict != "" {
				return records[0]
			}
		}
		f.pause(flockEpoch / 10)
		if tries > 100 {
			f.pass()
		}
	}
	f.t.Fatalf("there is no record of deadline %d; the daemon says\n%s", n, tail(f.log.String(), 12_000))
	return vigil.ShadowRecord{}
}

// compared checks the one line about a deadline.
func (f *flock) compared(n int, what string, want shadow.Verdict, says ...string) {
	f.t.Helper()
	lines := shadow.Compare(f.record(n), shadow.DefaultLate)
	if len(lines) != 1 || lines[0].Verdict != want {
		f.t.Errorf("%s: %+v, want %s; the daemon in shadow says\n%s", what, lines, want, tail(f.log.String(), 6_000))
		return
	}
	for _, words := range says {
		if !strings.Contains(strings.Join(lines[0].Why, "; "), words) {
			f.t.Errorf("%s: %q does not say %q", what, lines[0].Why, words)
		}
	}
}

// failsAt is what happens when a step fails.
func failsAt(at step) func(context.Context, step, abi.SectorNumber) error {
	return func(_ context.Context, now step, _ abi.SectorNumber) error {
		if now == at {
			return errOutOfOrder
		}
		return nil
	}
}

var errOutOfOrder = errors.New("out of order")

// choosy is a workshop that may fail to prove a deadline, by its opening.
type choosy struct {
	*workshop
	fails func(open abi.ChainEpoch) bool
}

func (c choosy) Prove(ctx context.Context, r vigil.ProveRequest) ([]byte, error) {
	if c.fails(r.Duty.Open) {
		return nil, errOutOfOrder
	}
	return c.workshop.Prove(ctx, r)
}

// choosy gives the daemon a prover that fails for some deadlines.
func (f *flock) choosy(w *workshop, fails func(open abi.ChainEpoch) bool) {
	f.tools.maths = choosy{w, fails}
	f.restart()
}

// A day in the shadow of a daemon that makes mistakes: the report has each of
// them, and none that it did not make.
func TestAShadowFindsEachMistakeOfWhoPosts(t *testing.T) {
	notUnderRace(t)
	f, w := newScene(t, flockOf{sectors: 92})
	s, ours := f.inShadow()
	bad := func(n int) abi.SectorNumber { return abi.SectorNumber(2 * n) }
	f.choosy(w, func(open abi.ChainEpoch) bool {
		missed, wrong := open == opens(1), open == opens(4)
		return missed || wrong || open == opens(3) && f.chain.Epoch() < open+38
	})
	w.lose(bad(2), bad(1), bad(1)+1) // skipped, and what is missed is not recovered
	s.choosy(ours, func(open abi.ChainEpoch) bool {
		return open == opens(5) || open == opens(2) && f.chain.Epoch() < open+12 // after theirs, and not too late
	})
	ours.lose(bad(6))

	both(f, s, opens(4)+2)
	if _, err := f.chain.WrongPost(t.Context(), f.chain.Miners()[0], 0); err != nil {
		t.Fatal(err)
	}
	both(f, s, opens(6)+70)

	s.compared(0, "all is well", shadow.Same)
	s.compared(1, "a miss", shadow.Better, "they missed it: 2 sectors lost power")
	s.compared(2, "a skipped sector", shadow.Better, "they skipped 1 sector that vigil read and proved: "+bad(2).String())
	id := vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: opens(2)}
	if proof, err := s.daemon.store.Proof(t.Context(), id); err != nil || len(proof.Statement.Sectors) != 2 {
		t.Errorf("a proof made after theirs is not of what was owed before it: %+v, %v", proof.Statement.Sectors, err)
	}
	s.compared(3, "a late post", shadow.Better, "they were late: posted at epoch ")
	s.compared(4, "a wrong proof", shadow.Better, "their proof is wrong")
	s.compared(5, "a miss of ours", shadow.Worse, "ours was not ready in time: not proved (", "out of order")
	s.compared(6, "a bad sector of ours", shadow.Worse, "vigil would have skipped 1 sector that they proved: "+bad(6).String(), "replica: missing")

	records, err := s.daemon.shadows(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	got := shadow.NewReport(records, shadow.DefaultLate).Summary
	records = slices.DeleteFunc(records, func(r vigil.ShadowRecord) bool { return r.Deadline.Open > opens(6) })
	post := records[0].Posts[0]
	if post.From == address.Undef || post.Epoch <= opens(0) || !post.ExitCode.IsSuccess() || post.Paid.Sign() <= 0 || records[0].Partitions[0].Theirs.Message != post.Message.String() {
		t.Errorf("their first post: %+v", post)
	}
	if got.Deadlines != 7 || got.Verdicts[shadow.Better] != 4 || got.Verdicts[shadow.Worse] != 2 || got.Paid.Sign() <= 0 {
		t.Errorf("the summary is %+v", got)
	}
	s.silence()
	if os.Getenv("VIGIL_LONG") == "" {
		return // what follows takes a proving period
	}
	both(f, s, opens(1)+provingPeriod+70)
	records, err = s.daemon.shadows(t.Context(), opens(1)+provingPeriod)
	if err != nil || len(records) == 0 {
		t.Fatalf("%+v, %v", records, err)
	}
	lines := shadow.Compare(records[0], shadow.DefaultLate)
	if last := lines[len(lines)-1]; !last.Recovery || last.Verdict != shadow.Better || !strings.Contains(last.Why[0], "they did not declare 2 sectors recovered that can be read: 2, 3") {
		t.Errorf("recoveries that were not declared: %+v", lines)
	}
}

// silence checks that a daemon in shadow has handed over no message and knows of none.
func (f *flock) silence() {
	f.t.Helper()
	for _, id := range f.config.Miners {
		messages, err := f.daemon.courier.Messages(f.t.Context(), id, 0)
		if err != nil || len(messages) > 0 {
			f.t.Errorf("in shadow there are messages: %+v, %v", messages, err)
		}
	}
	for _, m := range f.daemon.Status().Miners {
		if !m.Shadow {
			f.t.Errorf("the status does not say that %s is in shadow", m.Miner)
		}
	}
}

// In shadow nobody posts here: the sectors become faulty, would be declared
// recovered, and still nothing of any kind is signed or sent.
func TestInShadowNoMessageOfAnyKindIsMade(t *testing.T) {
	f, _ := newScene(t, flockOf{sectors: 92})
	f.stop()
	f.config.Shadow, f.config.Data = f.config.Miners, filepath.Join(t.TempDir(), "shadow")
	f.tools.keys = noKeys{t}
	f.start(f.config, f.tools)
	f.to(opens(1) + 30)
	declared := func() bool {
		return slices.ContainsFunc(f.daemon.Status().Miners[0].Duties, func(d vigil.DutyStatus) bool {
			return d.Kind == vigil.KindRecover && d.Row.State == vigil.StateShadowed && len(d.Row.Sectors) == 2
		})
	}
	f.when("a recovery would be declared", declared)
	f.silence()
	request := vigil.MessageRequest{ID: "x", Duty: vigil.DutyID{Kind: vigil.KindRecover, Miner: 1000}, Call: vigil.Call{To: vigil.MinerAddress(1000)}}
	if _, err := (withheld{f.daemon.courier, f.config.Shadow}).Push(t.Context(), request); err == nil || !strings.Contains(err.Error(), "t01000 is in shadow") {
		t.Errorf("a message is taken: %v", err)
	}
	if _, err := (mute{f.daemon.nodes, f.config.Shadow}).PushMessage(t.Context(), vigil.SignedMessage{Call: request.Call}); err == nil || !strings.Contains(err.Error(), "t01000 is in shadow") {
		t.Errorf("a message is sent: %v", err)
	}
	if n := f.chain.Stats().Total.Messages; n != 0 {
		t.Errorf("%d messages are on chain", n)
	}
	if record := f.record(0); len(record.Posts) != 0 || record.Partitions[0].Ours.State != vigil.StateShadowed {
		t.Errorf("of a deadline that nobody posts: %+v", record)
	}
}

// A miner goes live in the middle of a deadline: what is posted by then is not
// posted again, what is not is sent from the proof that is there, and the other
// way round nothing is sent any more.
func TestGoingLiveInTheMiddleOfADeadlinePostsNothingTwice(t *testing.T) {
	f, w := newScene(t, flockOf{sectors: 92})
	s, ours := f.inShadow()
	live := s.config
	live.Shadow = nil
	s.tools = ours.tools(tools{keys: f.tools.keys.(*workshop).keys})

	both(f, s, opens(0)+20) // it is posted, and ours would have been sent
	f.stop()
	s.stop()
	s.start(live, s.tools)
	s.config.Shadow = nil
	s.to(opens(0) + 58)
	if got := s.chain.Stats().Total; got.Messages != 1 || got.MessagesFailed != 0 {
		t.Errorf("a posted partition: %d messages, %d failed", got.Messages, got.MessagesFailed)
	}

	s.stop()
	w.let(failsAt(proving)) // who posts is in trouble
	s.config.Shadow = live.Miners
	s.start(s.config, s.tools)
	s.to(opens(1) + 20) // ours would have been sent
	s.stop()
	ours.let(failsAt(proving)) // and needs no second proof
	s.config.Shadow = nil
	s.start(s.config, s.tools)
	s.to(opens(1) + 62)
	s.want("the deadline of the change", 2, 0)
	if got := s.chain.Stats().Total; got.Messages != 2 {
		t.Errorf("%d messages for 2 partitions", got.Messages)
	}
}

// shadowed is a configuration with these miners, in shadow or not, and no wallet.
func shadowed(t *testing.T, miners string) (string, string) {
	t.Helper()
	dir := place(t)
	return dir, "[node]\nurl = \"http://127.0.0.1:1234/rpc/v1\"\n" + miners + "\n[[storage]]\npath = \"sectors\"\n[proofs]\nparameters = \"params\"\n[data]\ndir = \"data\"\n"
}

func TestAMinerInShadowNeedsNoKey(t *testing.T) {
	const one, other = "[[miner]]\naddress = \"f01000\"\nshadow = true\n", "[[miner]]\naddress = \"f01001\"\n"
	dir, text := shadowed(t, one)
	c, err := parse("vigil.toml", dir, []byte(text+"[wallet]\nkeystore = \"nowhere\"\n"), noEnv)
	if err != nil {
		t.Fatalf("all in shadow: %v", err)
	}
	if !slices.Equal(c.Shadow, []abi.ActorID{1000}) || c.Wallet.Keystore != "" {
		t.Errorf("all in shadow: %v, and the keystore %q is opened", c.Shadow, c.Wallet.Keystore)
	}
	dir, text = shadowed(t, one+other)
	if _, err := parse("vigil.toml", dir, []byte(text), noEnv); err == nil || !strings.Contains(err.Error(), "no keystore is given") {
		t.Errorf("one live without a wallet: %v", err)
	}
	c, err = parse("vigil.toml", dir, []byte(text+"[wallet]\nkeystore = \"keystore\"\npassphrase_file = \"pass\"\n"), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	from, err := address.NewSecp256k1Address(make([]byte, 65))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wallet.Policy.Allows(vigil.Call{From: from, To: vigil.MinerAddress(1000), Method: 5, Value: abi.NewTokenAmount(0)}); err == nil {
		t.Error("keys sign posts of a miner in shadow")
	}
	if err := c.Wallet.Policy.Allows(vigil.Call{From: from, To: vigil.MinerAddress(1001), Method: 5, Value: abi.NewTokenAmount(0)}); err != nil {
		t.Errorf("keys do not sign posts of the live one: %v", err)
	}
}

func TestGoingLiveIsSaidToNeedARestart(t *testing.T) {
	dir, text := shadowed(t, "[[miner]]\naddress = \"f01000\"\nshadow = true\n")
	was, err := parse("vigil.toml", dir, []byte(text), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	is, err := parse("vigil.toml", dir, []byte(strings.Replace(text, "shadow = true", "", 1)+"[wallet]\nkeystore = \"keystore\"\npassphrase_file = \"pass\"\n"), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	changes := was.Changes(is)
	if !slices.Contains(changes, Change{Key: "miner[0].shadow", Was: "true", Is: "false"}) {
		t.Errorf("%+v", changes)
	}
}
