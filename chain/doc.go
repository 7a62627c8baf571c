// Package chain is the way to Filecoin nodes: heads, a miner's state,
// randomness and messages, over JSON-RPC on a WebSocket. Client is one node,
// kept connected; Nodes are several, of which one is read at a time.
//
// What a miner owes is decided from what a node says, so two things matter
// here more than anything else.
//
// An answer is either understood or an error. A null where an object must be,
// lists that do not fit each other, an epoch after the one asked for: each
// becomes an error that names the method and what was wrong, never a zero
// value that is taken for the truth.
//
// A node that stops answering is noticed and left. Filecoin's subscriptions
// die silently: the socket stays open and no head comes any more, and daemons
// have lost every deadline until somebody restarted them. So a subscription
// without a new head for one and a half epochs is put to the test by a fresh
// connection beside it, which takes its place if it knows more; a socket on
// which not even pings come back is closed; and a node that is down is tried
// again for ever, twice an epoch and at least once a second.
//
//	Dial ─▶ node.keep ─▶ connect ─▶ follow ─▶ (heads) ─▶ Watch
//	            ▲            │          │
//	            │            ▼          ├─ silence ─▶ probe ─▶ replaced by a fresh session
//	            └── wait ◀── down ◀─────┴─ socket dead
//
// # Several nodes
//
// One node may lag, follow a fork of its own, hang, answer nonsense or lie. So
// all are followed and judged, by the clock, against each other and by how they
// answer; the best is read, what it says of miners and seeds is compared with
// another one when it is new, and messages go to all. A decision is read of one
// node (vigil.OneDecision), and fails when another is read in its midst.
// docs/decisions/0004 has the rules and their reasons.
//
//	Client.Watch ─▶ attend ─┐
//	               examine ─┼─▶ rejudge ─▶ judge ─▶ lease of the node that is read ─▶ read, agreed
//	               compare ─┘
//
// # The wire
//
// Nodes (Lotus, Venus, Forest) speak the protocol of go-jsonrpc: JSON-RPC 2.0
// frames, and xrpc.ch.val, xrpc.ch.close and xrpc.cancel for subscriptions.
// link speaks it directly on a WebSocket. go-jsonrpc's own client (v0.10.2) cannot
// keep the promises above: a call goes on waiting after its context has
// ended, dialling ignores the context and takes up to 45 s, writes have no
// deadline so that closing a hung connection can itself hang, and the HTTP
// status that refused a token is lost. The tests serve go-jsonrpc's own
// server, so that both ends agree on the protocol.
//
// The files: endpoint.go where a node is, link.go one connection, session.go
// a connection that was checked, node.go keeping one alive, pace.go how fast;
// client.go asking, wire.go and shape.go what answers look like; and one file
// for each seam: heads.go, miner.go, posts.go, randomness.go, messages.go. Of several
// nodes: nodes.go who they are and which is read, judge.go how they are judged,
// examine.go what is learnt from their answers, forks.go from their chains,
// read.go and agree.go asking them, push.go telling them, upgrades.go what their
// network is about to do.
package chain
