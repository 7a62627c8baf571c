package post_test

import (
	"fmt"
	"testing"

	"github.com/vigil-post/vigil/proofs/params"
	"github.com/vigil-post/vigil/proofs/post"
)

func TestConfigsHaveTheCircuitsOfTheKeys(t *testing.T) {
	for _, size := range params.SectorSizes() {
		for _, cfg := range []post.Config{must(post.WindowConfig(size, post.V1_1))(t), must(post.WinningConfig(size))(t)} {
			want := must(cfg.Key().Shape())(t)
			if got := cfg.Circuit(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%v: %v, want %v", cfg.Key(), got, want)
			}
		}
	}
	if _, err := post.WindowConfig(3<<10, post.V1_1); err == nil {
		t.Error("a config for sectors of 3 KiB")
	}
	if _, err := post.WinningConfig(3 << 10); err == nil {
		t.Error("a winning config for sectors of 3 KiB")
	}
	if _, err := post.WindowConfig(2<<10, "V2"); err == nil {
		t.Error("a config for a version that does not exist")
	}
	if _, err := post.VersionOfAPI("1.3.0"); err == nil {
		t.Error("an API version that does not exist")
	}
}

func TestPartitionsAreFilledInTurn(t *testing.T) {
	for _, c := range []struct {
		size                uint64
		sectors, partitions int
	}{
		{2 << 10, 1, 1}, {2 << 10, 2, 1}, {2 << 10, 3, 2}, {1 << 30, 5, 3},
		{32 << 30, 1, 1}, {32 << 30, 2349, 1}, {32 << 30, 2350, 2}, {32 << 30, 3 * 2349, 3},
		{64 << 30, 2300, 1}, {64 << 30, 2301, 2},
	} {
		cfg := must(post.WindowConfig(c.size, post.V1_1))(t)
		if got := cfg.Partitions(c.sectors); got != c.partitions || cfg.ProofSize(c.sectors) != 192*c.partitions {
			t.Errorf("%d sectors of %d bytes: %d partitions, want %d", c.sectors, c.size, got, c.partitions)
		}
	}
}

func TestProverIDsArePayloadsOfIDAddresses(t *testing.T) {
	// 3751 is from rust-filecoin-proofs-api tests/verify_window_post_test.rs.
	for miner, want := range map[uint64][]byte{0: {0}, 127: {0x7f}, 1000: {0xe8, 0x07}, 3751: {0xa7, 0x1d}} {
		var id [32]byte
		copy(id[:], want)
		if got := post.ProverID(miner); got != id {
			t.Errorf("miner %d: %x, want %x", miner, got, id)
		}
	}
}

func TestMaskingMakesAnElement(t *testing.T) {
	var all [32]byte
	for i := range all {
		all[i] = 0xff
	}
	cfg := must(post.WindowConfig(2<<10, post.V1_1))(t)
	if _, err := cfg.Leaves(all, 1, 0); err == nil {
		t.Error("unmasked randomness is taken")
	}
	if _, err := cfg.Leaves(post.MaskRandomness(all), 1, 0); err != nil {
		t.Error(err)
	}
	masked := post.MaskRandomness(all)
	if masked[31] != 0x3f || masked[30] != 0xff {
		t.Errorf("%x", masked)
	}
}

func TestTheWinningSectorDependsOnMinerAndRandomness(t *testing.T) {
	// SHA-256 of 32 bytes of prover id, 32 of randomness and a zero, its first
	// 64 bits little-endian modulo the count.
	got := must(post.WinningSector(post.ProverID(1000), [32]byte{1}, 1_000_003))(t)
	if got != 518303 {
		t.Errorf("sector %d", got)
	}
	counts := map[uint64]int{}
	for i := range byte(200) {
		n := must(post.WinningSector(post.ProverID(1000), [32]byte{i}, 3))(t)
		counts[n]++
	}
	if len(counts) != 3 || counts[0] < 30 || counts[1] < 30 || counts[2] < 30 {
		t.Errorf("200 choices of 3: %v", counts)
	}
	bad := [32]byte{31: 0xff}
	for name, err := range map[string]error{
		"no sectors":     second(post.WinningSector([32]byte{}, [32]byte{}, 0)),
		"bad prover id":  second(post.WinningSector(bad, [32]byte{}, 1)),
		"bad randomness": second(post.WinningSector([32]byte{}, bad, 1)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }
