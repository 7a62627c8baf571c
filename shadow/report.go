package shadow

import (
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// Report is the comparison of many deadlines.
type Report struct {
	Lines   []Line  `json:"lines"` // as the records are ordered
	Summary Summary `json:"summary"`
}

// Summary counts a report's partitions by verdict, and what their messages cost.
type Summary struct {
	Deadlines  int             `json:"deadlines"`
	Partitions int             `json:"partitions"`
	Verdicts   map[Verdict]int `json:"verdicts"`   // of partitions
	Recoveries int             `json:"recoveries"` // lines about recoveries
	Messages   int             `json:"messages"`   // with posts, of theirs
	Failed     int             `json:"failed"`     // of them, those that the chain refused
	Paid       abi.TokenAmount `json:"paid"`       // for all of them, in attoFIL
	Unjudged   int             `json:"unjudged"`   // posted partitions whose proof has no verdict yet
}

// NewReport compares records. It is pure.
func NewReport(records []vigil.ShadowRecord, late Late) Report {
	r := Report{Lines: []Line{}, Summary: Summary{Deadlines: len(records), Verdicts: map[Verdict]int{}, Paid: big.Zero()}}
	for _, record := range records {
		for _, line := range Compare(record, late) {
			r.Lines = append(r.Lines, line)
			if line.Recovery {
				r.Summary.Recoveries++
				continue
			}
			r.Summary.Partitions++
			r.Summary.Verdicts[line.Verdict]++
		}
		r.Summary.add(record)
	}
	return r
}

// add counts the messages of a record.
func (s *Summary) add(record vigil.ShadowRecord) {
	seen := map[cid.Cid]bool{}
	for _, post := range record.Posts {
		if seen[post.Message] {
			continue
		}
		seen[post.Message] = true
		s.Messages++
		if !post.ExitCode.IsSuccess() {
			s.Failed++
		}
		s.Paid = big.Add(s.Paid, post.Paid)
	}
	for _, p := range record.Partitions {
		if p.Theirs.Posted && p.Theirs.Verdict == "" {
			s.Unjudged++
		}
	}
}
