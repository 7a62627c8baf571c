// Package faultproxy is a line to a node that misbehaves on purpose: it cuts,
// refuses, hangs, delays, truncates, corrupts, repeats and lies, as it is told,
// and counts how often it did. Tests put it between a client and a node of any
// kind, and see whether the client copes; a count of zero shows that a test has
// not tested what it says.
//
// It knows JSON-RPC on WebSockets, as Filecoin's nodes speak it, so that it can
// spoil the meaning of an answer and not only its bytes; on plain HTTP it spoils
// the bytes. What it does by chance follows from its seed.
//
//	client ─▶ Proxy ─▶ node
//	            │ Set(faults…), Divert(another node), Hits()
package faultproxy
