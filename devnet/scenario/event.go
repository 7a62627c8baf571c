package scenario

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/big"
	"github.com/filecoin-project/go-state-types/network"

	"github.com/vigil-post/vigil/devnet"
)

// Event is one thing that happens: one action, when, and what it needs to know.
type Event struct {
	At    any    `toml:"at"`
	Every int64  `toml:"every"` // epochs, from at on
	Times int64  `toml:"times"` // with every; no end if 0
	For   any    `toml:"for"`
	Miner string `toml:"miner"`

	// The actions; an event has one.
	BaseFee     any              `toml:"base_fee"`
	NullRounds  *int64           `toml:"null_rounds"`
	NullShare   *float64         `toml:"null_share"`
	Reorg       *int             `toml:"reorg"`
	SetBack     *int             `toml:"set_back"`
	Delay       *int64           `toml:"delay_messages"`
	Lose        *float64         `toml:"lose_messages"`
	Hold        *string          `toml:"hold_messages"`
	Drop        *bool            `toml:"drop_messages"`
	LimitPool   []int            `toml:"limit_pool"`
	Node        *string          `toml:"node"`
	Heal        *bool            `toml:"heal"`
	Calm        *bool            `toml:"calm"`
	Upgrade     *network.Version `toml:"upgrade"`
	AddSectors  *int             `toml:"add_sectors"`
	BreakSector *int64           `toml:"break_sector"`
	MendSector  *int64           `toml:"mend_sector"`
	Balance     *string          `toml:"balance"`
	Rival       *string          `toml:"rival"`
	WrongPost   *uint64          `toml:"wrong_post"`

	// What some of them need to know.
	Length  int     `toml:"length"`  // reorg: epochs of the new branch
	Lost    bool    `toml:"lost"`    // reorg: its messages do not come back
	Method  string  `toml:"method"`  // node: of the API; all if empty
	Share   float64 `toml:"share"`   // node: of the calls
	Calls   int     `toml:"calls"`   // node: how many, then it is over
	Slow    string  `toml:"delay"`   // node = "slow": by how much, in real time
	By      int64   `toml:"by"`      // node = "lag" or "lie": epochs
	How     string  `toml:"how"`     // break_sector: missing, no-cache, corrupt or truncate
	Account string  `toml:"account"` // balance: owner, worker or control, else the miner's own

	at    point
	lasts abi.ChainEpoch
}

// action is what an event can do.
type action struct {
	given   func(*Event) bool
	options []string // that it looks at, beside at, every, times and miner
	lasts   abi.ChainEpoch
	do      func(ctx context.Context, e *Event, n *devnet.Network, m address.Address) error
}

var actions = map[string]action{
	"base_fee":       {func(e *Event) bool { return e.BaseFee != nil }, []string{"for"}, 1, baseFee},
	"null_rounds":    {func(e *Event) bool { return e.NullRounds != nil }, nil, 0, nullRounds},
	"null_share":     {func(e *Event) bool { return e.NullShare != nil }, []string{"for"}, 0, nullShare},
	"reorg":          {func(e *Event) bool { return e.Reorg != nil }, []string{"length", "lost"}, 0, reorg},
	"set_back":       {func(e *Event) bool { return e.SetBack != nil }, []string{"lost"}, 0, setBack},
	"delay_messages": {func(e *Event) bool { return e.Delay != nil }, []string{"for"}, 0, delay},
	"lose_messages":  {func(e *Event) bool { return e.Lose != nil }, []string{"for"}, 0, lose},
	"hold_messages":  {func(e *Event) bool { return e.Hold != nil }, []string{"for"}, 0, hold},
	"drop_messages":  {func(e *Event) bool { return e.Drop != nil }, nil, 0, drop},
	"limit_pool":     {func(e *Event) bool { return e.LimitPool != nil }, nil, 0, limitPool},
	"node":           {func(e *Event) bool { return e.Node != nil }, []string{"for", "method", "share", "calls", "delay", "by"}, 0, node},
	"heal":           {func(e *Event) bool { return e.Heal != nil }, []string{"method"}, 0, heal},
	"calm":           {func(e *Event) bool { return e.Calm != nil }, nil, 0, calm},
	"upgrade":        {func(e *Event) bool { return e.Upgrade != nil }, nil, 0, upgrade},
	"add_sectors":    {func(e *Event) bool { return e.AddSectors != nil }, nil, 0, addSectors},
	"break_sector":   {func(e *Event) bool { return e.BreakSector != nil }, []string{"how"}, 0, breakSector},
	"mend_sector":    {func(e *Event) bool { return e.MendSector != nil }, nil, 0, mendSector},
	"balance":        {func(e *Event) bool { return e.Balance != nil }, []string{"account"}, 0, balance},
	"rival":          {func(e *Event) bool { return e.Rival != nil }, nil, 0, rival},
	"wrong_post":     {func(e *Event) bool { return e.WrongPost != nil }, nil, 0, wrongPost},
}

func actionNames() []string { return slices.Sorted(maps.Keys(actions)) }

// options are the things an event may say to its action.
var options = map[string]func(*Event) bool{
	"for":     func(e *Event) bool { return e.For != nil },
	"length":  func(e *Event) bool { return e.Length != 0 },
	"lost":    func(e *Event) bool { return e.Lost },
	"method":  func(e *Event) bool { return e.Method != "" },
	"share":   func(e *Event) bool { return e.Share != 0 },
	"calls":   func(e *Event) bool { return e.Calls != 0 },
	"delay":   func(e *Event) bool { return e.Slow != "" },
	"by":      func(e *Event) bool { return e.By != 0 },
	"how":     func(e *Event) bool { return e.How != "" },
	"account": func(e *Event) bool { return e.Account != "" },
}

// name is the event's action; more than one or none is an error.
func (e *Event) name() (string, error) {
	var given []string
	for _, name := range actionNames() {
		if actions[name].given(e) {
			given = append(given, name)
		}
	}
	switch len(given) {
	case 0:
		return "", fmt.Errorf("nothing happens in it: say one of %s", strings.Join(actionNames(), ", "))
	case 1:
		return given[0], nil
	}
	return "", fmt.Errorf("%s happen at once: make them events of their own", strings.Join(given, " and "))
}

// String is what happens, in the file's words.
func (e *Event) String() string {
	var words []string
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		key, f := v.Type().Field(i).Tag.Get("toml"), v.Field(i)
		if key == "" || key == "at" || f.IsZero() {
			continue
		}
		if f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		words = append(words, fmt.Sprintf("%s=%v", key, f))
	}
	slices.SortStableFunc(words, func(a, b string) int { return actionFirst(b) - actionFirst(a) })
	return strings.Join(words, " ")
}

func actionFirst(word string) int {
	key, _, _ := strings.Cut(word, "=")
	if _, is := actions[key]; is {
		return 1
	}
	return 0
}

// maxEvery is about a year.
const maxEvery = 1_000_000

func (e *Event) check() error {
	name, err := e.name()
	if err != nil {
		return err
	}
	for _, o := range slices.Sorted(maps.Keys(options)) {
		if options[o](e) && !slices.Contains(actions[name].options, o) {
			return fmt.Errorf("%s does not go with %s", o, name)
		}
	}
	if e.at, err = parsePoint(e.At); err != nil {
		return err
	}
	if e.lasts, err = epochsOf(e.For, actions[name].lasts); err != nil {
		return err
	}
	if e.Every < 0 || e.Every > maxEvery || e.Times < 0 || e.Times > 0 && e.Every == 0 {
		return fmt.Errorf("every is a number of epochs up to %d, and times is how often it happens so", maxEvery)
	}
	return e.checkWords()
}

// checkWords checks what can be read wrongly without a network.
func (e *Event) checkWords() error {
	var err error
	switch {
	case e.BaseFee != nil:
		_, _, err = e.fee()
	case e.Balance != nil:
		_, err = amount(*e.Balance)
	case e.LimitPool != nil && len(e.LimitPool) != 2:
		err = errors.New("limit_pool is two numbers: to how many messages it is cut, and from how many on")
	case e.Node != nil:
		_, err = e.fault()
	case e.Hold != nil && *e.Hold != "all" && !isRole(*e.Hold):
		err = fmt.Errorf("hold_messages = %q: it is all, owner, worker or control", *e.Hold)
	case e.Rival != nil && !isRole(*e.Rival):
		err = fmt.Errorf("rival = %q: it is owner, worker or control", *e.Rival)
	case e.Account != "" && !isRole(e.Account):
		err = fmt.Errorf("account = %q: it is owner, worker or control", e.Account)
	case e.falseFlag():
		err = errors.New("it says that something does not happen; leave it out")
	}
	return err
}

func (e *Event) falseFlag() bool {
	for _, b := range []*bool{e.Drop, e.Heal, e.Calm} {
		if b != nil && !*b {
			return true
		}
	}
	return false
}

func isRole(s string) bool { return s == "owner" || s == "worker" || s == "control" }

// fee is a base fee, or what the present one is multiplied with.
func (e *Event) fee() (fee abi.TokenAmount, factor int64, err error) {
	wrong := fmt.Errorf("base_fee = %v: say attoFIL per unit of gas, or a factor like \"x1000\"", e.BaseFee)
	switch v := e.BaseFee.(type) {
	case int64:
		if v > 0 {
			return big.NewInt(v), 0, nil
		}
	case string:
		digits, ok := strings.CutPrefix(v, "x")
		factor, err := strconv.ParseInt(digits, 10, 64)
		if ok && err == nil && factor > 0 {
			return big.Zero(), factor, nil
		}
	}
	return big.Zero(), 0, wrong
}

// amount reads FIL.
func amount(text string) (abi.TokenAmount, error) {
	number, ok := strings.CutSuffix(text, " FIL")
	whole, part, _ := strings.Cut(number, ".")
	atto, err := big.FromString(whole + (part + strings.Repeat("0", 18))[:max(18, len(part))])
	if !ok || err != nil || len(part) > 18 || atto.Sign() < 0 {
		return big.Zero(), fmt.Errorf("%q is no amount: say it like \"0.5 FIL\"", text)
	}
	return atto, nil
}

// fault is what an event does to the node.
func (e *Event) fault() (devnet.Fault, error) {
	f := devnet.Fault{
		Kind: devnet.FaultKind(*e.Node), Method: e.Method, Share: e.Share, Times: e.Calls, Epochs: e.lasts, By: abi.ChainEpoch(e.By),
	}
	if *e.Node == "silent" {
		f.Kind = devnet.FaultHang
	}
	if e.Slow != "" {
		var err error
		if f.Delay, err = time.ParseDuration(e.Slow); err != nil {
			return f, fmt.Errorf("delay = %q is no time", e.Slow)
		}
	}
	return f, f.Check()
}
