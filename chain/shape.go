package chain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"
)

// The simple values of answers. Each refuses null and anything that is not
// what it should be; what a value's absence means is for the object it is in.

func isNull(raw json.RawMessage) bool { return bytes.Equal(bytes.TrimSpace(raw), []byte("null")) }

// decode reads an answer that must be there, and lets it judge itself.
func decode[T any](raw json.RawMessage) (T, error) {
	var v T
	if isNull(raw) {
		return v, errors.New("it is null")
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, err
	}
	if c, ok := any(&v).(interface{ check() error }); ok {
		return v, c.check()
	}
	return v, nil
}

// field is a part of an object that must be there.
type field struct {
	name  string
	there bool
}

func required(fields ...field) error {
	for _, f := range fields {
		if !f.there {
			return fmt.Errorf("it has no (or no usable) %s", f.name)
		}
	}
	return nil
}

// amount is attoFIL as nodes write it: a decimal in a string.
type amount struct{ big.Int }

func (a *amount) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s == nil {
		return errors.New("an amount is null")
	}
	if len(*s) > 100 {
		return errors.New("an amount has more than 100 digits")
	}
	n, err := big.FromString(*s)
	if err != nil {
		return fmt.Errorf("%q is not an amount", *s)
	}
	a.Int = n
	return nil
}

// MarshalJSON is the value's own: the embedded number's would write no quotes.
func (a amount) MarshalJSON() ([]byte, error) { return json.Marshal(a.String()) }

// there says that the amount was given and is not negative.
func (a amount) there() bool { return a.Int.Int != nil && a.Sign() >= 0 }

// account is an address; nodes write "<empty>" or "" for none.
type account struct{ address.Address }

func (a *account) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s == "" || s == address.UndefAddressString {
		a.Address = address.Undef
		return nil
	}
	parsed, err := address.NewFromString(s)
	if err != nil {
		return fmt.Errorf("%.100q is not an address: %w", s, err)
	}
	a.Address = parsed
	return nil
}

// maxSet is more sectors than a miner may have (32Mi, policy.go SectorsMax of
// the miner actor). A larger set is nonsense, and would fill the memory of
// whoever lists it.
const maxSet = 32 << 20

// sectorSet is a bit field as nodes write it: the lengths of runs, zeros first.
type sectorSet struct {
	bits  bitfield.BitField
	count uint64
	there bool
}

func (s *sectorSet) UnmarshalJSON(b []byte) error {
	var runs []*uint64
	if err := json.Unmarshal(b, &runs); err != nil {
		return fmt.Errorf("a set of sectors: %w", err)
	}
	if runs == nil {
		return errors.New("a set of sectors is null")
	}
	var end uint64
	for i, run := range runs {
		switch {
		case run == nil:
			return errors.New("a set of sectors has a run that is null")
		case *run == 0 && i > 0:
			return errors.New("a set of sectors has an empty run")
		case *run > math.MaxInt64+1-end: // the highest number is MaxInt64 itself
			return errors.New("a set of sectors goes beyond the highest sector number")
		}
		end += *run
		if i%2 == 1 {
			s.count += min(*run, maxSet+1)
		}
		if s.count > maxSet {
			return fmt.Errorf("a set has more than %d sectors", maxSet)
		}
	}
	s.there = true
	return s.bits.UnmarshalJSON(b)
}

// within says whether all of s is in others.
func (s sectorSet) within(others sectorSet) bool {
	rest, err := bitfield.SubtractBitField(s.bits, others.bits)
	if err != nil {
		return false
	}
	empty, err := rest.IsEmpty()
	return err == nil && empty
}

// apart says whether no sector is in both.
func (s sectorSet) apart(other sectorSet) bool {
	both, err := bitfield.IntersectBitField(s.bits, other.bits)
	if err != nil {
		return false
	}
	empty, err := both.IsEmpty()
	return err == nil && empty
}

// cids is a list of CIDs, all of which are there.
type cids []cid.Cid

func (c cids) check() error {
	for i, one := range c {
		if !one.Defined() {
			return fmt.Errorf("CID %d of %d is null", i+1, len(c))
		}
	}
	return nil
}
