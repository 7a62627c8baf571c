package alarm

// What can be wrong. An alarm carries one of these words, which never change
// meaning; docs/alarms.md is written from Codes.
const (
	StartWaits        = "start-waits"
	NoHead            = "no-head"
	NodeDown          = "node-down"
	NodeAside         = "node-set-aside"
	NodeLag           = "node-lag"
	ClockOff          = "clock-off"
	UpgradeUnknown    = "upgrade-unknown"
	MinerUnread       = "miner-unread"
	NotStarted        = "not-started"
	WillNotFit        = "will-not-fit"
	NotProved         = "not-proved"
	ProofUnsent       = "proof-unsent"
	MessageUnmined    = "message-unmined"
	FeeCapLow         = "fee-cap-low"
	DeadlineMissed    = "deadline-missed"
	RecoveryMissed    = "recovery-missed"
	RecoveryBlocked   = "recovery-blocked"
	ProofDisputable   = "proof-disputable"
	SectorsBad        = "sectors-bad"
	RehearsalBad      = "rehearsal-bad"
	RehearsalUnread   = "rehearsal-unread"
	StorageSilent     = "storage-silent"
	BalanceLow        = "balance-low"
	SenderTrouble     = "sender-trouble"
	ProverFailing     = "prover-failing"
	LoopStuck         = "loop-stuck"
	VectorUnitFaulty  = "vector-unit-faulty"
	ParametersMissing = "parameters-missing"
	DiskFull          = "disk-full"
	DatabaseTrouble   = "database-trouble"
)

// Code explains a kind of alarm to the person who has to do something about it.
type Code struct {
	Code    string
	Meaning string
	Remedy  string // what an alarm says to do, unless it knows better
}

// Codes lists every kind, the chain's first, then those of a deadline's
// life in its order, then what proofs and messages depend on.
var Codes = []Code{
	{StartWaits, "The daemon was started and has not begun its work: something that it needs for that does not answer. It tries again every second.",
		"Mend what the alarm names, or set another one in the configuration and start the daemon again; it begins by itself as soon as it can."},
	{NoHead, "No node has told of a new chain head for more than three epochs (and ten seconds): the daemon is blind.",
		"Look whether the nodes run and are in sync, and whether this machine reaches them; configure a second node."},
	{NodeDown, "A node cannot be reached, or is refused because it is of another network or takes no token.",
		"Start the node or mend the way to it; the alarm says what it answered."},
	{NodeAside, "A node answers, but not so that it can be relied on: it fails, is slow, or contradicts the others.",
		"Look at the node's own log; while it is set aside another one is read, and with only one left there is nobody to take its place."},
	{NodeLag, "A node's head is behind that of the other nodes, or behind the clock.",
		"Look whether the node is syncing (lotus sync wait) and has peers."},
	{ClockOff, "The heads carry times that do not fit this machine's clock.",
		"Set the clock, and let chrony or another NTP client keep it: with a wrong clock a proof is begun late."},
	{UpgradeUnknown, "The network will change to rules that this Vigil was not made for.",
		"Update Vigil before the upgrade's epoch: what it would send after it may be refused or fined."},
	{MinerUnread, "The miner's state cannot be read from any node, so nothing new is planned for it.",
		"The alarm has the node's answer; check the node, or configure a second one."},
	{NotStarted, "A deadline is challenged, it owes proofs, and no work on them has begun.",
		"Look in the log for what the miner's loop is doing; a restart is safe at any time and begins the work at once."},
	{WillNotFit, "Going by what earlier proofs took, the proofs of a deadline will not all be on chain before it closes.",
		"Add provers or memory for more proofs at once (at_once in [proofs]), or faster storage; the alarm says what is in the way."},
	{NotProved, "Work on a proof has begun, and there is no proof yet: the last try failed, or it takes long.",
		"See what stopped the last try: the prover, the storages, or the node."},
	{ProofUnsent, "A proof is ready and its message has not left, though the deadline is open.",
		"See what stopped it: usually the sender's key, its balance, or a node that does not estimate gas (vigil message list)."},
	{MessageUnmined, "The message of a proof was handed to the nodes, and no block has taken it for some epochs.",
		"Look at it with vigil message show; its fee is raised by itself, up to max_fee. A node without peers does not pass messages on."},
	{FeeCapLow, "The base fee is above what the message of a proof may pay, so no block can take it.",
		"Raise max_window_post_gas_fee (or max_fee) in [messager] and top the sender up, or replace the message by hand (vigil message replace)."},
	{DeadlineMissed, "A deadline closed without a proof, and its sectors are faulty.",
		"Vigil declares the sectors recovered by itself; prevent the next miss by its reason (docs/reasons.md)."},
	{RecoveryMissed, "Faulty sectors were not declared recovered before the fault cutoff, so they stay faulty for another day.",
		"Make the sectors readable; they are declared for the next proving period by themselves."},
	{RecoveryBlocked, "Faulty sectors can be proved again, or should be, and something is in the way of declaring them.",
		"The alarm says what; a miner in debt must pay it first, and sectors must be readable."},
	{ProofDisputable, "A proof that is on chain does not prove the chain's own sectors: anybody can dispute it, and the miner is fined.",
		"Keep its log and report it; stop the program that posted it, if it was not this one. The sectors are proved again at the next deadline."},
	{SectorsBad, "Sectors cannot be read, so they are left out of proofs and lose their power until they can.",
		"Bring their files back, or their storage; vigil check reads a sector and says what is wrong with it. Terminate only what is gone for good."},
	{RehearsalBad, "Reading ahead of a deadline found sectors that its proof would have to leave out.",
		"Mend or bring back their files before the deadline; they are read again for the proof."},
	{RehearsalUnread, "Reading ahead of a deadline could not check sectors, because something did not answer.",
		"Look at the storages: what could not be checked ahead may not be readable in time."},
	{StorageSilent, "A storage does not answer any more, or is not there; its sectors wait.",
		"Look at the mount and its server (vigil storage list); remount it. It is used again as soon as it answers."},
	{BalanceLow, "A sender has less than its messages may cost, at their greatest fee.",
		"Top it up. More than one control address, each with a balance, is safer still."},
	{SenderTrouble, "Something is wrong with a sender: its account cannot be read, or messages that are not Vigil's use its nonces.",
		"Give posts a control address of their own that nothing else sends from."},
	{ProverFailing, "The last try to make a proof failed, and one is still to be made.",
		"The alarm has the prover's words; vigil selftest tries the prover without a deadline."},
	{LoopStuck, "A part of the daemon does not come round any more: a disk or a call that does not return, or a bug.",
		"Restart it, which is safe at any time; systemd's watchdog does. If it comes again, look at the disk of the data folder, and report it."},
	{VectorUnitFaulty, "The CPU computed a proof wrong in its vector unit. It was made again without, and so are all others until the restart, several times slower.",
		"Have the machine checked: heat, voltage, microcode, memory (vigil selftest). VIGIL_KERNELS=generic keeps the unit off over restarts; a restart trusts it again."},
	{ParametersMissing, "The proof parameters are missing or damaged, so no proof can be made.",
		"Fetch them again (vigil params), or name the folder that has them in [proofs]."},
	{DiskFull, "The disk of the data folder is full, or nearly.",
		"Make room: without it no proof and no message can be written down, and none is sent."},
	{DatabaseTrouble, "The database could not be written or read when it was last used.",
		"Look at the disk of the data folder, and whether another program has the database open; nothing is sent that cannot be written down first."},
}

// explained gives the explanation of a code.
func explained(code string) Code {
	for _, c := range Codes {
		if c.Code == code {
			return c
		}
	}
	return Code{Code: code}
}
