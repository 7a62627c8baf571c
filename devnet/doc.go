// Package devnet is a Filecoin chain in a process: one block producer, a
// message pool, the miner actor's rules and the JSON-RPC API of a node, with
// sectors small enough to be proved in seconds. It exists so that a whole
// Window PoSt daemon can be run, watched and tested with nothing installed, and
// so that what a daemon claims is judged by someone else: devnet shares no type
// with the daemon's own chain client, and it checks every proof that the chain
// accepted with the real verifier, although the network itself would not.
//
// What is real: the constants of a proving period (2880 epochs, 48 deadlines),
// message and header encodings and their CIDs, signatures, nonces, balances,
// gas limits, the randomness a proof answers to, the one-tipset delay between a
// message and its receipt, the rules of the miner actor (package devnet/actor),
// and the errors of a node. What is not: there is one producer and nobody
// checks its blocks, so election proofs, tickets and block signatures are
// hashes; gas comes from a short table of figures measured on real networks;
// rewards are free at once; sectors come by themselves, for there is no market
// and no sealing. Sectors larger than 2 KiB have the network's shapes, no files,
// and proofs that are fake and said to be.
//
// The chain is a list of tipsets, each with the immutable state it left. Every
// epoch one goroutine, the producer, makes the next tipset from the head,
// stores it in one transaction and only then shows it. Readers take the head's
// pointer and need no further lock.
//
//	pool ─▶ produce: select ─▶ execute ─▶ cron ─▶ audit proofs ─▶ store ─▶ head ─▶ ChainNotify
//
// What a network does to those who use it can be told, by Go, by the namespace
// Devnet of the API (admin.go) or by a scenario (package devnet/scenario): base
// fee, null rounds and messages (weather.go), reorgs, upgrades, orders to the
// state, and what is wrong with the node itself, which a layer before the API
// does to its calls and connections (faults.go, faulty_http.go, faulty_ws.go).
//
// The API is a Lotus node's, versions 0 to 2, as far as storage providers' tools
// use it (docs/devnet-api.md lists it): methods in files api_*.go, one chapter
// each, registered by reflection. Its answers are compared with those of a real
// node by asking again what a real node was asked (recorded_test.go).
//
// While the process is off, time stands still: the chain goes on at the epoch
// after its last one.
package devnet
