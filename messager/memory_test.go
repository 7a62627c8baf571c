package messager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// memory is a Storage without a disk; the adversary's test runs on it and on
// the real one.
type memory struct {
	mu       sync.Mutex
	order    []string
	messages map[string]vigil.Message
	nonces   map[senderNonce]string
	scanned  []vigil.Head
	broken   error
}

type senderNonce struct {
	sender address.Address
	nonce  uint64
}

func newMemory() *memory {
	return &memory{messages: map[string]vigil.Message{}, nonces: map[senderNonce]string{}}
}

func (s *memory) AddMessage(_ context.Context, m vigil.Message) (vigil.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return vigil.Message{}, s.broken
	}
	if stored, ok := s.messages[m.ID]; ok {
		return stored, nil
	}
	s.order = append(s.order, m.ID)
	s.messages[m.ID] = m
	return m, nil
}

func (s *memory) SaveMessages(_ context.Context, messages ...vigil.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.save(messages)
}

func (s *memory) save(messages []vigil.Message) error {
	if s.broken != nil {
		return s.broken
	}
	for _, m := range messages {
		if _, ok := s.messages[m.ID]; !ok {
			return vigil.ErrNotFound
		}
		for _, a := range m.Attempts {
			if holder, ok := s.nonces[senderNonce{a.Signed.From, a.Signed.Nonce}]; ok && holder != m.ID {
				return fmt.Errorf("nonce %d of %s was given to message %s", a.Signed.Nonce, a.Signed.From, holder)
			}
		}
	}
	for _, m := range messages {
		m.Attempts = slices.Clone(m.Attempts)
		for i, a := range m.Attempts {
			s.nonces[senderNonce{a.Signed.From, a.Signed.Nonce}] = m.ID
			if i < len(s.messages[m.ID].Attempts) {
				m.Attempts[i] = s.messages[m.ID].Attempts[i]
				m.Attempts[i].Published, m.Attempts[i].Problem = a.Published, a.Problem
			}
		}
		s.messages[m.ID] = m
	}
	return nil
}

func (s *memory) SaveScan(_ context.Context, scanned []vigil.Head, messages []vigil.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.save(messages); err != nil {
		return err
	}
	s.scanned = slices.Clone(scanned)
	return nil
}

func (s *memory) Scanned(context.Context) ([]vigil.Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.scanned), s.broken
}

func (s *memory) filter(keep func(vigil.Message) bool) ([]vigil.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []vigil.Message
	for _, id := range s.order {
		if m := s.messages[id]; keep(m) {
			found = append(found, m)
		}
	}
	return found, s.broken
}

func (s *memory) Messages(_ context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Message, error) {
	return s.filter(func(m vigil.Message) bool { return m.Duty.Miner == miner && m.Expires >= since })
}

func (s *memory) OpenMessages(context.Context) ([]vigil.Message, error) {
	return s.filter(func(m vigil.Message) bool { return !m.State.Done() })
}

func (s *memory) NonceHolders(_ context.Context, sender address.Address, from uint64) ([]vigil.Message, error) {
	found, err := s.filter(func(m vigil.Message) bool {
		return len(m.Attempts) > 0 && m.Call.From == sender && m.Nonce >= from
	})
	slices.SortFunc(found, func(a, b vigil.Message) int { return int(a.Nonce) - int(b.Nonce) })
	return found, err
}

func (s *memory) NextNonce(_ context.Context, sender address.Address) (next uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.nonces {
		if n.sender == sender {
			next = max(next, n.nonce+1)
		}
	}
	return next, s.broken
}

func (s *memory) LastGas(_ context.Context, method abi.MethodNum, paramsSize int) (vigil.Gas, error) {
	found, err := s.filter(func(m vigil.Message) bool {
		return m.State == vigil.MessageConfirmed && m.Call.Method == method && len(m.Call.Params) >= paramsSize
	})
	if err != nil || len(found) == 0 {
		return vigil.Gas{}, errors.Join(err, vigil.ErrNotFound)
	}
	return lastAttempt(found[len(found)-1]).Signed.Gas, nil
}
