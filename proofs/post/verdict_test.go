package post_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/vigil-post/vigil/proofs/groth16"
	"github.com/vigil-post/vigil/proofs/post"
)

// keys are the verifying keys of one folder, each opened once.
type keys struct {
	dir  string
	open map[post.Config]*post.Verifier
}

func openKeys(oracle string) *keys {
	return &keys{dir: filepath.Join(oracle, "params"), open: map[post.Config]*post.Verifier{}}
}

func (k *keys) of(t *testing.T, cfg post.Config) *post.Verifier {
	t.Helper()
	if k.open[cfg] == nil {
		k.open[cfg] = must(post.OpenVerifier(cfg, k.dir))(t)
	}
	return k.open[cfg]
}

func TestProofsOfFilecoinProofsVerify(t *testing.T) {
	oracles(t, func(t *testing.T, dir string) {
		keys := openKeys(dir)
		for _, c := range readCases(t, filepath.Join(dir, "cases", "*.json")) {
			t.Run(c.name, func(t *testing.T) {
				v := keys.of(t, c.config(t))
				if ok, err := v.Verify(c.statement(), c.Proof); !ok || err != nil {
					t.Errorf("%v, %v", ok, err)
				}
				var joined []byte
				for _, single := range c.Single {
					joined = append(joined, single...)
				}
				if ok, err := v.Verify(c.statement(), joined); c.Single != nil && len(joined) > 0 && (!ok || err != nil) {
					t.Errorf("its partitions proved one by one: %v, %v", ok, err)
				}
			})
		}
	})
}

func TestSpoiltProofsGetFilecoinProofsVerdict(t *testing.T) {
	oracles(t, func(t *testing.T, dir string) {
		keys := openKeys(dir)
		for _, c := range readCases(t, filepath.Join(dir, "mutated", "*.json")) {
			what, want, ok := strings.Cut(c.Note, ": ")
			if !ok {
				t.Fatalf("%s: no verdict in %q", c.name, c.Note)
			}
			t.Run(c.name+"/"+what, func(t *testing.T) {
				valid, err := keys.of(t, c.config(t)).Verify(c.statement(), c.Proof)
				got := map[bool]string{true: "true", false: "false"}[valid]
				if err != nil {
					got = "error"
				}
				if got != want || valid != c.Valid {
					t.Errorf("%s (%v), want %s", got, err, want)
				}
			})
		}
	})
}

func TestAStatementThatIsNoneIsAnError(t *testing.T) {
	dir := filepath.Join("testdata", "oracle")
	keys := openKeys(dir)
	cases := readCases(t, filepath.Join(dir, "cases", "*.json"))
	for _, name := range []string{"window-2k-1.0.0-01234", "winning-2k-1.0.0-0"} {
		var c oracleCase
		for _, c = range cases {
			if c.name == name {
				break
			}
		}
		for what, change := range map[string]func(*post.Statement){
			"no sectors":                     func(s *post.Statement) { s.Sectors = nil },
			"randomness that is no element":  func(s *post.Statement) { s.Randomness[31] |= 0xc0 },
			"a prover id that is no element": func(s *post.Statement) { s.ProverID[31] = 0xff },
			"a comm_r that is no element":    func(s *post.Statement) { s.Sectors[0].CommR[31] = 0xff },
			"a comm_r of zeros, though a later entry counts": func(s *post.Statement) {
				s.Sectors = append([]post.Sector{{Number: s.Sectors[0].Number}}, s.Sectors...)
			},
			"a comm_r of zeros": func(s *post.Statement) { s.Sectors[0].CommR = [32]byte{} },
			"a partition's sectors more": func(s *post.Statement) {
				for n := range uint64(3) {
					s.Sectors = append(s.Sectors, post.Sector{Number: 100 + n, CommR: s.Sectors[0].CommR})
				}
			},
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				s := c.statement()
				change(&s)
				if ok, err := keys.of(t, c.config(t)).Verify(s, c.Proof); ok || err == nil {
					t.Errorf("%v, %v", ok, err)
				}
			})
		}
	}
}

func TestAWinningStatementHasOneEntry(t *testing.T) {
	dir := filepath.Join("testdata", "oracle")
	c := readCases(t, filepath.Join(dir, "cases", "winning-2k-1.0.0-0.json"))[0]
	s := c.statement()
	s.Sectors = append(s.Sectors, s.Sectors[0])
	if ok, err := openKeys(dir).of(t, c.config(t)).Verify(s, c.Proof); ok || err == nil {
		t.Errorf("the sector twice: %v, %v", ok, err)
	}
}

func TestAWinningProofIsNoneByTheRuleOfV1_1(t *testing.T) {
	dir := filepath.Join("testdata", "oracle")
	c := readCases(t, filepath.Join(dir, "cases", "winning-2k-1.0.0-0.json"))[0]
	form := c.config(t)
	form.Version = post.V1_1
	if ok, err := openKeys(dir).of(t, form).Verify(c.statement(), c.Proof); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestSectorsInAnyOrderAreTheSameStatement(t *testing.T) {
	dir := filepath.Join("testdata", "oracle")
	c := readCases(t, filepath.Join(dir, "cases", "window-2k-1.0.0-01234.json"))[0]
	v := openKeys(dir).of(t, c.config(t))
	s := c.statement()
	first := s.Sectors[0]
	wrong := first
	wrong.CommR[0] ^= 1
	s.Sectors = append(s.Sectors[2:], s.Sectors[1], wrong, s.Sectors[3], first)
	if ok, err := v.Verify(s, c.Proof); !ok || err != nil {
		t.Errorf("mixed, with duplicates: %v, %v", ok, err)
	}
	s.Sectors = append(s.Sectors, wrong)
	if ok, err := v.Verify(s, c.Proof); ok || err != nil {
		t.Errorf("the last entry of a sector counts, and it is wrong: %v, %v", ok, err)
	}
}

func TestAKeyOfAnotherCircuitIsRefused(t *testing.T) {
	dir := filepath.Join("testdata", "oracle", "params")
	window := must(post.WindowConfig(2<<10, post.V1_1))(t)
	if _, err := post.NewVerifier(window, &groth16.VerifyingKey{}); err == nil {
		t.Error("an empty key")
	}
	if _, err := post.OpenVerifier(must(post.WindowConfig(8<<20, post.V1_1))(t), dir); err == nil {
		t.Error("a key that is not there")
	}
	if _, err := post.OpenVerifier(must(post.WindowConfig(4<<10, post.V1_1))(t), dir); err == nil {
		t.Error("a key that has no name")
	}
	if _, _, err := post.OpenProver(window, dir, groth16.Prover{}); err == nil {
		t.Error("a proving key that is not there")
	}
}
