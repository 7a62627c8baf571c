package offheap

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// Available is how many bytes the process could take now without the system having to end
// it or another one: what the system says is left, and what the limits of its control
// groups leave. Cached files count as left.
func Available() (bytes int64, known bool) { return available(os.DirFS("/")) }

func available(root fs.FS) (least int64, known bool) {
	note := func(n int64) {
		if !known || n < least {
			least, known = max(0, n), true
		}
	}
	if kib, ok := field(root, "proc/meminfo", "MemAvailable:"); ok {
		note(kib << 10)
	}
	// Each group up to the root may have a limit (kernel, admin-guide/cgroup-v2).
	for at := group(root); at != "." && at != "/"; at = path.Dir(at) {
		folder := path.Join("sys/fs/cgroup", at)
		limit, limited := number(root, path.Join(folder, "memory.max"))
		used, ok := number(root, path.Join(folder, "memory.current"))
		if !limited || !ok {
			continue
		}
		stat := path.Join(folder, "memory.stat")
		inactive, _ := field(root, stat, "inactive_file")
		active, _ := field(root, stat, "active_file")
		note(limit - used + inactive + active)
	}
	return least, known
}

// group is the process's control group of version 2, without the leading slash.
func group(root fs.FS) string {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return "."
	}
	for line := range strings.Lines(string(text)) {
		if at, found := strings.CutPrefix(strings.TrimSpace(line), "0::/"); found {
			return path.Clean(at)
		}
	}
	return "."
}

// field is the number after a name in a file of names and numbers.
func field(root fs.FS, file, name string) (int64, bool) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) > 1 && words[0] == name {
			n, err := strconv.ParseInt(words[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// number is that in a file of one; "max", which is no limit, is none.
func number(root fs.FS, file string) (int64, bool) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}
