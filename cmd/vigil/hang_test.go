package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/vigil-post/vigil/proofs/groth16"
)

// Pipes that nobody writes into stand for a storage that hangs.
func TestProvingEndsThoughTheStorageHangs(t *testing.T) {
	for _, file := range []string{"comm_r", "p_aux"} {
		t.Run(file, func(t *testing.T) {
			_, _, p := readOracleCase(t, filepath.Join(fixtures(t), "oracle", "cases", "window-2k-1.2.0-01.json"))
			p.sectors = ownSectors(t, "2k")
			hangs := filepath.Join(p.place(0).cache, file)
			must(t, os.Remove(hangs))
			must(t, syscall.Mkfifo(hangs, 0o600))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := p.prove(ctx, groth16.Prover{}); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

func TestProvingEndsAtAnyStepOfTheProof(t *testing.T) {
	_, _, p := readOracleCase(t, filepath.Join(fixtures(t), "oracle", "cases", "window-2k-1.2.0-01.json"))
	for _, phase := range []groth16.Phase{groth16.Transforms, groth16.Sums} {
		ctx, cancel := context.WithCancel(t.Context())
		made, err := p.prove(ctx, groth16.Prover{Progress: func(s groth16.Progress) {
			if s.Phase == phase && s.Done < s.Total {
				cancel()
			}
		}})
		if made != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", phase, err)
		}
		cancel()
	}
}
