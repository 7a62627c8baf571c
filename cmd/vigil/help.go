package main

import (
	"strings"

	"github.com/urfave/cli/v3"
)

// helpText is what a command's help says besides its usage and flags.
type helpText struct {
	about    string // its description, if the command has none itself
	examples []string
}

// helps has the help of every command that does something. A test sees to it
// that each has an example, and docs/commands.md is written from both.
var helps = map[string]helpText{
	"status":      {"", []string{"vigil status", "vigil status --config vigil.toml", "vigil status --json | jq '.miners[].current'"}},
	"deadlines":   {"", []string{"vigil deadlines --miner f01000", "vigil deadlines --all --json"}},
	"duties":      {"", []string{"vigil duties --state missed", "vigil duties --miner f01000 --deadline 17 --limit 5"}},
	"why":         {"", []string{"vigil why", "vigil why f01000/1144209/0", "vigil why f01000 17", "vigil why --config vigil.toml --json f01000/1144209/0"}},
	"faults":      {"", []string{"vigil faults", "vigil faults --miner f01000 --all"}},
	"power":       {"", []string{"vigil power", "vigil power --json | jq '.[].quality_adjusted'"}},
	"provers":     {"", []string{"vigil provers"}},
	"logs":        {"", []string{"vigil logs --follow", "vigil logs --level warn --limit 200", "vigil logs --duty f01000/1144209/0"}},
	"can-restart": {"", []string{"vigil can-restart", "vigil can-restart --for 10m && systemctl restart vigil"}},

	"devnet":           {"", []string{"vigil devnet", "vigil devnet --periods 1", "vigil devnet --serve-only --miners 2"}},
	"devnet scenarios": {"A scenario is a story of what happens to a network, told to the chain and the daemon by vigil devnet --scenario.", []string{"vigil devnet scenarios", "vigil devnet --scenario silent-node"}},
	"run": {"The daemon: it watches the chain, proves what the miners owe, gets the proofs on chain and sees them confirmed, until it is told to end\n" +
		"by SIGINT or SIGTERM. docs/config.md explains the configuration.", []string{"vigil run --config vigil.toml"}},

	"wallet new":    {"The key's address is printed. It needs some FIL to pay for messages, and has to be the miner's worker or a control address.", []string{"vigil wallet new --keystore ~/.vigil/keystore", "vigil wallet new --keystore ~/.vigil/keystore --type bls"}},
	"wallet import": {"Reads the key from a file or, without one, from standard input, so that it is in no shell's history.", []string{"vigil wallet import --keystore ~/.vigil/keystore worker.key", "lotus wallet export ADDRESS | vigil wallet import --keystore ~/.vigil/keystore"}},
	"wallet list":   {"Names the addresses that messages can be sent from, not the secrets.", []string{"vigil wallet list --keystore ~/.vigil/keystore", "vigil wallet list --keystore ~/.vigil/keystore --json"}},
	"wallet export": {"Whoever sees what is printed can spend all that the address has.", []string{"vigil wallet export --keystore ~/.vigil/keystore ADDRESS > backup.key"}},

	"message list":      {"The newest first. It works while the daemon is off.", []string{"vigil message list --config vigil.toml", "vigil message list --config vigil.toml --state published --json"}},
	"message show":      {"Prints every field of a message and its attempts. It works while the daemon is off.", []string{"vigil message show --config vigil.toml f01000/1144209/0"}},
	"message explain":   {"Tells in sentences what happened, what it waits for, and what can be done. It works while the daemon is off.", []string{"vigil message explain --config vigil.toml f01000/1144209/0"}},
	"message wait":      {"Prints each change, until the message is confirmed or has come to nothing.", []string{"vigil message wait --config vigil.toml f01000/1144209/0"}},
	"message replace":   {"The daemon chooses the gas, or it is given whole. Without any replacement the fee climbs by itself as time runs out.", []string{"vigil message replace --config vigil.toml MESSAGE", "vigil message replace --config vigil.toml MESSAGE --gas-limit 60000000 --fee-cap 2000000000 --premium 200000"}},
	"message cancel":    {"Its nonce goes to a message that does nothing. Once nodes have the message it is a race with the chain.", []string{"vigil message cancel --config vigil.toml MESSAGE"}},
	"message republish": {"Without anybody's wish a message is handed to the nodes at every head.", []string{"vigil message republish --config vigil.toml MESSAGE"}},
	"message token":     {"Other programs send messages through the API at /rpc/v0 with it: docs/messager-api.md.", []string{"vigil message token --config vigil.toml --permit read --permit write"}},

	"storage list": {"", []string{"vigil storage list --config vigil.toml", "vigil storage list /mnt/sectors"}},
	"storage scan": {"", []string{"vigil storage scan ~/.lotusminer/storage.json", "vigil storage scan /mnt"}},
	"storage add":  {"", []string{"vigil storage add --config vigil.toml ~/.lotusminer/storage.json"}},
	"storage find": {"", []string{"vigil storage find --config vigil.toml 7", "vigil storage find --config vigil.toml s-t01000-7"}},
	"check":        {"", []string{"vigil check --config vigil.toml", "vigil check --config vigil.toml --deadline 17 --json"}},

	"proof verify":   {"", []string{"vigil proof verify --params /var/tmp/filecoin-proof-parameters proof.json"}},
	"proof prove":    {"", []string{"vigil proof prove --sectors /mnt/sectors --params /var/tmp/filecoin-proof-parameters --size 32GiB --miner 1000 --numbers 0-9 --randomness HEX"}},
	"params list":    {"", []string{"vigil params list", "vigil params list --all --json"}},
	"params check":   {"", []string{"vigil params check --params /var/tmp/filecoin-proof-parameters"}},
	"params make":    {"", []string{"vigil params make --size 2KiB --params ./keys"}},
	"selftest":       {"", []string{"vigil selftest", "vigil selftest --large"}},
	"init":           {"", []string{"vigil init", "vigil init --miner f01000 --storage ~/.lotusminer/storage.json --key post.key"}},
	"doctor":         {"", []string{"vigil doctor --config vigil.toml", "vigil doctor --config vigil.toml --json | jq '.[] | select(.health != \"well\")'"}},
	"config check":   {"", []string{"vigil config check vigil.toml"}},
	"config show":    {"", []string{"vigil config show vigil.toml", "vigil config show --json vigil.toml | jq '.[\"messager.max_fee\"]'"}},
	"config diff":    {"", []string{"vigil config diff vigil.toml", "vigil config diff vigil.toml new.toml"}},
	"config reload":  {"", []string{"vigil config reload vigil.toml"}},
	"shadow report":  {"", []string{"vigil shadow report --config vigil.toml", "vigil shadow report --config vigil.toml --miner f01000 --since 4210000 --json"}},
	"plan":           {"", []string{"vigil plan --config vigil.toml", "vigil plan --workers 2 --hours 6"}},
	"rehearse":       {"", []string{"vigil rehearse --config vigil.toml --deadline 17", "vigil rehearse --config vigil.toml --partition 17/0 --snark"}},
	"recover":        {"", []string{"vigil recover --config vigil.toml", "vigil recover --config vigil.toml --dry-run --deadline 17"}},
	"config example": {"", []string{"vigil config example > vigil.toml"}},
	"dispute":        {"", []string{"vigil dispute --config vigil.toml --all --dry-run --once", "vigil dispute --config vigil.toml --from f1… --miner f01234"}},
	"notify test":    {"Everybody in [[notify]] is sent an alarm that says that it is a test, and then that it is over.", []string{"vigil notify test --config vigil.toml"}},
	"man":            {"Packages install what it writes as vigil(1).", []string{"vigil man | man -l -", "vigil man > /usr/local/share/man/man1/vigil.1"}},

	"version": {"The version, the revision that it was built from, and the platform.", []string{"vigil version"}},

	"bench proofs":  {"", []string{"vigil bench proofs", "vigil bench proofs --json"}},
	"bench passes":  {"", []string{"vigil bench passes --partitions 3"}},
	"bench vanilla": {"", []string{"vigil bench vanilla"}},
	"bench reading": {"", []string{"vigil bench reading"}},
	"bench full":    {"", []string{"vigil bench full"}},
}

// withHelp gives the commands below one their help.
func withHelp(parent *cli.Command, path string) {
	for _, c := range parent.Commands {
		name := strings.TrimSpace(path + " " + c.Name)
		h := helps[name]
		if c.Description == "" {
			c.Description = h.about
		}
		if len(h.examples) > 0 {
			c.Description = strings.TrimSpace(c.Description + "\n\nFor example:\n  " + strings.Join(h.examples, "\n  "))
		}
		withHelp(c, name)
	}
}

// showCompletion lets the command that completes others be seen.
func showCompletion(c *cli.Command) {
	c.Hidden, c.Usage = false, "print what makes a shell complete vigil's commands, flags and values"
}
