package alarm_test

import (
	"strings"
	"testing"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/alarm"
)

// Nobody is woken for a miner that somebody else posts for, but for a wrong proof on chain.
func TestAMinerInShadowWakesNobody(t *testing.T) {
	s := calm()
	missed := duty(at(4, head-90), vigil.StateMissed)
	missed.Row.Reason = vigil.ReasonNotProved
	s.Miners[0].Duties = append(s.Miners[0].Duties, missed)
	s.Miners[0].Deadlines[0].Faulty = 3
	s.Miners[0].Deadlines[0].Deadline.Index = 4 // not mended
	urgent := func() (codes []string) {
		for _, a := range alarm.Of(s, policy, now) {
			if a.Urgent {
				codes = append(codes, a.Code)
			}
		}
		return codes
	}
	if got := urgent(); len(got) != 1 || got[0] != alarm.DeadlineMissed {
		t.Fatalf("live: %v", got)
	}
	s.Miners[0].Shadow = true
	if got := urgent(); len(got) != 0 {
		t.Errorf("in shadow: %v", got)
	}
	if list := alarm.Of(s, policy, now); len(list) != 1 || !strings.Contains(list[0].What, "in shadow: somebody else posts") {
		t.Errorf("it is not told at all: %+v", list)
	}
	s.Miners[0].Audits = []vigil.AuditStatus{{Duty: "f01000/9900", Verdict: vigil.AuditDisputable, Until: head + 100}}
	if got := urgent(); len(got) != 1 || got[0] != alarm.ProofDisputable {
		t.Errorf("a wrong proof: %v", got)
	}
}
