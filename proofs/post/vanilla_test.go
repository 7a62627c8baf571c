package post_test

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
)

func TestChallengesAndVanillaProofsAreFilecoinProofsOwn(t *testing.T) {
	oracles(t, func(t *testing.T, dir string) {
		for _, c := range readCases(t, filepath.Join(dir, "cases", "*.json")) {
			if testing.Short() && c.SectorSize > 8<<20 {
				continue
			}
			t.Run(c.name, func(t *testing.T) { vanillaOfCase(t, dir, c) })
		}
	})
}

func vanillaOfCase(t *testing.T, dir string, c oracleCase) {
	cfg := c.config(t)
	for i, want := range c.Vanilla {
		sector := c.statement().Sectors[i]
		leaves := must(cfg.Leaves([32]byte(c.Randomness), sector.Number, i))(t)
		if !slices.Equal(leaves, c.Challenges[sector.Number]) {
			t.Fatalf("sector %d: challenges %v, want %v", sector.Number, leaves, c.Challenges[sector.Number])
		}
		decoded := must(cfg.DecodeVanilla(want))(t)
		if err := cfg.VerifyVanilla(decoded, sector, leaves); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(must(cfg.EncodeVanilla(decoded))(t), want) {
			t.Errorf("sector %d: the vanilla proof's encoding differs", sector.Number)
		}
		files, kept := openSector(t, dir, c, cfg, fmt.Sprintf("s-t0%d-%d", c.Miner, sector.Number))
		if !kept {
			continue
		}
		made := must(cfg.Vanilla(t.Context(), sector, files, leaves))(t)
		if !bytes.Equal(must(cfg.EncodeVanilla(made))(t), want) {
			t.Errorf("sector %d: the vanilla proof differs", sector.Number)
		}
	}
}

func TestARealVanillaProofOf32GiB(t *testing.T) {
	dir := filepath.Join(fixtures(t), "vanilla")
	var public struct {
		Randomness        []byte
		ChallengedSectors []struct {
			SectorNumber uint64
			SealedCID    map[string]string
		}
	}
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(dir, "postpub.json")))(t), &public); err != nil {
		t.Fatal(err)
	}
	sealed := public.ChallengedSectors[0]
	cid := must(base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).DecodeString(sealed.SealedCID["/"][1:]))(t)
	sector := post.Sector{Number: sealed.SectorNumber, CommR: must(merkle.CommRFromCID(cid))(t)}

	cfg := must(post.WindowConfig(32<<30, post.V1_1))(t)
	encoded := must(os.ReadFile(filepath.Join(dir, "post.vproof")))(t)
	v := must(cfg.DecodeVanilla(encoded))(t)
	leaves := must(cfg.Leaves([32]byte(public.Randomness), sector.Number, 0))(t)
	if err := cfg.VerifyVanilla(v, sector, leaves); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(must(cfg.EncodeVanilla(v))(t), encoded) {
		t.Error("its encoding differs")
	}
}

// faux is a sector of the size with its vanilla proof for some randomness.
func faux(t testing.TB, size uint64) (cfg post.Config, f *post.Faux, sector post.Sector, leaves []uint64) {
	t.Helper()
	cfg, err := post.WindowConfig(size, post.V1_1)
	if err != nil {
		t.Fatal(err)
	}
	if f, err = post.FauxSector(cfg.Shape, rand.NewChaCha8([32]byte{'p', 'o', 's', 't'})); err != nil {
		t.Fatal(err)
	}
	sector = post.Sector{Number: 42, CommR: f.CommR}
	if leaves, err = cfg.Leaves([32]byte{1}, sector.Number, 0); err != nil {
		t.Fatal(err)
	}
	return cfg, f, sector, leaves
}

func TestAFauxSectorIsProvable(t *testing.T) {
	for _, size := range []uint64{2 << 10, 4 << 10, 16 << 10, 32 << 10} {
		cfg, f, sector, leaves := faux(t, size)
		v := must(cfg.Vanilla(t.Context(), sector, f.Files(cfg.Shape), leaves))(t)
		if err := cfg.VerifyVanilla(v, sector, leaves); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		again := must(post.FauxSector(cfg.Shape, rand.NewChaCha8([32]byte{'p', 'o', 's', 't'})))(t)
		if again.CommR != f.CommR || !bytes.Equal(again.Replica, f.Replica) {
			t.Errorf("%d bytes: equal randomness made another sector", size)
		}
		encoded := must(cfg.EncodeVanilla(v))(t)
		if back := must(cfg.DecodeVanilla(encoded))(t); fmt.Sprint(back) != fmt.Sprint(v) {
			t.Errorf("%d bytes: decoding gave another proof", size)
		}
	}
	cfg := must(post.WindowConfig(2<<10, post.V1))(t)
	if _, err := post.FauxSector(cfg.Shape, bytes.NewReader(make([]byte, 2048))); err == nil {
		t.Error("a sector out of too little randomness")
	}
}

func TestASectorThatCannotBeProvenSaysWhy(t *testing.T) {
	cfg, f, sector, leaves := faux(t, 2<<10)
	for name, c := range map[string]struct {
		spoil  func(*post.Files)
		defect merkle.Defect
	}{
		"no p_aux":         {func(f *post.Files) { f.PAux = nil }, merkle.DefectMissing},
		"no replica":       {func(f *post.Files) { f.Replica = nil }, merkle.DefectMissing},
		"no tree":          {func(f *post.Files) { f.Trees[0] = nil }, merkle.DefectMissing},
		"replica of zeros": {func(f *post.Files) { f.Replica = bytes.NewReader(make([]byte, 2048)) }, merkle.DefectSegment},
		"tree of zeros":    {func(f *post.Files) { f.Trees[0] = bytes.NewReader(make([]byte, 32)) }, merkle.DefectRoot},
	} {
		t.Run(name, func(t *testing.T) {
			files := f.Files(cfg.Shape)
			c.spoil(&files)
			_, err := cfg.Vanilla(t.Context(), sector, files, leaves)
			var defect *merkle.DefectError
			if !errors.As(err, &defect) || defect.Defect != c.defect {
				t.Errorf("%v, want %s", err, c.defect)
			}
		})
	}
	t.Run("another comm_r on chain", func(t *testing.T) {
		other := sector
		other.CommR[0] ^= 1
		_, err := cfg.Vanilla(t.Context(), other, f.Files(cfg.Shape), leaves)
		var defect *merkle.DefectError
		if !errors.As(err, &defect) || defect.Defect != merkle.DefectCommR {
			t.Errorf("%v, want %s", err, merkle.DefectCommR)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := cfg.Vanilla(ctx, sector, f.Files(cfg.Shape), leaves); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
	t.Run("too few challenges", func(t *testing.T) {
		if _, err := cfg.Vanilla(t.Context(), sector, f.Files(cfg.Shape), leaves[:9]); err == nil {
			t.Error("no error")
		}
	})
}

func TestAVanillaProofOfSomethingElseIsRefused(t *testing.T) {
	cfg, f, sector, leaves := faux(t, 16<<10)
	for name, change := range map[string]func(*post.VanillaProof){
		"another sector":         func(v *post.VanillaProof) { v.Sector++ },
		"another comm_r":         func(v *post.VanillaProof) { v.CommR.SetUint64(1) },
		"another comm_c":         func(v *post.VanillaProof) { v.CommC.SetUint64(1) },
		"another comm_r_last":    func(v *post.VanillaProof) { v.CommRLast.SetUint64(1) },
		"a path too few":         func(v *post.VanillaProof) { v.Paths = v.Paths[1:] },
		"two paths exchanged":    func(v *post.VanillaProof) { v.Paths[0], v.Paths[1] = v.Paths[1], v.Paths[0] },
		"another leaf":           func(v *post.VanillaProof) { v.Paths[3].Leaf.SetUint64(1) },
		"another root":           func(v *post.VanillaProof) { v.Paths[3].Root.SetUint64(1) },
		"another sibling":        func(v *post.VanillaProof) { v.Paths[3].Levels[2].Siblings[0].SetUint64(1) },
		"an index out of range":  func(v *post.VanillaProof) { v.Paths[3].Levels[2].Index = 8 },
		"a path without its end": func(v *post.VanillaProof) { v.Paths[3].Levels = v.Paths[3].Levels[:2] },
		"a root of its own":      func(v *post.VanillaProof) { v.CommRLast = v.Paths[0].Leaf; v.Paths[0].Root = v.Paths[0].Leaf },
	} {
		t.Run(name, func(t *testing.T) {
			v := must(cfg.Vanilla(t.Context(), sector, f.Files(cfg.Shape), leaves))(t)
			if err := cfg.VerifyVanilla(v, sector, leaves); err != nil {
				t.Fatalf("before: %v", err)
			}
			if change(v); cfg.VerifyVanilla(v, sector, leaves) == nil {
				t.Error("verifies")
			}
		})
	}
}

func TestBytesThatAreNoVanillaProofAreRefused(t *testing.T) {
	cfg, f, sector, leaves := faux(t, 2<<10)
	good := must(cfg.EncodeVanilla(must(cfg.Vanilla(t.Context(), sector, f.Files(cfg.Shape), leaves))(t)))(t)
	put := func(at int, n uint64) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint64(b[at:], n); return b }
	}
	const path = 56 // where the first path begins: variant, root, leaf, levels
	for name, spoil := range map[string]func([]byte) []byte{
		"nothing":                          func([]byte) []byte { return nil },
		"the last byte missing":            func(b []byte) []byte { return b[:len(b)-1] },
		"a byte more":                      func(b []byte) []byte { return append(b, 0) },
		"no sector":                        put(40, 0),
		"two sectors":                      put(40, 2),
		"sectors without end":              put(40, 1<<63),
		"nine paths":                       put(48, 9),
		"paths without end":                put(48, 1<<62),
		"a path of another variant":        func(b []byte) []byte { b[path] = 1; return b },
		"three levels":                     put(path+4+64, 3),
		"eight siblings":                   put(path+4+64+8, 8),
		"siblings without end":             put(path+4+64+8, ^uint64(0)),
		"an index of eight":                put(path+4+64+8+8+7*32, 8),
		"a comm_r that is no element":      func(b []byte) []byte { b[39] = 0x74; return b },
		"a leaf that is no element":        func(b []byte) []byte { b[path+4+63] = 0xff; return b },
		"a sibling that is no element":     func(b []byte) []byte { b[path+4+64+16+31] = 0xff; return b },
		"a comm_c that is no element":      func(b []byte) []byte { b[len(b)-33] = 0xff; return b },
		"a comm_r_last that is no element": func(b []byte) []byte { b[len(b)-1] = 0x74; return b },
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := cfg.DecodeVanilla(spoil(bytes.Clone(good))); err == nil {
				t.Error("decodes")
			}
		})
	}
	other := must(post.WindowConfig(16<<10, post.V1_1))(t)
	if _, err := other.DecodeVanilla(good); err == nil {
		t.Error("decodes as one of another sector size")
	}
	if _, err := other.EncodeVanilla(must(cfg.DecodeVanilla(good))(t)); err == nil {
		t.Error("encodes as one of another sector size")
	}
}

// FuzzDecodeVanilla looks for bytes that decode and are not what their proof
// encodes to. Input shorter than a proof is laid over a good one.
func FuzzDecodeVanilla(f *testing.F) {
	cfg, sectorFiles, sector, leaves := faux(f, 2<<10)
	v, err := cfg.Vanilla(f.Context(), sector, sectorFiles.Files(cfg.Shape), leaves)
	if err != nil {
		f.Fatal(err)
	}
	good, err := cfg.EncodeVanilla(v)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), good)
	f.Add(uint16(40), []byte{2, 0, 0, 0, 0, 0, 0, 0x80})
	f.Add(uint16(56), []byte{1})
	f.Fuzz(func(t *testing.T, at uint16, patch []byte) {
		b := bytes.Clone(good)
		copy(b[min(int(at), len(b)):], patch)
		for _, b := range [][]byte{b, patch} {
			v, err := cfg.DecodeVanilla(b)
			if err != nil {
				continue
			}
			again, err := cfg.EncodeVanilla(v)
			if err != nil || !bytes.Equal(again, b) {
				t.Errorf("decodes, and encodes to something else: %v", err)
			}
		}
	})
}
