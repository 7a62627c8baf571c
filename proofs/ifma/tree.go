package ifma

// lists are the points to be added up for some buckets in turn: for each, so many
// of the references.
type lists struct {
	refs    []uint32
	lengths []int32
}

// sum adds each list up, level by level: neighbours are paired, one that is left
// over goes on to the next level. Lists end with one reference, or none if they are
// empty or their sum is infinity. Results lie from slot work on; at most as many
// as there are references.
func (a *adder) sum(l *lists, work uint32) {
	for {
		a.start(work)
		kept, at, most := 0, 0, int32(0)
		for i, n := range l.lengths {
			refs := l.refs[at : at+int(n)]
			at += int(n)
			for len(refs) > 1 {
				first, second := refs[0], refs[1]
				l.refs[kept] = a.next() << 1
				kept++
				a.add(first, second)
				refs = refs[2:]
			}
			if len(refs) == 1 {
				l.refs[kept] = refs[0]
				kept++
			}
			l.lengths[i] = (n + 1) / 2
			most = max(most, l.lengths[i])
		}
		work = a.next()
		a.flush()
		l.refs = l.refs[:kept]
		if len(a.infinite) > 0 {
			a.dropInfinite(l)
		}
		if most <= 1 {
			return
		}
	}
}

// dropInfinite takes results out that are infinity.
func (a *adder) dropInfinite(l *lists) {
	kept, at := 0, 0
	for i, n := range l.lengths {
		for _, ref := range l.refs[at : at+int(n)] {
			if a.infinite[ref>>1] {
				l.lengths[i]--
				continue
			}
			l.refs[kept] = ref
			kept++
		}
		at += int(n)
	}
	l.refs = l.refs[:kept]
	clear(a.infinite)
}
