package dashboard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vigil-post/vigil"
)

func TestEveryPageSaysWhatItIsOf(t *testing.T) {
	for _, c := range []struct {
		state, path string
		code        int
		says        []string
	}{
		{"furnished", "/alarms", 200, []string{"The proof of deadline 15 needs 40 min and there are 25.", "will-not-fit", "25 min 30 s left", `href="/duties/f01000/1144260/0"`}},
		{"furnished", "/forecast", 200, []string{"1 deadline will not be proved in time", "25 min to spare", "10 min late", "the one prover is busy"}},
		{"none", "/forecast", 200, []string{"There is no forecast yet"}},
		{"furnished", "/system", 200, []string{"ws://10.0.0.2:1234/rpc/v1", "its head is 12 epochs behind", "/mnt/two", "no read returned", "send it 0.3 FIL", "1 × <b>proving</b>"}},
		{"furnished", "/system", 200, []string{"avx512-ifma", "1 of 1 at once, 2 waiting", "96 GiB for all", "no limit", "Nothing was proved since", "out of memory", "being made", `href="/duties/f01000/1144200/2"`, "2349", "the CPU has no AVX-512 IFMA"}},
		{"none", "/system", 200, []string{"No prover is known"}},
		{"hundred", "/system", 200, []string{"and 10 more that wait"}},
		{"hundred", "/system", 200, []string{"that close later", "waiting for the chain"}},
		{"none", "/system", 200, []string{"No node is known yet", "No storage is configured", "Nothing is being done right now"}},
		{"furnished", "/times", 200, []string{"Of 96 proofs", "5 min 40 s", `href="/duties/f01000/1144200/0"`}},
		{"furnished", "/miners/f01000", 200, []string{"the tree is cut off", "not fit: the one prover", "valid", "/mnt/two does not answer", "Every sector that owes proofs was read since"}},
		{"furnished", "/miners/f01000/deadlines/14", 200, []string{"closes in 51 epochs", `href="/miners/f01000/deadlines/14/partitions/1"`, "not proven yet: 100", `href="/miners/f01000/deadlines/13"`}},
		{"furnished", "/miners/f01000/deadlines/13", 200, []string{"The deadline has no partition", `href="/miners/f01000/deadlines/12"`}},
		{"furnished", "/miners/f01000/deadlines/16/partitions/1", 200, []string{"2401", "the tree is cut off", "2404–2406", "declared recovered", "2349–2399, 2407–4548", "No cause is known"}},
		{"furnished", "/duties/f01000/1144200/0", 200, []string{"before Close", "The chain shows it.", "12 min", "&lt;script"}},
		{"furnished", "/duties/f0404/1144200/0", 404, []string{"there is no duty f0404/1144200/0"}},
		{"furnished", "/duties/f01000/x/0", 404, []string{"is no duty"}},
		{"furnished", "/duties/f01000/1144200/recover/0", 200, []string{"f01000/1144200/recover/0"}},
		{"furnished", "/duties/f0500/1/0", 200, []string{"cannot be shown", "the disk is gone"}},
		{"furnished", "/miners/f09", 404, []string{"no miner f09 is looked after here"}},
		{"furnished", "/miners/f01000/deadlines/48", 404, []string{"has no deadline 48"}},
		{"furnished", "/miners/f01000/deadlines/-1", 404, []string{"has no deadline -1"}},
		{"furnished", "/miners/f01000/deadlines/14/partitions/2", 404, []string{"has no partition 2"}},
		{"furnished", "/miners/f01000/deadlines/14/partitions/all", 404, []string{"has no partition all"}},
		{"trouble", "/miners/f02438/deadlines/0", 404, []string{"has no deadline 0 that is known yet"}},
	} {
		r := get(t, New(whole(newFake(states()[c.state]))), c.path)
		page := body(t, r)
		if r.StatusCode != c.code {
			t.Errorf("%s %s: status %d", c.state, c.path, r.StatusCode)
		}
		for _, want := range c.says {
			if !strings.Contains(page, want) {
				t.Errorf("%s %s does not say %q", c.state, c.path, want)
			}
		}
		if strings.Contains(page, evil) {
			t.Errorf("%s %s: what a node or a disk says is not escaped", c.state, c.path)
		}
	}
}

// A page that was opened too early comes to life when its miner is there.
func TestAPageThatIsNotThereYetFollowsAlong(t *testing.T) {
	fake := newFake(states()["none"])
	r := askForEvents(t, serve(t, New(whole(fake)))+"/miners/f01000")
	defer r.Body.Close()
	events := bufio.NewReader(r.Body)
	if first := nextDelta(t, events); len(first.Order) != 1 || first.Order[0] != "gone" {
		t.Errorf("before: %v", first.Order)
	}
	fake.set(states()["healthy"])
	for next := nextDelta(t, events); next.Order[0] == "gone"; next = nextDelta(t, events) {
		t.Log("only the age of the head changed")
	}
}

func TestATabTellsHowAllStands(t *testing.T) {
	for state, want := range map[string][2]string{
		"none":      {"<title>✓ No miner – Vigil</title>", `href="/assets/icon.svg"`},
		"healthy":   {"<title>… 2 in progress · f01000 – Vigil</title>", `href="/assets/icon.svg"`},
		"silent":    {"<title>✕ 1 alarm · f01000 – Vigil</title>", `href="/assets/icon-urgent.svg"`},
		"furnished": {"<title>✕ 2 alarms · f01000 – Vigil</title>", `href="/assets/icon-urgent.svg"`},
	} {
		page := body(t, get(t, New(whole(newFake(states()[state]))), "/"))
		for _, part := range want {
			if !strings.Contains(page, part) {
				t.Errorf("%s: no %s", state, part)
			}
		}
	}
}

func TestPartitionsAreAskedForOncePerHead(t *testing.T) {
	chain := &fakeChain{}
	fake := newFake(states()["furnished"])
	c := whole(fake)
	c.Chain = chain
	h := New(c)
	look := func(deadline int) { get(t, h, fmt.Sprintf("/miners/f01000/deadlines/%d", deadline)) }
	for range 3 {
		look(14)
	}
	look(15)
	if chain.asked != 2 {
		t.Errorf("asked %d times for two deadlines at one head", chain.asked)
	}
	next := fake.Status()
	next.Head, next.HeadSeen = next.Head+1, next.HeadSeen.Add(time.Second)
	fake.set(next)
	look(14)
	if chain.asked != 3 {
		t.Errorf("asked %d times when there was another head", chain.asked)
	}
}

func TestANodeThatDoesNotAnswerIsSaidAndNothingElseIsLost(t *testing.T) {
	c := whole(newFake(states()["furnished"]))
	c.Chain = &fakeChain{err: errors.New("connection refused")}
	for _, path := range []string{"/miners/f01000/deadlines/14", "/miners/f01000/deadlines/14/partitions/1"} {
		r := get(t, New(c), path)
		page := body(t, r)
		if r.StatusCode != http.StatusOK || !strings.Contains(page, "cannot be shown") || !strings.Contains(page, "connection refused") {
			t.Errorf("%s: %d %s", path, r.StatusCode, page)
		}
	}
}

// Who gives up does not take the answer from those who still wait, and what was
// read is bounded.
func TestWhatIsKeptPerHeadIsBoundedAndShared(t *testing.T) {
	c := newPerHead[int](1)
	at := moment{Status: vigil.Status{HeadSeen: time.Unix(1, 0)}}
	started, goOn := make(chan struct{}), make(chan struct{})
	read := func(context.Context) (int, error) { close(started); <-goOn; return 7, nil }
	impatient, giveUp := context.WithCancel(t.Context())
	var both sync.WaitGroup
	both.Go(func() {
		if _, err := c.get(impatient, at, "a", read); !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up got %v", err)
		}
	})
	<-started
	giveUp()
	both.Wait()
	both.Go(func() {
		if v, err := c.get(t.Context(), at, "a", func(context.Context) (int, error) { return 0, errors.New("read twice") }); v != 7 || err != nil {
			t.Errorf("who waited got %d, %v", v, err)
		}
	})
	close(goOn)
	both.Wait()
	for i := range 3 * mostKept {
		at.HeadSeen = at.HeadSeen.Add(time.Second)
		if _, err := c.get(t.Context(), at, fmt.Sprint(i), func(context.Context) (int, error) { return i, nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.kept) != mostKept {
		t.Errorf("%d are kept", len(c.kept))
	}
}

func TestASmallDialHasADashForEachRun(t *testing.T) {
	cells := func(classes string) (list []cellView) {
		for _, class := range strings.Fields(classes) {
			list = append(list, cellView{mark: mark{Class: class}})
		}
		return list
	}
	for _, c := range []struct{ cells, class, want string }{
		{"a a b", "a", "2 1"},
		{"a a b", "b", "0 2 1 0"},
		{"b a b b", "b", "1 1 2 0"},
		{"a a", "a", "2 0"},
		{"a a", "b", ""},
	} {
		if got := dashesOf(cells(c.cells), c.class); got != c.want {
			t.Errorf("%s in %s: %q, want %q", c.class, c.cells, got, c.want)
		}
	}
}

func TestRangesAreAsPeopleWriteThem(t *testing.T) {
	for want, numbers := range map[string][]uint64{"": nil, "5": {5}, "1–3": {1, 2, 3}, "1–2, 4, 6–7": {1, 2, 4, 6, 7}} {
		if got := rangesOf(numbers); got != want {
			t.Errorf("%v: %q, want %q", numbers, got, want)
		}
	}
}

func TestSectorsAreSortedByWhatStopsTheirPowerFirst(t *testing.T) {
	m := vigil.MinerStatus{Miner: "f01000", Bad: []vigil.BadSector{{Number: 3, Cause: "gone"}, {Number: 6, Cause: "torn"}}}
	v := viewPartition(vigil.Partition{All: span(0, 10), Live: span(0, 9), Active: span(0, 5), Faulty: span(6, 2), Recovering: span(7, 1)}, m, 0)
	var got []string
	for _, c := range v.Counts {
		got = append(got, c.Word+" "+c.Ranges)
	}
	if want := "faulty 6; cannot be read 3; recovering 7; not proven yet 5, 8; terminated 9; active 0–2, 4"; strings.Join(got, "; ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), want)
	}
	if len(v.Troubled) != 3 || v.Troubled[1].Cause != "torn" {
		t.Errorf("%+v", v.Troubled)
	}
}

// A hundred miners are a page that a telephone can bear.
func TestAHundredMinersAreALightPage(t *testing.T) {
	page := body(t, get(t, New(whole(newFake(states()["hundred"]))), "/"))
	if len(page) > 300_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
	t.Logf("%d bytes", len(page))
}

func BenchmarkAHundredMiners(b *testing.B) {
	at := states()["hundred"]
	d := &dashboard{Config: Config{Status: newFake(at)}}
	r, err := http.NewRequest(http.MethodGet, "/", nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := d.show(r, d.overview); err != nil {
			b.Fatal(err)
		}
	}
}
