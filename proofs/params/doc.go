// Package params keeps Groth16 keys in files, under the names and in the form
// that filecoin-proofs gives them in its parameter cache, so that a storage
// provider's existing cache is used as it is.
//
// A proving key is mapped into memory, not read: the one for a 32 GiB partition
// has 61 GB. That its bytes are the right ones is known by their BLAKE2b digest,
// which costs a whole read and is asked for once (CheckDigest), and not by
// looking at half a billion points. What is checked at each opening is free:
// the file's structure, the six points at its head, and that every vector has
// the length that the circuit demands, which tells keys of different circuits
// apart.
package params
