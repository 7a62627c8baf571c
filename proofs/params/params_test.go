package params

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/proofs/circuit"
	"github.com/vigil-post/vigil/proofs/groth16"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFilesHaveTheNamesOfFilecoinProofs(t *testing.T) {
	const window, winning = false, true
	for p, want := range map[Proof]string{
		{window, 2 << 10}:    "8-0-0-0170db1f394b35d995252228ee359194b13199d259380541dc529fb0099096b0",
		{window, 8 << 20}:    "8-0-0-5294475db5237a2e83c3e52fd6c2b03859a1831d45ed08c4f35dbf9a803165a9",
		{window, 512 << 20}:  "8-0-0-0cfb4f178bbb71cf2ecfcd42accce558b27199ab4fb59cb78f2483fe21ef36d9",
		{window, 32 << 30}:   "8-8-0-0377ded656c6f524f1618760bffe4e0a1c51d5a70c4509eedae8a27555733edc",
		{window, 64 << 30}:   "8-8-2-2627e4006b67f99cef990c0a47d5426cb7ab0a0ad58fc1061547bf2d28b09def",
		{winning, 2 << 10}:   "8-0-0-3ea05428c9d11689f23529cde32fd30aabd50f7d2c93657c1d3650bca3e8ea9e",
		{winning, 8 << 20}:   "8-0-0-50c7368dea9593ed0989e70974d28024efa9d156d585b7eea1be22b2e753f331",
		{winning, 512 << 20}: "8-0-0-7d739b8cf60f1b0709eeebee7730e297683552e4b69cab6984ec0285663c5781",
		{winning, 32 << 30}:  "8-8-0-559e581f022bb4e4ec6e719e563bf0e026ad6de42e56c18714a2c692b1b88d7e",
		{winning, 64 << 30}:  "8-8-2-b62098629d07946e9028127e70295ed996fe3ed25b0f9f88eb610a0ab4385a3c",
		{window, 4 << 10}:    "8-2-0-cc42931263e38853659466f248a6d623b702bf9ec49f687b2a931cef727c1069",
		{winning, 4 << 10}:   "8-2-0-1b919095872c3abb6e84fb6060425159f5ddd55c982df1853100e66919c70d34",
		{winning, 16 << 10}:  "8-8-0-fb97aa10509b0b9a3663c412f4362c4899d88bc4fcd680ab5898a4b5c594c9ca",
		{winning, 32 << 10}:  "8-8-2-46ced5cb1fda8c92490b22b2af7bd1adedace49a0a40539f96bea1082b740ebc",
		{window, 16 << 20}:   "8-2-0-8feba84565cc48dcdb48c9b2957754a8b91e1bfa1fc1348791d1a3fda9b5ea09",
		{winning, 16 << 20}:  "8-2-0-6f17428086c4e8ebe4fe3cb08be628669bf3e16652c22a78e1fa53e9e83feaf4",
		{window, 1 << 30}:    "8-2-0-f3aab9038a63efce6e3dc362dc6a7f7a01f078100441320740f23d626e3dd4cb",
		{winning, 1 << 30}:   "8-2-0-bbd6dae94a7b8b69d4d020e0562f8640033a09b4a500ad3ab68f696fcf521519",
		{window, 16 << 10}:   "8-8-0-457fef4290dae6633b426166ae92f2e7732fe528b75fec3226dc479ce7c95662",
		{window, 32 << 10}:   "8-8-2-0f2270b825bd80be1b341ad648b96c9cbf744a38c50921dc734e4a251a48447b",
	} {
		want = "v28-proof-of-spacetime-fallback-merkletree-poseidon_hasher-" + want
		name, err := p.ParamsFile()
		check(t, err)
		if name != want+".params" {
			t.Errorf("%v: %s", p, name)
		}
		if name, err = p.VKFile(); err != nil || name != want+".vk" {
			t.Errorf("%v: %s, %v", p, name, err)
		}
	}
}

func TestASizeWithoutACircuitIsAnError(t *testing.T) {
	p := Proof{SectorSize: 8192}
	if _, err := p.Shape(); err == nil {
		t.Error("shape")
	}
	if _, err := p.ParamsFile(); err == nil {
		t.Error("file")
	}
	if err := Generate(t.Context(), t.TempDir(), p); err == nil {
		t.Error("generate")
	}
	if err := Generate(t.Context(), t.TempDir(), Proof{SectorSize: 32 << 30}); err == nil || !strings.Contains(err.Error(), "125 million") {
		t.Error("generate 32 GiB: ", err)
	}
}

func TestPublishedDigestsAreThoseOfParametersJSON(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(fixtures(t), "parameters.json"))
	check(t, err)
	var published map[string]struct{ Digest string }
	check(t, json.Unmarshal(b, &published))
	known := 0
	for name, entry := range published {
		if !strings.Contains(name, "proof-of-spacetime-fallback") {
			continue
		}
		known++
		if !slices.ContainsFunc(SectorSizes(), func(size uint64) bool {
			return is(t, Proof{false, size}, name, entry.Digest) || is(t, Proof{true, size}, name, entry.Digest)
		}) {
			t.Errorf("%s with digest %s is not known", name, entry.Digest)
		}
	}
	if known != 2*len(Published) {
		t.Errorf("%d digests published, %d known", known, 2*len(Published))
	}
}

func is(t *testing.T, p Proof, name, digest string) bool {
	params, err := p.ParamsFile()
	check(t, err)
	vk, err := p.VKFile()
	check(t, err)
	d := Published[p]
	return name == params && digest == d.Params || name == vk && digest == d.VK
}

func fixtures(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("VIGIL_FIXTURES")
	if dir == "" {
		root, err := os.Getwd()
		check(t, err)
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			if root == filepath.Dir(root) {
				t.Fatal("no go.mod above the test")
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared", "fixtures")
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("fixtures are missing: %v", err)
		}
		t.Skipf("fixtures are not on this machine (set VIGIL_FIXTURES): %v", err)
	}
	return dir
}

// smallKey is a key in a file, for a circuit of one challenge.
func smallKey(t testing.TB) (path string, key *groth16.ProvingKey) {
	t.Helper()
	c := small(t, circuit.Shape{Sectors: 1, Challenges: 1, Arities: []int{2}})
	key, err := groth16.Setup(t.Context(), c)
	check(t, err)
	path = filepath.Join(t.TempDir(), "key.params")
	check(t, Write(path, key))
	return path, key
}

func small(t testing.TB, s circuit.Shape) *circuit.Circuit {
	t.Helper()
	c, err := circuit.New(s)
	check(t, err)
	return c
}

func TestAKeyIsOpenedAsItWasWritten(t *testing.T) {
	path, want := smallKey(t)
	k, err := Open(path, want.Lengths())
	check(t, err)
	var a, b bytes.Buffer
	_, err = k.WriteTo(&a)
	check(t, err)
	_, err = want.WriteTo(&b)
	check(t, err)
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("it changed")
	}
	check(t, k.Close())
}

func TestFilesThatAreNotTheKeyAreRefusedByName(t *testing.T) {
	path, key := smallKey(t)
	good, err := os.ReadFile(path)
	check(t, err)
	other := small(t, circuit.Shape{Sectors: 1, Challenges: 2, Arities: []int{2}}).Lengths()
	for name, tc := range map[string]struct {
		content []byte
		want    groth16.Lengths
		says    string
	}{
		"empty":           {nil, key.Lengths(), "cannot be mapped"},
		"a cut head":      {good[:800], key.Lengths(), "cut off"},
		"cut points":      {good[:len(good)-1], key.Lengths(), "points B in G2"},
		"cut in the half": {good[:len(good)/2], key.Lengths(), "points"},
		"a longer file":   {append(slices.Clone(good), 1), key.Lengths(), "too many"},
		"a corrupt head":  {flipped(good, 100), key.Lengths(), "beta in G1"},
		"a corrupt count": {flipped(good, 867), key.Lengths(), ""},
		"another circuit": {good, other, "another circuit"},
	} {
		path := filepath.Join(t.TempDir(), "spoilt.params")
		check(t, os.WriteFile(path, tc.content, 0o600))
		_, err := Open(path, tc.want)
		if err == nil || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), "spoilt.params") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.TempDir(), other); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), other); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	var wrong *groth16.WrongKeyError
	if _, err := Open(path, other); !errors.As(err, &wrong) {
		t.Error(err)
	}
}

func flipped(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 4
	return b
}

func TestVerifyingKeysAreCheckedWhole(t *testing.T) {
	_, key := smallKey(t)
	vk, err := key.VerifyingKey()
	check(t, err)
	good, err := vk.AppendBinary(nil)
	check(t, err)
	path := filepath.Join(t.TempDir(), "key.vk")
	for name, content := range map[string][]byte{
		"cut off":         good[:len(good)-1],
		"longer":          append(slices.Clone(good), 0),
		"a corrupt input": flipped(good, len(good)-1),
		"a wrong count":   flipped(good, 867),
	} {
		check(t, os.WriteFile(path, content, 0o600))
		if _, err := OpenVK(path, key.Lengths()); err == nil {
			t.Error(name)
		}
	}
	check(t, os.WriteFile(path, good, 0o600))
	_, err = OpenVK(path, key.Lengths())
	check(t, err)
}

func TestDigestsAreBLAKE2bs(t *testing.T) {
	// RFC 7693, appendix A: BLAKE2b-512 of "abc" starts with ba80a53f981c4d0d.
	path := filepath.Join(t.TempDir(), "abc")
	check(t, os.WriteFile(path, []byte("abc"), 0o600))
	const want = "ba80a53f981c4d0d6a2797b69f12f6e9"
	check(t, CheckDigest(t.Context(), path, want))
	var wrong *DigestError
	if err := CheckDigest(t.Context(), path, "00"); !errors.As(err, &wrong) || wrong.Have != want {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Digest(ctx, path, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// broken writes half of its content.
type broken struct{}

func (broken) WriteTo(w io.Writer) (int64, error) {
	n, _ := w.Write(make([]byte, 3<<20))
	return int64(n), errors.New("no more")
}

func TestAFailedWriteLeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	check(t, Write(path, text("old")))
	if err := Write(path, broken{}); err == nil {
		t.Fatal("it did not fail")
	}
	b, err := os.ReadFile(path)
	check(t, err)
	entries, err := os.ReadDir(dir)
	check(t, err)
	if string(b) != "old" || len(entries) != 1 {
		t.Errorf("%q, %v", b, entries)
	}
}

func TestAGeneratedKeyHasTheSizeOfTheNetworks(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a whole 2 KiB key: seconds")
	}
	dir := t.TempDir()
	p := Proof{SectorSize: 2 << 10}
	check(t, Generate(t.Context(), dir, p))
	paramsName, err := p.ParamsFile()
	check(t, err)
	vkName, err := p.VKFile()
	check(t, err)
	for name, want := range map[string]int64{paramsName: 11_501_496, vkName: 3_076} {
		info, err := os.Stat(filepath.Join(dir, name))
		check(t, err)
		if info.Size() != want {
			t.Errorf("%s: %d bytes, want %d", name, info.Size(), want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, Warning)); err != nil {
		t.Error(err)
	}
	shape, err := p.Shape()
	check(t, err)
	k, err := Open(filepath.Join(dir, paramsName), small(t, shape).Lengths())
	check(t, err)
	check(t, k.Close())
}
