package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/proofs/params"
)

// What filecoin-proofs made of the same sectors, byte for byte: everything but the
// proof, which is blinded.
func TestAProvedCaseIsTheOneOfFilecoinProofs(t *testing.T) {
	dir := filepath.Join(fixtures(t), "oracle")
	for name, proved := range map[string]bool{
		"window-2k-1.0.0-01234": !testing.Short(),
		"window-2k-1.2.0-01":    true,
		"window-16k-1.0.0-0":    !testing.Short(),
		"window-32k-1.2.0-0":    !testing.Short(),
		"winning-2k-1.0.0-1":    false, // its proving key is not among the fixtures
	} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(dir, "cases", name+".json"))
			must(t, err)
			var want struct {
				madeCase
				Dir string
			}
			must(t, json.Unmarshal(b, &want))
			p := proving{
				sectors: filepath.Join(dir, "sectors", want.Dir), keys: filepath.Join(dir, "params"),
				api: want.API, miner: want.Miner, randomness: [32]byte(want.Randomness),
			}
			p.form, err = proofCase{Type: want.Type, SectorSize: want.SectorSize, API: want.API}.form()
			must(t, err)
			var numbers []string
			for _, s := range want.Sectors {
				p.numbers = append(p.numbers, s.Number)
				numbers = append(numbers, jsonOf(t, s.Number))
			}
			have, _, err := p.read(t.Context())
			must(t, err)
			if !reflect.DeepEqual(have.Challenges, want.Challenges) || !reflect.DeepEqual(have.Vanilla, want.Vanilla) || !reflect.DeepEqual(have.Sectors, want.Sectors) {
				t.Error("challenges, vanilla proofs or comm_r differ")
			}
			if !proved {
				return
			}
			code, out, stderr := invoke(t, "proof", "prove", "--sectors", p.sectors, "--params", p.keys, "--typ", string(want.Type), "--size", jsonOf(t, want.SectorSize),
				"--api", want.API, "--miner", jsonOf(t, want.Miner), "--numbers", strings.Join(numbers, ","), "--randomness", strings.Trim(jsonOf(t, want.Randomness), `"`))
			if code != 0 {
				t.Fatal(stderr)
			}
			file := filepath.Join(t.TempDir(), "case.json")
			must(t, os.WriteFile(file, []byte(out), 0o600))
			if code, out, _ := invoke(t, "proof", "verify", "--params", p.keys, file); code != 0 || !strings.Contains(out, `"verdict":"true"`) {
				t.Errorf("verify: %d, %s", code, out)
			}
		})
	}
}

func TestWhatCannotBeProvedIsSaid(t *testing.T) {
	dir := filepath.Join(fixtures(t), "oracle")
	sectors := t.TempDir()
	must(t, os.CopyFS(sectors, os.DirFS(filepath.Join(dir, "sectors", "2k"))))
	replica := filepath.Join(sectors, "sealed", "s-t01000-1")
	must(t, os.Chmod(replica, 0o600))
	b, err := os.ReadFile(replica)
	must(t, err)
	b[5] ^= 1
	must(t, os.WriteFile(replica, b, 0o600))
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
		"two sectors for a winning proof":     {"--typ", "winning", 1, "key of winning"},
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

func TestSelftestProvesWithEveryKey(t *testing.T) {
	keys := filepath.Join(fixtures(t), "oracle", "params")
	code, out, stderr := invoke(t, "selftest", "--params", keys)
	if code != 0 || strings.Count(out, "proved and verified") != 3 || !strings.HasSuffix(out, "all 6 keys that are here work\n") {
		t.Errorf("%d, %s%s", code, out, stderr)
	}
	if code, _, stderr := invoke(t, "selftest", "--params", t.TempDir()); code != 1 || !strings.Contains(stderr, "no key is in") {
		t.Errorf("%d, %s", code, stderr)
	}
}

// copyKey copies the fixtures' 2 KiB window key and gives its two files.
func copyKey(t *testing.T, dir string) (vk, proving string) {
	t.Helper()
	k, err := keyOf(filepath.Join(fixtures(t), "oracle", "params"), params.Proof{SectorSize: 2 << 10})
	must(t, err)
	var copies []string
	for _, from := range []string{k.VK, k.Params} {
		b, err := os.ReadFile(from)
		must(t, err)
		to := filepath.Join(dir, filepath.Base(from))
		must(t, os.WriteFile(to, b, 0o600))
		copies = append(copies, to)
	}
	return copies[0], copies[1]
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
		"the proving key is empty":    {func(t *testing.T, _, params string) { must(t, os.Truncate(params, 0)) }, "0 bytes"},
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
