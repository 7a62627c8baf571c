//go:build !amd64 || purego

package ifma

// Supported says whether this CPU has the instructions that the kernels are made
// of, and this system lets programs use them.
func Supported() bool { return false }

const unreachable = "unreachable: there are no kernels for this CPU"

func mulFp(w, to, a, b *byte) { panic(unreachable) }

func forwardG1(w, base, refs, saved *byte, groups int) { panic(unreachable) }

func backwardG1(w, base, refs, saved *byte, groups int, out, next *byte) { panic(unreachable) }

func forwardG2(w, base, refs, saved *byte, groups int) { panic(unreachable) }

func backwardG2(w, base, refs, saved *byte, groups int, out, next *byte) { panic(unreachable) }

func decodeG1(w, from, to *byte, groups int) uint64 { panic(unreachable) }

func decodeG2(w, from, to *byte, groups int) uint64 { panic(unreachable) }

func mulFr(w, to, a, b *byte) { panic(unreachable) }

func loadFr(w, scratch, from *byte, stride int, froms, tos *int, n int) { panic(unreachable) }

func firstLevelFr(w, scratch *byte, n int) { panic(unreachable) }

func levelFr(w, scratch, roots *byte, half, blocks, stride int) { panic(unreachable) }

func storeFr(w, scratch, to *byte, stride int, tos *int, n int, running bool) { panic(unreachable) }
