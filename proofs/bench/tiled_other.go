//go:build !linux

package bench

import (
	"errors"
	"fmt"
)

func mapTiles(string, int, []int) ([][]byte, func() error, error) {
	return nil, nil, fmt.Errorf("a file over and over: %w", errors.ErrUnsupported)
}
