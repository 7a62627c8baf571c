package vigil

// Reason is why a duty was missed. It is stored as this word and never
// changes meaning; docs/reasons.md is written from Reasons.
type Reason string

const (
	ReasonNotStarted    Reason = "not_started"
	ReasonNoNode        Reason = "no_node"
	ReasonNoRandomness  Reason = "no_randomness"
	ReasonNoSectors     Reason = "no_sectors"
	ReasonNotProved     Reason = "not_proved"
	ReasonNotSent       Reason = "not_sent"
	ReasonNotIncluded   Reason = "not_included"
	ReasonMessageFailed Reason = "message_failed"
	ReasonTakenBack     Reason = "taken_back"
	ReasonUnreadable    Reason = "unreadable"
	ReasonHindered      Reason = "hindered"
)

// ReasonText explains a Reason to the person who has to prevent the next one.
type ReasonText struct {
	Reason  Reason
	Meaning string
	Advice  string
}

// Reasons lists every Reason in the order of a duty's life.
var Reasons = []ReasonText{
	{
		ReasonNotStarted, "The deadline closed before any work on the duty began.",
		"Vigil was not running, or no chain node answered between Challenge and Close. Look for gaps in the log, and configure a second node.",
	},
	{
		ReasonNoNode, "What had to be proved could not be read from any node.",
		"The duty's last problem has the node's answer. Check the node, and configure a second one.",
	},
	{
		ReasonNoRandomness, "The challenge randomness could not be read from any node.",
		"The node was not synced past the challenge epoch. Check its sync state and its beacon.",
	},
	{
		ReasonNoSectors, "Not one sector of the partitions could be read, or the proof waited for those that could not when the work on it ended.",
		"Check that the storage is mounted (vigil storage list); the duty names each sector with its cause. docs/storage.md says how long a proof waits.",
	},
	{
		ReasonNotProved, "Sectors were read but no valid proof was finished in time.",
		"See the duty's last problem: the prover failed, or it was too slow for the partitions of this deadline.",
	},
	{
		ReasonNotSent, "A proof was ready but its message was never handed to a node.",
		"vigil why says what was in the way: usually that no node answered, or the sender's key, its balance, or gas estimation.",
	},
	{
		ReasonNotIncluded, "The message was published but no block took it before Close.",
		"The fee cap was below the base fee, a lower nonce was stuck, or the node did not pass the message on.",
	},
	{
		ReasonMessageFailed, "The message was executed but the miner actor refused it.",
		"The message's exit code and text are in the duty's timeline.",
	},
	{
		ReasonTakenBack, "The proof was on chain, but a reorg took it back when no time was left.",
		"Nothing could be done with one message; post earlier in the window to leave room for reorgs.",
	},
	{
		ReasonUnreadable, "Faulty sectors could not be read before the fault cutoff, so no recovery was declared.",
		"The duty names each sector with its cause. They can be recovered for the next proving period.",
	},
	{
		ReasonHindered, "The chain takes no declaration of recovered sectors from the miner, so none was sent before the fault cutoff.",
		"The miner owes fees that it cannot pay, or is punished for a consensus fault: the duty's last problem has the amount or the epoch. They can be recovered for the next proving period.",
	},
}
