package store

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// life is a provider's: its miners prove 48 deadlines a day, in some batches each.
type life struct {
	s       *Store
	miners  int
	batches int
	keep    int // days
	rnd     *rand.Rand
	nonce   int64
}

const epochsADay = 2880

func (l *life) at(epoch int64) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(epoch) * 30 * time.Second)
}

// A year of rows is what the database has to bear, and not more: what is kept is
// bounded by the keeping time, and with it the file and what a list has to look at.
func TestTheDatabaseDoesNotGrowForEver(t *testing.T) {
	l := &life{miners: 1, batches: 1, keep: 8, rnd: rand.New(rand.NewPCG(1, 2))}
	days := 20
	if os.Getenv("VIGIL_LONG") != "" {
		l.miners, l.batches, l.keep, days = 30, 3, 90, 365
	}
	var err error
	if l.s, err = Open(t.Context(), filepath.Join(t.TempDir(), "vigil.db")); err != nil {
		t.Fatal(err)
	}
	defer l.s.Close()
	var full int64 // pages, when as much is kept as ever will be
	for day := range days {
		l.live(t, int64(day))
		l.prune(t, int64(day+1)*epochsADay)
		switch pages := l.count(t, "PRAGMA page_count"); {
		case day == l.keep+l.keep/4:
			full = pages
			l.tell(t, day)
		case day == days-1:
			l.tell(t, day)
			if pages > full+full/20 {
				t.Errorf("after %d days the file has %d pages, and after %d days it had %d: it grows", day+1, pages, l.keep+l.keep/4+1, full)
			}
		}
	}
	perDay := int64(l.miners * 48 * l.batches)
	for table, most := range map[string]int64{
		"duties": int64(l.keep+2) * perDay, "messages": int64(l.keep+2) * perDay, "attempts": int64(l.keep+2) * perDay, "nonces": int64(l.keep+2) * perDay,
		"outcomes": 6 * int64(l.keep+2) * perDay, "journal": 4 * int64(l.keep+2) * perDay, "shadows": int64(l.keep+2) * perDay,
		"proofs": 2 * perDay, "audits": 2 * perDay, "rehearsals": perDay,
	} {
		if n := l.count(t, "SELECT count(*) FROM "+table); n > most || n == 0 {
			t.Errorf("after %d days there are %d rows in %s, want some, and %d at most", days, n, table, most)
		}
	}
}

// live writes what happens in a day.
func (l *life) live(t *testing.T, day int64) {
	t.Helper()
	for deadline := range int64(48) {
		err := l.s.transact(t.Context(), "live", func(q *rows.Queries) error {
			for miner := range l.miners {
				for batch := range l.batches {
					k := rows.GetDutyParams{Kind: "post", Miner: int64(1000 + miner), Open: day*epochsADay + deadline*60, Batch: int64(batch)}
					if err := l.duty(t.Context(), q, k, deadline); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := l.s.SaveAlive(t.Context(), l.at((day+1)*epochsADay), abi.ChainEpoch((day+1)*epochsADay)); err != nil {
		t.Fatal(err)
	}
}

// duty writes all that is written of one.
func (l *life) duty(ctx context.Context, q *rows.Queries, k rows.GetDutyParams, deadline int64) error {
	l.nonce++
	at, id := l.at(k.Open).UnixNano(), fmt.Sprintf("f0%d/%d/%d#0 partitions=[0 1 2]", k.Miner, k.Open, k.Batch)
	noise := make([]byte, 600)
	for i := range noise {
		noise[i] = byte(l.rnd.Uint32())
	}
	body := fmt.Sprintf(`{"deadline":{"index":%d,"count":48,"challenge":%d,"open":%d,"close":%d,"fault_cutoff":%d},"partitions":[0,1,2],"state":"confirmed","message_id":%q,"commit":"%x"}`,
		deadline, k.Open-20, k.Open, k.Open+60, k.Open-70, id, noise[:32])
	key, err := address.NewSecp256k1Address([]byte{byte(k.Miner)})
	if err != nil {
		return err
	}
	sum, err := multihash.Sum(noise[:32], multihash.SHA2_256, -1)
	if err != nil {
		return err
	}
	sender, signature := addressText(key), append([]byte{byte(crypto.SigTypeSecp256k1)}, noise[:65]...)
	steps := []error{
		q.PutDuty(ctx, rows.PutDutyParams{Kind: k.Kind, Miner: k.Miner, Open: k.Open, Batch: k.Batch, State: "confirmed", Body: body}),
		q.PutProof(ctx, rows.PutProofParams{Kind: k.Kind, Miner: k.Miner, Open: k.Open, Batch: k.Batch, Statement: "{}", Sectors: bytes.Repeat(noise, 20), Partitions: "[]", Bytes: noise[:192]}),
		q.AddMessage(ctx, rows.AddMessageParams{
			ID: id, Kind: k.Kind, Miner: k.Miner, Open: k.Open, Batch: k.Batch, Sender: sender, Receiver: "f01000", Method: 5, Value: "0", Params: noise[:300], Senders: "[]",
			Expires: k.Open + 60, State: "confirmed", Nonce: l.nonce, Receipt: `{"exit_code":0}`, Created: at, Updated: at, Settled: 1, Landed: 1, Included: k.Open + 5, Paid: "123456789",
		}),
		q.ClaimNonce(ctx, rows.ClaimNonceParams{Sender: sender, Nonce: l.nonce, Message: id}),
		q.PutAttempt(ctx, rows.PutAttemptParams{
			Message: id, Number: 1, Cid: cid.NewCidV1(cid.DagCBOR, sum).String(), Sender: sender, Nonce: l.nonce, GasLimit: 1, FeeCap: "1", Premium: "1",
			Signature: signature, Encoded: noise[:450], Epoch: k.Open, Published: 1, Created: at,
		}),
		q.PutAudit(ctx, rows.PutAuditParams{
			Miner: k.Miner, Open: k.Open, Closed: k.Open + 60, Evidence: fmt.Sprintf("%x", noise[:32]), Snapshot: fmt.Sprintf("%x", noise[32:64]), Deadline: "{}", Partitions: "[0,1,2]", Verdict: "valid", Epoch: k.Open + 60,
		}),
		q.PutShadow(ctx, rows.PutShadowParams{Miner: k.Miner, Open: k.Open, Record: fmt.Sprintf("%x", noise[:400])}),
		q.PutRehearsal(ctx, rows.PutRehearsalParams{Miner: k.Miner, Deadline: deadline, Body: "{}"}),
	}
	for i, after := range []string{"scheduled", "proved", "submitted", "queued", "included", "confirmed"} {
		steps = append(steps, q.AddOutcome(ctx, rows.AddOutcomeParams{At: at, Epoch: k.Open + int64(i), Kind: k.Kind, Miner: k.Miner, Open: k.Open, Batch: k.Batch, After: after}))
	}
	for i, event := range []string{"begun", "read", "proof", "audit"} {
		e := rows.AddEventParams{At: at, Epoch: k.Open + int64(i), Event: event, Kind: k.Kind, Miner: k.Miner, Open: k.Open, Batch: k.Batch, Facts: fmt.Sprintf(`{"proof":"%x"}`, noise[:64])}
		steps = append(steps, q.AddEvent(ctx, e))
	}
	for _, err := range steps {
		if err != nil {
			return err
		}
	}
	return nil
}

// prune deletes what is older than is kept, as the notebook does every hour.
func (l *life) prune(t *testing.T, head int64) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = l.s.Prune(t.Context(), l.at(head).AddDate(0, 0, -l.keep)); err != nil {
			t.Fatal(err)
		}
	}
}

func (l *life) count(t *testing.T, query string) (n int64) {
	t.Helper()
	if err := l.s.db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// tell says how large the file is and how long each list takes.
func (l *life) tell(t *testing.T, day int) {
	t.Helper()
	text := []string{fmt.Sprintf("after %d days of %d miners, of which %d are kept: %.1f MB", day+1, l.miners, l.keep, float64(l.count(t, "PRAGMA page_count")*4096)/1e6)}
	ctx := t.Context()
	last := abi.ChainEpoch(day * epochsADay)
	for _, list := range []struct {
		what string
		do   func() error
	}{
		{"a miner's duties, as the runner reads them", func() error { _, err := l.s.Duties(ctx, 1000, last-epochsADay); return err }},
		{"the messages that are open, as the messager reads them", func() error { _, err := l.s.OpenMessages(ctx); return err }},
		{"what was included inside finality", func() error { _, err := l.s.IncludedSince(ctx, last+epochsADay-900); return err }},
		{"the newest duties", func() error { _, err := l.s.FindDuties(ctx, vigil.DutyQuery{}); return err }},
		{"missed duties, of which there are none", func() error {
			_, err := l.s.FindDuties(ctx, vigil.DutyQuery{States: []vigil.DutyState{vigil.StateMissed}})
			return err
		}},
		{"the newest 1000 messages", func() error { _, err := l.s.FindMessages(ctx, vigil.MessageQuery{}); return err }},
		{"a message by its beginning", func() error {
			_, err := l.s.FindMessages(ctx, vigil.MessageQuery{Of: fmt.Sprintf("f01000/%d/", last)})
			return err
		}},
		{"the newest of the journal", func() error { _, err := l.s.Journal(ctx, vigil.JournalQuery{}); return err }},
		{"the journal of a miner that there is not", func() error { _, err := l.s.Journal(ctx, vigil.JournalQuery{Miner: 7}); return err }},
		{"the journal of epochs to come", func() error { _, err := l.s.Journal(ctx, vigil.JournalQuery{From: last + 2*epochsADay}); return err }},
		{"an hour of pruning", func() error {
			_, err := l.s.Prune(ctx, l.at(int64(day+1)*epochsADay+120).AddDate(0, 0, -l.keep))
			return err
		}},
	} {
		began := time.Now()
		if err := list.do(); err != nil {
			t.Errorf("%s: %v", list.what, err)
		}
		text = append(text, fmt.Sprintf("%8.2f ms  %s", float64(time.Since(began).Microseconds())/1000, list.what))
	}
	t.Log(strings.Join(text, "\n"))
}
