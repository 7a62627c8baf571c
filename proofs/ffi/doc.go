// Package ffi has Filecoin's proofs of spacetime under the names, with the types
// and with the meaning of filecoin-ffi, in pure Go: a program changes the import
// path and needs no Rust library, no cgo and no GPU. It covers what is about PoSt;
// sealing and aggregation are not here.
//
//	ffi "github.com/vigil-post/vigil/proofs/ffi"
//
// Every function exists twice. As a method of [Proofs] it takes a context, and the
// caller says where parameters are and what a proof may use. As a function it
// looks like filecoin-ffi's and uses [Default].
//
// What all of them share, as in filecoin-ffi:
//
//   - Randomness is 32 bytes that are a field element: the caller clears the two top
//     bits of the last byte. Randomness that is no field element is an error.
//   - Sectors count by number, ascending and each once, whatever their order in a
//     list; where a number stands twice the last one counts ([NewSortedPrivateSectorInfo]
//     keeps the first).
//   - The registered PoSt type decides the sector size and the challenge rule: the V1
//     window types number challenges through the list (API version 1.0.0), the V1_1
//     types for each sector by itself (API version 1.2.0, FIP-0061).
//   - A proof has 192 bytes for each 2,349 sectors of 32 GiB, 2,300 of 64 GiB, or 2 of
//     a smaller size. A chain partition is another thing.
//
// Results agree with filecoin-proofs 19 byte for byte where it defines the bytes
// (challenges, vanilla proofs) and verdict for verdict; package interop compares
// them. Proofs are blinded, so no two are equal.
package ffi
