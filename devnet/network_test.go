package devnet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/filecoin-project/go-state-types/dline"
	"github.com/filecoin-project/go-state-types/proof"
	"github.com/ipfs/go-cid"
)

// The stories below replace proofs by words, so that they run in milliseconds.
var (
	goodProof = bytes.Repeat([]byte{1}, 192)
	badProof  = bytes.Repeat([]byte{2}, 192)
)

func byWord(p proof.WindowPoStVerifyInfo) error {
	if !bytes.Equal(p.Proofs[0].ProofBytes, goodProof) {
		return errors.New("not the word")
	}
	return nil
}

func sectorOfWords(_ context.Context, _ string, m abi.ActorID, n abi.SectorNumber) ([32]byte, error) {
	return [32]byte(hash256(be64(uint64(m)), be64(uint64(n)))), nil
}

// world is a network under test, its clock in the test's hands.
type world struct {
	*Network
	t    *testing.T
	stop func()
}

func start(t *testing.T, cfg Config) *world {
	t.Helper()
	cfg.Manual = true
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Verify == nil {
		cfg.Verify, cfg.Sector = byWord, sectorOfWords
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	w := &world{Network: n, t: t}
	w.stop = func() {
		cancel()
		if err, ran := <-done; ran && err != nil {
			t.Errorf("run: %v", err)
		}
		w.stop = func() {}
	}
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) pass(epochs int) {
	w.t.Helper()
	if err := w.Advance(w.t.Context(), epochs); err != nil {
		w.t.Fatal(err)
	}
}

// to lets epochs pass until the next tipset will be at the epoch.
func (w *world) to(epoch abi.ChainEpoch) {
	w.t.Helper()
	if n := int(epoch - 1 - w.Epoch()); n > 0 {
		w.pass(n)
	}
}

// ask makes a call of the API as a client does over HTTP.
func (w *world) ask(path, token, method string, params ...any) (int, response) {
	w.t.Helper()
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "Filecoin." + method, "params": params})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.post(path, token, "application/json", body)
}

func (w *world) post(path, token, contentType string, body []byte) (int, response) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://"+w.Addr()+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	var r response
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if res.StatusCode != http.StatusUnauthorized {
		r = decode[response](w.t, text)
	}
	return res.StatusCode, r
}

func get[T any](w *world, method string, params ...any) T {
	w.t.Helper()
	_, r := w.ask("/rpc/v1", w.Token(), method, params...)
	if r.Error != nil {
		w.t.Fatalf("%s: %s", method, r.Error.Message)
	}
	return decode[T](w.t, r.Result)
}

// refusal is the words of a call that must fail.
func (w *world) refusal(method string, params ...any) string {
	w.t.Helper()
	_, r := w.ask("/rpc/v1", w.Token(), method, params...)
	if r.Error == nil {
		w.t.Fatalf("%s was answered: %.200s", method, r.Result)
	}
	return r.Error.Message
}

func (w *world) key(role string) *Key {
	w.t.Helper()
	k, err := ReadKey(w.KeyFile(role, w.Network.Miners()[0]))
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// send signs a message with the next nonce and pushes it.
func (w *world) send(k *Key, to address.Address, method abi.MethodNum, params []byte) cid.Cid {
	w.t.Helper()
	sm := w.signed(k, Message{To: to, Method: method, Params: params})
	return get[cid.Cid](w, "MpoolPush", sm)
}

func (w *world) signed(k *Key, m Message) *SignedMessage {
	w.t.Helper()
	m.From, m.Nonce = k.Address, get[uint64](w, "MpoolGetNonce", k.Address)
	m.GasLimit, m.GasFeeCap, m.GasPremium = 400_000_000, abi.NewTokenAmount(200_000), abi.NewTokenAmount(100_000)
	sm, err := k.SignMessage(m)
	if err != nil {
		w.t.Fatal(err)
	}
	return sm
}

// receipt is what a message did; it must have been executed.
func (w *world) receipt(c cid.Cid) Receipt {
	w.t.Helper()
	found := get[*MsgLookup](w, "StateSearchMsg", nil, c, -1, true)
	if found == nil {
		w.t.Fatalf("message %s was not executed", c)
	}
	return found.Receipt
}

// challenge is that of the deadline which is open at a head. After a null
// round the node may tell one that is not: see StateMinerProvingDeadline.
func (w *world) challenge(m address.Address, head TipSet) abi.ChainEpoch {
	w.t.Helper()
	told := get[dline.Info](w, "StateMinerProvingDeadline", m, head.Cids)
	for told.Open > told.CurrentEpoch {
		told.Open, told.Challenge = told.Open-told.WPoStChallengeWindow, told.Challenge-told.WPoStChallengeWindow
	}
	return told.Challenge
}

// postParams is the parameters of a post for the open deadline.
func (w *world) postParams(m address.Address, deadline uint64, bytes []byte, skip bitfield.BitField, partitions ...uint64) []byte {
	w.t.Helper()
	head := get[TipSet](w, "ChainHead")
	challenge := w.challenge(m, head)
	p := miner.SubmitWindowedPoStParams{
		Deadline: deadline, ChainCommitEpoch: challenge,
		ChainCommitRand: get[[]byte](w, "StateGetRandomnessFromTickets", crypto.DomainSeparationTag_PoStChainCommit, challenge, nil, head.Cids),
		Proofs:          []proof.PoStProof{{PoStProof: forms[provableSize].post, ProofBytes: bytes}},
	}
	for _, i := range partitions {
		p.Partitions = append(p.Partitions, miner.PoStPartition{Index: i, Skipped: skip})
	}
	return encoded(w.t, &p)
}

func encoded(t *testing.T, v interface{ MarshalCBOR(io.Writer) error }) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := v.MarshalCBOR(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
