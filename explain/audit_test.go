package explain

import (
	"testing"

	"github.com/vigil-post/vigil"
)

func TestAVerdictIsToldWithTheSeedItWasFoundWith(t *testing.T) {
	duty := vigil.DutyID{Kind: vigil.KindPost, Miner: 1000, Open: 600}
	facts := vigil.EventFacts{After: "valid", Partitions: []uint64{0, 2}, Seed: "0a0b", Since: 580, Until: 2460}
	wrong := facts
	wrong.After, wrong.Problem = "disputable", "the proof does not prove the 3 sectors that it has to"
	ours := facts
	ours.About = "bafyours"
	for _, c := range []struct {
		event       vigil.Event
		level, want string
	}{
		{vigil.Event{Kind: vigil.EventAudit, Duty: duty, EventFacts: ours}, "info",
			"The post of partitions [0 2] that stands on chain (our message bafyours) was judged with the challenge seed 0a0b of epoch 580: its proof is right, and no dispute can succeed."},
		{vigil.Event{Kind: vigil.EventAudit, Duty: duty, EventFacts: wrong}, "error",
			"The post of partitions [0 2] that stands on chain was judged with the challenge seed 0a0b of epoch 580: the proof does not prove the 3 sectors that it has to; anybody can dispute it until epoch 2460."},
		{vigil.Event{Kind: vigil.EventAudit, Miner: 1000, EventFacts: facts}, "info",
			"The post of partitions [0 2] that stands on chain (of no duty of ours) was judged with the challenge seed 0a0b of epoch 580: its proof is right, and no dispute can succeed."},
	} {
		if got := TellEvent(c.event); got != c.want || LevelOf(c.event) != c.level {
			t.Errorf("%s: %s\nwant %s: %s", LevelOf(c.event), got, c.level, c.want)
		}
	}
	d := vigil.Duty{ID: duty, State: vigil.StateConfirmed, Deadline: vigil.Deadline{Challenge: 580, Open: 600, Close: 660}}
	story := Recount(Record{Duty: d, Events: []vigil.Event{{Kind: vigil.EventAudit, Epoch: 661, Duty: duty, EventFacts: ours}}}, At{Head: 700})
	if last := story.Timeline[len(story.Timeline)-1]; last.Kind != vigil.EventAudit {
		t.Errorf("a duty's story ends with %+v", last)
	}
}
