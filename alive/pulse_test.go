package alive_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigil-post/vigil/alive"
)

func TestAPulseKnowsWhatHasStoodStillForLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p alive.Pulse
		began := time.Now()
		first := p.Begin()
		time.Sleep(time.Minute)
		second := p.Begin()
		if !p.BusySince().Equal(began) {
			t.Errorf("busy since %v", p.BusySince())
		}
		time.Sleep(time.Minute)
		first.Goes()
		if since := p.BusySince(); !since.Equal(began.Add(time.Minute)) {
			t.Errorf("the first went on, and it is busy since %v", since)
		}
		second.End()
		second.End()
		second.Goes() // it is over
		if since := p.BusySince(); !since.Equal(began.Add(2 * time.Minute)) {
			t.Errorf("the second ended, and it is busy since %v", since)
		}
		first.End()
		if !p.BusySince().IsZero() {
			t.Error("nothing goes on")
		}
		(*alive.Turn)(nil).Goes()
	})
}
