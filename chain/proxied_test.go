package chain_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
	"github.com/vigil-post/vigil/faultproxy"
)

// proxied is a client of a sound node behind a line that misbehaves, over real sockets.
func proxied(t *testing.T, patience time.Duration) (*faultproxy.Proxy, *chain.Client) {
	t.Helper()
	n := soundNode()
	n.answer("StateMinerFaults", `[0]`)
	n.answer("StateMinerRecoveries", `[0]`)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.serve(t, l)
	line, err := faultproxy.New(l.Addr().String(), 1)
	if err != nil {
		t.Fatal(err)
	}
	line.Chance = 1
	client, err := chain.Dial(t.Context(), chain.Config{URL: "http://" + line.Addr(), Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		_ = line.Close()
	})
	if _, err := client.Network(t.Context()); err != nil {
		t.Fatal(err)
	}
	return line, client
}

// Whatever becomes of an answer on its way, the call fails with an error that
// says so, and the next one on a good line works.
func TestASpoiltAnswerIsAnErrorAndThePastIsForgotten(t *testing.T) {
	for _, c := range []struct {
		fault    faultproxy.Fault
		says     string
		stranger bool
	}{
		{faultproxy.Cut, "the connection to the node broke", false},
		{faultproxy.Mute, "no answer within", false},
		{faultproxy.Fail, "the node has a problem of its own", false},
		{faultproxy.Null, "the node's answer is unusable: it is null", true},
		{faultproxy.Truncate, "", false}, // half of an empty set is an empty set
		{faultproxy.Duplicate, "", false},
		{faultproxy.WrongID, "no answer within", false},
		{faultproxy.Huge, "an answer of more than 64 MiB", true},
		{faultproxy.Deep, "the node's answer is unusable", true},
		{faultproxy.Refuse, "connect", false},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			t.Parallel()
			patience := time.Minute
			if strings.HasPrefix(c.says, "no answer") {
				patience = time.Second
			}
			line, client := proxied(t, patience)
			line.Set(c.fault)
			_, _, err := client.Faults(t.Context(), 1000, vigil.TipSetKey(blockCID(1)))
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			var stranger *chain.StrangerError
			if errors.As(err, &stranger) != c.stranger {
				t.Errorf("it is taken for no node, or for one: %v", err)
			}
			for line.Hits()[c.fault] == 0 { // for ever, if it never strikes
				wait(t, 10*time.Millisecond)
			}
			line.Set()
			for err != nil { // for ever, if it never works again
				wait(t, 10*time.Millisecond)
				_, _, err = client.Faults(t.Context(), 1000, vigil.TipSetKey(blockCID(1)))
			}
		})
	}
}

func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}
