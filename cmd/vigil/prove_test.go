package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/proofs/params"
	"github.com/vigil-post/vigil/proofs/post"
)

// oracleCase is a case that filecoin-proofs made, beside the folder of its sectors.
type oracleCase struct {
	madeCase
	Dir string
}

func readOracleCase(t *testing.T, file string) (raw string, c oracleCase, p proving) {
	t.Helper()
	b, err := os.ReadFile(file)
	must(t, err)
	must(t, json.Unmarshal(b, &c))
	p = proving{
		sectors: filepath.Join(fixtures(t), "oracle", "sectors", c.Dir), keys: filepath.Join(fixtures(t), "oracle", "params"),
		api: c.API, miner: c.Miner, randomness: [32]byte(c.Randomness),
	}
	p.form, err = proofCase{Type: c.Type, SectorSize: c.SectorSize, API: c.API}.form()
	must(t, err)
	for _, s := range c.Sectors {
		p.numbers = append(p.numbers, s.Number)
	}
	return string(b), c, p
}

// What filecoin-proofs made of the same sectors, byte for byte, in the same
// fields in the same order: everything but the proof, which is blinded.
func TestACaseIsTheOneOfFilecoinProofs(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fixtures(t), "oracle", "cases", "*-[01].*.json"))
	must(t, err)
	compared := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, want, p := readOracleCase(t, file)
			first := want.Dir == "8m" || want.Dir == "512m-faux" // of its sectors only that is kept
			if first {
				p.numbers = p.numbers[:1]
			}
			if want.Dir == "512m-faux" { // and of that not the replica, which is zeros
				p.sectors = ownSectors(t, want.Dir)
				must(t, os.MkdirAll(filepath.Dir(p.place(0).replica), 0o700))
				must(t, os.WriteFile(p.place(0).replica, nil, 0o600))
				must(t, os.Truncate(p.place(0).replica, int64(want.SectorSize)))
			}
			have, _, err := p.read(t.Context())
			must(t, err)
			compared++
			if first {
				if n := have.Sectors[0].Number; !bytes.Equal(have.Vanilla[0], want.Vanilla[0]) || !slices.Equal(have.Challenges[n], want.Challenges[n]) {
					t.Error("challenges or vanilla proof differ")
				}
				return
			}
			have.Proof, have.Valid = want.Proof, true
			// The fixtures have the miner's whole address there, with the protocol's
			// byte; filecoin-ffi passes the payload only, and so does the oracle
			// today. No window or winning proof depends on it.
			if !bytes.Equal(want.ProverID[1:], have.ProverID[:31]) || want.ProverID[0] != 0 {
				t.Errorf("prover id %x, theirs is %x", have.ProverID, want.ProverID)
			}
			have.ProverID = want.ProverID
			// Theirs goes on with the partitions proved one by one.
			ours := strings.TrimSuffix(jsonOf(t, have), `,"valid":true}`)
			if !strings.HasPrefix(raw, ours) {
				t.Errorf("it differs: %.300s", ours)
			}
		})
	}
	if compared < 20 {
		t.Errorf("%d cases compared", compared)
	}
}

func TestAProvedCaseIsVerified(t *testing.T) {
	for name, short := range map[string]bool{
		"window-2k-1.2.0-01": true, "window-2k-1.0.0-01234": false, "window-16k-1.0.0-0": false, "window-32k-1.2.0-0": false,
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && !short {
				t.Skip("one proof is enough in a hurry")
			}
			_, want, p := readOracleCase(t, filepath.Join(fixtures(t), "oracle", "cases", name+".json"))
			code, out, stderr := invoke(t, proveArgs(t, p)...)
			if code != 0 {
				t.Fatal(stderr)
			}
			var made madeCase
			must(t, json.Unmarshal([]byte(out), &made))
			if len(made.Proof) != len(want.Proof) || bytes.Equal(made.Proof, want.Proof) {
				t.Errorf("a proof of %d bytes, theirs has %d", len(made.Proof), len(want.Proof))
			}
			file := filepath.Join(t.TempDir(), "case.json")
			must(t, os.WriteFile(file, []byte(out), 0o600))
			if code, out, _ := invoke(t, "proof", "verify", "--params", p.keys, file); code != 0 || !strings.Contains(out, `"verdict":"true"`) {
				t.Errorf("verify: %d, %s", code, out)
			}
		})
	}
}

// proveArgs is the command line for a proof.
func proveArgs(t *testing.T, p proving) []string {
	t.Helper()
	var numbers []string
	for _, n := range p.numbers {
		numbers = append(numbers, fmt.Sprint(n))
	}
	return []string{
		"proof", "prove", "--sectors", p.sectors, "--params", p.keys, "--typ", string(p.form.Kind), "--size", params.SizeName(p.form.Shape.SectorSize),
		"--api", p.api, "--miner", fmt.Sprint(p.miner), "--numbers", strings.Join(numbers, ","), "--randomness", hex.EncodeToString(p.randomness[:]),
	}
}

// Where the file comm_r is missing, p_aux says the same.
func TestTheCommRIsThatOfPAux(t *testing.T) {
	_, want, p := readOracleCase(t, filepath.Join(fixtures(t), "oracle", "cases", "window-2k-1.2.0-01.json"))
	p.sectors = ownSectors(t, "2k")
	for _, n := range p.numbers {
		must(t, os.Remove(filepath.Join(p.place(n).cache, "comm_r")))
	}
	have, _, err := p.read(t.Context())
	must(t, err)
	if !reflect.DeepEqual(have.Sectors, want.Sectors) || !reflect.DeepEqual(have.Vanilla, want.Vanilla) {
		t.Error("they differ")
	}
	must(t, os.WriteFile(filepath.Join(p.place(1).cache, "comm_r"), []byte("short"), 0o600))
	if _, _, err := p.read(t.Context()); err == nil || !strings.Contains(err.Error(), "sector 1: ") || !strings.Contains(err.Error(), "comm_r has 5 bytes") {
		t.Error(err)
	}
}

// ownSectors is a copy of a folder of sectors, which may be changed.
func ownSectors(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS(filepath.Join(fixtures(t), "oracle", "sectors", name))))
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	}))
	return dir
}

func TestWhatCannotBeProvedIsSaid(t *testing.T) {
	dir := filepath.Join(fixtures(t), "oracle")
	sectors := ownSectors(t, "2k")
	change(t, filepath.Join(sectors, "sealed", "s-t01000-1"), 5)
	change(t, filepath.Join(sectors, "cache", "s-t01000-3", "p_aux"), 5)
	must(t, os.Truncate(filepath.Join(sectors, "cache", "s-t01000-4", "sc-02-data-tree-r-last.dat"), 8))
	must(t, os.Remove(filepath.Join(sectors, "sealed", "s-t01000-2")))
	flags := map[string]string{
		"--sectors": sectors, "--params": filepath.Join(dir, "params"), "--size": "2KiB", "--miner": "1000", "--numbers": "0",
		"--randomness": strings.Repeat("00", 32),
	}
	for sentence, c := range map[string]struct {
		flag, value string
		code        int
		says        string
	}{
		"a sector that is not there":          {"--numbers", "9", 1, "sector 9"},
		"a replica with a bit flipped":        {"--numbers", "0-1", 1, "sector 1: replica"},
		"a replica that is gone":              {"--numbers", "2", 1, "sector 2: replica: missing"},
		"a sector named twice":                {"--numbers", "3,0-4", 2, "sector 3 is named twice"},
		"a range backwards":                   {"--numbers", "4-0", 2, `"4-0" is no sector number`},
		"a range without an end":              {"--numbers", "0-99999999", 2, "more than"},
		"no number":                           {"--numbers", "", 2, "no sector number"},
		"a size that no sector has":           {"--size", "3KiB", 2, "there are 2KiB, 4KiB"},
		"no keys for the size":                {"--size", "1GiB", 1, "key of window PoSt of 1GiB sectors"},
		"short randomness":                    {"--randomness", "00", 2, "64 hexadecimal digits"},
		"randomness that is no field element": {"--randomness", strings.Repeat("ff", 32), 2, "two top bits"},
		"a kind of proof that does not exist": {"--typ", "losing", 2, `"losing"`},
		"a p_aux with a bit flipped":          {"--numbers", "3", 1, "sector 3: p_aux"},
		"a tree that is cut off":              {"--numbers", "4", 1, "sector 4: sc-02-data-tree-r-last.dat"},
		"no keys for the kind":                {"--typ", "winning", 1, "key of winning"},
		"too little memory":                   {"--memory", "1KiB", 1, "MiB of memory"},
		"an amount of memory that is none":    {"--memory", "lots", 2, `"lots"`},
		"a miner that is no number":           {"--miner", "f01000", 2, "f01000"},
		"an API version that does not exist":  {"--api", "3.0.0", 2, `"3.0.0"`},
		"a folder that is not there":          {"--sectors", filepath.Join(sectors, "none"), 1, "sector 0"},
		"a folder of keys that is not there":  {"--params", filepath.Join(sectors, "none"), 1, "--params"},
	} {
		t.Run(sentence, func(t *testing.T) {
			args := []string{"proof", "prove"}
			for flag, value := range flags {
				if flag == c.flag {
					value = c.value
				}
				args = append(args, flag, value)
			}
			if flags[c.flag] == "" {
				args = append(args, c.flag, c.value)
			}
			code, out, stderr := invoke(t, args...)
			if code != c.code || out != "" || !strings.Contains(stderr, c.says) {
				t.Errorf("%d, %q, %q", code, out, stderr)
			}
		})
	}
}

func TestAWinningProofIsOfOneSector(t *testing.T) {
	_, _, p := readOracleCase(t, filepath.Join(fixtures(t), "oracle", "cases", "winning-2k-1.0.0-1.json"))
	p.numbers = []uint64{2, 3}
	if code, out, stderr := invoke(t, proveArgs(t, p)...); code != 2 || out != "" || !strings.Contains(stderr, "of one sector") {
		t.Errorf("%d, %s%s", code, out, stderr)
	}
	p.numbers, p.api = p.numbers[:1], "1.2.0"
	if code, out, stderr := invoke(t, proveArgs(t, p)...); code != 2 || out != "" || !strings.Contains(stderr, "--api 1.0.0 or 1.1.0") {
		t.Errorf("by V1_1, which filecoin-proofs makes none of: %d, %s%s", code, out, stderr)
	}
}

func TestTheAPIVersionThatIsNotGivenIsTheNetworks(t *testing.T) {
	for kind, want := range map[post.Kind]post.Version{post.Window: post.V1_1, post.Winning: post.V1} {
		form, err := proofCase{Type: kind, SectorSize: 2 << 10, API: usualAPI(kind)}.form()
		if err != nil || form.Version != want {
			t.Errorf("%s: %s, %v", kind, form.Version, err)
		}
	}
}

func TestSelftestProvesWithEveryKey(t *testing.T) {
	keys := filepath.Join(fixtures(t), "oracle", "params")
	code, out, stderr := invoke(t, "selftest", "--params", keys)
	if code != 0 || strings.Count(out, "proved and verified") != 3 || !strings.HasSuffix(out, "all 6 keys that are here work\n") {
		t.Errorf("%d, %s%s", code, out, stderr)
	}
	if strings.Count(out, "is missing, so nothing can be proved") != 3 || !strings.Contains(out, "no key is here: window 32GiB, window 64GiB, winning 8MiB,") {
		t.Errorf("what is missing is not said: %s", out)
	}
	if code, _, stderr := invoke(t, "selftest", "--params", t.TempDir()); code != 1 || !strings.Contains(stderr, "no key is in") {
		t.Errorf("%d, %s", code, stderr)
	}
}

// copyKey copies the fixtures' 2 KiB window key and gives its two files.
func copyKey(t *testing.T, dir string) (vk, proving string) {
	t.Helper()
	k := keyFixture(t, 2<<10)
	vk, proving = filepath.Join(dir, filepath.Base(k.VK)), filepath.Join(dir, filepath.Base(k.Params))
	copyFile(t, vk, k.VK)
	copyFile(t, proving, k.Params)
	return vk, proving
}

// keyFixture is a window key among the fixtures.
func keyFixture(t *testing.T, size uint64) keyFiles {
	t.Helper()
	k, err := keyOf(filepath.Join(fixtures(t), "oracle", "params"), params.Proof{SectorSize: size})
	must(t, err)
	return k
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, b, 0o600))
}

func TestDamagedKeysAreRefusedByName(t *testing.T) {
	for sentence, c := range map[string]struct {
		spoil func(t *testing.T, vk, params string)
		says  string
	}{
		"the proving key is cut off":             {func(t *testing.T, _, params string) { must(t, os.Truncate(params, 1<<20)) }, "key ends after"},
		"a byte of a point is changed":           {func(t *testing.T, _, params string) { change(t, params, 5<<20) }, "point is not on the curve"},
		"the verifying key is cut off":           {func(t *testing.T, vk, _ string) { must(t, os.Truncate(vk, 3000)) }, "cut off"},
		"a byte of the verifying key is changed": {func(t *testing.T, vk, _ string) { change(t, vk, 1000) }, "curve"},
		"the files are exchanged": {func(t *testing.T, vk, params string) {
			must(t, os.Rename(vk, vk+".x"))
			must(t, os.Rename(params, vk))
			must(t, os.Rename(vk+".x", params))
		}, "key"},
		"the proving key is empty": {func(t *testing.T, _, params string) { must(t, os.Truncate(params, 0)) }, "0 bytes"},
		"the proving key is another circuit's": {func(t *testing.T, _, params string) {
			copyFile(t, params, keyFixture(t, 16<<10).Params)
		}, "another circuit"},
		"both are another circuit's": {func(t *testing.T, vk, params string) {
			copyFile(t, vk, keyFixture(t, 16<<10).VK)
			copyFile(t, params, keyFixture(t, 16<<10).Params)
		}, "another circuit"},
		"the verifying key cannot be read": {func(t *testing.T, vk, _ string) {
			if os.Getuid() == 0 {
				must(t, os.Remove(vk))
				must(t, os.Symlink(vk, vk)) // root reads everything but this
				return
			}
			must(t, os.Chmod(vk, 0))
		}, "open verifying key"},
		"the proving key is a folder": {func(t *testing.T, _, params string) { must(t, os.Remove(params)); must(t, os.Mkdir(params, 0o700)) }, "not a regular file"},
	} {
		t.Run(sentence, func(t *testing.T) {
			dir := t.TempDir()
			vk, params := copyKey(t, dir)
			c.spoil(t, vk, params)
			code, out, stderr := invoke(t, "params", "check", "--params", dir)
			if code != 1 || !strings.Contains(out, "BAD") || !strings.Contains(out, c.says) {
				t.Errorf("check: %d, %s%s", code, out, stderr)
			}
			code, out, stderr = invoke(t, "selftest", "--params", dir)
			if code != 1 || !strings.Contains(out, "window PoSt of 2KiB sectors: FAILED") {
				t.Errorf("selftest: %d, %s%s", code, out, stderr)
			}
			p := proving{sectors: filepath.Join(fixtures(t), "oracle", "sectors", "2k"), keys: dir, api: "1.2.0", miner: 1000, numbers: []uint64{0}}
			p.form, _ = post.WindowConfig(2<<10, post.V1_1)
			if code, out, stderr = invoke(t, proveArgs(t, p)...); code != 1 || out != "" || !strings.Contains(stderr, "key of window PoSt of 2KiB sectors") {
				t.Errorf("prove: %d, %s%s", code, out, stderr)
			}
		})
	}
}

func change(t *testing.T, file string, at int) {
	t.Helper()
	b, err := os.ReadFile(file)
	must(t, err)
	b[at] ^= 1
	must(t, os.WriteFile(file, b, 0o600))
}

func TestKeysOfALocalSetupAreSaidToBeSuch(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a key")
	}
	dir := filepath.Join(t.TempDir(), "new")
	code, out, stderr := invoke(t, "params", "make", "--size", "2KiB", "--params", dir)
	if code != 0 || !strings.Contains(stderr, "development networks only") {
		t.Fatalf("%d, %s%s", code, out, stderr)
	}
	if code, out, _ := invoke(t, "params", "check", "--params", dir); code != 0 || strings.Count(out, "worth nothing on a public network") != 2 {
		t.Errorf("%d, %s", code, out)
	}
	if code, _, stderr := invoke(t, "params", "make", "--size", "2KiB", "--params", dir); code != 1 || !strings.Contains(stderr, "--force") {
		t.Errorf("%d, %s", code, stderr)
	}
	if code, _, stderr := invoke(t, "params", "make", "--size", "32GiB", "--params", dir); code != 1 || !strings.Contains(stderr, "too large") {
		t.Errorf("%d, %s", code, stderr)
	}
	// Halves of two setups do not belong together.
	vk, proving := copyKey(t, t.TempDir())
	must(t, os.Rename(vk, filepath.Join(dir, filepath.Base(vk))))
	if code, out, _ := invoke(t, "params", "check", "--params", dir); code != 1 || !strings.Contains(out, "not of one key") {
		t.Errorf("%d, %s", code, out)
	}
	_ = proving
}

func TestAllKeysAreListed(t *testing.T) {
	code, out, stderr := invoke(t, "params", "list", "--json", "--params", t.TempDir())
	if code != 0 || strings.Count(out, "\n") != 40 || strings.Count(out, `"state":"missing"`) != 40 {
		t.Errorf("%d, %s%s", code, out, stderr)
	}
	if code, out, _ := invoke(t, "params", "list", "--params", t.TempDir()); code != 0 || strings.Count(out, "missing") != 20 {
		t.Errorf("%d, %s", code, out)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	must(t, err)
	return string(bytes.TrimSpace(b))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
