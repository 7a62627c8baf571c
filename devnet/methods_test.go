package devnet

import (
	"testing"

	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
)

// A provider terminates a sector, and the owner takes money out.
func TestAProviderTerminatesAndWithdraws(t *testing.T) {
	w := opened(t, Config{})
	m, worker, owner := w.Miners()[0], w.key("worker"), w.key("owner")
	w.send(worker, m, 5, w.postParams(m, firstDeadline, goodProof, bitfield.New(), 0))
	w.to(firstOpen + 200)
	c := w.send(worker, m, builtin.MethodsMiner.TerminateSectors, encoded(t, &miner.TerminateSectorsParams{
		Terminations: []miner.TerminationDeclaration{{Deadline: firstDeadline, Partition: 0, Sectors: bitfield.NewFromSet([]uint64{1})}},
	}))
	w.pass(2)
	if r := w.receipt(c); r.ExitCode != 0 || len(r.Return) == 0 {
		t.Fatalf("terminate: %+v", r)
	}
	if live := numbers(t, w.partition(firstDeadline).LiveSectors); len(live) != 1 || live[0] != 0 {
		t.Errorf("live sectors %v, want 0", live)
	}
	if power := get[MinerPower](w, "StateMinerPower", m, nil).MinerPower.RawBytePower; power.Int64() != 2048 {
		t.Errorf("power %s, want that of one sector", power)
	}
	if got := w.chain.current().after.power[firstMiner]; got.Int64() != 2048 {
		t.Errorf("the network counts %s", got)
	}

	before := get[abi.TokenAmount](w, "WalletBalance", owner.Address)
	c = w.send(worker, m, builtin.MethodsMiner.WithdrawBalance, encoded(t, &miner.WithdrawBalanceParams{AmountRequested: fil(100)}))
	w.pass(2)
	if r := w.receipt(c); r.ExitCode != 18 {
		t.Errorf("the worker withdraws: exit code %d, want 18", r.ExitCode)
	}
	c = w.send(owner, m, builtin.MethodsMiner.WithdrawBalance, encoded(t, &miner.WithdrawBalanceParams{AmountRequested: fil(100)}))
	w.pass(2)
	if r := w.receipt(c); r.ExitCode != 0 {
		t.Fatalf("the owner withdraws: %+v", r)
	}
	if got := big.Sub(get[abi.TokenAmount](w, "WalletBalance", owner.Address), before); got.LessThan(fil(99)) || got.GreaterThan(fil(100)) {
		t.Errorf("the owner has %s more, want 100 FIL less gas", filText(got))
	}
}
