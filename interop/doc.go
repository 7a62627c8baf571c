// Package interop compares the proofs of package post with those of
// filecoin-proofs, the implementation that Filecoin's network runs, in both
// directions and byte for byte where bytes are defined.
//
// The folder is a Rust crate, too: the oracle, which is filecoin-proofs as a
// program. The tests here run it on fresh random sectors and statements; their
// seed is printed. VIGIL_ORACLE names the program (./build makes it);
// without it the tests are skipped, and fail where CI is set. See README.md.
package interop
