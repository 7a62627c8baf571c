package app

import (
	"slices"
	"testing"

	"github.com/vigil-post/vigil/alarm"
)

// Every kind of alarm has its mishap, but for those that a devnet cannot have happen: they
// are judged in package alarm.
func TestEveryAlarmHasItsMishap(t *testing.T) {
	elsewhere := []string{
		alarm.UpgradeUnknown,  // of a network version that nothing here knows
		alarm.NotStarted,      // the loop of a miner stands still
		alarm.RecoveryMissed,  // a proving period later
		alarm.RehearsalUnread, // as rehearsal-bad, with another error
		alarm.DiskFull,
		alarm.StartWaits,       // of no duty: TestAStartWithAllNodesDownIsSeenEverywhere has its like
		alarm.LoopStuck,        // in the watchdog's own tests
		alarm.VectorUnitFaulty, // it costs no deadline: TestADeadlineIsMetThoughTheVectorUnitComputesWrong
	}
	for _, c := range alarm.Codes {
		staged := slices.ContainsFunc(mishaps, func(m mishap) bool { return m.code == c.Code })
		if staged == slices.Contains(elsewhere, c.Code) {
			t.Errorf("%s: it has a mishap: %v", c.Code, staged)
		}
	}
	for _, m := range mishaps {
		if m.code == "" && !m.silent || m.story.verdict == "" || len(m.story.why) == 0 || len(m.story.tells) == 0 {
			t.Errorf("%s: it has no alarm, or nothing is told of it", m.what)
		}
	}
}
