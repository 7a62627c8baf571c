package wallet

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
)

// policy is for miner f01000 and up to 1 nanoFIL, in which message's fee fits.
var policy = PostPolicy([]abi.ActorID{1000}, big.NewInt(1_000_000_000))

func keyAddress(t *testing.T) address.Address {
	t.Helper()
	k, err := randomKey(Secp256k1)
	if err != nil {
		t.Fatal(err)
	}
	return k.address
}

func TestThePolicyLetsPassWhatKeepsAMinerProven(t *testing.T) {
	from := keyAddress(t)
	for name, change := range map[string]func(*vigil.SignedMessage){
		"a post":                    func(m *vigil.SignedMessage) { m.Method = 5 },
		"a declaration of faults":   func(m *vigil.SignedMessage) { m.Method = 10 },
		"a declared recovery":       func(m *vigil.SignedMessage) { m.Method = 11 },
		"no value at all":           func(m *vigil.SignedMessage) { m.Value = abi.TokenAmount{} },
		"exactly the most fee":      func(m *vigil.SignedMessage) { m.Gas.FeeCap = big.NewInt(1000) },
		"a test of the key":         func(m *vigil.SignedMessage) { m.To, m.Method, m.Params, m.Gas = from, 0, nil, vigil.Gas{} },
		"a message that is nothing": func(m *vigil.SignedMessage) { m.To, m.Method, m.Params = from, 0, nil },
	} {
		m := message(from, 7)
		change(&m)
		if err := policy.Check(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestThePolicyRefusesEverythingElseInASentence(t *testing.T) {
	from, other := keyAddress(t), keyAddress(t)
	for _, test := range []struct {
		name, says string
		change     func(*vigil.SignedMessage)
	}{
		{"a withdrawal", "method 16", func(m *vigil.SignedMessage) { m.Method = 16 }},
		{"a send to the miner", "method 0", func(m *vigil.SignedMessage) { m.Method = 0 }},
		{"another miner", "is not one of the configured miners", func(m *vigil.SignedMessage) { m.To = vigil.MinerAddress(1001) }},
		{"a send to somebody", "is not one of the configured miners", func(m *vigil.SignedMessage) { m.To, m.Method, m.Params = other, 0, nil }},
		{"a send to itself with value", "is not one of the configured miners", func(m *vigil.SignedMessage) {
			m.To, m.Method, m.Params, m.Value = from, 0, nil, big.NewInt(1)
		}},
		{"a send to itself with parameters", "is not one of the configured miners", func(m *vigil.SignedMessage) { m.To, m.Method = from, 0 }},
		{"a method of its own account", "is not one of the configured miners", func(m *vigil.SignedMessage) { m.To, m.Method, m.Params = from, 5, nil }},
		{"a value", "sends 1 attoFIL", func(m *vigil.SignedMessage) { m.Value = big.NewInt(1) }},
		{"a negative value", "sends -1 attoFIL", func(m *vigil.SignedMessage) { m.Value = big.NewInt(-1) }},
		{"an attoFIL too much fee", "it may cost 1000001000 attoFIL", func(m *vigil.SignedMessage) { m.Gas.Limit, m.Gas.FeeCap = 1000, big.NewInt(1_000_001) }},
		{"a negative gas limit, whose fee is below all limits", "gas limit -5", func(m *vigil.SignedMessage) { m.Gas.Limit = -5 }},
		{"more gas than a block", "gas limit 10000000001", func(m *vigil.SignedMessage) {
			m.Gas.Limit, m.Gas.FeeCap, m.Gas.Premium = 10_000_000_001, big.Zero(), big.Zero()
		}},
		{"a negative fee cap", "not in order", func(m *vigil.SignedMessage) { m.Gas.FeeCap = big.NewInt(-1) }},
		{"a premium above the cap", "not in order", func(m *vigil.SignedMessage) { m.Gas.Premium = big.NewInt(201) }},
		{"an ID address as the sender", "not the address of a key", func(m *vigil.SignedMessage) { m.From = vigil.MinerAddress(100) }},
		{"no sender", "not the address of a key", func(m *vigil.SignedMessage) { m.From = address.Undef }},
		{"no receiver", "is not one of the configured miners", func(m *vigil.SignedMessage) { m.To = address.Undef }},
		{"64 KiB of parameters", "no node takes", func(m *vigil.SignedMessage) { m.Params = make([]byte, 64<<10) }},
	} {
		m := message(from, 7)
		test.change(&m)
		err := policy.Check(m)
		var refused *vigil.SigningRefusal
		if !errors.As(err, &refused) || !strings.Contains(refused.Text, test.says) {
			t.Errorf("%s: %v, want a refusal with %q", test.name, err, test.says)
		}
	}
}

func TestTheZeroPolicyLetsNothingPass(t *testing.T) {
	from := keyAddress(t)
	for _, m := range []vigil.SignedMessage{message(from, 1), {Call: vigil.Call{From: from, To: from}, Gas: vigil.Gas{Limit: 1, FeeCap: big.NewInt(1)}}} {
		if err := (Policy{}).Check(m); err == nil {
			t.Errorf("%+v passes", m)
		}
	}
}

func TestACallIsJudgedBeforeItHasGas(t *testing.T) {
	call := message(keyAddress(t), 0).Call
	if err := policy.Allows(call); err != nil {
		t.Error(err)
	}
	call.Method = 16
	var refused *vigil.SigningRefusal
	if err := policy.Allows(call); !errors.As(err, &refused) {
		t.Errorf("a withdrawal: %v", err)
	}
}

// source is one in words of a test.
type source struct {
	name  string
	has   func() (bool, error)
	sign  func(m vigil.SignedMessage) (crypto.Signature, error)
	asked int
}

func (s *source) Name() string { return s.name }

func (s *source) Has(context.Context, address.Address) (bool, error) {
	s.asked++
	return s.has()
}

func (s *source) Sign(_ context.Context, m vigil.SignedMessage) (crypto.Signature, error) {
	s.asked++
	return s.sign(m)
}

func held() (bool, error)    { return true, nil }
func notHeld() (bool, error) { return false, nil }

func TestAGuardAsksNobodyForWhatThePolicyRefuses(t *testing.T) {
	s := &source{name: "it", has: held, sign: func(vigil.SignedMessage) (crypto.Signature, error) { return crypto.Signature{}, nil }}
	m := message(keyAddress(t), 1)
	m.Value = big.NewInt(1)
	_, err := Guard{policy, []Source{s}}.Sign(t.Context(), m)
	var refused *vigil.SigningRefusal
	if !errors.As(err, &refused) || s.asked != 0 {
		t.Errorf("%v; the source was asked %d times", err, s.asked)
	}
}

func TestAGuardGoesFromSourceToSource(t *testing.T) {
	w := create(t)
	addr, err := w.New(Secp256k1)
	if err != nil {
		t.Fatal(err)
	}
	down := errors.New("connection refused")
	foreign := create(t)
	other, err := foreign.New(Secp256k1)
	if err != nil {
		t.Fatal(err)
	}
	first := &source{name: "first", has: func() (bool, error) { return false, down }}
	without := &source{name: "without", has: notHeld}
	forger := &source{name: "forger", has: held, sign: func(m vigil.SignedMessage) (crypto.Signature, error) {
		m.From = other
		return foreign.Sign(t.Context(), m)
	}}
	m := message(addr, 1)
	all := Guard{policy, []Source{first, without, forger, w}}
	if s, err := all.Sign(t.Context(), m); err != nil || Verify(m, s) != nil {
		t.Errorf("with the keystore last: %v", err)
	}
	if has, err := all.Has(t.Context(), addr); !has || err != nil {
		t.Errorf("Has: %v, %v", has, err)
	}
	some := Guard{policy, []Source{first, without, forger}}
	_, err = some.Sign(t.Context(), m)
	if !errors.Is(err, down) || !strings.Contains(err.Error(), "forger: its signature") {
		t.Errorf("without it: %v", err)
	}
	if _, err := (Guard{policy, []Source{first, without}}).Has(t.Context(), addr); !errors.Is(err, down) {
		t.Errorf("Has where one is down and the other has it not: %v", err)
	}
	if _, err := (Guard{policy, []Source{without}}).Sign(t.Context(), m); !errors.Is(err, vigil.ErrNotFound) {
		t.Errorf("Sign where nobody has the key: %v", err)
	}
}
