package main

import (
	"os"
	"strconv"
	"syscall"
)

// leastUrgent lets every other program go first. Priority is a thread's on Linux: each
// there is gets the lowest, and so do those that they start.
func leastUrgent() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := syscall.Setpriority(syscall.PRIO_PROCESS, id, 19); err != nil && err != syscall.ESRCH {
			return err
		}
	}
	return nil
}
