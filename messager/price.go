package messager

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/vigil-post/vigil"
)

// priceOld prices executions of the last 24 hours whose cost was not written
// down, as versions without budgets did not: a day's budget would count them
// for nothing. It does so once; what cannot be read is tried again at the next head.
func (l *loop) priceOld(ctx context.Context) {
	if l.priced || !l.c.budgeted() || !l.try("price") {
		return
	}
	if err := l.priceUnpriced(ctx); err != nil {
		l.warn(ctx, "what earlier messages cost is not known; days' budgets count them for nothing until it is", err)
		return
	}
	l.priced = true
}

// priceUnpriced writes down what it got to know in the time that a round has for
// it, so that a day of many messages takes some rounds and not for ever.
func (l *loop) priceUnpriced(ctx context.Context) error {
	settled, err := l.c.Store.IncludedSince(ctx, l.head.Epoch-l.c.day())
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, 2*l.c.patience())
	defer cancel()
	var priced []vigil.Message
	var unread error
	for _, m := range settled {
		a, ok := m.Executed()
		if !ok || m.Receipt == nil || amount(m.Paid).Sign() > 0 {
			continue
		}
		ts, err := l.at(limited, m.Receipt.Epoch, l.head.Key)
		if err != nil {
			unread = cmp.Or(unread, fmt.Errorf("read the tipset at epoch %d: %w", m.Receipt.Epoch, err))
			continue
		}
		m.Paid = paid(a.Signed.Gas, m.Receipt.GasUsed, amount(ts.BaseFee))
		priced = append(priced, m)
	}
	if len(priced) == 0 {
		return unread
	}
	return errors.Join(unread, l.c.Store.SaveMessages(ctx, l.c.Holder, priced...))
}
