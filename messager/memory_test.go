package messager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// memory is a Storage without a disk; the adversaries' tests run on it and on
// the real one. It keeps no more of the past than a test asks for.
type memory struct {
	mu       sync.Mutex
	seq      int
	messages map[string]*row
	open     map[string]*row // not settled
	included map[string]*row // settled, with a receipt
	byCID    map[cid.Cid]*row
	nonces   map[address.Address]map[uint64]*row
	next     map[address.Address]uint64
	leases   map[address.Address]lease
	scanned  []vigil.Head
	paid     map[vigil.DutyKind]map[abi.ChainEpoch]map[string]abi.TokenAmount // of settled messages, by ID
	last     map[abi.MethodNum]vigil.Gas                                      // of the last confirmed
	broken   error
}

type row struct {
	seq int
	m   vigil.Message
}

type lease struct {
	holder string
	token  int64
	until  time.Time
}

type senderNonce struct {
	sender address.Address
	nonce  uint64
}

func newMemory() *memory {
	return &memory{
		messages: map[string]*row{}, open: map[string]*row{}, included: map[string]*row{}, byCID: map[cid.Cid]*row{},
		nonces: map[address.Address]map[uint64]*row{}, next: map[address.Address]uint64{}, leases: map[address.Address]lease{},
		paid: map[vigil.DutyKind]map[abi.ChainEpoch]map[string]abi.TokenAmount{}, last: map[abi.MethodNum]vigil.Gas{},
	}
}

// change runs one transaction.
func (s *memory) change(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	return f()
}

func (s *memory) AddMessage(_ context.Context, m vigil.Message) (stored vigil.Message, err error) {
	err = s.change(func() error {
		if r, ok := s.messages[m.ID]; ok {
			stored = r.m
			return nil
		}
		stored = m
		s.seq++
		r := &row{s.seq, m}
		s.messages[m.ID], s.open[m.ID] = r, r
		if old, ok := s.open[m.Supersedes]; ok {
			old.m.Wish = vigil.Wish{Verb: vigil.WishCancel, At: m.Created}
		}
		return nil
	})
	return stored, err
}

func (s *memory) SaveMessages(_ context.Context, holder string, messages ...vigil.Message) error {
	return s.change(func() error { return s.save(holder, messages) })
}

func (s *memory) save(holder string, messages []vigil.Message) error {
	claims := map[senderNonce]string{}
	for _, m := range messages {
		r, ok := s.messages[m.ID]
		if !ok {
			return vigil.ErrNotFound
		}
		for _, a := range m.Attempts[min(len(r.m.Attempts), len(m.Attempts)):] {
			at := senderNonce{a.Signed.From, a.Signed.Nonce}
			if owner, ok := s.nonces[at.sender][at.nonce]; ok && owner.m.ID != m.ID || claims[at] != "" && claims[at] != m.ID {
				return fmt.Errorf("nonce %d of %s was given to another message", at.nonce, at.sender)
			}
			if s.leases[at.sender].holder != holder {
				return fmt.Errorf("the lease of %s is not %q's", at.sender, holder)
			}
			claims[at] = m.ID
		}
	}
	for _, m := range messages {
		s.put(s.messages[m.ID], m)
	}
	return nil
}

// put writes a message's row, but not its wish, and of attempts that are there
// only what nodes said.
func (s *memory) put(r *row, m vigil.Message) {
	m.Wish = r.m.Wish
	m.Attempts = slices.Clone(m.Attempts)
	for i, a := range m.Attempts {
		if i < len(r.m.Attempts) {
			m.Attempts[i] = r.m.Attempts[i]
			m.Attempts[i].Published, m.Attempts[i].Problem, m.Attempts[i].Pushes, m.Attempts[i].Pushed = a.Published, a.Problem, a.Pushes, a.Pushed
			continue
		}
		held := s.nonces[a.Signed.From]
		if held == nil {
			held = map[uint64]*row{}
			s.nonces[a.Signed.From] = held
		}
		held[a.Signed.Nonce] = r
		s.byCID[a.CID] = r
		s.next[a.Signed.From] = max(s.next[a.Signed.From], a.Signed.Nonce+1)
	}
	s.pay(r.m, -1)
	s.pay(m, 1)
	if m.State == vigil.MessageConfirmed {
		s.last[m.Call.Method] = lastAttempt(m).Signed.Gas
	}
	r.m = m
	delete(s.open, m.ID)
	delete(s.included, m.ID)
	if !m.Settled {
		s.open[m.ID] = r
	} else if m.Receipt != nil {
		s.included[m.ID] = r
	}
}

// pay counts, or takes back, what a message's execution took for gas.
func (s *memory) pay(m vigil.Message, sign int64) {
	if m.Receipt == nil || !m.Settled {
		return
	}
	by := s.paid[m.Duty.Kind]
	if by == nil {
		by = map[abi.ChainEpoch]map[string]abi.TokenAmount{}
		s.paid[m.Duty.Kind] = by
	}
	at := by[m.Receipt.Epoch]
	if at == nil {
		at = map[string]abi.TokenAmount{}
		by[m.Receipt.Epoch] = at
	}
	if at[m.ID] = m.Paid; sign < 0 {
		delete(at, m.ID)
	}
	if len(by) < 4*2880 {
		return
	}
	for epoch := range by {
		if epoch < m.Receipt.Epoch-2*2880 {
			delete(by, epoch)
		}
	}
}

// forget drops a settled message of the past, but not that its nonces were given.
func (s *memory) forget(id string) {
	r := s.messages[id]
	for _, a := range r.m.Attempts {
		delete(s.byCID, a.CID)
		delete(s.nonces[a.Signed.From], a.Signed.Nonce)
	}
	delete(s.messages, id)
	delete(s.included, id)
}

func (s *memory) SaveScan(_ context.Context, scanned []vigil.Head, messages []vigil.Message) error {
	return s.change(func() error {
		if err := s.save("", messages); err != nil {
			return err
		}
		s.scanned = slices.Clone(scanned)
		return nil
	})
}

func (s *memory) SaveWish(_ context.Context, id string, w vigil.Wish) error {
	return s.change(func() error {
		r, ok := s.open[id]
		if !ok {
			return vigil.ErrNotFound
		}
		r.m.Wish = w
		return nil
	})
}

func (s *memory) TakeLease(_ context.Context, sender address.Address, holder string, until time.Time) (token int64, err error) {
	err = s.change(func() error {
		l := s.leases[sender]
		if l.holder != holder && time.Now().Before(l.until) {
			return &vigil.LeaseError{Sender: sender, Holder: l.holder, Until: l.until}
		}
		if l.holder != holder {
			l.token++
		}
		l.holder, l.until, token = holder, until, l.token
		s.leases[sender] = l
		return nil
	})
	return token, err
}

func (s *memory) Scanned(context.Context) ([]vigil.Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.scanned), s.broken
}

func (s *memory) filter(of map[string]*row, keep func(vigil.Message) bool) ([]vigil.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*row
	for _, r := range of {
		if keep(r.m) {
			found = append(found, r)
		}
	}
	return inOrder(found), s.broken
}

func inOrder(found []*row) []vigil.Message {
	slices.SortFunc(found, func(a, b *row) int { return cmp.Compare(a.seq, b.seq) })
	messages := make([]vigil.Message, len(found))
	for i, r := range found {
		messages[i] = r.m
	}
	return messages
}

func (s *memory) Messages(_ context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Message, error) {
	return s.filter(s.messages, func(m vigil.Message) bool {
		return m.Duty.Miner == miner && m.Expires >= since && m.Duty.Kind != vigil.KindFill
	})
}

func (s *memory) OpenMessages(context.Context) ([]vigil.Message, error) {
	return s.filter(s.open, func(vigil.Message) bool { return true })
}

func (s *memory) IncludedSince(_ context.Context, epoch abi.ChainEpoch) ([]vigil.Message, error) {
	return s.filter(s.included, func(m vigil.Message) bool { return m.Receipt.Epoch >= epoch })
}

func (s *memory) MessagesByCID(_ context.Context, cids []cid.Cid) ([]vigil.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[*row]bool{}
	for _, c := range cids {
		if r, ok := s.byCID[c]; ok {
			found[r] = true
		}
	}
	var list []*row
	for r := range found {
		list = append(list, r)
	}
	return inOrder(list), s.broken
}

func (s *memory) FindMessages(_ context.Context, q vigil.MessageQuery) ([]vigil.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.messages[q.ID]
	if !ok {
		return nil, s.broken
	}
	return []vigil.Message{r.m}, s.broken
}

func (s *memory) NonceHolders(_ context.Context, sender address.Address, from uint64) ([]vigil.HeldNonce, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var held []vigil.HeldNonce
	for nonce := from; nonce < s.next[sender]; nonce++ {
		if r, ok := s.nonces[sender][nonce]; ok {
			held = append(held, vigil.HeldNonce{Nonce: nonce, Message: r.m})
		}
	}
	return held, s.broken
}

func (s *memory) NextNonce(_ context.Context, sender address.Address) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next[sender], s.broken
}

func (s *memory) LastGas(_ context.Context, method abi.MethodNum, _ int) (vigil.Gas, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gas, ok := s.last[method]
	if !ok {
		return gas, errors.Join(s.broken, vigil.ErrNotFound)
	}
	return gas, s.broken
}

func (s *memory) Paid(_ context.Context, kind vigil.DutyKind, since abi.ChainEpoch, most abi.TokenAmount) (within, beyond abi.TokenAmount, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	within, beyond = big.Zero(), big.Zero()
	for epoch, list := range s.paid[kind] {
		if epoch < since {
			continue
		}
		for _, paid := range list {
			part := big.Min(paid, most)
			within, beyond = big.Add(within, part), big.Add(beyond, big.Sub(paid, part))
		}
	}
	return within, beyond, s.broken
}

func (s *memory) Sent(_ context.Context, sender address.Address, since abi.ChainEpoch) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for nonce := s.next[sender]; nonce > 0; nonce-- {
		if r, ok := s.nonces[sender][nonce-1]; ok && lastAttempt(r.m).Epoch >= since {
			n++
		}
	}
	return n, s.broken
}
