package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"
	actor "github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/filecoin-project/go-state-types/network"
	"github.com/ipfs/go-cid"
	cbg "github.com/whyrusleeping/cbor-gen"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/devnet"
)

// The scenarios that Lotus's integration tests tell of its Window PoSt, told to
// this daemon; docs/scenarios.md has the list. On the flock's chain a miner's
// first deadline opens at firstDeadline, and each partition has two sectors.

// lotus: itests/wdpost_test.go. The upgrade falls before the first epoch, into
// an open deadline, or between two proving periods' posts.
func TestWindowedPost(t *testing.T) {
	for _, height := range []abi.ChainEpoch{-1, 162, 5000} {
		t.Run(fmt.Sprintf("upgraded at %d", height), func(t *testing.T) {
			if height != 162 && os.Getenv("VIGIL_LONG") == "" {
				t.Skip("one height is enough for now; VIGIL_LONG=1 has all")
			}
			notUnderRace(t)
			of := flockOf{sectors: 10}
			if height >= 0 {
				of.version, of.upgrades = network.Version27, []devnet.Upgrade{{Epoch: height, Version: network.Version28}}
			}
			f, w := newScene(t, of)
			f.period("every sector is proved", 10)
			w.lose(0, 1, 2) // a whole partition, and half of the next
			f.period("three replicas are gone", 10-3)
			w.lose(0, 1)
			f.period("one of them is back", 10-2)
			if err := f.chain.AddSectors(f.miner(), 1); err != nil {
				t.Fatal(err)
			}
			f.period("there is a new sector", 10-2+1)
			if stats := f.chain.Stats().Total; stats.ProofsInvalid != 0 || stats.MessagesFailed != 0 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

func (f *flock) miner() address.Address { return f.chain.Miners()[0] }

// period lets a proving period pass, and counts the sectors that have power then.
func (f *flock) period(what string, power int) {
	f.t.Helper()
	f.through(f.chain.Epoch() + provingPeriod)
	f.has(what, power)
}

func (f *flock) has(what string, power int) {
	f.t.Helper()
	if got := f.power(f.miner()); got != power {
		f.t.Fatalf("epoch %d: %s: %d sectors have power, want %d; the daemon says\n%s", f.chain.Epoch(), what, got, power, tail(f.log.String(), 12_000))
	}
}

// lotus: itests/wdpost_test.go.
func TestWindowPostBaseFeeBurn(t *testing.T) {
	f, _ := newScene(t, flockOf{sectors: 2})
	burnt := f.balance("t099")
	f.to(firstDeadline + 12)
	if more := big.Sub(f.balance("t099"), burnt); more.Sign() <= 0 {
		t.Errorf("the post burnt %s", more)
	}
	var done struct{ GasCost struct{ BaseFeeBurn big.Int } }
	f.ask(&done, "StateReplay", nil, f.posted(firstDeadline))
	if done.GasCost.BaseFeeBurn.Sign() <= 0 {
		t.Errorf("the post's base fee burn is %s", done.GasCost.BaseFeeBurn)
	}
}

func (f *flock) balance(of string) big.Int {
	f.t.Helper()
	var a struct{ Balance big.Int }
	f.ask(&a, "StateGetActor", of, nil)
	return a.Balance
}

// duty is what the daemon says of the first post of a deadline.
func (f *flock) duty(open abi.ChainEpoch) vigil.DutyStatus {
	f.t.Helper()
	for _, d := range f.daemon.Status().Miners[0].Duties {
		if d.Kind == vigil.KindPost && d.Open == open {
			return d
		}
	}
	return vigil.DutyStatus{}
}

// posted is the message of the first post of a deadline.
func (f *flock) posted(open abi.ChainEpoch) cid.Cid {
	f.t.Helper()
	c, err := cid.Decode(f.duty(open).MessageIs)
	if err != nil {
		f.t.Fatalf("%+v: %v; the daemon says\n%s", f.duty(open), err, tail(f.log.String(), 12_000))
	}
	return c
}

// lotus: itests/wdpost_test.go.
func TestWindowPostV1P1NV20(t *testing.T) {
	f, _ := newScene(t, flockOf{sectors: 2, version: network.Version20})
	f.to(firstDeadline + 12)
	f.want("it posts", 0, 0) // it is counted at the close
	var m devnet.Message
	f.ask(&m, "ChainGetMessage", f.posted(firstDeadline))
	var params actor.SubmitWindowedPoStParams
	if err := params.UnmarshalCBOR(bytes.NewReader(m.Params)); err != nil {
		t.Fatal(err)
	}
	if got := params.Proofs[0].PoStProof; got != abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1 {
		t.Errorf("it posts proofs of type %d", got)
	}
	params.Proofs[0].PoStProof = abi.RegisteredPoStProof_StackedDrgWindow2KiBV1
	if code := f.would(builtin.MethodsMiner.SubmitWindowedPoSt, &params); code != exitcode.ErrIllegalArgument {
		t.Errorf("a proof of the old type gets exit code %d", code)
	}
	f.to(firstDeadline + 60 + 2)
	f.want("it is confirmed", 1, 0)
	dispute := &actor.DisputeWindowedPoStParams{Deadline: params.Deadline}
	if code := f.would(builtin.MethodsMiner.DisputeWindowedPoSt, dispute); code != exitcode.ErrIllegalArgument {
		t.Errorf("disputing a good proof gets exit code %d", code)
	}
}

// would is the exit code that a message of the miner's worker would have at the head.
func (f *flock) would(method abi.MethodNum, params cbg.CBORMarshaler) exitcode.ExitCode {
	f.t.Helper()
	var r struct {
		MsgRct struct{ ExitCode exitcode.ExitCode }
	}
	m := f.message(method, params)
	m.From, m.Value, m.GasFeeCap = f.key("worker").Address, big.Zero(), big.Zero()
	f.ask(&r, "StateCall", &m, nil)
	return r.MsgRct.ExitCode
}

func (f *flock) message(method abi.MethodNum, params cbg.CBORMarshaler) devnet.Message {
	f.t.Helper()
	var b bytes.Buffer
	if err := params.MarshalCBOR(&b); err != nil {
		f.t.Fatal(err)
	}
	return devnet.Message{To: f.miner(), Method: method, Params: b.Bytes(), GasLimit: 200_000_000, GasPremium: big.NewInt(200_000)}
}

func (f *flock) key(role string) *devnet.Key {
	f.t.Helper()
	k, err := devnet.ReadKey(f.chain.KeyFile(role, f.miner()))
	if err != nil {
		f.t.Fatal(err)
	}
	return k
}

// send sends a message from one of the miner's accounts, past the daemon.
func (f *flock) send(role string, m devnet.Message) {
	f.t.Helper()
	k := f.key(role)
	m.From = k.Address
	f.ask(&m.Nonce, "MpoolGetNonce", k.Address)
	m.GasFeeCap = big.Add(big.Mul(f.chain.BaseFee(), big.NewInt(10)), m.GasPremium)
	signed, err := k.SignMessage(m)
	if err != nil {
		f.t.Fatal(err)
	}
	var taken cid.Cid
	f.ask(&taken, "MpoolPush", signed)
}

// lotus: itests/wdpost_dispute_test.go. Somebody who has the worker's key posts
// a wrong proof first; the network takes it and fines it later. The miner cannot
// pay, so that the daemon's recovery waits for the money.
func TestWindowPostDispute(t *testing.T) {
	f, _ := newScene(t, flockOf{sectors: 4, disputer: true})
	if err := f.chain.SetBalance(f.miner(), fil(1)); err != nil {
		t.Fatal(err)
	}
	f.to(firstDeadline)
	if _, err := f.chain.WrongPost(t.Context(), f.miner(), 0); err != nil {
		t.Fatal(err)
	}
	f.to(opens(1) - 21)
	f.when("the next deadline is posted", func() bool { return f.duty(opens(1)).Message == vigil.MessageIncluded })
	f.patience = flockEpoch // the declaration cannot be sent yet, and is not waited for
	f.through(firstDeadline + 140)
	f.has("the disputed partition has no power, the next one is proved", 2)
	f.through(firstDeadline + provingPeriod - 100)
	if r := f.standing(); r.Recovering != 0 {
		t.Errorf("%d sectors are declared recovered by a miner in debt", r.Recovering)
	}
	f.says("what the miner owes is named", "/recover/", "in fees and can pay")
	if err := f.chain.SetBalance(f.miner(), fil(300)); err != nil {
		t.Fatal(err)
	}
	f.patience = usualPatience
	f.through(f.chain.Epoch() + 25)
	if r := f.standing(); r.Recovering != 2 {
		t.Errorf("the debt can be paid, and %d sectors are declared recovered; the daemon says\n%s", r.Recovering, tail(f.log.String(), 12_000))
	}
	f.through(firstDeadline + provingPeriod + 62)
	f.has("the recovery is proved", 4)
	if s := f.chain.Stats().Total; s.ProofsInvalid != 1 {
		t.Errorf("%d wrong proofs, want the forged one alone", s.ProofsInvalid)
	}
}

func fil(n int64) abi.TokenAmount { return big.Mul(big.NewInt(n), big.NewInt(1e18)) }

// standing is what the chain has of the miner's sectors, in all its deadlines.
func (f *flock) standing() (sum devnet.DeadlineView) {
	f.t.Helper()
	list, err := f.chain.Deadlines(f.t.Context(), f.miner())
	if err != nil {
		f.t.Fatal(err)
	}
	for _, d := range list {
		sum.Live += d.Live
		sum.Faulty += d.Faulty
		sum.Recovering += d.Recovering
	}
	return sum
}

// says looks for a line of the log that has all these words.
func (f *flock) says(what string, words ...string) {
	f.t.Helper()
	if !hasLine(f.log.String(), words...) {
		f.t.Errorf("%s: no line of the log has %q:\n%s", what, words, tail(f.log.String(), 12_000))
	}
}

func hasLine(text string, words ...string) bool {
	for line := range strings.Lines(text) {
		has := true
		for _, word := range words {
			has = has && strings.Contains(line, word)
		}
		if has {
			return true
		}
	}
	return false
}

// lotus: itests/wdpost_config_test.go. An operator declares a recovery with
// another tool, of sectors that the daemon has not found readable: it proves
// them all the same once they are, and declares nothing twice.
func TestWindowPostManualSectorsRecovery(t *testing.T) {
	f, w := newScene(t, flockOf{sectors: 4})
	w.lose(0, 1)
	f.through(firstDeadline + 140)
	f.has("a partition without a readable sector is missed", 2)
	next := firstDeadline + provingPeriod
	f.through(next - 90)
	f.send("owner", f.message(builtin.MethodsMiner.DeclareFaultsRecovered, &actor.DeclareFaultsRecoveredParams{
		Recoveries: []actor.RecoveryDeclaration{{Deadline: f.duty(firstDeadline).Deadline, Sectors: bitfield.NewFromSet([]uint64{0, 1})}},
	}))
	f.pass()
	w.lose()
	f.through(next + 140)
	f.has("what was declared by hand is proved", 4)
	if hasLine(f.log.String(), "recovery declared") {
		t.Error("the daemon declared it too")
	}
}

// lotus: itests/worker_config_test.go (no built-in Window PoSt, then with a
// worker) and worker_test.go (a worker that is gone in the middle of its work).
// The part that is about workers as processes waits for workers; what must
// hold of whoever proves holds here.
func TestWindowPostWithoutAProver(t *testing.T) {
	f, w := newScene(t, flockOf{sectors: 6})
	w.let(func(_ context.Context, at step, _ abi.SectorNumber) error {
		if at == proving {
			return errors.New("no prover is connected")
		}
		return nil
	})
	f.through(firstDeadline + 60 + 12)
	f.want("without a prover", 0, 1)
	if hasLine(f.log.String(), "msg=submitted") {
		t.Error("it posted without a prover")
	}
	f.says("why nothing was posted", "missed", "duty=t01000/66/0", "no prover is connected")
	f.to(firstDeadline + 60 + 30) // the second deadline is open, and there is nobody to prove
	w.lose(4)                     // now there is; a sector of the third is gone
	f.through(firstDeadline + 3*60 + 12)
	f.has("the second and third deadline, without the sector that is gone", 3)
	f.says("the sector is named", "sector is skipped", "sector=4 ")
}

// lotus: itests/worker_test.go, TestWindowPostWorkerDisconnected.
func TestWindowPostWorkerDisconnected(t *testing.T) {
	f, w := newScene(t, flockOf{sectors: 2})
	proofs := 0
	w.let(func(ctx context.Context, at step, _ abi.SectorNumber) error {
		if at != proving {
			return nil
		}
		if proofs++; proofs > 3 {
			return nil
		}
		return errors.New("the connection to the prover broke")
	})
	f.to(firstDeadline + 62)
	f.want("the fourth attempt proves it", 1, 0)
	if proofs != 4 {
		t.Errorf("%d proofs were begun, want 4: one at each head", proofs)
	}
}

// lotus: itests/deadlines_test.go. A miner without sectors rests; with its first
// ones its deadlines turn; they go on turning while nobody posts, and the daemon
// that is back recovers what was missed.
func TestDeadlineToggling(t *testing.T) {
	notUnderRace(t)
	f, _ := newScene(t, flockOf{sectors: -1})
	f.turns("without sectors", false)
	f.through(provingPeriod + 17)
	f.turns("a period later", false)
	if err := f.chain.AddSectors(f.miner(), 4); err != nil {
		t.Fatal(err)
	}
	f.pass() // they are there
	f.period("the new sectors are proved", 4)
	f.turns("with sectors", true)
	f.off(provingPeriod)
	f.turns("all is faulty", true)
	f.has("nobody posted", 0)
	f.period("what was missed is recovered", 4)
	if s := f.chain.Stats().Total; s.ProofsInvalid != 0 || s.MessagesFailed != 0 {
		t.Errorf("%+v", s)
	}
}

func (f *flock) turns(when string, want bool) {
	f.t.Helper()
	var s struct {
		State struct{ DeadlineCronActive bool }
	}
	f.ask(&s, "StateReadState", f.miner(), nil)
	if s.State.DeadlineCronActive != want {
		f.t.Errorf("%s: the miner's deadlines turn: %v", when, !want)
	}
}
