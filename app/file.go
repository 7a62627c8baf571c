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
	Recovery  fileRecovery  `toml:"recovery"`
	Dashboard fileDashboard `toml:"dashboard"`
	Alarms    fileAlarms    `toml:"alarms"`
	Notify    []fileNotify  `toml:"notify"`
	Trace     fileTrace     `toml:"trace"`
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
	Shadow  bool   `toml:"shadow"`
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
	Keystore       string       `toml:"keystore"`
	PassphraseFile string       `toml:"passphrase_file"`
	Remotes        []fileServer `toml:"remote"`
	Policy         filePolicy   `toml:"policy"`
}

// fileServer is another program that is asked over JSON-RPC.
type fileServer struct {
	URL       string `toml:"url"`
	Token     string `toml:"token"`
	TokenFile string `toml:"token_file"`
	Timeout   string `toml:"timeout"`
}

type filePolicy struct {
	Methods   []int64  `toml:"methods"`
	Receivers []string `toml:"receivers"`
	MaxValue  string   `toml:"max_value"`
	MaxFee    string   `toml:"max_fee"`
}

type fileProofs struct {
	Parameters string `toml:"parameters"`
	AtOnce     int64  `toml:"at_once"`
	Memory     string `toml:"memory"`
}

type fileMessager struct {
	MaxFee              string     `toml:"max_fee"`
	MaxWindowPostGasFee string     `toml:"max_window_post_gas_fee"`
	MaxRecoveryGasFee   string     `toml:"max_recovery_gas_fee"`
	WindowPostPerDay    string     `toml:"window_post_budget_per_day"`
	RecoveryPerDay      string     `toml:"recovery_budget_per_day"`
	MaximizeFeeCap      bool       `toml:"maximize_fee_cap"`
	GasOverEstimation   float64    `toml:"gas_over_estimation"`
	GasOverPremium      float64    `toml:"gas_over_premium"`
	ReplaceAfter        int64      `toml:"replace_after"`
	Confidence          int64      `toml:"confidence"`
	Senders             []string   `toml:"senders"`
	Sophon              fileServer `toml:"sophon"`
}

type fileSchedule struct {
	StartConfidence  int64 `toml:"start_confidence"`
	SubmitConfidence int64 `toml:"submit_confidence"`
	Confidence       int64 `toml:"confidence"`
	PostMargin       int64 `toml:"post_margin"`
}

type fileRecovery struct {
	Alone         bool  `toml:"alone"`
	MaxSectors    int64 `toml:"max_sectors"`
	MaxPartitions int64 `toml:"max_partitions"`
	MaxGas        int64 `toml:"max_gas"`
}

type fileDashboard struct {
	Listen string   `toml:"listen"`
	Hosts  []string `toml:"hosts"`
}

type fileData struct {
	Dir         string `toml:"dir"`
	JournalDays int64  `toml:"journal_days"`
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
		Proofs: fileProofs{Parameters: getenv(parametersVariable), AtOnce: 1},
		Wallet: fileWallet{Policy: filePolicy{Methods: postMethods()}},
		Messager: fileMessager{
			MaxFee: "5 FIL", MaximizeFeeCap: true, GasOverEstimation: 1, GasOverPremium: 1,
			ReplaceAfter: 5, Confidence: int64(policy.Confidence),
		},
		Schedule: fileSchedule{
			StartConfidence:  int64(policy.StartConfidence),
			SubmitConfidence: int64(policy.SubmitConfidence),
			Confidence:       int64(policy.Confidence),
			PostMargin:       int64(policy.PostMargin),
		},
		Recovery: fileRecovery{
			Alone: policy.RecoverAlone, MaxSectors: int64(policy.DeclareSectors), MaxPartitions: int64(policy.DeclarePartitions), MaxGas: policy.DeclareGas,
		},
		Reading:   fileReading{AtOnce: 128, SkipPercent: int64(policy.SkipPercent), Rehearse: true},
		Data:      fileData{JournalDays: 90},
		Dashboard: fileDashboard{Listen: "127.0.0.1:8748"},
		Alarms:    fileAlarms{HeartbeatEvery: "1m"},
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
