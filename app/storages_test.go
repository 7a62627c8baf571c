package app

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil/devnet"
	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
	"github.com/vigil-post/vigil/sector"
)

func put(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

func folder(t *testing.T, parts ...string) string {
	t.Helper()
	path := filepath.Join(parts...)
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStoragesAreFoundWhereOtherSoftwareHasThem(t *testing.T) {
	dir := t.TempDir()
	folder(t, dir, "mnt/one/sealed")
	folder(t, dir, "mnt/rack/two/update-cache")
	put(t, filepath.Join(dir, "mnt/three", sectorStore), `{"ID":"x","Weight":10,"CanStore":true}`)
	folder(t, dir, "mnt/other/files")
	put(t, filepath.Join(dir, "lotus/storage.json"), `{"StoragePaths":[{"Path":"`+dir+`/mnt/one"},{"Path":"../gone"}]}`)
	put(t, filepath.Join(dir, "damocles.cfg"), `
[Common]
ScanPersistStores = ["`+dir+`/mnt/*"]
[[Common.PersistStores]]
Name = "s2"
Path = "mnt/rack/two"
ReadOnly = true
[Common.PersistStores.Meta]
Key = "value"
[[Common.PersistStores]]
Name = "bucket"
Path = "s3"
PluginName = "s3store"
[[Miners]]
Actor = 10086
`)
	for _, c := range []struct {
		place string
		want  []string
	}{
		{"mnt", []string{"mnt/one", "mnt/rack/two", "mnt/three"}},
		{"mnt/one", []string{"mnt/one"}},
		{"mnt/other", nil},
		{"lotus", []string{"gone", "mnt/one"}},
		{"lotus/storage.json", []string{"gone", "mnt/one"}},
		{"damocles.cfg", []string{"mnt/rack/two", "mnt/three"}},
	} {
		got, err := ScanStorages(filepath.Join(dir, c.place))
		if err != nil {
			t.Errorf("%s: %v", c.place, err)
		}
		for i := range c.want {
			c.want[i] = filepath.Join(dir, c.want[i])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.place, got, c.want)
		}
	}
	for place, says := range map[string]string{
		put(t, filepath.Join(dir, "bad.json"), "{"):      "storage.json",
		put(t, filepath.Join(dir, "empty.json"), "{}"):   "StoragePaths",
		put(t, filepath.Join(dir, "bad.cfg"), "[Common"): "damocles",
		put(t, filepath.Join(dir, "empty.cfg"), "a = 1"): "PersistStores",
		filepath.Join(dir, "nowhere"):                    "no such file",
	} {
		if _, err := ScanStorages(place); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", place, err)
		}
	}
}

func TestStoragesAreAddedToAFileOnceAndNothingElseOfItChanges(t *testing.T) {
	dir := place(t)
	folder(t, dir, `odd "name" ü`, "sealed")
	file := put(t, filepath.Join(dir, "vigil.toml"), good)
	link := filepath.Join(dir, "link.toml")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	odd := filepath.Join(dir, `odd "name" ü`)
	added, err := AddStorages(link, []string{filepath.Join(dir, "more"), odd, odd})
	if err != nil || !slices.Equal(added, []string{odd}) {
		t.Fatalf("%v, %v", added, err)
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(text), strings.TrimRight(good, "\n")) {
		t.Errorf("%v: the file is now\n%s", err, text)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is a file now")
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is now %v", info.Mode())
	}
	c, err := Load(file)
	if err != nil || len(c.Storages) != 3 || c.Storages[2] != odd {
		t.Errorf("%v, %v", c.Storages, err)
	}
	if added, err := AddStorages(file, []string{odd}); err != nil || len(added) != 0 {
		t.Errorf("a second time: %v, %v", added, err)
	}
	again, _ := os.ReadFile(file)
	if string(again) != string(text) {
		t.Error("the file has changed though nothing was added")
	}
}

func TestAFileThatWouldBeWrongIsLeftAsItWas(t *testing.T) {
	dir := place(t)
	file := put(t, filepath.Join(dir, "vigil.toml"), good)
	notAFolder := put(t, filepath.Join(dir, "file"), "")
	_, err := AddStorages(file, []string{notAFolder})
	if err == nil || !strings.Contains(err.Error(), "is not a folder") || !strings.Contains(err.Error(), "left as it was") {
		t.Errorf("%v", err)
	}
	if text, _ := os.ReadFile(file); string(text) != good {
		t.Errorf("the file is now\n%s", text)
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestACheckNeedsNoKeysAndNoParameters(t *testing.T) {
	dir := place(t)
	for _, gone := range []string{"keystore", "pass", "params"} {
		if err := os.RemoveAll(filepath.Join(dir, gone)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := LoadForReading(put(t, filepath.Join(dir, "vigil.toml"), good))
	if err != nil || len(c.Miners) != 2 || len(c.Storages) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := LoadForReading(put(t, filepath.Join(dir, "vigil.toml"), strings.Replace(good, "f01000", "f0", 1))); err == nil {
		t.Error("a miner that is none is taken")
	}
}

// sectorsOnDisk is a chain whose miner has so many sectors of 2 KiB in a storage.
func sectorsOnDisk(t *testing.T, n int) (Config, string) {
	t.Helper()
	dir := t.TempDir()
	storage := filepath.Join(dir, "storage")
	shape, err := merkle.ShapeOf(2 << 10)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := devnet.Open(t.Context(), devnet.Config{
		Dir: filepath.Join(dir, "chain"), Manual: true, BlockTime: flockEpoch, Miners: 1, Sectors: n, Verify: judgeHash, Log: slog.New(slog.DiscardHandler),
		Sector: func(_ context.Context, _ string, m abi.ActorID, s abi.SectorNumber) ([32]byte, error) {
			f, err := post.FauxSector(shape, rand.NewChaCha8([32]byte{byte(s)}))
			if err != nil {
				return [32]byte{}, err
			}
			return f.CommR, f.Write(storage, uint64(m), uint64(s))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- chain.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	return Config{
		Nodes:  []Node{{URL: "http://" + chain.Addr(), Token: Secret(chain.Token())}},
		Miners: []abi.ActorID{1000}, Storages: []string{storage}, Reading: Reading{AtOnce: 128},
	}, storage
}

func TestACheckSaysOfEverySectorWhetherItIsGoodBadOrUnknown(t *testing.T) {
	c, storage := sectorsOnDisk(t, 12)
	quiet := slog.New(slog.DiscardHandler)
	check := func(w CheckWanted) map[Verdict][]abi.SectorNumber {
		said := 0
		list, err := CheckSectors(t.Context(), c, w, quiet, func(Checked) { said++ })
		if err != nil {
			t.Fatal(err)
		}
		if said != len(list) {
			t.Errorf("%d of %d results were said", said, len(list))
		}
		verdicts := map[Verdict][]abi.SectorNumber{}
		for _, r := range list {
			verdicts[r.Verdict] = append(verdicts[r.Verdict], r.Sector)
			if (r.Verdict == VerdictGood) != (r.Cause == "") {
				t.Errorf("sector %d is %s: %s", r.Sector, r.Verdict, r.Cause)
			}
		}
		return verdicts
	}
	all := check(CheckWanted{AtOnce: 4})
	if len(all[VerdictGood]) != 12 {
		t.Fatalf("all are good: %v", all)
	}
	spoilt, linked := all[VerdictGood][3], all[VerdictGood][7]
	if err := os.Truncate(filepath.Join(storage, "sealed", sector.Name(1000, spoilt)), 100); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(storage, "sealed", sector.Name(1000, linked))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, path); err != nil { // a link to itself cannot be opened
		t.Fatal(err)
	}
	all = check(CheckWanted{AtOnce: 4})
	if len(all[VerdictGood]) != 10 || !slices.Equal(all[VerdictBad], []abi.SectorNumber{spoilt}) || !slices.Equal(all[VerdictUnknown], []abi.SectorNumber{linked}) {
		t.Errorf("%v", all)
	}
	if some := check(CheckWanted{AtOnce: 1, Sectors: []abi.SectorNumber{spoilt, linked}}); fmt.Sprint(some) != fmt.Sprint(map[Verdict][]abi.SectorNumber{VerdictBad: {spoilt}, VerdictUnknown: {linked}}) {
		t.Errorf("%v", some)
	}
	if none := check(CheckWanted{AtOnce: 1, Miners: []abi.ActorID{2000}}); len(none) != 0 {
		t.Errorf("%v", none)
	}
	found := FindSector(t.Context(), c.Storages, 1000, spoilt)
	if len(found) != 1 || len(SectorFiles(found[0])) != 2 {
		t.Errorf("%+v", found)
	}
	if list := ListStorages(t.Context(), append(c.Storages, "/nowhere")); list[0].Sealed != 12 || list[0].Problem != "" || list[1].Problem == "" {
		t.Errorf("%+v", list)
	}
}
