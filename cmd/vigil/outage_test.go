package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The line to the node is cut, hangs, and the node itself is killed, with
// deadlines open and proofs under way; the daemon goes on by itself each time.
func TestTheDaemonGoesOnByItselfAfterEveryOutage(t *testing.T) {
	if testing.Short() || underRace() {
		t.Skip("it takes half a minute, and epochs are too short for the race detector")
	}
	t.Parallel()
	epoch := epochFor(t)
	n := newNode(t, epoch)
	p := newProxy(t, n.listen)
	o := &outage{node: n, proxy: p}
	o.daemon = launch(t, "run", "--config", o.proxied(t))
	_, o.page, _ = strings.Cut(o.daemon.must(t, 20*time.Second, "msg=dashboard"), "url=")

	o.goesOn(t, "the start")
	for range 3 {
		p.cut()
		o.goesOn(t, "the line was cut")
	}
	p.hang(false)
	o.goesOn(t, "the line hangs, a new one works")

	n.reach(t, 46+4) // it reads and proves
	p.hang(true)
	n.reach(t, 46+24)
	o.knowsOfIt(t)
	p.heal()
	o.goesOn(t, "everything hung for 20 epochs")
	o.daemon.must(t, 40*epoch, "msg=submitted", "duty=t01000/66/0")
	p.cut() // the message is on its way
	o.goesOn(t, "the line was cut after the message")
	o.daemon.must(t, 40*epoch, `msg="confirmed on chain"`, "duty=t01000/66/0")

	n.reach(t, 106+4)
	n.kill()
	o.knowsOfIt(t)
	pause(t, 5*epoch)
	n.start(t)
	o.goesOn(t, "the node was killed and started again")
	o.daemon.must(t, 60*epoch, `msg="confirmed on chain"`, "duty=t01000/126/0")

	if code, took := o.daemon.interrupt(t); code != 0 || took > 10*time.Second {
		t.Errorf("exit code %d after %s", code, took)
	}
	n.provenOnce(t, 46, 106)
	if text, _ := o.daemon.log.read(); strings.Contains(text, "level=ERROR") {
		t.Errorf("an outage is no reason for a person to act:\n%s", text)
	}
}

// outage is a daemon whose line to its node is not to be relied on.
type outage struct {
	*node
	proxy  *proxy
	daemon *program
	page   string
}

// proxied is the daemon's configuration with the proxy as its node.
func (o *outage) proxied(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(o.config())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(o.dir, "proxied.toml")
	if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte(o.listen), []byte(o.proxy.address())), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// goesOn waits until the daemon has planned at a head that the chain did not
// have before, and says how long that took: two epochs, or on a chain as fast
// as this the second in which a line counts as dead.
func (o *outage) goesOn(t *testing.T, after string) {
	t.Helper()
	began := time.Now()
	now := o.head().Height
	for {
		s := statusOf(t, o.page)
		took := time.Since(began)
		if len(s.Miners) > 0 && s.Miners[0].Epoch > now && s.Problem == "" && s.Miners[0].Problem == "" {
			t.Logf("%s: it went on after %s, %.1f epochs", after, took.Round(time.Millisecond), float64(took)/float64(o.epoch))
			return
		}
		if limit := 2*o.epoch + 10*time.Second; took > limit {
			t.Fatalf("%s: not gone on after %s, epoch %d; the chain was at %d\n%s", after, took, s.Head, now, o.daemon.tail())
		}
		pause(t, o.epoch/10)
	}
}

// knowsOfIt waits until the page says that the node is away: after two silent
// epochs and the second in which an answer may still come.
func (o *outage) knowsOfIt(t *testing.T) {
	t.Helper()
	began := time.Now()
	for {
		s := statusOf(t, o.page)
		problem := s.Problem
		for _, m := range s.Miners {
			problem += m.Problem
		}
		if problem != "" {
			return
		}
		if time.Since(began) > 2*o.epoch+10*time.Second {
			t.Fatalf("the node is away and the page says nothing: epoch %d", s.Head)
		}
		pause(t, o.epoch/10)
	}
}
