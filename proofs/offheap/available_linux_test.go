package offheap

import (
	"errors"
	"testing"
	"testing/fstest"
)

func TestWhatIsLeftIsTheLeastThatAnybodyLeaves(t *testing.T) {
	meminfo := "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    800 kB\n"
	for _, c := range []struct {
		sentence string
		files    map[string]string
		want     int64
		known    bool
	}{
		{"nothing is told", nil, 0, false},
		{"the system tells", map[string]string{"proc/meminfo": meminfo}, 800 << 10, true},
		{"no group has a limit", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/system.slice/vigil.service\n",
			"sys/fs/cgroup/system.slice/vigil.service/memory.max": "max\n", "sys/fs/cgroup/system.slice/vigil.service/memory.current": "500000\n",
		}, 800 << 10, true},
		{"the group's limit is near, but for cached files", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/system.slice/vigil.service\n",
			"sys/fs/cgroup/system.slice/vigil.service/memory.max": "600000\n", "sys/fs/cgroup/system.slice/vigil.service/memory.current": "500000\n",
			"sys/fs/cgroup/system.slice/vigil.service/memory.stat": "anon 300000\nfile 200000\ninactive_file 150000\nactive_file 50000\n",
		}, 300_000, true},
		{"the slice has less", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/system.slice/vigil.service\n",
			"sys/fs/cgroup/system.slice/vigil.service/memory.max": "600000\n", "sys/fs/cgroup/system.slice/vigil.service/memory.current": "500000\n",
			"sys/fs/cgroup/system.slice/memory.max": "700000\n", "sys/fs/cgroup/system.slice/memory.current": "699999\n",
		}, 1, true},
		{"it is above the limit", map[string]string{
			"proc/self/cgroup":           "12:memory:/old\n0::/a\n",
			"sys/fs/cgroup/a/memory.max": "5\n", "sys/fs/cgroup/a/memory.current": "7\n",
		}, 0, true},
		{"it is in the root group", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n"}, 800 << 10, true},
		{"what is told makes no sense", map[string]string{"proc/meminfo": "MemAvailable: much\n", "proc/self/cgroup": "0::/../..\n"}, 0, false},
	} {
		root := fstest.MapFS{}
		for name, text := range c.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if have, known := available(root); have != c.want || known != c.known {
			t.Errorf("%s: %d, %t; want %d, %t", c.sentence, have, known, c.want, c.known)
		}
	}
}

func TestMemoryThatIsNotThereIsSaid(t *testing.T) {
	if _, _, err := Map(1 << 60); !errors.Is(err, ErrNoMemory) {
		t.Error(err)
	}
}
