package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alarm"
	"github.com/vigil-post/vigil/alive"
)

// fakeSource is a StatusSource that a test sets.
type fakeSource struct {
	mu      sync.Mutex // guards what follows
	status  vigil.Status
	changed chan struct{}
}

func newFake(s vigil.Status) *fakeSource {
	return &fakeSource{status: alarmed(s), changed: make(chan struct{})}
}

// alarmed is a status with the alarms that the daemon would give it.
func alarmed(s vigil.Status) vigil.Status {
	if s.Alarms == nil {
		s.Alarms = append([]vigil.Alarm{}, alarm.Of(s, alarm.Policy{}, time.Now())...)
	}
	return s
}

func (f *fakeSource) Status() vigil.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

func (f *fakeSource) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

func (f *fakeSource) set(s vigil.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = alarmed(s)
	close(f.changed)
	f.changed = make(chan struct{})
}

const evil = `<script>alert("x")</script>`

// network is a status without miners, at an epoch whose head was seen just now.
func network(epoch abi.ChainEpoch) vigil.Status {
	now := time.Now()
	return vigil.Status{Version: "v0.1.0", Network: "localnet-devnet", Head: epoch, HeadTime: now, HeadSeen: now, Delay: 30 * time.Second}
}

// healthyMiner has sectors at every other deadline; the deadlines before the
// current one are confirmed, the current one is submitted, the next one challenged.
func healthyMiner(name string, epoch abi.ChainEpoch) vigil.MinerStatus {
	start := epoch - epoch%2880
	current := uint64(epoch-start) / 60
	m := vigil.MinerStatus{Miner: name, Epoch: epoch}
	for i := range uint64(48) {
		open := start + abi.ChainEpoch(i)*60
		if i < current {
			open += 2880
		}
		d := vigil.DeadlineStatus{Deadline: deadlineAt(i, open)}
		if i%5 != 3 {
			d.Partitions, d.Sectors = 1+int(i%3), 2+(i%3)*2
		}
		switch {
		case d.Partitions == 0:
		case i < current:
			d.Last = vigil.StateConfirmed
		case i == current:
			d.Last, d.Posted = vigil.StateSubmitted, 1
			m.Current = d.Deadline
		}
		if i == current {
			m.Current = d.Deadline
		}
		m.Deadlines = append(m.Deadlines, d)
	}
	m.Duties = []vigil.DutyStatus{
		duty(name, m.Current.Plus(1), vigil.StateScheduled, "proving"),
		duty(name, m.Current, vigil.StateSubmitted, "waiting for the chain"),
		duty(name, m.Current.Plus(-1), vigil.StateConfirmed, ""),
	}
	m.Duties[0].Row.Reason = vigil.ReasonNotProved // why it would be missed now: not to be shown yet
	m.Duties[1].Message, m.Duties[1].MessageIs = vigil.MessagePublished, "bafy2bzacedlsdjkfhskdjfhkjshdfkjhsdkjfhskjdfhkjshdfkjh"
	m.Duties[2].Message, m.Duties[2].MessageIs = vigil.MessageConfirmed, "bafy2bzacecvkjwneoiuweoiruwoieuroiwueroiuweoiruwoeiruo"
	return m
}

func deadlineAt(index uint64, open abi.ChainEpoch) vigil.Deadline {
	return vigil.Deadline{Index: index, Count: 48, Challenge: open - 20, Open: open, Close: open + 60, FaultCutoff: open - 70}
}

func duty(miner string, at vigil.Deadline, state vigil.DutyState, running string) vigil.DutyStatus {
	return vigil.DutyStatus{
		Duty: fmt.Sprintf("%s/%d/0", miner, at.Open), Kind: vigil.KindPost, Deadline: at.Index, Open: at.Open, Close: at.Close, Running: running,
		Row: vigil.Duty{Deadline: at, Partitions: []uint64{0, 1}, State: state},
	}
}

// troubledMiner has all that can be wrong with one.
func troubledMiner(name string, epoch abi.ChainEpoch) vigil.MinerStatus {
	m := healthyMiner(name, epoch)
	m.Problem = "read partitions of deadline 4: call node: connection refused " + evil
	m.Bad = []vigil.BadSector{
		{Number: 17, Cause: "sealed/s-t01000-17: no such file"},
		{Number: 23, Cause: "cache/s-t01000-23/sc-02-data-tree-r-last.dat: the path does not lead to comm_r " + evil},
	}
	m.Duties[1].Row.Skipped = m.Bad
	m.Duties[1].Row.Problem = "push message: the node's pool is full"
	missed := duty(name, m.Current.Plus(-2), vigil.StateMissed, "")
	missed.Row.Reason = vigil.ReasonNotIncluded
	missed.Message = vigil.MessageExpired
	recovery := duty(name, m.Current.Plus(3), vigil.StateConfirmed, "")
	recovery.Kind, recovery.Row.Partitions, recovery.Row.Sectors = vigil.KindRecover, nil, []abi.SectorNumber{4, 5, 19}
	recovery.Duty = fmt.Sprintf("%s/%d/recover/0", name, recovery.Open)
	m.Duties = append(m.Duties, missed, recovery)
	at := m.Current.Index
	m.Deadlines[(at+46)%48].Last = vigil.StateMissed
	m.Deadlines[(at+46)%48].Faulty = 4
	m.Deadlines[(at+3)%48].Faulty, m.Deadlines[(at+3)%48].Recovering = 3, 3
	return m
}

func states() map[string]vigil.Status {
	const epoch = 1144209
	healthy, trouble, many, silent := network(epoch), network(epoch), network(epoch), network(epoch)
	healthy.Miners = []vigil.MinerStatus{healthyMiner("f01000", epoch)}
	trouble.Problem = "write to the store: the disk is full"
	trouble.Miners = []vigil.MinerStatus{troubledMiner("f01000", epoch), {Miner: "f02438", Problem: "no such actor"}}
	for i := range 100 {
		many.Miners = append(many.Miners, healthyMiner(fmt.Sprintf("f0%d", 1000+i), epoch+abi.ChainEpoch(i*40)))
	}
	many.Miners[7] = troubledMiner("f01007", epoch)
	silent.Miners = healthy.Miners
	troubled := trouble
	troubled.Miners = trouble.Miners[:1]
	furnish, hundred := healthy, many
	furnish.Miners, hundred.Miners = slices.Clone(healthy.Miners), slices.Clone(many.Miners)
	silent.HeadSeen = time.Now().Add(-4 * time.Minute)
	return map[string]vigil.Status{
		"none": network(epoch), "healthy": healthy, "trouble": trouble, "many": many, "silent": silent, "starting": {Version: "v0.1.0"},
		"waiting": {Version: "v0.1.0", Starting: "no node answers: network: node ws://127.0.0.1:1234/rpc/v1 is not connected: connection refused " + evil, Nodes: []vigil.NodeStatus{
			{Node: "ws://a-node-with-a-very-long-name.in-a-domain-that-is-no-shorter.example:1234/rpc/v1", State: vigil.NodeUnreachable, Why: "connection refused"},
		}, Alarms: []vigil.Alarm{{Code: "no-head", About: "chain", Urgent: true, Since: time.Now(), What: "the start waits: no node answers", Remedy: "Look whether the nodes run."}}},
		"troubled": troubled, "furnished": furnished(furnish), "hundred": furnished(hundred),
	}
}

var showAt = flag.String("show", "", "serve the page on this address with made-up states, one after another at /?STATE")

// TestShow lets a person look at the page: go test ./dashboard -run TestShow -show 127.0.0.1:8080 -timeout 1h
func TestShow(t *testing.T) {
	if *showAt == "" {
		t.Skip("for people: give -show ADDRESS")
	}
	fake := newFake(states()["healthy"])
	mux := http.NewServeMux()
	mux.Handle("/", New(whole(fake)))
	mux.HandleFunc("POST /state/{name}", func(_ http.ResponseWriter, r *http.Request) {
		fake.set(states()[r.PathValue("name")])
	})
	l, err := net.Listen("tcp", *showAt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := Serve(ctx, l, mux); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, h http.Handler, target string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+target, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestThePageSaysInEveryStateWhatMatters(t *testing.T) {
	for _, c := range []struct {
		state string
		says  []string
		never []string
	}{
		{"starting", []string{"no head yet", "no chain head has been seen yet", "as soon as the first chain head"}, nil},
		{"waiting", []string{"has not begun its work: no node answers", "The start waits", "<h1>Starting</h1>", "connection refused &lt;"}, []string{"No miner is configured", evil}},
		{"none", []string{"localnet-devnet", "1144209", "No miner is configured", "Nothing needs attention"}, []string{"Needs attention"}},
		{"healthy", []string{
			"f01000", "deadline 14 of 48, closes in 51 epochs (25 min 30 s)",
			"deadline 14: submitted, open now, 3 partitions, 6 sectors, 1 of 3 posted",
			"deadline 3: no sectors", "waiting for the chain", "published", "bafy2b…", "Nothing needs attention",
		}, []string{"Needs attention", "cannot be read", "Missed"}},
		{"trouble", []string{
			"Needs attention", "the disk is full", "was missed: not included", "2 sectors cannot be read", "connection refused",
			"no such actor", "its deadlines have not been read yet",
		}, []string{evil, "Nothing needs attention"}},
		{"troubled", []string{
			"no block took it before Close", "sector 17", "no such file", "recover sectors 4, 5, 19", "connection refused", "deadline 12: missed", "pool is full",
		}, []string{evil, "Nothing needs attention"}},
		{"silent", []string{"no new chain head for 4 min", "No new chain head since epoch 1144209"}, nil},
		{"many", []string{"100 miners", `href="/miners/f01099"`, `id="miner-f01099"`, "1 with trouble (first)"}, nil},
	} {
		t.Run(c.state, func(t *testing.T) {
			r := get(t, New(Config{Status: newFake(states()[c.state])}), "/")
			page := body(t, r)
			if r.StatusCode != http.StatusOK {
				t.Fatalf("status %d: %s", r.StatusCode, page)
			}
			for _, want := range c.says {
				if !strings.Contains(page, want) {
					t.Errorf("the page does not say %q", want)
				}
			}
			for _, bad := range c.never {
				if strings.Contains(page, bad) {
					t.Errorf("the page has %q", bad)
				}
			}
		})
	}
}

func TestACellTellsThePresentWindowFromTheLast(t *testing.T) {
	const epoch = 10_000
	open, upcoming := deadlineAt(5, epoch-10), deadlineAt(9, epoch+500)
	challenged := deadlineAt(6, epoch+10)
	for _, c := range []struct {
		sentence string
		at       vigil.Deadline
		last     vigil.DutyState
		posted   int
		duty     bool
		want     string
	}{
		{"a closed deadline shows how it ended", upcoming, vigil.StateConfirmed, 0, false, "confirmed"},
		{"a closed deadline without history is upcoming", upcoming, "", 0, false, "upcoming"},
		{"an open deadline does not show yesterday's confirmation", open, vigil.StateConfirmed, 0, false, "scheduled"},
		{"an open deadline shows its duty", open, vigil.StateProved, 0, true, "proved"},
		{"a challenged deadline shows its duty", challenged, vigil.StateScheduled, 0, true, "scheduled"},
		{"posted by someone else counts", open, "", 1, false, "submitted"},
		{"a miss is shown until the next duty", open, vigil.StateMissed, 0, false, "missed"},
	} {
		m := vigil.MinerStatus{Epoch: epoch}
		if c.duty {
			m.Duties = []vigil.DutyStatus{duty("f01000", c.at, c.last, "")}
		}
		d := vigil.DeadlineStatus{Deadline: c.at, Partitions: 1, Sectors: 2, Posted: c.posted, Last: c.last}
		if got := cellMark(d, m).Class; got != c.want {
			t.Errorf("%s: %s, want %s", c.sentence, got, c.want)
		}
	}
}

func TestHealthFollowsTheHead(t *testing.T) {
	for _, c := range []struct {
		sentence string
		delay    time.Duration
		silence  time.Duration
		want     int
	}{
		{"a head just seen is healthy", 30 * time.Second, 0, 200},
		{"two silent epochs are null rounds", 30 * time.Second, time.Minute, 200},
		{"four silent epochs are not", 30 * time.Second, 2 * time.Minute, 503},
		{"fast epochs get ten seconds", 100 * time.Millisecond, 9 * time.Second, 200},
		{"and no more", 100 * time.Millisecond, 11 * time.Second, 503},
	} {
		s := network(100)
		s.Delay, s.HeadSeen = c.delay, time.Now().Add(-c.silence)
		if r := get(t, New(Config{Status: newFake(s)}), "/healthz"); r.StatusCode != c.want {
			t.Errorf("%s: %d", c.sentence, r.StatusCode)
		}
	}
	if r := get(t, New(Config{Status: newFake(vigil.Status{})}), "/healthz"); r.StatusCode != 503 {
		t.Errorf("no head at all is healthy: %d", r.StatusCode)
	}
}

func TestHealthNamesTheLoopThatHangs(t *testing.T) {
	s := network(100)
	s.HeadSeen, s.Stuck = time.Now(), []vigil.StuckLoop{{Loop: "messages", Since: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	r := get(t, New(Config{Status: newFake(s)}), "/healthz")
	if text, err := io.ReadAll(r.Body); err != nil || r.StatusCode != 503 || string(text) != "hangs since 2026-03-01T12:00:00Z: messages\n" {
		t.Errorf("%d: %q, %v", r.StatusCode, text, err)
	}
}

// singleflight would let it end the process, whatever net/http does.
func TestABugInWhatIsReadForAPageIsAnError(t *testing.T) {
	c := newPerHead[int](1)
	var bug *alive.PanicError
	for range 2 {
		if _, err := c.get(t.Context(), moment{}, "key", func(context.Context) (int, error) { panic("a bug") }); !errors.As(err, &bug) {
			t.Error(err)
		}
	}
}

func TestTheJSONIsTheStatus(t *testing.T) {
	want := states()["trouble"]
	r := get(t, New(Config{Status: newFake(want)}), "/api/status")
	var got vigil.Status
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Head != want.Head || len(got.Miners) != 2 || got.Miners[0].Bad[0] != want.Miners[0].Bad[0] || len(got.Miners[0].Deadlines) != 48 {
		t.Errorf("got %+v", got)
	}
	if r.Header.Get("Content-Type") != "application/json" {
		t.Error(r.Header)
	}
}

func TestMetricsCountDutiesByState(t *testing.T) {
	page := body(t, get(t, New(Config{Status: newFake(states()["trouble"])}), "/metrics"))
	for _, want := range []string{
		"vigil_head_epoch 1.144209e+06",
		"vigil_head_age_seconds ",
		`vigil_duties{kind="post",miner="f01000",state="missed"} 1`,
		`vigil_duties{kind="post",miner="f02438",state="missed"} 0`,
		`vigil_duties{kind="recover",miner="f01000",state="confirmed"} 1`,
		`vigil_bad_sectors{miner="f01000"} 2`,
		`vigil_faulty_sectors{miner="f01000"} 7`,
		`vigil_miner_problem{miner="f02438"} 1`,
		`vigil_info{network="localnet-devnet",version="v0.1.0"} 1`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestOnlyOwnNamesAndReadingAreServed(t *testing.T) {
	h := New(Config{Status: newFake(network(1)), Hosts: func() []string { return []string{"vigil.example"} }})
	for _, c := range []struct {
		method, host, path string
		want               int
	}{
		{"GET", "127.0.0.1:8080", "/", 200},
		{"GET", "[::1]:8080", "/", 200},
		{"GET", "localhost:8080", "/", 200},
		{"GET", "Vigil.example", "/", 200},
		{"GET", "elsewhere.example", "/api/status", 403},
		{"GET", "localhost.elsewhere.example", "/", 403},
		{"POST", "localhost", "/", 405},
		{"DELETE", "localhost", "/api/status", 405},
		{"GET", "localhost", "/assets/vigil.js", 200},
		{"GET", "localhost", "/assets/page.html", 404},
		{"GET", "localhost", "/../dashboard.go", 404},
		{"GET", "localhost", "/debug/pprof/", 404},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		r.Host, r.URL.Path = c.host, c.path
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want && !(c.want == 404 && w.Code/100 == 3) {
			t.Errorf("%s %s%s: %d, want %d", c.method, c.host, c.path, w.Code, c.want)
		}
		if !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s %s: no security headers", c.method, c.path)
		}
	}
}

// An event stream gives the whole page first and then only what changed.
func TestTheStreamSendsWhatChanged(t *testing.T) {
	fake := newFake(states()["many"])
	ctx, stop := context.WithCancel(t.Context())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, New(Config{Status: fake})) }()

	r := askForEvents(t, "http://"+l.Addr().String()+"/")
	defer r.Body.Close()
	events := bufio.NewReader(r.Body)
	first := nextDelta(t, events)
	if len(first.Parts) != 103 || len(first.Order) != 102 { // the head is no part of the order
		t.Fatalf("first event: %d parts, %d in order", len(first.Parts), len(first.Order))
	}
	next := fake.Status()
	next.Miners = append([]vigil.MinerStatus(nil), next.Miners[1:]...)
	next.Miners[3].Problem = evil
	fake.set(next)
	second := nextDelta(t, events)
	for _, found := second.Parts["miner-f01004"]; !found; _, found = second.Parts["miner-f01004"] {
		second = nextDelta(t, events) // the age of the head may have changed first
	}
	if len(second.Order) != 101 || len(second.Parts) > 4 { // head, alarms, sum and the miner
		t.Errorf("second event: %d parts, %d in order", len(second.Parts), len(second.Order))
	}
	if html := second.Parts["miner-f01004"]; strings.Contains(html, "<script") || !strings.Contains(html, "&lt;script") {
		t.Errorf("not escaped: %s", html)
	}

	stop()
	if err := <-served; err != nil {
		t.Errorf("the end of the context is not a failure: %v", err)
	}
}

// askForEvents asks for a page as its script does.
func askForEvents(t *testing.T, url string) *http.Response {
	t.Helper()
	ask, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	ask.Header.Set("Accept", "text/event-stream")
	r, err := http.DefaultClient.Do(ask)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func nextDelta(t *testing.T, events *bufio.Reader) delta {
	t.Helper()
	for {
		line, err := events.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			var d delta
			if err := json.Unmarshal([]byte(data), &d); err != nil {
				t.Fatal(err)
			}
			return d
		}
	}
}

func TestDurationsHaveTwoUnitsAtMost(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 100 * time.Millisecond: "100 ms", 30 * time.Second: "30 s", 90 * time.Second: "1 min 30 s", 2 * time.Hour: "2 h",
		125 * time.Minute: "2 h 5 min", 50 * time.Hour: "2 d 2 h", 1500 * time.Millisecond: "1 s",
	} {
		if got := duration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestWhatIsOverDoesNotCrowdOutWhatIsNot(t *testing.T) {
	m := vigil.MinerStatus{Miner: "f01000", Epoch: 10_000}
	for i := range abi.ChainEpoch(20) {
		state := vigil.StateConfirmed
		if i == 19 {
			state = vigil.StateMissed
		}
		m.Duties = append(m.Duties, duty("f01000", deadlineAt(5, 9000-60*i), state, ""))
	}
	v := viewMiner(m, moment{})
	if len(v.Duties) != 9 || len(v.Earlier) != 11 || v.Duties[8].Word != "missed" {
		t.Errorf("%d shown, %d folded away", len(v.Duties), len(v.Earlier))
	}
	s := network(10_000)
	s.Miners = []vigil.MinerStatus{m}
	if page := body(t, get(t, New(Config{Status: newFake(s)}), "/")); !strings.Contains(page, "11 earlier") {
		t.Error("the page does not say that there are earlier ones")
	}
}

func TestNodesAreInTheMetricsAndTheTroubledOnesAmongTheAlarms(t *testing.T) {
	s := network(1000)
	s.Nodes = []vigil.NodeStatus{
		{Node: "ws://one", State: vigil.NodeInUse, Epoch: 1000, Latency: 20 * time.Millisecond, Calls: 7, Failed: 1},
		{Node: "ws://two", State: vigil.NodeAside, Why: "its head is behind"},
		{Node: "ws://three", State: vigil.NodeReady},
	}
	s.Upgrade = &vigil.Upgrade{Name: "Next", Epoch: 5000}
	var said []string
	for _, a := range alarmLines(moment{alarmed(s), time.Now()}) {
		said = append(said, a.About+": "+a.What)
	}
	if got := strings.Join(said, "; "); got != "network: The upgrade Next at epoch 5000 brings rules that this Vigil does not know.; ws://two: Set aside: its head is behind." {
		t.Errorf("the alarms are %q", got)
	}
	answer := httptest.NewRecorder()
	metricsHandler(newFake(s), nil).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`vigil_node_state{node="ws://one",state="in use"} 1`, `vigil_node_state{node="ws://two",state="set aside"} 1`, `vigil_node_state{node="ws://two",state="in use"} 0`,
		`vigil_node_epoch{node="ws://one"} 1000`, `vigil_node_latency_seconds{node="ws://one"} 0.02`, `vigil_node_questions_total{node="ws://one"} 7`, `vigil_node_failures_total{node="ws://one"} 1`,
	} {
		if !strings.Contains(answer.Body.String(), line+"\n") {
			t.Errorf("the metrics have no %s", line)
		}
	}
}
