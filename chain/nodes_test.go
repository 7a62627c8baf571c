package chain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
)

// herd is several nodes of one chain that grows by the clock, each behind a
// proxy of its own, and what reads them.
type herd struct {
	t     *testing.T
	epoch time.Duration
	nodes []*fakeNode
	lines []*proxy
	all   *chain.Nodes
	heads <-chan vigil.Head
	log   *lines
}

func nodeName(i int) string { return fmt.Sprintf("ws://node%d:1234/rpc/v1", i) }

// newHerd runs in memory, in a synctest bubble. change is called for each node before it is used.
func newHerd(t *testing.T, count int, epoch time.Duration, change ...func(i int, n *fakeNode, c *chain.Config)) *herd {
	t.Helper()
	h := &herd{t: t, epoch: epoch, log: &lines{}}
	genesis := time.Now().Add(-100 * epoch).Truncate(time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	var mining sync.WaitGroup
	var configs []chain.Config
	for i := range count {
		n, network := newFakeNode(epoch), newPipes()
		n.epoch = 99
		n.grow()
		n.answer("StateGetNetworkParams", fmt.Sprintf(`{"BlockDelaySecs":1,"BlockDelayMillis":%d,"GenesisTimestamp":%d}`, epoch.Milliseconds(), genesis.Unix()))
		n.handle("ChainGetTipSetByHeight", func(params []json.RawMessage) (any, error) {
			var at int
			if err := json.Unmarshal(params[0], &at); err != nil {
				return nil, err
			}
			return n.tipsetAt(min(at, n.height())), nil
		})
		x := &proxy{through: map[*passage]bool{}, dialNode: func(ctx context.Context) (net.Conn, error) { return network.dial(ctx, "", "") }}
		c := chain.Config{URL: nodeName(i), Log: h.log.logger(), DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			if err := x.carry(ctx, theirs); err != nil {
				return nil, err
			}
			return ours, nil
		}}
		for _, f := range change {
			f(i, n, &c)
		}
		n.serve(t, network)
		mining.Go(func() { n.mine(ctx, epoch) })
		h.nodes, h.lines, configs = append(h.nodes, n), append(h.lines, x), append(configs, c)
	}
	all, err := chain.Open(ctx, configs...)
	if err != nil {
		t.Fatal(err)
	}
	h.all, h.heads = all, all.Watch(ctx)
	t.Cleanup(func() {
		cancel()
		_ = all.Close()
		for _, x := range h.lines {
			x.cut()
		}
		mining.Wait()
	})
	return h
}

// pass lets epochs go by; heads are dropped.
func (h *herd) pass(epochs float64) {
	end := time.NewTimer(time.Duration(epochs * float64(h.epoch)))
	for {
		select {
		case <-h.heads:
		case <-end.C:
			return
		}
	}
}

// states gives how each node stands, as one line: the first, and then the
// others in any order, because either of two may take its place.
func (h *herd) states() string {
	var list []string
	for _, s := range h.all.Status() {
		list = append(list, string(s.State))
	}
	slices.Sort(list[1:])
	return strings.Join(list, ", ")
}

// stands waits until the nodes stand so, for no longer than the epochs.
func (h *herd) stands(want string, within float64) {
	h.t.Helper()
	for began := time.Now(); h.states() != want; h.pass(0.1) {
		if time.Since(began) > time.Duration(within*float64(h.epoch)) {
			h.t.Fatalf("the nodes are: %s; want: %s\n%+v\nlog:\n%s", h.states(), want, h.all.Status(), h.log)
		}
	}
}

// says fails the test unless the log has the words, or has them within an
// epoch: how a node stands is known before every reason for it is.
func (h *herd) says(words string) {
	h.t.Helper()
	for range 10 {
		if strings.Contains(h.log.String(), words) {
			return
		}
		h.pass(0.1)
	}
	h.t.Errorf("the log does not say %q:\n%s", words, h.log)
}

func (h *herd) reads(node int) {
	h.t.Helper()
	before := h.nodes[node].height() // it may grow while it is asked
	head, err := h.all.Head(h.t.Context())
	after := h.nodes[node].height()
	if err != nil || head.Epoch < abi.ChainEpoch(before) || head.Epoch > abi.ChainEpoch(after) {
		h.t.Errorf("the head is %d, %v; node %d is at %d to %d", head.Epoch, err, node, before, after)
	}
}

const bothGood, swapped = "in use, ready, ready", "set aside, in use, ready"

// Each row spoils the node that is read; another one must take its place within
// the epochs, with the reason said, and the node must come back when it is mended.
func TestANodeThatCannotBeReliedOnIsSetAsideAndComesBack(t *testing.T) {
	for _, c := range []struct {
		sentence string
		spoil    func(h *herd)
		within   float64
		becomes  string
		says     string
		mend     func(h *herd)
	}{
		{
			"it lags", func(h *herd) { h.nodes[0].frozen(true) }, 5, swapped, "epochs behind the other nodes",
			func(h *herd) { h.nodes[0].frozen(false) },
		},
		{
			"its head is from the future", func(h *herd) { h.nodes[0].leap(50) }, 2, swapped, "is from the future",
			func(h *herd) { h.nodes[0].leap(-50) },
		},
		{
			"it follows a fork that nobody else has", func(h *herd) { h.nodes[0].fork("other ") }, 9, swapped, "it follows another fork",
			func(h *herd) { h.nodes[0].fork("") },
		},
		{
			"its connections are cut and refused", func(h *herd) { h.lines[0].down() }, 2, "unreachable, in use, ready", "connection refused",
			func(h *herd) { h.lines[0].heal() },
		},
		{
			"its connections hang half-open", func(h *herd) { h.lines[0].hang(true, false) }, 2, "unreachable, in use, ready", "silent",
			func(h *herd) { h.lines[0].heal() },
		},
		{
			"it takes questions and answers nothing", func(h *herd) { h.nodes[0].stall(time.Hour) }, 3, swapped, "it does not give its head",
			func(h *herd) { h.nodes[0].stall(0) },
		},
		{
			"it answers slowly", func(h *herd) { h.nodes[0].stall(8 * time.Second) }, 4, swapped, "to tell its head",
			func(h *herd) { h.nodes[0].stall(0) },
		},
		{
			"it answers nonsense", func(h *herd) { h.nodes[0].answer("ChainHead", `{"Height":null}`) }, 3, swapped, "unusable",
			func(h *herd) { h.nodes[0].handle("ChainHead", h.nodes[0].sayHead) },
		},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHerd(t, 3, 30*time.Second)
				h.pass(3.3)
				h.stands(bothGood, 1)
				c.spoil(h)
				h.stands(c.becomes, c.within)
				h.says(c.says)
				h.pass(1.2)
				h.reads(1)
				c.mend(h)
				h.stands("ready, in use, ready", 60)
			})
		})
	}
}

// A node may fail one kind of question alone: it is not noticed by asking for heads.
func TestANodeThatAnswersOnlyInPartIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHerd(t, 2, 30*time.Second)
		h.pass(1)
		h.nodes[0].answer("StateMinerFaults", `[0,1,0,1]`)
		h.nodes[1].answer("StateMinerFaults", `[4,2]`)
		h.nodes[1].answer("StateMinerRecoveries", `[4,1]`)
		for range 2 {
			if _, _, err := h.all.Faults(t.Context(), 1000, ""); err == nil {
				t.Fatal("nonsense was taken")
			}
		}
		if _, _, err := h.all.Faults(t.Context(), 1000, ""); err != nil {
			t.Errorf("the other node is not read: %v", err)
		}
		h.says("it does not give the faulty sectors")
		penance := 0
		for range 200 { // it comes back, is not used, and nobody asks it what it cannot answer
			h.pass(0.1)
			if strings.HasPrefix(h.states(), "set aside") {
				penance++
			}
		}
		if h.states() != "ready, in use" || penance == 0 {
			t.Errorf("after 20 epochs: %s, set aside for %d tenths of an epoch", h.states(), penance)
		}
	})
}

// A node that fails again and again is left alone for longer and longer.
func TestThePausesOfABadNodeGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHerd(t, 2, 30*time.Second)
		h.pass(1)
		var asked []time.Time
		h.nodes[0].handle("ChainHead", func([]json.RawMessage) (any, error) {
			asked = append(asked, time.Now())
			return json.RawMessage(`null`), nil
		})
		h.pass(60)
		gap := func(i int) time.Duration { return asked[i+1].Sub(asked[i]) }
		if len(asked) < 5 || len(asked) > 12 || gap(len(asked)-2) < 3*gap(2) {
			t.Errorf("asked %d times in 60 epochs, the gaps are %s … %s", len(asked), gap(2), gap(len(asked)-2))
		}
	})
}

// What is read for one decision is of one node: after a change of nodes the rest of it fails.
func TestADecisionNeverMixesNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHerd(t, 2, 30*time.Second)
		h.pass(1.5)
		for _, n := range h.nodes {
			n.answer("StateMinerFaults", `[7,1]`)
			n.answer("StateMinerRecoveries", `[]`)
		}
		decision := vigil.OneDecision(t.Context())
		if _, _, err := h.all.Faults(decision, 1000, ""); err != nil {
			t.Fatal(err)
		}
		h.lines[0].down()
		h.stands("unreachable, in use", 1)
		if _, _, err := h.all.Faults(decision, 1000, ""); err == nil || !strings.Contains(err.Error(), "decided anew") {
			t.Errorf("the rest of the decision was read of another node: %v", err)
		}
		if _, _, err := h.all.Faults(vigil.OneDecision(t.Context()), 1000, ""); err != nil {
			t.Errorf("a new decision: %v", err)
		}
	})
}

// A question under way ends when its node is left, and the head is published
// once more, so that whoever asked can ask again at once.
func TestAQuestionUnderWayEndsWithItsNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHerd(t, 2, 30*time.Second)
		h.pass(1.5)
		h.nodes[0].handle("StateMinerInfo", func([]json.RawMessage) (any, error) {
			<-t.Context().Done()
			return nil, context.Canceled
		})
		failed := make(chan error, 1)
		go func() {
			_, err := h.all.Miner(t.Context(), 1000, "")
			failed <- err
		}()
		synctest.Wait()
		h.nodes[0].leap(50)
		select {
		case err := <-failed:
			if err == nil || !strings.Contains(err.Error(), "is not read any more: its head, epoch") {
				t.Errorf("got %v", err)
			}
		case <-time.After(45 * time.Second):
			t.Fatal("the question waits for a node that nobody believes")
		}
		select {
		case head := <-h.heads:
			if head.Epoch != abi.ChainEpoch(h.nodes[1].height()) {
				t.Errorf("the head is %d", head.Epoch)
			}
		case <-time.After(time.Second):
			t.Error("nobody is told to ask again")
		}
	})
}

func TestWhenNoNodeIsGoodTheLeastBadIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHerd(t, 3, 30*time.Second)
		h.pass(1.5)
		h.nodes[0].frozen(true)
		h.pass(6)
		h.lines[1].down()
		h.nodes[2].answer("ChainHead", `null`)
		h.pass(6)
		if got := h.states(); got != "in use, set aside, unreachable" && got != "set aside, in use, unreachable" {
			t.Errorf("the nodes are: %s\n%+v", got, h.all.Status())
		}
		if _, err := h.all.At(t.Context(), 50, ""); err != nil {
			t.Errorf("nothing can be read: %v", err)
		}
	})
}

func TestAWrongClockIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHerd(t, 3, 30*time.Second)
		for _, n := range h.nodes {
			n.leap(7) // this machine is 3.5 minutes late
		}
		h.pass(4)
		var states []string
		for _, s := range h.all.Status() { // which of them is read depends on which was heard first
			states = append(states, string(s.State))
			if s.State == vigil.NodeInUse && s.Why == "" {
				t.Error("the status says nothing of the clock")
			}
		}
		if slices.Sort(states); !slices.Equal(states, []string{"in use", "ready", "ready"}) {
			t.Errorf("the nodes are: %s\n%+v", states, h.all.Status())
		}
		h.says("is ahead of this machine's clock")
	})
}

func TestANodeOfAnotherNetworkIsRefused(t *testing.T) {
	for _, c := range []struct {
		sentence string
		change   func(i int, n *fakeNode, c *chain.Config)
		states   string
		says     string
	}{
		{"by its name, although it came first", func(i int, n *fakeNode, _ *chain.Config) {
			if i == 0 {
				n.answer("StateNetworkName", `"other"`)
			}
		}, "refused, in use, ready", "it follows other with the genesis of"},
		{"by its genesis", func(i int, n *fakeNode, _ *chain.Config) {
			if i == 1 {
				n.answer("StateGetNetworkParams", `{"BlockDelaySecs":30,"GenesisTimestamp":7}`)
			}
		}, "in use, ready, refused", "and the others follow lt2k with the genesis of"},
		{"by what the database was made for", func(_ int, _ *fakeNode, c *chain.Config) {
			c.Known = vigil.Network{Name: "mainnet", Genesis: time.Unix(1598306400, 0)}
		}, "unreachable, unreachable, unreachable", "and the database was made for mainnet with the genesis of 2020-08-24T22:00:00Z"},
		{"by a version that is not known", func(i int, n *fakeNode, _ *chain.Config) {
			if i == 2 {
				n.answer("StateNetworkVersion", `99`)
			}
		}, "in use, ready, refused", "the network is at version 99 and this Vigil knows them up to 28: update Vigil"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHerd(t, 3, 30*time.Second, c.change)
				h.pass(0.5)
				h.stands(c.states, 1)
				h.says(c.says)
				_, err := h.all.Network(t.Context())
				var refused *chain.RefusedError
				if everyone := !strings.Contains(c.states, "in use"); everyone != errors.As(err, &refused) {
					t.Errorf("the network: %v", err)
				}
			})
		})
	}
}

func TestAMessageGoesToAllNodes(t *testing.T) {
	for _, c := range []struct {
		sentence string
		second   func([]json.RawMessage) (any, error)
		first    func([]json.RawMessage) (any, error)
		class    error
		taken    bool
	}{
		{"all take it", taken, taken, nil, true},
		{"one has it already", refuses("message with nonce already exists"), taken, nil, true},
		{"the first refuses, another takes it", taken, refuses("too many pending messages"), nil, true},
		{"the first does not answer, another takes it", taken, nil, nil, true},
		{"all refuse: the first one's reason counts", refuses("gas fee cap too low"), refuses("not enough funds"), vigil.ErrNotEnoughFunds, false},
		{"the first answers nonsense, another refuses", refuses("gas fee cap too low"), says(`7`), vigil.ErrFeeTooLow, false},
		{"the first would never take it, another has no room for it", refuses("too many pending messages"), refuses("message is too big"), vigil.ErrPoolFull, false},
		{"none would ever take it", refuses("message is too big"), refuses("signature verification failed"), vigil.ErrMessageInvalid, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHerd(t, 3, 30*time.Second)
				h.pass(1.5)
				asked := make([]int, 3)
				var mu sync.Mutex
				for i, f := range []func([]json.RawMessage) (any, error){c.first, c.second, c.second} {
					h.nodes[i].handle("MpoolPush", func(params []json.RawMessage) (any, error) {
						mu.Lock()
						asked[i]++
						mu.Unlock()
						if f == nil {
							<-t.Context().Done()
							return nil, context.Canceled
						}
						return f(params)
					})
				}
				said, err := h.all.PushMessage(t.Context(), someMessage(t))
				synctest.Wait()
				if answering := 3 - strings.Count(c.sentence, "does not answer"); len(said) != answering {
					t.Errorf("%d nodes' words are told, want %d: %v", len(said), answering, said)
				}
				for _, r := range said {
					if r.Node == "" || c.class != nil && r.Problem == "" {
						t.Errorf("%+v", r)
					}
				}
				if c.taken != (err == nil) || !errors.Is(err, c.class) {
					t.Errorf("got %v", err)
				}
				if fmt.Sprint(asked) != "[1 1 1]" {
					t.Errorf("the nodes were asked %v times", asked)
				}
				if err != nil && strings.Count(err.Error(), "MpoolPush") < 3 {
					t.Errorf("not every node's word is in it: %v", err)
				}
			})
		})
	}
}

func says(raw string) func([]json.RawMessage) (any, error) {
	return func([]json.RawMessage) (any, error) { return json.RawMessage(raw), nil }
}

func refuses(text string) func([]json.RawMessage) (any, error) {
	return func([]json.RawMessage) (any, error) { return nil, &answerError{1, text} }
}

// taken says what a pool says of a message it already has: its own CID is not needed then.
var taken = refuses("message with nonce already exists")

func TestASeedIsComparedBeforeItIsUsed(t *testing.T) {
	const right, wrong, other = `"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="`, `"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="`, `"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="`
	for _, c := range []struct {
		sentence string
		seeds    []string
		states   string
		wants    string // the first error's words, or nothing
		then     string // of the next try
	}{
		{"all agree", []string{right, right, right}, "in use, ready, ready", "", ""},
		{"the one that is read is alone with it", []string{wrong, right, right}, "set aside, in use, ready", "something else than", ""},
		{"another is alone with it", []string{right, wrong, right}, "in use, ready, set aside", "", ""},
		{"two of two contradict each other", []string{right, wrong}, "in use, ready", "held back, because", "held back, because"},
		{"three of three contradict each other", []string{right, wrong, other}, "in use, ready, ready", "held back, because", "held back, because"},
		{"the other cannot tell", []string{right, `null`}, "in use, ready", "", ""},
		{"there is no other", []string{right}, "in use", "", ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHerd(t, len(c.seeds), 30*time.Second)
				h.pass(1.5)
				for i, seed := range c.seeds {
					h.nodes[i].answer("StateGetRandomnessFromBeacon", seed)
				}
				for try, want := range []string{c.wants, c.then} {
					key := vigil.TipSetKey(blockCID(h.nodes[0].height()))
					_, err := h.all.Challenge(t.Context(), 1000, 90, key)
					if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
						t.Errorf("try %d: %v", try+1, err)
					}
				}
				if got := h.states(); got != c.states {
					t.Errorf("the nodes are: %s", got)
				}
			})
		})
	}
}

// Nodes of different makes say the same in different ways.
func TestTheSameInOtherWordsIsNoContradiction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHerd(t, 2, 30*time.Second)
		h.pass(1.5)
		key := vigil.TipSetKey(blockCID(h.nodes[0].height()))
		for i, words := range []struct{ partitions, faults string }{{`null`, `[0]`}, {`[]`, `[]`}} {
			h.nodes[i].answer("StateMinerPartitions", words.partitions)
			h.nodes[i].answer("StateMinerFaults", words.faults)
			h.nodes[i].answer("StateMinerRecoveries", words.faults)
		}
		if _, err := h.all.Partitions(t.Context(), 1000, 3, key); err != nil {
			t.Error(err)
		}
		if _, _, err := h.all.Faults(t.Context(), 1000, key); err != nil {
			t.Error(err)
		}
	})
}

func TestANodeThatContradictsItselfIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHerd(t, 2, 30*time.Second)
		h.pass(1.5)
		times := byte(0)
		h.nodes[0].handle("StateGetRandomnessFromBeacon", func([]json.RawMessage) (any, error) {
			times++
			seed := make([]byte, 32)
			seed[0] = times
			raw, err := json.Marshal(seed)
			return json.RawMessage(raw), err
		})
		h.nodes[1].answer("StateGetRandomnessFromBeacon", `"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="`)
		key := vigil.TipSetKey(blockCID(h.nodes[0].height()))
		if _, err := h.all.Challenge(t.Context(), 1000, 90, key); err == nil || !strings.Contains(err.Error(), "two different answers") {
			t.Errorf("got %v", err)
		}
		seed, err := h.all.Challenge(t.Context(), 1000, 90, key)
		if err != nil || seed[1] != 2 || h.states() != "set aside, in use" {
			t.Errorf("then %v, %v; the nodes are %s", seed, err, h.states())
		}
	})
}

func TestUpgradesAheadAreSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHerd(t, 1, 30*time.Second, func(_ int, n *fakeNode, _ *chain.Config) {
			n.answer("StateGetNetworkParams", fmt.Sprintf(`{"BlockDelaySecs":30,"GenesisTimestamp":%d,"ForkUpgradeParams":{"BreezeGasTampingDuration":120,"SomethingNew":{"a":[1]},"UpgradeNewHeight":"soon","UpgradeNullHeight":null,"UpgradeFireHorseHeight":50,"UpgradeTomorrowHeight":3000,"UpgradeXxHeight":1000000000}}`,
				time.Now().Add(-3000*time.Second).Unix()))
		})
		h.pass(1)
		h.says(`msg="a network upgrade is planned" upgrade=Tomorrow at=3000 in=24h`)
		if next := h.all.NextUpgrade(); next == nil || next.Name != "Tomorrow" || next.Known {
			t.Errorf("the next upgrade is %v", next)
		}
		if strings.Contains(h.log.String(), "within a day") {
			t.Errorf("it is not that near:\n%s", h.log)
		}
		h.pass(30)
		h.says("comes within a day, and this Vigil does not know its rules; update it before")
		h.nodes[0].leap(3000)
		h.pass(2)
		h.says("was upgraded to rules that this Vigil does not know")
		if n := strings.Count(h.log.String(), "Tomorrow"); n != 3 {
			t.Errorf("said %d times:\n%s", n, h.log)
		}
	})
}

func TestTheSameNodeTwiceIsRefused(t *testing.T) {
	_, err := chain.Open(t.Context(), chain.Config{URL: "http://127.0.0.1:1"}, chain.Config{URL: "ws://127.0.0.1:1/rpc/v1"})
	if err == nil || !strings.Contains(err.Error(), "node 2: ws://127.0.0.1:1/rpc/v1 is given twice") {
		t.Errorf("got %v", err)
	}
	if _, err := chain.Open(t.Context()); err == nil {
		t.Error("no node is enough")
	}
}

// A daemon that starts while no node answers is looked at, and asked why.
func TestWhyNoNodeAnswersIsSaidFromTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		tries := 0
		var mu sync.Mutex // guards tries
		dial := func(context.Context, string, string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			tries++
			if tries%2 == 0 {
				return nil, errors.New("no route to host")
			}
			return nil, fmt.Errorf("read tcp 10.0.0.1:%d->10.0.0.2:1234: i/o timeout", 40000+tries)
		}
		nodes, err := chain.Open(t.Context(), chain.Config{URL: "ws://10.0.0.2:1234", Log: log.logger(), DialContext: dial})
		if err != nil {
			t.Fatal(err)
		}
		defer nodes.Close()
		passes(t, 50*time.Second)
		if s := nodes.Status()[0]; s.State != vigil.NodeUnreachable || !strings.Contains(s.Why, "i/o timeout") && !strings.Contains(s.Why, "no route") {
			t.Errorf("it is %s: %s", s.State, s.Why)
		}
		if n := strings.Count(log.String(), "node lost"); n != 2 {
			t.Errorf("the two troubles of %d tries are said %d times:\n%s", tries, n, log.String())
		}
	})
}

// passes lets time pass.
func passes(t *testing.T, d time.Duration) {
	ctx, cancel := timeout(t, d)
	defer cancel()
	<-ctx.Done()
}
