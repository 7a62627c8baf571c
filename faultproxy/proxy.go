package faultproxy

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// Fault is a way to misbehave.
type Fault string

// The faults of a line.
const (
	Refuse     Fault = "refuse"      // connections are closed as soon as they are made, those there are at once
	Cut        Fault = "cut"         // some connections end in the middle of an answer
	Hang       Fault = "hang"        // connections are open and nothing comes or goes, not even answers to pings
	BadGateway Fault = "bad gateway" // HTTP 502, as a proxy answers whose node is down
)

// The faults of answers.
const (
	Mute      Fault = "mute"      // questions are taken, answers and heads never come; pings are answered
	Silent    Fault = "silent"    // answers come, heads do not
	Delay     Fault = "delay"     // every answer takes Slowness
	Fail      Fault = "fail"      // some answers are errors
	Null      Fault = "null"      // some results are null
	Truncate  Fault = "truncate"  // some answers are cut off
	Corrupt   Fault = "corrupt"   // some answers have wrong characters
	Duplicate Fault = "duplicate" // some answers come twice
	Reorder   Fault = "reorder"   // some answers come after the next one
	WrongID   Fault = "wrong id"  // some answers are to questions that nobody asked
	Huge      Fault = "huge"      // some results are 100 MiB long
	Deep      Fault = "deep"      // some results are lists in lists in lists
)

// The lies.
const (
	Lag         Fault = "lag"          // the head is that of LagEpochs heads ago
	Future      Fault = "future"       // the head's height is too high
	WrongSeeds  Fault = "wrong seeds"  // all randomness is made up
	WrongSets   Fault = "wrong sets"   // partitions have no sectors
	OtherName   Fault = "other name"   // it is a node of another network
	NewVersion  Fault = "new version"  // its network is at a version of the future
	LostMessage Fault = "lost message" // messages are taken, and the node never hears of them
	WrongNonces Fault = "wrong nonces" // accounts have sent more messages than they have
	FakeFailure Fault = "fake failure" // every message failed when it was executed
)

// Proxy is a line to a node. Its fields are set before the first connection;
// its methods may be called concurrently.
type Proxy struct {
	// Chance is that of an answer to be spoilt, where not all are; 1 in 3 if zero.
	Chance float64
	// Slowness is how long a delayed answer takes.
	Slowness time.Duration
	// LagEpochs is how many heads ago a lagging node is.
	LagEpochs int

	listen net.Listener
	server *http.Server
	ctx    context.Context
	stop   context.CancelFunc
	work   sync.WaitGroup

	mu       sync.Mutex // guards what follows
	random   *rand.Rand
	upstream string
	on       map[Fault]bool
	changed  chan struct{} // closed and replaced when on or upstream changes
	hits     map[Fault]int
	calls    map[string]int
	lines    map[*line]struct{}
	heads    []json.RawMessage // the node's, latest last
}

// New listens on loopback for clients of the node at upstream, host:port.
func New(upstream string, seed uint64) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Proxy{
		Chance: 1.0 / 3, Slowness: time.Second, LagEpochs: 10,
		listen: l, ctx: ctx, stop: stop, upstream: upstream, random: rand.New(rand.NewPCG(seed, 0)),
		on: map[Fault]bool{}, changed: make(chan struct{}), hits: map[Fault]int{}, calls: map[string]int{}, lines: map[*line]struct{}{},
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	p.work.Go(func() { _ = p.server.Serve(picky{l, p}) })
	return p, nil
}

// Addr is where clients connect, host:port.
func (p *Proxy) Addr() string { return p.listen.Addr().String() }

// Close ends the proxy and every connection through it.
func (p *Proxy) Close() error {
	p.stop()
	err := p.server.Close()
	p.cut()
	p.work.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Set makes exactly these faults happen from now on; none is a good line.
func (p *Proxy) Set(faults ...Fault) {
	p.mu.Lock()
	clear(p.on)
	for _, f := range faults {
		p.on[f] = true
	}
	p.stirred()
	p.mu.Unlock()
	for _, f := range faults {
		if f == Refuse || f == BadGateway || f == OtherName { // these are met on connecting
			p.cut()
		}
	}
}

// Divert leads to another node from now on: connections are made anew.
func (p *Proxy) Divert(upstream string) {
	p.mu.Lock()
	same := p.upstream == upstream
	p.upstream = upstream
	p.stirred()
	p.mu.Unlock()
	if !same {
		p.cut()
	}
}

// Hits counts how often each fault has happened.
func (p *Proxy) Hits() map[Fault]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.hits)
}

// Calls counts the questions that came, by method.
func (p *Proxy) Calls() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.calls)
}

// stirred tells who waits that something has changed. p.mu is held.
func (p *Proxy) stirred() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// strikes says whether a fault that always happens does now, and counts it.
func (p *Proxy) strikes(f Fault) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.on[f] {
		p.hits[f]++
	}
	return p.on[f]
}

// happens is strikes for a fault that happens by chance.
func (p *Proxy) happens(f Fault) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.on[f] || p.random.Float64() >= p.Chance {
		return false
	}
	p.hits[f]++
	return true
}

// held waits while the line hangs. It is false when the proxy or ctx has ended.
func (p *Proxy) held(ctx context.Context) bool {
	counted := false
	for {
		p.mu.Lock()
		hangs, changed := p.on[Hang], p.changed
		if hangs && !counted {
			p.hits[Hang]++
			counted = true
		}
		p.mu.Unlock()
		if !hangs {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		case <-p.ctx.Done():
			return false
		}
	}
}

// Break ends all connections once; new ones are as the faults say.
func (p *Proxy) Break() { p.cut() }

func (p *Proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.lines {
		l.close()
	}
}

func (p *Proxy) intN(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.random.IntN(n)
}

// picky is a listener that may refuse.
type picky struct {
	net.Listener
	p *Proxy
}

func (l picky) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || !l.p.strikes(Refuse) {
			return conn, err
		}
		_ = conn.Close()
	}
}
