package chain

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// at is a node whose head of that epoch has been known for a while.
func at(now time.Time, epoch abi.ChainEpoch, change ...func(*standing)) standing {
	s := standing{
		name: "n", head: vigil.Head{Key: "k", Epoch: epoch}, latency: 20 * time.Millisecond, foes: map[int]rift{},
		seen: []sighting{{epoch, now.Add(-time.Minute)}},
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

func TestNodesAreJudged(t *testing.T) {
	genesis := time.Unix(1598306400, 0)
	now := genesis.Add(1000*30*time.Second + 10*time.Second)
	fresh := func(s *standing) { s.seen[0].at = now.Add(-time.Second) }
	foe := func(j, better int) func(*standing) {
		return func(s *standing) { s.foes[j] = rift{990, better} }
	}
	slow := func(s *standing) { s.latency = 7 * time.Second }
	bad := func(s *standing) { s.trouble = "it answers nonsense" }
	gone := func(s *standing) { s.problem = errors.New("connection refused") }
	other := func(s *standing) { s.refused = "another network" }
	n := func(epoch abi.ChainEpoch, change ...func(*standing)) standing { return at(now, epoch, change...) }
	for _, c := range []struct {
		sentence string
		inUse    int
		nodes    []standing
		use      int
		states   string
	}{
		{"the first of equals is read", -1, []standing{n(1000), n(1000)}, 0, "in use, ready"},
		{"the highest is read", -1, []standing{n(999), n(1000)}, 1, "ready, in use"},
		{"the one that is read stays", 0, []standing{n(999), n(1000)}, 0, "in use, ready"},
		{"two epochs behind is not behind", 0, []standing{n(998), n(1000)}, 0, "in use, ready"},
		{"three are", 0, []standing{n(997), n(1000)}, 1, "set aside, in use"},
		{"but not if the other's head has just come", 0, []standing{n(997), n(1000, fresh)}, 0, "in use, ready"},
		{"an epoch ahead of the clock is the clock's fault", 0, []standing{n(1001), n(1000)}, 0, "in use, ready"},
		{"two are a lie", 0, []standing{n(1002), n(1000)}, 1, "set aside, in use"},
		{"unless all say so", 0, []standing{n(1007), n(1007)}, 0, "in use, ready"},
		{"a slow one gives way", 0, []standing{n(1000, slow), n(1000)}, 1, "set aside, in use"},
		{"unless all are slow", 0, []standing{n(1000, slow), n(1000, slow)}, 0, "in use, ready"},
		{"a fork of one against two", 0, []standing{n(1000, foe(1, 1), foe(2, 1)), n(1000, foe(0, -1)), n(1000, foe(0, -1))}, 1, "set aside, in use, ready"},
		{"of two forks the better one", 0, []standing{n(1000, foe(1, -1)), n(1000, foe(0, 1))}, 1, "set aside, in use"},
		{"of two equal forks the one that is read", 1, []standing{n(1000, foe(1, 0)), n(1000, foe(0, 0))}, 1, "set aside, in use"},
		{"one that is gone still has a voice about forks", 0, []standing{n(1000, foe(1, 1), foe(2, 1)), n(1000, foe(0, -1)), n(990, gone, foe(0, -1))}, 1, "set aside, in use, unreachable"},
		{"one of another network has none", 0, []standing{n(1000, foe(1, 1), foe(2, 1)), n(1000, foe(0, -1)), n(1000, other, foe(0, -1))}, 0, "in use, set aside, refused"},
		{"bad answers give way", 0, []standing{n(1000, bad), n(998)}, 1, "set aside, in use"},
		{"when none is good, late is better than wrong", 0, []standing{n(1000, bad), n(1000, slow), n(1000, gone)}, 1, "set aside, in use, unreachable"},
		{"and a node that fails is better than one that makes up its head", 0, []standing{n(5000), n(1000, bad)}, 1, "set aside, in use"},
		{"one alone is read whatever it does", 0, []standing{n(5000, bad, slow)}, 0, "in use"},
		{"nobody is read when nobody is there", 0, []standing{n(1000, gone), n(1000, other)}, -1, "unreachable, refused"},
	} {
		m := measure{now, vigil.Network{Name: "mainnet", BlockDelay: 30 * time.Second, Genesis: genesis}, paceOf(30*time.Second, 0), c.inUse}
		verdicts, use := judge(m, c.nodes)
		var states []string
		for _, v := range verdicts {
			states = append(states, string(v.state))
			if v.state != vigil.NodeReady && v.state != vigil.NodeInUse && v.why == "" {
				t.Errorf("%s: nothing is said of a node that is %s", c.sentence, v.state)
			}
		}
		if got := strings.Join(states, ", "); use != c.use || got != c.states {
			t.Errorf("%s: node %d is read, %s; want %d, %s", c.sentence, use, got, c.use, c.states)
		}
	}
}

// The law: whatever the others do, a node that is good in every way is read,
// or one that is as good.
func TestAGoodNodeIsNeverPassedOver(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewPCG(seed, 0))
	genesis := time.Unix(1598306400, 0)
	now := genesis.Add(1000 * 30 * time.Second)
	for round := range 5000 {
		nodes := []standing{at(now, 1000)}
		for range 1 + random.IntN(4) {
			nodes = append(nodes, at(now, 900+abi.ChainEpoch(random.IntN(200)), func(s *standing) {
				if random.IntN(3) == 0 {
					s.trouble = "trouble"
				}
				if random.IntN(3) == 0 {
					s.problem = errors.New("gone")
				}
				s.latency = time.Duration(random.IntN(10)) * time.Second
			}))
		}
		m := measure{now, vigil.Network{Name: "mainnet", BlockDelay: 30 * time.Second, Genesis: genesis}, paceOf(30*time.Second, 0), random.IntN(len(nodes)+1) - 1}
		verdicts, use := judge(m, nodes)
		if use < 0 || verdicts[use].fault != faultNone || verdicts[0].fault != faultNone {
			t.Fatalf("seed %d, round %d: node %d is read: %+v of %s", seed, round, use, verdicts, fmt.Sprint(nodes))
		}
	}
}
