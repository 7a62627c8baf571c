package sophon

import (
	"errors"
	"strings"
	"testing"

	"github.com/vigil-post/vigil"
)

// What was asked for before its miner went into shadow is handed over neither by the
// loop nor by a wish; what the other messager has without a nonce is marked bad there.
func TestWhatIsWithheldIsNotHandedOver(t *testing.T) {
	b := connect(t)
	inShadow := true
	b.c.Withheld = func(m vigil.Message) bool { return inShadow && m.Duty.Miner == 1000 }
	b.push("p")
	b.want(b.at(100), vigil.MessageQueued, "its miner is in shadow")
	var no *vigil.WishError
	if err := b.Replace(t.Context(), "p", nil); !errors.As(err, &no) {
		t.Errorf("it is replaced: %v", err)
	}
	if err := b.Republish(t.Context(), "p"); !errors.As(err, &no) {
		t.Errorf("it is published: %v", err)
	}
	if there, _ := b.there.OpenMessages(t.Context()); len(there) > 0 || len(b.there.said) > 0 {
		t.Fatalf("the other messager has %+v and was told %q", there, b.there.said)
	}

	inShadow = false // the miner goes live
	b.want(b.at(101), vigil.MessageQueued, "")
	if there, _ := b.there.OpenMessages(t.Context()); len(there) != 1 {
		t.Fatalf("live it is not handed over: %+v", there)
	}

	inShadow = true // and back, before it has a nonce
	b.want(b.at(102), vigil.MessageCancelled, "its miner is in shadow")
	if said := strings.Join(b.there.said, ", "); said != "cancel p" {
		t.Errorf("the other messager was told %q", said)
	}
}
