package scenario

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/network"
	"github.com/pelletier/go-toml/v2"

	"github.com/vigil-post/vigil/devnet"
)

// Scenario is a story, read and checked.
type Scenario struct {
	Name    string  `toml:"-"`
	About   string  `toml:"about"` // in a sentence
	Network Network `toml:"network"`
	Events  []Event `toml:"event"`
	Expect  *Expect `toml:"expect"`
}

// Network is what the devnet must be made of. What is not said is left to
// whoever runs it.
type Network struct {
	Miners     *int             `toml:"miners"`
	Sectors    *int             `toml:"sectors"` // per miner at genesis
	Onboard    *int             `toml:"onboard"` // per miner and proving period
	NullRounds *float64         `toml:"null_rounds"`
	Version    *network.Version `toml:"version"`
	Sizes      []string         `toml:"sector_sizes"`
}

// Apply puts what the scenario needs into a configuration.
func (w Network) Apply(c *devnet.Config) error {
	set(&c.Miners, w.Miners)
	set(&c.Onboard, w.Onboard)
	set(&c.NullRounds, w.NullRounds)
	set(&c.NetworkVersion, w.Version)
	if w.Sectors != nil {
		c.Sectors = *w.Sectors
		if c.Sectors == 0 {
			c.Sectors = -1 // to the devnet zero means its default
		}
	}
	if len(w.Sizes) > 0 {
		c.SectorSizes = nil
	}
	for _, name := range w.Sizes {
		size, ok := devnet.SectorSizes[name]
		if !ok {
			return fmt.Errorf("sector size %q: there are 2KiB, 8MiB, 512MiB, 32GiB and 64GiB", name)
		}
		c.SectorSizes = append(c.SectorSizes, size)
	}
	return nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// Expect is how the story must end.
type Expect struct {
	Until     any     `toml:"until"`     // when it ends: a point like an event's
	Missed    *uint64 `toml:"missed"`    // partitions
	Confirmed *uint64 `toml:"confirmed"` // partitions, at least
	Invalid   *uint64 `toml:"invalid"`   // proofs that the chain took and that prove nothing
	Faulty    *uint64 `toml:"faulty"`    // sectors, at the end
	Skipped   *uint64 `toml:"skipped"`   // sectors, at least
	Disputes  *uint64 `toml:"disputes"`  // that the disputer sent

	until point
}

//go:embed stories/*.toml
var stories embed.FS

// Names lists the scenarios that come with this program.
func Names() []string {
	files, err := fs.Glob(stories, "stories/*.toml")
	if err != nil {
		panic("unreachable: the pattern is a good one")
	}
	var out []string
	for _, f := range files {
		out = append(out, strings.TrimSuffix(path.Base(f), ".toml"))
	}
	return out
}

// Load reads a scenario by its name or from a file.
func Load(nameOrFile string) (*Scenario, error) {
	if slices.Contains(Names(), nameOrFile) {
		text, err := stories.ReadFile("stories/" + nameOrFile + ".toml")
		if err != nil {
			return nil, err
		}
		return Parse(nameOrFile, text)
	}
	text, err := os.ReadFile(nameOrFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("scenario %q is neither a file nor one of those that come with this program: %s", nameOrFile, strings.Join(Names(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	return Parse(strings.TrimSuffix(path.Base(nameOrFile), ".toml"), text)
}

// Parse reads a scenario and checks all that can be known of it before it runs.
func Parse(name string, text []byte) (*Scenario, error) {
	s := &Scenario{Name: name}
	d := toml.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, inWords(err))
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	return s, nil
}

// inWords says where a file is wrong.
func inWords(err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		first := unknown.Errors[0]
		line, _ := first.Position()
		key := strings.Join(first.Key(), ".")
		if known := strings.TrimPrefix(key, "event."); known != key {
			return fmt.Errorf("line %d: an event has no %q; it has one of %s, and with it at, for, every, times and miner", line, known, strings.Join(actionNames(), ", "))
		}
		return fmt.Errorf("line %d: nothing here is called %q", line, key)
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		line, column := wrong.Position()
		return fmt.Errorf("line %d, column %d: %s", line, column, strings.TrimPrefix(wrong.Error(), "toml: "))
	}
	return err
}

func (s *Scenario) check() error {
	if s.About == "" {
		return errors.New("it does not say what it is about")
	}
	if err := s.Network.Apply(&devnet.Config{}); err != nil {
		return err
	}
	for i := range s.Events {
		if err := s.Events[i].check(); err != nil {
			return fmt.Errorf("event %d: %w", i+1, err)
		}
	}
	if s.Expect == nil {
		return nil
	}
	if s.Expect.Until == nil {
		return errors.New("expect needs until: when it is to be looked at")
	}
	var err error
	if s.Expect.until, err = parsePoint(s.Expect.Until); err != nil {
		return fmt.Errorf("expect until: %w", err)
	}
	return nil
}

// NeedsFiles says that the story is about the files of sectors, so that its
// miners cannot be ones with fake proofs.
func (s *Scenario) NeedsFiles() bool {
	return slices.ContainsFunc(s.Events, func(e Event) bool { return e.BreakSector != nil || e.MendSector != nil })
}

// epochsOf reads how long something lasts.
func epochsOf(v any, otherwise abi.ChainEpoch) (abi.ChainEpoch, error) {
	switch v := v.(type) {
	case nil:
		return otherwise, nil
	case int64:
		if v > 0 {
			return abi.ChainEpoch(v), nil
		}
	case string:
		return epochsOfTime(v)
	}
	return 0, fmt.Errorf("for = %v: say a number of epochs, or a time like \"5m\"", v)
}
