package explain

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/exitcode"

	"github.com/vigil-post/vigil"
)

var now = At{Head: 100, BaseFee: big.NewInt(150), Epoch: 30 * time.Second, Confidence: 5}

func key(t *testing.T) address.Address {
	t.Helper()
	a, err := address.NewSecp256k1Address([]byte("a key"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// message is a post in a state, with attempts of the premiums at nonce 7.
func message(t *testing.T, state vigil.MessageState, premiums ...int64) vigil.Message {
	t.Helper()
	m := vigil.Message{
		MessageRequest: vigil.MessageRequest{
			ID: "f01000/90/0#0 partitions=[0]", Duty: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 90}, Expires: 150,
			Senders: []address.Address{key(t)}, Call: vigil.Call{To: vigil.MinerAddress(1000), Method: 5, Value: big.Zero(), Params: []byte{1}},
		},
		State: state,
	}
	for i, premium := range premiums {
		m.Call.From, m.Nonce = key(t), 7
		signed := vigil.SignedMessage{Call: m.Call, Nonce: 7, Gas: vigil.Gas{Limit: 1_000_000, FeeCap: big.NewInt(2 * premium), Premium: big.NewInt(premium)}}
		c, err := signed.CID()
		if err != nil {
			t.Fatal(err)
		}
		m.Attempts = append(m.Attempts, vigil.Attempt{Number: i + 1, CID: c, Signed: signed, Epoch: 91 + abi.ChainEpoch(i), Published: true})
	}
	return m
}

func landed(m vigil.Message, exit exitcode.ExitCode) vigil.Message {
	m.Landed = len(m.Attempts)
	m.Receipt = &vigil.Receipt{ExitCode: exit, GasUsed: 654_321, Epoch: 98}
	return m
}

func TestWhatIsToldOfAMessage(t *testing.T) {
	queued := message(t, vigil.MessageQueued)
	queued.Problem = "the key of f1x is not in the wallet"
	cancelled := message(t, vigil.MessagePublished, 100, 125)
	cancelled.Attempts[1].Cancel, cancelled.Wish = true, vigil.Wish{Verb: vigil.WishCancel}
	granted := message(t, vigil.MessagePublished, 100, 125)
	granted.Wish = vigil.Wish{Verb: vigil.WishReplace, After: 1}
	wished := message(t, vigil.MessagePublished, 100)
	wished.Wish = vigil.Wish{Verb: vigil.WishReplace, After: 1}
	fill := message(t, vigil.MessagePublished, 100)
	fill.Duty, fill.Call.To, fill.Call.Method = vigil.DutyID{Kind: vigil.KindFill}, key(t), 0
	moved := message(t, vigil.MessagePublished, 100, 100)
	moved.Attempts[0].Signed.Nonce = 6
	asked := message(t, vigil.MessagePublished, 100)
	asked.Attempts[0].Pushes = []vigil.PushResult{{Node: "ws://a"}, {Node: "ws://b", Problem: "gas price is lower than min gas price"}}
	silent := message(t, vigil.MessageSigned, 100)
	silent.Attempts[0].Published, silent.Attempts[0].Problem = false, "connection refused"
	expired := message(t, vigil.MessageExpired, 100)
	expired.Problem = "no node took it"
	foreign := message(t, vigil.MessagePublished)
	foreign.Duty, foreign.Expires, foreign.Call.Method = vigil.DutyID{}, eternity, 25
	for _, test := range []struct {
		name  string
		m     vigil.Message
		says  []string
		never []string
	}{
		{"queued, with a problem", queued, []string{"has no nonce yet: the key of f1x", "before epoch 150", "f01000/90/0", "50 epochs (25 minutes) are left", "goes on by itself"}, []string{"Attempt"}},
		{"published", message(t, vigil.MessagePublished, 100), []string{"Attempt 1", "nonce 7", "at most 0.2 nanoFIL", "A node took it", "waits for a block"}, []string{"base fee"}},
		{"too cheap", message(t, vigil.MessagePublished, 50), []string{"fee cap of 100 attoFIL a unit is below the base fee of 150 attoFIL", "vigil message replace"}, nil},
		{"replaced", message(t, vigil.MessagePublished, 100, 125), []string{"in place of attempt 1, whose premium was 100 attoFIL"}, nil},
		{"being cancelled", cancelled, []string{"Attempt 2", "a message that does nothing", "wished to cancel", "takes its nonce is in the nodes' pools"}, nil},
		{"with another nonce", moved, []string{"because the chain gave nonce 6 to another message"}, []string{"in place of"}},
		{"refused by one node of two", asked, []string{"Taken by ws://a.", "ws://b said: gas price is lower"}, nil},
		{"no node answers", silent, []string{"No node has taken it. The last answer: connection refused", "signed and stored"}, nil},
		{"included", landed(message(t, vigil.MessageIncluded, 100, 125), 0), []string{"epoch 98 executed attempt 2 with exit code 0", "using 654321 gas", "2 of 5 epochs (2 minutes)"}, nil},
		{"confirmed", landed(message(t, vigil.MessageConfirmed, 100), 0), []string{"It is confirmed"}, []string{"left", "waits"}},
		{"failed", landed(message(t, vigil.MessageFailed, 100), 6), []string{"too little money", "failed for good", "Put money on the sender"}, []string{"waits"}},
		{"expired", expired, []string{"Its time was over before it was executed: no node took it", "Nothing can be done"}, nil},
		{"somebody else's, for ever", foreign, []string{"method 25", "with another messager"}, []string{"before epoch", "duty", "left"}},
		{"a wish that is not so yet", wished, []string{"wished to replace it"}, nil},
		{"a wish that has come true", granted, []string{"in place of attempt 1"}, []string{"wished"}},
		{"the messager's own", fill, []string{"the messager's own", "for a nonce that nobody uses"}, []string{"duty", "It asks"}},
		{"its nonce is gone", message(t, vigil.MessageConflicted, 100), []string{"signed with another nonce"}, nil},
	} {
		told := Tell(test.m, now)
		all := strings.Join(append(told.Story, told.Waits, told.Advice), "\n")
		for _, words := range test.says {
			if !strings.Contains(all, words) {
				t.Errorf("%s: it does not say %q:\n%s", test.name, words, all)
			}
		}
		for _, words := range test.never {
			if strings.Contains(all, words) {
				t.Errorf("%s: it says %q:\n%s", test.name, words, all)
			}
		}
		if told.Done != (told.Waits == "") {
			t.Errorf("%s: done %v, waits %q", test.name, told.Done, told.Waits)
		}
	}
}

func TestEveryStateIsToldOf(t *testing.T) {
	for _, state := range vigil.MessageStates {
		if told := Tell(message(t, state, 100), At{}); len(told.Story) < 3 || state.Done() != (told.Waits == "") {
			t.Errorf("%s: %+v", state, told)
		}
	}
}

func TestAMessageIsPickedByWhatPeopleHave(t *testing.T) {
	first, second := message(t, vigil.MessageConfirmed, 100), message(t, vigil.MessagePublished, 200, 300)
	second.ID = "f01000/90/0#1 partitions=[0]"
	other := message(t, vigil.MessageQueued)
	other.ID, other.Duty.Open = "f01000/150/0#0", 150
	var all []Message
	for _, m := range []vigil.Message{first, second, other} {
		all = append(all, Tell(m, now))
	}
	for text, want := range map[string]string{
		first.ID: first.ID, second.Attempts[0].CID.String(): second.ID, "f01000/150/0": other.ID, "f01000/15": other.ID, "f01000/90/0#1": second.ID,
	} {
		if got, err := Pick(all, text); err != nil || got.ID != want {
			t.Errorf("%q: %q, %v, want %q", text, got.ID, err, want)
		}
	}
	if _, err := Pick(all, "f01000/90/0"); err == nil || !strings.Contains(err.Error(), second.ID) {
		t.Errorf("two of a duty: %v", err)
	}
	for _, text := range []string{"bafy", ""} {
		if _, err := Pick(all, text); !errors.Is(err, vigil.ErrNotFound) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAmountsArePeoples(t *testing.T) {
	for atto, want := range map[string]string{
		"0": "0 attoFIL", "999": "999 attoFIL", "1000000": "0.001 nanoFIL", "200000000": "0.2 nanoFIL", "1500000000": "1.5 nanoFIL",
		"1000000000000000": "0.001 FIL", "5000000000000000000": "5 FIL", "1234567890000000000": "1.2346 FIL", "-2000000000000000000": "-2 FIL",
	} {
		if got := FIL(big.MustFromString(atto)); got != want {
			t.Errorf("%s: %s, want %s", atto, got, want)
		}
	}
	if got := FIL(abi.TokenAmount{}); got != "0 attoFIL" {
		t.Errorf("none: %s", got)
	}
}
