package chain_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
)

// proxy stands between client and node and breaks what goes through it.
type proxy struct {
	dialNode func(ctx context.Context) (net.Conn, error)

	mu      sync.Mutex // guards what follows
	refuse  bool
	hold    chan struct{} // bytes of new and old connections wait for it; nil lets them pass
	oneWay  bool          // held: only what the node sends
	through map[*passage]bool
	dialled int
}

// passage is one connection through the proxy.
type passage struct {
	client, node net.Conn
	hold         chan struct{} // once held, held until closed or healed
	oneWay       bool
	over         chan struct{}
	once         sync.Once
}

func (p *passage) close() {
	p.once.Do(func() {
		close(p.over)
		_ = p.client.Close()
		_ = p.node.Close()
	})
}

// carry connects a client's connection to the node.
func (x *proxy) carry(ctx context.Context, client net.Conn) error {
	x.mu.Lock()
	if x.refuse {
		x.mu.Unlock()
		_ = client.Close()
		return errors.New("connection refused")
	}
	x.mu.Unlock()
	node, err := x.dialNode(ctx)
	if err != nil {
		_ = client.Close()
		return err
	}
	p := &passage{client: client, node: node, over: make(chan struct{})}
	x.mu.Lock()
	p.hold, p.oneWay = x.hold, x.oneWay
	x.through[p] = true
	x.dialled++
	x.mu.Unlock()
	go x.copy(p, p.client, p.node, false)
	go x.copy(p, p.node, p.client, true)
	return nil
}

// copy reads whatever comes, as a kernel does, and passes it on when it may.
func (x *proxy) copy(p *passage, from, to net.Conn, answers bool) {
	defer p.close()
	taken := make(chan []byte, 1024)
	go func() {
		defer close(taken)
		for {
			buf := make([]byte, 64<<10)
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			select {
			case taken <- buf[:n]:
			case <-p.over:
				return
			}
		}
	}()
	for data := range taken {
		x.mu.Lock()
		hold := p.hold
		if p.oneWay && !answers {
			hold = nil
		}
		x.mu.Unlock()
		if hold != nil {
			select {
			case <-hold:
			case <-p.over:
				return
			}
		}
		if _, err := to.Write(data); err != nil {
			return
		}
	}
}

func (x *proxy) each(f func(*passage)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for p := range x.through {
		f(p)
	}
}

// cut closes every connection.
func (x *proxy) cut() {
	x.each(func(p *passage) {
		p.close()
		delete(x.through, p)
	})
}

// hang makes the connections there are silent, and new ones too if all.
func (x *proxy) hang(all, oneWay bool) {
	held := make(chan struct{})
	x.each(func(p *passage) { p.hold, p.oneWay = held, oneWay })
	if all {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.hold, x.oneWay = held, oneWay
	}
}

// stall holds everything up, old connections and new ones, until resume.
func (x *proxy) stall() (resume func()) {
	held := make(chan struct{})
	x.each(func(p *passage) { p.hold = held })
	x.mu.Lock()
	x.hold = held
	x.mu.Unlock()
	return func() { x.heal(); close(held) }
}

// heal lets new connections work; those that hang go on hanging.
func (x *proxy) heal() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.hold, x.refuse = nil, false
}

func (x *proxy) down() {
	x.mu.Lock()
	x.refuse = true
	x.mu.Unlock()
	x.cut()
}

// rig is a client, a proxy and a node whose chain grows.
type rig struct {
	t      *testing.T
	epoch  time.Duration
	node   *fakeNode
	proxy  *proxy
	client *chain.Client
	heads  <-chan vigil.Head
	log    *lines
}

// newRig runs in memory, and in a synctest bubble in no time at all.
func newRig(t *testing.T, epoch time.Duration) *rig {
	t.Helper()
	network := newPipes()
	x := &proxy{through: map[*passage]bool{}, dialNode: func(ctx context.Context) (net.Conn, error) { return network.dial(ctx, "", "") }}
	return assemble(t, epoch, network, x, func(ctx context.Context, _, _ string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		if err := x.carry(ctx, theirs); err != nil {
			return nil, err
		}
		return ours, nil
	})
}

func assemble(t *testing.T, epoch time.Duration, l net.Listener, x *proxy, dial func(ctx context.Context, network, address string) (net.Conn, error)) *rig {
	t.Helper()
	r := &rig{t: t, epoch: epoch, node: newFakeNode(epoch), proxy: x, log: &lines{}}
	r.node.serve(t, l)
	ctx, cancel := context.WithCancel(context.Background())
	var mining sync.WaitGroup
	mining.Go(func() { r.node.mine(ctx, epoch) })
	client, err := chain.Dial(ctx, chain.Config{URL: "ws://127.0.0.1:1234", DialContext: dial, Log: r.log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	r.client, r.heads = client, client.Watch(ctx)
	t.Cleanup(func() {
		cancel()
		_ = client.Close()
		x.cut()
		mining.Wait()
	})
	r.caughtUp(5 * time.Second)
	return r
}

// caughtUp waits for the node's present head, for no longer than within, and
// gives how long that took.
func (r *rig) caughtUp(within time.Duration) time.Duration {
	r.t.Helper()
	start := time.Now()
	limit := time.NewTimer(within)
	defer limit.Stop()
	want := abi.ChainEpoch(r.node.height())
	for {
		select {
		case h := <-r.heads:
			if h.Epoch >= want {
				return time.Since(start)
			}
		case <-limit.C:
			r.t.Fatalf("the head of epoch %d was not learnt within %s; log:\n%s", want, within, r.log)
		}
	}
}

// epochs waits, while heads are dropped.
func (r *rig) pass(epochs float64) {
	end := time.NewTimer(time.Duration(epochs * float64(r.epoch)))
	for {
		select {
		case <-r.heads:
		case <-end.C:
			return
		}
	}
}

var faults = []struct {
	name   string
	during float64 // epochs the fault lasts; 0: only the connections there were are hit
	strike func(*proxy)
}{
	{"its connections are cut", 0, (*proxy).cut},
	{"its connections hang but new ones work", 0, func(x *proxy) { x.hang(false, false) }},
	{"its connections take requests and answer nothing", 0, func(x *proxy) { x.hang(false, true) }},
	{"it is restarted after ten epochs", 10, (*proxy).down},
	{"it hangs for ten epochs, new connections too", 10, func(x *proxy) { x.hang(true, false) }},
	{"it takes requests and answers nothing for ten epochs", 10, func(x *proxy) { x.hang(true, true) }},
}

// A node that is reachable is followed again within two epochs, on mainnet as
// on a network with ten epochs a second, where half a second is conceded.
func TestHeadsComeAgainWithinTwoEpochsAfter(t *testing.T) {
	for _, f := range faults {
		for _, epoch := range []time.Duration{30 * time.Second, time.Second, 100 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s (epochs of %s)", f.name, epoch), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, epoch)
					r.pass(3.3)
					f.strike(r.proxy)
					if f.during > 0 {
						r.pass(f.during)
						r.proxy.heal()
					}
					took := r.caughtUpWithNew(max(2*epoch, 500*time.Millisecond))
					t.Logf("after %s", took)
					r.pass(3)
					r.caughtUp(epoch + time.Millisecond)
				})
			})
		}
	}
}

// A real node on a busy machine, with an epoch a second, answers nothing for
// more than an epoch now and then, and then everything. Cutting its connection
// would fail all calls that wait on it, in the middle of a deadline.
func TestANodeThatPausesForTwoSecondsKeepsItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, time.Second)
		r.pass(3.3)
		resume := r.proxy.stall()
		r.pass(2)
		resume()
		r.caughtUp(time.Second)
		r.pass(3)
		if strings.Contains(r.log.String(), "node lost") {
			t.Errorf("a pause is no loss:\n%s", r.log)
		}
	})
}

// caughtUpWithNew waits for a head that the node did not have yet.
func (r *rig) caughtUpWithNew(within time.Duration) time.Duration {
	r.t.Helper()
	start, old := time.Now(), abi.ChainEpoch(r.node.height())
	limit := time.NewTimer(within)
	defer limit.Stop()
	for {
		select {
		case h := <-r.heads:
			if h.Epoch > old {
				return time.Since(start)
			}
		case <-limit.C:
			r.t.Fatalf("no head after %d within %s; log:\n%s", old, within, r.log)
		}
	}
}

func TestASubscriptionThatGoesSilentIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 30*time.Second)
		r.node.mu.Lock()
		subscribed := r.node.subs
		r.node.subs = map[chan rawM]bool{} // the node has lost them; the socket lives and answers
		r.node.mu.Unlock()
		r.caughtUpWithNew(60 * time.Second)
		if len(subscribed) != 1 {
			t.Errorf("%d subscriptions at first", len(subscribed))
		}
		r.pass(2)
		r.node.mu.Lock()
		defer r.node.mu.Unlock()
		if len(r.node.subs) != 1 {
			t.Errorf("%d subscriptions in the end", len(r.node.subs))
		}
	})
}

func TestASubscriptionThatTheNodeEndsIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 30*time.Second)
		r.node.mu.Lock()
		r.node.tell(nil)
		r.node.mu.Unlock()
		r.pass(0.1)
		r.caughtUpWithNew(30 * time.Second)
		if !strings.Contains(r.log.String(), "the node ended the subscription") {
			t.Errorf("the log does not say why:\n%s", r.log)
		}
	})
}

// A head is often late. That a fresh connection knows it first is no reason
// to leave one on which it comes a moment later, with the calls that wait there.
func TestALateHeadDoesNotCostTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 30*time.Second)
		r.node.handle("ChainHead", func([]rawM) (any, error) {
			go func() {
				timer := time.NewTimer(200 * time.Millisecond)
				defer timer.Stop()
				<-timer.C
				r.node.mu.Lock()
				defer r.node.mu.Unlock()
				r.node.mute = false
				r.node.tell(rawM(`[{"Type":"apply","Val":` + string(tipset(1000)) + `}]`))
			}()
			return tipset(1000), nil
		})
		r.node.mu.Lock()
		r.node.mute = true
		r.node.mu.Unlock()
		r.pass(2)
		if text := r.log.String(); strings.Contains(text, "anew") {
			t.Errorf("the connection was left:\n%s", text)
		}
	})
}

func TestAChainThatStandsStillCostsNothingButAProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 30*time.Second)
		r.node.mu.Lock()
		r.node.mute = true
		r.node.mu.Unlock()
		frozen := tipset(r.node.height())
		r.node.handle("ChainHead", func([]rawM) (any, error) { return frozen, nil })
		r.pass(20)
		if text := r.log.String(); strings.Count(text, "\n") != 1 {
			t.Errorf("the connection was given up:\n%s", text)
		}
		r.proxy.mu.Lock()
		defer r.proxy.mu.Unlock()
		if r.proxy.dialled < 10 || r.proxy.dialled > 20 {
			t.Errorf("%d connections in 20 epochs", r.proxy.dialled)
		}
	})
}

func TestACallOnAConnectionThatDiesFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 30*time.Second)
		asked := make(chan struct{})
		r.node.handle("StateMinerInfo", func([]rawM) (any, error) {
			close(asked)
			<-t.Context().Done()
			return nil, context.Canceled
		})
		failed := make(chan error, 1)
		go func() {
			_, err := r.client.Miner(t.Context(), 1000, "")
			failed <- err
		}()
		<-asked
		start := time.Now()
		r.proxy.cut()
		err := <-failed
		if took := time.Since(start); err == nil || took > 0 {
			t.Errorf("it failed after %s with %v", took, err)
		}
	})
}

func TestACallIsBoundedInTime(t *testing.T) {
	for _, c := range []struct {
		name  string
		epoch time.Duration
		hang  bool // the connection, or only the answer
		limit time.Duration
	}{
		{"a node that never answers one method, on mainnet", 30 * time.Second, false, 30 * time.Second},
		{"a node that never answers one method, on a fast network", 100 * time.Millisecond, false, 3 * time.Second},
		{"a connection that hangs, on mainnet", 30 * time.Second, true, 15 * time.Second},
		{"a connection that hangs, on a fast network", 100 * time.Millisecond, true, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.epoch)
				r.node.handle("StateMinerInfo", func([]rawM) (any, error) {
					<-t.Context().Done()
					return nil, context.Canceled
				})
				if c.hang {
					r.proxy.hang(true, false)
				}
				start := time.Now()
				_, err := r.client.Miner(t.Context(), 1000, "")
				if took := time.Since(start); err == nil || took > c.limit {
					t.Errorf("it took %s: %v", took, err)
				}
				if !strings.HasPrefix(err.Error(), "StateMinerInfo: ") {
					t.Errorf("the error does not name the method: %v", err)
				}
			})
		})
	}
}

func TestACallerThatGivesUpIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 30*time.Second)
		r.proxy.hang(true, false)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := r.client.Head(ctx)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 20*time.Millisecond {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

// Whoever reads an error must not take his own impatience for the node's fault.
func TestACallThatWasNotWaitedForSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 30*time.Second)
		r.node.handle("StateMinerInfo", func([]rawM) (any, error) {
			<-t.Context().Done()
			return nil, context.Canceled
		})
		for _, c := range []struct {
			what string
			ctx  func() (context.Context, context.CancelFunc)
			says string
		}{
			{"its time was over before", func() (context.Context, context.CancelFunc) { return context.WithTimeout(t.Context(), 0) }, "not asked, for its time was over"},
			{"nobody waited before", func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				return ctx, cancel
			}, "not asked, for nobody waits for it"},
			{"its time ended", func() (context.Context, context.CancelFunc) { return context.WithTimeout(t.Context(), time.Second) }, "no answer within 1s"},
			{"it was given up", func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			}, "not waited for any more after 1s"},
		} {
			ctx, cancel := c.ctx()
			_, err := r.client.Miner(ctx, 1000, "")
			cancel()
			if err == nil || !strings.Contains(err.Error(), c.says) || !errors.Is(err, ctx.Err()) {
				t.Errorf("%s: %v, want words like %q", c.what, err, c.says)
			}
		}
	})
}

func TestANodeThatIsDownIsSaidOnceAndNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 30*time.Second)
		r.proxy.down()
		r.pass(1)
		_, err := r.client.Head(t.Context())
		if err == nil || !strings.Contains(err.Error(), "ChainHead: node ws://127.0.0.1:1234/rpc/v1 is not connected: connect: ") {
			t.Errorf("a call while it is down: %v", err)
		}
		if n := strings.Count(r.log.String(), "node lost"); n > 3 {
			t.Errorf("said %d times in 30 s:\n%s", n, r.log)
		}
	})
}

func TestASlowReaderHoldsNobodyUpAndGetsTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 30*time.Second)
		slow := r.client.Watch(t.Context())
		r.pass(10.5)
		if h := <-slow; h.Epoch != abi.ChainEpoch(r.node.height()) {
			t.Errorf("the slow reader gets %d, the node is at %d", h.Epoch, r.node.height())
		}
	})
}

func TestAWatchEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 30*time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		heads := r.client.Watch(ctx)
		cancel()
		for range heads {
		}
	})
}

func TestAnyShapeOfNotificationLeadsToTheHead(t *testing.T) {
	change := func(kind string, epoch int) string {
		return fmt.Sprintf(`{"Type":%q,"Val":%s}`, kind, tipset(epoch))
	}
	for _, c := range []struct{ name, value string }{
		{"one applied tipset", `[` + change("apply", 100) + `]`},
		{"a reorg, reverts first", `[` + change("revert", 7) + `,` + change("revert", 6) + `,` + change("apply", 99) + `,` + change("apply", 100) + `]`},
		{"applies from the top down", `[` + change("apply", 100) + `,` + change("apply", 99) + `]`},
		{"a second current", `[` + change("current", 100) + `]`},
		{"current among others", `[` + change("apply", 99) + `,` + change("current", 100) + `]`},
		{"reverts alone: the node is asked", `[` + change("revert", 7) + `]`},
		{"nothing at all: the node is asked", `[]`},
		{"null: the node is asked", `null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newFakeNode(30 * time.Second)
				heads := dialNode(t, n).Watch(t.Context())
				<-heads
				n.mu.Lock()
				n.head = tipset(100)
				n.tell(rawM(c.value))
				n.mu.Unlock()
				synctest.Wait()
				select {
				case h := <-heads:
					if h.Epoch != 100 {
						t.Errorf("the head is %d", h.Epoch)
					}
				default:
					t.Error("no head")
				}
			})
		})
	}
}

func TestNotificationsOfTheWrongShapeAreSurvived(t *testing.T) {
	for _, value := range []string{`{}`, `7`, `"apply"`, `[null]`, `[{"Type":"apply"}]`, `[{"Type":"apply","Val":null}]`, `[{"Type":"apply","Val":{"Cids":[],"Blocks":[],"Height":5}}]`, `[{"Type":"apply","Val":{"Height":5}}]`} {
		t.Run(value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 30*time.Second)
				r.node.mu.Lock()
				r.node.tell(rawM(value))
				r.node.mu.Unlock()
				r.pass(0.5)
				if text := r.log.String(); !strings.Contains(text, "ChainNotify: the node's answer is unusable") {
					t.Errorf("the log does not say what was wrong:\n%s", text)
				}
				r.caughtUpWithNew(30 * time.Second)
			})
		})
	}
}

// The same over real sockets, with epochs of 200 ms: what the kernel does to
// a connection is not what a pipe does.
func TestFaultsOnRealSocketsAreSurvived(t *testing.T) {
	const epoch = 200 * time.Millisecond
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			node, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			front, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			x := &proxy{through: map[*passage]bool{}, dialNode: func(ctx context.Context) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", node.Addr().String())
			}}
			var accepting sync.WaitGroup
			accepting.Go(func() {
				for {
					conn, err := front.Accept()
					if err != nil {
						return
					}
					_ = x.carry(t.Context(), conn)
				}
			})
			t.Cleanup(func() {
				_ = front.Close()
				accepting.Wait()
			})
			r := assemble(t, epoch, node, x, func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, front.Addr().String())
			})
			r.pass(2)
			f.strike(x)
			if f.during > 0 {
				r.pass(5)
				x.heal()
			}
			// The bound is that of the virtual clock and what a busy machine adds.
			t.Logf("after %s", r.caughtUpWithNew(3*time.Second))
		})
	}
}
