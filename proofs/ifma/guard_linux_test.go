package ifma

import (
	"bytes"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"github.com/consensys/gnark-crypto/ecc"
	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr/fft"
)

// fenced are n bytes at the end, or at the start, of memory that has no neighbours: a kernel
// that reads or writes past them ends the process.
func fenced(t *testing.T, n int, atEnd bool) []byte {
	t.Helper()
	page := syscall.Getpagesize()
	inner := (n + page - 1) / page * page
	b, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(b) })
	for _, fence := range [][]byte{b[:page], b[page+inner:]} {
		if err := syscall.Mprotect(fence, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	if atEnd {
		return b[page+inner-n : page+inner : page+inner]
	}
	return b[page : page+n : page+n]
}

func TestKernelsStayWithinTheKey(t *testing.T) {
	needKernels(t)
	p, q := points(33)
	s := &Sums{Workers: 2, Chunk: 20}
	defer s.Close()
	for _, atEnd := range []bool{false, true} {
		for _, n := range []int{1, 7, 8, 9, 16, 20, 21, 28, 29, 33} {
			in := input{p[:n], q[:n], make([]fr.Element, n)}
			for i := range in.scalars {
				in.scalars[i] = small(int64(i*i - 5))
			}
			for _, c := range []*curve{&g1, &g2} {
				terms := in.terms(c.fileBytes)
				raw := fenced(t, len(terms.Points), atEnd)
				copy(raw, terms.Points)
				before := bytes.Clone(raw)
				terms.Points = raw
				if c == &g1 {
					want, have := new(bls12381.G1Jac), make([]bls12381.G1Jac, 1)
					if _, err := want.MultiExp(in.g1, in.scalars, ecc.MultiExpConfig{}); err != nil {
						t.Fatal(err)
					}
					if err := s.G1(t.Context(), have, terms); err != nil || !have[0].Equal(want) {
						t.Errorf("%d points in G1: another sum, or %v", n, err)
					}
				} else if err := sumOf(s, c, terms); err != nil {
					t.Error(err)
				}
				if !bytes.Equal(raw, before) {
					t.Errorf("%d points in %s were written to", n, c.name)
				}
			}
		}
	}
}

func TestTransformsStayWithinTheVector(t *testing.T) {
	needKernels(t)
	for _, atEnd := range []bool{false, true} {
		for k := SmallestFFT; k <= 12; k++ {
			raw := fenced(t, fr.Bytes<<k, atEnd)
			v := unsafe.Slice((*fr.Element)(unsafe.Pointer(&raw[0])), 1<<k)
			for i := range v {
				v[i] = small(int64(i*i*i - 7))
			}
			want, d := slices.Clone(v), fft.NewDomain(1<<k)
			d.FFTInverse(want, fft.DIF)
			f := &FFT{Workers: 2}
			if err := f.Inverse(t.Context(), v, Scale{fr.One(), fr.One()}); err != nil || !slices.Equal(v, want) {
				t.Errorf("2^%d: another inverse transform, or %v", k, err)
			}
			d.FFT(want, fft.DIT)
			if err := f.Forward(t.Context(), v); err != nil || !slices.Equal(v, want) {
				t.Errorf("2^%d: another forward transform, or %v", k, err)
			}
		}
	}
}
