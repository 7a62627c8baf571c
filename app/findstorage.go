package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// sectorStore is the file by which lotus, Curio and damocles mark a storage.
const sectorStore = "sectorstore.json"

// ScanStorages finds storages at a place, as absolute paths:
//
//   - a storage itself, or a folder that has some at most three folders below it;
//   - the storage.json of a lotus-miner, a lotus-worker or Curio, or the folder that has it;
//   - the configuration of a damocles-manager or venus-sector-manager, whose
//     PersistStores and ScanPersistStores are read.
//
// What it names is not said to be there: a list may name a disk that is not mounted.
func ScanStorages(place string) ([]string, error) {
	place, err := filepath.Abs(place)
	if err != nil {
		return nil, err
	}
	info, err := stat(place)
	if err != nil {
		return nil, err
	}
	var found []string
	switch {
	case info.IsDir():
		found, err = storagesBelow(place, 3)
		if list := filepath.Join(place, "storage.json"); err == nil && isFile(list) {
			var listed []string
			listed, err = storagesInLotus(list)
			found = append(found, listed...)
		}
	case filepath.Ext(place) == ".json":
		found, err = storagesInLotus(place)
	default:
		found, err = storagesInDamocles(place)
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func isFile(path string) bool {
	info, err := stat(path)
	return err == nil && info.Mode().IsRegular()
}

// storagesBelow looks for storages in a folder and so many levels below it. A
// storage is not looked into.
func storagesBelow(dir string, levels int) ([]string, error) {
	if hasSectors(dir) || isFile(filepath.Join(dir, sectorStore)) {
		return []string{dir}, nil
	}
	if levels == 0 {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		below := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), ".") && levels < 3 {
			continue
		}
		if info, err := stat(below); err != nil || !info.IsDir() {
			continue
		}
		more, err := storagesBelow(below, levels-1)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

// storagesInLotus reads a storage.json.
func storagesInLotus(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list struct {
		StoragePaths []struct{ Path string }
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("%s is no storage.json of lotus or Curio: %w", path, err)
	}
	var found []string
	for _, s := range list.StoragePaths {
		found = append(found, absoluteTo(path, s.Path))
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s names no StoragePaths: give the storage.json of a lotus-miner, a worker or Curio", path)
	}
	return found, nil
}

// storagesInDamocles reads a damocles-manager's configuration.
func storagesInDamocles(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var config struct {
		Common struct {
			PersistStores []struct {
				Path               string
				Plugin, PluginName string
			}
			ScanPersistStores []string
		}
	}
	if err := toml.Unmarshal(data, &config); err != nil {
		return nil, fmt.Errorf("%s is no folder, no storage.json and no configuration of damocles: %w", path, err)
	}
	var found []string
	for _, s := range config.Common.PersistStores {
		if s.Plugin == "" && s.PluginName == "" && s.Path != "" { // a plugin's store is no folder
			found = append(found, absoluteTo(path, s.Path))
		}
	}
	for _, pattern := range config.Common.ScanPersistStores {
		matches, err := filepath.Glob(filepath.Join(absoluteTo(path, pattern), sectorStore))
		if err != nil {
			return nil, fmt.Errorf("%s: ScanPersistStores %q: %w", path, pattern, err)
		}
		for _, m := range matches {
			found = append(found, filepath.Dir(m))
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s names no PersistStores that are folders", path)
	}
	return found, nil
}

// absoluteTo is a path as a file that names it means it.
func absoluteTo(file, path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(filepath.Dir(file), path)
}
