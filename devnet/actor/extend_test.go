package actor

import (
	"fmt"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/builtin/v18/verifreg"
	"github.com/filecoin-project/go-state-types/exitcode"
)

func (l *lab) extend(partition uint64, set bits, to abi.ChainEpoch, claims ...miner.SectorClaim) (Effects, error) {
	l.t.Helper()
	return l.call(32, &miner.ExtendSectorExpiration2Params{Extensions: []miner.ExpirationExtension2{{
		Deadline: 10, Partition: partition, Sectors: set, NewExpiration: to, SectorsWithClaims: claims,
	}}})
}

// plainMiner has two partitions of two proven sectors without deals in deadline
// 10, that live 300 days; what else is special about them is change's.
func plainMiner(t *testing.T, change func(*miner.SectorOnChainInfo)) *lab {
	t.Helper()
	l := newLab(t, 1000, window2KiB, 0, 0)
	infos := l.fresh(46*4, 300*2880)
	for _, info := range infos {
		info.VerifiedDealWeight = big.Zero()
		change(info)
	}
	out, err := AddSectors(l.rt, l.head, infos)
	check(t, err)
	l.took(out)
	l.activate()
	return l
}

func TestAnExtendedSectorKeepsItsPowerAndLivesLonger(t *testing.T) {
	l := plainMiner(t, func(*miner.SectorOnChainInfo) {})
	l.rt.Epoch = 30
	to := l.rt.Epoch + 1000*2880
	power := l.claim
	_, err := l.extend(1, l.partitions(10)[1].All, to)
	check(t, err)
	info := sectorOf(t, l, members(l.partitions(10)[1].All)[0])
	if info.Expiration != to || info.PowerBaseEpoch != 30 || info.Activation != 0 || !info.DailyFee.Equals(big.NewInt(7)) {
		t.Errorf("the sector is %+v", info)
	}
	if !l.claim.Equals(power) {
		t.Errorf("power changed from %v to %v", power, l.claim)
	}
	l.invariants()
}

func TestASectorThatPaidNoFeePaysOneWhenItIsExtended(t *testing.T) {
	l := plainMiner(t, func(s *miner.SectorOnChainInfo) { s.DailyFee = big.Zero() })
	l.rt.Economy.Circulating = fil(700_000_000)
	before := l.view()
	_, err := l.extend(0, l.partitions(10)[0].All, 1000*2880)
	check(t, err)
	info := sectorOf(t, l, members(l.partitions(10)[0].All)[0])
	if want := miner.DailyProofFee(fil(700_000_000), big.NewInt(2048)); !info.DailyFee.Equals(want) || want.IsZero() {
		t.Errorf("the fee is %s, want %s", info.DailyFee, want)
	}
	was, err := before.Deadlines()
	check(t, err)
	is, err := l.view().Deadlines()
	check(t, err)
	if more := big.Sub(is[10].DailyFee, was[10].DailyFee); !more.Equals(big.Mul(info.DailyFee, big.NewInt(2))) {
		t.Errorf("the deadline pays %s more for two sectors of %s", more, info.DailyFee)
	}
	l.invariants()
}

// TestTheDealsOfAnOldSectorAreSpentWhenItIsExtended is a sector of before
// FIP-0045, whose deals end with its first life.
func TestTheDealsOfAnOldSectorAreSpentWhenItIsExtended(t *testing.T) {
	l := plainMiner(t, func(s *miner.SectorOnChainInfo) {
		s.Flags, s.VerifiedDealWeight = 0, big.NewInt(2048*300*2880)
	})
	l.rt.Epoch = 50
	set := l.partitions(10)[0].All
	out, err := l.extend(0, set, 900*2880)
	check(t, err)
	info := sectorOf(t, l, members(set)[0])
	lost := big.Sub(big.NewInt(10*2048), miner.QAPowerForSector(2048, info))
	if want := big.Mul(lost, big.NewInt(-2)); !out.Power.QA.Equals(want) || lost.Sign() <= 0 || !out.Power.Raw.IsZero() {
		t.Errorf("the claim changes by %v, want %s", out.Power, want)
	}
	l.invariants()
}

func TestWhatCannotBeExtended(t *testing.T) {
	l := plainMiner(t, func(s *miner.SectorOnChainInfo) {
		if s.SectorNumber%2 == 1 {
			s.VerifiedDealWeight = big.NewInt(2048 * 300 * 2880)
		}
	})
	set := l.partitions(10)[0].All
	plain := uint64(members(set)[0])
	far := l.rt.Epoch + 1278*2880
	for _, c := range []struct {
		sentence  string
		partition uint64
		set       bits
		to        abi.ChainEpoch
		code      exitcode.ExitCode
		words     string
	}{
		{"a shorter life", 0, setOf(plain), 299 * 2880, 16, fmt.Sprintf("cannot reduce sector %d expiration to %d from %d", plain, 299*2880, 300*2880)},
		{"too far ahead", 0, setOf(plain), far + 1, 16, fmt.Sprintf("invalid expiration %d, cannot be more than %d past current epoch 0", far+1, 1278*2880)},
		{"verified data without its claims", 0, set, far, 16, fmt.Sprintf("claim missing from declaration for sector %d with non-zero verified deal weight %d", plain+1, 2048*300*2880)},
		{"another partition's", 1, setOf(plain), far, 20, fmt.Sprintf("refusing to replace inactive sectors in BitField { ranges: [%d..%d], set: {}, unset: {} } (active: %s)", plain, plain+1, ranges(l.partitions(10)[1].Active))},
		{"nobody's", 0, setOf(5000), far, 17, "failed to load sectors: sector not found: 5000"},
		{"a partition that is not there", 9, setOf(plain), far, 17, "no such partition PartitionKey { deadline: 10, partition: 9 }"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			_, err := l.extend(c.partition, c.set, c.to)
			refused(t, err, c.code, c.words)
		})
	}
	_, err := l.extend(0, setOf(), far, miner.SectorClaim{SectorNumber: 3, MaintainClaims: []verifreg.ClaimId{7}})
	refused(t, err, 16, "failed to get claims for sector 3: invalid claims")
	_, err = l.call(10, &miner.DeclareFaultsParams{Faults: []miner.FaultDeclaration{{Deadline: 10, Partition: 0, Sectors: setOf(plain)}}})
	check(t, err)
	_, err = l.extend(0, setOf(plain), far)
	if code(t, err) != exitcode.ErrIllegalState {
		t.Errorf("a faulty sector: %v", err)
	}
	l.invariants()
}
