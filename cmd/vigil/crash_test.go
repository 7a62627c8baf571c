package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store"
)

// The daemon is killed again and again while it starts, reads, proves, and
// sees its messages through, and started at once each time. Now and then it is
// asked to end.
func TestAKilledDaemonMakesNoProofTwiceAndPostsNothingTwice(t *testing.T) {
	if testing.Short() || underRace() {
		t.Skip("it takes half a minute, and epochs are too short for the race detector")
	}
	t.Parallel()
	epoch := epochFor(t)
	n := newNode(t, epoch)
	seed := rand.Uint64()
	t.Logf("seed %d, epoch %s", seed, epoch)
	k := &killer{node: n, random: rand.New(rand.NewPCG(seed, 0)), proofs: map[vigil.DutyID][]byte{}, found: map[vigil.DutyState]int{}}

	for range 3 {
		k.during(t, "it starts", func(*program) { pause(t, k.upTo(time.Second)) })
	}
	k.during(t, "it waits for the first challenge", k.refusesAnother(t))
	for _, open := range []abi.ChainEpoch{66, 126} {
		duty := fmt.Sprintf("duty=t01000/%d/0", open)
		by := func(words ...string) func(*program) {
			return func(d *program) {
				d.says(15*epoch, append(words, duty)...) // if it is over before, the kill comes in another moment
				pause(t, k.upTo(epoch/4))
			}
		}
		working := func(d *program) { k.works(t, d, open); pause(t, k.upTo(epoch/2)) }
		n.reach(t, open-22) // before the challenge
		k.during(t, "it reads or proves", working)
		k.during(t, "it reads or proves again", working)
		k.endsWhenAsked(t, k.upTo(3*epoch))
		k.during(t, "the proof is stored", func(d *program) {
			if !k.proved(open) { // else it was stored before the last kill
				d.must(t, 40*epoch, "msg=proved", duty)
			}
			pause(t, k.upTo(epoch/4))
		})
		n.reach(t, open+4)
		k.during(t, "the message is handed over", by("msg=submitted"))
		k.during(t, "it is pushed", by("state=published"))
		k.during(t, "it is executed", by("state=included"))
	}
	d := launch(t, "run", "--config", n.config())
	n.reach(t, 126+18)
	k.stored(t, d)
	n.provenOnce(t, 46, 106)
	t.Logf("%d kills; unfinished duties found after them: %v", k.kills, k.found)
	if k.kills < 16 || k.found[vigil.StateScheduled] == 0 || k.found[vigil.StateProved] == 0 {
		t.Errorf("the kills missed what they were for: %v", k.found)
	}
}

// killer kills the daemon of a node, and looks at what it leaves.
type killer struct {
	*node
	random *rand.Rand
	kills  int
	proofs map[vigil.DutyID][]byte // as they were first seen in the store
	found  map[vigil.DutyState]int // of duties that were not finished when it was killed
}

// upTo is a random time.
func (k *killer) upTo(d time.Duration) time.Duration { return time.Duration(k.random.Int64N(int64(d))) }

// during starts the daemon, waits for the moment, and kills it.
func (k *killer) during(t *testing.T, what string, moment func(*program)) {
	t.Helper()
	d := launch(t, "run", "--config", k.config())
	moment(d)
	select {
	case <-d.ended:
		t.Fatalf("while %s, the daemon ended by itself:\n%s", what, d.tail())
	default:
	}
	k.kills++
	k.stored(t, d)
}

// refusesAnother starts a second daemon on the same store: there must be one only.
func (k *killer) refusesAnother(t *testing.T) func(*program) {
	return func(d *program) {
		d.must(t, 10*time.Second, "watching the chain")
		another := launch(t, "run", "--config", k.config())
		if code := another.wait(t, 10*time.Second); code != 1 || !strings.Contains(another.tail(), "another vigil is using it") {
			t.Errorf("a second daemon: exit code %d\n%s", code, another.tail())
		}
	}
}

// endsWhenAsked interrupts the daemon some time after it began to work.
func (k *killer) endsWhenAsked(t *testing.T, after time.Duration) {
	t.Helper()
	d := launch(t, "run", "--config", k.config())
	d.must(t, 10*time.Second, "watching the chain")
	pause(t, after)
	if code, took := d.interrupt(t); code != 0 || took > 10*time.Second {
		t.Errorf("asked to end: exit code %d after %s\n%s", code, took, d.tail())
	}
	k.stored(t, d)
}

// works waits until the daemon reads or proves for the deadline, or has done so.
func (k *killer) works(t *testing.T, d *program, open abi.ChainEpoch) {
	t.Helper()
	_, page, _ := strings.Cut(d.must(t, 10*time.Second, "msg=dashboard"), "url=")
	for over := time.After(40 * k.epoch); ; {
		for _, m := range statusOf(t, page).Miners {
			for _, duty := range m.Duties {
				if duty.Open == open && (duty.Running != "" || duty.Row.State != vigil.StateScheduled) {
					return
				}
			}
		}
		select {
		case <-over:
			t.Fatalf("nothing is done for the deadline that opens at %d:\n%s", open, d.tail())
		case <-time.After(k.epoch / 20):
		}
	}
}

// proved says that a proof for the deadline was found in the store.
func (k *killer) proved(open abi.ChainEpoch) bool {
	for id := range k.proofs {
		if id.Open == open {
			return true
		}
	}
	return false
}

// stored ends the daemon and compares the store with what it was after the last kill.
func (k *killer) stored(t *testing.T, d *program) {
	t.Helper()
	d.kill()
	if _, err := os.Stat(filepath.Dir(k.database())); errors.Is(err, fs.ErrNotExist) && len(k.found)+len(k.proofs) == 0 {
		return // on a slow machine the first kill can come before there is anything
	}
	s, err := store.Open(t.Context(), k.database())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	duties, err := s.Duties(t.Context(), 1000, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, duty := range duties {
		if !duty.State.Final() {
			k.found[duty.State]++
		}
		if duty.State == vigil.StateMissed || duty.State == vigil.StateReplaced {
			t.Errorf("duty %s is %s: %s %s", duty.ID, duty.State, duty.Reason, duty.Problem)
		}
		proof, err := s.Proof(t.Context(), duty.ID)
		if errors.Is(err, vigil.ErrNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if known, ok := k.proofs[duty.ID]; ok && !bytes.Equal(known, proof.Bytes) {
			t.Errorf("the proof of %s was made again", duty.ID) // proofs are random: a second one is another
		}
		k.proofs[duty.ID] = proof.Bytes
	}
	for id := range k.proofs {
		if _, err := s.Proof(t.Context(), id); err != nil {
			t.Errorf("the proof of %s is gone: %v", id, err)
		}
	}
}
