package devnet

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/filecoin-project/go-state-types/abi"
	actorstypes "github.com/filecoin-project/go-state-types/actors"
	"github.com/filecoin-project/go-state-types/network"
	"github.com/ipfs/go-cid"
)

// The network versions that this chain can have. The layout of the miner's
// state is the same in all; of the last one only the number is known yet.
const (
	oldestVersion = network.Version25
	usualVersion  = network.Version28
	newestVersion = usualVersion + 1
)

// Upgrade is a network version that begins after an epoch: the tipset at the
// epoch is the last one of the version before it, and what it executes ends with
// the migration.
type Upgrade struct {
	Epoch   abi.ChainEpoch
	Version network.Version
}

// upgradeNames are the names of the upgrades, as StateGetNetworkParams has them.
var upgradeNames = map[network.Version]string{
	network.Version25: "Teep", network.Version26: "Tock", network.Version27: "GoldenWeek", network.Version28: "FireHorse", newestVersion: "Xx",
}

// codes are those of a bundle on development networks (lotus build/builtin_actors_gen.go).
type codes struct{ account, miner cid.Cid }

var bundles = map[actorstypes.Version]codes{
	actorstypes.Version16: {
		cid.MustParse("bafk2bzacebl27l7f5dt35gfeukr7kzkenhwisdy53r3gmbagbzzfejfa3ci6a"),
		cid.MustParse("bafk2bzacebmdlcmrseltgqqcw36q4njwp5cjw24kqf5q5cohonhbbrhv3hxbk"),
	},
	actorstypes.Version17: {
		cid.MustParse("bafk2bzacebaypq6rlsiz75i3pehycyj7azbkafrnslsbfj7qz2moglqvw3j7y"),
		cid.MustParse("bafk2bzacebz6pb4vdnl74oekr53zui3mgnonzphlul7uzvsmxcles54f6pebg"),
	},
	actorstypes.Version18: {accountCode, minerCode},
}

// bundleOf is the actors of a network version; the version that has none yet
// keeps those before it.
func bundleOf(v network.Version) actorstypes.Version {
	b, err := actorstypes.VersionForNetwork(min(v, usualVersion))
	if err != nil {
		panic("unreachable: " + err.Error())
	}
	return b
}

// code is what an actor's code is on chain.
func (s *state) code(a actorEntry) cid.Cid {
	c := bundles[s.bundle]
	if a.isMiner() {
		return c.miner
	}
	return c.account
}

// codeKind is the inverse of code.
func codeKind(code cid.Cid) (kind cid.Cid, bundle actorstypes.Version, err error) {
	for v, c := range bundles {
		switch code {
		case c.account:
			return accountCode, v, nil
		case c.miner:
			return minerCode, v, nil
		}
	}
	return cid.Undef, 0, fmt.Errorf("unknown code %s", code)
}

// versionAt is the network version of an epoch.
func (n *Network) versionAt(e abi.ChainEpoch) network.Version {
	n.upgradesMu.Lock()
	defer n.upgradesMu.Unlock()
	v := n.upgrades[0].Version
	for _, u := range n.upgrades {
		if e > u.Epoch {
			v = u.Version
		}
	}
	return v
}

// Upgrades are the network's, the first one being what it was born with.
func (n *Network) Upgrades() []Upgrade {
	n.upgradesMu.Lock()
	defer n.upgradesMu.Unlock()
	return slices.Clone(n.upgrades)
}

// Upgrade plans the network's next version, at an epoch ahead.
func (n *Network) Upgrade(ctx context.Context, u Upgrade) error {
	n.making.Lock() // no epoch passes while the plan changes
	defer n.making.Unlock()
	plan, err := n.planWith(u)
	if err != nil {
		return err
	}
	if err := n.storeUpgrades(ctx, plan); err != nil {
		return err
	}
	n.upgradesMu.Lock()
	defer n.upgradesMu.Unlock()
	n.upgrades = plan
	return nil
}

// planWith is the plan with one more upgrade, if that can be.
func (n *Network) planWith(u Upgrade) ([]Upgrade, error) {
	plan := n.Upgrades()
	head := abi.ChainEpoch(0)
	if n.chain.head != nil {
		head = n.Epoch()
	}
	switch latest := plan[len(plan)-1]; {
	case u.Version <= latest.Version || u.Version > newestVersion:
		return nil, fmt.Errorf("an upgrade to network version %d: the network has or will have version %d, and %d is the newest it can have", u.Version, latest.Version, newestVersion)
	case u.Epoch <= head || u.Epoch <= latest.Epoch:
		return nil, fmt.Errorf("an upgrade at epoch %d: it must be ahead of the head (%d) and of the upgrades before it", u.Epoch, head)
	}
	return append(plan, u), nil
}

func (n *Network) storeUpgrades(ctx context.Context, plan []Upgrade) error {
	text, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	return n.db.write(ctx, func(b *batch) { b.meta("upgrades", string(text)) })
}

// readUpgrades reads the plan, or begins one with the version of the configuration.
func (n *Network) readUpgrades(ctx context.Context) error {
	text, err := n.db.meta(ctx, "upgrades")
	if err != nil {
		return err
	}
	if text != "" {
		return json.Unmarshal([]byte(text), &n.upgrades)
	}
	n.upgrades = []Upgrade{{-1, n.cfg.NetworkVersion}}
	for _, u := range n.cfg.Upgrades {
		if n.upgrades, err = n.planWith(u); err != nil {
			return err
		}
	}
	return n.storeUpgrades(ctx, n.upgrades)
}

// migrate gives all actors the code of a new version when its epoch has come.
func (n *Network) migrate(x *machine, epoch abi.ChainEpoch) {
	for _, u := range n.Upgrades() {
		if u.Epoch != epoch {
			continue
		}
		n.log.Info("the network upgrades", "epoch", epoch, "version", u.Version, "name", upgradeNames[u.Version])
		x.st.bundle = bundleOf(u.Version)
		for id := range x.st.actors {
			x.st.dirty[id] = true
		}
	}
}

// notPlanned is where a node puts the epoch of an upgrade that has no date.
const notPlanned = 999_999_999_999_999

// planned corrects the epochs of upgrades in an answer of StateGetNetworkParams.
func (n *Network) planned(epochs map[string]int64) {
	for v, name := range upgradeNames {
		if v > n.Upgrades()[0].Version {
			epochs["Upgrade"+name+"Height"] = notPlanned
		}
	}
	for _, u := range n.Upgrades()[1:] {
		epochs["Upgrade"+upgradeNames[u.Version]+"Height"] = int64(u.Epoch)
	}
}
