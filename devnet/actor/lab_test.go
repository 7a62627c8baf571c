package actor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/cbor"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	cbg "github.com/whyrusleeping/cbor-gen"
	"golang.org/x/crypto/blake2b"
)

// lab is one miner on a chain that consists of its epoch.
type lab struct {
	t      testing.TB
	rt     *Runtime
	head   cid.Cid
	blocks *memory
	// claim and pledge are the sums of what the calls have returned.
	claim  miner.PowerPair
	pledge abi.TokenAmount
	next   abi.SectorNumber
	// mixed says that two of three new sectors have no verified deals.
	mixed bool
	// right is what the verifier thinks of every proof.
	right bool
	asked []proof.WindowPoStVerifyInfo
}

const (
	owner    abi.ActorID = 101
	worker   abi.ActorID = 102
	control  abi.ActorID = 103
	stranger abi.ActorID = 100
)

func newLab(t testing.TB, id abi.ActorID, kind abi.RegisteredPoStProof, epoch, periodStart abi.ChainEpoch) *lab {
	t.Helper()
	l := &lab{t: t, blocks: newMemory(), right: true, claim: miner.NewPowerPairZero(), pledge: big.Zero()}
	l.rt = &Runtime{
		Store: l.blocks.store(t.Context()), Epoch: epoch, Miner: id, Caller: worker, Balance: fil(1_000_000),
		Tickets: drawAny, Beacon: drawAny,
		Verify: func(q proof.WindowPoStVerifyInfo) error {
			l.asked = append(l.asked, q)
			if l.right {
				return nil
			}
			return errors.New("wrong")
		},
	}
	var err error
	l.head, err = Construct(l.rt, Config{Owner: owner, Worker: worker, Control: []abi.ActorID{control}, ProofType: kind, PeriodStart: &periodStart})
	check(t, err)
	return l
}

// drawAny is randomness that depends on all that was asked.
func drawAny(tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte) ([]byte, error) {
	return drawFrom(nil, tag, epoch, entropy), nil
}

// took books the effects of a call.
func (l *lab) took(out Effects) {
	l.head = out.Head
	l.claim = l.claim.Add(out.Power)
	l.pledge = big.Add(l.pledge, out.Pledge)
	l.rt.Balance = big.Sub(l.rt.Balance, big.Sum(out.Burn, out.Reward, out.Withdrawn))
}

// add gives the miner its next n sectors.
func (l *lab) add(n int, life abi.ChainEpoch) {
	l.t.Helper()
	out, err := AddSectors(l.rt, l.head, l.fresh(n, life))
	check(l.t, err)
	l.took(out)
}

// fresh makes the miner's next n sectors.
func (l *lab) fresh(n int, life abi.ChainEpoch) (infos []*miner.SectorOnChainInfo) {
	l.t.Helper()
	info := l.view().Info
	seal := map[abi.RegisteredPoStProof]abi.RegisteredSealProof{
		abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1:  abi.RegisteredSealProof_StackedDrg2KiBV1_1,
		abi.RegisteredPoStProof_StackedDrgWindow32GiBV1_1: abi.RegisteredSealProof_StackedDrg32GiBV1_1,
	}[info.WindowPoStProofType]
	for range n {
		infos = append(infos, &miner.SectorOnChainInfo{
			SectorNumber: l.next, SealProof: seal, SealedCID: sealed(l.t, l.next),
			Activation: l.rt.Epoch, PowerBaseEpoch: l.rt.Epoch, Expiration: l.rt.Epoch + life,
			DealWeight: big.Zero(), VerifiedDealWeight: big.Mul(big.NewIntUnsigned(uint64(info.SectorSize)), big.NewInt(int64(life))),
			InitialPledge: big.NewInt(1000), DailyFee: big.NewInt(7), Flags: miner.SIMPLE_QA_POWER,
		})
		if l.mixed && l.next%3 > 0 {
			infos[len(infos)-1].VerifiedDealWeight = big.Zero()
		}
		l.next++
	}
	return infos
}

func sealed(t testing.TB, n abi.SectorNumber) cid.Cid {
	t.Helper()
	commR := blake2b.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	mh, err := multihash.Encode(commR[:], 0xb401)
	check(t, err)
	return cid.NewCidV1(0xf102, mh)
}

// activate gives power to what has not been proven yet, as a genesis does.
func (l *lab) activate() {
	l.t.Helper()
	s, err := begin(l.rt, l.head)
	check(l.t, err)
	f, err := s.frame(s.st.Sectors, s.deadline())
	check(l.t, err)
	for i := range miner.WPoStPeriodDeadlines {
		check(l.t, s.edit(i, func(d *deadline) error {
			arr, err := d.PartitionsArray(f.store)
			check(l.t, err)
			for n := range arr.Length() {
				check(l.t, d.edit(f, []uint64{n}, func(_ uint64, p *partition) error {
					s.out.Power = s.out.Power.Add(p.ActivateUnproven())
					return nil
				}))
			}
			return nil
		}))
	}
	out, err := s.end()
	check(l.t, err)
	l.took(out)
}

// until lets the epochs pass and gives what became of the deadlines that closed.
// It visits only the last epochs of deadlines: TestOnlyTheLastEpochOfADeadlineCloses
// shows that the others change nothing.
func (l *lab) until(epoch abi.ChainEpoch) (closed []*Closed) {
	l.t.Helper()
	for l.rt.Epoch < epoch {
		last := l.view().ProvingDeadline(l.rt.Epoch).Last()
		if last >= epoch {
			break
		}
		l.rt.Epoch = last
		if c := l.end().Closed; c != nil {
			closed = append(closed, c)
		}
	}
	l.rt.Epoch = epoch
	return closed
}

// end is the cron of this epoch; the next begins.
func (l *lab) end() Effects {
	l.t.Helper()
	out, err := EndEpoch(l.rt, l.head)
	check(l.t, err)
	l.took(out)
	l.rt.Epoch++
	return out
}

// forget drops every block that the miner's state does not need.
func (l *lab) forget() {
	l.t.Helper()
	keep := newMemory()
	var walk func(c cid.Cid)
	walk = func(c cid.Cid) {
		data, ok := l.blocks.find(c)
		if keep.has(c) || !ok { // sealed CIDs are no blocks
			return
		}
		check(l.t, keep.Put(c, data))
		check(l.t, cbg.ScanForLinks(bytes.NewReader(data), walk))
	}
	walk(l.head)
	l.blocks = keep
	l.rt.Store = keep.store(l.rt.Store.Context())
}

func (l *lab) view() *View {
	l.t.Helper()
	v, err := Open(l.rt.Store, l.head)
	check(l.t, err)
	return v
}

func (l *lab) partitions(deadline uint64) []Partition {
	l.t.Helper()
	ps, err := l.view().Partitions(deadline)
	check(l.t, err)
	return ps
}

// call executes a message and keeps what it did.
func (l *lab) call(method abi.MethodNum, params cbor.Marshaler) (Effects, error) {
	l.t.Helper()
	var b bytes.Buffer
	check(l.t, params.MarshalCBOR(&b))
	return l.send(method, b.Bytes())
}

func (l *lab) send(method abi.MethodNum, params []byte) (Effects, error) {
	out, err := Invoke(l.rt, l.head, method, params)
	if err == nil {
		l.took(out)
	}
	return out, err
}

// refused asserts the exit code and the words of a refusal.
func refused(t testing.TB, err error, want exitcode.ExitCode, words string) {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("got %v, want exit code %d: %s", err, want, words)
	}
	if r.Code != want || r.Text != words {
		t.Fatalf("got exit code %d: %s\nwant %d: %s", r.Code, r.Text, want, words)
	}
}

// post is a message that proves partitions of the open deadline.
func (l *lab) post(skipped map[uint64][]uint64, partitions ...uint64) (Effects, error) {
	l.t.Helper()
	v := l.view()
	d := v.ProvingDeadline(l.rt.Epoch)
	rand, err := l.rt.Tickets(crypto.DomainSeparationTag_PoStChainCommit, d.Challenge, nil)
	check(l.t, err)
	p := &miner.SubmitWindowedPoStParams{
		Deadline: d.Index, ChainCommitEpoch: d.Challenge, ChainCommitRand: rand,
		Proofs: []proof.PoStProof{{PoStProof: v.Info.WindowPoStProofType, ProofBytes: make([]byte, 192*len(partitions))}},
	}
	for _, i := range partitions {
		p.Partitions = append(p.Partitions, miner.PoStPartition{Index: i, Skipped: bitfield.NewFromSet(skipped[i])})
	}
	return l.call(5, p)
}

func (l *lab) recover(deadline, partition uint64, sectors bitfield.BitField) (Effects, error) {
	l.t.Helper()
	return l.call(11, &miner.DeclareFaultsRecoveredParams{Recoveries: []miner.RecoveryDeclaration{{Deadline: deadline, Partition: partition, Sectors: sectors}}})
}

func (l *lab) dispute(deadline, index uint64) (Effects, error) {
	l.t.Helper()
	return l.call(24, &miner.DisputeWindowedPoStParams{Deadline: deadline, PoStIndex: index})
}
