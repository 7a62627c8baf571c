package sophon

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
)

// desk is a messager in memory: its messages go as far as a test says.
type desk struct {
	t    *testing.T
	mu   sync.Mutex // guards all
	rows []vigil.Message
	head abi.ChainEpoch
	said []string // what was wished for
}

func (d *desk) Push(ctx context.Context, r vigil.MessageRequest) (vigil.Message, error) {
	return d.AddMessage(ctx, vigil.Message{MessageRequest: r, State: vigil.MessageQueued, Created: time.Unix(1700000000, 0), Updated: time.Unix(1700000000, 0)})
}

func (d *desk) AddMessage(_ context.Context, m vigil.Message) (vigil.Message, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, row := range d.rows {
		if row.ID != m.ID {
			continue
		}
		if !sameCall(row.Call, m.Call) {
			return row, &vigil.ConflictError{ID: m.ID}
		}
		return row, nil
	}
	d.rows = append(d.rows, m)
	return m, nil
}

func (d *desk) Messages(_ context.Context, miner abi.ActorID, since abi.ChainEpoch) ([]vigil.Message, error) {
	return d.where(func(m vigil.Message) bool { return m.Duty.Miner == miner && m.Expires >= since }), nil
}

func (d *desk) OpenMessages(context.Context) ([]vigil.Message, error) {
	return d.where(func(m vigil.Message) bool { return !m.Settled }), nil
}

func (d *desk) Save(_ context.Context, messages ...vigil.Message) error {
	for _, m := range messages {
		d.set(m.ID, func(row *vigil.Message) { *row = m })
	}
	return nil
}

func (d *desk) Find(_ context.Context, q vigil.MessageQuery) ([]vigil.Message, error) {
	return d.where(func(m vigil.Message) bool {
		return (q.ID == "" || m.ID == q.ID) && (q.Nonce == nil || m.Call.From == q.From && m.Nonce == *q.Nonce) &&
			(len(q.States) == 0 || slices.Contains(q.States, m.State)) &&
			(!q.CID.Defined() || slices.ContainsFunc(m.Attempts, func(a vigil.Attempt) bool { return a.CID == q.CID }))
	}), nil
}

func (d *desk) where(fits func(vigil.Message) bool) []vigil.Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []vigil.Message
	for _, m := range d.rows {
		if fits(m) {
			found = append(found, m)
		}
	}
	return found
}

func (d *desk) Replace(_ context.Context, id string, gas *vigil.Gas) error {
	word := "replace " + id
	if gas != nil {
		word += " " + gas.FeeCap.String()
	}
	d.say(word)
	d.set(id, func(m *vigil.Message) { d.attempt(m) })
	return nil
}

func (d *desk) Cancel(_ context.Context, id string) error {
	d.say("cancel " + id)
	d.set(id, func(m *vigil.Message) { m.State = vigil.MessageCancelled })
	return nil
}

func (d *desk) Republish(_ context.Context, id string) error {
	d.say("republish " + id)
	return nil
}

func (d *desk) say(word string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = append(d.said, word)
}

func (d *desk) set(id string, change func(*vigil.Message)) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.rows, func(m vigil.Message) bool { return m.ID == id })
	if i < 0 {
		d.t.Errorf("there is no message %s", id)
		return
	}
	change(&d.rows[i])
}

// attempt signs a message once more, in form; mu is held.
func (d *desk) attempt(m *vigil.Message) {
	d.t.Helper()
	m.State, m.Nonce, m.Call.From = vigil.MessagePublished, 7, m.Senders[0]
	signed := vigil.SignedMessage{
		Call: m.Call, Nonce: m.Nonce,
		Gas:       vigil.Gas{Limit: 1_000_000, FeeCap: big.NewInt(int64(200 + len(m.Attempts))), Premium: big.NewInt(100)},
		Signature: crypto.Signature{Type: crypto.SigTypeSecp256k1, Data: make([]byte, 65)},
	}
	c, err := signed.CID()
	if err != nil {
		d.t.Fatal(err)
	}
	m.Attempts = append(m.Attempts, vigil.Attempt{Number: len(m.Attempts) + 1, CID: c, Signed: signed, Published: true})
}

// landed has the message's last attempt executed at the epoch.
func (d *desk) landed(id string, epoch abi.ChainEpoch, exit int64) {
	d.set(id, func(m *vigil.Message) {
		if len(m.Attempts) == 0 {
			d.attempt(m)
		}
		m.State, m.Landed = vigil.MessageIncluded, len(m.Attempts)
		m.Receipt = &vigil.Receipt{ExitCode: exitcodeOf(exit), GasUsed: 777, Epoch: epoch, TipSet: vigil.NewTipSetKey(m.Attempts[0].CID)}
	})
}

func (d *desk) epoch(context.Context) (abi.ChainEpoch, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.head, nil
}

func (d *desk) to(head abi.ChainEpoch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.head = head
}

var sender = func() address.Address {
	a, err := address.NewFromString("f1ick6svk3i23qdgn74hz2yu4wsoryzuaw4h3jk4y")
	if err != nil {
		panic(err)
	}
	return a
}()
