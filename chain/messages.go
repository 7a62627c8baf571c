package chain

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// KeyAddress is the key address of an account given by any of its addresses.
func (c *Client) KeyAddress(ctx context.Context, acct address.Address, key vigil.TipSetKey) (address.Address, error) {
	const method = "StateAccountKey"
	if isKey(acct) {
		return acct, nil
	}
	k, err := keyParam(key)
	if err != nil {
		return address.Undef, err
	}
	a, err := ask[account](ctx, c, method, acct, k)
	if err != nil {
		return address.Undef, err
	}
	if !isKey(a.Address) {
		return address.Undef, unusable(method, "%s is not a key address", a.Address)
	}
	return a.Address, nil
}

func isKey(a address.Address) bool {
	return a.Protocol() == address.SECP256K1 || a.Protocol() == address.BLS || a.Protocol() == address.Delegated
}

// Account gives the next nonce after the tipset's own messages, and the
// balance before them.
//
// A node's StateGetActor reads the state the tipset was built on, so the
// messages that the tipset itself includes are not counted yet: their nonces
// are added here. MpoolGetNonce would count the node's pool too, which differs
// from node to node and is what the caller wants to know nothing of.
func (c *Client) Account(ctx context.Context, acct address.Address, key vigil.TipSetKey) (uint64, abi.TokenAmount, error) {
	ts, err := c.tipSet(ctx, key) // fixes the head, if no key is given
	if err != nil {
		return 0, big.Zero(), err
	}
	k, err := keyParam(ts.Key)
	if err != nil {
		return 0, big.Zero(), err
	}
	a, err := askMaybe[actor](ctx, c, "StateGetActor", acct, k)
	if err == nil && a == nil { // so Forest says it
		err = fmt.Errorf("StateGetActor: account %s: %w", acct, vigil.ErrNotFound)
	}
	if err != nil {
		return 0, big.Zero(), err
	}
	nonce, err := c.nonceAfter(ctx, ts, acct, *a.Nonce)
	if err != nil {
		return 0, big.Zero(), err
	}
	return nonce, a.Balance.Int, nil
}

// nonceAfter is the account's nonce once the tipset's messages are executed.
// They name their sender by any of its addresses.
func (c *Client) nonceAfter(ctx context.Context, ts vigil.Head, acct address.Address, nonce uint64) (uint64, error) {
	const method = "ChainGetMessagesInTipset"
	k, err := keyParam(ts.Key)
	if err != nil {
		return 0, err
	}
	list, err := askMaybe[[]*listedMessage](ctx, c, method, k)
	if err != nil || list == nil || len(*list) == 0 {
		return nonce, err
	}
	names, err := c.namesOf(ctx, acct, ts.Key)
	if err != nil {
		return 0, err
	}
	for _, m := range *list {
		if err := m.check(); err != nil {
			return 0, unusable(method, "%w", err)
		}
		if names[m.Message.From.Address] {
			nonce = max(nonce, *m.Message.Nonce+1)
		}
	}
	return nonce, nil
}

// namesOf are the addresses of an account.
func (c *Client) namesOf(ctx context.Context, acct address.Address, key vigil.TipSetKey) (map[address.Address]bool, error) {
	k, err := keyParam(key)
	if err != nil {
		return nil, err
	}
	id, err := ask[account](ctx, c, "StateLookupID", acct, k)
	if err != nil {
		return nil, err
	}
	name, err := c.KeyAddress(ctx, acct, key)
	if err != nil {
		return nil, err
	}
	return map[address.Address]bool{acct: true, id.Address: true, name: true}, nil
}

// sendSpec is what a node is asked to consider. Forest insists on all fields.
type sendSpec struct {
	MaxFee         string
	MsgUuid        string
	MaximizeFeeCap bool
}

// anyFee lets the node propose without a cap (1000 FIL): what a message may
// cost is the messager's to decide, and a proposal that a cap has cut below
// the base fee says nothing.
var anyFee = sendSpec{MaxFee: "1000000000000000000000", MsgUuid: "00000000-0000-0000-0000-000000000000"}

// EstimateGas runs the call on the head and proposes its gas.
func (c *Client) EstimateGas(ctx context.Context, call vigil.Call, nonce uint64) (vigil.Gas, error) {
	const method = "GasEstimateMessageGas"
	m, err := ask[message](ctx, c, method, wireMessage(call, nonce, vigil.Gas{}), anyFee, noKey)
	var said *nodeError
	switch {
	case errors.As(err, &said) && outOfGas(said):
		return vigil.Gas{}, fmt.Errorf("%s: %w", method, &vigil.CallError{Text: said.Message, OutOfGas: true})
	case errors.As(err, &said) && (said.Code == codeExecution || strings.Contains(said.Message, "message execution failed")):
		return vigil.Gas{}, fmt.Errorf("%s: %w", method, &vigil.CallError{Text: said.Message})
	case err != nil:
		return vigil.Gas{}, err
	}
	gas := vigil.Gas{Limit: *m.GasLimit, FeeCap: m.GasFeeCap.Int, Premium: m.GasPremium.Int}
	if gas.Limit == 0 || gas.FeeCap.LessThan(gas.Premium) {
		return vigil.Gas{}, unusable(method, "a gas limit of %d, a fee cap of %s and a premium of %s", gas.Limit, gas.FeeCap, gas.Premium)
	}
	return gas, nil
}

// gasWords are what nodes say of a call that needs more gas than a block has.
var gasWords = []string{
	"ran out of gas", "SysErrOutOfGas",
	"message execution failed: exit code: 7,", // Forest
}

// outOfGas says that a call would need more gas than a block has: nodes have a
// code for it, and those that have not say it.
func outOfGas(said *nodeError) bool {
	return said.Code == codeOutOfGas || slices.ContainsFunc(gasWords, func(words string) bool { return strings.Contains(said.Message, words) })
}

// PushMessage hands a signed message to the node's pool.
func (c *Client) PushMessage(ctx context.Context, m vigil.SignedMessage) (cid.Cid, error) {
	const method = "MpoolPush"
	ours, err := m.CID()
	if err != nil {
		return cid.Undef, err
	}
	wire := signedMessage{Message: wireMessage(m.Call, m.Nonce, m.Gas), Signature: signature{Type: m.Signature.Type, Data: m.Signature.Data}}
	theirs, err := ask[cid.Cid](ctx, c, method, wire)
	var said *nodeError
	if errors.As(err, &said) {
		refused := poolRefusal(said.Message)
		switch {
		case errors.Is(refused, errAlreadyThere):
			return ours, nil
		case refused != nil:
			return cid.Undef, fmt.Errorf("%w: %w", refused, err)
		}
	}
	if err != nil {
		return cid.Undef, err
	}
	if !theirs.Equals(ours) {
		return cid.Undef, unusable(method, "the message is %s to the node and %s to us", theirs, ours)
	}
	return ours, nil
}

var errAlreadyThere = errors.New("the pool has the message")

// poolWords are what nodes say, in lower case, and the first line that fits
// counts. Lotus' and Venus' words are those of their message pools, and the same
// but where it is said; Forest has its own.
var poolWords = []struct {
	text  string
	means error
}{
	{"message with nonce already exists", errAlreadyThere},
	{"message with sequence already in mempool", errAlreadyThere}, // Forest
	{"message nonce too low", vigil.ErrNonceTooLow},
	{"minimum expected nonce is", vigil.ErrNonceTooLow},
	{"message sequence too low", vigil.ErrNonceTooLow}, // Forest
	{"replace by fee has too low gaspremium", vigil.ErrPremiumTooLow},
	{"gas price is lower than min gas price", vigil.ErrPremiumTooLow}, // Forest
	{"unfulfilled nonce gap", vigil.ErrNonceGap},
	{"too many pending messages", vigil.ErrPoolFull},
	{"not enough funds", vigil.ErrNotEnoughFunds}, // alone, or including pending messages
	{"gas fee cap too low", vigil.ErrFeeTooLow},
	{"gas fee cap is too low", vigil.ErrFeeTooLow}, // Forest
	{"doesn't meet base fee lower bound", vigil.ErrFeeTooLow},
	{"signature verification failed", vigil.ErrMessageInvalid},
	{"message too big", vigil.ErrMessageInvalid},
	{"message is too big", vigil.ErrMessageInvalid}, // Forest
	{"field cannot be less than the cost of storing", vigil.ErrMessageInvalid},
	{"field cannot be greater than a block's gas limit", vigil.ErrMessageInvalid},
	{"cannot be less than cost", vigil.ErrMessageInvalid},               // Forest: of storing a message on chain
	{"cannot be greater than block gas limit", vigil.ErrMessageInvalid}, // Forest
	{"gas_fee_cap less than gas_premium", vigil.ErrMessageInvalid},      // Forest
	{"is not a valid top-level sender", vigil.ErrMessageInvalid},        // Lotus and Forest
	{"message not valid for block inclusion", vigil.ErrMessageInvalid},
	{"message will not be included in a block", vigil.ErrMessageInvalid},
}

// neededPremium is where Lotus and Venus say what a replacement must pay.
var neededPremium = regexp.MustCompile(`increase gaspremium to (\d+) from`)

// poolRefusal is what a pool's words mean, or nil.
func poolRefusal(text string) error {
	text = strings.ToLower(text)
	for _, w := range poolWords {
		if strings.Contains(text, w.text) {
			return withPremium(w.means, text)
		}
	}
	return nil
}

func withPremium(means error, text string) error {
	said := neededPremium.FindStringSubmatch(text)
	if means != vigil.ErrPremiumTooLow || said == nil {
		return means
	}
	needed, err := big.FromString(said[1])
	if err != nil {
		return means
	}
	return &vigil.PremiumError{Needed: needed}
}

// PoolNonce is the next nonce of an account as the node's pool has it.
func (c *Client) PoolNonce(ctx context.Context, acct address.Address) (uint64, error) {
	const method = "MpoolGetNonce"
	n, err := ask[uint64](ctx, c, method, acct)
	if err == nil && n >= maxNonce {
		err = unusable(method, "a nonce of %d", n)
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Executed gives the messages that the parent of the tipset executed: those
// the parent includes, with the receipts the tipset has for them.
func (c *Client) Executed(ctx context.Context, key vigil.TipSetKey) ([]vigil.Executed, error) {
	ts, err := c.tipSet(ctx, key)
	if err != nil || ts.Epoch == 0 {
		return nil, err
	}
	parent, err := c.tipSet(ctx, ts.Parent)
	if err != nil {
		return nil, err
	}
	blocks, err := ts.Key.CIDs()
	if err != nil {
		return nil, err
	}
	messages, err := askMaybe[[]*listedMessage](ctx, c, "ChainGetParentMessages", blocks[0])
	if err != nil {
		return nil, err
	}
	receipts, err := askMaybe[[]*receipt](ctx, c, "ChainGetParentReceipts", blocks[0])
	if err != nil {
		return nil, err
	}
	return executions(parent, val(messages), val(receipts))
}

func val[T any](list *[]T) []T {
	if list == nil {
		return nil
	}
	return *list
}

func executions(parent vigil.Head, messages []*listedMessage, receipts []*receipt) ([]vigil.Executed, error) {
	if len(messages) != len(receipts) {
		return nil, unusable("ChainGetParentReceipts", "%d receipts for %d messages", len(receipts), len(messages))
	}
	list := make([]vigil.Executed, len(messages))
	for i, m := range messages {
		if err := m.check(); err != nil {
			return nil, unusable("ChainGetParentMessages", "%w", err)
		}
		if err := receipts[i].check(); err != nil {
			return nil, unusable("ChainGetParentReceipts", "%w", err)
		}
		list[i] = vigil.Executed{CID: m.Cid, From: m.Message.From.Address, Nonce: *m.Message.Nonce, Receipt: receiptIn(parent, receipts[i])}
	}
	return list, nil
}

func receiptIn(included vigil.Head, r *receipt) vigil.Receipt {
	return vigil.Receipt{ExitCode: exitcode.ExitCode(*r.ExitCode), GasUsed: *r.GasUsed, Epoch: included.Epoch, TipSet: included.Key}
}

// Search finds the execution of exactly this message; one that was executed
// in its place, with its nonce, is not it.
func (c *Client) Search(ctx context.Context, wanted cid.Cid, key vigil.TipSetKey) (vigil.Executed, error) {
	const method = "StateSearchMsg"
	const noLimit, allowReplaced = -1, false
	k, err := keyParam(key)
	if err != nil {
		return vigil.Executed{}, err
	}
	notThere := fmt.Errorf("message %s: %w", wanted, vigil.ErrNotFound)
	found, err := askMaybe[lookup](ctx, c, method, k, wanted, noLimit, allowReplaced)
	var said *nodeError
	switch {
	case errors.As(err, &said) && notOnChain(said.Message):
		return vigil.Executed{}, notThere
	case err != nil:
		return vigil.Executed{}, err
	case found == nil:
		return vigil.Executed{}, notThere
	case !found.Message.Equals(wanted):
		return vigil.Executed{}, unusable(method, "the execution of %s where %s was asked for", found.Message, wanted)
	}
	return c.executionOf(ctx, method, found)
}

// notOnChain knows the errors that are really a no: the node has never seen
// the message, or another one took its nonce.
func notOnChain(text string) bool {
	said := func(words string) bool { return strings.Contains(text, words) }
	switch {
	case said("failed to load message"): // Lotus and Forest; Lotus also of one that it has found
		return !said("after successful receipt search")
	case said("failed to get secp message"): // Venus
		return said("could not find")
	}
	return said("message was replaced") || said("found message with equal nonce")
}

// executionOf adds what a lookup does not say: who sent the message, and in
// which tipset it is; the lookup names the one after.
func (c *Client) executionOf(ctx context.Context, method string, found *lookup) (vigil.Executed, error) {
	after, err := c.tipSet(ctx, vigil.NewTipSetKey(found.TipSet...))
	if err != nil {
		return vigil.Executed{}, err
	}
	if after.Epoch != *found.Height {
		return vigil.Executed{}, unusable(method, "height %d for a tipset of epoch %d", *found.Height, after.Epoch)
	}
	included, err := c.tipSet(ctx, after.Parent)
	if err != nil {
		return vigil.Executed{}, err
	}
	m, err := ask[message](ctx, c, "ChainGetMessage", found.Message)
	if err != nil {
		return vigil.Executed{}, err
	}
	return vigil.Executed{CID: found.Message, From: m.From.Address, Nonce: *m.Nonce, Receipt: receiptIn(included, found.Receipt)}, nil
}
