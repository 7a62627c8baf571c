// Package app is the daemon put together: its configuration, and one straight
// function that makes every object in order and lets them run. A reader of
// [New] sees all of Vigil once; nothing here decides anything.
package app

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil/messager"
	"github.com/vigil-post/vigil/schedule"
	"github.com/vigil-post/vigil/wallet"
)

// Config is a configuration that was checked: addresses parse, folders exist,
// and numbers are in range. Of several storages some may be absent, as long as
// one is there: a disk that is not mounted must not keep the others' sectors
// from being proved. Load makes one of a file.
type Config struct {
	Nodes     []Node // in the order of preference
	Miners    []abi.ActorID
	Shadow    []abi.ActorID // of them, those that somebody else posts for
	Storages  []string      // folders with sealed/ and cache/
	Absent    []string      // what is wrong with those of them that are not there now
	Reading   Reading
	Wallet    Wallet
	Proofs    Proofs
	Messager  Messager
	Schedule  schedule.Policy
	Dashboard Dashboard
	Alarms    Alarms
	Trace     Trace
	Data      string // the folder of the daemon's database
	Log       Log
	Journal   time.Duration // how long what happened is kept; 0: for ever

	// Version is shown to people; it is not in the file.
	Version string
	// Reloads asks for the file to be read again, where it is not nil.
	Reloads <-chan os.Signal

	file   string // that it was read from
	values values
}

// Node is a chain node to ask.
type Node struct {
	URL     string // or token:multiaddress
	Token   Secret
	Network string        // the name it must have, or any
	Timeout time.Duration // of a call; 0 leaves it to the chain client
}

// Reading says how sectors are read. What may be skipped is part of Schedule.
type Reading struct {
	AtOnce   int  // the most sectors read from a storage at a time
	Rehearse bool // read sectors ahead of their deadlines
}

// Wallet is where the senders' keys are, asked in this order, and what they
// are used for.
type Wallet struct {
	Keystore       string // none if empty
	Passphrase     Secret
	PassphraseFile string // that it is from, if it is from one
	Remotes        []RemoteWallet
	Policy         wallet.Policy
}

// RemoteWallet is a wallet in another program.
type RemoteWallet struct {
	URL     string // or token:multiaddress
	Token   Secret
	Timeout time.Duration // of a call; 0 leaves it to the client
}

// Proofs says how proofs are made.
type Proofs struct {
	Parameters string // the folder with Filecoin's proof parameters
	AtOnce     int    // proofs in progress at the same time
	Memory     int64  // bytes for all of them, parameters not counted; 0: no limit
}

// Messager says what messages may cost and when they are done.
type Messager struct {
	MaxFee            abi.TokenAmount // of one message of a kind without its own
	WindowPost        messager.Budget
	Recovery          messager.Budget
	LowFeeCap         bool // maximize_fee_cap = false
	GasOverEstimation float64
	GasOverPremium    float64
	ReplaceAfter      abi.ChainEpoch
	Confidence        abi.ChainEpoch
	Senders           []address.Address // to use first
	Sophon            Sophon
}

// Sophon is a sophon-messager to use in place of our own; none if URL is empty.
type Sophon struct {
	URL     string // or token:multiaddress
	Token   Secret
	Timeout time.Duration // of a call; 0 leaves it to the client
}

// Dashboard says where the page is served; not at all if Listen is empty.
type Dashboard struct {
	Listen string
	Hosts  []string // names it may be asked for by, besides localhost and IP addresses
}

// Log says how the log is written.
type Log struct {
	Level *slog.LevelVar // may be changed while it is written; nil: info
	JSON  bool
}

// Logger is a logger as the configuration wants it.
func (l Log) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{}
	if l.Level != nil {
		options.Level = l.Level
	}
	if l.JSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// Secret is a string that does not show itself in logs and errors.
type Secret string

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

// GoString hides the secret from %#v too.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Load reads and checks a file. What is wrong with it is a *FindingsError that
// has all findings, each with its line and with what to do.
func Load(path string) (Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return Config{}, err
	}
	return parse(path, filepath.Dir(absolute), data, os.Getenv)
}

// LoadForReading is Load for what neither signs nor proves: what is wrong with
// the wallet or the proof parameters is not looked at.
func LoadForReading(path string) (Config, error) {
	c, err := Load(path)
	var found *FindingsError
	if !errors.As(err, &found) {
		return c, err
	}
	left := slices.DeleteFunc(slices.Clone(found.Findings), func(f Finding) bool {
		return strings.HasPrefix(f.Key, "wallet") || strings.HasPrefix(f.Key, "proofs") && f.Problem != unknownSetting
	})
	if len(left) > 0 || len(found.config.Storages) == 0 {
		return Config{}, found
	}
	return found.config, nil
}

// LoadForDisputing is Load for what has no miners or sectors of its own, and
// signs only if it is said so.
func LoadForDisputing(path string, signs bool) (Config, error) {
	c, err := Load(path)
	var found *FindingsError
	if !errors.As(err, &found) {
		return c, err
	}
	left := slices.DeleteFunc(slices.Clone(found.Findings), func(f Finding) bool {
		own := strings.HasPrefix(f.Key, "miner") || strings.HasPrefix(f.Key, "storage") || !signs && strings.HasPrefix(f.Key, "wallet")
		return own && f.Problem != unknownSetting
	})
	switch {
	case len(left) > 0:
		found.Findings = left
	case len(found.config.Nodes) > 0: // else the file could not be read at all
		return found.config, nil
	}
	return Config{}, found
}

// parse is Load without the file system's part: relative paths are relative to dir.
func parse(name, dir string, data []byte, getenv func(string) string) (Config, error) {
	findings := newFindings(name, data)
	if nodes, rest, ok := readFile(findings, defaults(getenv)); ok {
		c := checker{findings: findings, dir: dir, getenv: getenv, secrets: map[string]Secret{}}
		config := c.config(rest)
		config.Nodes = c.nodes(nodes)
		config.file, config.values = filepath.Join(dir, filepath.Base(name)), valuesOf(nodes, rest, c.secrets)
		if len(findings.list) == 0 {
			return config, nil
		}
		err := findings.err()
		err.config = config
		return Config{}, err
	}
	return Config{}, findings.err()
}

// readFile reads the file's tables. One node may be written as [node]; several
// are [[node]] each.
func readFile(findings *findings, defaults fileRest) (nodes []fileNode, rest fileRest, ok bool) {
	if findings.has("node[0]") {
		f := fileOfSeveral{fileRest: defaults}
		ok := findings.decode(&f)
		return f.Nodes, f.fileRest, ok
	}
	f := file{fileRest: defaults}
	ok = findings.decode(&f)
	return []fileNode{f.Node}, f.fileRest, ok
}
