package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/explain"
)

// story is what must be told of a duty after a mishap, and what must not.
type story struct {
	live    bool                      // it is asked of the running daemon too; with VIGIL_LONG=1 all are
	of      func(*flock) vigil.DutyID // the post of the first deadline, if nil
	verdict explain.Verdict
	reason  vigil.Reason // "" where it depends on how far it came
	why     []string     // in the sentences that come first, or in the advice
	tells   []string     // in the timeline, in this order
	blames  []string     // of the blames, those that are true: no other is in it
}

// blames are words that put something down to somebody. They must not be told where it
// was not so.
var blames = map[string][]string{
	"daemon":   {"daemon was told to stop", "daemon ended without", "daemon was off"},
	"chain":    {"no new head was seen"},
	"state":    {"state could not be read from any node"},
	"node":     {"unreachable", "refused", "set aside", "one alone can make it blind"},
	"storage":  {"replica", "storage", "were being read", "not checked", " bad"},
	"prover":   {"prover", "does not verify", "being made", "selftest"},
	"key":      {"wallet", "sign:"},
	"money":    {"top it up"},
	"fee":      {"base fee is"},
	"pool":     {"did not get it to those", "have peers"},
	"nonce":    {"nonce that", "its nonce", "used nonce"},
	"database": {"database"},
	"reorg":    {"reorg"},
	"somebody": {"somebody else", "no message of this Vigil"},
	"forger":   {"does not prove the chain's sectors"},
}

func (s story) duty(f *flock) vigil.DutyID {
	if s.of != nil {
		return s.of(f)
	}
	return vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: opens(0)}
}

// wrong says what is not as it should be in what is told.
func (s story) wrong(told explain.Story, err error) (wrong []string) {
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if err != nil {
		complain("%v", err)
		return wrong
	}
	if told.Verdict != s.verdict || s.reason != "" && told.Reason != s.reason {
		complain("it says %s (%s), and it is %s (%s)", told.Verdict, told.Reason, s.verdict, s.reason)
	}
	why := strings.Join(append(slices.Clone(told.Why), told.Advice), "\n")
	for _, words := range s.why {
		if !strings.Contains(why, words) {
			complain("why does not say %q", words)
		}
	}
	rest := timelineOf(told)
	for _, words := range append(slices.Clone(s.tells), s.ending()) {
		_, after, found := strings.Cut(rest, words)
		if !found {
			complain("the timeline does not say, in order, %q", words)
			break
		}
		rest = after
	}
	if s.verdict == explain.VerdictMissed && told.Advice == "" {
		complain("it does not say what to do")
	}
	return append(append(wrong, s.falseBlames(told)...), outOfOrder(told)...)
}

func (s story) ending() string {
	switch s.verdict {
	case explain.VerdictMissed:
		return "It was missed"
	case explain.VerdictPending:
		return ""
	}
	return "confirmed."
}

// falseBlames are those in the sentences that come first and in the advice. The timeline
// tells what happened besides, as it does on a busy machine.
func (s story) falseBlames(told explain.Story) (wrong []string) {
	said := append(slices.Clone(told.Why), told.Advice)
	for who, words := range blames {
		if slices.Contains(s.blames, who) {
			continue
		}
		for _, text := range said {
			for _, word := range words {
				if strings.Contains(text, word) {
					wrong = append(wrong, fmt.Sprintf("it puts something down to the %s (%q), which had no part in it: %s", who, word, text))
				}
			}
		}
	}
	return wrong
}

// outOfOrder says where a timeline goes back, in time or in epochs, where no reorg does.
func outOfOrder(told explain.Story) (wrong []string) {
	var last abi.ChainEpoch
	for i, m := range told.Timeline {
		if m.Epoch < last && !strings.Contains(timelineOf(told), "reorg") {
			wrong = append(wrong, fmt.Sprintf("epoch %d is told after epoch %d: %s", m.Epoch, last, m.Text))
		}
		if left := m.Left; left == nil {
			wrong = append(wrong, "it is not said how long is left: "+m.Text)
		}
		if i > 0 && m.Text == told.Timeline[i-1].Text {
			wrong = append(wrong, "it is said twice: "+m.Text)
		}
		last = m.Epoch
	}
	return wrong
}

// toldOf is a story as a test's log shows it.
func toldOf(s explain.Story) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s (%s)\n", s.ID, s.Verdict, s.Reason)
	for _, text := range s.Why {
		fmt.Fprintf(&b, "  • %s\n", text)
	}
	fmt.Fprintf(&b, "what to do: %s\n", s.Advice)
	for _, m := range s.Timeline {
		left := "?"
		if m.Left != nil {
			left = fmt.Sprintf("%.1fs", *m.Left)
		}
		fmt.Fprintf(&b, "%4d %6s %s\n", m.Epoch, left, m.Text)
	}
	return b.String()
}

func timelineOf(s explain.Story) string {
	var lines []string
	for _, m := range s.Timeline {
		lines = append(lines, m.Text)
	}
	return strings.Join(lines, "\n")
}
