package messager

import (
	"cmp"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Terms is what of a Config may change while a Messager runs, with the same
// meanings and defaults.
type Terms struct {
	Confidence, ReplaceAfter          abi.ChainEpoch
	MaxFee                            abi.TokenAmount
	Budgets                           map[vigil.DutyKind]Budget
	LowFeeCap                         bool
	GasOverEstimation, GasOverPremium float64
	Preferred                         []address.Address
}

// Adjust changes the terms for every message from the loop's next turn on, also of
// those that are on their way; attempts that were made stay as they are. Terms that
// cannot be are an error and change nothing.
func (m *Messager) Adjust(t Terms) error {
	c := m.c.on(t)
	if err := c.check(); err != nil {
		return err
	}
	m.adjusted.Store(&c)
	m.nudge()
	return nil
}

// Terms are those that hold now.
func (m *Messager) Terms() Terms {
	c := m.config()
	return Terms{
		Confidence: c.Confidence, ReplaceAfter: c.ReplaceAfter, MaxFee: c.MaxFee, Budgets: c.Budgets, LowFeeCap: c.LowFeeCap,
		GasOverEstimation: c.GasOverEstimation, GasOverPremium: c.GasOverPremium, Preferred: c.Preferred,
	}
}

// config is what holds now. It may be called in any goroutine.
func (m *Messager) config() Config {
	if c := m.adjusted.Load(); c != nil {
		return *c
	}
	return m.c
}

// on is the same on other terms.
func (c Config) on(t Terms) Config {
	c.Confidence, c.ReplaceAfter, c.MaxFee, c.Budgets, c.LowFeeCap = t.Confidence, t.ReplaceAfter, t.MaxFee, t.Budgets, t.LowFeeCap
	c.GasOverEstimation, c.GasOverPremium, c.Preferred = t.GasOverEstimation, t.GasOverPremium, t.Preferred
	return c.withDefaults()
}

func (c Config) withDefaults() Config {
	if c.MaxFee.NilOrZero() {
		c.MaxFee = defaultMaxFee
	}
	c.Confidence, c.ReplaceAfter = cmp.Or(c.Confidence, 5), cmp.Or(c.ReplaceAfter, 5)
	c.GasOverEstimation, c.GasOverPremium = cmp.Or(c.GasOverEstimation, 1), cmp.Or(c.GasOverPremium, 1)
	return c
}
