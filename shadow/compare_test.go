package shadow_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/shadow"
)

var message = cid.MustParse("bafy2bzacea3wsdh6y3a36tb3skempjoxqpuyompjbmfeyf34fi3uy6uue42v4")

// a record of a deadline from 1000 to 1060 in which both did well.
func good() vigil.ShadowRecord {
	return vigil.ShadowRecord{
		Miner: 1000, Deadline: vigil.Deadline{Index: 5, Count: 48, Challenge: 980, Open: 1000, Close: 1060, FaultCutoff: 930}, Watched: true,
		Partitions: []vigil.ShadowPartition{{
			Due:    4,
			Ours:   vigil.ShadowOurs{Duty: "f01000/1000/0", State: vigil.StateShadowed, Work: vigil.ShadowWork{Begun: 981, Ready: 990, Sent: 1004}},
			Theirs: vigil.ShadowTheirs{Posted: true, Epoch: 1007, Verdict: vigil.AuditValid},
		}},
		Posts: []vigil.MinerPost{{Deadline: 5, Partitions: []vigil.ProvedPartition{{Index: 0}}, Message: message, Epoch: 1007, Paid: big.NewInt(10)}},
	}
}

func TestWhoDidBetter(t *testing.T) {
	for _, c := range []struct {
		sentence string
		change   func(r *vigil.ShadowRecord, p *vigil.ShadowPartition)
		want     shadow.Verdict
		says     string
	}{
		{"both did well", func(*vigil.ShadowRecord, *vigil.ShadowPartition) {}, shadow.Same, ""},
		{"they missed it", func(r *vigil.ShadowRecord, p *vigil.ShadowPartition) {
			r.Posts, p.Theirs = nil, vigil.ShadowTheirs{Faulted: []abi.SectorNumber{1, 2, 3, 4}}
		}, shadow.Better, "they missed it: 4 sectors lost power. Ours would have been sent at epoch 1004"},
		{"they missed it with a message that failed", func(r *vigil.ShadowRecord, p *vigil.ShadowPartition) {
			r.Posts[0].ExitCode, p.Theirs = 16, vigil.ShadowTheirs{}
		}, shadow.Better, "failed at epoch 1007 with exit code 16"},
		{"they needed two messages", func(r *vigil.ShadowRecord, p *vigil.ShadowPartition) {
			failed := r.Posts[0]
			failed.ExitCode, failed.Epoch = 7, 1005
			r.Posts = append([]vigil.MinerPost{failed}, r.Posts...)
		}, shadow.Better, "failed at epoch 1005 with exit code 7"},
		{"they skipped what we read", func(_ *vigil.ShadowRecord, p *vigil.ShadowPartition) {
			p.Theirs.Skipped = []abi.SectorNumber{3}
		}, shadow.Better, "they skipped 1 sector that vigil read and proved: 3"},
		{"both skipped the same", func(_ *vigil.ShadowRecord, p *vigil.ShadowPartition) {
			p.Theirs.Skipped, p.Ours.Skipped = []abi.SectorNumber{3}, []vigil.BadSector{{Number: 3, Cause: "gone"}}
		}, shadow.Same, ""},
		{"we skipped more", func(_ *vigil.ShadowRecord, p *vigil.ShadowPartition) {
			p.Ours.Skipped = []vigil.BadSector{{Number: 3, Cause: "no such file"}}
		}, shadow.Worse, "vigil would have skipped 1 sector that they proved: 3; the first: no such file"},
		{"each skipped another", func(_ *vigil.ShadowRecord, p *vigil.ShadowPartition) {
			p.Theirs.Skipped, p.Ours.Skipped = []abi.SectorNumber{4}, []vigil.BadSector{{Number: 3, Cause: "gone"}}
		}, shadow.Mixed, "that they proved: 3"},
		{"they were just in time", func(_ *vigil.ShadowRecord, p *vigil.ShadowPartition) { p.Theirs.Epoch = 1020 }, shadow.Same, ""},
		{"they were late", func(_ *vigil.ShadowRecord, p *vigil.ShadowPartition) { p.Theirs.Epoch = 1021 }, shadow.Better, "they were late: posted at epoch 1021, 21 epochs after the opening"},
		{"they were very late", func(_ *vigil.ShadowRecord, p *vigil.ShadowPartition) { p.Theirs.Epoch = 1050 }, shadow.Better, "10 epochs before the close"},
		{"we were late", func(_ *vigil.ShadowRecord, p *vigil.ShadowPartition) { p.Ours.Work.Sent = 1030 }, shadow.Worse, "ours would have been late"},
		{"both were late", func(_ *vigil.ShadowRecord, p *vigil.ShadowPartition) { p.Ours.Work.Sent, p.Theirs.Epoch = 1030, 1031 }, shadow.Same, ""},
		{"their proof is wrong", func(_ *vigil.ShadowRecord, p *vigil.ShadowPartition) {
			p.Theirs.Verdict, p.Theirs.Problem = vigil.AuditDisputable, "it proves other sectors"
		}, shadow.Better, "it proves other sectors"},
		{"ours was not ready", func(_ *vigil.ShadowRecord, p *vigil.ShadowPartition) {
			p.Ours.State, p.Ours.Work.Sent, p.Ours.Reason, p.Ours.Problem = vigil.StateMissed, 0, vigil.ReasonNotProved, "no prover"
		}, shadow.Worse, "ours was not ready in time: not proved (no prover)"},
		{"both missed", func(r *vigil.ShadowRecord, p *vigil.ShadowPartition) {
			p.Ours.State, p.Ours.Work.Sent, p.Ours.Reason, p.Theirs, r.Posts = vigil.StateMissed, 0, vigil.ReasonNotProved, vigil.ShadowTheirs{}, nil
		}, shadow.Same, "both missed it"},
		{"the miner went live before it was sent", func(_ *vigil.ShadowRecord, p *vigil.ShadowPartition) {
			p.Ours.State, p.Ours.Work.Sent = vigil.StateConfirmed, 0
		}, shadow.NotCompared, "not in shadow"},
		{"the miner went live after it would have been sent", func(_ *vigil.ShadowRecord, p *vigil.ShadowPartition) {
			p.Ours.State = vigil.StateConfirmed
		}, shadow.Same, ""},
		{"we did not run", func(_ *vigil.ShadowRecord, p *vigil.ShadowPartition) { p.Ours = vigil.ShadowOurs{} }, shadow.NotCompared, "did not run"},
	} {
		r := good()
		c.change(&r, &r.Partitions[0])
		lines := shadow.Compare(r, shadow.DefaultLate)
		if len(lines) != 1 || lines[0].Verdict != c.want || !strings.Contains(strings.Join(lines[0].Why, "; "), c.says) || c.want == shadow.Same && c.says == "" && len(lines[0].Why) > 0 {
			t.Errorf("%s: %+v; want %s, which says %q", c.sentence, lines, c.want, c.says)
		}
	}
}

func TestRecoveriesHaveALineWhereTheyDiffer(t *testing.T) {
	r := good()
	r.Recovery = vigil.ShadowRecovery{Ours: []abi.SectorNumber{7, 8}, Epoch: 900, Theirs: []abi.SectorNumber{7}}
	lines := shadow.Compare(r, shadow.DefaultLate)
	if len(lines) != 2 || !lines[1].Recovery || lines[1].Verdict != shadow.Better || !strings.Contains(lines[1].Why[0], "8. Vigil would have at epoch 900") {
		t.Errorf("they declared too few: %+v", lines)
	}
	r.Recovery = vigil.ShadowRecovery{Theirs: []abi.SectorNumber{7}, Unreadable: []vigil.BadSector{{Number: 7, Cause: "gone"}}}
	lines = shadow.Compare(r, shadow.DefaultLate)
	if len(lines) != 2 || lines[1].Verdict != shadow.Worse {
		t.Errorf("they declared what we could not read: %+v", lines)
	}
	r.Recovery = vigil.ShadowRecovery{Ours: []abi.SectorNumber{7}, Theirs: []abi.SectorNumber{7}}
	if lines = shadow.Compare(r, shadow.DefaultLate); len(lines) != 1 {
		t.Errorf("both declared the same: %+v", lines)
	}
}

func TestAReportSumsUp(t *testing.T) {
	missed := good()
	missed.Partitions[0].Theirs, missed.Posts[0].ExitCode = vigil.ShadowTheirs{}, 16
	unjudged := good()
	unjudged.Partitions[0].Theirs.Verdict = ""
	got := shadow.NewReport([]vigil.ShadowRecord{good(), missed, unjudged}, shadow.DefaultLate).Summary
	if got.Deadlines != 3 || got.Partitions != 3 || got.Verdicts[shadow.Same] != 2 || got.Verdicts[shadow.Better] != 1 ||
		got.Messages != 3 || got.Failed != 1 || !got.Paid.Equals(big.NewInt(30)) || got.Unjudged != 1 {
		t.Errorf("%+v", got)
	}
	if slices.Contains([]int{got.Verdicts[shadow.Worse], got.Verdicts[shadow.Mixed]}, 1) {
		t.Errorf("%+v", got)
	}
}
