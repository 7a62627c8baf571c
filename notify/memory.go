package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/vigil-post/vigil"
)

// memory is what targets were told, in a file.
type memory struct {
	path string

	mu   sync.Mutex // guards told
	told map[string][]vigil.Alarm
}

// openMemory reads the file; what cannot be read is nothing.
func openMemory(path string) (*memory, error) {
	m := &memory{path: path, told: map[string][]vigil.Alarm{}}
	if path == "" {
		return m, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &m.told)
	}
	if err != nil {
		m.told = map[string][]vigil.Alarm{}
	}
	return m, err
}

// only forgets targets that are not told any more.
func (m *memory) only(targets []Target) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.told, func(name string, _ []vigil.Alarm) bool {
		return !slices.ContainsFunc(targets, func(t Target) bool { return t.name() == name })
	})
}

func (m *memory) of(target string) map[key]vigil.Alarm {
	m.mu.Lock()
	defer m.mu.Unlock()
	told := map[key]vigil.Alarm{}
	for _, a := range m.told[target] {
		told[keyOf(a)] = a
	}
	return told
}

// keep writes the file anew, whole or not at all.
func (m *memory) keep(target string, told map[key]vigil.Alarm) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told[target] = slices.Collect(maps.Values(told))
	if m.path == "" {
		return nil
	}
	text, err := json.MarshalIndent(m.told, "", " ")
	if err != nil {
		return fmt.Errorf("encode what was told: %w", err)
	}
	if err := os.WriteFile(m.path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write down what was told: %w", err)
	}
	return os.Rename(m.path+".new", m.path)
}

// name is what the memory knows a target by: where it is and whose it is, but
// not in clear, because both may be secrets.
func (t Target) name() string {
	sum := sha256.Sum256([]byte(t.URL + "\n" + t.Token))
	return string(t.Format) + " " + hex.EncodeToString(sum[:6])
}
