package sector

import "time"

const (
	firstPlaces = 16
	leastPlaces = 2
	gain        = 1.05 // what counts as faster: one part in twenty
)

// pace finds how many sectors are best read from a storage at a time, by trying:
// a disk with one arm, an array of twenty and a server behind a network differ
// by a factor of a hundred, and nobody could say the number for theirs. While
// there is more to read than places, it counts how many reads are finished in a
// second, changes the places by a quarter, and counts again: it goes up for as
// long as that is faster by a twentieth, and down for as long as it is not
// slower by one. So it stays near the least number that gets the most out of the
// storage, and follows when somebody else uses it too.
//
// The zero pace is ready. It is not safe for concurrent use.
type pace struct {
	now  int // places; 0 means firstPlaces
	down bool
	rate float64 // reads a second when places were changed last, or 0
	done int
	from time.Time // since when done is counted, zero at first
}

// most bounds what trying can come to.
const mostPlaces = 128

func (p *pace) places() int {
	if p.now == 0 {
		return firstPlaces
	}
	return p.now
}

// finished notes the end of a read. A time in which not all places were wanted
// tells nothing of the storage.
func (p *pace) finished(at time.Time, wanted bool) {
	if !wanted || p.from.IsZero() {
		p.from, p.done = at, 0
		return
	}
	if p.done++; p.done < max(8, 2*p.places()) {
		return
	}
	took := at.Sub(p.from).Seconds()
	if took <= 0 {
		return
	}
	rate := float64(p.done) / took
	p.turn(rate)
	step := max(1, p.places()/4)
	if p.down {
		step = -step
	}
	p.now = min(max(p.places()+step, leastPlaces), mostPlaces)
	p.rate, p.from, p.done = rate, at, 0
}

// turn decides which way to go on from the rate at the places there are now.
func (p *pace) turn(rate float64) {
	switch {
	case p.rate == 0:
	case !p.down && rate < p.rate*gain:
		p.down = true
	case p.down && rate*gain < p.rate:
		p.down = false
	}
	if p.places() <= leastPlaces {
		p.down = false
	} else if p.places() >= mostPlaces {
		p.down = true
	}
}
