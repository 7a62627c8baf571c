//go:build !linux

package sector

import "os"

// forgetPages does nothing where a program cannot ask for it.
func forgetPages(*os.File) {}
