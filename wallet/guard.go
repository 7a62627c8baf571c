package wallet

import (
	"context"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
)

// Source is where keys are: a Wallet or a Remote. Its methods may be called concurrently.
type Source interface {
	// Name is the source in errors and logs; it holds no secret.
	Name() string
	Has(ctx context.Context, key address.Address) (bool, error)
	// Sign signs with the key of From, or fails. Its answer is not trusted.
	Sign(ctx context.Context, m vigil.SignedMessage) (crypto.Signature, error)
}

// Guard is the vigil.Signer of the daemon: it holds every message against the
// policy before a key sees it, and every signature against the message before
// anybody uses it. The sources are asked in their order.
type Guard struct {
	Policy  Policy
	Sources []Source
}

var (
	_ vigil.Signer = Guard{}
	_ Source       = (*Wallet)(nil)
	_ Source       = (*Remote)(nil)
)

// Has says whether a source has the key. That a source does not answer is an
// error only where no other has it.
func (g Guard) Has(ctx context.Context, key address.Address) (bool, error) {
	var errs []error
	for _, source := range g.Sources {
		held, err := source.Has(ctx, key)
		if held && err == nil {
			return true, nil
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", source.Name(), err))
		}
	}
	return false, errors.Join(errs...)
}

// Sign gives the first source's signature that the network would accept. It is
// a *vigil.SigningRefusal, without any source being asked, where the policy
// holds keys back; vigil.ErrNotFound where no source has the key.
func (g Guard) Sign(ctx context.Context, m vigil.SignedMessage) (crypto.Signature, error) {
	if err := g.Policy.Check(m); err != nil {
		return crypto.Signature{}, err
	}
	var errs []error
	for _, source := range g.Sources {
		signature, held, err := signWith(ctx, source, m)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", source.Name(), err))
		} else if held {
			return signature, nil
		}
	}
	if len(errs) == 0 {
		return crypto.Signature{}, noKey(m.From)
	}
	return crypto.Signature{}, errors.Join(errs...)
}

func signWith(ctx context.Context, source Source, m vigil.SignedMessage) (s crypto.Signature, held bool, err error) {
	if held, err = source.Has(ctx, m.From); err != nil || !held {
		return s, false, err
	}
	if s, err = source.Sign(ctx, m); err != nil {
		return s, false, err
	}
	if err := Verify(m, s); err != nil {
		return crypto.Signature{}, false, fmt.Errorf("its signature for %s is refused: %w", m.From, err)
	}
	return s, true, nil
}
