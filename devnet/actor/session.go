package actor

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/cbor"
	"github.com/filecoin-project/go-state-types/dline"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"
)

// session is one call at work on a copy of the state.
type session struct {
	rt   *Runtime
	st   miner.State
	info miner.MinerInfo
	out  Effects
	// balance is what is left of the actor's.
	balance abi.TokenAmount
}

func begin(rt *Runtime, head cid.Cid) (*session, error) {
	v, err := Open(rt.Store, head)
	if err != nil {
		return nil, err
	}
	return &session{rt: rt, st: v.State, info: v.Info, out: noEffects(head), balance: rt.Balance}, nil
}

// end stores the state, if its funds are in order.
func (s *session) end() (Effects, error) {
	if err := s.checkBalance(); err != nil {
		return Effects{}, err
	}
	var err error
	s.out.Head, err = s.rt.Store.Put(s.rt.Store.Context(), &s.st)
	return s.out, err
}

// errBalance is the network's exit code of a miner whose funds are out of order.
const errBalance = exitcode.ExitCode(1000)

func (s *session) checkBalance() error {
	floor := big.Sum(s.st.PreCommitDeposits, s.st.LockedFunds, s.st.InitialPledge)
	if s.balance.LessThan(floor) {
		return refuse(errBalance, "balance invariants broken: balance %s below minimum %s", inFIL(s.balance), inFIL(floor))
	}
	return nil
}

// allow refuses every caller but these.
func (s *session) allow(callers ...address.Address) error {
	if slices.Contains(callers, idAddress(s.rt.Caller)) {
		return nil
	}
	return refuse(exitcode.ErrForbidden, "caller f0%d is not one of supported", s.rt.Caller)
}

// allowControl refuses every caller but owner, worker and control addresses.
func (s *session) allowControl() error {
	return s.allow(append([]address.Address{s.info.Owner, s.info.Worker}, s.info.ControlAddresses...)...)
}

// saveInfo keeps what became of the miner's info.
func (s *session) saveInfo() (err error) {
	s.st.Info, err = s.rt.Store.Put(s.rt.Store.Context(), &s.info)
	return err
}

// answer is the value that the method returns.
func (s *session) answer(value cbor.Marshaler) error {
	var b bytes.Buffer
	if err := value.MarshalCBOR(&b); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	s.out.Return = b.Bytes()
	return nil
}

func (s *session) deadline() *dline.Info { return current(s.st.ProvingPeriodStart, s.rt.Epoch) }

// frame opens the books for work on an occurrence of a deadline.
func (s *session) frame(sectors cid.Cid, d *dline.Info) (*frame, error) {
	all, err := miner.LoadSectors(s.rt.Store, sectors)
	if err != nil {
		return nil, fmt.Errorf("load sectors: %w", err)
	}
	return newFrame(s.rt.Store, all, s.info.SectorSize, d), nil
}

// edit works on one deadline and keeps what became of it.
func (s *session) edit(index uint64, work func(*deadline) error) error {
	all, err := s.st.LoadDeadlines(s.rt.Store)
	if err != nil {
		return fmt.Errorf("load deadlines: %w", err)
	}
	d, err := loadDeadline(s.rt.Store, all, index)
	if err != nil {
		return err
	}
	if err := work(d); err != nil {
		return err
	}
	if err := all.UpdateDeadline(s.rt.Store, index, &d.Deadline); err != nil {
		return fmt.Errorf("update deadline %d: %w", index, err)
	}
	return s.st.SaveDeadlines(s.rt.Store, all)
}

// charge adds to what the miner owes.
func (s *session) charge(fee abi.TokenAmount) { s.st.FeeDebt = big.Add(s.st.FeeDebt, fee) }

// unlocked is what of the balance is neither pledged nor locked.
func (s *session) unlocked() (abi.TokenAmount, error) {
	free, err := s.st.GetUnlockedBalance(s.balance)
	if err != nil {
		return free, refuse(exitcode.ErrIllegalState, "failed to calculate unlocked balance: %v", err)
	}
	return free, nil
}

// repay burns as much of the debt as there is: from what vests first, then from
// the free balance. It says how much.
func (s *session) repay() (abi.TokenAmount, error) {
	if err := s.unlockFor(s.st.FeeDebt); err != nil {
		return big.Zero(), err
	}
	free, err := s.unlocked()
	if err != nil {
		return big.Zero(), err
	}
	paid := big.Min(free, s.st.FeeDebt)
	s.burn(paid)
	return paid, nil
}

// repayAll burns the whole debt or refuses. What vests is not touched.
func (s *session) repayAll() error {
	free, err := s.unlocked()
	if err != nil {
		return err
	}
	if free.LessThan(s.st.FeeDebt) {
		words := "unlocked balance can not repay fee debt" // the network's actor says it twice
		return refuse(exitcode.ErrInsufficientFunds, "%s: %s (%s < %s)", words, words, inFIL(free), inFIL(s.st.FeeDebt))
	}
	s.burn(s.st.FeeDebt)
	return nil
}

func (s *session) burn(debt abi.TokenAmount) {
	s.st.FeeDebt = big.Sub(s.st.FeeDebt, debt)
	s.balance = big.Sub(s.balance, debt)
	s.out.Burn = big.Add(s.out.Burn, debt)
}

// release gives pledge back to the free balance, or locks more if negative.
func (s *session) release(pledge abi.TokenAmount) error {
	s.st.InitialPledge = big.Sub(s.st.InitialPledge, pledge)
	s.out.Pledge = big.Sub(s.out.Pledge, pledge)
	if s.st.InitialPledge.Sign() < 0 {
		return contradiction("initial pledge falls below zero")
	}
	return nil
}
