package wallet

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
)

// dead is a source that answers nothing for as long as it is waited for.
type dead struct{}

func (dead) Name() string { return "dead" }

func (dead) Has(ctx context.Context, _ address.Address) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

func (dead) Sign(ctx context.Context, _ vigil.SignedMessage) (crypto.Signature, error) {
	<-ctx.Done()
	return crypto.Signature{}, ctx.Err()
}

// Nothing here waits for a clock: with a source that is waited for the test
// would not end.
func TestASourceThatHangsKeepsNobodyFromAnothersKey(t *testing.T) {
	w := create(t)
	addr, err := w.New(Secp256k1)
	if err != nil {
		t.Fatal(err)
	}
	g := Guard{policy, []Source{dead{}, w, dead{}}}
	if held, err := g.Has(t.Context(), addr); !held || err != nil {
		t.Errorf("%v, %v", held, err)
	}
	m := message(addr, 1)
	if s, err := g.Sign(t.Context(), m); err != nil || Verify(m, s) != nil {
		t.Error(err)
	}
}

func TestAWalletThatHungIsGivenLittleTimeForAWhile(t *testing.T) {
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(over) })
	r, err := NewRemote(s.URL, "", 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	within := func(patience string) {
		t.Helper()
		if _, err := r.Has(t.Context(), vigil.MinerAddress(1000)); err == nil || !strings.Contains(err.Error(), "within "+patience+" ") {
			t.Errorf("want it to be given %s: %v", patience, err)
		}
	}
	within("200ms")
	within("20ms")
	within("20ms")
	r.hung.Store(time.Now().Add(-hangs).UnixNano())
	within("200ms")
}
