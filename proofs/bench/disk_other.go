//go:build !linux

package bench

import "errors"

func dropCached(string) error { return errors.ErrUnsupported }

func diskRead() *int64 { return nil }
