package chain

import (
	"errors"
	"strings"
	"testing"

	"github.com/vigil-post/vigil"
)

// Every line of the table, in a node's whole sentence.
func TestWhatPoolsSayIsUnderstood(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range []struct {
		node, says string
		means      error
	}{
		{"lotus", "failed to add locked: message from f1abc with nonce 3 already in mpool: message with nonce already exists", errAlreadyThere},
		{"forest", "Message with sequence already in mempool", errAlreadyThere},
		{"lotus", "mpool push: message nonce too low, got 3", vigil.ErrNonceTooLow},
		{"venus", "minimum expected nonce is 7", vigil.ErrNonceTooLow},
		{"forest", "Message sequence too low", vigil.ErrNonceTooLow},
		{"lotus", "message from f1abc with nonce 3 already in mpool: replace by fee has too low GasPremium", vigil.ErrPremiumTooLow},
		{"forest", "Replacement rejected: gas price is lower than min gas price", vigil.ErrPremiumTooLow},
		{"lotus", "message nonce has too big a gap from expected nonce (Nonce: 20, expected: 3): unfulfilled nonce gap", vigil.ErrNonceGap},
		{"lotus", "too many pending messages for actor f1abc", vigil.ErrPoolFull},
		{"forest", "Too many pending messages from actor", vigil.ErrPoolFull},
		{"lotus", "not enough funds including pending messages (required: 2 FIL, balance: 1 FIL): soft validation failure", vigil.ErrNotEnoughFunds},
		{"forest", "Not enough funds to execute transaction", vigil.ErrNotEnoughFunds},
		{"lotus", "gas fee cap too low", vigil.ErrFeeTooLow},
		{"forest", "Gas fee cap is too low", vigil.ErrFeeTooLow},
		{"lotus", "GasFeeCap doesn't meet base fee lower bound for inclusion in the next 20 blocks", vigil.ErrFeeTooLow},
		{"lotus", "signature verification failed: bls signature incorrectly sized", vigil.ErrMessageInvalid},
		{"lotus", "mpool message too large (67727B): message too big", vigil.ErrMessageInvalid},
		{"forest", "Message is too big", vigil.ErrMessageInvalid},
		{"lotus", "verify msg failed: 'GasLimit' field cannot be less than the cost of storing a message on chain 10 < 193863", vigil.ErrMessageInvalid},
		{"lotus", "'GasLimit' field cannot be greater than a block's gas limit (10000000001 > 10000000000)", vigil.ErrMessageInvalid},
		{"lotus", "message not valid for block inclusion: 'GasFeeCap' less than 'GasPremium'", vigil.ErrMessageInvalid},
		{"lotus", "verify msg failed: message will not be included in a block", vigil.ErrMessageInvalid},
		{"forest", "gas_limit 10 cannot be less than cost 193863 of storing a message on chain", vigil.ErrMessageInvalid},
		{"forest", "gas_limit 10000000001 cannot be greater than block gas limit", vigil.ErrMessageInvalid},
		{"forest", "gas_fee_cap less than gas_premium", vigil.ErrMessageInvalid},
		{"forest", "Sender actor is not a valid top-level sender", vigil.ErrMessageInvalid},
		{"forest", "bls signature verification failed for addr: f3abc", vigil.ErrMessageInvalid},
		{"any", "connection reset by peer", nil},
	} {
		if got := poolRefusal(c.says); !errors.Is(got, c.means) {
			t.Errorf("%s says %q: %v, want %v", c.node, c.says, got, c.means)
		}
		covered[poolLine(c.says)] = true
	}
	for _, w := range poolWords {
		if !covered[w.text] {
			t.Errorf("no sentence is understood by the line %q", w.text)
		}
	}
}

// poolLine is the line of the table that a sentence is understood by.
func poolLine(says string) string {
	for _, w := range poolWords {
		if strings.Contains(strings.ToLower(says), w.text) {
			return w.text
		}
	}
	return ""
}

func TestThePremiumThatAPoolAsksForIsRead(t *testing.T) {
	err := poolRefusal("message from f1abc with nonce 3 already in mpool, increase GasPremium to 110522 from 100475 to trigger replace by fee: replace by fee has too low GasPremium")
	var premium *vigil.PremiumError
	if !errors.As(err, &premium) || premium.Needed.String() != "110522" || !errors.Is(err, vigil.ErrPremiumTooLow) {
		t.Errorf("got %v", err)
	}
	err = poolRefusal("increase GasPremium to many from few: replace by fee has too low GasPremium")
	if errors.As(err, &premium) && premium.Needed.String() != "110522" || !errors.Is(err, vigil.ErrPremiumTooLow) {
		t.Errorf("without a number: %v", err)
	}
}
