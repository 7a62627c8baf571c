// Package actor is the rules of Filecoin's storage miner actor: what becomes of
// a miner's state when a Window PoSt, a declaration or a dispute is executed,
// and when a deadline closes. It exists so that a daemon can be tried against
// the network's own judgement without the network.
//
// It is written from the rules of actors v18 (network version 28) on the state
// types of go-state-types, so any client that reads a miner's state can read
// this one. It is judged by messages of the main network with the state before
// and after, and by what a v18 actor answered to right and wrong messages.
//
// A call takes the CID of a state and gives the CID of the next; the state
// itself never changes, so to forget a call, forget its answer. The package has
// no clock, no randomness and no goroutine: what it must know of the world is in
// Runtime.
//
//	Construct ─▶ AddSectors ─▶ Invoke (post, declare, dispute, terminate, …) ─▶ EndEpoch ─▶ …
//
// Money is kept as amounts that the caller moves. What is not here: sectors arrive
// proven, by AddSectors, instead of by pre-commits and seal proofs; replica
// updates, deals and claims, and consensus faults do not exist.
package actor
