// Package circuit is Filecoin's fallback proof-of-spacetime circuit, which
// Window and Winning PoSt share, with every wire and constraint in the order of
// filecoin-proofs: a Groth16 key belongs to that order, so one constraint
// exchanged with another makes every existing key useless.
//
// The circuit is written twice. In symbols (Circuit.Each), constraints are
// linear combinations of wires: what a key is made of, and what tests ask. In
// values (Witness.Fill), the rows of a proof are computed directly while the
// hashes are: no linear combination is needed, since of every constraint it is
// known what its sides come to. The two are compared row by row in tests.
//
// Sources: rust-fil-proofs, storage-proofs-post/src/fallback/circuit.rs and
// storage-proofs-core/src/gadgets/{por,insertion}.rs; neptune, src/circuit.rs;
// bellperson, src/groth16/prover/native.rs (constant one first, a constraint
// for every input last).
package circuit
