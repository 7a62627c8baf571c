package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/jsonrpc"
	"github.com/vigil-post/vigil/sophon"
	"github.com/vigil-post/vigil/store"
)

// sectors compares what a miner has to prove with what the storages have.
func (e *examination) sectors(ctx context.Context, node *chain.Nodes, info vigil.MinerInfo, key vigil.TipSetKey) {
	about := "miner " + vigil.MinerAddress(info.Miner).String()
	live, faulty, err := proven(ctx, node, info.Miner, key)
	if err != nil {
		e.ill(about, "look at the node's own log", "its sectors cannot be read: %v", err)
		return
	}
	var missing []uint64
	err = live.ForEach(func(n uint64) error {
		if h := e.held[abi.SectorID{Miner: info.Miner, Number: abi.SectorNumber(n)}]; !(h.Sealed && h.Cache || h.Update && h.UpdateCache) {
			missing = append(missing, n)
		}
		return nil
	})
	count, _ := live.Count()
	bad, _ := faulty.Count()
	said := fmt.Sprintf("%d sectors of %s to prove", count, humanize.IBytes(uint64(info.SectorSize)))
	switch {
	case err != nil:
		e.ill(about, "look at the node's own log", "its sectors cannot be listed: %v", err)
	case len(missing) > 0:
		e.ill(about, "add the storages that have them (vigil storage scan finds some): what cannot be read is skipped, and loses its power",
			"%s, and %d of them are in no storage: %s", said, len(missing), firstOf(missing))
	case bad > 0:
		e.unwell(about, "vigil check says which can be read again; those are declared recovered by the daemon", "%s, of which %d are faulty on chain", said, bad)
	default:
		e.well(about, "%s, and all are in the storages; vigil check reads and verifies them", said)
	}
}

// firstOf lists the first few of many.
func firstOf(numbers []uint64) string {
	const most = 10
	list := strings.Trim(fmt.Sprint(numbers[:min(len(numbers), most)]), "[]")
	if len(numbers) > most {
		list += " …"
	}
	return list
}

// proven gives a miner's live sectors, and the faulty ones.
func proven(ctx context.Context, node *chain.Nodes, id abi.ActorID, key vigil.TipSetKey) (live, faulty bitfield.BitField, err error) {
	current, err := node.Deadline(ctx, id, key)
	if err != nil {
		return live, faulty, err
	}
	var sets []bitfield.BitField
	for index := range current.Count {
		partitions, err := node.Partitions(ctx, id, index, key)
		if err != nil {
			return live, faulty, fmt.Errorf("deadline %d: %w", index, err)
		}
		for _, p := range partitions {
			sets = append(sets, p.Live)
		}
	}
	if live, err = bitfield.MultiMerge(sets...); err != nil {
		return live, faulty, err
	}
	faulty, _, err = node.Faults(ctx, id, key)
	return live, faulty, err
}

// keys sees which accounts can send, and what they have.
func (e *examination) keys(ctx context.Context, node *chain.Nodes, info vigil.MinerInfo, key vigil.TipSetKey) {
	about := "senders of " + vigil.MinerAddress(info.Miner).String()
	if slices.Contains(e.config.Shadow, info.Miner) && e.config.Messager.Sophon.URL == "" {
		e.well(about, "none is needed: the miner is in shadow, and nothing is signed or sent")
		return
	}
	keys, remedy, err := e.keyring()
	if err != nil {
		e.ill(about, "vigil wallet list --keystore FILE tries the passphrase", "the keys cannot be opened: %v", err)
		return
	}
	var without []string
	have := 0
	for _, account := range append(slices.Clone(info.Control), info.Worker) {
		sender, err := node.KeyAddress(ctx, account, key)
		if errors.Is(err, vigil.ErrNotFound) {
			without = append(without, account.String()+" has no key")
			continue
		}
		if err != nil {
			e.ill(about, "look at the node's own log", "the key of %s cannot be looked up: %v", account, err)
			return
		}
		held, err := keys.Has(ctx, sender)
		switch {
		case err != nil:
			e.ill(about, remedy, "it cannot be asked whether the key of %s is held: %v", sender, err)
			return
		case held:
			have++
			e.balance(ctx, node, about, account, sender, account == info.Worker, key)
		default:
			without = append(without, sender.String())
		}
	}
	if have == 0 {
		e.ill(about, "vigil wallet import takes over what lotus wallet export prints; a messager of [messager.sophon] needs the key in its own wallet", "no key of theirs is held: %s", strings.Join(without, ", "))
	}
}

// keyring is what messages would be signed with, and what helps when it does not answer:
// the wallets, or the messager that is used in place of ours.
func (e *examination) keyring() (keys keyring, remedy string, err error) {
	at := e.config.Messager.Sophon
	if at.URL == "" {
		keys, err = signer(e.config.Wallet)
		return keys, "is the other wallet running?", err
	}
	client, err := jsonrpc.New(at.URL, string(at.Token), sophon.Path, at.Timeout)
	return messagerKeys{client}, "is the messager of [messager.sophon] running, and does its token permit to write?", err
}

// messagerKeys are those that a sophon-messager can send with.
type messagerKeys struct{ client *jsonrpc.Client }

// Has implements keyring.
func (m messagerKeys) Has(ctx context.Context, key address.Address) (held bool, err error) {
	err = m.client.Call(ctx, &held, "Message.WalletHas", key)
	return held, err
}

func (e *examination) balance(ctx context.Context, node *chain.Nodes, about string, account, sender address.Address, worker bool, key vigil.TipSetKey) {
	role := "a control address"
	if worker {
		role = "the worker"
	}
	_, balance, err := node.Account(ctx, account, key)
	most := e.config.Messager.mostFee()
	switch {
	case err != nil && !errors.Is(err, vigil.ErrNotFound):
		e.ill(about, "look at the node's own log", "the balance of %s cannot be read: %v", sender, err)
	case err != nil || balance.Sign() == 0:
		e.ill(about, "send FIL to it", "%s, %s, has nothing to pay with", sender, role)
	case balance.LessThan(most):
		e.unwell(about, "send FIL to it, or lower max_fee in [messager]", "%s, %s, has %s, and one message may cost %s", sender, role, explain.FIL(balance), explain.FIL(most))
	default:
		e.well(about, "%s, %s, has %s", sender, role, explain.FIL(balance))
	}
}

// parameters sees that proofs of a kind can be made, with the network's keys.
func (e *examination) parameters(ctx context.Context, maths parameters, info vigil.MinerInfo) {
	about := "parameters for " + humanize.IBytes(uint64(info.SectorSize))
	const remedy = "vigil params list says what is there and what is missing; vigil params check compares all with what they should be"
	if e.config.Proofs.Parameters == "" {
		return // said with the file
	}
	if err := maths.Check(info.ProofType); err != nil {
		e.ill(about, remedy, "%v", err)
		return
	}
	err := maths.CheckPublished(ctx, info.ProofType)
	switch {
	case err != nil && e.public:
		e.ill(about, remedy, "%v", err)
	case err != nil:
		e.well(about, "they are there, of a setup that is not Filecoin's ceremony; on this network that can be right")
	default:
		e.well(about, "they are there, and their verifying key is the one of Filecoin's ceremony")
	}
}

// disk looks at the data folder.
func (e *examination) disk() {
	dir := e.config.Data
	if dir == "" {
		return // said with the file
	}
	about := "data folder " + dir
	// A folder that is not there is left to the daemon: made here, it could be another user's.
	in := dir
	for !exists(in) && filepath.Dir(in) != in {
		in = filepath.Dir(in)
	}
	probe, err := os.CreateTemp(in, ".doctor.*")
	if err != nil && in != dir {
		e.ill(about, "set dir in [data] to a folder that this user may make", "it is not there, and could not be made: %v", err)
		return
	}
	if err != nil {
		e.ill(about, "this must be the user that the daemon runs as, and the folder its own", "it cannot be written to: %v", err)
		return
	}
	began := time.Now()
	_, err = probe.Write(make([]byte, 4096))
	err = errors.Join(err, probe.Sync(), probe.Close(), os.Remove(probe.Name()))
	took, free := time.Since(began), store.DiskFree(in)
	const enough = 1 << 30
	switch {
	case err != nil:
		e.ill(about, "look at the disk", "a small file cannot be made durable there: %v", err)
	case free < enough:
		e.ill(about, "make room: without it no proof and no message can be kept", "only %s are free", humanize.IBytes(uint64(free)))
	case took > time.Second:
		e.unwell(about, "put it on a disk of this machine that nothing else keeps busy", "making 4 KiB durable took %v", took.Round(time.Millisecond))
	default:
		said := "%s are free; making 4 KiB durable takes %v"
		if in != dir {
			said = "the daemon will make it; " + said
		}
		e.well(about, said, humanize.IBytes(uint64(free)), took.Round(100*time.Microsecond))
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// page looks whether the dashboard's port is free or has a daemon on it.
func (e *examination) page(ctx context.Context) {
	listen := e.config.Dashboard.Listen
	if listen == "" {
		return
	}
	about := "dashboard " + listen
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err == nil {
		_ = l.Close()
		e.well(about, "its address is free: no daemon of this configuration runs")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	r, requestErr := http.NewRequestWithContext(ctx, http.MethodGet, reachable(listen)+"/healthz", nil)
	if requestErr != nil {
		e.ill(about, "set listen in [dashboard]", "%v", requestErr)
		return
	}
	answer, askErr := http.DefaultClient.Do(r)
	if askErr != nil {
		e.ill(about, "set listen in [dashboard] to an address that is free", "the daemon could not listen: %v", err)
		return
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		e.unwell(about, "vigil status says how it stands", "a daemon is there, and it is not well: %s", answer.Status)
		return
	}
	e.well(about, "a daemon is running there, and it is well")
}
