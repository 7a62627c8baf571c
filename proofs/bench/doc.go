// Package bench measures what proofs cost, and what the same proofs cost
// bellperson, the prover that every other program of the field calls.
//
// A figure is worth something only beside another one taken in the same way in
// the same minute. So each side proves in a child process of its own that was
// warmed up before, both are given the same case and the same parameter file,
// they take turns, and CPU time, wall time and peak anonymous memory come from the
// same places: the child's own getrusage around the proof, and its RssAnon in
// /proc, looked at every few milliseconds during timed proofs only. A third child
// runs the bare multi-exponentiations and transforms that no proof can do
// without, on gnark-crypto's kernels ([Kernels]). Of repeated proofs the cheapest
// counts for time, because what disturbs a measurement only ever adds to it, and
// the dearest for memory.
//
// Sectors are made up ([NewCase]): no replica exists, but every value of the
// witness is a different one, as with real sectors. Keys of small sizes come from a
// parameter folder or a local setup. The larger ones have arbitrary points of the
// curve, all different: a proof made with them does not verify and costs the same.
package bench
