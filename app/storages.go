package app

import (
	"context"
	"path/filepath"
	"sync"

	"github.com/filecoin-project/go-state-types/abi"

	"github.com/vigil-post/vigil/sector"
)

// StorageContents is what a storage has, or why that cannot be told.
type StorageContents struct {
	Path    string        `json:"path"`
	Problem string        `json:"problem,omitempty"`
	Sealed  int           `json:"sealed"`  // sectors with both halves of a sealed replica
	Updated int           `json:"updated"` // with both halves of an updated one
	Partial int           `json:"partial"` // of which one half only is here
	Held    []sector.Held `json:"sectors,omitempty"`
}

// ListStorages looks into storages, all at once: one that hangs delays no other.
func ListStorages(ctx context.Context, paths []string) []StorageContents {
	list := make([]StorageContents, len(paths))
	var all sync.WaitGroup
	for i, path := range paths {
		all.Go(func() { list[i] = contentsOf(ctx, path) })
	}
	all.Wait()
	return list
}

func contentsOf(ctx context.Context, path string) StorageContents {
	c := StorageContents{Path: path}
	held, err := sector.Contents(ctx, sector.Storage{Path: path})
	if err != nil {
		c.Problem = err.Error()
		return c
	}
	c.Held = held
	for _, h := range held {
		sealed, updated := h.Sealed && h.Cache, h.Update && h.UpdateCache
		if sealed {
			c.Sealed++
		}
		if updated {
			c.Updated++
		}
		if h.Sealed != h.Cache || h.Update != h.UpdateCache {
			c.Partial++
		}
	}
	return c
}

// FindSector asks storages for a sector.
func FindSector(ctx context.Context, paths []string, miner abi.ActorID, number abi.SectorNumber) []sector.Found {
	return sector.NewReader(paths...).Find(ctx, miner, number)
}

// SectorFiles are the paths of what a storage has of a sector.
func SectorFiles(f sector.Found) []string {
	name := sector.Name(f.Miner, f.Number)
	var paths []string
	for _, part := range []struct {
		there  bool
		folder string
	}{{f.Sealed, "sealed"}, {f.Cache, "cache"}, {f.Update, "update"}, {f.UpdateCache, "update-cache"}} {
		if part.there {
			paths = append(paths, filepath.Join(f.Storage, part.folder, name))
		}
	}
	return paths
}
