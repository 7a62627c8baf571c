// Package scenario reads stories of what happens to a network and lets them
// happen to a devnet: a TOML file of events at epochs, each one small.
//
//	about = "the base fee rises a thousandfold while a deadline is open"
//
//	[[event]]
//	at = "open of the first deadline - 3"
//	base_fee = "x1000"
//	for = "5m"
//
//	[expect]
//	until = "close of the first deadline + 5"
//	missed = 0
//
// An event happens just before its epoch's tipset is made, so that a reorg "at"
// an epoch takes off what lies below it. "for" is epochs, or a time on the real
// network, where an epoch takes 30 seconds. What a file must not say is refused
// with its line; what cannot be known before the chain runs ends the story with
// a sentence.
package scenario
