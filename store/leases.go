package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/filecoin-project/go-address"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// TakeLease takes the right to give a sender's nonces, or renews it, and gives
// its token, which grows with every new holder. It is a *vigil.LeaseError
// while another holder's has not ended. Whoever lost it cannot store an
// attempt any more, whatever it believes: see SaveMessages. A lease whose
// holder's process is gone ends at once, for Open gives all back.
func (s *Store) TakeLease(ctx context.Context, sender address.Address, holder string, until time.Time) (token int64, err error) {
	err = s.transact(ctx, "take the lease of "+sender.String(), func(q *rows.Queries) error {
		l, err := q.GetLease(ctx, addressText(sender))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			l = rows.Lease{}
		case err != nil:
			return err
		case l.Holder != holder && time.Now().Before(timeOf(l.Until)):
			return &vigil.LeaseError{Sender: sender, Holder: l.Holder, Until: timeOf(l.Until)}
		}
		token = l.Token
		if l.Holder != holder {
			token++
		}
		return q.PutLease(ctx, rows.PutLeaseParams{Sender: addressText(sender), Holder: holder, Token: token, Until: until.UnixNano()})
	})
	return token, err
}

// checkLease sees, in the transaction of a new attempt, that nobody has taken
// the sender since the holder did.
func checkLease(ctx context.Context, q *rows.Queries, sender, holder string) error {
	l, err := q.GetLease(ctx, sender)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if holder == "" || l.Holder != holder {
		return fmt.Errorf("the lease of %s is %q's and not %q's: another vigil uses the sender", sender, l.Holder, holder)
	}
	return nil
}
