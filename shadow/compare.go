package shadow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// Verdict is who did better with a partition.
type Verdict string

const (
	Same        Verdict = "same"
	Better      Verdict = "vigil better" // than those who post
	Worse       Verdict = "vigil worse"
	Mixed       Verdict = "mixed" // better in one thing and worse in another
	NotCompared Verdict = "not compared"
)

// Late says when a post is late: so many epochs after its deadline opened, or so
// many before it closes, when little time is left to replace a message.
type Late struct {
	After  abi.ChainEpoch // later than Open + After
	Before abi.ChainEpoch // at or after Close − Before
}

// DefaultLate is ten minutes after the opening, and five before the close.
var DefaultLate = Late{After: 20, Before: 10}

// says why a post at an epoch is late, or nothing.
func (l Late) says(epoch abi.ChainEpoch, d vigil.Deadline) string {
	switch {
	case epoch >= d.Close-l.Before:
		return fmt.Sprintf("%d epochs before the close", d.Close-epoch)
	case epoch > d.Open+l.After:
		return fmt.Sprintf("%d epochs after the opening", epoch-d.Open)
	}
	return ""
}

// Line is the comparison of one partition, or of a deadline's recoveries.
type Line struct {
	Miner     string         `json:"miner"`
	Deadline  uint64         `json:"deadline"`
	Open      abi.ChainEpoch `json:"open"`
	Partition uint64         `json:"partition"`
	Recovery  bool           `json:"recovery,omitempty"` // it is about what was declared recovered, of all partitions
	Verdict   Verdict        `json:"verdict"`
	Why       []string       `json:"why,omitempty"`
	Theirs    string         `json:"theirs"` // what the chain shows, in words
	Ours      string         `json:"ours"`   // what we would have done, in words
}

// Compare says who did better with each partition of a record, and why. It is pure.
func Compare(r vigil.ShadowRecord, late Late) []Line {
	var lines []Line
	for _, p := range r.Partitions {
		c := comparison{record: r, late: late}
		line := c.partition(p)
		line.Partition = p.Index
		lines = append(lines, line)
	}
	c := comparison{record: r, late: late}
	if c.recovery(); len(c.better)+len(c.worse) > 0 {
		line := c.line()
		line.Recovery = true
		line.Theirs, line.Ours = declared(r.Recovery.Theirs), declared(r.Recovery.Ours)
		lines = append(lines, line)
	}
	return lines
}

// comparison collects what speaks for one and for the other.
type comparison struct {
	record        vigil.ShadowRecord
	late          Late
	better, worse []string
}

func (c *comparison) line() Line {
	l := Line{
		Miner: vigil.MinerAddress(c.record.Miner).String(), Deadline: c.record.Deadline.Index, Open: c.record.Deadline.Open,
		Verdict: Same, Why: slices.Concat(c.better, c.worse),
	}
	switch {
	case len(c.better) > 0 && len(c.worse) > 0:
		l.Verdict = Mixed
	case len(c.better) > 0:
		l.Verdict = Better
	case len(c.worse) > 0:
		l.Verdict = Worse
	}
	return l
}

func (c *comparison) partition(p vigil.ShadowPartition) Line {
	sent := p.Ours.Work.Sent > 0
	switch {
	case p.Ours.Work.Begun == 0, !sent && p.Ours.State != vigil.StateMissed:
		l := c.line()
		l.Verdict, l.Why = NotCompared, []string{"vigil did not run, or not in shadow, when there was something to do"}
		l.Theirs, l.Ours = theirs(p), "–"
		return l
	case sent && !p.Theirs.Posted:
		c.better = append(c.better, fmt.Sprintf("they missed it%s: %s lost power. Ours would have been sent at epoch %d", c.failures(p.Index), count(len(p.Theirs.Faulted), "sector"), p.Ours.Work.Sent))
	case !sent && !p.Theirs.Posted:
		l := c.line()
		l.Why = []string{"both missed it; ours: " + trouble(p.Ours)}
		l.Theirs, l.Ours = theirs(p), ours(p.Ours)
		return l
	case !sent:
		c.worse = append(c.worse, "ours was not ready in time: "+trouble(p.Ours))
		c.theirPost(p)
	default:
		c.skips(p)
		c.lateness(p)
		c.theirPost(p)
	}
	l := c.line()
	l.Theirs, l.Ours = theirs(p), ours(p.Ours)
	return l
}

// theirPost judges their post by itself: its proof, and messages that failed before it.
func (c *comparison) theirPost(p vigil.ShadowPartition) {
	if p.Theirs.Verdict == vigil.AuditDisputable {
		c.better = append(c.better, "their proof is wrong, and anybody can dispute it: "+p.Theirs.Problem)
	}
	if said := c.failures(p.Index); said != "" {
		c.better = append(c.better, "their message"+said)
	}
}

// failures says what messages with a partition failed, or nothing.
func (c *comparison) failures(index uint64) string {
	var said []string
	for _, post := range c.record.Posts {
		if _, ok := of(post, index); ok && !post.ExitCode.IsSuccess() {
			said = append(said, fmt.Sprintf("%s failed at epoch %d with exit code %d", post.Message, post.Epoch, post.ExitCode))
		}
	}
	if len(said) == 0 {
		return ""
	}
	return " " + strings.Join(said, ", ")
}

// skips compares the sectors that were left out.
func (c *comparison) skips(p vigil.ShadowPartition) {
	var bad []abi.SectorNumber
	var cause string
	for _, b := range p.Ours.Skipped {
		bad = append(bad, b.Number)
		if !slices.Contains(p.Theirs.Skipped, b.Number) && cause == "" {
			cause = b.Cause
		}
	}
	if healthy := without(p.Theirs.Skipped, bad); len(healthy) > 0 {
		c.better = append(c.better, fmt.Sprintf("they skipped %s that vigil read and proved: %s", count(len(healthy), "sector"), some(healthy)))
	}
	if more := without(bad, p.Theirs.Skipped); len(more) > 0 {
		c.worse = append(c.worse, fmt.Sprintf("vigil would have skipped %s that they proved: %s; the first: %s", count(len(more), "sector"), some(more), cause))
	}
}

// lateness compares when the message came.
func (c *comparison) lateness(p vigil.ShadowPartition) {
	d := c.record.Deadline
	they, we := c.late.says(p.Theirs.Epoch, d), c.late.says(p.Ours.Work.Sent, d)
	switch {
	case they != "" && we == "":
		c.better = append(c.better, fmt.Sprintf("they were late: posted at epoch %d, %s. Ours would have been sent at epoch %d", p.Theirs.Epoch, they, p.Ours.Work.Sent))
	case they == "" && we != "":
		c.worse = append(c.worse, fmt.Sprintf("ours would have been late: sent at epoch %d, %s. Theirs was on chain at epoch %d", p.Ours.Work.Sent, we, p.Theirs.Epoch))
	}
}

// recovery compares what was declared recovered.
func (c *comparison) recovery() {
	r := c.record.Recovery
	if missed := without(r.Ours, r.Theirs); len(missed) > 0 {
		c.better = append(c.better, fmt.Sprintf("they did not declare %s recovered that can be read: %s. Vigil would have at epoch %d", count(len(missed), "sector"), some(missed), r.Epoch))
	}
	for _, p := range c.record.Partitions {
		for _, b := range r.Unreadable {
			if slices.Contains(r.Theirs, b.Number) && p.Theirs.Posted && !slices.Contains(p.Theirs.Skipped, b.Number) && len(c.worse) == 0 {
				c.worse = append(c.worse, fmt.Sprintf("they declared sector %d recovered, which vigil could not read: %s", b.Number, b.Cause))
			}
		}
	}
}

func trouble(o vigil.ShadowOurs) string {
	said := strings.ReplaceAll(string(o.Reason), "_", " ")
	if o.Problem != "" {
		said += " (" + o.Problem + ")"
	}
	return said
}

func theirs(p vigil.ShadowPartition) string {
	if !p.Theirs.Posted {
		return "not posted"
	}
	said := fmt.Sprintf("posted at %d", p.Theirs.Epoch)
	if n := len(p.Theirs.Skipped); n > 0 {
		said += fmt.Sprintf(", %d skipped", n)
	}
	if p.Theirs.Verdict != "" {
		said += ", " + string(p.Theirs.Verdict)
	}
	return said
}

func ours(o vigil.ShadowOurs) string {
	if o.Work.Sent == 0 {
		return string(o.State)
	}
	said := fmt.Sprintf("ready at %d, sent at %d", o.Work.Ready, o.Work.Sent)
	if n := len(o.Skipped); n > 0 {
		said += fmt.Sprintf(", %d skipped", n)
	}
	return said
}

func declared(numbers []abi.SectorNumber) string {
	return count(len(numbers), "sector") + " declared"
}

// without gives the numbers of a list that are not in another.
func without(list, other []abi.SectorNumber) []abi.SectorNumber {
	return slices.DeleteFunc(slices.Clone(list), func(n abi.SectorNumber) bool { return slices.Contains(other, n) })
}

// some names up to five sectors, and counts the rest.
func some(list []abi.SectorNumber) string {
	const most = 5
	var names []string
	for _, n := range list[:min(len(list), most)] {
		names = append(names, n.String())
	}
	if len(list) > most {
		names = append(names, fmt.Sprintf("and %d more", len(list)-most))
	}
	return strings.Join(names, ", ")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
