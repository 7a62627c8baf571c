package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/app"
	"github.com/vigil-post/vigil/explain"
)

func dutiesCommand() *cli.Command {
	c := readCommand("duties", "list duties, open and past, the newest first", "", duties, minerFlag(),
		&cli.StringFlag{Name: "deadline", Usage: "only of the deadline `N`"},
		&cli.StringSliceFlag{Name: "state", Usage: "only those in this `STATE`: scheduled, proved, submitted, confirmed, missed, replaced; may be given more than once"},
		&cli.StringFlag{Name: "kind", Usage: "only this `KIND`: post or recover"},
		&cli.IntFlag{Name: "limit", Usage: "the newest `N`", Value: 30})
	c.Description = "A duty is up to three partitions of one deadline, proved and posted together, or a declaration of recovered sectors. vigil why tells\n" +
		"more of one. It works while the daemon is off."
	return c
}

func duties(ctx context.Context, r *reader) error {
	q, err := r.dutyQuery()
	if err != nil {
		return err
	}
	found, err := r.duties(ctx, q)
	if err != nil {
		return err
	}
	return r.answer(found, func(w io.Writer, p paint) { writeDuties(w, p, found) })
}

func (r *reader) dutyQuery() (q vigil.DutyQuery, err error) {
	_, miner, err := r.miner()
	if err != nil {
		return q, err
	}
	q.Miner, q.Kind, q.Limit = abi.ActorID(miner), vigil.DutyKind(r.c.String("kind")), r.c.Int("limit")
	if q.Limit < 1 || q.Limit > 1000 {
		return q, &usageError{"--limit has to be from 1 to 1000"}
	}
	if q.Kind != "" && q.Kind != vigil.KindPost && q.Kind != vigil.KindRecover {
		return q, &usageError{fmt.Sprintf("there is no kind %q: use post or recover", q.Kind)}
	}
	if text := r.c.String("deadline"); text != "" {
		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil || n > 47 {
			return q, &usageError{fmt.Sprintf("--deadline %q is none: give its index, 0 to 47", text)}
		}
		q.Deadline = &n
	}
	for _, word := range r.c.StringSlice("state") {
		if !slices.Contains(dutyStates, vigil.DutyState(word)) {
			return q, &usageError{fmt.Sprintf("there is no state %q: use some of %v", word, dutyStates)}
		}
		q.States = append(q.States, vigil.DutyState(word))
	}
	return q, nil
}

var dutyStates = []vigil.DutyState{
	vigil.StateScheduled, vigil.StateProved, vigil.StateSubmitted, vigil.StateConfirmed, vigil.StateMissed, vigil.StateReplaced, vigil.StateShadowed,
}

func writeDuties(w io.Writer, p paint, found []explain.Duty) {
	t := newTable("DUTY", "DEADLINE", "OPEN", "CLOSE", "WHAT", "STATE", "SKIPPED", "REASON", "PROBLEM")
	for _, d := range found {
		what := fmt.Sprintf("partitions %v", d.Partitions)
		if d.Kind == vigil.KindRecover {
			what = fmt.Sprintf("%d sectors recovered", d.Sectors)
		}
		reason := ""
		if d.State == vigil.StateMissed {
			reason = string(d.Reason)
		}
		t.row(d.ID, d.Deadline, d.Open, d.Close, what, p.state(string(d.State)), len(d.Skipped), orDash(reason), firstWords(d.Problem))
	}
	t.write(w, p, "no duty fits")
}

// firstWords is the beginning of a text that vigil why tells in full.
func firstWords(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return strings.TrimSpace(string(runes[:most])) + "…"
	}
	return text
}

func faultsCommand() *cli.Command {
	c := readCommand("faults", "list the faulty sectors with their causes, and what to do", "", func(ctx context.Context, r *reader) error {
		asked, miner, err := r.miner()
		if err != nil {
			return err
		}
		found, err := fromChain(ctx, r, "/api/faults", asked, func(p *app.Present) ([]explain.Faulty, error) { return p.Faults(ctx, abi.ActorID(miner)) })
		if err != nil {
			return err
		}
		return r.answer(found, func(w io.Writer, p paint) { writeFaults(w, p, found, r.c.Bool("all")) })
	}, minerFlag(), &cli.BoolFlag{Name: "all", Usage: "list every sector, and not the first ten of a partition"})
	c.Description = "By partition, in the order in which the deadlines come: the sectors that are faulty on chain, which of them are declared recovered,\n" +
		"why each could not be proved, where that is known, and what to do. It asks the daemon or, while that is off, the nodes of --config."
	return c
}

// faultyListed is how many sectors of a partition are listed unless all are wanted.
const faultyListed = 10

func writeFaults(w io.Writer, p paint, found []explain.Faulty, all bool) {
	if len(found) == 0 {
		fmt.Fprintln(w, "no sector is faulty")
		return
	}
	for _, f := range found {
		fmt.Fprintf(w, "%s deadline %d partition %d: %s faulty, %d of them recovering; recoveries before epoch %d, proved from epoch %d\n",
			p.in(bold, f.Miner), f.Deadline, f.Partition, p.in(red, fmt.Sprint(len(f.Sectors))), f.Recovering, f.Cutoff, f.Open)
		t := newTable("  SECTOR", "STATE", "CAUSE", "WHAT TO DO")
		for i, s := range f.Sectors {
			if i == faultyListed && !all {
				break
			}
			state := painted("faulty")
			if s.Recovering {
				state = p.in(yellow, "recovering")
			}
			t.row(fmt.Sprintf("  %d", s.Number), state, orDash(s.Cause), s.Advice)
		}
		t.write(w, p, "")
		if more := len(f.Sectors) - faultyListed; more > 0 && !all {
			fmt.Fprintf(w, "  and %d more: --all lists them\n", more)
		}
	}
}

func powerCommand() *cli.Command {
	c := readCommand("power", "show the miners' power as the chain has it", "", func(ctx context.Context, r *reader) error {
		asked, miner, err := r.miner()
		if err != nil {
			return err
		}
		found, err := fromChain(ctx, r, "/api/power", asked, func(p *app.Present) ([]vigil.Power, error) { return p.Power(ctx, abi.ActorID(miner)) })
		if err != nil {
			return err
		}
		return r.answer(found, func(w io.Writer, p paint) { writePower(w, p, found) })
	}, minerFlag())
	c.Description = "Raw and quality-adjusted power, the share of the network's, sectors with and without power, and the power that is lost to faulty\n" +
		"ones. It asks the daemon or, while that is off, the nodes of --config."
	return c
}

func writePower(w io.Writer, p paint, found []vigil.Power) {
	t := newTable("MINER", "EPOCH", "RAW", "QUALITY-ADJUSTED", "SHARE", "MAY WIN BLOCKS", "SECTORS", "ACTIVE", "FAULTY", "RECOVERING", "LOST RAW POWER")
	for _, m := range found {
		t.row(m.Address, m.Epoch, bytesOf(m.Raw), bytesOf(m.QualityAdj), share(m.QualityAdj, m.NetworkQA), p.state(yesNo(m.HasMinPower)),
			m.Sectors, m.Active, nonZero(p, m.Faulty), m.Recovering, bytesOf(m.FaultyRaw))
	}
	t.write(w, p, "no miner is configured")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func bytesOf(n abi.StoragePower) string {
	if n.Nil() {
		return "-"
	}
	return humanize.BigIBytes(n.Int)
}

// share is a part of the whole in per cent.
func share(part, whole abi.StoragePower) string {
	if part.Nil() || whole.Nil() || whole.Sign() <= 0 {
		return "-"
	}
	millionths := big.Div(big.Mul(part, big.NewInt(100_000_000)), whole)
	return fmt.Sprintf("%.6f %%", float64(millionths.Int64())/1_000_000)
}

func proversCommand() *cli.Command {
	c := readCommand("provers", "show what makes proofs, and which are being made", "", func(ctx context.Context, r *reader) error {
		found, err := askFor[[]vigil.ProverStatus](ctx, r, "/api/provers", nil)
		if err != nil {
			return err
		}
		return r.answer(found, func(w io.Writer, p paint) { writeProvers(w, p, found, time.Now()) })
	})
	c.Description = "The prover of the daemon with its kernels, how many proofs it makes at once and within which memory; the proofs that are in progress,\n" +
		"and those that wait for their turn, the most urgent first."
	return c
}

func writeProvers(w io.Writer, p paint, found []vigil.ProverStatus, now time.Time) {
	t := newTable("PROVER", "KERNELS", "AT ONCE", "MEMORY", "MADE", "PARAMETERS", "PROBLEM")
	work := newTable("PROOF", "STATE", "FOR", "CLOSES", "SECTORS")
	for _, s := range found {
		memory := "no limit"
		if s.Memory > 0 {
			memory = humanize.IBytes(uint64(s.Memory))
		}
		t.row(s.Prover, orDash(s.Kernels), s.AtOnce, memory, s.Made, s.Parameters, p.in(yellow, s.Problem))
		for _, proof := range s.Proofs {
			state := "waiting"
			if proof.Running {
				state = "proving"
			}
			work.row(proof.Duty, p.state(state), short(now.Sub(proof.Since).Truncate(time.Second)), proof.Close, proof.Sectors)
		}
	}
	t.write(w, p, "there is no prover")
	fmt.Fprintln(w)
	work.write(w, p, "no proof is being made")
}

func logsCommand() *cli.Command {
	c := readCommand("logs", "show what happened, from the journal, and follow it", "", logs, minerFlag(),
		&cli.StringFlag{Name: "duty", Usage: "only of one `DUTY`, as f01000/1144209/0"},
		&cli.StringFlag{Name: "level", Usage: "only from this `LEVEL` up: info, warn or error", Value: "info"},
		&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "go on with what happens from now on"},
		&cli.IntFlag{Name: "limit", Usage: "begin with the newest `N`", Value: 50})
	c.Description = "These are the daemon's journal and its duties' and messages' changes, in sentences: what vigil why puts together for one duty. The full\n" +
		"log goes where the daemon's standard error does: with systemd, journalctl -u vigil. It works while the daemon is off, but for --follow.\n" +
		"With --json each line is an object of its own."
	return c
}

// followEvery is how often the daemon is asked for what is new.
const followEvery = time.Second

func logs(ctx context.Context, r *reader) error {
	q, err := r.journalQuery()
	if err != nil {
		return err
	}
	page, err := fromPast(ctx, r, "/api/journal", r.journalValues(q), func(p *app.Past) (explain.Page, error) { return p.Journal(ctx, q) })
	if err != nil {
		return err
	}
	if err := r.writeMoments(page.Moments, q.Duty); err != nil || !r.c.Bool("follow") {
		return err
	}
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		asked := r.journalValues(q)
		asked.Del("duty") // what follows is picked here
		asked.Set("after", page.Next)
		asked.Set("limit", "1000")
		if page, err = askFor[explain.Page](ctx, r, "/api/journal", asked); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if err := r.writeMoments(page.Moments, q.Duty); err != nil {
			return err
		}
	}
}

func (r *reader) journalQuery() (q vigil.JournalQuery, err error) {
	_, miner, err := r.miner()
	if err != nil {
		return q, err
	}
	q.Miner, q.Limit = abi.ActorID(miner), r.c.Int("limit")
	if q.Limit < 1 || q.Limit > 10_000 {
		return q, &usageError{"--limit has to be from 1 to 10000"}
	}
	if text := r.c.String("duty"); text != "" {
		if q.Duty, err = vigil.ParseDutyID(text); err != nil {
			return q, &usageError{err.Error()}
		}
	}
	if !slices.Contains(levels, r.c.String("level")) {
		return q, &usageError{fmt.Sprintf("there is no level %q: use info, warn or error", r.c.String("level"))}
	}
	return q, nil
}

var levels = []string{"info", "warn", "error"}

func (r *reader) journalValues(q vigil.JournalQuery) url.Values {
	asked := url.Values{"limit": {strconv.Itoa(q.Limit)}}
	if q.Miner != 0 {
		asked.Set("miner", vigil.MinerAddress(q.Miner).String())
	}
	if q.Duty != (vigil.DutyID{}) {
		asked.Set("duty", q.Duty.String())
	}
	return asked
}

// writeMoments prints those that are wanted, each on a line of its own.
func (r *reader) writeMoments(moments []explain.Moment, duty vigil.DutyID) error {
	least := slices.Index(levels, r.c.String("level"))
	out := r.c.Root().Writer
	p := painter(out)
	for _, m := range moments {
		if slices.Index(levels, m.Level) < least || duty != (vigil.DutyID{}) && m.Duty != duty.String() {
			continue
		}
		if r.c.Bool("json") {
			if err := printLine(out, m); err != nil {
				return err
			}
			continue
		}
		about := m.Duty
		if about == "" {
			about = m.Miner
		}
		if about != "" {
			about += " "
		}
		if _, err := fmt.Fprintf(out, "%s %6d %-5s %s%s\n", timeOfMoment(m), m.Epoch, p.state(m.Level), p.in(bold, about), withDetails(m)); err != nil {
			return err
		}
	}
	return nil
}
