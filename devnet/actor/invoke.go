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

// Invoke executes a message: SubmitWindowedPoSt (5), DeclareFaults (10),
// DeclareFaultsRecovered (11) or DisputeWindowedPoSt (24). Params are the
// message's own bytes. None of the methods returns a value. An error that is a
// *Refusal is the message's exit code and words.
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
func decode(method abi.MethodNum, params []byte) (func(*session) error, error) {
	switch method {
	case builtin.MethodsMiner.SubmitWindowedPoSt:
		p := new(miner.SubmitWindowedPoStParams)
		return func(s *session) error { return s.submitPost(p) },
			read(params, p, func() (sets []bits) {
				for _, x := range p.Partitions {
					sets = append(sets, x.Skipped)
				}
				return sets
			})
	case builtin.MethodsMiner.DeclareFaults:
		p := new(miner.DeclareFaultsParams)
		return func(s *session) error { return s.declareFaults(p) },
			read(params, p, func() (sets []bits) {
				for _, x := range p.Faults {
					sets = append(sets, x.Sectors)
				}
				return sets
			})
	case builtin.MethodsMiner.DeclareFaultsRecovered:
		p := new(miner.DeclareFaultsRecoveredParams)
		return func(s *session) error { return s.declareRecovered(p) },
			read(params, p, func() (sets []bits) {
				for _, x := range p.Recoveries {
					sets = append(sets, x.Sectors)
				}
				return sets
			})
	case builtin.MethodsMiner.DisputeWindowedPoSt:
		p := new(miner.DisputeWindowedPoStParams)
		return func(s *session) error { return s.disputePost(p) }, read(params, p, func() []bits { return nil })
	}
	return nil, refuse(exitcode.ErrUnhandledMessage, "method %d not found", method)
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
