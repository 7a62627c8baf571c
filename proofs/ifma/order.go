package ifma

// unit is what a worker adds up at a time: the references of some buckets in a row
// of a window. It is all of them that fit a stretch, or a single one.
type unit struct {
	first, last uint32 // absolute values of digits
}

// sorted are references to a chunk's points, for each window by their digit in a sum.
type sorted struct {
	order  []uint32
	starts []uint32 // where in its window's order a digit's references begin
	units  [][]unit // of each window
}

// startsOf are, for each absolute value d of the digits in a window, where its
// references begin; those of d+1 begin where they end.
func (r *run) startsOf(o *sorted, window int) []uint32 {
	n := r.windows.buckets() + 2
	return o.starts[window*n : (window+1)*n]
}

// sort orders a window's references to the n points from the first on, and says what there is to
// add up. It is a counting sort. Points with digit zero are left out.
func (r *run) sort(worker int, o *sorted, window int, first uint32, n int) {
	if r.workers > r.count {
		worker = window // of which one is sorted at a time
	}
	digits, starts := r.digits[worker][:n], r.startsOf(o, window)
	clear(starts)
	r.scalars.digits(&r.windows, window, digits, starts[:len(starts)-1])
	at := uint32(0)
	starts[0] = 0
	for d := 1; d < len(starts); d++ {
		count := starts[d]
		starts[d] = at
		at += count
	}
	order := o.order[window*r.chunk : (window+1)*r.chunk]
	for i, digit := range digits {
		if d := digit >> 1; d != 0 {
			order[starts[d]] = (first+uint32(i))<<1 | digit&1
			starts[d]++
		}
	}
	copy(starts[1:], starts[:len(starts)-1]) // each is where the next one begins now
	starts[0], starts[1] = 0, 0
	o.units[window] = r.units(starts)
}

// units are what there is to add up, cut at stretches.
func (r *run) units(starts []uint32) (units []unit) {
	u := unit{first: 1}
	size := 0
	for d := uint32(1); d <= uint32(r.windows.buckets()); d++ {
		n := int(starts[d+1]-starts[d]) + 1 // and what is in the bucket
		if size+n > r.stretch && d > u.first {
			units = append(units, u)
			u.first, size = d, 0
		}
		u.last = d
		size += n
	}
	return append(units, u)
}

// fillBuckets adds a unit's points to its buckets of sum j in a window.
func (r *run) fillBuckets(worker, j, window int, o *sorted, u unit) {
	starts, l := r.startsOf(o, window), &r.lists[worker]
	order := o.order[window*r.chunk:]
	if n := starts[u.last+1] - starts[u.first]; n == 0 {
		return
	}
	refs, lengths := l.refs[:0], l.lengths[:0]
	for d := u.first; d <= u.last; d++ {
		from, to := starts[d], starts[d+1]
		for int(to-from)+1 > r.stretch { // one long list: in pieces
			piece := order[from : from+uint32(r.stretch)-1]
			from += uint32(len(piece))
			whole := append(r.bucket(j, window, d, refs), piece...)
			r.addUp(worker, j, window, d, d, lists{whole, append(lengths, int32(len(whole)))})
		}
		before := len(refs)
		refs = append(r.bucket(j, window, d, refs), order[from:to]...)
		lengths = append(lengths, int32(len(refs)-before))
	}
	r.addUp(worker, j, window, u.first, u.last, lists{refs, lengths})
}

// bucket appends the reference to a bucket, if anything is in it.
func (r *run) bucket(j, window int, d uint32, refs []uint32) []uint32 {
	if ref := r.filled[j][window*r.windows.buckets()+int(d)-1]; ref != 0 {
		return append(refs, ref)
	}
	return refs
}

// addUp adds lists up, one for each of some buckets in a row, which then hold the
// sums.
func (r *run) addUp(worker, j, window int, first, last uint32, l lists) {
	a := &r.adders[worker]
	a.sum(&l, r.results[worker])
	at := 0
	for d := first; d <= last; d++ {
		i := window*r.windows.buckets() + int(d) - 1
		if l.lengths[d-first] == 0 {
			r.filled[j][i] = 0
			continue
		}
		ref, slot := l.refs[at], r.buckets[j]+uint32(i)
		at++
		if ref>>1 != slot {
			copy(a.point(slot), a.point(ref>>1))
		}
		r.filled[j][i] = slot<<1 | ref&1
	}
}
