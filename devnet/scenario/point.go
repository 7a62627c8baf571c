package scenario

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"

	"github.com/vigil-post/vigil/devnet"
)

// epochTime is the length of an epoch on the real network. A scenario's times
// are told by it, however fast the devnet is.
const epochTime = 30 * time.Second

func epochsOfTime(text string) (abi.ChainEpoch, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no time: say a number of epochs, or a time like \"5m\"", text)
	}
	return abi.ChainEpoch((d + epochTime - 1) / epochTime), nil
}

// point is when something happens: at an epoch, or so far from an edge of a deadline.
type point struct {
	epoch    abi.ChainEpoch // of a point without an edge
	edge     string
	deadline *uint64 // on chain; nil takes nth
	nth      int     // of the deadlines that have sectors, in the order they open
	miner    string  // the first one if empty
	offset   abi.ChainEpoch
}

// edges are a deadline's, as epochs relative to its open.
var edges = map[string]abi.ChainEpoch{
	"cutoff":    -miner.FaultDeclarationCutoff,
	"challenge": -miner.WPoStChallengeLookback,
	"open":      0,
	"close":     miner.WPoStChallengeWindow,
}

var ordinals = []string{"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"}

const pointForm = `a number, or like "challenge", "open of the second deadline + 6", "close of deadline 5 of t01001 - 1"`

// parsePoint reads a point: an epoch, or
// EDGE [of deadline N | of the NTH deadline] [of MINER] [+|- EPOCHS].
func parsePoint(v any) (point, error) {
	switch v := v.(type) {
	case int64:
		if v < 1 {
			return point{}, fmt.Errorf("epoch %d: the first one that is made is 1", v)
		}
		return point{epoch: abi.ChainEpoch(v)}, nil
	case string:
		p, ok := parseWords(strings.Fields(v))
		if !ok {
			return point{}, fmt.Errorf("%q is no point in time: say %s", v, pointForm)
		}
		return p, nil
	case nil:
		return point{}, fmt.Errorf("it does not say when: at is %s", pointForm)
	}
	return point{}, fmt.Errorf("%v is no point in time: say %s", v, pointForm)
}

func parseWords(words []string) (p point, ok bool) {
	if len(words) == 0 {
		return p, false
	}
	p.edge, words = words[0], words[1:]
	if _, known := edges[p.edge]; !known {
		return p, false
	}
	for len(words) > 0 {
		used := p.take(words)
		if used == 0 {
			return p, false
		}
		words = words[used:]
	}
	return p, true
}

// take reads the words that come next, and says how many they were.
func (p *point) take(words []string) int {
	at := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	switch {
	case at(0) == "of" && at(1) == "deadline":
		n, err := strconv.ParseUint(at(2), 10, 64)
		if err != nil || n >= miner.WPoStPeriodDeadlines {
			return 0
		}
		p.deadline = &n
		return 3
	case at(0) == "of" && at(1) == "the" && at(3) == "deadline":
		p.nth = slices.Index(ordinals, at(2))
		if p.nth < 0 {
			return 0
		}
		return 4
	case at(0) == "of":
		if _, err := address.NewFromString(at(1)); err != nil {
			return 0
		}
		p.miner = at(1)
		return 2
	case at(0) == "+" || at(0) == "-":
		n, err := strconv.ParseUint(at(1), 10, 31)
		if err != nil || len(words) > 2 {
			return 0
		}
		p.offset = abi.ChainEpoch(n)
		if at(0) == "-" {
			p.offset = -p.offset
		}
		return 2
	}
	return 0
}

// resolve finds the epoch of a point on a network as it is now.
func (p point) resolve(ctx context.Context, n *devnet.Network) (abi.ChainEpoch, error) {
	if p.edge == "" {
		return p.epoch, nil
	}
	m, err := minerOf(n, p.miner)
	if err != nil {
		return 0, err
	}
	list, err := n.Deadlines(ctx, m)
	if err != nil {
		return 0, err
	}
	ahead := func(d devnet.DeadlineView) bool { return d.Open-miner.WPoStChallengeLookback > n.Epoch() }
	due := slices.DeleteFunc(slices.Clone(list), func(d devnet.DeadlineView) bool {
		return p.deadline == nil && (d.Live == 0 || !ahead(d)) || p.deadline != nil && d.Index != *p.deadline
	})
	slices.SortFunc(due, func(a, b devnet.DeadlineView) int { return int(a.Open - b.Open) })
	if p.nth >= len(due) {
		return 0, fmt.Errorf("%s has no %s deadline with sectors", m, ordinals[p.nth])
	}
	d := due[p.nth]
	if !ahead(d) {
		d.Open += miner.WPoStProvingPeriod
	}
	return d.Open + edges[p.edge] + p.offset, nil
}

// minerOf is a miner of a network by its address; the first one if there is none.
func minerOf(n *devnet.Network, text string) (address.Address, error) {
	list := n.Miners()
	if text == "" && len(list) > 0 {
		return list[0], nil
	}
	m, err := address.NewFromString(text)
	if err != nil || !slices.Contains(list, m) {
		return address.Undef, fmt.Errorf("miner %q: the network has %v", text, list)
	}
	return m, nil
}
