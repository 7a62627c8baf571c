package chain

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/network"

	"github.com/vigil-post/vigil"
)

// newestVersion is the newest network version that this Vigil was made for.
// A newer one may want other proofs or messages, and what is sent in the old
// form may be taken and fined.
const newestVersion = network.Version28

// knownUpgrades are the names that nodes give the upgrades up to newestVersion
// (lotus, build/buildconstants/params.go: UpgradeFireHorseHeight is version 28's).
var knownUpgrades = []string{
	"Smoke", "Breeze", "Ignition", "Refuel", "Assembly", "Tape", "Liftoff", "Kumquat", "Calico", "Persian", "Orange", "Claus",
	"Trust", "Norwegian", "Turbo", "Hyperdrive", "Chocolate", "OhSnap", "Skyr", "Shark", "Hygge", "Lightning", "Thunder",
	"Watermelon", "WatermelonFix", "WatermelonFix2", "Dragon", "CalibrationDragonFix", "Phoenix", "Waffle", "Tuktuk", "Teep", "Tock",
	"GoldenWeek", "FireHorse",
}

// upgrades are those of ForkUpgradeParams that have a height, by epoch. Their
// keys are UpgradeXxxHeight; other settings of the network are among them.
func (p *networkParams) upgrades() []vigil.Upgrade {
	var list []vigil.Upgrade
	for key, raw := range p.ForkUpgradeParams {
		name, isUpgrade := strings.CutPrefix(key, "Upgrade")
		name, isHeight := strings.CutSuffix(name, "Height")
		var epoch abi.ChainEpoch
		if isUpgrade && isHeight && json.Unmarshal(raw, &epoch) == nil && epoch > 0 {
			list = append(list, vigil.Upgrade{Name: name, Epoch: epoch, Known: slices.Contains(knownUpgrades, name)})
		}
	}
	slices.SortFunc(list, func(a, b vigil.Upgrade) int {
		return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// foreseen is how far ahead an upgrade counts as planned: networks have heights
// centuries away for those that are not.
const foreseen = 365 * 24 * time.Hour

// nextUpgrade is the first upgrade after the epoch, and how long until then;
// nil if none is planned.
func nextUpgrade(n vigil.Network, epoch abi.ChainEpoch) (*vigil.Upgrade, time.Duration) {
	for _, u := range n.Upgrades {
		if u.Epoch <= epoch {
			continue
		}
		if left := u.Epoch - epoch; left < abi.ChainEpoch(foreseen/n.BlockDelay) {
			return &u, time.Duration(left) * n.BlockDelay
		}
		return nil, 0
	}
	return nil, 0
}

// unknownVersion says why a network of this version is not worked on, or nothing.
func unknownVersion(v network.Version) string {
	if v <= newestVersion {
		return ""
	}
	return fmt.Sprintf("the network is at version %d and this Vigil knows them up to %d: update Vigil, what it would send may not be what the network asks for now", v, newestVersion)
}

// foresee tells of the network's next upgrade: when it is first seen, when it
// is a day away, and when it has come with rules that are not known. n.mu is held.
func (n *Nodes) foresee(network vigil.Network, epoch abi.ChainEpoch) {
	once := func(what string, say func(msg string, args ...any), u vigil.Upgrade, args ...any) {
		if key := what + u.Name; !n.upgrades[key] {
			n.upgrades[key] = true
			say(what, append([]any{"upgrade", u.Name, "at", u.Epoch}, args...)...)
		}
	}
	for _, u := range network.Upgrades {
		if u.Epoch <= epoch && !u.Known && n.upgrades["a network upgrade is planned"+u.Name] {
			once("the network was upgraded to rules that this Vigil does not know; update it now", n.log.Error, u)
		}
	}
	next, in := nextUpgrade(network, epoch)
	if next == nil {
		return
	}
	once("a network upgrade is planned", n.log.Info, *next, "in", in)
	switch {
	case in > 24*time.Hour:
	case next.Known:
		once("a network upgrade comes within a day", n.log.Warn, *next, "in", in)
	default:
		once("a network upgrade comes within a day, and this Vigil does not know its rules; update it before", n.log.Error, *next, "in", in)
	}
}
