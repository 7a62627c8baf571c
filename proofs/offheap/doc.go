// Package offheap takes memory for large vectors from the system, outside the
// garbage collector's heap. There, the collector would let as much garbage again
// pile up before it collects, and would move nothing into huge pages. It also makes errors
// of faults in mapped files, and of panics in goroutines that compute.
package offheap
