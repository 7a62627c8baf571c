package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
)

func statusCommand() *cli.Command {
	c := readCommand("status", "show on one screen what the daemon sees and does", "", func(ctx context.Context, r *reader) error {
		s, err := r.status(ctx)
		if err != nil {
			return err
		}
		return r.answer(s, func(w io.Writer, p paint) { writeStatus(w, p, s, time.Now()) })
	})
	c.Description = "Shows the network and the age of its head, alarms, each miner's current deadline with what is owed and what comes next, nodes,\n" +
		"storages and senders."
	return c
}

// writeStatus is the screen.
func writeStatus(w io.Writer, p paint, s vigil.Status, now time.Time) {
	head := "no head was seen yet"
	if !s.HeadSeen.IsZero() {
		head = fmt.Sprintf("epoch %d, seen %s ago", s.Head, short(now.Sub(s.HeadSeen).Truncate(time.Second)))
	}
	fmt.Fprintf(w, "%s on %s: %s\n", p.in(bold, "vigil "+s.Version), orDash(s.Network), head)
	if s.Starting != "" {
		fmt.Fprintln(w, p.in(red, "the start waits: "+s.Starting))
	}
	if s.Problem != "" {
		fmt.Fprintln(w, p.in(red, s.Problem))
	}
	if u := s.Upgrade; u != nil {
		fmt.Fprintf(w, "upgrade %s at epoch %d, in %s%s\n", u.Name, u.Epoch, epochs(u.Epoch-s.Head, s.Delay), map[bool]painted{false: p.in(red, ": this Vigil does not know its rules")}[u.Known])
	}
	writeAlarms(w, p, s)
	writeMiners(w, p, s)
	writeNodes(w, p, s, now)
	writeStorages(w, p, s)
	writeSenders(w, p, s)
}

func writeAlarms(w io.Writer, p paint, s vigil.Status) {
	for _, a := range s.Alarms {
		word := p.in(yellow, "alarm")
		if a.Urgent {
			word = p.in(red, "ALARM")
		}
		by := ""
		if a.By > 0 {
			by = fmt.Sprintf(" (%s left)", epochs(a.By-s.Head, s.Delay))
		}
		fmt.Fprintf(w, "%s %s %s%s\n", word, a.Code, a.About, by)
		writeWrapped(w, "      ", strings.TrimSuffix(a.What, ".")+". "+a.Remedy)
	}
}

func writeMiners(w io.Writer, p paint, s vigil.Status) {
	fmt.Fprintln(w)
	t := newTable("MINER", "DEADLINE", "CLOSES IN", "POSTED", "NOW", "NEXT WORK", "SECTORS", "FAULTY", "BAD", "LAST DAY")
	for _, m := range s.Miners {
		if m.Current.Count == 0 {
			t.row(m.Miner, "-", "-", "-", p.state(cmp.Or(m.Problem, "not read yet")))
			continue
		}
		t.row(m.Miner, m.Current.Index, epochs(m.Current.Close-s.Head, s.Delay), posted(m), p.state(doing(m)), nextWork(m, s),
			total(m, sectorsOf), total(m, faultyOf), len(m.Bad), lastDay(m, p))
	}
	t.write(w, p, "no miner is known yet")
	for _, m := range s.Miners {
		if m.Problem != "" && m.Current.Count > 0 {
			fmt.Fprintf(w, "%s: %s\n", m.Miner, p.in(red, m.Problem))
		}
	}
}

// posted is how many of the open deadline's partitions the chain shows.
func posted(m vigil.MinerStatus) string {
	for _, d := range m.Deadlines {
		if d.Deadline.Index == m.Current.Index {
			return fmt.Sprintf("%d of %d", d.Posted, d.Partitions)
		}
	}
	return "-"
}

// doing is what is done for a miner's most urgent duty.
func doing(m vigil.MinerStatus) string {
	duties := slices.DeleteFunc(slices.Clone(m.Duties), func(d vigil.DutyStatus) bool { return d.Row.State.Final() })
	if len(duties) == 0 {
		return "nothing owed"
	}
	slices.SortStableFunc(duties, func(a, b vigil.DutyStatus) int { return cmp.Compare(a.Close, b.Close) })
	d := duties[0]
	text := string(d.Row.State)
	switch {
	case d.Running == "prove":
		text = "proving"
	case d.Message != "" && d.Row.State == vigil.StateSubmitted:
		text = string(d.Message)
	}
	if more := len(duties) - 1; more > 0 {
		text += fmt.Sprintf(" (+%d)", more)
	}
	return text
}

// nextWork is when the next deadline that owes something is challenged.
func nextWork(m vigil.MinerStatus, s vigil.Status) string {
	var next *vigil.DeadlineStatus
	for i, d := range m.Deadlines {
		if d.Sectors > 0 && d.Deadline.Challenge > s.Head && (next == nil || d.Deadline.Challenge < next.Deadline.Challenge) {
			next = &m.Deadlines[i]
		}
	}
	if next == nil {
		return "-"
	}
	return fmt.Sprintf("deadline %d in %s", next.Deadline.Index, epochs(next.Deadline.Challenge-s.Head, s.Delay))
}

func total(m vigil.MinerStatus, of func(vigil.DeadlineStatus) uint64) (sum uint64) {
	for _, d := range m.Deadlines {
		sum += of(d)
	}
	return sum
}

func sectorsOf(d vigil.DeadlineStatus) uint64 { return d.Sectors }
func faultyOf(d vigil.DeadlineStatus) uint64  { return d.Faulty }

// lastDay counts the deadlines by how they ended last.
func lastDay(m vigil.MinerStatus, p paint) painted {
	confirmed, missed := 0, 0
	for _, d := range m.Deadlines {
		switch d.Last {
		case vigil.StateConfirmed:
			confirmed++
		case vigil.StateMissed:
			missed++
		}
	}
	text := painted(fmt.Sprintf("%d confirmed", confirmed))
	if missed > 0 {
		text += p.in(red, fmt.Sprintf(", %d missed", missed))
	}
	return text
}

func writeNodes(w io.Writer, p paint, s vigil.Status, now time.Time) {
	fmt.Fprintln(w)
	t := newTable("NODE", "STATE", "FOR", "EPOCH", "LATENCY", "CALLS", "FAILED", "WHY")
	for _, n := range s.Nodes {
		t.row(n.Node, p.state(string(n.State)), short(now.Sub(n.Since).Truncate(time.Second)), n.Epoch, n.Latency.Round(time.Millisecond), n.Calls, n.Failed, n.Why)
	}
	t.write(w, p, "no node is known")
}

func writeStorages(w io.Writer, p paint, s vigil.Status) {
	if len(s.Storages) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := newTable("STORAGE", "STATE", "READ", "A SECTOR", "READING", "WAITING", "LOST", "WHY")
	for _, st := range s.Storages {
		t.row(st.Path, p.state(string(st.State)), st.Read, st.Took.Round(time.Millisecond), st.Reading, st.Waiting, st.Lost, st.Why)
	}
	t.write(w, p, "")
}

func writeSenders(w io.Writer, p paint, s vigil.Status) {
	if len(s.Senders) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := newTable("SENDER", "BALANCE", "SENT IN 24 H", "AT MOST NEEDED", "PROBLEM")
	for _, a := range s.Senders {
		problem := p.in(yellow, a.Problem)
		if a.Urgent {
			problem = p.in(red, a.Problem)
		}
		t.row(shortAddress(a.Address), explain.FIL(a.Balance), a.Sent, explain.FIL(a.Needed), problem)
	}
	t.write(w, p, "")
}

// epochs is a number of epochs with how long that is, where it is known.
func epochs(n abi.ChainEpoch, delay time.Duration) string {
	if delay <= 0 {
		return fmt.Sprintf("%d epochs", n)
	}
	return fmt.Sprintf("%d (%s)", n, short(time.Duration(n)*delay))
}

func deadlinesCommand() *cli.Command {
	c := readCommand("deadlines", "list the 48 deadlines of each miner, and how each stands", "", func(ctx context.Context, r *reader) error {
		s, err := r.status(ctx)
		if err != nil {
			return err
		}
		miners, err := r.minersOf(s)
		if err != nil {
			return err
		}
		lines := deadlineLines(miners, s.Head, r.c.Bool("all"))
		return r.answer(lines, func(w io.Writer, p paint) {
			if s.Starting != "" {
				fmt.Fprintln(w, p.in(red, "the start waits, and no deadline is known yet: "+s.Starting))
				return
			}
			writeDeadlines(w, p, lines, s)
		})
	}, minerFlag(), &cli.BoolFlag{Name: "all", Usage: "also those without sectors"})
	c.Description = "The one that is open or comes next stands first. LAST is how the latest occurrence ended; EXPECTED is when all of it should be on\n" +
		"chain, going by earlier ones, where there is a forecast."
	return c
}

// minersOf are the miners of a status that --miner means.
func (r *reader) minersOf(s vigil.Status) ([]vigil.MinerStatus, error) {
	_, wanted, err := r.miner()
	if err != nil || wanted == 0 {
		return s.Miners, err
	}
	for _, m := range s.Miners {
		if id, err := vigil.ParseMiner(m.Miner); err == nil && uint64(id) == wanted {
			return []vigil.MinerStatus{m}, nil
		}
	}
	return nil, fmt.Errorf("the daemon has no miner %s", r.c.String("miner"))
}

// deadlineLine is a deadline as vigil deadlines lists it.
type deadlineLine struct {
	Miner  string         `json:"miner"`
	Opens  abi.ChainEpoch `json:"opens_in"` // epochs; less than 0 of one that is open
	Closes abi.ChainEpoch `json:"closes_in"`
	vigil.DeadlineStatus
}

// deadlineLines puts each miner's deadlines in the order in which they come.
func deadlineLines(miners []vigil.MinerStatus, head abi.ChainEpoch, all bool) []deadlineLine {
	lines := []deadlineLine{}
	for _, m := range miners {
		from := len(lines)
		for _, d := range m.Deadlines {
			if all || d.Partitions > 0 {
				lines = append(lines, deadlineLine{m.Miner, d.Deadline.Open - head, d.Deadline.Close - head, d})
			}
		}
		slices.SortStableFunc(lines[from:], func(a, b deadlineLine) int { return cmp.Compare(a.Deadline.Open, b.Deadline.Open) })
	}
	return lines
}

func writeDeadlines(w io.Writer, p paint, lines []deadlineLine, s vigil.Status) {
	t := newTable("MINER", "DEADLINE", "WHEN", "PARTITIONS", "SECTORS", "FAULTY", "RECOVERING", "POSTED", "LAST", "EXPECTED")
	for _, d := range lines {
		when := painted("opens in " + epochs(d.Opens, s.Delay))
		if d.Opens <= 0 {
			when = p.in(bold, "closes in "+epochs(d.Closes, s.Delay))
		}
		posted := "-"
		if d.Opens <= 0 {
			posted = fmt.Sprintf("%d of %d", d.Posted, d.Partitions)
		}
		t.row(d.Miner, d.Deadline.Index, when, d.Partitions, d.Sectors, nonZero(p, d.Faulty), d.Recovering, posted, p.state(orDash(string(d.Last))), expected(p, d))
	}
	t.write(w, p, "no deadline has sectors; --all lists them all the same")
}

func nonZero(p paint, n uint64) painted {
	if n == 0 {
		return "0"
	}
	return p.in(red, fmt.Sprint(n))
}

func expected(p paint, d deadlineLine) painted {
	f := d.Forecast
	if f == nil {
		return "-"
	}
	text := fmt.Sprintf("epoch %d, %d before close", f.Finish, d.Deadline.Close-f.Finish)
	if !f.Fits {
		return p.in(red, "will not fit: "+strings.TrimSuffix(f.Why, "."))
	}
	return painted(text)
}

func canRestartCommand() *cli.Command {
	c := readCommand("can-restart", "say whether the daemon may be stopped now, and until when", "", canRestart,
		&cli.DurationFlag{Name: "for", Usage: "how long it would be off", Value: 2 * time.Minute})
	c.Description = "It exits with 0 if it is safe: nothing that is being worked on would be lost, and nothing is owed before it is back. It exits with 1\n" +
		"if it is not, or if that is not known. Stored proofs and signed messages survive any restart, and so do sectors already read;\n" +
		"a proof in progress is begun anew."
	return c
}

func canRestart(ctx context.Context, r *reader) error {
	off := r.c.Duration("for")
	if off <= 0 {
		return &usageError{"--for has to be longer than nothing"}
	}
	s, err := r.status(ctx)
	if errors.Is(err, errOff) {
		return fmt.Errorf("there is nothing to restart: %w", err)
	}
	if err != nil {
		return err
	}
	delay := cmp.Or(s.Delay, 30*time.Second)
	answer := explain.CanRestart(s, abi.ChainEpoch((off+delay-1)/delay))
	if err := r.answer(answer, func(w io.Writer, p paint) { fmt.Fprintln(w, answer.Answer) }); err != nil {
		return err
	}
	if !answer.Safe {
		return errReported
	}
	return nil
}
