package actor

import (
	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/exitcode"
)

// What a miner's owner arranges: who acts for it, and who gets its money.

// Limits of what a miner says about itself.
const (
	maxControlAddresses = 10
	maxPeerID           = 128
	maxMultiaddrs       = 1024
)

// changeWorker replaces the control addresses at once, and the worker after a
// finality, if it is another.
func (s *session) changeWorker(p *miner.ChangeWorkerAddressParams) error {
	if n := len(p.NewControlAddrs); n > maxControlAddresses {
		return illegal("control addresses length %d exceeds max control addresses length %d", n, maxControlAddresses)
	}
	worker, err := s.resolveWorker(p.NewWorker)
	if err != nil {
		return err
	}
	control := make([]address.Address, len(p.NewControlAddrs))
	for i, a := range p.NewControlAddrs {
		account, ok := s.rt.resolve(a)
		if !ok {
			return illegal("unable to resolve control address: %s", a)
		}
		control[i] = idAddress(account.ID)
	}
	if err := s.allow(s.info.Owner); err != nil {
		return err
	}
	s.info.ControlAddresses = control
	if worker != s.info.Worker && s.info.PendingWorkerKey == nil {
		s.info.PendingWorkerKey = &miner.WorkerKeyChange{NewWorker: worker, EffectiveAt: s.rt.Epoch + miner.WorkerKeyChangeDelay}
	}
	return s.saveInfo()
}

// resolveWorker finds the account of a worker, whose key must be BLS.
func (s *session) resolveWorker(a address.Address) (address.Address, error) {
	account, ok := s.rt.resolve(a)
	switch {
	case !ok:
		return a, illegal("unable to resolve address: %s", a)
	case account.Key == address.Undef:
		return a, illegal("worker actor type must be an account: f0%d", account.ID)
	case account.Key.Protocol() != address.BLS:
		return a, illegal("worker account %d must have BLS pubkey, was %d", account.ID, account.Key.Protocol())
	}
	return idAddress(account.ID), nil
}

func (s *session) confirmWorker() error {
	if err := s.allow(s.info.Owner); err != nil {
		return err
	}
	return s.takePendingWorker()
}

// takePendingWorker makes an announced worker the worker, if its time has come.
func (s *session) takePendingWorker() error {
	pending := s.info.PendingWorkerKey
	if pending == nil || s.rt.Epoch < pending.EffectiveAt {
		return nil
	}
	s.info.Worker, s.info.PendingWorkerKey = pending.NewWorker, nil
	return s.saveInfo()
}

// changeOwner is proposed by the owner and confirmed by who is to be the next.
func (s *session) changeOwner(next *address.Address) error {
	if next.Protocol() != address.ID {
		return illegal("owner address must be an ID address")
	}
	if pending := s.info.PendingOwnerAddress; pending == nil || idAddress(s.rt.Caller) == s.info.Owner {
		if err := s.allow(s.info.Owner); err != nil {
			return err
		}
		s.info.PendingOwnerAddress = next
	} else if err := s.confirmOwner(*pending, *next); err != nil {
		return err
	}
	if pending := s.info.PendingOwnerAddress; pending != nil && *pending == s.info.Owner {
		s.info.PendingOwnerAddress = nil
	}
	return s.saveInfo()
}

func (s *session) confirmOwner(pending, named address.Address) error {
	if err := s.allow(pending); err != nil {
		return err
	}
	if named != pending {
		return illegal("expected confirmation of %s got %s", pending, named)
	}
	if s.info.Beneficiary == s.info.Owner {
		s.info.Beneficiary = pending
	}
	s.info.PendingBeneficiaryTerm = nil
	s.info.Owner = pending
	return nil
}

func (s *session) changePeerID(p *miner.ChangePeerIDParams) error {
	if n := len(p.NewID); n > maxPeerID {
		return illegal("peer ID size of %d exceeds maximum size of %d", n, maxPeerID)
	}
	if err := s.allowControl(); err != nil {
		return err
	}
	s.info.PeerId = p.NewID
	return s.saveInfo()
}

func (s *session) changeMultiaddrs(p *miner.ChangeMultiaddrsParams) error {
	total := 0
	for _, a := range p.NewMultiaddrs {
		if len(a) == 0 {
			return illegal("invalid empty multiaddr")
		}
		total += len(a)
	}
	if total > maxMultiaddrs {
		return illegal("multiaddr size of %d exceeds maximum of %d", total, maxMultiaddrs)
	}
	if err := s.allowControl(); err != nil {
		return err
	}
	s.info.Multiaddrs = p.NewMultiaddrs
	return s.saveInfo()
}

// repayDebt burns as much of the debt as there is money for.
func (s *session) repayDebt() error {
	if err := s.allowControl(); err != nil {
		return err
	}
	_, err := s.repay()
	return err
}

// withdraw pays the beneficiary from what is neither pledged, locked nor owed.
func (s *session) withdraw(p *miner.WithdrawBalanceParams) error {
	if p.AmountRequested.Sign() < 0 {
		return illegal("negative fund requested for withdrawal: %s", inFIL(p.AmountRequested))
	}
	if err := s.allow(s.info.Owner, s.info.Beneficiary); err != nil {
		return err
	}
	if n := count(s.st.EarlyTerminations); n > 0 {
		return refuse(exitcode.ErrForbidden, "cannot withdraw funds while %d deadlines have terminated sectors with outstanding fees", n)
	}
	if err := s.unlockVested(); err != nil {
		return err
	}
	free, err := s.unlocked()
	if err != nil {
		return err
	}
	available := big.Sub(free, s.st.FeeDebt)
	if err := s.repayAll(); err != nil {
		return err
	}
	return s.pay(big.Min(available, p.AmountRequested))
}

// pay gives the beneficiary an amount, within the quota if it is not the owner.
func (s *session) pay(sum abi.TokenAmount) error {
	if s.info.Beneficiary != s.info.Owner {
		term := &s.info.BeneficiaryTerm
		left := s.quota()
		if left.IsZero() {
			return refuse(exitcode.ErrForbidden, "beneficiary expiration of epoch %d passed or quota of %s depleted with %s used",
				term.Expiration, inFIL(term.Quota), inFIL(term.UsedQuota))
		}
		sum = big.Min(sum, left)
		term.UsedQuota = big.Add(term.UsedQuota, sum)
		if err := s.saveInfo(); err != nil {
			return err
		}
	}
	id, err := address.IDFromAddress(s.info.Beneficiary)
	if err != nil {
		return err
	}
	s.out.Withdrawn, s.out.Beneficiary = sum, abi.ActorID(id)
	s.balance = big.Sub(s.balance, sum)
	return s.answer(&sum)
}

// quota is what a beneficiary that is not the owner may still withdraw.
func (s *session) quota() abi.TokenAmount {
	term := s.info.BeneficiaryTerm
	if term.Expiration <= s.rt.Epoch {
		return big.Zero()
	}
	return big.Max(big.Zero(), big.Sub(term.Quota, term.UsedQuota))
}

// changeBeneficiary is proposed by the owner, and takes effect when the next
// beneficiary and the present one agree, who need not be asked once its quota or
// time is over.
func (s *session) changeBeneficiary(p *miner.ChangeBeneficiaryParams) error {
	account, ok := s.rt.resolve(p.NewBeneficiary)
	if !ok {
		return illegal("unable to resolve address: %s", p.NewBeneficiary)
	}
	next, caller := idAddress(account.ID), idAddress(s.rt.Caller)
	var err error
	if caller == s.info.Owner {
		err = s.proposeBeneficiary(p, next)
	} else {
		err = s.agreeToBeneficiary(p, next)
	}
	if err != nil {
		return err
	}
	pending := s.info.PendingBeneficiaryTerm
	pending.ApprovedByBeneficiary = pending.ApprovedByBeneficiary || caller == s.info.Beneficiary
	pending.ApprovedByNominee = pending.ApprovedByNominee || caller == next
	if pending.ApprovedByBeneficiary && pending.ApprovedByNominee {
		term := &s.info.BeneficiaryTerm
		if next != s.info.Beneficiary {
			term.UsedQuota = big.Zero()
		}
		s.info.Beneficiary, term.Quota, term.Expiration = next, pending.NewQuota, pending.NewExpiration
		s.info.PendingBeneficiaryTerm = nil
	}
	return s.saveInfo()
}

func (s *session) proposeBeneficiary(p *miner.ChangeBeneficiaryParams, next address.Address) error {
	switch {
	case next != s.info.Owner && p.NewQuota.Sign() <= 0:
		return illegal("beneficial quota %s must bigger than zero", inFIL(p.NewQuota))
	case next == s.info.Owner && !p.NewQuota.IsZero():
		return illegal("owner beneficial quota %s must be zero", inFIL(p.NewQuota))
	case next == s.info.Owner && p.NewExpiration != 0:
		return illegal("owner beneficial expiration %d must be zero", p.NewExpiration)
	}
	left := s.quota()
	s.info.PendingBeneficiaryTerm = &miner.PendingBeneficiaryChange{
		NewBeneficiary: next, NewQuota: p.NewQuota, NewExpiration: p.NewExpiration,
		ApprovedByBeneficiary: left.IsZero(),
	}
	return nil
}

// agreeToBeneficiary refuses an agreement that is not to what was proposed.
func (s *session) agreeToBeneficiary(p *miner.ChangeBeneficiaryParams, next address.Address) error {
	pending := s.info.PendingBeneficiaryTerm
	if pending == nil {
		return refuse(exitcode.ErrForbidden, "No changeBeneficiary proposal exists")
	}
	caller := idAddress(s.rt.Caller)
	switch {
	case caller != s.info.Beneficiary && caller != pending.NewBeneficiary:
		return refuse(exitcode.ErrForbidden, "message caller %s is neither proposal beneficiary%s nor current beneficiary%s", caller, p.NewBeneficiary, s.info.Beneficiary)
	case pending.NewBeneficiary != next:
		return illegal("new beneficiary address must be equal expect %s, but got %s", pending.NewBeneficiary, p.NewBeneficiary)
	case !pending.NewQuota.Equals(p.NewQuota):
		return illegal("new beneficiary quota must be equal expect %s, but got %s", inFIL(pending.NewQuota), inFIL(p.NewQuota))
	case pending.NewExpiration != p.NewExpiration:
		return illegal("new beneficiary expire date must be equal expect %d, but got %d", pending.NewExpiration, p.NewExpiration)
	}
	return nil
}
