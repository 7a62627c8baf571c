package interop

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
)

// pool has sectors of one size, made in turns by either side.
type pool struct {
	shape   merkle.Shape
	folders []folder
}

// folder is a sector's files.
type folder struct {
	replica, cache string
	commR          [32]byte
}

const poolMiner = 1000

// sectors makes n sectors. Those that Rust makes are hashed again by Go: every
// file of theirs must come out the same. Those that Go makes are proved by Rust
// later, from the files.
func (o *oracle) sectors(t *testing.T, shape merkle.Shape, n int) *pool {
	t.Helper()
	p := &pool{shape: shape}
	dir := t.TempDir()
	for i := range n {
		f := folder{
			replica: filepath.Join(dir, "sealed", fmt.Sprintf("s-t0%d-%d", poolMiner, i)),
			cache:   filepath.Join(dir, "cache", fmt.Sprintf("s-t0%d-%d", poolMiner, i)),
		}
		if i%2 == 0 {
			o.rustSector(t, dir, shape, i, &f)
		} else {
			o.goSector(t, shape, &f)
		}
		p.folders = append(p.folders, f)
	}
	return p
}

func (o *oracle) rustSector(t *testing.T, dir string, shape merkle.Shape, number int, f *folder) {
	t.Helper()
	seed := make([]byte, 32)
	fill(o.random, seed)
	var made caseSector
	check(t, json.Unmarshal(o.run(t, "sector", "--size", strconv.FormatUint(shape.SectorSize, 10), "--miner", strconv.Itoa(poolMiner),
		"--number", strconv.Itoa(number), "--sectors", dir, "--seed", hex.EncodeToString(seed)), &made))
	f.commR = [32]byte(made.CommR)

	replica, err := os.Open(f.replica)
	check(t, err)
	defer replica.Close()
	built, err := merkle.Build(shape, replica)
	check(t, err)
	for i, name := range shape.TreeFiles() {
		if !bytes.Equal(built.Files[i], read(t, filepath.Join(f.cache, name))) {
			t.Errorf("%d bytes, sector %d: Rust's and Go's %s differ", shape.SectorSize, number, name)
		}
		counts.treeFiles++
	}
	pAux := read(t, filepath.Join(f.cache, merkle.PAuxFile))
	commC, err := merkle.Node([32]byte(pAux[:32]))
	check(t, err)
	own := merkle.PAux{CommC: commC, CommRLast: built.Root}
	if !bytes.Equal(own.Bytes(), pAux) || merkle.NodeBytes(own.CommR()) != f.commR {
		t.Errorf("%d bytes, sector %d: p_aux or comm_r differ", shape.SectorSize, number)
	}
}

func (o *oracle) goSector(t *testing.T, shape merkle.Shape, f *folder) {
	t.Helper()
	faux, err := post.FauxSector(shape, source{o.random})
	check(t, err)
	f.commR = faux.CommR
	check(t, os.MkdirAll(f.cache, 0o755))
	check(t, os.MkdirAll(filepath.Dir(f.replica), 0o755))
	check(t, os.WriteFile(f.replica, faux.Replica, 0o600))
	for name, content := range faux.Cache {
		check(t, os.WriteFile(filepath.Join(f.cache, name), content, 0o600))
	}
	check(t, os.WriteFile(filepath.Join(f.cache, "comm_r"), faux.CommR[:], 0o600))
}

// as gives the pool's first sectors other names, as those of a miner.
func (p *pool) as(t *testing.T, miner uint64, numbers []uint64) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, kind := range []string{"sealed", "cache"} {
		check(t, os.Mkdir(filepath.Join(dir, kind), 0o755))
	}
	for i, n := range numbers {
		name := fmt.Sprintf("s-t0%d-%d", miner, n)
		check(t, os.Symlink(p.folders[i].replica, filepath.Join(dir, "sealed", name)))
		check(t, os.Symlink(p.folders[i].cache, filepath.Join(dir, "cache", name)))
	}
	return dir
}

// vanilla makes the i-th sector's vanilla proof with Go.
func (p *pool) vanilla(t *testing.T, form post.Config, i int, sector post.Sector, leaves []uint64) []byte {
	t.Helper()
	files, closer, err := post.OpenFiles(p.shape, p.folders[i].replica, p.folders[i].cache)
	check(t, err)
	defer closer.Close()
	v, err := form.Vanilla(t.Context(), sector, files, leaves)
	check(t, err)
	b, err := form.EncodeVanilla(v)
	check(t, err)
	return b
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	check(t, err)
	return b
}

// source is random bytes.
type source struct{ *rand.Rand }

func (s source) Read(b []byte) (int, error) {
	fill(s.Rand, b)
	return len(b), nil
}

func fill(r *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}
