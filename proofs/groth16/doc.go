// Package groth16 proves and verifies with Groth16 over BLS12-381 in the
// encodings of bellperson, so that keys and proofs can be exchanged with
// filecoin-proofs byte for byte.
//
// It knows nothing of Filecoin's circuits. A circuit comes in as a System (its
// constraints, walked once, to make keys) and as a Witness (the values of its
// rows and wires, part by part, to prove). Keys are kept in the form of their files, 96 bytes for a
// G1 point and 192 for a G2 point, because a key of 60 GB is mapped into
// memory and must not be copied: points are decoded when the sums need them.
//
// The heavy work, sums of multiples of points and Fourier transforms, stands
// behind Multiexp and FFT. The implementations here are gnark-crypto's; package
// ifma's take their place where the CPU has what they are made of (see Kernels).
//
// The protocol is Jens Groth, "On the Size of Pairing-based Non-interactive
// Arguments", eprint 2016/260, section 3.2.
package groth16
