package devnet

import (
	"encoding/binary"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"
)

// beaconOffset is the beacon's round at epoch 0. Lotus's mock beacon has the
// same, so that the same rounds say the same on both.
const beaconOffset = 100

// beaconRound is the round of the beacon that an epoch draws from.
func beaconRound(epoch abi.ChainEpoch) uint64 {
	return uint64(max(epoch, 0)) + beaconOffset
}

// beaconEntry is a round of the beacon. It depends on nothing but the round,
// so a reorg does not change what a post is challenged with.
func beaconEntry(round uint64) BeaconEntry {
	return BeaconEntry{Round: round, Data: hash256(be64(round))}
}

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// drawRandomness is the network's formula, of the digest of a ticket or of a
// beacon entry: blake2b(be64(tag) ‖ digest ‖ be64(epoch) ‖ entropy). The tag and
// the epoch keep apart draws that share a digest (lotus chain/rand/rand.go).
func drawRandomness(digest []byte, tag crypto.DomainSeparationTag, epoch abi.ChainEpoch, entropy []byte) abi.Randomness {
	return hash256(be64(uint64(tag)), digest, be64(uint64(epoch)), entropy)
}

func beaconDigest(epoch abi.ChainEpoch) []byte {
	return hash256(beaconEntry(beaconRound(epoch)).Data)
}
