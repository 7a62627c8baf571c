package alive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// PanicError is a panic that was made an error of: a bug that cost the task that it was in,
// and not the process with all other duties.
type PanicError struct {
	Value any
	Stack []byte // of the goroutine that panicked
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Caught does work, and makes a *PanicError of a panic in it. What work has left half-done must
// not be gone on with: it is for tasks that are computed anew from what is stored, and for
// goroutines that serve people.
func Caught(work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return work()
}

// Restarted runs a loop until it returns, and again after a pause when a bug has ended it: what
// it stands for is not gone until the process is. It returns nil when ctx ended.
func Restarted(ctx context.Context, log *slog.Logger, loop string, run func(context.Context) error) error {
	for {
		err := Caught(func() error { return run(ctx) })
		var bug *PanicError
		if !errors.As(err, &bug) {
			return err
		}
		log.Error("a bug ended a loop, which is begun again; please report it", "loop", loop, "panic", bug.Value, "stack", string(bug.Stack))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(restartPause):
		}
	}
}

// restartPause keeps a bug that is met at once from filling the log.
const restartPause = 10 * time.Second

// LogPanic logs an error that a panic was made of, with its stack, as one that somebody should
// report; of another it does nothing.
func LogPanic(log *slog.Logger, message string, err error) {
	var bug *PanicError
	if errors.As(err, &bug) {
		log.Error(message, "panic", bug.Value, "stack", string(bug.Stack))
	}
}
