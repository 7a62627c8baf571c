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

	"github.com/vigil-post/vigil/devnet/actor"
)

// The network versions that this chain can have. The layout of the miner's
// state is that of version 25 in all, and so are the rules but for the proof's
// type and the base fee; of the last one only the number is known yet.
const (
	oldestVersion = network.Version18
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
	network.Version18: "Hygge", network.Version19: "Lightning", network.Version20: "Thunder", network.Version21: "Watermelon",
	network.Version22: "Dragon", network.Version23: "Waffle", network.Version24: "Tuktuk",
	network.Version25: "Teep", network.Version26: "Tock", network.Version27: "GoldenWeek", network.Version28: "FireHorse", newestVersion: "Xx",
}

// codes are those of a bundle on development networks (lotus build/builtin_actors_gen.go).
type codes struct{ account, miner cid.Cid }

var bundles = map[actorstypes.Version]codes{
	actorstypes.Version10: {
		cid.MustParse("bafk2bzacedkj5dqs5xxamnlug2d5dyjl6askf7wlmvwzhmsrzcvogv7acqfe6"),
		cid.MustParse("bafk2bzacecw5xzj6z5b7qxx5xca5py4aoecmqj2pxb6nw673alufy22zckkyo"),
	},
	actorstypes.Version11: {
		cid.MustParse("bafk2bzacecf2pprkbdlpm4e2xz3ufunxtgrgyh2ie3stuqiyhibsvdze7kvri"),
		cid.MustParse("bafk2bzacedb7bokkzzs7hnbhivp74pgcpermuy7j6b3ncodylksukkxtnn7ze"),
	},
	actorstypes.Version12: {
		cid.MustParse("bafk2bzacedki4apynvdxxuoigmqkgaktgy2erjftoxqxqaklnelgveyaqknfu"),
		cid.MustParse("bafk2bzacecs262232b3awcrilyzpdketeayyqzzwgoavtxilgjvayrz55ovk4"),
	},
	actorstypes.Version13: {
		cid.MustParse("bafk2bzacebev3fu5geeehpx577b3kvza4xsmmggmepjj7rlsnr27hpoq27q2i"),
		cid.MustParse("bafk2bzacecsputz6xygjfyrvx2d7bxkpp7b5v4icrmpckec7gnbabx2w377qs"),
	},
	actorstypes.Version14: {
		cid.MustParse("bafk2bzacecqyi3xhyrze7hlo73zzyzz5jw5e6eqqyesmnbef4xr7br5amqsm2"),
		cid.MustParse("bafk2bzacedoimzimltyfzbabwuam2bqw32nqwo2twjq73q7mklwtvqi2evsw2"),
	},
	actorstypes.Version15: {
		cid.MustParse("bafk2bzaceb7f7gjyz2fkzkbf6jlwttjinny4nci4zdoby7r246xuyc4e2n7me"),
		cid.MustParse("bafk2bzacedlej4t4igjn7nxudsvpvmijcd4oiwngbizcb4jytm7wyzfvgqfzy"),
	},
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

// migrate gives all actors the code of a new version when its epoch has come,
// and miners the proof type that the version asks for.
func (n *Network) migrate(x *machine, epoch abi.ChainEpoch) error {
	for _, u := range n.Upgrades() {
		if u.Epoch != epoch {
			continue
		}
		n.log.Info("the network upgrades", "epoch", epoch, "version", u.Version, "name", upgradeNames[u.Version])
		x.st.bundle = bundleOf(u.Version)
		for id := range x.st.actors {
			x.st.dirty[id] = true
		}
		for _, id := range x.st.miners() {
			if err := x.migrateProofType(id); err != nil {
				return fmt.Errorf("proof type of miner %d: %w", id, err)
			}
		}
	}
	return nil
}

// migrateProofType brings a miner's proof type up to date with the actors.
func (x *machine) migrateProofType(id abi.ActorID) error {
	v, err := actor.Open(x.store, x.st.actors[id].head)
	if err != nil {
		return err
	}
	want := x.st.postType(v.Info.SectorSize)
	if v.Info.WindowPoStProofType == want {
		return nil
	}
	v.Info.WindowPoStProofType = want
	if v.State.Info, err = x.store.Put(x.store.Context(), &v.Info); err != nil {
		return err
	}
	a := x.st.actors[id]
	if a.head, err = x.store.Put(x.store.Context(), &v.State); err != nil {
		return err
	}
	x.st.set(id, a)
	return nil
}

// postType is the type of Window PoSt that the actors take: V1_1 from those of
// network version 19 on (FIP-0061). The network took both for some weeks; this
// chain is stricter.
func (s *state) postType(size abi.SectorSize) abi.RegisteredPoStProof {
	t := forms[size].post
	if s.bundle < actorstypes.Version11 {
		return t - v1Behind
	}
	return t
}

// postTypes are those of all sizes; none if they are the actor's usual ones.
func (s *state) postTypes() []abi.RegisteredPoStProof {
	if s.bundle >= actorstypes.Version11 {
		return nil
	}
	var out []abi.RegisteredPoStProof
	for size := range forms {
		out = append(out, s.postType(size))
	}
	return out
}

// v1Behind is how far a Window PoSt type of V1 is below that of V1_1.
const v1Behind = abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1 - abi.RegisteredPoStProof_StackedDrgWindow2KiBV1

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
