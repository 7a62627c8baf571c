// Package vigil is the vocabulary of a Window PoSt daemon for Filecoin storage
// providers: the nouns every room of the house shares, and the seams between
// the rooms.
//
// A provider must prove every sector to the chain once per proving period, in
// one of 48 deadlines. The way of the data, once per head:
//
//	node ─▶ chain ─▶ runner ─▶ schedule.Plan ─▶ runner ─▶ sector ─▶ prover ─▶ store ─▶ messager ─▶ node
//	         Head     View        []Task                  vanilla     Proof     row      Message     │
//	                    ▲                                                        │                   │
//	                    └───────────────────────── next View ◀──── store ◀───────┴──── Receipt ◀─────┘
//
// One deadline, in epochs of 30 seconds relative to Open:
//
//	−70            −20          0                              60
//	 │ FaultCutoff  │ Challenge  │ Open                         │ Close
//	 └──────────────┴────────────┴──────────────────────────────┘
//	 recoveries      seed known:  proof may be posted            partitions not
//	 declared        sectors are  (message included in           posted are
//	 before here     read, proved [Open, Close))                 faulty
//
// A [Duty] is a batch of a deadline's partitions that are proved and posted
// together; its row in the store is how far it has come. schedule.Plan
// compares what the chain says with those rows and says what should be in
// progress; the runner makes it so. Nothing is done until the chain itself
// shows it.
//
// The files: vigil.go has the nouns, message.go those of messages, audit.go
// those of posts that are on chain, status.go what people are shown, shadow.go
// those of miners that somebody else posts for, seams.go
// the interfaces between rooms, reason.go why a duty was missed.
package vigil
