package devnet

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
)

// asItIs is all that an order of the admin can change, in words.
func (w *world) asItIs() string {
	w.t.Helper()
	var b strings.Builder
	head := w.chain.current()
	fmt.Fprintln(&b, "head", head.height(), head.key(), "upgrades", w.Upgrades(), "faults", w.Faults())
	sky := w.weather
	fmt.Fprintln(&b, "weather", sky.paused, sky.fees, sky.nulls, sky.shares, sky.delays, sky.losses, sky.holds, len(sky.orders))
	fmt.Fprintln(&b, "pool", w.pool.low, w.pool.high)
	for _, m := range w.pool.pending() {
		fmt.Fprintln(&b, m.Message.From, m.Message.Nonce, m.Message.Method)
	}
	for _, miner := range w.Miners() {
		for number := range abi.SectorNumber(8) {
			for _, kind := range []string{"sealed", "cache"} {
				info, err := os.Stat(filepath.Join(w.Storage(), kind, fmt.Sprintf("s-%s-%d", miner, number)))
				if err != nil {
					fmt.Fprintln(&b, miner, number, kind, "missing")
				} else if !info.IsDir() {
					fmt.Fprintln(&b, miner, number, kind, info.Size())
				}
			}
		}
	}
	return b.String()
}

// sectorWithFiles is sectorOfWords with something to damage.
func sectorWithFiles(ctx context.Context, dir string, miner abi.ActorID, number abi.SectorNumber) ([32]byte, error) {
	if err := ctx.Err(); err != nil {
		return [32]byte{}, err
	}
	name := fmt.Sprintf("s-t0%d-%d", miner, number)
	for _, path := range []string{filepath.Join(dir, "sealed", name), filepath.Join(dir, "cache", name, "p_aux")} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return [32]byte{}, err
		}
		if err := os.WriteFile(path, []byte("the replica of a sector"), 0o644); err != nil {
			return [32]byte{}, err
		}
	}
	return sectorOfWords(ctx, dir, miner, number)
}

// TestNoParametersHalfApplyAnOrder calls every method of the admin's namespace
// with noise. It answers, never panics, and what it refuses leaves everything as it was.
func TestNoParametersHalfApplyAnOrder(t *testing.T) {
	w := opened(t, Config{Miners: 2, Sectors: 8, Verify: byWord, Sector: sectorWithFiles})
	seed := rand.Uint64()
	n := &noise{
		Rand: rand.New(rand.NewPCG(seed, 0)), miner: w.miner(), worker: w.key("worker").Address.String(),
		stranger: "t1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za", cids: []string{unknownObject, "nonsense", minerCode.String()},
	}
	h := newAPI(w.Network).rpc(newAPI(w.Network))
	taken, refused := map[string]int{}, 0
	for _, m := range methods(&admin{w.Network}) {
		for range rounds {
			params := []any{}
			for _, p := range parameters(m) {
				params = append(params, n.order(p))
			}
			if few := n.pick(0, 1, 3, -1, 1<<62); m.Name == "Advance" {
				params[0] = few
			} else if m.Name == "AddSectors" {
				params[1] = few // each has files
			}
			body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "Devnet." + m.Name, "params": params})
			if err != nil {
				t.Fatal(err)
			}
			before := w.asItIs()
			answer := answerOf(h, t.Context(), w.Token(), body)
			if err := judgeAnswer(answer); err != nil {
				t.Errorf("seed %d: %s: %v", seed, body, err)
			}
			if !strings.Contains(answer.Body.String(), `"error"`) {
				taken[m.Name]++
				continue
			}
			refused++
			if after := w.asItIs(); after != before {
				t.Errorf("seed %d: %s was refused (%.200s) and changed\n%s\ninto\n%s", seed, body, answer.Body, before, after)
			}
		}
		w.Heal("")
		w.Resume()
	}
	t.Logf("seed %d: %d refused, taken %v", seed, refused, taken)
	if refused == 0 || len(taken) < 15 {
		t.Error("nothing was refused, or hardly anything taken")
	}
	w.Calm()
	w.pass(3) // the chain still goes on
}

// order is noise, with the words that an order may have.
func (n *noise) order(t reflect.Type) any {
	switch t {
	case reflect.TypeFor[FaultSpec](), reflect.TypeFor[FaultKind]():
		return map[string]any{
			"Kind": n.text("slow", "lie", "lag", "error", "hang", "", "x"), "Method": n.text("", "ChainHead", "StateMinerInfo", "Filecoin.ChainHead"), "Share": n.pick(0, 0.5, 0.5, 1, 2, -1),
			"Times": n.pick(0, 3, 3, -1), "Epochs": n.pick(0, 2, 2, -5, uint64(1<<63-1)), "Delay": n.text("5ms", "5ms", "", "-5ms", "long", "1e9h"), "By": n.pick(1, 3, 0, -3, 1<<62),
		}
	case reflect.TypeFor[Damage]():
		return n.text("missing", "no-cache", "corrupt", "truncate", "", "x")
	case reflect.TypeFor[big.Int]():
		return n.text("0", "1", "-1", "1000000", "100000000000000000000000000000000", "1"+strings.Repeat("0", 500))
	}
	return n.value(t, 0)
}

// A reorganisation whose caller has gone away is not made, and leaves the pool alone.
func TestAReorgThatIsGivenUpChangesNothing(t *testing.T) {
	w := opened(t, Config{Sectors: 8, Verify: byWord, Sector: sectorWithFiles})
	w.send(w.key("worker"), w.Miners()[0], 5, w.postParams(w.Miners()[0], firstDeadline, goodProof, bitfield.New(), 0))
	w.pass(5)
	before := w.asItIs()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Reorganise(ctx, Reorganisation{Depth: 5}); err == nil {
		t.Fatal("it was made")
	}
	if after := w.asItIs(); after != before {
		t.Errorf("it changed\n%s\ninto\n%s", before, after)
	}
}

// A sector that cannot be made anew keeps the files that it has.
func TestASectorThatCannotBeMendedKeepsItsFiles(t *testing.T) {
	w := start(t, Config{Sectors: 2, Verify: byWord, Sector: sectorWithFiles})
	if err := w.BreakSector(w.Miners()[0], 1, DamageTruncate); err != nil {
		t.Fatal(err)
	}
	before := w.asItIs()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.MendSector(ctx, w.Miners()[0], 1); err == nil {
		t.Fatal("it was mended")
	}
	if after := w.asItIs(); after != before {
		t.Errorf("it changed\n%s\ninto\n%s", before, after)
	}
}
