package messager

import (
	"slices"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// A line of the log has what finds the message on chain, as soon as it has
// any, and a problem only where there is one.
func TestALineOfTheLogSaysWhatItsReaderNeeds(t *testing.T) {
	on := cid.MustParse("bafy2bzaceaujconltieot6z6i7bgkcvhzvho5ygydc3pncqmhiofrlvd2ky4i")
	l := &loop{head: vigil.Head{Epoch: 77}}
	m := vigil.Message{MessageRequest: vigil.MessageRequest{ID: "long", Duty: vigil.DutyID{Kind: vigil.KindPost, Miner: abi.ActorID(1000)}}, State: vigil.MessageQueued}
	keys := func() (names []string) {
		for _, a := range l.says(m) {
			names = append(names, a.Key)
		}
		return names
	}
	if got := keys(); !slices.Equal(got, []string{"duty", "state", "epoch"}) {
		t.Errorf("queued: %v", got)
	}
	m.Attempts = []vigil.Attempt{{CID: on}}
	m.Receipt, m.Problem = &vigil.Receipt{Epoch: 70}, "it failed"
	if got := keys(); !slices.Equal(got, []string{"duty", "state", "nonce", "cid", "included", "problem", "epoch"}) {
		t.Errorf("failed: %v", got)
	}
}
