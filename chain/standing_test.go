package chain_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// What can pay a debt is the balance without what is locked: of the recorded
// miners that is what the node itself says is available, because they owe
// nothing and nothing has vested meanwhile.
func TestTheRecordedMinersOweNothing(t *testing.T) {
	c := replayCalls(t, "calls.json")
	for miner, available := range map[abi.ActorID]string{1000: "2752479796307220246226", 1001: "16210032696170"} {
		s, err := c.Standing(t.Context(), miner, recordedHead)
		if err != nil {
			t.Fatal(err)
		}
		if s.ConsensusFault != -1 || !s.Debt.IsZero() || s.Hindrance(1000) != "" {
			t.Errorf("miner %d: %+v", miner, s)
		}
		told := big.MustFromString(available)
		if off := big.Sub(told, s.Unlocked); off.Sign() < 0 || big.Mul(off, big.NewInt(100)).GreaterThan(told) {
			t.Errorf("miner %d: %s could pay a debt, and the node says that %s is available", miner, s.Unlocked, told)
		}
	}
}

func TestADebtAndAConsensusFaultAreRead(t *testing.T) {
	was := address.CurrentNetwork
	t.Cleanup(func() { address.CurrentNetwork = was })
	n := newFakeNode(time.Second)
	state := map[string]any{"PreCommitDeposits": "1", "LockedFunds": "20", "InitialPledge": "300", "FeeDebt": "77"}
	n.handle("StateReadState", func([]json.RawMessage) (any, error) {
		raw, err := json.Marshal(map[string]any{"Balance": "371", "State": state})
		return json.RawMessage(raw), err
	})
	n.answer("StateMinerInfo", `{"Owner":"t0101","Worker":"t0101","WindowPoStProofType":5,"SectorSize":2048,"WindowPoStPartitionSectors":2,"ConsensusFaultElapsed":4711}`)
	c := dialNode(t, n)
	s, err := c.Standing(t.Context(), 1000, recordedHead)
	if err != nil || s.Debt.String() != "77" || s.Unlocked.String() != "50" || s.ConsensusFault != 4711 {
		t.Errorf("%+v, %v", s, err)
	}
	for _, name := range []string{"PreCommitDeposits", "LockedFunds", "InitialPledge", "FeeDebt"} {
		had := state[name]
		delete(state, name)
		if _, err := c.Standing(t.Context(), 1000, recordedHead); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
		state[name] = had
	}
}

// However a node says it, a call that needs more gas than a block has is known.
func TestACallThatRunsOutOfGasIsTooLarge(t *testing.T) {
	for _, c := range []struct {
		answer answerError
		want   bool
	}{
		{answerError{2, "call ran out of gas"}, true},
		{answerError{1, "message execution failed: exit SysErrOutOfGas(7), reason: none"}, true},
		{answerError{-32603, "message execution failed: exit code: 7, reason: message failed"}, true},
		{answerError{-32603, "message execution failed: exit code: 17, reason: message failed"}, false},
		{answerError{3, "message execution failed (exit=[ErrForbidden(18)], vm error=[no])"}, false},
	} {
		n := newFakeNode(time.Second)
		n.handle("GasEstimateMessageGas", func([]json.RawMessage) (any, error) { return nil, &c.answer })
		_, err := dialNode(t, n).EstimateGas(t.Context(), vigil.Call{From: addr(t, "t0101"), To: addr(t, "t01000"), Method: 11}, 0)
		var refused *vigil.CallError
		if !errors.As(err, &refused) || refused.OutOfGas != c.want {
			t.Errorf("%v: %v", c.answer, err)
		}
	}
}
