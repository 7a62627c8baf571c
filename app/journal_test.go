package app

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// pages is a journal in memory.
type pages []vigil.Event

func (p *pages) Note(e vigil.Event) { *p = append(*p, e) }

func (p *pages) Alive(abi.ChainEpoch) {}

func (p pages) String() string {
	var words []string
	for _, e := range p {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%d %s %s %s", e.Epoch, e.Kind, e.About, e.After)))
	}
	return strings.Join(words, ", ")
}

func TestWhatConcernsAllDutiesIsNotedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noted := &pages{}
		s := vigil.Status{Delay: 30 * time.Second, Nodes: []vigil.NodeStatus{{Node: "a", State: vigil.NodeUnreachable, Since: time.Now()}, {Node: "b", State: vigil.NodeReady, Since: time.Now()}}}
		var mu sync.Mutex // guards s
		set := func(change func()) { mu.Lock(); defer mu.Unlock(); change() }
		status := func() vigil.Status { mu.Lock(); defer mu.Unlock(); return s }
		c := &chronicle{journal: noted, status: status, changed: func() <-chan struct{} { return nil }, last: 50}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.keep(ctx) }()
		pass := func(d time.Duration) { <-time.After(d); synctest.Wait() }
		head := func(epoch abi.ChainEpoch) { set(func() { s.Head, s.HeadSeen = epoch, time.Now() }) }

		pass(5 * time.Second) // no head yet
		head(100)
		pass(5 * time.Second)
		set(func() {
			s.Nodes = []vigil.NodeStatus{{Node: "a", State: vigil.NodeInUse, Since: time.Now()}, {Node: "b", State: vigil.NodeAside, Why: "lags", Since: time.Now()}}
		})
		pass(100 * time.Second)
		head(104)
		pass(time.Second)
		cancel()
		<-done

		want := "100 started, 100 node a unreachable, 100 node a in use, 100 node b set aside, 100 blind, 104 seeing, 104 stopped"
		if noted.String() != want {
			t.Errorf("noted %s\nwant  %s", noted, want)
		}
		if e := (*noted)[0]; e.Since != 50 || e.Delay != 30*time.Second || e.Kernels == "" {
			t.Errorf("the start: %+v", e)
		}
		if e := (*noted)[3]; e.Problem != "lags" || e.Took <= 0 {
			t.Errorf("the node that is set aside: %+v", e)
		}
	})
}

// A machine that sleeps stops the clock that silence is measured by.
func TestThatTheMachineSleptIsNoted(t *testing.T) {
	noted := &pages{}
	c := &chronicle{journal: noted, nodes: map[string]vigil.NodeStatus{}}
	woke := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	look := func(epoch abi.ChainEpoch, seen time.Time) {
		c.look(vigil.Status{Delay: 30 * time.Second, Head: epoch, HeadSeen: seen}, seen)
	}
	look(100, woke.Add(-40*time.Minute))
	look(101, woke.Add(-39*time.Minute))
	look(179, woke)
	look(180, woke.Add(30*time.Second))
	look(200, woke.Add(31*time.Second)) // heads that come at once are caught up with
	if want := "100 started, 101 blind, 179 seeing"; noted.String() != want {
		t.Errorf("noted %s\nwant  %s", noted, want)
	}
	if e := (*noted)[1]; !strings.Contains(e.Problem, "for 39m0s this process did nothing") || !e.Time.Equal(woke.Add(-39*time.Minute)) {
		t.Errorf("%+v", e)
	}
}
