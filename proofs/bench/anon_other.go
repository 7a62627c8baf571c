//go:build !linux

package bench

// anon is not known here.
func anon(int) mib { return nil }
