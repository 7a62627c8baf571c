package post_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
)

// The oracle is filecoin-proofs 19.1.0: keys, sectors, challenges, vanilla
// proofs and proofs that it made, and its verdicts on spoilt ones. A few cases
// are in testdata, all of them among the fixtures.

// oracles are the folders there are.
func oracles(t *testing.T, test func(t *testing.T, dir string)) {
	t.Run("testdata", func(t *testing.T) { test(t, filepath.Join("testdata", "oracle")) })
	t.Run("fixtures", func(t *testing.T) { test(t, filepath.Join(fixtures(t), "oracle")) })
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(s []byte) (err error) {
	*h, err = hex.AppendDecode(nil, s)
	return err
}

type oracleCase struct {
	name       string
	Typ        string
	SectorSize uint64 `json:"sector_size"`
	API        string
	Miner      uint64
	ProverID   hexBytes `json:"prover_id"`
	Randomness hexBytes
	Sectors    []struct {
		Number uint64
		CommR  hexBytes `json:"comm_r"`
	}
	Challenges map[uint64][]uint64
	Vanilla    []hexBytes
	Proof      hexBytes
	Single     []hexBytes
	Valid      bool
	Note       string
	Dir        string
}

func (c oracleCase) config(t *testing.T) post.Config {
	t.Helper()
	if c.Typ == "winning" {
		return must(post.WinningConfig(c.SectorSize))(t)
	}
	return must(post.WindowConfig(c.SectorSize, must(post.VersionOfAPI(c.API))(t)))(t)
}

func (c oracleCase) statement() post.Statement {
	s := post.Statement{ProverID: [32]byte(c.ProverID), Randomness: [32]byte(c.Randomness)}
	for _, sector := range c.Sectors {
		s.Sectors = append(s.Sectors, post.Sector{Number: sector.Number, CommR: [32]byte(sector.CommR)})
	}
	return s
}

func (c oracleCase) vanilla() [][]byte {
	var out [][]byte
	for _, v := range c.Vanilla {
		out = append(out, v)
	}
	return out
}

// must gives the value or ends the test.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// readCases reads files of one case or an array of cases.
func readCases(t *testing.T, pattern string) []oracleCase {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases at %s: %v", pattern, err)
	}
	var cases []oracleCase
	for _, file := range files {
		data := bytes.TrimSpace(must(os.ReadFile(file))(t))
		if data[0] != '[' {
			data = append(append([]byte("["), data...), ']')
		}
		var some []oracleCase
		if err := json.Unmarshal(data, &some); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, c := range some {
			c.name = strings.TrimSuffix(filepath.Base(file), ".json")
			cases = append(cases, c)
		}
	}
	return cases
}

// openSector opens what is kept of a sector, or returns false. A replica that is
// not kept is a faux one of zeros.
func openSector(t *testing.T, dir string, c oracleCase, cfg post.Config, name string) (post.Files, bool) {
	t.Helper()
	dir = filepath.Join(dir, "sectors", c.Dir)
	cache := filepath.Join(dir, "cache", name)
	if _, err := os.Stat(cache); err != nil {
		return post.Files{}, false
	}
	replica := filepath.Join(dir, "sealed", name)
	if _, err := os.Stat(replica); err != nil {
		replica = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(replica, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(replica, int64(c.SectorSize)); err != nil {
			t.Fatal(err)
		}
	}
	files := post.Files{Replica: openFile(t, replica), PAux: openFile(t, filepath.Join(cache, "p_aux"))}
	for _, tree := range cfg.Shape.TreeFiles() {
		files.Trees = append(files.Trees, openFile(t, filepath.Join(cache, tree)))
	}
	return files, true
}

type osFile struct{ *os.File }

func (f osFile) Size() int64 {
	info, err := f.Stat()
	if err != nil {
		return -1
	}
	return info.Size()
}

func openFile(t *testing.T, path string) merkle.File {
	t.Helper()
	f := must(os.Open(path))(t)
	t.Cleanup(func() { _ = f.Close() })
	return osFile{f}
}
