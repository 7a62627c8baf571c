package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/shadow"
	"github.com/vigil-post/vigil/store"
)

// That nothing is signed or sent for a miner in shadow is seen to at every seam:
// the runner hands nothing over (withheld would refuse it), the policy of [wallet]
// has the miner among no receivers, so that no key signs what is left from before,
// and what was signed before goes to no node (mute). Where another program sends, it is
// handed nothing, whatever is left from before (sophon's Withheld).

// inShadow are the miners of a file that are in shadow; what is wrong with their
// addresses is said elsewhere.
func inShadow(list []fileMiner) (shadow []abi.ActorID) {
	for _, m := range list {
		a, err := address.NewFromString(m.Address)
		if err != nil || !m.Shadow {
			continue
		}
		if id, err := address.IDFromAddress(a); err == nil {
			shadow = append(shadow, abi.ActorID(id))
		}
	}
	return shadow
}

// sentFor are the miners that we post for.
func sentFor(miners, shadow []abi.ActorID) []abi.ActorID {
	return slices.DeleteFunc(slices.Clone(miners), func(id abi.ActorID) bool { return slices.Contains(shadow, id) })
}

// withheld is a messager that takes nothing for miners in shadow.
type withheld struct {
	courier
	shadow []abi.ActorID
}

// Push implements vigil.Messager.
func (s withheld) Push(ctx context.Context, r vigil.MessageRequest) (vigil.Message, error) {
	if id, is := inShadowOf(r, s.shadow); is {
		return vigil.Message{}, fmt.Errorf("miner %s is in shadow: no message of it is taken", vigil.MinerAddress(id))
	}
	return s.courier.Push(ctx, r)
}

// inShadowOf gives the miner in shadow that a message is of, or to.
func inShadowOf(r vigil.MessageRequest, shadow []abi.ActorID) (abi.ActorID, bool) {
	i := slices.IndexFunc(shadow, func(id abi.ActorID) bool { return r.Duty.Miner == id || r.Call.To == vigil.MinerAddress(id) })
	if i < 0 {
		return 0, false
	}
	return shadow[i], true
}

// mute is a node that is handed no message to miners in shadow.
type mute struct {
	vigil.MessageNode
	shadow []abi.ActorID
}

// PushMessage implements vigil.MessageNode.
func (m mute) PushMessage(ctx context.Context, message vigil.SignedMessage) ([]vigil.PushResult, error) {
	for _, id := range m.shadow {
		if message.To == vigil.MinerAddress(id) {
			return nil, fmt.Errorf("miner %s is in shadow: no message to it is sent", vigil.MinerAddress(id))
		}
	}
	return m.MessageNode.PushMessage(ctx, message)
}

// newShadow makes what compares the miners in shadow with who posts for them.
func (d *Daemon) newShadow() (*shadow.Watch, error) {
	return shadow.New(shadow.Config{
		Heads: d.nodes, State: d.nodes, Posts: d.nodes, Duties: d.store, Audits: d.store, Store: d.store,
		Miners: d.config.Shadow, Confidence: func() abi.ChainEpoch { return d.settings().Schedule.Confidence }, Log: d.log,
	})
}

// shadows gives the records of all miners, those that are live by now too.
func (d *Daemon) shadows(ctx context.Context, since abi.ChainEpoch) ([]vigil.ShadowRecord, error) {
	return shadowsOf(ctx, d.store, d.config.Miners, since)
}

func shadowsOf(ctx context.Context, s *store.Store, miners []abi.ActorID, since abi.ChainEpoch) ([]vigil.ShadowRecord, error) {
	all := []vigil.ShadowRecord{}
	for _, id := range miners {
		records, err := s.Shadows(ctx, id, since)
		if err != nil {
			return nil, err
		}
		all = append(all, records...)
	}
	slices.SortStableFunc(all, func(a, b vigil.ShadowRecord) int { return cmp.Compare(a.Deadline.Open, b.Deadline.Open) })
	return all, nil
}

// StoredShadows gives the records in the data folder of a daemon that does not
// run; it is store.ErrInUse while it does.
func StoredShadows(ctx context.Context, path string, since abi.ChainEpoch) (records []vigil.ShadowRecord, err error) {
	miners, data, err := minersAndData(path)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(data, "vigil.db")
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("no daemon has run with this configuration: %w", err)
	}
	s, err := store.Open(ctx, file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := WriteAddressesIn(data); err != nil {
		return nil, err
	}
	return shadowsOf(ctx, s, miners, since)
}

// minersAndData reads from a configuration file no more than what it says of its
// miners and of its data folder.
func minersAndData(path string) (miners []abi.ActorID, data string, err error) {
	rest, c, err := readLeniently(path)
	if err != nil {
		return nil, "", err
	}
	data = c.data(rest.Data.Dir)
	if miners = c.miners(rest.Miners); len(c.findings.list) > 0 {
		return nil, "", c.findings.err()
	}
	return miners, data, nil
}

// WriteAddressesAs makes this process write addresses as a configuration file
// does, f01000 or t01000, and as its data folder's network has them: it is for
// commands that meet no node.
func WriteAddressesAs(path string) error {
	rest, c, err := readLeniently(path)
	if err != nil {
		return err
	}
	if len(rest.Miners) > 0 && strings.HasPrefix(rest.Miners[0].Address, "t") {
		address.CurrentNetwork = address.Testnet
	}
	return WriteAddressesIn(c.path(rest.Data.Dir))
}

// WriteAddressesIn makes this process write addresses as the network of a data folder
// has them, if the folder is one of a daemon that has met its network.
func WriteAddressesIn(data string) error {
	network, err := readOrigin(data)
	if err == nil && network.Name != "" {
		writeAddressesOf(network)
	}
	return err
}

// readLeniently reads a file's tables without looking at what they mean.
func readLeniently(path string) (rest fileRest, c checker, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return rest, c, err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return rest, c, err
	}
	findings := newFindings(path, text)
	_, rest, ok := readFile(findings, defaults(os.Getenv))
	if !ok {
		return rest, c, findings.err()
	}
	return rest, checker{findings: findings, dir: filepath.Dir(absolute), getenv: os.Getenv}, nil
}
