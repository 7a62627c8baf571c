package dashboard

import (
	"slices"
	"time"

	"github.com/vigil-post/vigil"
)

// mostProofs is how many proofs are listed.
const mostProofs = 30

// proversView is what makes proofs, the proofs in hand, and how the last tries went.
type proversView struct {
	Provers []proverLine
	Proofs  []proofLine // being made first, then those that wait, as their prover takes them
	Rest    int         // of those, how many are not in the list
	Proving vigil.ProvingStatus
}

// Failed is how many tries came to nothing, in words.
func (v proversView) Failed() string { return count(int(v.Proving.Failed), "try") }

// proverLine is one of them.
type proverLine struct {
	mark
	vigil.ProverStatus
	Running, Waiting int
}

// proofLine is a proof in hand.
type proofLine struct {
	mark
	Duty, Link string
	Sectors    int
	Since      time.Time // when its turn came, or it began to wait for it
	For        string
	Closes     time.Time
	In         string // until then
}

// provers are those that Present knows; there are none where it is missing.
func (d *dashboard) provers(at moment) proversView {
	if d.Present == nil {
		return proversView{Proving: at.Proving}
	}
	return viewProvers(d.Present.Provers(), at)
}

func viewProvers(all []vigil.ProverStatus, at moment) proversView {
	v := proversView{Proving: at.Proving}
	for _, s := range all {
		line := proverLine{mark: mark{"confirmed", "✓", "ready"}, ProverStatus: s}
		for _, work := range s.Proofs {
			if work.Running {
				line.Running++
			} else {
				line.Waiting++
			}
			v.Proofs = append(v.Proofs, viewProof(work, at))
		}
		switch {
		case s.Problem != "":
			line.mark = mark{"warning", "!", "slower than it could be"}
		case line.Running > 0:
			line.mark = mark{"scheduled", "…", "proving"}
		}
		v.Provers = append(v.Provers, line)
	}
	slices.SortStableFunc(v.Proofs, func(a, b proofLine) int { return compareFlags(b.Class == "scheduled", a.Class == "scheduled") })
	v.Rest = max(0, len(v.Proofs)-mostProofs)
	v.Proofs = v.Proofs[:len(v.Proofs)-v.Rest]
	return v
}

func compareFlags(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func viewProof(w vigil.ProofWork, at moment) proofLine {
	line := proofLine{
		mark: mark{"upcoming", "·", "waiting"}, Duty: w.Duty, Link: dutyPath(w.Duty), Sectors: w.Sectors, Since: w.Since,
		For: age(at.now.Sub(w.Since)), Closes: at.at(w.Close), In: left(w.Close-at.Head, at.Delay),
	}
	if w.Running {
		line.mark = mark{"scheduled", "…", "being made"}
	}
	return line
}
