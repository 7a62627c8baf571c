package app

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alarm"
	"github.com/vigil-post/vigil/devnet"
	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/faultproxy"
)

var errNoProver = errors.New("no prover is connected")

// proofless is told of a duty whose proof could not be made.
func proofless(because string) story {
	return story{
		verdict: explain.VerdictMissed, reason: vigil.ReasonNotProved, blames: []string{"prover"},
		why:   []string{"It was missed (not_proved)", "What stopped it, from epoch 4", because, "vigil selftest", "declared recovered by themselves, if they can be read before epoch 2876"},
		tells: []string{"Work began", "All 2 sectors were read", "It came to nothing: reading and proving", because, "The deadline opens", "The deadline closes"},
	}
}

// unsent is told of a duty whose proof was made and not sent.
func unsent(who, because, advice string) story {
	return story{
		verdict: explain.VerdictMissed, reason: vigil.ReasonNotSent, blames: []string{who},
		why:   []string{"It was missed (not_sent)", "What kept its message from the chain, from epoch 7", because, "Its proof was ready at epoch 4", advice},
		tells: []string{"A proof of 2 sectors was made", "The deadline opens", "handed to the messager", because},
	}
}

// unmined is told of a duty whose message nodes took and no block had.
func unmined(who, because, advice string) story {
	return story{
		verdict: explain.VerdictMissed, reason: vigil.ReasonNotIncluded, blames: []string{who},
		why:   []string{"It was missed (not_included)", "Its message was handed to the nodes at epoch 7", "took it)", because, advice},
		tells: []string{"A proof of 2 sectors was made", "handed to the messager", "Attempt 1 (", "Taken by ws://127.0.0.1"},
	}
}

// fine is told of a duty that went well in spite of a mishap, of which the timeline tells.
func fine(who string, tells ...string) story {
	return story{
		verdict: explain.VerdictOnTime, blames: []string{who},
		why:   []string{"It is done: the chain executed its message at epoch 7"},
		tells: append(tells, "Attempt 1 (", "executed attempt 1 with exit code 0"),
	}
}

// unseen is told of a duty that a blind daemon never began.
func unseen(why, tells []string, blames ...string) story {
	return story{
		verdict: explain.VerdictMissed, reason: vigil.ReasonNotStarted, blames: blames,
		why:   append(why, "It was missed (not_started)", "the whole time from its challenge to its Close"),
		tells: tells,
	}
}

// askedLive asks the running daemon too.
func askedLive(s story) story { s.live = true; return s }

var mishaps = []mishap{
	{what: "the prover fails", strike: fails(proving, errNoProver), code: alarm.ProverFailing, about: "prover", says: "no prover is connected", story: proofless("no prover is connected")},
	{what: "no proof comes of it", long: true, strike: fails(proving, errNoProver), code: alarm.NotProved, about: "t01000/66/0", says: "no prover is connected", urges: true, story: proofless("no prover is connected")},
	{what: "the prover hangs", strike: hangs(proving), busy: true, code: alarm.NotProved, about: "t01000/66/0", says: "being worked on", urges: true, story: story{
		verdict: explain.VerdictMissed, reason: vigil.ReasonNotProved, blames: []string{"prover"},
		why:   []string{"It was missed (not_proved)", "time was over while its proof of 2 sectors was being made; that try began at epoch 4", "vigil selftest"},
		tells: []string{"Work began", "All 2 sectors were read", "it was stopped while its proof of 2 sectors was being made"},
	}},
	{what: "the prover's proofs are wrong", long: true, strike: fails(proving, errWrong), code: alarm.NotProved, about: "t01000/66/0", says: "does not verify", urges: true, story: proofless("the proof does not verify")},
	{what: "the prover crashes", strike: func(_ *flock, w *workshop) {
		w.let(func(_ context.Context, at step, _ abi.SectorNumber) error {
			if at == proving {
				panic("out of memory")
			}
			return nil
		})
	}, code: alarm.ProverFailing, about: "prover", says: "crashed", story: proofless("panic: out of memory")},
	{what: "a sector is gone", strike: func(_ *flock, w *workshop) { w.lose(0) }, code: alarm.SectorsBad, about: "t01000", says: "0 (replica: missing)", story: story{live: true,
		verdict: explain.VerdictOnTime, blames: []string{"storage"},
		why:   []string{"It is done", "1 sector is left out of its proof, the first is 0: replica: missing"},
		tells: []string{"Of 2 sectors 1 bad", "sector 0: replica: missing", "A proof of 1 sectors", "1 sectors are left out"},
	}},
	{what: "every sector is gone", strike: func(_ *flock, w *workshop) { w.lose(0, 1) }, code: alarm.NotProved, about: "t01000/66/0", says: "replica: missing", urges: true, story: story{
		verdict: explain.VerdictMissed, reason: vigil.ReasonNoSectors, blames: []string{"storage"},
		why:   []string{"It was missed (no_sectors)", "What stopped it, from epoch 4", "the first is 0: replica: missing", "vigil check"},
		tells: []string{"Work began", "Of 2 sectors 2 bad", "sector 0: replica: missing; sector 1: replica: missing", "It came to nothing"},
	}},
	{what: "a mount hangs", strike: hangs(reading), busy: true, code: alarm.NotProved, about: "t01000/66/0", says: "being worked on", urges: true, story: story{
		verdict: explain.VerdictMissed, reason: vigil.ReasonNoSectors, blames: []string{"storage"},
		why:   []string{"It was missed (no_sectors)", "the first", "vigil check", "vigil storage list"},
		tells: []string{"Work began", "Of 2 sectors 2", "sector 0:"},
	}},
	{what: "the wallet is locked", strike: fails(signing, errors.New("the wallet is locked")), code: alarm.ProofUnsent, about: "t01000/66/0", says: "the wallet is locked", hung: true, urges: true, story: unsent("key", "sign: the wallet is locked", "vigil doctor looks at keys")},
	{what: "the senders are poor", strike: func(f *flock, _ *workshop) {
		for _, role := range []string{"control", "worker"} {
			if err := f.chain.SetBalance(f.key(role).Address, big.NewInt(1000)); err != nil {
				f.t.Fatal(err)
			}
		}
	}, code: alarm.BalanceLow, says: "it has 0.000000000000001 FIL, and one message may cost 5 FIL", urges: true, hung: true, story: askedLive(unsent("money", "has 0.000000000000001 FIL to spend, and the message needs", "top it up with"))},
	{what: "the base fee rises above what a message may cost", strike: func(f *flock, _ *workshop) {
		if err := f.chain.SetBaseFee(big.NewInt(1e15), 200); err != nil {
			f.t.Fatal(err)
		}
	}, hung: true, code: alarm.ProofUnsent, about: "t01000/66/0", says: "", urges: true, story: unsent("fee", "the base fee is so high that the next tipset takes it for", "Raise max_window_post_gas_fee")},
	{what: "the base fee rises while a message waits", at: 4, strike: func(f *flock, _ *workshop) {
		if err := f.chain.HoldMessages(address.Undef, 60); err != nil {
			f.t.Fatal(err)
		}
		f.when("sent", func() bool { return f.duty(opens(0)).Message == vigil.MessagePublished })
		if err := f.chain.SetBaseFee(big.NewInt(1e15), 60); err != nil {
			f.t.Fatal(err)
		}
	}, code: alarm.FeeCapLow, about: "t01000/66/0", says: "the base fee is above it", urges: true, story: unmined("fee", "the base fee is above the fee cap", "Raise max_window_post_gas_fee")},
	{what: "no block takes the message", strike: func(f *flock, _ *workshop) {
		if err := f.chain.HoldMessages(address.Undef, 200); err != nil {
			f.t.Fatal(err)
		}
	}, code: alarm.MessageUnmined, about: "t01000/66/0", says: "no block has taken it", urges: true, story: unmined("pool", "no block had it in the 5", "have peers")},
	{what: "the node loses the messages", long: true, strike: func(f *flock, _ *workshop) {
		if err := f.chain.LoseMessages(1, 200); err != nil {
			f.t.Fatal(err)
		}
	}, code: alarm.MessageUnmined, about: "t01000/66/0", says: "no block has taken it", urges: true, story: unmined("pool", "no block had it in the 5", "have peers")},
	{what: "the only node is away", strike: line(0, faultproxy.Refuse), hung: true, blind: true, code: alarm.NodeDown, about: "127.0.0.1", says: "unreachable", story: askedLive(unseen([]string{"no new head was seen", "meanwhile node ws://127.0.0.1", "unreachable", "configure a second node"}, []string{"unreachable"}, "node", "chain"))},
	{what: "the only node gives no heads", strike: line(0, faultproxy.Hang), hung: true, blind: true, code: alarm.NoHead, about: "chain", says: "no head from the node", story: unseen([]string{"no new head was seen", "meanwhile node ws://127.0.0.1", "configure a second node"}, []string{"The chain fell silent"}, "node", "chain")},
	{what: "one of three nodes is away", of: flockOf{lines: 3}, strike: line(2, faultproxy.Refuse), code: alarm.NodeDown, about: "127.0.0.1", says: "unreachable", story: fine("node", "unreachable")},
	{what: "one of three nodes is of another network", long: true, of: flockOf{lines: 3}, strike: line(2, faultproxy.OtherName), code: alarm.NodeDown, about: "127.0.0.1", says: "refused", story: fine("node", "is refused", "another-network")},
	{what: "one of three nodes lags", of: flockOf{lines: 3}, strike: func(f *flock, _ *workshop) {
		f.lines[2].Set(faultproxy.Lag)
	}, paced: true, code: alarm.NodeLag, about: "127.0.0.1", says: "behind", story: fine("node", "epochs behind the other nodes")},
	{what: "the node cannot tell the miner's state", strike: answersWrong("StateMinerPartitions", "StateMinerDeadlines", "StateMinerFaults", "StateMinerProvingDeadline"), hung: true, blind: true, code: alarm.MinerUnread, about: "t01000", says: "StateMiner", urges: true, story: unseen([]string{"the miner's state could not be read from any node", "StateMiner", "configure a second node"}, []string{"could not be read from any node"}, "node", "state")},
	{what: "the node cannot tell the challenge", strike: answersWrong("StateGetRandomnessDigestFromBeacon", "StateGetRandomnessFromBeacon"), hung: true, code: alarm.NotProved, about: "t01000/66/0", says: "draw the challenge", urges: true, story: story{
		verdict: explain.VerdictMissed, reason: vigil.ReasonNoRandomness, blames: []string{"node"},
		why:   []string{"It was missed (no_randomness)", "What stopped it, from epoch 4", "draw the challenge of epoch 46", "StateGetRandomness"},
		tells: []string{"Work began", "It came to nothing", "draw the challenge"},
	}},
	{what: "the database cannot be written", strike: lockDatabase, hung: true, blind: true, code: alarm.DatabaseTrouble, about: "database", says: "deadline exceeded", urges: true, story: story{
		verdict: explain.VerdictMissed, blames: []string{"database"},
		why:   []string{"It was missed", "because the daemon's own database could not be read", "Look at the disk of the data folder"},
		tells: []string{"database could not be read"},
	}},
	{what: "the parameters are cleared away", strike: func(f *flock, w *workshop) {
		fails(checking, errors.New("v28-fallback.params: no such file"))(f, w)
		f.daemon.machine.look()
	}, code: alarm.ParametersMissing, about: "parameters", says: "no such file", urges: true, story: fine("prover", "All 2 sectors were read")},
	{what: "the deadline was missed", strike: fails(proving, errNoProver), after: true, code: alarm.DeadlineMissed, about: "t01000/66/0", says: "not proved (no prover is connected)", urges: true, story: proofless("no prover is connected")},
	{what: "the daemon is off for the whole deadline", at: -21, silent: true, blind: true, strike: func(f *flock, _ *workshop) {
		f.stop()
		f.mends = append(f.mends, func() { f.start(f.config, f.tools) })
	}, story: unseen([]string{"The daemon was told to stop and was off from epoch 4", "Nothing had been begun for it", "vigil can-restart"},
		[]string{"Vigil was told to stop", "saw its first head, at epoch 12"}, "daemon")},
	{what: "the daemon is killed with its proof made", at: -10, silent: true, blind: true, strike: func(f *flock, _ *workshop) {
		f.stop()
		f.forgetTheEnd()
		f.mends = append(f.mends, func() { f.start(f.config, f.tools) })
	}, story: story{
		verdict: explain.VerdictMissed, reason: vigil.ReasonNotSent, blames: []string{"daemon"},
		why:   []string{"It was missed. The daemon ended without having been told to (it was killed or crashed, or the machine went down) and was off from about epoch 5", "of the 80 epochs", "Until then its proof was made, and had not been sent", "vigil can-restart"},
		tells: []string{"A proof of 2 sectors was made", "The deadline opens", "saw its first head, at epoch 12"},
	}},
	{what: "the daemon is killed and started again in time", long: true, at: -10, silent: true, blind: true, strike: func(f *flock, _ *workshop) {
		f.stop()
		f.forgetTheEnd()
	}, mends: 30, mend: func(f *flock, _ *workshop) { f.start(f.config, f.tools) }, story: story{
		verdict: explain.VerdictOnTime,
		why:     []string{"It is done: the chain executed its message at epoch "},
		tells:   []string{"A proof of 2 sectors was made", "saw its first head, at epoch 9", "Attempt 1 ("},
	}},
	{what: "the prover is mended shortly before the close", strike: fails(proving, errNoProver), code: alarm.NotProved, about: "t01000/66/0", says: "no prover is connected", urges: true,
		mends: 52, mend: func(_ *flock, w *workshop) { w.let(nil) }, story: story{
			verdict: explain.VerdictLate, blames: []string{"prover"},
			why:   []string{"It was late: the chain executed its message at epoch 1", "What stopped it, from epoch 4", "no prover is connected", "The longest part of its way was reading and proving"},
			tells: []string{"no prover is connected", "A proof of 2 sectors was made", "Attempt 1 (", "executed attempt"},
		}},
	{what: "the wallet is unlocked shortly before the close", strike: fails(signing, errors.New("the wallet is locked")), code: alarm.ProofUnsent, about: "t01000/66/0", says: "the wallet is locked", hung: true, urges: true,
		mends: 52, mend: func(_ *flock, w *workshop) { w.let(nil) }, story: story{
			verdict: explain.VerdictLate, blames: []string{"key"},
			why:   []string{"It was late: the chain executed its message at epoch 1", "What kept its message from the chain, from epoch 7", "the wallet is locked", "The longest part of its way was from the proof to the first message"},
			tells: []string{"A proof of 2 sectors was made", "the wallet is locked", "Attempt 1 (", "executed attempt"},
		}},
	{what: "a reorg takes the post back, and its message is lost", at: 20, silent: true, strike: func(f *flock, _ *workshop) {
		f.reorganise(18)
	}, story: story{live: true,
		verdict: explain.VerdictOnTime, blames: []string{"reorg"},
		why:   []string{"It is done: the chain executed its message at epoch 8"},
		tells: []string{"A tipset executed the message; a reorg took that back later.", "A reorg took the message's execution back", "with exit code 0"},
	}},
	{what: "a reorg takes the post back when no time is left", at: 4, after: true, strike: func(f *flock, _ *workshop) {
		if err := f.chain.HoldMessages(address.Undef, 52); err != nil {
			f.t.Fatal(err)
		}
		f.when("it is on chain", func() bool { return f.duty(opens(0)).Message == vigil.MessageIncluded })
		f.to(opens(1) - 1)
		f.reorganise(8)
	}, code: alarm.DeadlineMissed, about: "t01000/66/0", says: "taken back", urges: true, story: story{
		verdict: explain.VerdictMissed, reason: vigil.ReasonTakenBack, blames: []string{"reorg"},
		why:   []string{"It was missed (taken_back): The proof was on chain, but a reorg took it back", "that a reorg took back its inclusion at epoch 12"},
		tells: []string{"A tipset executed the message; a reorg took that back later.", "A reorg took the message's execution back"},
	}},
	{what: "a stranger takes the nonce of the message", at: 2, strike: func(f *flock, _ *workshop) {
		if err := f.chain.HoldMessages(f.key("control").Address, 5); err != nil { // it is over before the fee is raised
			f.t.Fatal(err)
		}
		f.when("sent", func() bool { return f.duty(opens(0)).Message == vigil.MessagePublished })
		if _, err := f.chain.Rival(f.t.Context(), "control", f.miner()); err != nil {
			f.t.Fatal(err)
		}
	}, code: alarm.SenderTrouble, says: "not ours", story: story{
		verdict: explain.VerdictOnTime,
		why:     []string{"It is done: the chain executed its message at epoch ", "2 times in all"},
		tells:   []string{"Attempt 1 (", "because the chain gave nonce 0 to another message", "with exit code 0"},
	}},
	{what: "somebody else posts a proof of nothing", strike: func(f *flock, w *workshop) {
		w.unable()
		f.to(opens(0) + 1)
		if _, err := f.chain.WrongPost(f.t.Context(), f.miner(), 0); err != nil {
			f.t.Fatal(err)
		}
	}, after: true, code: alarm.ProofDisputable, about: "t01000/66", says: "does not prove the chain's sectors", urges: true, story: story{
		verdict: explain.VerdictOnTime, blames: []string{"somebody", "forger"},
		why:   []string{"no message of this Vigil", "does not prove the chain's sectors", "until epoch 1926 anybody can dispute it", "Find out who made that proof"},
		tells: []string{"out of order"},
	}},
	{what: "a rehearsal finds a sector gone", of: flockOf{rehearse: true, sectors: 8}, strike: func(_ *flock, w *workshop) { w.lose(6) },
		code: alarm.RehearsalBad, about: "t01000 deadline 5", says: "6 (replica: missing)", story: story{
			of:      func(*flock) vigil.DutyID { return vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: opens(3)} },
			verdict: explain.VerdictOnTime, blames: []string{"storage"},
			why:   []string{"It is done", "1 sector is left out of its proof, the first is 6: replica: missing"},
			tells: []string{"Of 2 sectors 1 bad", "sector 6: replica: missing", "1 sectors are left out"},
		}},
	{what: "faulty sectors cannot be read to be recovered", strike: func(_ *flock, w *workshop) { w.lose(0) }, after: true,
		code: alarm.RecoveryBlocked, about: "t01000 deadline 2", says: "replica: missing", story: story{
			of: func(*flock) vigil.DutyID {
				return vigil.DutyID{Kind: vigil.KindRecover, Miner: 1000, Open: opens(0) + provingPeriod}
			},
			verdict: explain.VerdictPending, blames: []string{"storage"},
			why:   []string{"it was scheduled", "What stopped it", "replica: missing"},
			tells: []string{"replica: missing"},
		}},
	{what: "proofs take longer than a deadline has", of: flockOf{epoch: flockEpoch / 5}, strike: func(_ *flock, w *workshop) {
		w.let(func(ctx context.Context, at step, _ abi.SectorNumber) error {
			if at == proving {
				select {
				case <-ctx.Done():
				case <-time.After(20 * flockEpoch): // a hundred epochs, by the clock
				}
			}
			return nil
		})
	}, code: alarm.WillNotFit, about: "t01000/126", says: "is expected on chain at epoch", story: story{
		verdict: explain.VerdictOnTime, blames: []string{"prover"},
		why:   []string{"It is done", "for the proof"},
		tells: []string{"proved in 2"},
	}},
	{what: "this machine's clock is behind", of: flockOf{epoch: 30 * time.Second}, always: true, strike: func(f *flock, _ *workshop) { f.chain.SetClock(time.Minute) },
		code: alarm.ClockOff, about: "clock", says: "before the time that they carry: this machine's clock is behind", urges: true, story: story{
			verdict: explain.VerdictOnTime,
			why:     []string{"It is done: the chain executed its message at epoch 7"},
			tells:   []string{"A proof of 2 sectors was made", "Attempt 1 ("},
		}},
	{what: "this machine's clock is epochs behind", long: true, of: flockOf{epoch: 30 * time.Second}, always: true, strike: func(*flock, *workshop) {},
		code: alarm.NodeAside, about: "127.0.0.1", says: "is the clock right", story: story{
			verdict: explain.VerdictOnTime,
			why:     []string{"It is done: the chain executed its message at epoch 7"},
			tells:   []string{"A proof of 2 sectors was made", "Attempt 1 ("},
		}},
	{what: "a storage does not answer", strike: func(_ *flock, w *workshop) {
		w.silence("/mnt/disk7")
	}, code: alarm.StorageSilent, about: "/mnt/disk7", says: "it does not answer", urges: true, story: story{
		verdict: explain.VerdictMissed, reason: vigil.ReasonNoSectors, blames: []string{"storage"},
		why:   []string{"It was missed (no_sectors)", "the storage /mnt/disk7 does not answer", "vigil storage list"},
		tells: []string{"Of 2 sectors 2 could not be checked", "/mnt/disk7"},
	}},
}

// forgetTheEnd takes from the journal that the daemon was told to stop: one that is killed
// cannot say so. (Package main kills it as a process.)
func (f *flock) forgetTheEnd() {
	f.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(f.config.Data, "vigil.db"))
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close()
	gone, err := db.ExecContext(f.t.Context(), "DELETE FROM journal WHERE event = 'stopped'")
	if err != nil {
		f.t.Fatal(err)
	}
	if n, err := gone.RowsAffected(); err != nil || n == 0 {
		f.t.Fatalf("%d ends were written down, %v", n, err)
	}
}

// reorganise takes back the last epochs, and loses their messages.
func (f *flock) reorganise(depth int) {
	f.t.Helper()
	if err := f.chain.Reorganise(f.t.Context(), devnet.Reorganisation{Depth: depth, Lose: true}); err != nil {
		f.t.Fatal(err)
	}
}

// lockDatabase keeps everybody else from writing, as another program can.
func lockDatabase(f *flock, _ *workshop) {
	f.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(f.config.Data, "vigil.db"))
	if err != nil {
		f.t.Fatal(err)
	}
	ctx := f.t.Context()
	conn, err := db.Conn(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, do := range []string{"PRAGMA busy_timeout(10000)", "BEGIN IMMEDIATE"} {
		if _, err := conn.ExecContext(ctx, do); err != nil {
			f.t.Fatal(err)
		}
	}
	f.mends = append(f.mends, func() {
		for over := time.Now(); f.daemon.runner.BusySince().Before(over); { // it has looked since then, and found it locked
			f.pause(flockEpoch / 10)
		}
		if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
			f.t.Error(err)
		}
	})
	f.t.Cleanup(func() { _ = db.Close() })
}
