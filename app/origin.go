package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
)

// origin is the network that a data folder was made for. Duties and messages
// of one network mean nothing on another, and their nonces could do harm there.
type origin struct {
	Name    string    `json:"name"`
	Genesis time.Time `json:"genesis"`
	// Delay is the length of an epoch: what happened is told with how long was left,
	// also while no node is asked. Data folders of old have none until the next start.
	Delay time.Duration `json:"delay,omitempty"`
}

func originFile(data string) string { return filepath.Join(data, "network.json") }

// readOrigin gives the network of a data folder, or none if it has no network yet.
func readOrigin(data string) (vigil.Network, error) {
	text, err := os.ReadFile(originFile(data))
	if errors.Is(err, fs.ErrNotExist) {
		return vigil.Network{}, nil
	}
	var o origin
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err == nil && o.Name == "" {
		err = errors.New("it names no network")
	}
	if err != nil {
		return vigil.Network{}, fmt.Errorf("read which network the data is of: %s: %w; remove the file if you know that it is the right network", originFile(data), err)
	}
	return vigil.Network{Name: o.Name, Genesis: o.Genesis}, nil
}

// readDelay is the length of an epoch of a data folder's network; 0 where it is not known.
func readDelay(data string) time.Duration {
	text, err := os.ReadFile(originFile(data))
	var o origin
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil {
		return 0
	}
	return o.Delay
}

// writeOrigin writes a data folder's network down, the first time.
func writeOrigin(data string, n vigil.Network) error {
	path := originFile(data)
	if _, err := os.Stat(path); err == nil && readDelay(data) > 0 {
		return nil
	} else if known, _ := readOrigin(data); err == nil && (known.Name != n.Name || !known.Genesis.Equal(n.Genesis)) {
		return nil // it is not its network that is written down
	}
	text, err := json.MarshalIndent(origin{n.Name, n.Genesis.UTC(), n.BlockDelay}, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.Write(append(text, '\n'))
		err = errors.Join(err, f.Sync(), f.Close()) // a power cut must not leave an empty file: no start gets past it
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("write down which network the data is of: %w", err)
	}
	return nil
}

// nodeConfigs are the nodes as the chain client takes them. The expected
// network is that of any node that says one.
func nodeConfigs(nodes []Node, known vigil.Network, log *slog.Logger) []chain.Config {
	expected := ""
	for _, n := range nodes {
		if n.Network != "" {
			expected = n.Network
		}
	}
	var list []chain.Config
	for _, n := range nodes {
		list = append(list, chain.Config{URL: n.URL, Token: string(n.Token), Network: expected, Known: known, Timeout: n.Timeout, Log: log})
	}
	return list
}
