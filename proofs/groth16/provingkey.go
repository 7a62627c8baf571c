package groth16

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	bls12381 "github.com/consensys/gnark-crypto/ecc/bls12-381"
)

// ProvingKey is a view of a proving key in the form of its file. The slices of
// points usually lie in a mapped file: the key is valid as long as that is.
type ProvingKey struct {
	head
	IC []byte // points of the public inputs, needed for the verifying key only
	H  []byte // powers of tau times the vanishing polynomial
	L  []byte // auxiliary wires
	A  []byte // side A in G1, wires that occur there
	B1 []byte // side B in G1, wires that occur there
	B2 []byte // side B in G2, the same wires
}

// ParseProvingKey finds the parts of a `.params` file (bellperson, params.rs)
// without touching their points; only the six points at its head are checked.
// The key keeps b.
func ParseProvingKey(b []byte) (*ProvingKey, error) {
	h, inputs, rest, err := parseHead(b)
	if err != nil {
		return nil, err
	}
	k := &ProvingKey{head: h}
	if k.IC, rest, err = cut(rest, inputs, g1Size); err != nil {
		return nil, fmt.Errorf("points of the inputs: %w", err)
	}
	for _, s := range k.sections() {
		if len(rest) < 4 {
			return nil, fmt.Errorf("key ends before %s", s.name)
		}
		n := int(binary.BigEndian.Uint32(rest))
		if *s.points, rest, err = cut(rest[4:], n, s.size); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("key has %d bytes too many", len(rest))
	}
	if len(k.B1)/g1Size != len(k.B2)/g2Size {
		return nil, fmt.Errorf("key has %d points B in G1 and %d in G2", len(k.B1)/g1Size, len(k.B2)/g2Size)
	}
	return k, nil
}

func cut(b []byte, n, size int) (points, rest []byte, err error) {
	if n < 0 || len(b)/size < n { // below 0 where an int has 32 bits
		return nil, nil, fmt.Errorf("key ends after %d of %d points", len(b)/size, n)
	}
	return b[: n*size : n*size], b[n*size:], nil
}

type section struct {
	name   string
	size   int
	points *[]byte
}

// sections are the key's vectors in the order of the file, after the inputs.
func (k *ProvingKey) sections() []section {
	return []section{
		{"points H", g1Size, &k.H},
		{"points L", g1Size, &k.L},
		{"points A", g1Size, &k.A},
		{"points B in G1", g1Size, &k.B1},
		{"points B in G2", g2Size, &k.B2},
	}
}

// Lengths are the numbers of points that the key has.
func (k *ProvingKey) Lengths() Lengths {
	return Lengths{
		IC: len(k.IC) / g1Size,
		H:  len(k.H) / g1Size,
		L:  len(k.L) / g1Size,
		A:  len(k.A) / g1Size,
		B:  len(k.B1) / g1Size,
	}
}

// CheckPoints returns an error that names the first point which is not one of the
// curve: of a key whose digest nobody knows that tells damage. It costs a
// microsecond a point. Whether points are in the subgroup, and the right ones,
// it does not tell; the proofs do.
func (k *ProvingKey) CheckPoints(ctx context.Context) error {
	for _, s := range k.sections() {
		err := readInParallel(*s.points, s.size, 0, func(i int, b []byte) error {
			if i%1024 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			return checkCurve(b)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

func checkCurve(b []byte) error {
	if len(b) == g2Size {
		var p bls12381.G2Affine
		if err := decodeG2(&p, (*[g2Size]byte)(b)); err != nil {
			return err
		}
		if !p.IsOnCurve() {
			return errCurve
		}
		return nil
	}
	var p bls12381.G1Affine
	if err := decodeG1(&p, (*[g1Size]byte)(b)); err != nil {
		return err
	}
	if !p.IsOnCurve() {
		return errCurve
	}
	return nil
}

// VerifyingKey decodes and checks the verifying key that the proving key holds.
func (k *ProvingKey) VerifyingKey() (*VerifyingKey, error) {
	return ParseVerifyingKey(k.appendVK(nil))
}

func (k *ProvingKey) appendVK(b []byte) []byte {
	b = k.appendTo(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(k.IC)/g1Size))
	return append(b, k.IC...)
}

// WriteTo writes the key in the form of a `.params` file.
func (k *ProvingKey) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(k.appendVK(nil))
	total := int64(n)
	for _, s := range k.sections() {
		if err != nil {
			return total, err
		}
		if n, err = w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(*s.points)/s.size))); err == nil {
			total += int64(n)
			n, err = w.Write(*s.points)
		}
		total += int64(n)
	}
	return total, err
}
