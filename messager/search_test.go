package messager

import (
	"context"
	"errors"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// speechless is a node that cannot say anything of some message.
type speechless struct {
	vigil.MessageNode
	of cid.Cid
}

func (f speechless) Search(ctx context.Context, wanted cid.Cid, key vigil.TipSetKey) (vigil.Executed, error) {
	if wanted == f.of {
		return vigil.Executed{}, errors.New("words that nobody knows")
	}
	return f.MessageNode.Search(ctx, wanted, key)
}

// Of a message that was replaced while nobody watched, the attempt that the chain
// executed is found, whatever the node says to a question for another one.
func TestAnAttemptThatCannotBeSearchedHidesNoOther(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.chain.minPremium = 110_000
		w.push("a", 400)
		w.mine(6)
		m := w.message("a")
		if len(m.Attempts) < 2 {
			t.Fatalf("%d attempts", len(m.Attempts))
		}
		w.kill()
		w.chain.minPremium = 0
		w.chain.mine(maxWalk + 20)
		w.config.Node = speechless{w.chain, m.Attempts[0].CID}
		w.start()
		w.mine(1)
		w.expect("a", vigil.MessageConfirmed)
	})
}
