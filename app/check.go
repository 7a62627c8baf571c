package app

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/dustin/go-humanize"
	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	stbig "github.com/filecoin-project/go-state-types/big"

	"github.com/vigil-post/vigil/explain"
	"github.com/vigil-post/vigil/messager"
	"github.com/vigil-post/vigil/schedule"
)

// checker turns a file into a Config. Each check notes what is wrong and goes
// on, so that a person sees all of it at once.
type checker struct {
	findings *findings
	dir      string // of the file: what relative paths are relative to
	getenv   func(string) string
	secrets  map[string]Secret // what was read from the file that a key names; nil if nobody asks
}

func (c *checker) wrong(key, advice, problem string, args ...any) {
	c.findings.add(key, fmt.Sprintf(problem, args...), advice)
}

func (c *checker) config(f fileRest) Config {
	miners, shadow := c.miners(f.Miners), inShadow(f.Miners)
	storages, absent := c.storages(f.Storages)
	messages := c.messager(f.Messager)
	return Config{
		Miners:   miners,
		Shadow:   shadow,
		Storages: storages,
		Absent:   absent,
		Reading:  Reading{AtOnce: int(c.within("reading.at_once", f.Reading.AtOnce, 1, 128)), Rehearse: f.Reading.Rehearse},
		Wallet:   c.wallet(f, sentFor(miners, shadow), messages.mostFee()),
		Proofs: Proofs{
			Parameters: c.folder("proofs.parameters", f.Proofs.Parameters, "put Filecoin's proof parameters there, or name the folder that has them"),
			AtOnce:     int(c.within("proofs.at_once", f.Proofs.AtOnce, 1, 64)),
			Memory:     c.memory(f.Proofs.Memory),
		},
		Messager:  messages,
		Schedule:  c.recovery(c.schedule(f.Schedule, f.Reading), f.Recovery),
		Dashboard: c.dashboard(f.Dashboard),
		Alarms:    c.alarms(f.Alarms, f.Notify),
		Trace:     c.trace(f.Trace),
		Data:      c.data(f.Data.Dir),
		Journal:   time.Duration(c.within("data.journal_days", f.Data.JournalDays, 0, 3650)) * 24 * time.Hour,
		Log:       c.log(f.Log),
	}
}

func (c *checker) miners(list []fileMiner) []abi.ActorID {
	if len(list) == 0 {
		c.wrong("miner", "add a [[miner]] with an address", "no miner is given")
	}
	var miners []abi.ActorID
	seen := map[abi.ActorID]int{}
	for i, m := range list {
		key := fmt.Sprintf("miner[%d].address", i)
		id, ok := c.minerAddress(key, m.Address)
		if !ok {
			continue
		}
		if first, twice := seen[id]; twice {
			c.wrong(key, "remove one of the two", "the miner is given twice: it is miner[%d] too", first)
			continue
		}
		seen[id] = i
		miners = append(miners, id)
	}
	return miners
}

func (c *checker) minerAddress(key, text string) (abi.ActorID, bool) {
	const advice = "write the miner's ID address, as f01000 (t01000 on a test network)"
	if text == "" {
		c.wrong(key, advice, "no address is given")
		return 0, false
	}
	a, err := address.NewFromString(text)
	if err != nil {
		c.wrong(key, advice, "%q is no Filecoin address: %v", text, err)
		return 0, false
	}
	if a.Protocol() != address.ID {
		c.wrong(key, advice, "%q is not an ID address, so it is no miner's", text)
		return 0, false
	}
	id, err := address.IDFromAddress(a)
	if err != nil || id < 100 {
		c.wrong(key, advice, "%q is an actor of the system and no miner", text)
		return 0, false
	}
	return abi.ActorID(id), true
}

func (c *checker) messager(f fileMessager) Messager {
	m := Messager{
		MaxFee: c.amount("messager.max_fee", f.MaxFee),
		Sophon: c.sophon(f.Sophon),
		WindowPost: messager.Budget{
			MaxFee: c.maybe("messager.max_window_post_gas_fee", f.MaxWindowPostGasFee),
			PerDay: c.maybe("messager.window_post_budget_per_day", f.WindowPostPerDay),
		},
		Recovery: messager.Budget{
			MaxFee: c.maybe("messager.max_recovery_gas_fee", f.MaxRecoveryGasFee),
			PerDay: c.maybe("messager.recovery_budget_per_day", f.RecoveryPerDay),
		},
		LowFeeCap:         !f.MaximizeFeeCap,
		GasOverEstimation: c.factor("messager.gas_over_estimation", f.GasOverEstimation),
		GasOverPremium:    c.factor("messager.gas_over_premium", f.GasOverPremium),
		ReplaceAfter:      c.epochs("messager.replace_after", f.ReplaceAfter, 1, 20),
		Confidence:        c.epochs("messager.confidence", f.Confidence, 1, 30),
	}
	c.daily("messager.window_post_budget_per_day", m.WindowPost, m.MaxFee)
	c.daily("messager.recovery_budget_per_day", m.Recovery, m.MaxFee)
	for i, text := range f.Senders {
		a, err := address.NewFromString(text)
		if err != nil {
			c.wrong("messager.senders", "write the addresses of the worker or of control addresses", "sender %d, %q, is no Filecoin address: %v", i+1, text, err)
			continue
		}
		m.Senders = append(m.Senders, a)
	}
	return m
}

// daily says of a day's budget that is less than one message may cost: with
// it none is ever sent, for each gets its nonce only while all of that is left.
func (c *checker) daily(key string, b messager.Budget, maxFee abi.TokenAmount) {
	if !b.MaxFee.Nil() {
		maxFee = b.MaxFee
	}
	if !b.PerDay.Nil() && b.PerDay.Sign() > 0 && b.PerDay.LessThan(maxFee) {
		c.wrong(key, "raise it, or lower the greatest fee of one message", "it is less than one message may cost, %s, so none would be sent", explain.FIL(maxFee))
	}
}

// mostFee is the most that a message of any kind may cost.
func (m Messager) mostFee() abi.TokenAmount {
	most := m.MaxFee
	for _, kind := range []messager.Budget{m.WindowPost, m.Recovery} {
		if !kind.MaxFee.Nil() {
			most = stbig.Max(most, kind.MaxFee)
		}
	}
	return most
}

// maybe is an amount that need not be given.
func (c *checker) maybe(key, text string) abi.TokenAmount {
	if text == "" {
		return abi.TokenAmount{}
	}
	return c.amount(key, text)
}

func (c *checker) factor(key string, f float64) float64 {
	if !(f >= 1 && f <= 10) {
		c.wrong(key, "choose one from 1 to 10: it multiplies what the node proposes", "%v is out of range", f)
		return 1
	}
	return f
}

func (c *checker) schedule(f fileSchedule, r fileReading) schedule.Policy {
	p := schedule.DefaultPolicy
	// The seed is known 20 epochs before Open and a window is 60 long: later than this, too little is left.
	p.StartConfidence = c.epochs("schedule.start_confidence", f.StartConfidence, 0, 20)
	p.SubmitConfidence = c.epochs("schedule.submit_confidence", f.SubmitConfidence, 0, 30)
	p.Confidence = c.epochs("schedule.confidence", f.Confidence, 1, 30)
	// A window is 60 epochs: with more than this no proof would ever wait for a storage.
	p.PostMargin = c.epochs("schedule.post_margin", f.PostMargin, 2, 40)
	p.SkipPercent = int(c.within("reading.skip_percent", r.SkipPercent, 0, 100))
	return p
}

// recovery adds what is chosen for recoveries; the limits are at most the network's.
func (c *checker) recovery(p schedule.Policy, f fileRecovery) schedule.Policy {
	most := schedule.DefaultPolicy
	p.RecoverAlone = f.Alone
	p.DeclareSectors = int(c.within("recovery.max_sectors", f.MaxSectors, 1, int64(most.DeclareSectors)))
	p.DeclarePartitions = int(c.within("recovery.max_partitions", f.MaxPartitions, 1, int64(most.DeclarePartitions)))
	p.DeclareGas = c.within("recovery.max_gas", f.MaxGas, 50_000_000, 10_000_000_000)
	return p
}

func (c *checker) dashboard(f fileDashboard) Dashboard {
	if f.Listen == "" {
		return Dashboard{}
	}
	const advice = `write it as "127.0.0.1:8748", or "" for no dashboard`
	host, port, err := net.SplitHostPort(f.Listen)
	if err != nil {
		c.wrong("dashboard.listen", advice, "%q is no address to listen on", f.Listen)
		return Dashboard{}
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "localhost" && host != "" {
		c.wrong("dashboard.listen", advice, "%q is no IP address", host)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		c.wrong("dashboard.listen", advice, "%q is no port", port)
	}
	return Dashboard(f)
}

func (c *checker) data(dir string) string {
	path := c.path(dir)
	if dir == "" {
		c.wrong("data.dir", "name a folder for the daemon's database; it is made if it does not exist", "no folder is given")
		return ""
	}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		c.wrong("data.dir", "name a folder for the daemon's database", "%s is not a folder", path)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.wrong("data.dir", "name a folder that you may write to", "%s", fileProblem(err))
	}
	return path
}

func (c *checker) log(f fileLog) Log {
	l := Log{Level: new(slog.LevelVar)}
	if err := l.Level.UnmarshalText([]byte(f.Level)); err != nil {
		c.wrong("log.level", "use debug, info, warn or error", "%q is no level", f.Level)
	}
	switch f.Format {
	case "json":
		l.JSON = true
	case "text":
	default:
		c.wrong("log.format", "use text or json", "%q is no format", f.Format)
	}
	return l
}

// folder is the absolute path of a folder that exists, or nothing.
func (c *checker) folder(key, text, advice string) string {
	if text == "" {
		c.wrong(key, advice, "no folder is given")
		return ""
	}
	path := c.path(text)
	info, err := os.Stat(path)
	if err != nil {
		c.wrong(key, advice, "%s", fileProblem(err))
		return ""
	}
	if !info.IsDir() {
		c.wrong(key, advice, "%s is not a folder", path)
		return ""
	}
	return path
}

// secretFile is the first line of a file.
func (c *checker) secretFile(key, text, advice string) Secret {
	data, err := os.ReadFile(c.path(text))
	if err != nil {
		c.wrong(key, advice, "%s", fileProblem(err))
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	if line = strings.TrimSpace(line); line == "" {
		c.wrong(key, advice, "the file is empty")
	}
	if c.secrets != nil {
		c.secrets[key] = Secret(line)
	}
	return Secret(line)
}

// path makes a path absolute: ~/ is the home folder, and a relative one begins at the file.
func (c *checker) path(text string) string {
	if rest, ok := strings.CutPrefix(text, "~/"); ok {
		return filepath.Join(c.getenv("HOME"), rest)
	}
	if text == "" || filepath.IsAbs(text) {
		return filepath.Clean(text)
	}
	return filepath.Join(c.dir, text)
}

func (c *checker) within(key string, n, least, most int64) int64 {
	if n < least || n > most {
		c.wrong(key, fmt.Sprintf("choose one from %d to %d", least, most), "%d is out of range", n)
	}
	return n
}

func (c *checker) epochs(key string, n, least, most int64) abi.ChainEpoch {
	return abi.ChainEpoch(c.within(key, n, least, most))
}

// memory reads "18GiB". Nothing means three quarters of what the process may have.
func (c *checker) memory(text string) int64 {
	const least = 64 << 20 // enough for a 2 KiB sector
	if text == "" {
		all, err := memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)()
		if err != nil {
			return 0 // a system that does not tell
		}
		return int64(min(all, math.MaxInt64/4) / 4 * 3)
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n < least || n > math.MaxInt64 {
		c.wrong("proofs.memory", `write it as "18GiB"; a 32 GiB partition needs 9 GiB`, "%q is no amount of memory for a proof", text)
	}
	return int64(n)
}

// amount reads "5 FIL" or "0.25 FIL".
func (c *checker) amount(key, text string) abi.TokenAmount {
	atto := c.anyAmount(key, text)
	if atto.Sign() == 0 {
		c.wrong(key, amountAdvice, "with %q no message could be paid for", text)
	}
	return atto
}

const amountAdvice = `write it as "5 FIL"`

// anyAmount is amount that may be zero.
func (c *checker) anyAmount(key, text string) abi.TokenAmount {
	atto, err := ParseFIL(text)
	if err != nil {
		c.wrong(key, amountAdvice, "%v", err)
		return abi.NewTokenAmount(1)
	}
	return atto
}

// ParseFIL reads an amount as people write it: "5 FIL" or "0.5".
func ParseFIL(text string) (abi.TokenAmount, error) {
	number := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "FIL"))
	value, ok := new(big.Rat).SetString(number)
	if !ok || len(number) > 40 || strings.ContainsAny(number, "/eExXpP_") || value.Sign() < 0 {
		return abi.TokenAmount{}, fmt.Errorf("%q is no amount of FIL", text)
	}
	atto := value.Mul(value, new(big.Rat).SetInt64(1e18))
	if !atto.IsInt() {
		return abi.TokenAmount{}, fmt.Errorf("%q is finer than a FIL's 18 decimals", text)
	}
	return stbig.NewFromGo(new(big.Int).Set(atto.Num())), nil
}

// fileProblem is an error of the file system in words: what, and the path.
func fileProblem(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return fmt.Sprintf("%s: %v", at.Path, at.Err)
	}
	return err.Error()
}
