package messager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
)

// Find gives the messages of a query, oldest first.
func (m *Messager) Find(ctx context.Context, q vigil.MessageQuery) ([]vigil.Message, error) {
	return m.c.Store.FindMessages(ctx, q)
}

// Replace wishes for a new attempt at the message's nonce, with the gas given
// or, without, with what the fee function says next.
func (m *Messager) Replace(ctx context.Context, id string, gas *vigil.Gas) error {
	message, err := m.wishable(ctx, id)
	if err != nil {
		return err
	}
	if !inFlight(message) {
		return &vigil.WishError{ID: id, Why: fmt.Sprintf("it is %s: only what has a nonce and is not on chain can be replaced", message.State)}
	}
	if message.Wish.Verb == vigil.WishCancel {
		return &vigil.WishError{ID: id, Why: "it is being cancelled"}
	}
	if gas != nil {
		if why := refusedGas(message, *gas, m.config().maxFee(message.Duty.Kind)); why != "" {
			return &vigil.WishError{ID: id, Why: why}
		}
	}
	return m.wish(ctx, id, vigil.Wish{Verb: vigil.WishReplace, After: lastAttempt(message).Number, Gas: gas})
}

// refusedGas says why no pool would take a replacement with the gas, or why it
// is not made, or nothing.
func refusedGas(m vigil.Message, gas vigil.Gas, most abi.TokenAmount) string {
	highest := big.Zero()
	for _, a := range m.Attempts {
		if isCurrent(m, a) {
			highest = big.Max(highest, amount(a.Signed.Gas.Premium))
		}
	}
	feeCap, premium := amount(gas.FeeCap), amount(gas.Premium)
	switch {
	case gas.Limit <= 0 || gas.Limit > blockGasLimit:
		return fmt.Sprintf("its gas limit must be from 1 to %d", int64(blockGasLimit))
	case feeCap.LessThan(big.NewInt(minFeeCap)):
		return fmt.Sprintf("its fee cap must be %d attoFIL or more", minFeeCap)
	case premium.GreaterThan(feeCap):
		return fmt.Sprintf("its premium of %s attoFIL is above its fee cap of %s", premium, feeCap)
	case premium.LessThan(leastReplacement(highest)):
		return fmt.Sprintf("nodes replace a message only for a premium of %s attoFIL or more", leastReplacement(highest))
	case gasCost(gas).GreaterThan(most):
		return fmt.Sprintf("it could cost %s attoFIL, and one may cost %s: raise the greatest fee in [messager] to pay more", gasCost(gas), most)
	}
	return ""
}

// Cancel wishes that the message is not executed.
func (m *Messager) Cancel(ctx context.Context, id string) error {
	message, err := m.wishable(ctx, id)
	if err != nil {
		return err
	}
	if message.Duty.Kind == vigil.KindFill {
		return &vigil.WishError{ID: id, Why: "it is a send of nothing that others wait for"}
	}
	if message.Receipt != nil {
		return &vigil.WishError{ID: id, Why: fmt.Sprintf("the chain executed it at epoch %d", message.Receipt.Epoch)}
	}
	return m.wish(ctx, id, vigil.Wish{Verb: vigil.WishCancel})
}

// Republish wishes that the nodes are handed the message now.
func (m *Messager) Republish(ctx context.Context, id string) error {
	message, err := m.wishable(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case !inFlight(message):
		return &vigil.WishError{ID: id, Why: fmt.Sprintf("it is %s: only what has a nonce and is not on chain can be handed to nodes", message.State)}
	case message.Wish.Verb == vigil.WishCancel:
		return &vigil.WishError{ID: id, Why: "it is being cancelled, which is handed to the nodes at every head"}
	}
	return m.wish(ctx, id, vigil.Wish{Verb: vigil.WishRepublish})
}

// wishable gives a message that something can still be wished of.
func (m *Messager) wishable(ctx context.Context, id string) (vigil.Message, error) {
	found, err := m.c.Store.FindMessages(ctx, vigil.MessageQuery{ID: id})
	if err != nil {
		return vigil.Message{}, err
	}
	if len(found) == 0 {
		return vigil.Message{}, fmt.Errorf("message %q: %w", id, vigil.ErrNotFound)
	}
	if found[0].Settled {
		return vigil.Message{}, &vigil.WishError{ID: id, Why: fmt.Sprintf("it is %s for good", found[0].State)}
	}
	return found[0], nil
}

func (m *Messager) wish(ctx context.Context, id string, w vigil.Wish) error {
	w.At = time.Now()
	err := m.c.Store.SaveWish(ctx, id, w)
	if errors.Is(err, vigil.ErrNotFound) {
		return &vigil.WishError{ID: id, Why: "it has come to its end in the meantime"}
	}
	if err != nil {
		return err
	}
	m.nudge()
	return nil
}
