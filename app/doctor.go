package app

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/prover/native"
	"github.com/vigil-post/vigil/sector"
)

// Health is how well something is that Examine looked at.
type Health string

const (
	Well   Health = "well"
	Unwell Health = "unwell" // it works, and somebody should look after it
	Ill    Health = "ill"    // power is lost with it
)

// Examined is what Examine found about one thing.
type Examined struct {
	About  string `json:"about"` // the file, a node, a miner, a storage, this machine
	Health Health `json:"health"`
	Said   string `json:"said"`
	Remedy string `json:"remedy,omitempty"` // what to do, if it is not well
}

// Examine looks at everything that the daemon of a configuration will need, and
// says each finding as it comes. It changes nothing, and may be used while the
// daemon runs. Where the file itself is wrong, what can be looked at all the same is.
func Examine(ctx context.Context, path string, say func(Examined)) {
	e := &examination{say: say, log: slog.New(slog.DiscardHandler)}
	c, err := Load(path)
	var found *FindingsError
	switch {
	case errors.As(err, &found):
		for _, f := range found.Findings {
			e.ill(path, f.Advice, "%s: %s", cmp.Or(f.Key, "the file"), f.Problem)
		}
		c = found.config
	case err != nil:
		e.ill(path, "give the daemon's configuration; vigil init writes one", "%v", err)
		return
	default:
		e.well(path, "every setting is one, and all files that it names are there")
	}
	e.config = c
	e.machine()
	e.disk()
	e.page(ctx)
	e.storages(ctx)
	e.chain(ctx, all)
}

// Aspect is something to look at about a miner.
type Aspect int

const (
	ItsSectors Aspect = 1 << iota // are they in the storages?
	ItsKeys                       // can its messages be sent?
	ItsParameters
	ItExists // no more than that

	all = ItsSectors | ItsKeys | ItsParameters
)

// ExamineMiners looks at the nodes of a configuration that is not complete yet, and
// at these aspects of its miners.
func ExamineMiners(ctx context.Context, c Config, aspects Aspect, say func(Examined)) {
	e := &examination{say: func(Examined) {}, log: slog.New(slog.DiscardHandler), config: c}
	if aspects&ItsSectors != 0 {
		e.storages(ctx)
	}
	e.say = say
	e.chain(ctx, aspects)
}

type examination struct {
	config Config
	say    func(Examined)
	log    *slog.Logger
	public bool                         // the network is one that uses the keys of Filecoin's ceremony
	held   map[abi.SectorID]sector.Held // what all storages together have of a sector
}

func (e *examination) well(about, said string, args ...any) {
	e.say(Examined{About: about, Health: Well, Said: fmt.Sprintf(said, args...)})
}

func (e *examination) unwell(about, remedy, said string, args ...any) {
	e.say(Examined{About: about, Health: Unwell, Said: fmt.Sprintf(said, args...), Remedy: remedy})
}

func (e *examination) ill(about, remedy, said string, args ...any) {
	e.say(Examined{About: about, Health: Ill, Said: fmt.Sprintf(said, args...), Remedy: remedy})
}

// machine looks at what proofs are computed with.
func (e *examination) machine() {
	kernels := groth16.Kernels()
	if kernels.Problem != nil {
		e.unwell("this machine", "proofs are right all the same, and take four times as long; a CPU of AMD's Zen 4 or Intel's Ice Lake generation or newer has the unit",
			"%d cores; proofs are made without the vector unit (%s): %v", runtime.NumCPU(), kernels.Name, kernels.Problem)
		return
	}
	e.well("this machine", "%d cores; proofs are made with %s", runtime.NumCPU(), kernels.Name)
}

// storages looks into the folders of sectors.
func (e *examination) storages(ctx context.Context) {
	e.held = map[abi.SectorID]sector.Held{}
	for _, s := range ListStorages(ctx, e.config.Storages) {
		if s.Problem != "" {
			e.ill(s.Path, "see that its disk is mounted, and that this user may read it", "it cannot be read: %s", s.Problem)
			continue
		}
		for _, h := range s.Held {
			id := abi.SectorID{Miner: h.Miner, Number: h.Number}
			before := e.held[id]
			e.held[id] = sector.Held{
				Sealed: h.Sealed || before.Sealed, Cache: h.Cache || before.Cache,
				Update: h.Update || before.Update, UpdateCache: h.UpdateCache || before.UpdateCache,
			}
		}
		switch {
		case s.Sealed+s.Updated == 0:
			e.unwell(s.Path, "is it the right folder, and is its disk mounted?", "it has no sector")
		case s.Partial > 0:
			e.unwell(s.Path, "vigil storage list --json names them; the other half may be in another storage", "%d sectors, and of %d more only one half", s.Sealed+s.Updated, s.Partial)
		default:
			e.well(s.Path, "%d sectors", s.Sealed+s.Updated)
		}
	}
}

// chain looks at each node by itself, and at the miners through the first that is well.
func (e *examination) chain(ctx context.Context, aspects Aspect) {
	seen := false
	for _, n := range e.config.Nodes {
		node, err := chain.Open(ctx, nodeConfigs([]Node{n}, vigil.Network{}, e.log)...)
		if err != nil {
			e.ill("node", "write it as vigil config example shows it", "%v", err)
			continue
		}
		if e.node(ctx, node, n) && !seen {
			seen = true
			e.miners(ctx, node, aspects)
		}
		_ = node.Close()
	}
	if !seen && len(e.config.Miners) > 0 && len(e.config.Nodes) > 0 {
		e.unwell("miners", "mend a node first", "nothing is known about them: no node can be asked")
	}
}

// nodePatience is how long a node may take to say who it is.
const nodePatience = 15 * time.Second

func (e *examination) node(ctx context.Context, node *chain.Nodes, n Node) bool {
	about := "node " + node.Status()[0].Node
	ctx, cancel := context.WithTimeout(ctx, nodePatience)
	defer cancel()
	if err := e.reach(ctx, node); err != nil {
		e.ill(about, "is the address right, does the node run, and does it take the token?", "it cannot be used: %v", err)
		return false
	}
	network, err := meet(ctx, node, e.log, nobody)
	if err != nil {
		e.ill(about, "is the address right, does the node run, and does it take the token?", "it cannot be used: %v", err)
		return false
	}
	e.public = slices.Contains(publicNetworks, network.Name)
	head, err := node.Head(ctx)
	if err != nil {
		e.ill(about, "look at the node's own log", "it does not tell its head: %v", err)
		return false
	}
	if allowed, told := permissions(n); told && !slices.Contains(allowed, "write") {
		e.ill(about, "give a token with write: lotus auth create-token --perm write", "its token permits %s, and messages cannot be sent with that", strings.Join(allowed, ", "))
	}
	behind := time.Since(head.Time)
	const remedy = "is the node in sync (lotus sync wait), and is this machine's clock right (chronyc tracking)?"
	switch late := 3 * max(network.BlockDelay, time.Second); {
	case behind < -time.Second:
		e.ill(about, "set this machine's clock: chronyc tracking says how far it is off", "its head at epoch %d is %v in this machine's future", head.Epoch, -behind.Round(time.Second))
	case behind > 10*late:
		e.ill(about, remedy, "%s, but its head at epoch %d is %v old", network.Name, head.Epoch, behind.Round(time.Second))
	case behind > late:
		e.unwell(about, remedy, "%s, but its head at epoch %d is %v old", network.Name, head.Epoch, behind.Round(time.Second))
	default:
		e.well(about, "%s, epoch %d, %v old", network.Name, head.Epoch, behind.Round(time.Second))
	}
	return true
}

// reach asks a node who it is for as long as a connection may take.
func (e *examination) reach(ctx context.Context, node *chain.Nodes) error {
	until := time.After(3 * time.Second)
	for {
		_, err := node.Network(ctx)
		if err == nil || hopeless(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-until:
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// permissions are what a node's token says it permits: tokens of Lotus, Venus and Forest say it.
func permissions(n Node) (allowed []string, told bool) {
	token := string(n.Token)
	if before, _, found := strings.Cut(n.URL, ":/"); token == "" && found && strings.Count(before, ".") == 2 {
		token = before
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, false
	}
	var payload struct {
		Allow []string
		Perm  string `json:"perm"` // of sophon-auth: the highest
	}
	if json.Unmarshal(text, &payload) != nil {
		return nil, false
	}
	if levels := []string{"read", "write", "sign", "admin"}; payload.Allow == nil && payload.Perm != "" {
		return levels[:slices.Index(levels, payload.Perm)+1], true
	}
	return payload.Allow, payload.Allow != nil
}

// miners looks at each miner: what it has to prove, with what, and from which account.
func (e *examination) miners(ctx context.Context, node *chain.Nodes, aspects Aspect) {
	maths := native.New(e.config.Proofs.Parameters, max(1, e.config.Proofs.AtOnce), e.config.Proofs.Memory)
	defer maths.Close()
	ctx = vigil.OneDecision(ctx)
	head, err := node.Head(ctx)
	if err != nil {
		e.ill("miners", "look at the node's own log", "the node does not tell its head any more: %v", err)
		return
	}
	checked := map[abi.RegisteredPoStProof]bool{}
	for _, id := range e.config.Miners {
		about := "miner " + vigil.MinerAddress(id).String()
		info, err := node.Miner(ctx, id, head.Key)
		if errors.Is(err, vigil.ErrNotFound) {
			e.ill(about, "is the address right, and the network?", "the network has no such miner")
			continue
		}
		if err != nil {
			e.ill(about, "look at the node's own log", "it cannot be read: %v", err)
			continue
		}
		if aspects&ItExists != 0 {
			e.well(about, "it exists, and its sectors have %s", humanize.IBytes(uint64(info.SectorSize)))
		}
		if aspects&ItsSectors != 0 {
			e.sectors(ctx, node, info, head.Key)
		}
		if aspects&ItsKeys != 0 {
			e.keys(ctx, node, info, head.Key)
		}
		if aspects&ItsParameters != 0 && !checked[info.ProofType] {
			checked[info.ProofType] = true
			e.parameters(ctx, maths, info)
		}
	}
}
