package app

import (
	"strings"
	"testing"

	"github.com/vigil-post/vigil/schedule"
)

func TestRecoveriesCanBeMadeSmallerThanTheNetworkTakesThem(t *testing.T) {
	read := func(table string) (schedule.Policy, error) {
		c, err := parse("vigil.toml", place(t), []byte(good+"\n[recovery]\n"+table), noEnv)
		return c.Schedule, err
	}
	p, err := read("")
	if err != nil || !p.RecoverAlone || p.DeclareSectors != 25_000 || p.DeclarePartitions != 3_000 || p.DeclareGas != 5_000_000_000 {
		t.Errorf("by default: %+v, %v", p, err)
	}
	p, err = read("alone = false\nmax_sectors = 2349\nmax_partitions = 1\nmax_gas = 1000000000")
	if err != nil || p.RecoverAlone || p.DeclareSectors != 2349 || p.DeclarePartitions != 1 || p.DeclareGas != 1_000_000_000 {
		t.Errorf("as chosen: %+v, %v", p, err)
	}
	for _, wrong := range []struct{ setting, advice string }{
		{"max_sectors = 25001", "from 1 to 25000"},
		{"max_partitions = 0", "from 1 to 3000"},
		{"max_gas = 10000000001", "from 50000000 to 10000000000"},
	} {
		if _, err := read(wrong.setting); err == nil || !strings.Contains(err.Error(), wrong.advice) {
			t.Errorf("%s: %v", wrong.setting, err)
		}
	}
}
