package native_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/proofs/params"
	"github.com/vigil-post/vigil/prover/native"
)

// fixtures is the folder of data from other projects, kept beside the repository.
func fixtures(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("VIGIL_FIXTURES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "fixtures")
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no fixtures in CI: %v", err)
		}
		t.Skipf("no fixtures (set VIGIL_FIXTURES): %v", err)
	}
	return dir
}

const (
	v11 = abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1
	v1  = abi.RegisteredPoStProof_StackedDrgWindow2KiBV1
)

// oracle reads a case of filecoin-proofs as the chain would state it.
func oracle(t *testing.T, name string, form abi.RegisteredPoStProof) (r vigil.ProveRequest, proof []byte) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtures(t), "oracle", "cases", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Miner      uint64
		Randomness string
		Sectors    []struct {
			Number uint64
			CommR  string `json:"comm_r"`
		}
		Vanilla []string
		Proof   string
	}
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	r.Statement = vigil.Statement{Miner: abi.ActorID(c.Miner), ProofType: form, Randomness: [32]byte(decode(t, c.Randomness))}
	for i, s := range c.Sectors {
		hash, err := multihash.Encode(decode(t, s.CommR), multihash.POSEIDON_BLS12_381_A1_FC1)
		if err != nil {
			t.Fatal(err)
		}
		r.Statement.Sectors = append(r.Statement.Sectors, vigil.Sector{
			Number: abi.SectorNumber(s.Number), SealedCID: cid.NewCidV1(cid.FilCommitmentSealed, hash),
		})
		r.Vanilla = append(r.Vanilla, decode(t, c.Vanilla[i]))
	}
	return r, decode(t, c.Proof)
}

func decode(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func open(t *testing.T, dir string, slots int) *native.Native {
	t.Helper()
	n := native.New(dir, slots, 0)
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func keys(t *testing.T) string { return filepath.Join(fixtures(t), "oracle", "params") }

func TestProofsOfFilecoinProofsVerify(t *testing.T) {
	n := open(t, keys(t), 1)
	for name, form := range map[string]abi.RegisteredPoStProof{
		"window-2k-1.2.0-3": v11, "window-2k-1.2.0-01234": v11, "window-2k-1.0.0-01234": v1,
	} {
		r, proof := oracle(t, name, form)
		if ok, err := n.Verify(t.Context(), r.Statement, proof); !ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
		r.Statement.Randomness[5] ^= 1
		if ok, err := n.Verify(t.Context(), r.Statement, proof); ok || err != nil {
			t.Errorf("%s under another seed: %v, %v", name, ok, err)
		}
		if ok, err := n.Verify(t.Context(), r.Statement, proof[:191]); ok || err == nil {
			t.Errorf("%s cut off: %v, %v", name, ok, err)
		}
	}
}

func TestProofsMadeHereVerifyWhoeverAsksAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("proves for seconds")
	}
	n := open(t, keys(t), 2)
	r, _ := oracle(t, "window-2k-1.2.0-3", v11)
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			proof, err := n.Prove(t.Context(), r)
			if err != nil {
				t.Error(err)
				return
			}
			if ok, err := n.Verify(t.Context(), r.Statement, proof); !ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
		})
	}
	wait.Wait()
}

func TestAProofBeginsWhenItsTurnHasCome(t *testing.T) {
	n := open(t, keys(t), 1)
	first, _ := oracle(t, "window-2k-1.2.0-3", v11)
	second := first
	second.Begun = func() { t.Error("the second began while the first was made") }
	begun := 0
	first.Begun = func() {
		begun++
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // it may not wait
		if _, err := n.Prove(ctx, second); !errors.Is(err, context.Canceled) {
			t.Errorf("the second: %v", err)
		}
	}
	if _, err := n.Prove(t.Context(), first); err != nil || begun != 1 {
		t.Errorf("the first began %d times: %v", begun, err)
	}
}

func TestAnEndedContextEndsAProof(t *testing.T) {
	n := open(t, keys(t), 1)
	r, _ := oracle(t, "window-2k-1.2.0-3", v11)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Prove(ctx, r); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestWhatCannotBeProvedSaysWhy(t *testing.T) {
	n := open(t, keys(t), 1)
	for _, c := range []struct {
		sentence string
		spoil    func(r *vigil.ProveRequest)
		says     string
	}{
		{"a vanilla proof is missing", func(r *vigil.ProveRequest) { r.Vanilla = nil }, "no vanilla proof of sector 3"},
		{"a vanilla proof is cut off", func(r *vigil.ProveRequest) { r.Vanilla[0] = r.Vanilla[0][:100] }, "sector 3"},
		{"there is no sector", func(r *vigil.ProveRequest) { r.Statement.Sectors = nil }, "sectors"},
		{"the sealed CID is none", func(r *vigil.ProveRequest) { r.Statement.Sectors[0].SealedCID = cid.Undef }, "sealed CID"},
		{"the proof type is none", func(r *vigil.ProveRequest) { r.Statement.ProofType = 99 }, "proof type 99"},
	} {
		r, _ := oracle(t, "window-2k-1.2.0-3", v11)
		c.spoil(&r)
		if _, err := n.Prove(t.Context(), r); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.sentence, err)
		}
	}
}

// A key that cannot be used is said at the start, with what to do.
func TestKeysAreLookedAtBeforeTheyAreNeeded(t *testing.T) {
	if err := open(t, keys(t), 1).Check(v11); err != nil {
		t.Fatal(err)
	}
	key := params.Proof{SectorSize: 2 << 10}
	proving, err := key.ParamsFile()
	if err != nil {
		t.Fatal(err)
	}
	verifying, err := key.VKFile()
	if err != nil {
		t.Fatal(err)
	}
	other, err := params.Proof{SectorSize: 16 << 10}.ParamsFile()
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(keys(t), name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, c := range []struct {
		sentence           string
		proving, verifying []byte
		says               []string
	}{
		{"both are missing", nil, nil, []string{"for sectors of 2KiB are not in", "[proofs] parameters"}},
		{"the proving key is missing", nil, read(verifying), []string{"are not in", proving}},
		{"the verifying key is missing", read(proving), nil, []string{"are not in", verifying}},
		{"the proving key is cut off", read(proving)[:1<<20], read(verifying), []string{"fetch it again", proving}},
		{"the verifying key is cut off", read(proving), read(verifying)[:3000], []string{"fetch it again", verifying, "cut off"}},
		{"the verifying key is spoilt", read(proving), spoilt(read(verifying)), []string{"fetch it again", verifying}},
		{"the two are swapped", read(verifying), read(proving), []string{"fetch it again"}},
		{"the proving key is another size's", read(other), read(verifying), []string{"another circuit", proving}},
		{"the two are of two setups", setup(read(proving)), read(verifying), []string{"not of one key", proving, verifying}},
		{"the proving key is empty", []byte{}, read(verifying), []string{"fetch it again", proving}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			dir := t.TempDir()
			for name, data := range map[string][]byte{proving: c.proving, verifying: c.verifying} {
				if data == nil {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := open(t, dir, 1).Check(v11)
			for _, word := range c.says {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("it does not say %q: %v", word, err)
				}
			}
		})
	}
}

// setup gives a proving key another input point at its head, as another setup would.
func setup(data []byte) []byte {
	const inputs = 868 // after six points and a count
	copy(data[inputs:inputs+96], data[inputs+96:inputs+192])
	return data
}

func TestAKeyOfAnotherSetupIsNoPublishedOne(t *testing.T) {
	err := open(t, keys(t), 1).CheckPublished(t.Context(), v11)
	var wrong *params.DigestError
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "fetch it again") {
		t.Error(err)
	}
}

func spoilt(data []byte) []byte {
	data[len(data)-1] ^= 1
	return data
}
