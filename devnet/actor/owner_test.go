package actor

import (
	"bytes"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/cbor"
	"github.com/filecoin-project/go-state-types/exitcode"
	cbg "github.com/whyrusleeping/cbor-gen"
)

// as sends a message for somebody.
func (l *lab) as(caller abi.ActorID, method abi.MethodNum, params cbor.Marshaler) (Effects, error) {
	l.t.Helper()
	defer func(was abi.ActorID) { l.rt.Caller = was }(l.rt.Caller)
	l.rt.Caller = caller
	if params == nil {
		return l.send(method, nil)
	}
	return l.call(method, params)
}

func TestAWorkerIsChangedAFinalityAfterItIsAnnounced(t *testing.T) {
	for _, confirm := range []bool{true, false} {
		l := newLab(t, 1000, window2KiB, 0, 0)
		l.add(2, 500*2880)
		change := &miner.ChangeWorkerAddressParams{NewWorker: idAddress(110), NewControlAddrs: []address.Address{idAddress(111)}}
		_, err := l.as(worker, 3, change)
		refused(t, err, exitcode.ErrForbidden, "caller f0102 is not one of supported")
		_, err = l.as(owner, 3, change)
		check(t, err)
		if i := l.view().Info; i.Worker != idAddress(worker) || i.PendingWorkerKey.EffectiveAt != 900 || i.ControlAddresses[0] != idAddress(111) {
			t.Fatalf("info %+v", i)
		}
		l.until(899)
		_, err = l.as(owner, 21, nil)
		check(t, err)
		if l.view().Info.Worker != idAddress(worker) {
			t.Fatal("the worker changed before its time")
		}
		if l.rt.Epoch = 900; confirm {
			_, err = l.as(owner, 21, nil)
			check(t, err)
		} else {
			l.until(960) // the deadline's end does it too
		}
		if i := l.view().Info; i.Worker != idAddress(110) || i.PendingWorkerKey != nil {
			t.Errorf("confirmed %v: info %+v", confirm, i)
		}
		_, err = l.as(control, 22, nil)
		refused(t, err, exitcode.ErrForbidden, "caller f0103 is not one of supported")
		_, err = l.as(110, 22, nil)
		check(t, err)
		l.invariants()
	}
}

func TestAWorkerMustBeAnAccountWithABLSKey(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	secp, err := address.NewSecp256k1Address([]byte("a key"))
	check(t, err)
	l.rt.Resolve = func(a address.Address) (Account, bool) {
		switch a {
		case secp:
			return Account{ID: 120, Key: secp}, true
		case idAddress(121):
			return Account{ID: 121}, true
		}
		return Account{}, false
	}
	for a, words := range map[address.Address]string{
		secp:           "worker account 120 must have BLS pubkey, was 1",
		idAddress(121): "worker actor type must be an account: f0121",
		idAddress(122): "unable to resolve address: " + idAddress(122).String(),
	} {
		_, err := l.as(owner, 3, &miner.ChangeWorkerAddressParams{NewWorker: a})
		refused(t, err, exitcode.ErrIllegalArgument, words)
	}
	many := make([]address.Address, 11)
	for i := range many {
		many[i] = idAddress(abi.ActorID(200 + i))
	}
	_, err = l.as(owner, 3, &miner.ChangeWorkerAddressParams{NewWorker: secp, NewControlAddrs: many})
	refused(t, err, exitcode.ErrIllegalArgument, "control addresses length 11 exceeds max control addresses length 10")
}

func TestAnOwnerIsChangedWhenTheNextOneConfirms(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	next, other := idAddress(112), idAddress(113)
	_, err := l.as(112, 23, &next)
	refused(t, err, exitcode.ErrForbidden, "caller f0112 is not one of supported")
	_, err = l.as(owner, 23, &next)
	check(t, err)
	_, err = l.as(113, 23, &next)
	refused(t, err, exitcode.ErrForbidden, "caller f0113 is not one of supported")
	_, err = l.as(112, 23, &other)
	refused(t, err, exitcode.ErrIllegalArgument, "expected confirmation of "+next.String()+" got "+other.String())
	_, err = l.as(112, 23, &next)
	check(t, err)
	if i := l.view().Info; i.Owner != next || i.Beneficiary != next || i.PendingOwnerAddress != nil {
		t.Errorf("info %+v", i)
	}
	// Naming oneself takes a proposal back.
	_, err = l.as(112, 23, &other)
	check(t, err)
	_, err = l.as(112, 23, &next)
	check(t, err)
	if i := l.view().Info; i.PendingOwnerAddress != nil {
		t.Errorf("info %+v", i)
	}
}

func TestAWithdrawalPaysTheOwnerWhatIsFree(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(2, 500*2880) // pledge 2000
	l.rt.Balance = big.NewInt(2000 + 700)
	s, err := begin(l.rt, l.head)
	check(t, err)
	s.charge(big.NewInt(200))
	out, err := s.end()
	check(t, err)
	l.took(out)
	_, err = l.as(worker, 16, &miner.WithdrawBalanceParams{AmountRequested: big.NewInt(1)})
	refused(t, err, exitcode.ErrForbidden, "caller f0102 is not one of supported")
	_, err = l.as(owner, 16, &miner.WithdrawBalanceParams{AmountRequested: big.NewInt(-1)})
	refused(t, err, exitcode.ErrIllegalArgument, "negative fund requested for withdrawal: -0.000000000000000001")
	out, err = l.as(owner, 16, &miner.WithdrawBalanceParams{AmountRequested: fil(1)})
	check(t, err)
	if !out.Withdrawn.Equals(big.NewInt(500)) || out.Beneficiary != owner || !out.Burn.Equals(big.NewInt(200)) {
		t.Errorf("%s withdrawn for f0%d, %s burnt", out.Withdrawn, out.Beneficiary, out.Burn)
	}
	var answer abi.TokenAmount
	check(t, answer.UnmarshalCBOR(bytes.NewReader(out.Return)))
	if !answer.Equals(out.Withdrawn) || !l.rt.Balance.Equals(big.NewInt(2000)) {
		t.Errorf("answered %s, %s left", answer, l.rt.Balance)
	}
	l.invariants()
}

func TestABeneficiaryThatAgreesIsPaidWithinItsQuota(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	b := idAddress(113)
	propose := &miner.ChangeBeneficiaryParams{NewBeneficiary: b, NewQuota: fil(5), NewExpiration: 1000}
	_, err := l.as(113, 30, propose)
	refused(t, err, exitcode.ErrForbidden, "No changeBeneficiary proposal exists")
	_, err = l.as(owner, 30, &miner.ChangeBeneficiaryParams{NewBeneficiary: b, NewQuota: big.Zero()})
	refused(t, err, exitcode.ErrIllegalArgument, "beneficial quota 0.0 must bigger than zero")
	_, err = l.as(owner, 30, propose)
	check(t, err)
	wrong := *propose
	wrong.NewQuota = fil(6)
	_, err = l.as(113, 30, &wrong)
	refused(t, err, exitcode.ErrIllegalArgument, "new beneficiary quota must be equal expect 5.0, but got 6.0")
	_, err = l.as(113, 30, propose)
	check(t, err)
	for _, want := range []int64{3, 2} {
		out, err := l.as(owner, 16, &miner.WithdrawBalanceParams{AmountRequested: fil(3)})
		check(t, err)
		if !out.Withdrawn.Equals(fil(want)) || out.Beneficiary != 113 {
			t.Errorf("%s withdrawn for f0%d", out.Withdrawn, out.Beneficiary)
		}
	}
	_, err = l.as(113, 16, &miner.WithdrawBalanceParams{AmountRequested: fil(3)})
	refused(t, err, exitcode.ErrForbidden, "beneficiary expiration of epoch 1000 passed or quota of 5.0 depleted with 5.0 used")
	var told miner.GetBeneficiaryReturn
	out, err := l.as(stranger, 31, nil)
	check(t, err)
	check(t, told.UnmarshalCBOR(bytes.NewReader(out.Return)))
	if told.Active.Beneficiary != b || !told.Active.Term.UsedQuota.Equals(fil(5)) {
		t.Errorf("told %+v", told)
	}
	// Its quota is used up, so the owner takes the place back alone.
	_, err = l.as(owner, 30, &miner.ChangeBeneficiaryParams{NewBeneficiary: idAddress(owner), NewQuota: big.Zero()})
	check(t, err)
	if i := l.view().Info; i.Beneficiary != i.Owner || i.PendingBeneficiaryTerm != nil {
		t.Errorf("info %+v", i)
	}
}

func TestAMinerAnswersWhoMayActForIt(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	out, err := l.as(stranger, 2, nil)
	check(t, err)
	var told miner.GetControlAddressesReturn
	check(t, told.UnmarshalCBOR(bytes.NewReader(out.Return)))
	if told.Owner != idAddress(owner) || told.Worker != idAddress(worker) || len(told.ControlAddrs) != 1 {
		t.Errorf("told %+v", told)
	}
	for id, want := range map[abi.ActorID]cbg.CborBool{control: true, stranger: false} {
		a := idAddress(id)
		out, err := l.as(stranger, builtin.MethodsMiner.IsControllingAddressExported, &a)
		check(t, err)
		var answer cbg.CborBool
		check(t, answer.UnmarshalCBOR(bytes.NewReader(out.Return)))
		if answer != want {
			t.Errorf("f0%d is said to control: %v", id, answer)
		}
	}
	_, err = l.send(2, []byte{0x80})
	refused(t, err, exitcode.ErrIllegalArgument, "method expects no arguments")
	_, err = l.as(worker, 18, &miner.ChangeMultiaddrsParams{NewMultiaddrs: []abi.Multiaddrs{{}}})
	refused(t, err, exitcode.ErrIllegalArgument, "invalid empty multiaddr")
	_, err = l.as(worker, 4, &miner.ChangePeerIDParams{NewID: make([]byte, 129)})
	refused(t, err, exitcode.ErrIllegalArgument, "peer ID size of 129 exceeds maximum size of 128")
}

func (l *lab) reward(amount, penalty abi.TokenAmount) Effects {
	l.t.Helper()
	l.rt.Balance = big.Add(l.rt.Balance, amount)
	out, err := l.as(2, 14, &miner.ApplyRewardParams{Reward: amount, Penalty: penalty})
	check(l.t, err)
	return out
}

func TestThreeQuartersOfARewardVestOver180Days(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(2, 500*2880)
	_, err := l.as(owner, 14, &miner.ApplyRewardParams{Reward: fil(1), Penalty: big.Zero()})
	refused(t, err, exitcode.ErrForbidden, "caller f0101 is not one of supported")
	l.rt.Epoch = 100
	l.reward(fil(240), big.Zero())
	if got := l.view().State.LockedFunds; !got.Equals(fil(180)) {
		t.Fatalf("%s locked, want 180", inFIL(got))
	}
	l.invariants()
	// The first entry is of epoch 100+2880, rounded up to 4320, and is free when
	// the deadline of 4320 closes.
	l.until(4379)
	if got := l.view().State.LockedFunds; !got.Equals(fil(180)) {
		t.Errorf("%s locked before anything vests", inFIL(got))
	}
	l.until(4380)
	want := big.Div(big.Mul(fil(180), big.NewInt(4320-100)), big.NewInt(180*2880))
	if got := big.Sub(fil(180), l.view().State.LockedFunds); !got.Equals(want) {
		t.Errorf("%s vested after a day, want %s", inFIL(got), inFIL(want))
	}
	l.invariants()
	l.until(100 + 182*2880)
	if st := l.view().State; !st.LockedFunds.IsZero() || st.VestingFunds != nil {
		t.Errorf("%s is locked after 182 days", inFIL(st.LockedFunds))
	}
	l.invariants()
}

func TestADebtIsPaidFromWhatWouldVestFirst(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(2, 500*2880)
	l.reward(fil(240), big.Zero())
	l.rt.Balance = big.Add(big.NewInt(2000), fil(180)) // nothing but pledge and what vests
	funds, err := l.view().State.LoadVestingFunds(l.rt.Store)
	check(t, err)
	two := big.Add(funds[0].Amount, funds[1].Amount)
	s, err := begin(l.rt, l.head)
	check(t, err)
	s.charge(big.Add(two, big.NewInt(5)))
	out, err := s.end()
	check(t, err)
	l.took(out)
	_, err = l.as(worker, 22, nil)
	check(t, err)
	left, err := l.view().State.LoadVestingFunds(l.rt.Store)
	check(t, err)
	if len(left) != len(funds)-2 || left[0].Epoch != funds[2].Epoch || !left[0].Amount.Equals(big.Sub(funds[2].Amount, big.NewInt(5))) {
		t.Errorf("%d entries are left of %d, the first %+v", len(left), len(funds), left[0])
	}
	if st := l.view().State; !st.FeeDebt.IsZero() {
		t.Errorf("%s is owed", st.FeeDebt)
	}
	l.invariants()
}

func TestAPenaltyBeyondTheBalanceIsOwed(t *testing.T) {
	l := newLab(t, 1000, window2KiB, 0, 0)
	l.add(2, 500*2880)
	l.rt.Balance = big.NewInt(2000)
	out := l.reward(fil(4), fil(10))
	if st := l.view().State; !st.FeeDebt.Equals(fil(6)) || !st.LockedFunds.IsZero() || !out.Burn.Equals(fil(4)) {
		t.Errorf("%s burnt, %s owed, %s locked", inFIL(out.Burn), inFIL(st.FeeDebt), inFIL(st.LockedFunds))
	}
	l.invariants()
	_, err := l.as(owner, 16, &miner.WithdrawBalanceParams{AmountRequested: big.Zero()})
	refused(t, err, exitcode.ErrInsufficientFunds, "unlocked balance can not repay fee debt: unlocked balance can not repay fee debt (0.0 < 6.0)")
}

func TestAmountsInWordsAreInFIL(t *testing.T) {
	for want, a := range map[string]abi.TokenAmount{
		"0.0": big.Zero(), "1.0": fil(1), "0.000000000000000001": big.NewInt(1), "-1.5": big.NewInt(-15e17), "20.05": big.Add(fil(20), big.NewInt(5e16)),
	} {
		if got := inFIL(a); got != want {
			t.Errorf("%s attoFIL are written %s, want %s", a, got, want)
		}
	}
}
