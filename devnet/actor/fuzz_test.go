package actor

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	rlepluslazy "github.com/filecoin-project/go-bitfield/rle"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/cbor"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/filecoin-project/go-state-types/proof"
)

// FuzzParams sends any bytes to any method, of a miner with something of
// everything: whatever comes, it is taken or refused, and what was taken leaves
// a state that does not contradict itself.
func FuzzParams(f *testing.F) {
	l := variedMiner(f)
	for _, m := range everyMessage(f, l) {
		f.Add(uint64(m.method), uint64(m.caller), m.params)
	}
	f.Add(uint64(99), uint64(worker), []byte{})
	f.Add(uint64(5), uint64(worker), []byte{0x85, 0x18})
	f.Fuzz(func(t *testing.T, method, caller uint64, params []byte) {
		l.judge(t, abi.MethodNum(method), abi.ActorID(caller%200), params)
	})
}

// TestMutilatedMessages is the same with messages that are nearly right.
func TestMutilatedMessages(t *testing.T) {
	l := variedMiner(t)
	const seed = 7
	r := rand.New(rand.NewPCG(seed, 1))
	codes := map[exitcode.ExitCode]int{}
	for _, m := range everyMessage(t, l) {
		for range 150 {
			codes[l.judge(t, m.method, m.caller, mutilated(r, m.params))]++
		}
	}
	t.Logf("seed %d: exit codes %v", seed, codes)
	if codes[exitcode.Ok] == 0 || codes[exitcode.ErrSerialization] == 0 || codes[exitcode.ErrIllegalArgument] == 0 {
		t.Errorf("exit codes %v: neither taken nor refused messages can be missing", codes)
	}
}

// TestEveryMessageOfTheFuzzerIsTakenUnchanged shows that the fuzzer starts from
// messages that work.
func TestEveryMessageOfTheFuzzerIsTakenUnchanged(t *testing.T) {
	l := variedMiner(t)
	for _, m := range everyMessage(t, l) {
		if got := l.judge(t, m.method, m.caller, m.params); got != exitcode.Ok {
			t.Errorf("method %d is refused with exit code %d", m.method, got)
		}
	}
}

// judge executes a message on the miner's state, without keeping what it does,
// and says its exit code.
func (l *lab) judge(t *testing.T, method abi.MethodNum, caller abi.ActorID, params []byte) exitcode.ExitCode {
	t.Helper()
	try := *l
	rt := *l.rt
	try.t, try.rt = t, &rt
	rt.Caller = caller
	out, err := Invoke(&rt, l.head, method, params)
	var r *Refusal
	switch {
	case errors.As(err, &r):
		if out.Head.Defined() || out.Return != nil {
			t.Fatalf("a refused message has effects: %+v", out)
		}
		return r.Code
	case err != nil:
		t.Fatalf("method %d with %x: an error of the host: %v", method, params, err)
	}
	try.took(out)
	try.invariants()
	return exitcode.Ok
}

// mutilated flips, cuts, inserts or repeats some bytes.
func mutilated(r *rand.Rand, params []byte) []byte {
	out := slices.Clone(params)
	for range 1 + r.IntN(3) {
		if len(out) == 0 {
			return []byte{byte(r.Uint32())}
		}
		i := r.IntN(len(out))
		switch r.IntN(5) {
		case 0:
			out[i] ^= 1 << r.IntN(8)
		case 1:
			out[i] = byte(r.Uint32())
		case 2:
			out = out[:i]
		case 3:
			out = slices.Insert(out, i, []byte{0x00, 0x01, 0x17, 0x18, 0x1b, 0x3b, 0x41, 0x80, 0xff}[r.IntN(9)])
		case 4:
			out = slices.Concat(out[:i], []byte{0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, out[i:])
		}
	}
	return out
}

// variedMiner has healthy, faulty, recovering, unproven and terminated sectors,
// a proof that can be disputed for it is wrong, funds that vest, and an open window.
func variedMiner(t testing.TB) *lab {
	t.Helper()
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.mixed = true
	l.add(46*4+8, 500*2880)
	l.activate()
	l.openAt(30, 2)
	_, err := l.post(nil, 0, 1)
	check(t, err)
	l.until(l.rt.Epoch + 60)
	declare := func(method abi.MethodNum, params cbor.Marshaler) {
		t.Helper()
		_, err := l.call(method, params)
		check(t, err)
	}
	declare(10, &miner.DeclareFaultsParams{Faults: []miner.FaultDeclaration{{Deadline: 40, Partition: 0, Sectors: l.partitions(40)[0].All}}})
	declare(10, &miner.DeclareFaultsParams{Faults: []miner.FaultDeclaration{{Deadline: 10, Partition: 0, Sectors: l.partitions(10)[0].All}}})
	declare(11, &miner.DeclareFaultsRecoveredParams{Recoveries: []miner.RecoveryDeclaration{{Deadline: 10, Partition: 0, Sectors: l.partitions(10)[0].All}}})
	declare(9, &miner.TerminateSectorsParams{Terminations: []miner.TerminationDeclaration{{Deadline: 35, Partition: 0, Sectors: first(l.partitions(35)[0].All)}}})
	l.add(2, 500*2880)
	l.rt.Caller = 2
	declare(14, &miner.ApplyRewardParams{Reward: fil(10), Penalty: fil(1)})
	l.rt.Caller = worker
	l.until(l.rt.Epoch + 5) // in deadline 31
	l.invariants()
	l.right = false
	return l
}

func first(set bits) bits { return must(set.Slice(0, 1)) }

// fuzzed is a message to begin from.
type fuzzed struct {
	method abi.MethodNum
	caller abi.ActorID
	params []byte
}

// everyMessage is one right message of every method that has parameters.
func everyMessage(t testing.TB, l *lab) (all []fuzzed) {
	t.Helper()
	say := func(caller abi.ActorID, method abi.MethodNum, params cbor.Marshaler) {
		var b bytes.Buffer
		check(t, params.MarshalCBOR(&b))
		all = append(all, fuzzed{method, caller, b.Bytes()})
	}
	d := l.view().ProvingDeadline(l.rt.Epoch)
	rand, err := l.rt.Tickets(crypto.DomainSeparationTag_PoStChainCommit, d.Challenge, nil)
	check(t, err)
	say(worker, 5, &miner.SubmitWindowedPoStParams{
		Deadline: d.Index, ChainCommitEpoch: d.Challenge, ChainCommitRand: rand,
		Partitions: []miner.PoStPartition{{Index: 0, Skipped: first(l.partitions(d.Index)[0].All)}, {Index: 1, Skipped: bitfield.New()}},
		Proofs:     []proof.PoStProof{{PoStProof: window2KiB, ProofBytes: make([]byte, 192)}},
	})
	say(worker, 9, &miner.TerminateSectorsParams{Terminations: []miner.TerminationDeclaration{
		{Deadline: 10, Partition: 0, Sectors: l.partitions(10)[0].All}, {Deadline: 35, Partition: 1, Sectors: l.partitions(35)[1].All},
	}})
	say(worker, 10, &miner.DeclareFaultsParams{Faults: []miner.FaultDeclaration{{Deadline: 10, Partition: 0, Sectors: first(l.partitions(10)[0].All)}, {Deadline: 45, Partition: 1, Sectors: l.partitions(45)[1].All}}})
	say(worker, 11, &miner.DeclareFaultsRecoveredParams{Recoveries: []miner.RecoveryDeclaration{{Deadline: 40, Partition: 0, Sectors: l.partitions(40)[0].All}}})
	say(stranger, 13, &miner.CheckSectorProvenParams{SectorNumber: 3})
	say(2, 14, &miner.ApplyRewardParams{Reward: big.NewInt(1e15), Penalty: big.NewInt(5)})
	say(owner, 16, &miner.WithdrawBalanceParams{AmountRequested: fil(3)})
	say(worker, 18, &miner.ChangeMultiaddrsParams{NewMultiaddrs: []abi.Multiaddrs{{4, 127, 0, 0, 1}}})
	say(worker, 4, &miner.ChangePeerIDParams{NewID: []byte("peer")})
	say(worker, 19, &miner.CompactPartitionsParams{Deadline: 35, Partitions: setOf(0)})
	say(worker, 20, &miner.CompactSectorNumbersParams{MaskSectorNumbers: setOf(500, 501, 502)})
	say(owner, 3, &miner.ChangeWorkerAddressParams{NewWorker: idAddress(110), NewControlAddrs: []address.Address{idAddress(111)}})
	next := idAddress(112)
	say(owner, 23, &next)
	say(owner, 30, &miner.ChangeBeneficiaryParams{NewBeneficiary: idAddress(113), NewQuota: fil(1), NewExpiration: 5000})
	say(stranger, 24, &miner.DisputeWindowedPoStParams{Deadline: 30, PoStIndex: 0})
	healthy := l.partitions(45)[0].Active
	plain := bitfield.New()
	for _, n := range members(healthy) {
		if info := sectorOf(t, l, n); info.VerifiedDealWeight.IsZero() {
			plain.Set(n)
		}
	}
	say(worker, 32, &miner.ExtendSectorExpiration2Params{Extensions: []miner.ExpirationExtension2{{
		Deadline: 45, Partition: 0, Sectors: plain, NewExpiration: l.rt.Epoch + 900*2880, SectorsWithClaims: []miner.SectorClaim{},
	}}})
	say(stranger, builtin.MethodsMiner.IsControllingAddressExported, &next)
	return all
}

func sectorOf(t testing.TB, l *lab, n uint64) *miner.SectorOnChainInfo {
	t.Helper()
	of := setOf(n)
	infos, err := l.view().Sectors(&of)
	check(t, err)
	if len(infos) != 1 {
		t.Fatal(fmt.Errorf("sector %d: %d infos", n, len(infos)))
	}
	return infos[0]
}

// TestNumbersBeyondEverything sends well-formed messages of indexes, epochs and
// sets that no miner can have.
func TestNumbersBeyondEverything(t *testing.T) {
	l := variedMiner(t)
	d := l.view().ProvingDeadline(l.rt.Epoch)
	rand, err := l.rt.Tickets(crypto.DomainSeparationTag_PoStChainCommit, d.Challenge, nil)
	check(t, err)
	endless, err := bitfield.NewFromIter(&rlepluslazy.RunSliceIterator{Runs: []rlepluslazy.Run{{Val: true, Len: 1<<63 - 1}}})
	check(t, err)
	sets := []bits{bitfield.New(), setOf(1<<63 - 1), setOf(1<<63 - 2), setOf(3, 1<<62), endless}
	indexes := []uint64{0, 1, 2, 47, 48, 3000, 1<<31 - 1, 1<<63 - 2, 1<<63 - 1, 1 << 63, 1<<64 - 2, 1<<64 - 1}
	epochs := []abi.ChainEpoch{-1 << 63, -1, 0, l.rt.Epoch, 1<<63 - 1}
	if infos, err := l.view().Sectors(&endless); err != nil || len(infos) != int(l.next) {
		t.Errorf("%d infos of an endless set: %v", len(infos), err)
	}
	send := func(method abi.MethodNum, params cbor.Marshaler) {
		t.Helper()
		var b bytes.Buffer
		if params.MarshalCBOR(&b) == nil {
			l.judge(t, method, worker, b.Bytes())
		}
	}
	for _, set := range sets {
		for _, i := range indexes {
			for _, deadline := range []uint64{d.Index, 45, i} {
				send(5, &miner.SubmitWindowedPoStParams{
					Deadline: deadline, ChainCommitEpoch: d.Challenge, ChainCommitRand: rand,
					Partitions: []miner.PoStPartition{{Index: i, Skipped: set}},
					Proofs:     []proof.PoStProof{{PoStProof: window2KiB}},
				})
				send(9, &miner.TerminateSectorsParams{Terminations: []miner.TerminationDeclaration{{Deadline: deadline, Partition: i, Sectors: set}, {Deadline: 40, Partition: i, Sectors: set}}})
				send(10, &miner.DeclareFaultsParams{Faults: []miner.FaultDeclaration{{Deadline: deadline, Partition: i, Sectors: set}, {Deadline: 40, Partition: i, Sectors: set}}})
				send(11, &miner.DeclareFaultsRecoveredParams{Recoveries: []miner.RecoveryDeclaration{{Deadline: deadline, Partition: i, Sectors: set}}})
				send(19, &miner.CompactPartitionsParams{Deadline: deadline, Partitions: set})
				send(24, &miner.DisputeWindowedPoStParams{Deadline: deadline, PoStIndex: i})
				for _, epoch := range epochs {
					send(32, &miner.ExtendSectorExpiration2Params{Extensions: []miner.ExpirationExtension2{{Deadline: deadline, Partition: i, Sectors: set, NewExpiration: epoch}}})
				}
			}
			send(13, &miner.CheckSectorProvenParams{SectorNumber: abi.SectorNumber(i)})
			send(32, &miner.ExtendSectorExpiration2Params{Extensions: []miner.ExpirationExtension2{{
				Deadline: 45, Sectors: set, NewExpiration: l.rt.Epoch + 900*2880, SectorsWithClaims: []miner.SectorClaim{{SectorNumber: abi.SectorNumber(i)}},
			}}})
		}
		send(20, &miner.CompactSectorNumbersParams{MaskSectorNumbers: set})
	}
}
