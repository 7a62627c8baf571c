package wallet

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alive"
)

// Source is where keys are: a Wallet or a Remote. Its methods may be called concurrently.
type Source interface {
	// Name is the source in errors and logs; it holds no secret.
	Name() string
	// Has says whether the key is held, and returns soon after ctx ends.
	Has(ctx context.Context, key address.Address) (bool, error)
	// Sign signs with the key of From, or fails. Its answer is not trusted.
	Sign(ctx context.Context, m vigil.SignedMessage) (crypto.Signature, error)
}

// Guard is the vigil.Signer of the daemon: it holds every message against the
// policy before a key sees it, and every signature against the message before
// anybody uses it. The sources are asked side by side, and who answers first is used first.
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
	found := false
	g.ask(ctx, key, func(a answer) bool {
		if a.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", a.source.Name(), a.err))
		}
		found = found || a.held && a.err == nil
		return found
	})
	if found {
		return true, nil
	}
	return false, errors.Join(errs...)
}

// Sign gives the first signature that the network would accept. It is
// a *vigil.SigningRefusal, without any source being asked, where the policy
// holds keys back; vigil.ErrNotFound where no source has the key.
func (g Guard) Sign(ctx context.Context, m vigil.SignedMessage) (signature crypto.Signature, err error) {
	if err := g.Policy.Check(m); err != nil {
		return crypto.Signature{}, err
	}
	var errs []error
	signed := false
	g.ask(ctx, m.From, func(a answer) bool {
		err := a.err
		if a.held && err == nil {
			signature, err = signWith(ctx, a.source, m)
			signed = err == nil
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", a.source.Name(), err))
		}
		return signed
	})
	switch {
	case signed:
		return signature, nil
	case len(errs) == 0:
		return crypto.Signature{}, noKey(m.From)
	}
	return crypto.Signature{}, errors.Join(errs...)
}

// answer is a source's to whether it has a key.
type answer struct {
	source Source
	held   bool
	err    error
}

// ask asks all sources at once and gives their answers as they come, until it
// is told that they are enough: one that hangs keeps nobody from another's key.
func (g Guard) ask(ctx context.Context, key address.Address, enough func(answer) bool) {
	limited, cancel := context.WithCancel(ctx)
	answers := make(chan answer, len(g.Sources))
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	for _, source := range g.Sources {
		wait.Go(func() {
			a := answer{source: source}
			a.err = alive.Caught(func() (err error) {
				a.held, err = source.Has(limited, key)
				return err
			})
			answers <- a
		})
	}
	for range g.Sources {
		if enough(<-answers) {
			return
		}
	}
}

func signWith(ctx context.Context, source Source, m vigil.SignedMessage) (crypto.Signature, error) {
	s, err := source.Sign(ctx, m)
	if err != nil {
		return crypto.Signature{}, err
	}
	if err := Verify(m, s); err != nil {
		return crypto.Signature{}, fmt.Errorf("its signature for %s is refused: %w", m.From, err)
	}
	return s, nil
}
