package main

import (
	"context"
	"net"
	"sync"
	"testing"
)

// proxy stands between a daemon and its node, and lets the line misbehave.
type proxy struct {
	listen net.Listener
	to     string
	work   sync.WaitGroup

	mu    sync.Mutex // guards what follows
	lines map[*line]struct{}
	hung  bool // new lines are open but silent
}

// line is a connection through the proxy, both of its ends.
type line struct {
	ends   [2]net.Conn
	silent chan struct{} // not nil while nothing passes; closed when it passes again
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listen: l, to: to, lines: map[*line]struct{}{}}
	p.work.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		p.work.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listen.Addr().String() }

func (p *proxy) accept() {
	for {
		in, err := p.listen.Accept()
		if err != nil {
			return
		}
		out, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.to)
		if err != nil { // the node is not there
			_ = in.Close()
			continue
		}
		c := &line{ends: [2]net.Conn{in, out}}
		p.mu.Lock()
		p.lines[c] = struct{}{}
		if p.hung {
			c.silent = make(chan struct{})
		}
		p.mu.Unlock()
		p.work.Go(func() { p.carry(c, in, out) })
		p.work.Go(func() { p.carry(c, out, in) })
	}
}

// carry brings what one end says to the other until either is gone.
func (p *proxy) carry(c *line, from, to net.Conn) {
	defer p.drop(c)
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		for wait := p.silence(c); wait != nil; wait = p.silence(c) {
			<-wait
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) silence(c *line) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return c.silent
}

// drop ends a line.
func (p *proxy) drop(c *line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lines, c)
	c.speak()
	_ = c.ends[0].Close()
	_ = c.ends[1].Close()
}

func (c *line) speak() {
	if c.silent != nil {
		close(c.silent)
		c.silent = nil
	}
}

// cut ends all lines; new ones work.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hung = false
	for c := range p.lines {
		c.speak()
		_ = c.ends[0].Close()
		_ = c.ends[1].Close()
	}
}

// hang makes all lines open but silent, for good; new ones work unless they are to hang too.
func (p *proxy) hang(newOnes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hung = newOnes
	for c := range p.lines {
		if c.silent == nil {
			c.silent = make(chan struct{})
		}
	}
}

// heal lets everything pass again, and what was held back first.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hung = false
	for c := range p.lines {
		c.speak()
	}
}
