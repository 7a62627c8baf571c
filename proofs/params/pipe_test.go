//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package params

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vigil-post/vigil/proofs/groth16"
)

// Nobody ever writes into the pipe: who waits for that hangs.
func TestAPipeUnderAKeysNameIsRefusedAtOnce(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "key.params")
	check(t, syscall.Mkfifo(pipe, 0o600))
	for name, use := range map[string]func() error{
		"open":    func() error { _, err := Open(pipe, groth16.Lengths{}); return err },
		"open vk": func() error { _, err := OpenVK(pipe, groth16.Lengths{}); return err },
		"digest":  func() error { _, err := Digest(t.Context(), pipe, nil); return err },
		"match":   func() error { return Match(pipe, pipe) },
	} {
		if err := use(); err == nil || !strings.Contains(err.Error(), "key.params: not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
