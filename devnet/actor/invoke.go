package actor

import (
	"bytes"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/cbor"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"
)

// Invoke executes a message. Params are the message's own bytes. An error that
// is a *Refusal is the message's exit code and words.
//
// Of the methods of actors v18 these are not here: those that bring sectors by a
// seal proof (AddSectors does it without one) or change their replicas, the
// report of a consensus fault, and what only other actors call, but
// ApplyRewards.
func Invoke(rt *Runtime, head cid.Cid, method abi.MethodNum, params []byte) (Effects, error) {
	work, err := decode(method, params)
	if err != nil {
		return Effects{}, err
	}
	s, err := begin(rt, head)
	if err != nil {
		return Effects{}, err
	}
	if err := work(s); err != nil {
		return Effects{}, err
	}
	return s.end()
}

// decode reads the parameters of a method.
func decode(method abi.MethodNum, params []byte) (work, error) {
	m := builtin.MethodsMiner
	switch method {
	case m.SubmitWindowedPoSt:
		return with(params, (*session).submitPost, func(p *miner.SubmitWindowedPoStParams) (sets []bits) {
			for _, x := range p.Partitions {
				sets = append(sets, x.Skipped)
			}
			return sets
		})
	case m.DeclareFaults:
		return with(params, (*session).declareFaults, func(p *miner.DeclareFaultsParams) (sets []bits) {
			for _, x := range p.Faults {
				sets = append(sets, x.Sectors)
			}
			return sets
		})
	case m.DeclareFaultsRecovered:
		return with(params, (*session).declareRecovered, func(p *miner.DeclareFaultsRecoveredParams) (sets []bits) {
			for _, x := range p.Recoveries {
				sets = append(sets, x.Sectors)
			}
			return sets
		})
	case m.DisputeWindowedPoSt:
		return with(params, (*session).disputePost, nil)
	case m.TerminateSectors:
		return with(params, (*session).terminateSectors, func(p *miner.TerminateSectorsParams) (sets []bits) {
			for _, x := range p.Terminations {
				sets = append(sets, x.Sectors)
			}
			return sets
		})
	case m.CompactPartitions:
		return with(params, (*session).compactPartitions, func(p *miner.CompactPartitionsParams) []bits { return []bits{p.Partitions} })
	case m.CompactSectorNumbers:
		return with(params, (*session).compactSectorNumbers, func(p *miner.CompactSectorNumbersParams) []bits { return []bits{p.MaskSectorNumbers} })
	case m.ExtendSectorExpiration2:
		return with(params, (*session).extendExpiration, func(p *miner.ExtendSectorExpiration2Params) (sets []bits) {
			for _, x := range p.Extensions {
				sets = append(sets, x.Sectors)
			}
			return sets
		})
	case m.CheckSectorProven:
		return with(params, (*session).checkSectorProven, nil)
	}
	return decodeOwners(method, params)
}

// decodeOwners reads the parameters of the methods that are about the miner and
// not its sectors. Other actors call them by numbers made of their names.
func decodeOwners(method abi.MethodNum, params []byte) (work, error) {
	m := builtin.MethodsMiner
	switch method {
	case m.ControlAddresses:
		return without(params, (*session).tellControl)
	case m.ChangeWorkerAddress, m.ChangeWorkerAddressExported:
		return with(params, (*session).changeWorker, nil)
	case m.ConfirmChangeWorkerAddress, m.ConfirmChangeWorkerAddressExported:
		return without(params, (*session).confirmWorker)
	case m.ChangeOwnerAddress, m.ChangeOwnerAddressExported:
		return with(params, (*session).changeOwner, nil)
	case m.ChangePeerID, m.ChangePeerIDExported:
		return with(params, (*session).changePeerID, nil)
	case m.ChangeMultiaddrs, m.ChangeMultiaddrsExported:
		return with(params, (*session).changeMultiaddrs, nil)
	case m.ApplyRewards:
		return with(params, (*session).applyRewards, nil)
	case m.WithdrawBalance, m.WithdrawBalanceExported:
		return with(params, (*session).withdraw, nil)
	case m.RepayDebt, m.RepayDebtExported:
		return without(params, (*session).repayDebt)
	case m.ChangeBeneficiary, m.ChangeBeneficiaryExported:
		return with(params, (*session).changeBeneficiary, nil)
	case m.GetBeneficiary, getBeneficiaryExported:
		return without(params, (*session).tellBeneficiary)
	case m.GetOwnerExported:
		return without(params, (*session).tellOwner)
	case m.IsControllingAddressExported:
		return with(params, (*session).tellControlling, nil)
	case m.GetSectorSizeExported:
		return without(params, (*session).tellSectorSize)
	case m.GetAvailableBalanceExported:
		return without(params, (*session).tellAvailable)
	}
	return nil, refuse(exitcode.ErrUnhandledMessage, "invalid method: %d", method)
}

// work is a method with its parameters.
type work func(*session) error

// with reads the parameters of a method, and checks the bitfields in them.
func with[P any, R interface {
	*P
	cbor.Unmarshaler
}](params []byte, method func(*session, R) error, sets func(*P) []bits) (work, error) {
	p := R(new(P))
	err := read(params, p, func() []bits {
		if sets == nil {
			return nil
		}
		return sets(p)
	})
	return func(s *session) error { return method(s, p) }, err
}

func without(params []byte, method func(*session) error) (work, error) {
	if len(params) > 0 {
		return nil, illegal("method expects no arguments")
	}
	return method, nil
}

// read decodes parameters to their last byte, with the bitfields in them.
func read(params []byte, into cbor.Unmarshaler, sets func() []bits) error {
	if len(params) == 0 {
		return illegal("method expects arguments")
	}
	r := bytes.NewReader(params)
	err := into.UnmarshalCBOR(r)
	if err == nil && r.Len() > 0 {
		err = fmt.Errorf("%d bytes follow", r.Len())
	}
	if err == nil {
		err = checked(sets()...)
	}
	if err != nil {
		return refuse(exitcode.ErrSerialization, "Serialization error for Cbor protocol: %v", err)
	}
	return nil
}
