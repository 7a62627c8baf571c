package actor

import (
	"errors"
	"fmt"

	"github.com/filecoin-project/go-state-types/exitcode"
)

// Refusal is a call that the rules do not allow: the message fails with this
// exit code and these words, and the state stays as it was. Every other error
// of this package is the host's: a block that is not in the store, randomness
// that cannot be drawn.
type Refusal struct {
	Code exitcode.ExitCode
	Text string
}

func (r *Refusal) Error() string { return r.Text }

func refuse(code exitcode.ExitCode, format string, args ...any) error {
	return &Refusal{code, fmt.Sprintf(format, args...)}
}

// illegal is the refusal of an argument, the commonest.
func illegal(format string, args ...any) error {
	return refuse(exitcode.ErrIllegalArgument, format, args...)
}

// contradiction is the refusal of what would leave a state that contradicts
// itself, as the network refuses it. From EndEpoch it is an error like any other.
func contradiction(format string, args ...any) error {
	return refuse(exitcode.ErrIllegalState, format, args...)
}

// within says where an error happened; a refusal keeps its code.
func within(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	where := fmt.Sprintf(format, args...)
	var r *Refusal
	if errors.As(err, &r) {
		return &Refusal{r.Code, where + ": " + r.Text}
	}
	return fmt.Errorf("%s: %w", where, err)
}
