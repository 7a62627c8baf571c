package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// anon is a process's resident anonymous memory: without the pages of mapped
// files, which the system takes back when it needs them.
func anon(pid int) mib {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil
	}
	_, rest, found := bytes.Cut(status, []byte("RssAnon:"))
	fields := bytes.Fields(rest)
	if !found || len(fields) == 0 {
		return nil
	}
	kib, err := strconv.ParseFloat(string(fields[0]), 64)
	if err != nil {
		return nil
	}
	kib /= 1024
	return &kib
}
