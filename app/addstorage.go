package app

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// StoragesIn are the storages that a configuration file names. Nothing else of
// the file is looked at, so that storages can be looked after where the keys are not.
func StoragesIn(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	var f struct {
		Storages []fileStorage `toml:"storage"`
	}
	if err := toml.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c := checker{dir: filepath.Dir(absolute), getenv: os.Getenv}
	var paths []string
	for _, s := range f.Storages {
		if s.Path != "" {
			paths = append(paths, c.path(s.Path))
		}
	}
	return paths, nil
}

// StorageTOML is the part of a configuration file that names a storage.
func StorageTOML(path string) string {
	line, err := toml.Marshal(map[string]string{"path": path})
	if err != nil {
		panic("unreachable: text always encodes: " + err.Error())
	}
	return "[[storage]]\n" + string(line)
}

// AddStorages writes storages into a configuration file, behind all that it has;
// those that it has already are left out. It gives those it added. The file
// changes whole or not at all, and not if it would be wrong after that.
func AddStorages(file string, paths []string) ([]string, error) {
	has, err := StoragesIn(file)
	if err != nil {
		return nil, err
	}
	var added []string
	for _, path := range paths {
		if !slices.Contains(has, path) && !slices.Contains(added, path) {
			added = append(added, path)
		}
	}
	if len(added) == 0 {
		return nil, nil
	}
	if file, err = filepath.EvalSymlinks(file); err != nil {
		return nil, err
	}
	before, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	text := bytes.TrimRight(before, "\n")
	for _, path := range added {
		text = append(append(text, "\n\n"...), bytes.TrimRight([]byte(StorageTOML(path)), "\n")...)
	}
	text = append(text, '\n')
	if err := worse(file, before, text); err != nil {
		return nil, err
	}
	return added, replaceFile(file, text)
}

// worse says what a change makes wrong in a file that was not wrong before.
func worse(file string, before, after []byte) error {
	var old, now *FindingsError
	dir := filepath.Dir(file)
	_, err := parse(file, dir, after, os.Getenv)
	if !errors.As(err, &now) {
		return err
	}
	known := map[string]bool{}
	if _, err := parse(file, dir, before, os.Getenv); errors.As(err, &old) {
		for _, f := range old.Findings {
			known[f.Key+f.Problem] = true
		}
	}
	now.Findings = slices.DeleteFunc(now.Findings, func(f Finding) bool { return known[f.Key+f.Problem] })
	if len(now.Findings) == 0 {
		return nil
	}
	return fmt.Errorf("the file is left as it was, because this would be wrong with it:\n%w", now)
}

// replaceFile gives a file another content, in one step; owner and mode stay.
func replaceFile(path string, content []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = giveTo(f, info)
	}
	if err == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
