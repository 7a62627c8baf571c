package interop

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/proofs/params"
	"github.com/vigil-post/vigil/proofs/post"
)

const (
	oracleVariable = "VIGIL_ORACLE"        // the oracle's program
	paramsVariable = "VIGIL_ORACLE_PARAMS" // the folder in which its keys are kept
	seedVariable   = "VIGIL_ORACLE_SEED"
	longVariable   = "VIGIL_LONG" // 512 MiB sectors, too
)

// counts are what was compared, printed at the end.
var counts struct {
	rustProofs, goProofs           int // partitions, judged by the other side
	generic                        int // of ours, those made without the vector unit where there is one
	verdicts                       int
	vanilla, challenges, treeFiles int
}

func TestMain(m *testing.M) {
	code := m.Run()
	if counts.rustProofs+counts.goProofs > 0 {
		fmt.Printf("oracle: %d partitions proved by Rust verified by Go, %d proved by Go verified by Rust (%d of them again with gnark-crypto's kernels), %d verdicts on other proofs and statements equal; "+
			"%d vanilla proofs, %d lists of challenges and %d tree files equal byte for byte\n",
			counts.rustProofs, counts.goProofs, counts.generic, counts.verdicts, counts.vanilla, counts.challenges, counts.treeFiles)
	}
	os.Exit(code)
}

// oracle is filecoin-proofs.
type oracle struct {
	program string
	params  string // folder with its keys
	random  *rand.Rand
}

func newOracle(t *testing.T) *oracle {
	t.Helper()
	program := os.Getenv(oracleVariable)
	if program == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s does not name the oracle; interop/build makes it", oracleVariable)
		}
	}
	if program == "" || program == "no" {
		t.Skipf("%s does not name the oracle (interop/build makes it): not compared with filecoin-proofs", oracleVariable)
	}
	dir := os.Getenv(paramsVariable)
	if dir == "" {
		cache, err := os.UserCacheDir()
		check(t, err)
		dir = filepath.Join(cache, "vigil-oracle", "params")
	}
	check(t, os.MkdirAll(dir, 0o755))
	seed := rand.Uint64()
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		check(t, err)
	}
	t.Logf("seed: %s=%d", seedVariable, seed)
	return &oracle{program: program, params: dir, random: rand.New(rand.NewPCG(seed, uint64(len(t.Name()))))}
}

// run gives the lines that the oracle prints.
func (o *oracle) run(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), o.program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("vigil-oracle %s: %v: %s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

// keys makes the form's key with Rust if it has not been made before, and opens
// its half for verifying with Go.
func (o *oracle) keys(t *testing.T, form post.Config) *post.Verifier {
	t.Helper()
	o.run(t, "params", "--typ", string(form.Kind), "--size", size(form), "--params", o.params)
	verifier, err := post.OpenVerifier(form, o.params)
	check(t, err)
	return verifier
}

// proofCase is a case as the oracle reads and writes it.
type proofCase struct {
	Type       post.Kind           `json:"typ"`
	SectorSize uint64              `json:"sector_size"`
	API        string              `json:"api"`
	Miner      uint64              `json:"miner"`
	ProverID   text                `json:"prover_id,omitempty"` // that of Miner, if it is not set
	Randomness text                `json:"randomness"`
	Sectors    []caseSector        `json:"sectors"`
	Challenges map[uint64][]uint64 `json:"challenges,omitempty"`
	Vanilla    []text              `json:"vanilla"`
	Proof      text                `json:"proof"`

	about string // in messages
}

type caseSector struct {
	Number uint64 `json:"number"`
	CommR  text   `json:"comm_r"`
}

// text is bytes in hexadecimal.
type text []byte

func (b text) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

func (b *text) UnmarshalText(from []byte) (err error) {
	*b, err = hex.AppendDecode(nil, from)
	return err
}

func (c *proofCase) statement() post.Statement {
	s := post.Statement{ProverID: post.ProverID(c.Miner)}
	if len(c.ProverID) > 0 {
		copy(s.ProverID[:], c.ProverID)
	}
	copy(s.Randomness[:], c.Randomness)
	for _, sector := range c.Sectors {
		of := post.Sector{Number: sector.Number}
		copy(of.CommR[:], sector.CommR)
		s.Sectors = append(s.Sectors, of)
	}
	return s
}

func (c *proofCase) vanilla() [][]byte {
	var all [][]byte
	for _, v := range c.Vanilla {
		all = append(all, v)
	}
	return all
}

// prove lets the oracle prove sectors that lie in a folder.
func (o *oracle) prove(t *testing.T, dir string, form post.Config, api string, miner uint64, numbers []uint64, randomness [32]byte) *proofCase {
	t.Helper()
	out := o.run(t, "prove", "--sectors", dir, "--params", o.params, "--typ", string(form.Kind), "--size", size(form), "--api", api,
		"--miner", strconv.FormatUint(miner, 10), "--numbers", joined(numbers), "--randomness", hex.EncodeToString(randomness[:]))
	c := new(proofCase)
	check(t, json.Unmarshal(out, c))
	return c
}

func joined(numbers []uint64) string {
	var list []string
	for _, n := range numbers {
		list = append(list, strconv.FormatUint(n, 10))
	}
	return strings.Join(list, ",")
}

// verdicts lets the oracle judge cases.
func (o *oracle) verdicts(t *testing.T, cases []*proofCase) []string {
	t.Helper()
	b, err := json.Marshal(cases)
	check(t, err)
	file := filepath.Join(t.TempDir(), "cases.json")
	check(t, os.WriteFile(file, b, 0o600))
	lines := json.NewDecoder(bytes.NewReader(o.run(t, "verify", "--params", o.params, file)))
	var all []string
	for lines.More() {
		var line struct{ Verdict string }
		check(t, lines.Decode(&line))
		all = append(all, line.Verdict)
	}
	if len(all) != len(cases) {
		t.Fatalf("%d verdicts on %d cases", len(all), len(cases))
	}
	return all
}

// verdict is Go's.
func verdict(v *post.Verifier, c *proofCase) string {
	ok, err := v.Verify(c.statement(), c.Proof)
	if err != nil {
		return "error"
	}
	return strconv.FormatBool(ok)
}

// id asks for the identifier that a key's names are made of.
func id(t *testing.T, p params.Proof) string {
	t.Helper()
	text, err := p.ID()
	check(t, err)
	return text
}

func size(form post.Config) string { return strconv.FormatUint(form.Shape.SectorSize, 10) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
