//go:build !unix

package actor

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }
