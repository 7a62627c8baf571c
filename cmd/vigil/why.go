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

	"github.com/charmbracelet/x/ansi"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/urfave/cli/v3"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/app"
	"github.com/vigil-post/vigil/explain"
)

func whyCommand() *cli.Command {
	c := readCommand("why", "tell a duty from its beginning: what was done, and why it was late or missed", "[DUTY | MINER DEADLINE]", why, minerFlag())
	c.Description = "A DUTY is said as the log and vigil duties say it, f01000/1144209/0, or as MINER and the index of a DEADLINE: then the latest\n" +
		"is meant. Without an argument it is the last that was missed or late. It works while the daemon is off: what happened is in\n" +
		"its database, for as long as journal_days in [data] says."
	return c
}

func why(ctx context.Context, r *reader) error {
	s, err := r.story(ctx, r.c.Args().Slice())
	if err != nil {
		return err
	}
	return r.answer(s, func(w io.Writer, p paint) { writeStory(w, p, s) })
}

// story finds the duty that the arguments mean.
func (r *reader) story(ctx context.Context, args []string) (explain.Story, error) {
	switch len(args) {
	case 0:
		asked, miner, err := r.miner()
		if err != nil {
			return explain.Story{}, err
		}
		return fromPast(ctx, r, "/api/why", asked, func(p *app.Past) (explain.Story, error) { return p.Trouble(ctx, abi.ActorID(miner)) })
	case 1:
		id, err := vigil.ParseDutyID(args[0])
		if err != nil {
			return explain.Story{}, &usageError{err.Error()}
		}
		return r.storyOf(ctx, id)
	case 2:
		id, err := r.latest(ctx, args[0], args[1])
		if err != nil {
			return explain.Story{}, err
		}
		return r.storyOf(ctx, id)
	}
	return explain.Story{}, &usageError{fmt.Sprintf("%s takes a duty, or a miner and a deadline, and not %d words", r.c.FullName(), len(args))}
}

func (r *reader) storyOf(ctx context.Context, id vigil.DutyID) (explain.Story, error) {
	return fromPast(ctx, r, "/api/duties/"+id.String(), nil, func(p *app.Past) (explain.Story, error) { return p.Why(ctx, id) })
}

// latest is the newest post of a miner's deadline; of several batches the one that
// went worst.
func (r *reader) latest(ctx context.Context, miner, deadline string) (vigil.DutyID, error) {
	id, err := vigil.ParseMiner(miner)
	if err != nil {
		return vigil.DutyID{}, &usageError{err.Error()}
	}
	index, err := strconv.ParseUint(deadline, 10, 8)
	if err != nil || index > 47 {
		return vigil.DutyID{}, &usageError{fmt.Sprintf("%q is no deadline: give its index, 0 to 47", deadline)}
	}
	found, err := r.duties(ctx, vigil.DutyQuery{Miner: id, Deadline: &index, Kind: vigil.KindPost, Limit: 50})
	if err != nil {
		return vigil.DutyID{}, err
	}
	if len(found) == 0 {
		return vigil.DutyID{}, fmt.Errorf("no duty of %s at deadline %d is known: vigil duties lists them", miner, index)
	}
	found = slices.DeleteFunc(found, func(d explain.Duty) bool { return d.Open != found[0].Open })
	worst := []vigil.DutyState{vigil.StateMissed, vigil.StateScheduled, vigil.StateProved, vigil.StateSubmitted, vigil.StateConfirmed, vigil.StateReplaced}
	slices.SortStableFunc(found, func(a, b explain.Duty) int { return slices.Index(worst, a.State) - slices.Index(worst, b.State) })
	return vigil.ParseDutyID(found[0].ID)
}

// duties asks for the duties of a query.
func (r *reader) duties(ctx context.Context, q vigil.DutyQuery) ([]explain.Duty, error) {
	asked := url.Values{}
	set := func(name, value string, given bool) {
		if given {
			asked.Set(name, value)
		}
	}
	set("miner", vigil.MinerAddress(q.Miner).String(), q.Miner != 0)
	if q.Deadline != nil {
		asked.Set("deadline", strconv.FormatUint(*q.Deadline, 10))
	}
	set("kind", string(q.Kind), q.Kind != "")
	set("limit", strconv.Itoa(q.Limit), q.Limit > 0)
	set("before", strconv.FormatInt(int64(q.Before), 10), q.Before > 0)
	for _, s := range q.States {
		asked.Add("state", string(s))
	}
	return fromPast(ctx, r, "/api/duties", asked, func(p *app.Past) ([]explain.Duty, error) { return p.Duties(ctx, q) })
}

// writeStory prints a duty's story for people: why first, then the timeline.
func writeStory(w io.Writer, p paint, s explain.Story) {
	fmt.Fprintf(w, "%s: deadline %d of %s, open from epoch %d to %d: %s\n\n", p.in(bold, s.ID), s.Deadline, s.Miner, s.Open, s.Close, p.state(string(s.Verdict)))
	for _, sentence := range s.Why {
		writeWrapped(w, "  • ", sentence)
	}
	if s.Advice != "" {
		fmt.Fprintln(w)
		writeWrapped(w, "What to do: ", s.Advice)
	}
	fmt.Fprintln(w)
	t := newTable("TIME", "EPOCH", "TO CLOSE", "WHAT")
	for _, m := range s.Timeline {
		t.row(timeOfMoment(m), m.Epoch, leftOf(m), p.level(m.Level, withDetails(m)))
	}
	t.write(w, p, "nothing is known of what happened: it is older than the journal")
	if s.Proof != nil {
		fmt.Fprintf(w, "\nproof    sha256 %s, %d sectors, kernels %s\n", s.Proof.SHA256, s.Proof.Sectors, orDash(s.Proof.Kernels))
	}
	for _, m := range s.Messages {
		fmt.Fprintf(w, "message  %s, %s, %d attempt(s); vigil message explain says more\n", orDash(m.CID), p.state(string(m.State)), len(m.Attempts))
	}
	if s.Paid.Sign() > 0 {
		fmt.Fprintf(w, "paid     %s\n", explain.FIL(s.Paid))
	}
}

// level colours a sentence that is not just information.
func (p paint) level(level, text string) painted {
	switch level {
	case "warn":
		return p.in(yellow, text)
	case "error":
		return p.in(red, text)
	}
	return painted(oneLine(text))
}

func withDetails(m explain.Moment) string {
	text := m.Text
	if m.Proof != "" {
		text += " sha256 " + m.Proof[:min(16, len(m.Proof))] + "…"
	}
	if m.TipSet != "" {
		text += " [tipset " + shortTipSet(m.TipSet) + "]"
	}
	return text
}

// shortTipSet leaves what tells tipsets apart: the end of the first block's CID.
func shortTipSet(k vigil.TipSetKey) string {
	first, rest, more := strings.Cut(string(k), ",")
	text := "…" + first[max(0, len(first)-8):]
	if more {
		text += fmt.Sprintf(" and %d", strings.Count(rest, ",")+1)
	}
	return text
}

func timeOfMoment(m explain.Moment) string {
	if m.Time.IsZero() {
		return ""
	}
	return m.Time.Local().Format("2006-01-02 15:04:05")
}

func leftOf(m explain.Moment) string {
	if m.Left == nil {
		return ""
	}
	d := time.Duration(*m.Left * float64(time.Second))
	if d < 0 {
		return "-" + short(-d)
	}
	return short(d)
}

// short is a duration in its two largest units, without spaces.
func short(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return d.Round(100 * time.Millisecond).String()
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// textWidth is how wide running text is printed.
const textWidth = 110

// writeWrapped prints a sentence below itself.
func writeWrapped(w io.Writer, lead, text string) {
	indent := strings.Repeat(" ", ansi.StringWidth(lead))
	for i, line := range strings.Split(ansi.Wordwrap(oneLine(text), textWidth-len(indent), ""), "\n") {
		if i > 0 {
			lead = indent
		}
		fmt.Fprintln(w, lead+line)
	}
}
