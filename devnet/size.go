package devnet

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/proof"
)

// provableSize is the size of the sectors that are really proved here. Those of
// every other size have no files: they are shapes, and their proofs are fake.
const provableSize = abi.SectorSize(2 << 10)

// form is the types of proofs that go with a sector size.
type form struct {
	seal abi.RegisteredSealProof
	post abi.RegisteredPoStProof
}

// forms are all sizes of the network, with the names that the API's version has for them.
var forms = map[abi.SectorSize]form{
	2 << 10:   {abi.RegisteredSealProof_StackedDrg2KiBV1_1, abi.RegisteredPoStProof_StackedDrgWindow2KiBV1_1},
	8 << 20:   {abi.RegisteredSealProof_StackedDrg8MiBV1_1, abi.RegisteredPoStProof_StackedDrgWindow8MiBV1_1},
	512 << 20: {abi.RegisteredSealProof_StackedDrg512MiBV1_1, abi.RegisteredPoStProof_StackedDrgWindow512MiBV1_1},
	32 << 30:  {abi.RegisteredSealProof_StackedDrg32GiBV1_1, abi.RegisteredPoStProof_StackedDrgWindow32GiBV1_1},
	64 << 30:  {abi.RegisteredSealProof_StackedDrg64GiBV1_1, abi.RegisteredPoStProof_StackedDrgWindow64GiBV1_1},
}

// SectorSizes are the sizes that a miner's sectors can have, by name.
var SectorSizes = map[string]abi.SectorSize{
	"2KiB": 2 << 10, "8MiB": 8 << 20, "512MiB": 512 << 20, "32GiB": 32 << 30, "64GiB": 64 << 30,
}

// IsFake says that proofs of sectors of a size are fake on a devnet: they show
// nothing but that their maker knows what is asked.
func IsFake(size abi.SectorSize) bool { return size != provableSize }

// FakeProof is the proof that the fake proof system takes for sectors: the
// SHA-256 of the randomness, its two top bits cleared, and of the sectors' infos
// in CBOR. Lotus's mock storage makes the same, and builtin-actors built with
// fake-proofs takes it.
func FakeProof(randomness []byte, sectors []proof.SectorInfo) ([]byte, error) {
	if len(randomness) != 32 {
		return nil, fmt.Errorf("randomness of %d bytes", len(randomness))
	}
	masked := bytes.Clone(randomness)
	masked[31] &= 0x3f
	h := sha256.New()
	h.Write(masked)
	for _, s := range sectors {
		if err := s.MarshalCBOR(h); err != nil {
			return nil, fmt.Errorf("sector %d: %w", s.SectorNumber, err)
		}
	}
	return h.Sum(nil), nil
}

// judge asks the verifier that knows the size of the sectors.
func (n *Network) judge(p proof.WindowPoStVerifyInfo) error {
	if len(p.Proofs) != 1 {
		return fmt.Errorf("%d proofs", len(p.Proofs))
	}
	size, err := p.Proofs[0].PoStProof.SectorSize()
	if err != nil {
		return err
	}
	switch {
	case !IsFake(size) && p.Proofs[0].PoStProof != forms[size].post:
		return n.cfg.VerifyV1(p)
	case !IsFake(size):
		return n.cfg.Verify(p)
	}
	want, err := FakeProof(p.Randomness, p.ChallengedSectors)
	if err != nil {
		return err
	}
	if !bytes.Equal(want, p.Proofs[0].ProofBytes) {
		return errors.New("the fake proof is not of these sectors")
	}
	return nil
}

// fakeCommR stands for a sector that is not there.
func fakeCommR(miner abi.ActorID, number abi.SectorNumber) [32]byte {
	c := [32]byte(hash256([]byte("a sector without files"), be64(uint64(miner)), be64(uint64(number))))
	c[31] &= 0x3f
	return c
}

// agent is the version that the API says it has. Fake proofs are part of it, so
// that nobody takes this chain's word for more than it is.
func (n *Network) agent() string {
	for _, id := range n.chain.current().after.miners() {
		if fake, err := n.isFake(id); err == nil && fake {
			return "vigil-devnet+fake-proofs"
		}
	}
	return "vigil-devnet+2k"
}
