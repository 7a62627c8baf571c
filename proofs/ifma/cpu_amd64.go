//go:build amd64 && !purego

package ifma

import "golang.org/x/sys/cpu"

// Supported says whether this CPU has the instructions that the kernels are made
// of, and this system lets programs use them.
func Supported() bool {
	return cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BW &&
		cpu.X86.HasAVX512IFMA && cpu.X86.HasAVX512VBMI
}
