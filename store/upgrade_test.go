package store_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/filecoin-project/go-state-types/exitcode"
	"github.com/pressly/goose/v3"

	"github.com/vigil-post/vigil"
)

// oldRows are what the first schema's Vigil left: a post whose second attempt
// was executed, one on its way, and one that expired with its nonce unused.
const oldRows = `
INSERT INTO messages (id, kind, miner, open, batch, sender, receiver, method, value, params, senders, expires, state, nonce, receipt, problem, created, updated) VALUES
	('done', 'post', 1000, 100, 0, 'f1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za', 'f01000', 5, '0', x'01', '["f0101"]', 160, 'confirmed', 7,
		'{"exit_code":0,"gas_used":40000000,"epoch":120,"tipset":"bafy2bzacea"}', '', 1, 2),
	('sent', 'post', 1000, 160, 0, 'f1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za', 'f01000', 5, '0', x'02', '["f0101"]', 220, 'published', 8, '', '', 1, 2),
	('late', 'recover', 1000, 100, 0, 'f1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za', 'f01000', 11, '0', x'03', '["f0101"]', 130, 'expired', 9, '', '', 1, 2),
	('next', 'post', 1000, 220, 0, '', 'f01000', 5, '0', x'04', '["f0101"]', 280, 'queued', 0, '', '', 1, 2);
INSERT INTO nonces (sender, nonce, message) VALUES
	('f1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za', 7, 'done'), ('f1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za', 8, 'sent'), ('f1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za', 9, 'late');
INSERT INTO senders (address, next_nonce) VALUES ('f1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za', 10);
INSERT INTO attempts (message, number, cid, sender, nonce, gas_limit, fee_cap, premium, signature, encoded, epoch, published, problem, created) VALUES
	('done', 1, 'bafy2bzacecrzuw5w3gzp4p6jzqbi4qhbqqm5b53kgwpxarzhzkzsojcimgbdk', 'f1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za', 7, 50000000, '1000', '100', x'0102', x'', 110, 1, '', 1),
	('done', 2, 'bafy2bzacedy5xxwkdrxsdu4rdm4a23hqxkxyyrqtfqejpoywmbcv4zqxw3xlk', 'f1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za', 7, 50000000, '1000', '111', x'0102', x'', 115, 1, '', 1);
INSERT INTO cursor (epoch, tipset, parent) VALUES (120, 'bafy2bzacea', 'bafy2bzaceb'), (121, 'bafy2bzacec', 'bafy2bzacea');
`

func TestADatabaseOfTheFirstSchemaIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vigil.db")
	writeOld(t, path)
	s := open(t, path)
	all, err := s.FindMessages(t.Context(), vigil.MessageQuery{})
	if err != nil || len(all) != 4 {
		t.Fatalf("%d messages, %v", len(all), err)
	}
	done, sent, late, next := all[0], all[1], all[2], all[3]
	if r := done.Receipt; !done.Settled || done.Landed != 2 || r == nil || r.Epoch != 120 || r.ExitCode != exitcode.Ok || len(done.Attempts) != 2 {
		t.Errorf("what was confirmed: %+v", done)
	}
	if !late.Settled || sent.Settled || next.Settled || sent.Nonce != 8 || sent.State != vigil.MessagePublished {
		t.Errorf("settled: late %v, sent %v, next %v", late.Settled, sent.Settled, next.Settled)
	}
	deep, err := s.IncludedSince(t.Context(), 120)
	if err != nil || len(deep) != 1 || deep[0].ID != "done" {
		t.Errorf("what a reorg of epoch 120 can take back: %+v, %v", deep, err)
	}
	held, err := s.NonceHolders(t.Context(), sent.Call.From, 8)
	if err != nil || len(held) != 2 || held[1].Message.ID != "late" {
		t.Errorf("the nonces from 8 on: %+v, %v", held, err)
	}
	if n, err := s.NextNonce(t.Context(), sent.Call.From); err != nil || n != 10 {
		t.Errorf("next nonce %d, %v", n, err)
	}
	if scanned, err := s.Scanned(t.Context()); err != nil || len(scanned) != 2 {
		t.Errorf("scanned %+v, %v", scanned, err)
	}
	if err := errors.Join(
		s.AddEvents(t.Context(), vigil.Event{Time: time.Now(), Kind: vigil.EventStarted}), s.SaveAlive(t.Context(), time.Now(), 122),
		s.SaveRehearsal(t.Context(), 1000, vigil.RehearsalStatus{Deadline: 7}), s.SaveAudit(t.Context(), audit(1000, 60, 0, "a")),
	); err != nil {
		t.Errorf("what later schemas keep cannot be written: %v", err)
	}
}

// writeOld makes a database that the first schema's program has left.
func writeOld(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"PRAGMA application_id = 0x5669676c", oldRows} {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
}
