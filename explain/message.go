// Package explain says what happened to a duty or a message, in sentences for
// the people who have to decide what to do about it, and in fields for their
// programs. It is pure: the same duty at the same head is told of in the same
// words, whether the command line, the dashboard or a program asks.
package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/builtin"

	"github.com/vigil-post/vigil"
)

// At is when somebody looks. What is not known is zero.
type At struct {
	Head       abi.ChainEpoch
	BaseFee    abi.TokenAmount
	Epoch      time.Duration  // how long one lasts
	Confidence abi.ChainEpoch // after which an execution is believed
}

// Message is a message as it is shown.
type Message struct {
	ID       string             `json:"id"`
	Duty     string             `json:"duty,omitempty"` // f01000/1144209/0; nothing for what others pushed
	State    vigil.MessageState `json:"state"`
	From     string             `json:"from,omitempty"`
	To       string             `json:"to"`
	Method   abi.MethodNum      `json:"method"`
	Name     string             `json:"method_name,omitempty"`
	Value    abi.TokenAmount    `json:"value"`
	Params   []byte             `json:"params,omitempty"`
	Nonce    *uint64            `json:"nonce,omitempty"`
	CID      string             `json:"cid,omitempty"`     // of the executed attempt, or the last
	Expires  abi.ChainEpoch     `json:"expires,omitempty"` // the first epoch that is too late
	Attempts []Attempt          `json:"attempts"`
	Receipt  *vigil.Receipt     `json:"receipt,omitempty"`
	Problem  string             `json:"problem,omitempty"`
	Wish     vigil.WishVerb     `json:"wish,omitempty"` // what somebody wants of it, and is not so yet
	Created  time.Time          `json:"created"`
	Updated  time.Time          `json:"updated"`
	Done     bool               `json:"done"`

	Story  []string `json:"story"`            // what happened, oldest first
	Waits  string   `json:"waits,omitempty"`  // what it waits for now
	Advice string   `json:"advice,omitempty"` // what to do, if there is something to do
}

// Attempt is one signed form of a message as it is shown.
type Attempt struct {
	Number    int                `json:"number"`
	CID       string             `json:"cid"`
	From      string             `json:"from"`
	Nonce     uint64             `json:"nonce"`
	Cancel    bool               `json:"cancel,omitempty"` // it only takes the nonce
	GasLimit  int64              `json:"gas_limit"`
	FeeCap    abi.TokenAmount    `json:"fee_cap"`
	Premium   abi.TokenAmount    `json:"premium"`
	Epoch     abi.ChainEpoch     `json:"epoch"` // the head's, when it was signed
	Published bool               `json:"published"`
	Pushes    []vigil.PushResult `json:"pushes,omitempty"`
	Problem   string             `json:"problem,omitempty"`
	Created   time.Time          `json:"created"`
}

// Tell tells of a message.
func Tell(m vigil.Message, at At) Message {
	told := Message{
		ID: m.ID, State: m.State, To: m.Call.To.String(), Method: m.Call.Method, Name: methodName(m.Call),
		Value: amount(m.Call.Value), Params: m.Call.Params, Expires: m.Expires, Receipt: m.Receipt, Problem: m.Problem,
		Wish: pending(m), Created: m.Created, Updated: m.Updated, Done: m.State.Done(), Attempts: []Attempt{},
	}
	if hasDuty(m) {
		told.Duty = m.Duty.String()
	}
	if m.Expires >= eternity {
		told.Expires = 0
	}
	if m.Call.From != address.Undef {
		told.From = m.Call.From.String()
	}
	for _, a := range m.Attempts {
		told.Attempts = append(told.Attempts, tellAttempt(a))
	}
	if counts, ok := m.Executed(); ok {
		told.CID = counts.CID.String()
	} else if n := len(told.Attempts); n > 0 {
		told.CID = told.Attempts[n-1].CID
	}
	if m.State != vigil.MessageQueued && m.Call.From != address.Undef {
		told.Nonce = &m.Nonce
	}
	told.Story = story(m, at)
	told.Waits, told.Advice = waits(m, at), advice(m, at)
	return told
}

// hasDuty says that a message is sent for a duty, and not for somebody else or
// for the messager itself.
func hasDuty(m vigil.Message) bool { return m.Duty.Kind != "" && m.Duty.Kind != vigil.KindFill }

// pending is what somebody wishes of a message and is not so yet. A wish stays
// in the row when it has come true.
func pending(m vigil.Message) vigil.WishVerb {
	done := m.State.Done()
	if n := len(m.Attempts); n > 0 && !done {
		last := m.Attempts[n-1]
		done = m.Wish.Verb == vigil.WishReplace && last.Number > m.Wish.After ||
			m.Wish.Verb == vigil.WishRepublish && last.Pushed.After(m.Wish.At)
	}
	if done {
		return ""
	}
	return m.Wish.Verb
}

// eternity is beyond all epochs that anybody means.
const eternity = abi.ChainEpoch(1 << 40)

func tellAttempt(a vigil.Attempt) Attempt {
	return Attempt{
		Number: a.Number, CID: a.CID.String(), From: a.Signed.From.String(), Nonce: a.Signed.Nonce, Cancel: a.Cancel,
		GasLimit: a.Signed.Gas.Limit, FeeCap: amount(a.Signed.Gas.FeeCap), Premium: amount(a.Signed.Gas.Premium),
		Epoch: a.Epoch, Published: a.Published, Pushes: a.Pushes, Problem: a.Problem, Created: a.Created,
	}
}

// methodName is the name of a miner's method that a Window PoSt daemon calls,
// or of a send.
func methodName(c vigil.Call) string {
	switch c.Method {
	case builtin.MethodSend:
		return "Send"
	case builtin.MethodsMiner.SubmitWindowedPoSt:
		return "SubmitWindowedPoSt"
	case builtin.MethodsMiner.DeclareFaults:
		return "DeclareFaults"
	case builtin.MethodsMiner.DeclareFaultsRecovered:
		return "DeclareFaultsRecovered"
	}
	return ""
}

// Matches says whether people may mean the message by a text: its ID, the
// CID of one of its attempts, its duty, or how its ID begins.
func (m Message) Matches(text string) bool {
	return m.exactly(text) || m.Duty != "" && m.Duty == text || text != "" && strings.HasPrefix(m.ID, text)
}

func (m Message) exactly(text string) bool {
	return m.ID == text || slices.ContainsFunc(m.Attempts, func(a Attempt) bool { return a.CID == text })
}

// Pick gives the one of the messages that a text means. Where it is said by its
// duty or the beginning of its ID, and there are several, an error names them.
func Pick(messages []Message, text string) (Message, error) {
	for _, m := range messages {
		if m.exactly(text) {
			return m, nil
		}
	}
	var meant []Message
	for _, m := range messages {
		if m.Matches(text) {
			meant = append(meant, m)
		}
	}
	switch len(meant) {
	case 1:
		return meant[0], nil
	case 0:
		return Message{}, fmt.Errorf("no message has the ID, the CID or the duty %q: vigil message list shows them: %w", text, vigil.ErrNotFound)
	}
	var ids []string
	for _, m := range meant {
		ids = append(ids, fmt.Sprintf("%q (%s)", m.ID, m.State))
	}
	return Message{}, fmt.Errorf("%q may be any of %d messages, give one's ID: %s", text, len(meant), strings.Join(ids, ", "))
}

func amount(a abi.TokenAmount) abi.TokenAmount {
	if a.Nil() {
		return big.Zero()
	}
	return a
}
