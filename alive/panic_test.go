package alive_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigil-post/vigil/alive"
)

func TestALoopThatABugEndsIsBegunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		log := slog.New(slog.NewTextHandler(&text, nil))
		runs, began := 0, time.Now()
		other := errors.New("other")
		err := alive.Restarted(t.Context(), log, "planning", func(context.Context) error {
			if runs++; runs < 4 {
				panic("a bug")
			}
			return other
		})
		if err != other || runs != 4 || time.Since(began) == 0 {
			t.Errorf("%v after %d runs in %v", err, runs, time.Since(began))
		}
		if said := text.String(); strings.Count(said, "level=ERROR") != 3 || !strings.Contains(said, "loop=planning panic=\"a bug\" stack=") {
			t.Error(said)
		}
	})
}

func TestALoopThatABugEndsIsNotBegunAgainAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		runs := 0
		err := alive.Restarted(ctx, slog.New(slog.DiscardHandler), "planning", func(context.Context) error {
			runs++
			cancel()
			panic("a bug")
		})
		if err != nil || runs != 1 {
			t.Errorf("%v after %d runs", err, runs)
		}
	})
}

func TestABugIsToldFromAnErrorAndLoggedWithItsStack(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	alive.LogPanic(log, "nothing", nil)
	alive.LogPanic(log, "nothing", errors.New("refused"))
	if text.Len() > 0 {
		t.Error(text.String())
	}
	err := alive.Caught(func() error { panic("a bug") })
	alive.LogPanic(log, "a bug stopped it", err)
	var bug *alive.PanicError
	if !errors.As(err, &bug) || bug.Value != "a bug" || err.Error() != "panic: a bug" || !strings.Contains(text.String(), "panic_test.go") {
		t.Errorf("%v: %s", err, text.String())
	}
}
