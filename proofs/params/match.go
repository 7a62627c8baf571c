package params

import (
	"bytes"
	"fmt"
	"io"
)

// mostVKBytes is more than any verifying key has: two megabytes at 32 GiB.
const mostVKBytes = 16 << 20

// Match sees that a `.vk` file and a `.params` file are halves of one key: a
// proving key begins with its verifying key (bellperson, groth16/params.rs).
// Halves of two setups have the same sizes, and no proof made with one verifies
// under the other.
func Match(vkPath, paramsPath string) error {
	vk, err := openRegular(vkPath)
	if err != nil {
		return fmt.Errorf("match keys: %w", err)
	}
	defer vk.Close()
	want, err := io.ReadAll(io.LimitReader(vk, mostVKBytes))
	if err != nil {
		return fmt.Errorf("match keys: %w", err)
	}
	f, err := openRegular(paramsPath)
	if err != nil {
		return fmt.Errorf("match keys: %w", err)
	}
	defer f.Close()
	have := make([]byte, len(want))
	if _, err := io.ReadFull(f, have); err != nil {
		return fmt.Errorf("match keys: read %s: %w", paramsPath, err)
	}
	if !bytes.Equal(have, want) {
		return fmt.Errorf("%s and %s are not of one key", vkPath, paramsPath)
	}
	return nil
}
