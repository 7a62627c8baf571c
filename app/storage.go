package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// storages are the folders, and what is wrong with those that are not there.
func (c *checker) storages(list []fileStorage) (paths, absent []string) {
	if len(list) == 0 {
		c.wrong("storage", "add a [[storage]] with the path of a folder that has sealed/ and cache/", "no storage is given")
	}
	seen := map[string]int{}
	gone := map[int]error{}
	for i, s := range list {
		key := fmt.Sprintf("storage[%d].path", i)
		path, there := c.storage(key, s.Path)
		if path == "" {
			continue
		}
		if first, twice := seen[path]; twice {
			c.wrong(key, "remove one of the two", "the folder is given twice: it is storage[%d] too", first)
			continue
		}
		seen[path] = i
		paths = append(paths, path)
		if there != nil {
			gone[i] = there
			absent = append(absent, fileProblem(there))
		} else if !hasSectors(path) {
			absent = append(absent, path+": it has neither sealed nor cache")
		}
	}
	if len(gone) == len(paths) { // there is nothing that could be proved
		for i, there := range gone {
			c.wrong(fmt.Sprintf("storage[%d].path", i), storageAdvice, "%s", fileProblem(there))
		}
	}
	return paths, absent
}

const storageAdvice = "name the folder that has sealed/ and cache/; is its disk mounted?"

// storage is the absolute path of a storage, and why it is not there if it is not.
func (c *checker) storage(key, text string) (path string, there error) {
	if text == "" {
		c.wrong(key, storageAdvice, "no folder is given")
		return "", nil
	}
	path = c.path(text)
	info, err := stat(path)
	if err == nil && !info.IsDir() {
		c.wrong(key, storageAdvice, "%s is not a folder", path)
		return "", nil
	}
	return path, err
}

// hasSectors says that a folder is laid out as a storage: the folder at which a
// disk is mounted is empty while it is not.
func hasSectors(path string) bool {
	for _, folder := range []string{"sealed", "cache", "update", "update-cache"} {
		if info, err := stat(filepath.Join(path, folder)); err == nil && info.IsDir() {
			return true
		}
	}
	return false
}

// stat is os.Stat for a path that may lie on a mount that hangs.
func stat(path string) (fs.FileInfo, error) {
	type answer struct {
		info fs.FileInfo
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		info, err := os.Stat(path)
		answers <- answer{info, err}
	}()
	select {
	case a := <-answers:
		return a.info, a.err
	case <-time.After(5 * time.Second):
		return nil, &fs.PathError{Op: "stat", Path: path, Err: errors.New("it does not answer")}
	}
}
