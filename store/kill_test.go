package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/crypto"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store"
)

const writerVariable = "VIGIL_STORE_TEST_WRITER"

// TestMain is also the child that is killed: with the variable set it writes
// for ever, and says on its output what was acknowledged.
func TestMain(m *testing.M) {
	if path := os.Getenv(writerVariable); path != "" {
		fmt.Println("stopped:", writeForEver(context.Background(), path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func writeForEver(ctx context.Context, path string) error {
	s, err := store.Open(ctx, path)
	if err != nil {
		return err
	}
	for {
		sender, err := address.NewSecp256k1Address([]byte("sender"))
		if err != nil {
			return err
		}
		if _, err := s.TakeLease(ctx, sender, "child", time.Now().Add(time.Hour)); err != nil {
			return err
		}
		n, err := s.NextNonce(ctx, sender)
		if err != nil {
			return err
		}
		d := vigil.Duty{ID: vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: abi.ChainEpoch(n)}, State: vigil.StateProved}
		if err := s.SaveProof(ctx, vigil.Proof{Duty: d.ID, Bytes: make([]byte, 192)}, d); err != nil {
			return err
		}
		m, err := writtenMessage(d.ID, sender, n)
		if err != nil {
			return err
		}
		queued := m
		queued.Attempts = nil
		if _, err := s.AddMessage(ctx, queued); err != nil {
			return err
		}
		if err := s.SaveMessages(ctx, "child", m); err != nil {
			return err
		}
		fmt.Println("wrote", n)
	}
}

func writtenMessage(id vigil.DutyID, sender address.Address, nonce uint64) (vigil.Message, error) {
	call := vigil.Call{From: sender, To: vigil.MinerAddress(1000), Method: 5, Value: big.Zero()}
	c, err := abi.CidBuilder.Sum([]byte(fmt.Sprint(nonce)))
	return vigil.Message{
		MessageRequest: vigil.MessageRequest{ID: fmt.Sprint("m", nonce), Duty: id, Call: call},
		State:          vigil.MessageSigned, Nonce: nonce,
		Attempts: []vigil.Attempt{{Number: 1, CID: c, Encoded: []byte{1}, Signed: vigil.SignedMessage{
			Call: call, Nonce: nonce, Signature: crypto.Signature{Type: crypto.SigTypeSecp256k1, Data: []byte{1}},
			Gas: vigil.Gas{Limit: 1, FeeCap: big.NewInt(1), Premium: big.NewInt(1)},
		}}},
	}, err
}

func TestNothingAcknowledgedIsLostToKill9(t *testing.T) {
	const kills = 8
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "vigil.db")
	last, total := -1, 0
	for range kills {
		acknowledged := killedWriter(t, path, 1+random.IntN(40))
		if len(acknowledged) == 0 {
			t.Fatal("the writer wrote nothing")
		}
		for _, n := range acknowledged {
			if n <= last {
				t.Fatalf("nonce %d was given after %d", n, last)
			}
			last = n
		}
		total += len(acknowledged)
		expectAcknowledged(t, path, acknowledged)
	}
	t.Logf("%d kills, %d acknowledged writes, none lost", kills, total)
}

// killedWriter lets a child write, kills it after some acknowledgements, and
// gives them all.
func killedWriter(t *testing.T, path string, after int) []int {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), writerVariable+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []int
	lines := bufio.NewScanner(out)
	for lines.Scan() { // on after the kill: what was said before it counts
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "wrote %d", &n); err != nil {
			t.Errorf("the writer said %q", lines.Text())
			continue
		}
		if acknowledged = append(acknowledged, n); len(acknowledged) == after {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || !strings.Contains(err.Error(), syscall.SIGKILL.String()) {
		t.Fatalf("the writer ended by itself: %v", err)
	}
	return acknowledged
}

func expectAcknowledged(t *testing.T, path string, acknowledged []int) {
	t.Helper()
	s := open(t, path)
	messages, err := s.Messages(t.Context(), 1000, 0)
	if err != nil {
		t.Fatal(err)
	}
	signed := map[string]bool{}
	for _, m := range messages {
		signed[m.ID] = len(m.Attempts) == 1
	}
	for _, n := range acknowledged {
		if !signed[fmt.Sprint("m", n)] {
			t.Errorf("the message with nonce %d is lost", n)
		}
		if _, err := s.Proof(t.Context(), vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: abi.ChainEpoch(n)}); err != nil {
			t.Errorf("the proof of %d: %v", n, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
