package runner_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin"
	actor "github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/network"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/runner"
	"github.com/vigil-post/vigil/schedule"
)

const (
	minerID = abi.ActorID(1000)
	epoch   = 30 * time.Second
)

// world is a chain with one miner, and all that the runner works with. It
// knows the truth: what was posted when, which sectors are readable.
type world struct {
	mu sync.Mutex // guards everything below

	epoch      abi.ChainEpoch
	partitions map[uint64][]vigil.Partition // by deadline
	posted     map[string]abi.ChainEpoch    // "open/partition" to the epoch it was executed
	bad        map[abi.SectorNumber]string
	unknown    map[abi.SectorNumber]bool
	spoilt     map[abi.SectorNumber]bool // its vanilla proof was spoilt after it was read, and is so until it is looked at
	verdict    func(vigil.Statement) bool
	slow       map[abi.SectorNumber]time.Duration
	once       map[abi.SectorNumber]string // bad the first time it is read
	rehearse   bool
	reading    map[bool]int // sectors being read, for a duty or not
	disturbed  int          // reads for no duty that began while a duty's were read
	sealed     map[abi.SectorNumber]cid.Cid
	reader     vigil.SectorReader // the world itself if nil
	kept       map[vigil.DutyID]map[vigil.VanillaKey]vigil.VanillaProof
	dataDisk   time.Duration             // that one write to the shelf takes
	hung       map[abi.SectorNumber]bool // its storage does not answer
	pruned     bool                      // the node has no state of more than 10 epochs ago
	silent     bool                      // no notifications
	failing    map[string]int            // method to the number of failures left
	calls      map[string]int            // method to the number of calls
	inProof    map[vigil.DutyID]int
	overlap    bool
	prove      func(ctx context.Context) error
	prover     vigil.Prover              // the world itself if nil
	miners     []abi.ActorID             // minerID alone if empty; all have the same sectors
	at         map[abi.ChainEpoch]func() // what happens at an epoch
	fork       int                       // counts reorgs: the head's parent is then another
	shift      abi.ChainEpoch            // of the deadlines' numbers
	proofType  abi.RegisteredPoStProof   // of the network's rules now

	change  func(*runner.Config) // of the configuration
	started func(*runner.Runner)
	fails   func(method string) bool // says whether a call fails, besides failing

	log bytes.Buffer // guarded by the handler; to be read when no runner runs

	watchers []chan vigil.Head
	duties   map[vigil.DutyID]vigil.Duty
	recalled map[uint64]vigil.RehearsalStatus
	proofs   map[vigil.DutyID]vigil.Proof
	messages []vigil.Message
	stuck    bool // messages are not executed
	tickets  byte // of the fork: they go into what posts are tied to
	notes    []vigil.Event
}

func newWorld() *world {
	return &world{
		epoch: 985, proofType: abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1, partitions: map[uint64][]vigil.Partition{}, posted: map[string]abi.ChainEpoch{},
		bad: map[abi.SectorNumber]string{}, unknown: map[abi.SectorNumber]bool{}, hung: map[abi.SectorNumber]bool{},
		failing: map[string]int{}, calls: map[string]int{}, inProof: map[vigil.DutyID]int{},
		duties: map[vigil.DutyID]vigil.Duty{}, proofs: map[vigil.DutyID]vigil.Proof{},
		prove: func(ctx context.Context) error { return wait(ctx, 2*epoch) },
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// add gives a deadline one more partition with these sectors.
func (w *world) add(deadline uint64, sectors ...uint64) {
	set := bitfield.NewFromSet(sectors)
	w.partitions[deadline] = append(w.partitions[deadline], vigil.Partition{
		Index: uint64(len(w.partitions[deadline])), All: set, Live: set, Active: set,
		Faulty: bitfield.New(), Recovering: bitfield.New(),
	})
}

func (w *world) config(log *slog.Logger) runner.Config {
	if w.reader == nil {
		w.reader = w
	}
	if w.prover == nil {
		w.prover = w
	}
	c := runner.Config{
		Heads: w, State: w, Randomness: w, Sectors: w.reader, Prover: w.prover, Verifier: w, Messager: w, Store: w, Vanilla: w, Rehearsals: w, NoRehearsals: !w.rehearse,
		Miners: append([]abi.ActorID{}, w.miners...), Policy: schedule.DefaultPolicy, Log: log, Journal: w,
	}
	if w.change != nil {
		w.change(&c)
	}
	return c
}

// run lets the world and a runner live until the epoch.
func (w *world) run(t *testing.T, until abi.ChainEpoch) *runner.Runner {
	t.Helper()
	if len(w.miners) == 0 {
		w.miners = []abi.ActorID{minerID}
	}
	r, err := runner.New(w.config(slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), &w.log), nil))))
	if err != nil {
		t.Fatal(err)
	}
	if w.started != nil {
		w.started(r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	for w.now() < until {
		if err := wait(ctx, epoch); err != nil {
			t.Fatal(err)
		}
		if happens := w.at[w.now()+1]; happens != nil {
			synctest.Wait()
			happens()
		}
		w.tick()
		r.Nudge()
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return r
}

func (w *world) now() abi.ChainEpoch {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.epoch
}

// tick mines an epoch: messages sent before it are executed in it.
func (w *world) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.epoch++
	for i, m := range w.messages {
		if m.State == vigil.MessagePublished && !w.stuck {
			w.messages[i].State = vigil.MessageIncluded
			w.messages[i].Receipt = &vigil.Receipt{Epoch: w.epoch}
			duty := w.duties[m.Duty]
			for _, p := range duty.Partitions {
				w.posted[fmt.Sprintf("%d/%d", duty.ID.Open, p)] = w.epoch
				w.recovered(duty, p)
			}
			if m.Call.Method == builtin.MethodsMiner.DeclareFaultsRecovered {
				w.declared(m.Call)
			}
		}
	}
	if w.silent {
		return
	}
	for _, c := range w.watchers {
		select {
		case c <- w.head():
		default:
		}
	}
}

func (w *world) declared(call vigil.Call) {
	var params actor.DeclareFaultsRecoveredParams
	if err := params.UnmarshalCBOR(bytes.NewReader(call.Params)); err != nil {
		panic(err)
	}
	for _, r := range params.Recoveries {
		if err := r.Sectors.ForEach(func(n uint64) error { w.recovering(n); return nil }); err != nil {
			panic(err)
		}
	}
}

func (w *world) recovering(n uint64) {
	for _, partitions := range w.partitions {
		for i := range partitions {
			if held, _ := partitions[i].Faulty.IsSet(n); held {
				partitions[i].Recovering, _ = bitfield.MergeBitFields(partitions[i].Recovering, bitfield.NewFromSet([]uint64{n}))
			}
		}
	}
}

// recovered gives the recovering sectors of a partition that is posted their
// power back, but for those that the post skips.
func (w *world) recovered(duty vigil.Duty, index uint64) {
	p := &w.partitions[duty.Deadline.Index][index]
	skipped := bitfield.New()
	for _, bad := range duty.Skipped {
		skipped.Set(uint64(bad.Number))
	}
	p.Recovering, _ = bitfield.SubtractBitField(p.Recovering, skipped) // a new set: who has read it keeps it
	p.Active, _ = bitfield.MergeBitFields(p.Active, p.Recovering)
	p.Faulty, _ = bitfield.SubtractBitField(p.Faulty, p.Recovering)
	p.Recovering = bitfield.New()
}

func (w *world) head() vigil.Head {
	parent := strconv.Itoa(int(w.epoch - 1))
	if w.fork > 0 {
		parent, w.fork = "of another fork", 0
	}
	return vigil.Head{Key: vigil.TipSetKey(strconv.Itoa(int(w.epoch))), Parent: vigil.TipSetKey(parent), Epoch: w.epoch, BaseFee: abi.NewTokenAmount(100)}
}

// called counts a call and fails it when it is to fail.
func (w *world) called(method string) error {
	w.calls[method]++
	if w.failing[method] > 0 {
		w.failing[method]--
		return errors.New(method + ": connection refused")
	}
	if w.fails != nil && w.fails(method) {
		return errors.New(method + ": it was to fail")
	}
	return nil
}

func at(key vigil.TipSetKey) abi.ChainEpoch {
	n, err := strconv.Atoi(string(key))
	if err != nil {
		panic(err)
	}
	return abi.ChainEpoch(n)
}

func (w *world) Network(context.Context) (vigil.Network, error) {
	return vigil.Network{Name: "test", Version: network.Version28, BlockDelay: epoch}, nil
}

func (w *world) Head(context.Context) (vigil.Head, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.head(), w.called("Head")
}

func (w *world) Watch(context.Context) <-chan vigil.Head {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan vigil.Head, 1)
	w.watchers = append(w.watchers, c)
	if !w.silent {
		c <- w.head()
	}
	return c
}

func (w *world) At(_ context.Context, epoch abi.ChainEpoch, key vigil.TipSetKey) (vigil.Head, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	epoch = min(epoch, at(key))
	return vigil.Head{Key: vigil.TipSetKey(strconv.Itoa(int(epoch))), Epoch: epoch}, w.called("At")
}

func (w *world) Miner(context.Context, abi.ActorID, vigil.TipSetKey) (vigil.MinerInfo, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	worker, _ := address.NewIDAddress(101)
	return vigil.MinerInfo{Miner: minerID, Owner: worker, Worker: worker, ProofType: w.proofType}, w.called("Miner")
}

func (w *world) Deadline(_ context.Context, _ abi.ActorID, key vigil.TipSetKey) (vigil.Deadline, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := at(key) / 60
	open := n * 60
	return vigil.Deadline{
		Index: uint64(n+w.shift) % 48, Count: 48, FaultCutoff: open - 70, Challenge: open - 20, Open: open, Close: open + 60,
	}, w.called("Deadline")
}

// Partitions shows the truth of the deadline that closed last: what was not
// posted has no active sectors.
func (w *world) Partitions(_ context.Context, _ abi.ActorID, deadline uint64, key vigil.TipSetKey) ([]vigil.Partition, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pruned && at(key) < w.epoch-10 {
		return nil, errors.New("the state is not here")
	}
	list := slices.Clone(w.partitions[deadline])
	n := at(key) / 60
	for back := abi.ChainEpoch(1); back <= 40; back++ {
		open := (n - back) * 60
		if uint64(n-back)%48 != deadline || open+60 <= 1000 {
			continue
		}
		for i := range list {
			if _, ok := w.posted[fmt.Sprintf("%d/%d", open, i)]; !ok {
				list[i].Active = bitfield.New()
			}
		}
	}
	return list, w.called("Partitions")
}

func (w *world) Posted(_ context.Context, _ abi.ActorID, key vigil.TipSetKey) ([]bitfield.BitField, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sets := make([]bitfield.BitField, 48)
	for i := range sets {
		sets[i] = bitfield.New()
	}
	open := at(key) / 60 * 60
	for i := range w.partitions[uint64(open/60)%48] {
		when, ok := w.posted[fmt.Sprintf("%d/%d", open, i)]
		if ok && when < at(key) {
			sets[open/60%48].Set(uint64(i))
		}
	}
	return sets, w.called("Posted")
}

func (w *world) Sectors(_ context.Context, _ abi.ActorID, set bitfield.BitField, _ vigil.TipSetKey) ([]vigil.Sector, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var sectors []vigil.Sector
	err := set.ForEach(func(n uint64) error {
		c, _ := cid.Decode("bagboea4b5abcbne3v3hh6bhgatc3dop72pnztj4xtvmppj4sq3jnieqoesx")
		if own, ok := w.sealed[abi.SectorNumber(n)]; ok {
			c = own
		}
		sectors = append(sectors, vigil.Sector{Number: abi.SectorNumber(n), SealedCID: c})
		return nil
	})
	return sectors, errors.Join(err, w.called("Sectors"))
}

func (w *world) Faults(context.Context, abi.ActorID, vigil.TipSetKey) (faulty, recovering bitfield.BitField, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, partitions := range w.partitions {
		for _, p := range partitions {
			faulty, _ = bitfield.MergeBitFields(faulty, p.Faulty)
			recovering, _ = bitfield.MergeBitFields(recovering, p.Recovering)
		}
	}
	return faulty, recovering, w.called("Faults")
}

func (w *world) Challenge(_ context.Context, _ abi.ActorID, epoch abi.ChainEpoch, _ vigil.TipSetKey) ([32]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return [32]byte{byte(epoch)}, w.called("Challenge")
}

func (w *world) Commit(_ context.Context, epoch abi.ChainEpoch, _ vigil.TipSetKey) ([32]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return [32]byte{1, byte(epoch), w.tickets}, w.called("Commit")
}

func (w *world) Read(ctx context.Context, r vigil.ReadRequest) (vigil.VanillaProof, error) {
	w.mu.Lock()
	slow := w.slow[r.Sector.Number]
	duty := r.Randomness[1] == 0 // the world's challenges have one byte
	if w.reading == nil {
		w.reading = map[bool]int{}
	}
	if !duty && w.reading[true] > 0 {
		w.disturbed++
	}
	w.reading[duty]++
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.reading[duty]--
	}()
	if slow > 0 {
		if err := wait(ctx, slow); err != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	if w.hung[r.Sector.Number] { // the reader gives it up after a while
		w.mu.Unlock()
		return nil, cmp.Or(wait(ctx, 30*time.Second), errors.New("the storage does not answer"))
	}
	defer w.mu.Unlock()
	w.calls["tried to read"]++
	if cause, bad := w.once[r.Sector.Number]; bad {
		delete(w.once, r.Sector.Number)
		return nil, &vigil.SectorError{Sector: r.Sector.Number, Cause: cause}
	}
	if cause, bad := w.bad[r.Sector.Number]; bad {
		return nil, &vigil.SectorError{Sector: r.Sector.Number, Cause: cause}
	}
	if w.unknown[r.Sector.Number] {
		return nil, errors.New("storage is not there")
	}
	return vigil.VanillaProof{1}, w.called("Read")
}

func (w *world) Recheck(r vigil.ReadRequest, _ vigil.VanillaProof) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.spoilt[r.Sector.Number] {
		delete(w.spoilt, r.Sector.Number)
		return errors.New("the path's root is not comm_r_last")
	}
	return nil
}

func (w *world) Prove(ctx context.Context, r vigil.ProveRequest) ([]byte, error) {
	w.mu.Lock()
	w.inProof[r.Duty]++
	w.overlap = w.overlap || w.inProof[r.Duty] > 1
	err, prove := w.called("Prove"), w.prove
	w.mu.Unlock()
	if err == nil {
		err = prove(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inProof[r.Duty]--
	return []byte("proof"), err
}

func (w *world) Verify(_ context.Context, s vigil.Statement, _ []byte) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.verdict == nil || w.verdict(s), w.called("Verify")
}

func (w *world) Push(_ context.Context, r vigil.MessageRequest) (vigil.Message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.called("Push"); err != nil {
		return vigil.Message{}, err
	}
	for _, m := range w.messages {
		if m.ID == r.ID {
			return m, nil
		}
	}
	w.messages = append(w.messages, vigil.Message{MessageRequest: r, State: vigil.MessagePublished})
	return w.messages[len(w.messages)-1], nil
}

func (w *world) Messages(context.Context, abi.ActorID, abi.ChainEpoch) ([]vigil.Message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.messages), w.called("Messages")
}

func (w *world) Note(e vigil.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, e)
}

func (w *world) Duties(_ context.Context, miner abi.ActorID, _ abi.ChainEpoch) ([]vigil.Duty, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	duties := slices.DeleteFunc(slices.Collect(maps.Values(w.duties)), func(d vigil.Duty) bool { return d.ID.Miner != miner })
	return duties, w.called("Duties")
}

func (w *world) SaveDuty(_ context.Context, d vigil.Duty) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.duties[d.ID] = d
	return w.called("SaveDuty")
}

func (w *world) SaveProof(_ context.Context, p vigil.Proof, d vigil.Duty) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.duties[d.ID], w.proofs[d.ID] = d, p
	return w.called("SaveProof")
}

func (w *world) Proof(_ context.Context, id vigil.DutyID) (vigil.Proof, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p, ok := w.proofs[id]; ok {
		return p, w.called("Proof")
	}
	return vigil.Proof{}, vigil.ErrNotFound
}

func (w *world) DropProof(_ context.Context, d vigil.Duty) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.proofs, d.ID)
	w.duties[d.ID] = d
	return w.called("DropProof")
}

func (w *world) Rehearsals(context.Context, abi.ActorID) ([]vigil.RehearsalStatus, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.recalled)), w.called("Rehearsals")
}

func (w *world) SaveRehearsal(_ context.Context, _ abi.ActorID, r vigil.RehearsalStatus) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.recalled == nil {
		w.recalled = map[uint64]vigil.RehearsalStatus{}
	}
	w.recalled[r.Deadline] = r
	return w.called("SaveRehearsal")
}
