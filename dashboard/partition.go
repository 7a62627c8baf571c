package dashboard

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-bitfield"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil"
)

// The states of a sector, as the chain and Vigil's own reading have them.
var (
	sectorActive     = mark{"confirmed", "✓", "active"}
	sectorFaulty     = mark{"missed", "✕", "faulty"}
	sectorRecovering = mark{"scheduled", "↻", "recovering"}
	sectorUnproven   = mark{"upcoming", "", "not proven yet"}
	sectorTerminated = mark{"empty", "·", "terminated"}
	sectorBad        = mark{"warning", "!", "cannot be read"}

	sectorStates = []mark{sectorFaulty, sectorBad, sectorRecovering, sectorUnproven, sectorTerminated, sectorActive}
)

// mostPartitionSectors bounds what is taken from a node for one partition: more than any proof type has.
const mostPartitionSectors = 1 << 14

// mostTroubled bounds the list of sectors that are told of one by one.
const mostTroubled = 500

// deadlineView is a deadline's page.
type deadlineView struct {
	cellView
	Miner, MinerLink string
	Duties           []dutyView
	ReadAt           string
	Problem          string // why its partitions are not shown
	PartitionLines   []partitionView
	Before, After    string // links to its neighbours
	Recovery         *vigil.RecoveryStatus
	Rehearsal        *vigil.RehearsalStatus
	Audits           []vigil.AuditStatus
}

// partitionView is a partition, as a line of its deadline's page and on its own.
type partitionView struct {
	Index    uint64
	Link     string
	Counts   []sectorCount
	Sectors  int
	Problem  string
	Troubled []sectorLine // the faulty, the recovering and those that cannot be read
	Rest     int          // of those, how many are not in the list
	Grid     gridView
	numbers  map[string][]uint64 // by class of mark
}

// sectorCount is how many sectors are in a state, and which.
type sectorCount struct {
	mark
	N      int
	Ranges string
}

// sectorLine is a sector that somebody may want to do something about.
type sectorLine struct {
	mark
	Number uint64
	Cause  string
}

// placeOf finds the miner and the deadline that a request's path names.
func placeOf(r *http.Request, at moment) (vigil.MinerStatus, abi.ActorID, int, error) {
	m, err := at.miner(r.PathValue("miner"))
	if err != nil {
		return m, 0, 0, err
	}
	index, err := strconv.ParseUint(r.PathValue("deadline"), 10, 16)
	i := slices.IndexFunc(m.Deadlines, func(d vigil.DeadlineStatus) bool { return err == nil && d.Deadline.Index == index })
	if i < 0 {
		return m, 0, 0, &notHere{fmt.Sprintf("%s has no deadline %s that is known yet", m.Miner, r.PathValue("deadline"))}
	}
	named, err := address.NewFromString(m.Miner)
	if err != nil {
		return m, 0, 0, fmt.Errorf("miner %q: %w", m.Miner, err)
	}
	id, err := address.IDFromAddress(named)
	return m, abi.ActorID(id), i, err
}

// deadlinePage is a deadline with its partitions as the chain has them.
func (d *dashboard) deadlinePage(r *http.Request, at moment) (sight, error) {
	m, id, i, err := placeOf(r, at)
	if err != nil {
		return sight{}, err
	}
	v := viewDeadline(m, i, at)
	read, err := d.look(r.Context(), id, v.Index, at)
	v.reading(read, err)
	for _, p := range read.partitions {
		v.PartitionLines = append(v.PartitionLines, viewPartition(p, m, v.Index))
	}
	title := fmt.Sprintf("Deadline %d of %s", v.Index, m.Miner)
	return sight{title: title, pieces: []piece{{"deadline", "deadline", v}, {"partitions", "partitions", v}, {"duties", "deadline-duties", v}}}, nil
}

// partitionPage is a partition down to the sector.
func (d *dashboard) partitionPage(r *http.Request, at moment) (sight, error) {
	m, id, i, err := placeOf(r, at)
	if err != nil {
		return sight{}, err
	}
	v := viewDeadline(m, i, at)
	read, err := d.look(r.Context(), id, v.Index, at)
	v.reading(read, err)
	index, bad := strconv.ParseUint(r.PathValue("partition"), 10, 16)
	if bad != nil || err == nil && index >= uint64(len(read.partitions)) {
		return sight{}, &notHere{fmt.Sprintf("deadline %d of %s has no partition %s", v.Index, m.Miner, r.PathValue("partition"))}
	}
	if err == nil {
		v.PartitionLines = []partitionView{viewPartition(read.partitions[index], m, v.Index)}
		v.PartitionLines[0].draw()
	}
	title := fmt.Sprintf("Partition %d of deadline %d of %s", index, v.Index, m.Miner)
	return sight{title: title, pieces: []piece{{"partition", "partition", partitionSight{v, index}}}}, nil
}

// reading notes when the chain was read, or why it could not be.
func (v *deadlineView) reading(read chainSight, err error) {
	if err != nil {
		v.Problem = err.Error()
		return
	}
	v.ReadAt = fmt.Sprintf("epoch %d", read.epoch)
}

// partitionSight is a partition's page.
type partitionSight struct {
	deadlineView
	Number uint64
}

func viewDeadline(m vigil.MinerStatus, i int, at moment) deadlineView {
	v := deadlineView{cellView: viewCell(m.Deadlines[i], m, at), Miner: m.Miner, MinerLink: minerPath(m.Miner)}
	count := uint64(len(m.Deadlines))
	v.Before, v.After = deadlinePath(m.Miner, (v.Index+count-1)%count), deadlinePath(m.Miner, (v.Index+1)%count)
	for _, duty := range m.Duties {
		if duty.Deadline == v.Index {
			v.Duties = append(v.Duties, viewDuty(duty, m.Epoch, at))
		}
	}
	for _, r := range m.Recoveries {
		if r.Deadline == v.Index {
			v.Recovery = &r
		}
	}
	for _, r := range m.Rehearsals {
		if r.Deadline == v.Index {
			v.Rehearsal = &r
		}
	}
	for _, a := range m.Audits {
		if a.Deadline == v.Index {
			v.Audits = append(v.Audits, a)
		}
	}
	return v
}

// viewPartition sorts a partition's sectors by how they stand.
func viewPartition(p vigil.Partition, m vigil.MinerStatus, deadline uint64) partitionView {
	v := partitionView{Index: p.Index, Link: partitionPath(m.Miner, deadline, p.Index), numbers: map[string][]uint64{}}
	sets, err := setsOf(p)
	if err != nil {
		v.Problem = "what the node says of its sectors cannot be read: " + err.Error()
		return v
	}
	causes := causesOf(m, deadline)
	for _, number := range sets[0].list {
		state := stateOf(number, sets[1:], causes)
		v.numbers[state.Class] = append(v.numbers[state.Class], number)
		v.Sectors++
		if state == sectorFaulty || state == sectorBad || state == sectorRecovering {
			v.Troubled = append(v.Troubled, sectorLine{state, number, causeOf(state, causes[number])})
		}
	}
	v.Rest = max(0, len(v.Troubled)-mostTroubled)
	v.Troubled = v.Troubled[:len(v.Troubled)-v.Rest]
	for _, state := range sectorStates {
		if list := v.numbers[state.Class]; len(list) > 0 {
			v.Counts = append(v.Counts, sectorCount{state, len(list), rangesOf(list)})
		}
	}
	return v
}

// sectorSet is a set of sectors, to walk through and to ask.
type sectorSet struct {
	list []uint64
	has  map[uint64]bool
}

// setsOf are all sectors of a partition, the live, the active, the faulty and the recovering ones.
func setsOf(p vigil.Partition) ([]sectorSet, error) {
	var sets []sectorSet
	for _, field := range []bitfield.BitField{p.All, p.Live, p.Active, p.Faulty, p.Recovering} {
		list, err := field.All(mostPartitionSectors)
		if err != nil {
			return nil, err
		}
		set := sectorSet{list, make(map[uint64]bool, len(list))}
		for _, n := range list {
			set.has[n] = true
		}
		sets = append(sets, set)
	}
	return sets, nil
}

// stateOf is how a sector stands: what stops its power first.
func stateOf(number uint64, sets []sectorSet, causes map[uint64]string) mark {
	live, active, faulty, recovering := sets[0].has, sets[1].has, sets[2].has, sets[3].has
	_, bad := causes[number]
	switch {
	case !live[number]:
		return sectorTerminated
	case recovering[number]:
		return sectorRecovering
	case faulty[number]:
		return sectorFaulty
	case bad:
		return sectorBad
	case active[number]:
		return sectorActive
	}
	return sectorUnproven
}

// causesOf says why sectors are bad, as far as it is known, the surest word last.
func causesOf(m vigil.MinerStatus, deadline uint64) map[uint64]string {
	causes := map[uint64]string{}
	add := func(bad []vigil.BadSector) {
		for _, b := range bad {
			causes[uint64(b.Number)] = b.Cause
		}
	}
	for _, r := range m.Recoveries {
		if r.Deadline == deadline {
			add(r.Unreadable)
		}
	}
	add(m.Bad)
	return causes
}

// causeOf is why a sector is in its state, or what that means where no cause is known.
func causeOf(state mark, cause string) string {
	switch {
	case cause != "":
		return cause
	case state == sectorRecovering:
		return "It is declared recovered: the next proof of its deadline gives its power back."
	}
	return "No cause is known: since it started, Vigil has found nothing wrong with its files, or has not read them yet."
}

// rangesOf names numbers as people do: 1–5, 8.
func rangesOf(numbers []uint64) string {
	const most = 200
	var words []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		if len(words) == most {
			return strings.Join(words, ", ") + fmt.Sprintf(" and %d more", len(numbers)-i)
		}
		word := strconv.FormatUint(numbers[i], 10)
		if j > i {
			word += "–" + strconv.FormatUint(numbers[j], 10)
		}
		words = append(words, word)
		i = j + 1
	}
	return strings.Join(words, ", ")
}

// gridView is a partition's sectors in order of their numbers, one square each.
type gridView struct {
	Width, Height int
	Paths         []gridPath
}

// gridPath is the squares of one state.
type gridPath struct{ Class, Path string }

const (
	gridColumns = 64
	gridStep    = 10 // a square and the gap after it
)

// draw makes the grid.
func (v *partitionView) draw() {
	type square struct {
		number uint64
		class  string
	}
	var squares []square
	for class, numbers := range v.numbers {
		for _, n := range numbers {
			squares = append(squares, square{n, class})
		}
	}
	slices.SortFunc(squares, func(a, b square) int { return cmp.Compare(a.number, b.number) })
	paths := map[string]*strings.Builder{}
	for i, s := range squares {
		if paths[s.class] == nil {
			paths[s.class] = new(strings.Builder)
		}
		fmt.Fprintf(paths[s.class], "M%d %dh8v8h-8z", i%gridColumns*gridStep, i/gridColumns*gridStep)
	}
	for _, state := range sectorStates {
		if p := paths[state.Class]; p != nil {
			v.Grid.Paths = append(v.Grid.Paths, gridPath{state.Class, p.String()})
		}
	}
	v.Grid.Width = gridStep * gridColumns
	v.Grid.Height = gridStep * ((len(squares) + gridColumns - 1) / gridColumns)
}
