//go:build unix

package actor

import (
	"syscall"
	"time"
)

// cpuTime is what this process has computed. On a machine that others use too it
// says what one core would need, where the clock does not.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
