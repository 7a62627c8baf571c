package app

import (
	"path/filepath"

	"github.com/vigil-post/vigil/schedule"
)

// file is the configuration file as it is written; see docs/config.md for an
// example. Values are checked in check.go, which gives each its meaning.
type file struct {
	Node fileNode `toml:"node"`
	fileRest
}

// fileOfSeveral is a file with [[node]] tables.
type fileOfSeveral struct {
	Nodes []fileNode `toml:"node"`
	fileRest
}

type fileRest struct {
	Miners    []fileMiner   `toml:"miner"`
	Storages  []fileStorage `toml:"storage"`
	Reading   fileReading   `toml:"reading"`
	Wallet    fileWallet    `toml:"wallet"`
	Proofs    fileProofs    `toml:"proofs"`
	Messager  fileMessager  `toml:"messager"`
	Schedule  fileSchedule  `toml:"schedule"`
	Dashboard fileDashboard `toml:"dashboard"`
	Data      fileData      `toml:"data"`
	Log       fileLog       `toml:"log"`
}

type fileNode struct {
	URL       string `toml:"url"`
	Token     string `toml:"token"`
	TokenFile string `toml:"token_file"`
	Network   string `toml:"network"`
	Timeout   string `toml:"timeout"`
}

type fileMiner struct {
	Address string `toml:"address"`
}

type fileStorage struct {
	Path string `toml:"path"`
}

type fileReading struct {
	AtOnce      int64 `toml:"at_once"`
	SkipPercent int64 `toml:"skip_percent"`
	Rehearse    bool  `toml:"rehearse"`
}

type fileWallet struct {
	Keystore       string `toml:"keystore"`
	PassphraseFile string `toml:"passphrase_file"`
}

type fileProofs struct {
	Parameters string `toml:"parameters"`
	AtOnce     int64  `toml:"at_once"`
	Memory     string `toml:"memory"`
}

type fileMessager struct {
	MaxFee     string `toml:"max_fee"`
	Confidence int64  `toml:"confidence"`
}

type fileSchedule struct {
	StartConfidence  int64 `toml:"start_confidence"`
	SubmitConfidence int64 `toml:"submit_confidence"`
	Confidence       int64 `toml:"confidence"`
	PostMargin       int64 `toml:"post_margin"`
}

type fileDashboard struct {
	Listen string   `toml:"listen"`
	Hosts  []string `toml:"hosts"`
}

type fileData struct {
	Dir string `toml:"dir"`
}

type fileLog struct {
	Level  string `toml:"level"`
	Format string `toml:"format"`
}

const (
	// parametersVariable is where other Filecoin software is told of the
	// parameters, and usualParameters where it looks without being told.
	parametersVariable = "FIL_PROOFS_PARAMETER_CACHE"
	usualParameters    = "/var/tmp/filecoin-proof-parameters"
	// passphraseVariable unlocks the keystore in place of a file.
	passphraseVariable = "VIGIL_PASSPHRASE"
	// nodesVariable is where other Filecoin software is told of its nodes, as
	// token:multiaddress and separated by commas.
	nodesVariable = "FULLNODE_API_INFO"
)

// defaults is what a file that says nothing means.
func defaults(getenv func(string) string) fileRest {
	policy := schedule.DefaultPolicy
	f := fileRest{
		Proofs:   fileProofs{Parameters: getenv(parametersVariable), AtOnce: 1},
		Messager: fileMessager{MaxFee: "5 FIL", Confidence: int64(policy.Confidence)},
		Schedule: fileSchedule{
			StartConfidence:  int64(policy.StartConfidence),
			SubmitConfidence: int64(policy.SubmitConfidence),
			Confidence:       int64(policy.Confidence),
			PostMargin:       int64(policy.PostMargin),
		},
		Reading:   fileReading{AtOnce: 128, SkipPercent: int64(policy.SkipPercent), Rehearse: true},
		Dashboard: fileDashboard{Listen: "127.0.0.1:8748"},
		Log:       fileLog{Level: "info", Format: "text"},
	}
	if f.Proofs.Parameters == "" {
		f.Proofs.Parameters = usualParameters
	}
	if home := getenv("HOME"); home != "" {
		f.Data.Dir = filepath.Join(home, ".vigil")
	}
	return f
}
