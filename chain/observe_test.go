package chain_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil/chain"
)

func TestEveryCallIsToldOf(t *testing.T) {
	n := newFakeNode(time.Second)
	n.handle("StateMinerInfo", func([]json.RawMessage) (any, error) { return nil, errors.New("the node is busy") })
	var mu sync.Mutex
	good, bad := map[string]int{}, map[string]int{}
	c := dialNode(t, n, func(c *chain.Config) {
		c.Token = "abc"
		c.Observe = func(node, method string, took time.Duration, err error) {
			mu.Lock()
			defer mu.Unlock()
			if !strings.HasPrefix(node, "ws://") || strings.Contains(node, "abc") || took < 0 {
				t.Errorf("%s of %s took %s", method, node, took)
			}
			if err != nil {
				bad[method]++
			} else {
				good[method]++
			}
		}
	})
	if _, err := c.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Miner(t.Context(), abi.ActorID(1000), ""); err == nil {
		t.Fatal("the node does not know the miner")
	}
	mu.Lock()
	defer mu.Unlock()
	if good["ChainHead"] < 1 || good["StateNetworkName"] < 1 || bad["StateMinerInfo"] != 1 || bad["ChainHead"] != 0 {
		t.Errorf("answered %v, not answered %v", good, bad)
	}
}
