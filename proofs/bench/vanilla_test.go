package bench

import (
	"testing"
	"time"
)

func TestASectorIsReadInAsFewReadsAsThereCanBe(t *testing.T) {
	if testing.Short() {
		t.Skip("hashes 32 GiB sectors' trees")
	}
	r, err := Vanilla{Dir: t.TempDir(), Sectors: 3, Limit: 2, Seek: time.Millisecond}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.RatioReads > 1.01 || r.Sectors != 3 || r.Ours.CPU <= 0 || r.BareSeek.Wall <= 0 || r.RatioDisk <= 0 || r.Bellperson != nil {
		t.Errorf("%+v", r)
	}
}
