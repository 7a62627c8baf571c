package messager

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store"
)

// TestUnderAnyFaultsNoNonceHasTwoIntentsAndAllComesToAnEnd lets an adversary
// do to a messager what nodes, chains and machines do: lost answers, refusals,
// failing reads, reorgs, dropped pools, foreign messages, fee rises and
// restarts. The fake chain judges every push. When the adversary rests, what
// can still be in time is confirmed once, and the rest has come to an end.
func TestUnderAnyFaultsNoNonceHasTwoIntentsAndAllComesToAnEnd(t *testing.T) {
	seeds := 30
	first := uint64(1)
	if os.Getenv("VIGIL_LONG") == "1" {
		first, seeds = rand.Uint64(), 1000
	}
	if fixed, err := strconv.ParseUint(os.Getenv("VIGIL_SEED"), 10, 64); err == nil {
		first, seeds = fixed, 1
	}
	for i := range seeds {
		seed := first + uint64(i)
		if !t.Run(fmt.Sprint("VIGIL_SEED=", seed), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) { chaos(w, rand.New(rand.NewPCG(seed, 1))) })
		}) {
			return
		}
	}
}

func TestUnderAnyFaultsTheRealStoreServesAsWell(t *testing.T) {
	const seed = 1
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "vigil.db"))
	if err != nil {
		t.Fatal(err)
	}
	story(t, func(t *testing.T, w *world) {
		w.config.Store = s
		chaos(w, rand.New(rand.NewPCG(seed, 1)))
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func chaos(w *world, r *rand.Rand) {
	w.config.ReplaceAfter = 3
	w.restart()
	var ids []string
	for range 120 {
		ids = append(ids, strike(w, r, len(ids))...)
	}
	w.chain.mu.Lock()
	w.chain.pushFault, w.chain.readFault, w.chain.minPremium, w.chain.estimate = nil, nil, 0, nil
	w.chain.mu.Unlock()
	last := w.chain.head.Epoch + 60
	w.push("after", last)
	w.mine(20)
	w.expect("after", vigil.MessageConfirmed)
	for _, id := range ids {
		m := w.message(id)
		if m.Expires > w.chain.head.Epoch && !m.State.Done() || m.Expires+20 < w.chain.head.Epoch && !m.State.Done() {
			w.t.Errorf("message %s, which expires at %d, is %s at %d: %s", id, m.Expires, m.State, w.chain.head.Epoch, m.Problem)
		}
		if n := w.included(id); n > 1 || m.State == vigil.MessageConfirmed && n != 1 {
			w.t.Errorf("message %s is %s and %d times on chain", id, m.State, n)
		}
	}
}

// strike does one thing, good or bad, and gives the ID of a message if it pushed one.
func strike(w *world, r *rand.Rand, n int) []string {
	c := w.chain
	defer synctest.Wait()
	switch r.IntN(14) {
	case 0, 1, 2:
		w.push(name(n), c.head.Epoch+2+abi.ChainEpoch(r.IntN(70)))
		return []string{name(n)}
	case 3, 4, 5, 6:
		w.mine(1 + r.IntN(3))
	case 7:
		c.reorg(1 + r.IntN(4)) // less than the confidence: what was confirmed stays
	case 8:
		w.restart()
	case 9:
		c.dropPool()
	case 10:
		c.foreign(c.keys[w.ids[r.IntN(2)]], uint64(r.IntN(12)))
	case 11:
		c.mu.Lock()
		c.minPremium = []int64{0, 130_000, 1 << 50}[r.IntN(3)]
		c.mu.Unlock()
	case 12:
		p := r.Float64()
		c.mu.Lock()
		c.pushFault = func(vigil.SignedMessage) (bool, error) {
			if r.Float64() < p {
				return r.IntN(2) == 0, errors.New("connection reset")
			}
			return true, nil
		}
		c.mu.Unlock()
	case 13:
		p := r.Float64() / 2
		c.mu.Lock()
		c.readFault = func(string) error {
			if r.Float64() < p {
				return errors.New("node is busy")
			}
			return nil
		}
		c.estimate = func(vigil.Call) (vigil.Gas, error) {
			if r.Float64() < p {
				return vigil.Gas{}, &vigil.CallError{Text: "not now"}
			}
			return vigil.Gas{Limit: 5e7, FeeCap: big.NewInt(1100), Premium: big.NewInt(100_000)}, nil
		}
		c.mu.Unlock()
	}
	return nil
}
