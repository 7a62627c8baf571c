// Package sophon speaks the API of sophon-messager (venus-messager of old),
// JSON-RPC in the namespace Message, both ways round: a [Server] answers it for
// the messager of this daemon, so that a damocles-manager and the tools of
// Venus can use ours; a [Backend] lets the daemon use an existing
// sophon-messager in place of its own.
package sophon
