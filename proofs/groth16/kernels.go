package groth16

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/ifma"
)

// Names of kernels, as Kernels and measurements tell them.
const (
	Generic = "gnark-crypto" // for any CPU
	IFMA    = "avx512-ifma"  // package ifma's
)

// KernelsVariable is the environment variable that chooses the kernels: "generic"
// for gnark-crypto's whatever the CPU, "auto" or nothing for the fastest that are right.
const KernelsVariable = "VIGIL_KERNELS"

// Choice is which kernels a Prover computes with that is given none.
type Choice struct {
	Name string // Generic or IFMA
	// Problem is nil, or says why it is Generic where it should not have to be: the others
	// have computed something wrong or could not be compared, or the variable has a value that means
	// nothing. Proofs are right in any case; somebody should hear of it.
	Problem error
}

// Kernels says which kernels are used. The first call compares those for this CPU
// with gnark-crypto's, which takes a tenth of a second.
func Kernels() Choice { return chosen() }

var chosen = sync.OnceValue(func() Choice {
	return choose(os.Getenv(KernelsVariable), ifma.Supported(), ifma.SelfTest)
})

func choose(wish string, supported bool, test func() error) Choice {
	switch wish {
	case "generic":
		return Choice{Name: Generic}
	case "", "auto":
	default:
		return Choice{Name: Generic, Problem: fmt.Errorf("%s is %q, and not auto or generic: computing without the vector unit", KernelsVariable, wish)}
	}
	if !supported {
		return Choice{Name: Generic}
	}
	if err := test(); err != nil {
		return Choice{Name: Generic, Problem: fmt.Errorf("the kernels for this CPU were not found to compute what gnark-crypto's do (computing with those, several times slower; report this with the CPU's name): %w", err)}
	}
	return Choice{Name: IFMA}
}

// ErrKernels says that a kernel of the vector unit has computed what none can. There is
// no proof then; Arithmetic of the name Generic makes one.
var ErrKernels = ifma.ErrKernels

// Arithmetic is what runs of a Prover compute with. It may be used concurrently:
// each run has kernels of its own.
type Arithmetic struct {
	Name string
	// Start makes the kernels of a run, with so many goroutines, 0 meaning GOMAXPROCS;
	// done gives them up when the run is over.
	Start func(workers int) (sums Multiexp, transforms FFT, done func())
	// Need is the memory that sums of so many terms take beside them, for so many proofs.
	Need func(workers int, terms int64, proofs int) int64
	// Chunk is how many wires of a circuit with a domain of this size are best gathered at a time.
	Chunk func(domain int) int
}

// Named is the arithmetic of a name, IFMA's only where that is the name.
func Named(name string) Arithmetic {
	if name == IFMA {
		return Arithmetic{Name: IFMA, Start: startVector, Need: vectorNeeds, Chunk: vectorChunk}
	}
	return Arithmetic{Name: Generic, Start: startPortable, Need: portableNeeds, Chunk: portableChunk}
}

func portableChunk(int) int { return defaultChunk }

// vectorChunk is larger, for additions are so cheap that the sums of buckets tell: one costs as
// much as adding 160,000 points. Copies of a sixteenth of the domain, of up to three proofs, still
// fit where the transforms had a vector.
func vectorChunk(domain int) int { return max(largeChunk, domain/16) }

func startVector(workers int) (Multiexp, FFT, func()) {
	sums := &ifma.Sums{Workers: workers}
	return sums, &vectorFFT{long: ifma.FFT{Workers: workers}, short: PortableFFT{Workers: workers}}, sums.Close
}

func vectorNeeds(workers int, terms int64, proofs int) int64 {
	return int64((&ifma.Sums{Workers: workers}).Memory(int(terms), proofs))
}

func startPortable(workers int) (Multiexp, FFT, func()) {
	sums := &Portable{Workers: workers}
	return sums, &PortableFFT{Workers: workers}, sums.Close
}

func portableNeeds(_ int, terms int64, _ int) int64 {
	const each = 3 * (g1Size + 2*fr.Bytes) // points, scalars, digits, and what the collector has not seen yet
	return min(terms, defaultPiece/g1Size) * each
}

// Fastest makes the sums that Kernels says, with so many goroutines, 0 meaning
// GOMAXPROCS. The caller calls done when no sum is in progress any more.
func Fastest(workers int) (sums Multiexp, done func()) {
	sums, _, done = Named(Kernels().Name).Start(workers)
	return sums, done
}

// vectorFFT are the transforms of package ifma, and gnark-crypto's for the few values that are
// too short for them.
type vectorFFT struct {
	long  ifma.FFT
	short PortableFFT
}

func (f *vectorFFT) of(v []fr.Element) FFT {
	if len(v) < 1<<ifma.SmallestFFT {
		return &f.short
	}
	return &f.long
}

func (f *vectorFFT) Inverse(ctx context.Context, v []fr.Element, scale Scale) error {
	return f.of(v).Inverse(ctx, v, scale)
}

func (f *vectorFFT) Forward(ctx context.Context, v []fr.Element) error {
	return f.of(v).Forward(ctx, v)
}
