package actor

import (
	"slices"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/exitcode"
	cbg "github.com/whyrusleeping/cbor-gen"
)

// What a miner answers to whoever asks.

// getBeneficiaryExported is GetBeneficiary's number for other actors (FRC-0042).
const getBeneficiaryExported = abi.MethodNum(4158972569)

func (s *session) tellControl() error {
	return s.answer(&miner.GetControlAddressesReturn{Owner: s.info.Owner, Worker: s.info.Worker, ControlAddrs: s.info.ControlAddresses})
}

func (s *session) tellOwner() error {
	return s.answer(&miner.GetOwnerReturn{Owner: s.info.Owner, Proposed: s.info.PendingOwnerAddress})
}

func (s *session) tellBeneficiary() error {
	return s.answer(&miner.GetBeneficiaryReturn{
		Active:   miner.ActiveBeneficiary{Beneficiary: s.info.Beneficiary, Term: s.info.BeneficiaryTerm},
		Proposed: s.info.PendingBeneficiaryTerm,
	})
}

func (s *session) tellControlling(a *address.Address) error {
	account, ok := s.rt.resolve(*a)
	id := idAddress(account.ID)
	answer := cbg.CborBool(ok && (id == s.info.Owner || id == s.info.Worker || slices.Contains(s.info.ControlAddresses, id)))
	return s.answer(&answer)
}

func (s *session) tellSectorSize() error {
	size := cbg.CborInt(s.info.SectorSize)
	return s.answer(&size)
}

func (s *session) tellAvailable() error {
	free, err := s.unlocked()
	if err != nil {
		return err
	}
	available := big.Sub(free, s.st.FeeDebt)
	return s.answer(&available)
}

// checkSectorProven refuses a sector that the miner does not have.
func (s *session) checkSectorProven(p *miner.CheckSectorProvenParams) error {
	if p.SectorNumber > abi.MaxSectorNumber {
		return illegal("sector number out of range")
	}
	_, found, err := s.st.GetSector(s.rt.Store, p.SectorNumber)
	if err == nil && !found {
		return refuse(exitcode.ErrNotFound, "sector %d not proven", p.SectorNumber)
	}
	return err
}
