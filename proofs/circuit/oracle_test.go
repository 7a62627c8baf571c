package circuit_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/circuit"
	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/params"
)

// The judge of these tests is filecoin-proofs 19.1.0: keys, vanilla proofs and
// proofs that it made, and what it answered to altered ones.

func oracle(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("VIGIL_FIXTURES")
	if dir == "" {
		dir = filepath.Join(moduleRoot(t), "..", "shared", "fixtures")
	}
	dir = filepath.Join(dir, "oracle")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("fixtures are missing: %v", err)
		}
		t.Skipf("fixtures are not on this machine (set VIGIL_FIXTURES): %v", err)
	}
	return dir
}

func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			err = errors.New("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal(err)
	return ""
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// post is one case: a whole proof of spacetime of one or more partitions.
type post struct {
	Typ        string
	SectorSize uint64 `json:"sector_size"`
	Sectors    []struct {
		Number uint64
		CommR  hexBytes `json:"comm_r"`
	}
	API        string
	Randomness hexBytes
	Challenges map[string][]uint64 // not in every case; they follow from the randomness
	Vanilla    []hexBytes
	Proof      hexBytes
	Note       string

	file string
}

func (p *post) kind() params.Proof {
	return params.Proof{Winning: p.Typ == "winning", SectorSize: p.SectorSize}
}

func load(t testing.TB, dir, pattern string) []post {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatal("no cases: ", pattern, err)
	}
	var all []post
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if b[0] == '{' {
			b = slices.Concat([]byte("["), b, []byte("]"))
		}
		var posts []post
		if err := json.Unmarshal(b, &posts); err != nil {
			t.Fatal(f, err)
		}
		for _, p := range posts {
			p.file = strings.TrimSuffix(filepath.Base(f), ".json")
			all = append(all, p)
		}
	}
	return all
}

// partitions are the verifier's statements, a slice for each proof.
func (p *post) partitions(t testing.TB, s circuit.Shape) [][]circuit.Statement {
	t.Helper()
	var all []circuit.Statement
	for i, sector := range p.Sectors {
		commR := element(t, sector.CommR)
		leaves := p.leaves(i, sector.Number, s)
		if want, ok := p.Challenges[strconv.FormatUint(sector.Number, 10)]; ok && !slices.Equal(leaves, want) {
			t.Fatalf("%s: challenges of sector %d are %v, not %v", p.file, sector.Number, leaves, want)
		}
		for l := range slices.Chunk(leaves, s.Challenges) {
			all = append(all, circuit.Statement{CommR: commR, Leaves: l})
		}
	}
	return slices.Collect(slices.Chunk(all, s.Sectors))
}

// leaves are the challenges of the i-th sector (fallback/vanilla.rs).
func (p *post) leaves(i int, number uint64, s circuit.Shape) []uint64 {
	n, first := s.Challenges, 0
	switch {
	case p.Typ == "winning":
		n = s.Sectors
	case p.API != "1.2.0":
		first = i * n
	}
	leaves := make([]uint64, n)
	for j := range leaves {
		h := sha256.New()
		h.Write(p.Randomness[:31])
		h.Write([]byte{p.Randomness[31] & 0x3f})
		h.Write(binary.LittleEndian.AppendUint64(nil, number))
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(first+j)))
		leaves[j] = binary.LittleEndian.Uint64(h.Sum(nil)) % s.Leaves()
	}
	return leaves
}

// provable are the prover's sectors of all partitions.
func (p *post) provable(t testing.TB, s circuit.Shape) []circuit.Sector {
	t.Helper()
	var all []circuit.Sector
	for _, v := range p.Vanilla {
		d := decoder{t: t, b: v}
		for _, sector := range d.sectors() {
			for ch := range slices.Chunk(sector.Challenges, s.Challenges) {
				sector.Challenges = ch
				all = append(all, sector)
			}
		}
	}
	return all
}

// decoder reads vanilla proof bytes as filecoin-ffi hands them out (bincode).
type decoder struct {
	t testing.TB
	b []byte
}

func (d *decoder) bytes(n int) []byte {
	d.t.Helper()
	if len(d.b) < n {
		d.t.Fatal("vanilla proof is cut off")
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) u64() int               { return int(binary.LittleEndian.Uint64(d.bytes(8))) }
func (d *decoder) element() fr.Element    { return element(d.t, d.bytes(32)) }
func (d *decoder) elements() []fr.Element { return list(d, d.element) }
func (d *decoder) path() []circuit.Level  { return list(d, d.level) }
func (d *decoder) level() (l circuit.Level) {
	l.Siblings, l.Index = d.elements(), d.u64()
	return l
}

func list[T any](d *decoder, read func() T) []T {
	var v []T
	for range d.u64() {
		v = append(v, read())
	}
	return v
}

func (d *decoder) sectors() []circuit.Sector {
	d.u64() // number
	commR := d.element()
	return list(d, func() circuit.Sector {
		s := circuit.Sector{CommR: commR, Challenges: list(d, d.challenge)}
		s.CommC, s.CommRLast = d.element(), d.element()
		return s
	})
}

func (d *decoder) challenge() (c circuit.Challenge) {
	variant := binary.LittleEndian.Uint32(d.bytes(4))
	if variant == 0 {
		d.element()
		c.Leaf = d.element()
		c.Path = d.path()
		return c
	}
	for range variant + 1 {
		c.Path = append(c.Path, d.path()...)
	}
	d.element()
	c.Leaf = d.element()
	return c
}

func element(t testing.TB, b []byte) fr.Element {
	t.Helper()
	x, err := fr.LittleEndian.Element((*[32]byte)(b))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// keys opens each key once.
type keys struct {
	dir      string
	circuits map[params.Proof]*circuit.Circuit
	vks      map[params.Proof]*groth16.PreparedKey
}

func openKeys(dir string) *keys {
	return &keys{filepath.Join(dir, "params"), map[params.Proof]*circuit.Circuit{}, map[params.Proof]*groth16.PreparedKey{}}
}

func (k *keys) circuit(t testing.TB, p params.Proof) *circuit.Circuit {
	t.Helper()
	if k.circuits[p] == nil {
		shape, err := p.Shape()
		check(t, err)
		k.circuits[p], err = circuit.New(shape)
		check(t, err)
	}
	return k.circuits[p]
}

func (k *keys) vk(t testing.TB, p params.Proof) *groth16.PreparedKey {
	t.Helper()
	if k.vks[p] == nil {
		name, err := p.VKFile()
		check(t, err)
		vk, err := params.OpenVK(filepath.Join(k.dir, name), k.circuit(t, p).Lengths())
		check(t, err)
		k.vks[p], err = vk.Prepare()
		check(t, err)
	}
	return k.vks[p]
}

func (k *keys) params(t testing.TB, p params.Proof) *params.Key {
	t.Helper()
	name, err := p.ParamsFile()
	check(t, err)
	key, err := params.Open(filepath.Join(k.dir, name), k.circuit(t, p).Lengths())
	check(t, err)
	t.Cleanup(func() { check(t, key.Close()) })
	return key
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// verify answers as filecoin-proofs does for a whole PoSt.
func (k *keys) verify(t testing.TB, p *post) (bool, error) {
	t.Helper()
	shape := k.circuit(t, p.kind()).Shape()
	statements := p.partitions(t, shape)
	if len(p.Proof) != len(statements)*groth16.ProofSize {
		return false, fmt.Errorf("%d bytes for %d partitions", len(p.Proof), len(statements))
	}
	var inputs [][]fr.Element
	var proofs []groth16.Proof
	for i, st := range statements {
		proof, err := groth16.ParseProof(p.Proof[i*groth16.ProofSize : (i+1)*groth16.ProofSize])
		if err != nil {
			return false, err
		}
		in, err := shape.PublicInputs(st)
		check(t, err)
		proofs, inputs = append(proofs, proof), append(inputs, in)
	}
	batch, err := k.vk(t, p.kind()).VerifyBatch(inputs, proofs)
	check(t, err)
	each := true
	for i := range proofs {
		ok, err := k.vk(t, p.kind()).Verify(inputs[i], &proofs[i])
		check(t, err)
		each = each && ok
	}
	if batch != each {
		t.Errorf("%s, %s: together %v, one by one %v", p.file, p.Note, batch, each)
	}
	return batch, nil
}

// A case of filecoin-proofs that is small enough to keep here, so that these
// are judged by it on every machine.
const kept = "testdata/oracle"

func TestTheKeptProofOfFilecoinProofsVerifies(t *testing.T) {
	k := openKeys(kept)
	p := load(t, kept, "cases/*.json")[0]
	if ok, err := k.verify(t, &p); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	p.Randomness[5] ^= 1
	p.Challenges = nil
	if ok, err := k.verify(t, &p); ok || err != nil {
		t.Errorf("another randomness: %v, %v", ok, err)
	}
	p = load(t, kept, "cases/*.json")[0]
	c := k.circuit(t, p.kind())
	sectors := p.provable(t, c.Shape())
	w, err := c.Witness(p.partitions(t, c.Shape())[0], at(sectors))
	check(t, err)
	for i := range w.Layout().Parts {
		check(t, w.Fill(i, groth16.Part{}))
	}
}

func TestProofsOfFilecoinProofsVerify(t *testing.T) {
	k := openKeys(oracle(t))
	for _, p := range load(t, oracle(t), "cases/*.json") {
		if ok, err := k.verify(t, &p); !ok || err != nil {
			t.Errorf("%s: %v, %v", p.file, ok, err)
		}
	}
}

func TestAlteredProofsAreAnsweredAsByFilecoinProofs(t *testing.T) {
	k := openKeys(oracle(t))
	answers := map[string]int{}
	for _, p := range load(t, oracle(t), "mutated/*.json") {
		ok, err := k.verify(t, &p)
		have := strconv.FormatBool(ok)
		if err != nil {
			have = "error"
		}
		want := p.Note[strings.LastIndex(p.Note, " ")+1:]
		if have != want {
			t.Errorf("%s, %s: %s (%v)", p.file, p.Note, have, err)
		}
		answers[have]++
	}
	t.Log(answers)
}

func TestVanillaProofsOfFilecoinProofsSatisfyTheCircuit(t *testing.T) {
	k := openKeys(oracle(t))
	for _, p := range load(t, oracle(t), "cases/*.json") {
		if len(p.Vanilla) == 0 {
			continue // what lotus-miner sent, without its files
		}
		c := k.circuit(t, p.kind())
		statements := p.partitions(t, c.Shape())
		for i, sectors := range slices.Collect(slices.Chunk(p.provable(t, c.Shape()), c.Shape().Sectors)) {
			w, err := c.Witness(statements[i], at(sectors))
			check(t, err)
			if err := satisfied(w); err != nil {
				t.Errorf("%s, partition %d: %v", p.file, i, err)
			}
		}
	}
}

// satisfied looks at every row; the inputs are compared by Fill.
func satisfied(w *circuit.Witness) error {
	n := w.Layout().Rows
	p := groth16.Part{A: make([]fr.Element, n), B: make([]fr.Element, n), C: make([]fr.Element, n)}
	for i := range w.Layout().Parts {
		if err := w.Fill(i, p); err != nil {
			return err
		}
		for row := range p.A {
			if *new(fr.Element).Mul(&p.A[row], &p.B[row]) != p.C[row] {
				return fmt.Errorf("part %d: row %d is not satisfied", i, row)
			}
		}
	}
	return nil
}

func at(sectors []circuit.Sector) func(i int) (*circuit.Sector, error) {
	return func(i int) (*circuit.Sector, error) { return &sectors[i], nil }
}

func TestProofsMadeWithKeysOfFilecoinProofsVerify(t *testing.T) {
	k := openKeys(oracle(t))
	for _, name := range []string{"window-2k-1.2.0-3", "window-16k-1.2.0-0", "window-32k-1.2.0-0"} {
		t.Run(name, func(t *testing.T) {
			p := load(t, oracle(t), "cases/"+name+".json")[0]
			c := k.circuit(t, p.kind())
			sectors := p.provable(t, c.Shape())
			in, err := c.Shape().PublicInputs(p.partitions(t, c.Shape())[0])
			check(t, err)
			w, err := c.Witness(p.partitions(t, c.Shape())[0], at(sectors))
			check(t, err)
			var prover groth16.Prover
			proofs, err := prover.Prove(t.Context(), k.params(t, p.kind()).ProvingKey, w)
			check(t, err)
			b := proofs[0].Bytes()
			proof, err := groth16.ParseProof(b[:])
			check(t, err)
			if ok, err := k.vk(t, p.kind()).Verify(in, &proof); !ok || err != nil {
				t.Fatal(ok, err)
			}
			in[3].SetUint64(in[3].Uint64() ^ 1)
			if ok, err := k.vk(t, p.kind()).Verify(in, &proof); ok || err != nil {
				t.Fatal("another challenge: ", ok, err)
			}
		})
	}
}

func TestAKeyOfFilecoinProofsIsWrittenAsItWasRead(t *testing.T) {
	k := openKeys(oracle(t))
	p := params.Proof{SectorSize: 2 << 10}
	key := k.params(t, p)
	name, err := p.ParamsFile()
	check(t, err)
	was, err := params.Digest(t.Context(), filepath.Join(k.dir, name), nil)
	check(t, err)
	copied := filepath.Join(t.TempDir(), name)
	check(t, params.Write(copied, key))
	check(t, params.CheckDigest(t.Context(), copied, was))

	vk, err := key.VerifyingKey()
	check(t, err)
	b, err := vk.AppendBinary(nil)
	check(t, err)
	vkName, err := p.VKFile()
	check(t, err)
	want, err := os.ReadFile(filepath.Join(k.dir, vkName))
	check(t, err)
	if !slices.Equal(b, want) {
		t.Error("the proving key holds another verifying key than the file beside it")
	}
}

func BenchmarkProve2KiB(b *testing.B) {
	k := openKeys(oracle(b))
	p := load(b, oracle(b), "cases/window-2k-1.2.0-01.json")[0]
	c := k.circuit(b, p.kind())
	key := k.params(b, p.kind())
	sectors := p.provable(b, c.Shape())
	for b.Loop() {
		w, err := c.Witness(p.partitions(b, c.Shape())[0], at(sectors))
		check(b, err)
		var prover groth16.Prover
		_, err = prover.Prove(b.Context(), key.ProvingKey, w)
		check(b, err)
	}
}

func BenchmarkVerify2KiB(b *testing.B) {
	k := openKeys(oracle(b))
	p := load(b, oracle(b), "cases/window-2k-1.2.0-01.json")[0]
	for b.Loop() {
		ok, err := k.verify(b, &p)
		if !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
