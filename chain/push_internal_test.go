package chain

import (
	"errors"
	"fmt"
	"testing"

	"github.com/vigil-post/vigil"
)

// A message that is called invalid is given up: where another node has not said what it
// thinks of it, it may take it the next time.
func TestAMessageIsInvalidOnlyIfAllNodesSaySo(t *testing.T) {
	invalid := fmt.Errorf("MpoolPush: %w: %w", vigil.ErrMessageInvalid, &nodeError{Message: "message is too big"})
	away := errors.New("connection refused")
	a, b := &member{name: "a"}, &member{name: "b"}
	for _, c := range []struct {
		sentence string
		a, b     error
		all      bool
	}{
		{"both say so", invalid, invalid, true},
		{"the second was away", invalid, away, false},
		{"the first was away", away, invalid, false},
	} {
		err := refusal([]*member{a, b}, map[*member]error{a: c.a, b: c.b})
		if errors.Is(err, vigil.ErrMessageInvalid) != c.all {
			t.Errorf("%s: %v", c.sentence, err)
		}
	}
}
