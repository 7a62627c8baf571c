package devnet

import (
	"testing"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
)

// fakePost is a post of whole partitions with the proof that the fake proof
// system takes.
func (w *world) fakePost(m address.Address, partitions ...uint64) []byte {
	w.t.Helper()
	params, err := w.FakePost(w.t.Context(), m, partitions)
	if err != nil {
		w.t.Fatal(err)
	}
	return params
}

func TestMinersOfAllSizesHaveTheNetworksShapes(t *testing.T) {
	sizes := []abi.SectorSize{2 << 10, 8 << 20, 512 << 20, 32 << 30, 64 << 30}
	w := start(t, Config{Miners: 6, Sectors: 3000, SectorSizes: sizes})
	for i, m := range w.Miners() {
		info := get[MinerInfo](w, "StateMinerInfo", m, nil)
		if info.SectorSize != sizes[i%5] {
			t.Errorf("miner %s has sectors of %d bytes, want %d", m, info.SectorSize, sizes[i%5])
		}
		want := map[abi.SectorSize]uint64{32 << 30: 2349, 64 << 30: 2300}[info.SectorSize]
		if want == 0 {
			want = 2
		}
		first := get[[]Partition](w, "StateMinerPartitions", m, firstDeadline, nil)
		if n := uint64(len(numbersUpTo(t, first[0].AllSectors))); n != want || info.WindowPoStPartitionSectors != want {
			t.Errorf("miner %s has partitions of %d sectors, %d in the first, want %d", m, info.WindowPoStPartitionSectors, n, want)
		}
	}
	if v := get[APIVersion](w, "Version").Version; v != "vigil-devnet+fake-proofs" {
		t.Errorf("the API's version is %q; it must say that proofs are fake", v)
	}
	if v := get[APIVersion](start(t, Config{Sectors: 2}), "Version").Version; v != "vigil-devnet+2k" {
		t.Errorf("without fake proofs the API's version is %q", v)
	}
}

func numbersUpTo(t *testing.T, f interface {
	All(uint64) ([]uint64, error)
}) []uint64 {
	t.Helper()
	list, err := f.All(10_000)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAFakeProofIsJudged(t *testing.T) {
	w := opened(t, Config{Sectors: 20, SectorSizes: []abi.SectorSize{32 << 30}})
	m := w.Miners()[0]
	c := w.send(w.key("worker"), m, 5, w.fakePost(m, 0))
	w.pass(2)
	if r := w.receipt(c); r.ExitCode != 0 {
		t.Fatalf("exit code %d", r.ExitCode)
	}
	if got := w.Stats().Total; got.ProofsChecked != 1 || got.ProofsInvalid != 0 {
		t.Errorf("counts %+v", got)
	}
	power := get[MinerPower](w, "StateMinerPower", m, nil).MinerPower.RawBytePower
	if power.Int64() != 20*32<<30 {
		t.Errorf("power %s, want that of 20 sectors of 32 GiB", power)
	}
}

func TestAWrongFakeProofIsCounted(t *testing.T) {
	w := opened(t, Config{Sectors: 20, SectorSizes: []abi.SectorSize{32 << 30}})
	m := w.Miners()[0]
	var p miner.SubmitWindowedPoStParams
	decoded(t, w.fakePost(m, 0), &p)
	p.Proofs[0].ProofBytes[5] ^= 1
	c := w.send(w.key("worker"), m, 5, encoded(t, &p))
	w.pass(2)
	if r := w.receipt(c); r.ExitCode != 0 {
		t.Fatalf("exit code %d", r.ExitCode)
	}
	if got := w.Stats().Total; got.ProofsInvalid != 1 {
		t.Errorf("counts %+v", got)
	}
}

// A day of two neighbours whose proofs are fake, beside a miner of the same
// network that nobody proves.
func TestTheNetworkKeepsItsNeighboursProven(t *testing.T) {
	w := start(t, Config{Miners: 3, Sectors: 5_000, SectorSizes: []abi.SectorSize{2 << 10, 32 << 30, 64 << 30}, PostFake: true, Sector: sectorOfWords})
	w.pass(2950)
	stats := w.Stats().Miners
	for i, m := range w.FakeMiners() {
		if got := stats[i+1]; got.Miner != m || got.PartitionsDue < 3 || got.PartitionsMissed != 0 || got.ProofsInvalid != 0 {
			t.Errorf("%+v", got)
		}
	}
	if real := w.RealMiners(); len(real) != 1 || stats[0].PartitionsMissed < 2000 {
		t.Errorf("%v: %+v", real, stats[0])
	}
}
