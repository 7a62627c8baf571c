package chain

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/crypto"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// What nodes answer, as far as it is used. They are our own types and not a
// node's: a field that is not needed cannot break, and one that is needed is
// checked.

// tipSet is a tipset with its blocks' headers.
type tipSet struct {
	Cids   cids
	Blocks []*block
	Height *abi.ChainEpoch
}

type block struct {
	Parents       cids
	Height        *abi.ChainEpoch
	Timestamp     *uint64
	ParentBaseFee amount
	ParentWeight  amount // not every node is asked for forks, so it may be missing
}

func (t *tipSet) check() error {
	if t.Height == nil || *t.Height < 0 {
		return errors.New("a tipset without a height")
	}
	if len(t.Cids) == 0 || len(t.Cids) != len(t.Blocks) {
		return fmt.Errorf("a tipset with %d CIDs and %d blocks", len(t.Cids), len(t.Blocks))
	}
	if err := t.Cids.check(); err != nil {
		return err
	}
	for i, b := range t.Blocks {
		if err := t.checkBlock(b); err != nil {
			return fmt.Errorf("block %d of tipset %d: %w", i, *t.Height, err)
		}
	}
	return nil
}

// checkBlock: the blocks of a tipset have one height, one parent tipset and one base fee.
func (t *tipSet) checkBlock(b *block) error {
	if b == nil {
		return errors.New("it is null")
	}
	err := required(field{"Height", b.Height != nil}, field{"Parents", len(b.Parents) > 0},
		field{"Timestamp", b.Timestamp != nil && *b.Timestamp > 0 && *b.Timestamp < 1<<40}, field{"ParentBaseFee", b.ParentBaseFee.there()})
	if err != nil {
		return err
	}
	if *b.Height != *t.Height {
		return fmt.Errorf("its height is %d", *b.Height)
	}
	if err := b.Parents.check(); err != nil {
		return err
	}
	first := t.Blocks[0]
	if vigil.NewTipSetKey(b.Parents...) != vigil.NewTipSetKey(first.Parents...) {
		return errors.New("its parents are not those of the first block")
	}
	if !b.ParentBaseFee.Equals(first.ParentBaseFee.Int) {
		return errors.New("its base fee is not that of the first block")
	}
	return nil
}

// head is the tipset in the house's words. Blocks of a tipset have the same
// timestamp; the earliest is taken all the same, as nodes do.
func (t *tipSet) head() vigil.Head {
	first := t.Blocks[0]
	stamp := *first.Timestamp
	for _, b := range t.Blocks {
		stamp = min(stamp, *b.Timestamp)
	}
	return vigil.Head{
		Key:     vigil.NewTipSetKey(t.Cids...),
		Parent:  vigil.NewTipSetKey(first.Parents...),
		Epoch:   *t.Height,
		Time:    time.Unix(int64(stamp), 0),
		BaseFee: first.ParentBaseFee.Int,
		Weight:  orZero(first.ParentWeight.Int),
	}
}

// headChange is one step of a ChainNotify value.
type headChange struct {
	Type string
	Val  *tipSet
}

// networkParams: BlockDelayMillis is of networks whose epochs are not whole
// seconds. Nodes keep all sorts of settings among the upgrades, and what a newer one
// adds must not keep it from being used.
type networkParams struct {
	BlockDelaySecs    uint64
	BlockDelayMillis  uint64
	GenesisTimestamp  uint64
	ForkUpgradeParams map[string]json.RawMessage
}

func (p *networkParams) check() error {
	if d := p.delay(); d <= 0 || d > time.Hour {
		return fmt.Errorf("epochs of %s", d)
	}
	if p.GenesisTimestamp >= 1<<40 {
		return errors.New("a genesis beyond all times")
	}
	return nil
}

func (p *networkParams) delay() time.Duration {
	if p.BlockDelayMillis > 0 {
		return time.Duration(min(p.BlockDelayMillis, 1<<30)) * time.Millisecond
	}
	return time.Duration(min(p.BlockDelaySecs, 1<<30)) * time.Second
}

type minerInfo struct {
	Owner                      account
	Worker                     account
	ControlAddresses           []account
	WindowPoStProofType        *abi.RegisteredPoStProof
	SectorSize                 abi.SectorSize
	WindowPoStPartitionSectors uint64
	ConsensusFaultElapsed      *abi.ChainEpoch // not every node tells it
}

// maxPartitionSectors is four times the largest partition of any proof type.
const maxPartitionSectors = 10_000

func (m *minerInfo) check() error {
	err := required(field{"Owner", !m.Owner.Empty()}, field{"Worker", !m.Worker.Empty()}, field{"WindowPoStProofType", m.WindowPoStProofType != nil})
	if err != nil {
		return err
	}
	for i, c := range m.ControlAddresses {
		if c.Empty() {
			return fmt.Errorf("control address %d is empty", i)
		}
	}
	size, err := m.WindowPoStProofType.SectorSize()
	if err != nil {
		return fmt.Errorf("proof type %d is not known to this version of Vigil: %w", *m.WindowPoStProofType, err)
	}
	if size != m.SectorSize {
		return fmt.Errorf("sectors of %d bytes with a proof type for %d", m.SectorSize, size)
	}
	if m.WindowPoStPartitionSectors == 0 || m.WindowPoStPartitionSectors > maxPartitionSectors {
		return fmt.Errorf("partitions of %d sectors", m.WindowPoStPartitionSectors)
	}
	return nil
}

// deadlines is how many deadlines a proving period has (periodDeadlines in
// policy.go of the miner actor); lists by deadline are as long.
const deadlines = 48

type deadlineInfo struct {
	CurrentEpoch         *abi.ChainEpoch
	Index                *uint64
	Open                 *abi.ChainEpoch
	Close                *abi.ChainEpoch
	Challenge            *abi.ChainEpoch
	FaultCutoff          *abi.ChainEpoch
	WPoStPeriodDeadlines uint64
}

func (d *deadlineInfo) check() error {
	err := required(field{"CurrentEpoch", d.CurrentEpoch != nil}, field{"Index", d.Index != nil}, field{"Open", d.Open != nil},
		field{"Close", d.Close != nil}, field{"Challenge", d.Challenge != nil}, field{"FaultCutoff", d.FaultCutoff != nil})
	switch {
	case err != nil:
		return err
	case d.WPoStPeriodDeadlines != deadlines:
		return fmt.Errorf("a proving period of %d deadlines, where %d are known", d.WPoStPeriodDeadlines, deadlines)
	case *d.Index >= deadlines:
		return fmt.Errorf("deadline %d of %d", *d.Index, deadlines)
	case *d.FaultCutoff > *d.Challenge || *d.Challenge > *d.Open || *d.Open >= *d.Close:
		return fmt.Errorf("a deadline with cutoff %d, challenge %d, open %d, close %d", *d.FaultCutoff, *d.Challenge, *d.Open, *d.Close)
	case *d.CurrentEpoch >= *d.Close:
		return fmt.Errorf("a deadline that closed at %d as the current one at %d", *d.Close, *d.CurrentEpoch)
	}
	return nil
}

type partitionInfo struct {
	AllSectors        sectorSet
	FaultySectors     sectorSet
	RecoveringSectors sectorSet
	LiveSectors       sectorSet
	ActiveSectors     sectorSet
}

func (p *partitionInfo) check() error {
	if p == nil {
		return errors.New("it is null")
	}
	err := required(field{"AllSectors", p.AllSectors.there}, field{"FaultySectors", p.FaultySectors.there},
		field{"RecoveringSectors", p.RecoveringSectors.there}, field{"LiveSectors", p.LiveSectors.there}, field{"ActiveSectors", p.ActiveSectors.there})
	switch {
	case err != nil:
		return err
	case p.AllSectors.count > maxPartitionSectors:
		return fmt.Errorf("it has %d sectors", p.AllSectors.count)
	case !p.LiveSectors.within(p.AllSectors):
		return errors.New("sectors are live that it does not have")
	case !p.ActiveSectors.within(p.LiveSectors), !p.FaultySectors.within(p.LiveSectors):
		return errors.New("sectors are active or faulty that are not live")
	case !p.ActiveSectors.apart(p.FaultySectors):
		return errors.New("sectors are active and faulty at once")
	case !p.RecoveringSectors.within(p.FaultySectors):
		return errors.New("sectors are recovering that are not faulty")
	}
	return nil
}

type deadlineState struct{ PostSubmissions sectorSet }

type sectorInfo struct {
	SectorNumber *abi.SectorNumber
	SealProof    *abi.RegisteredSealProof
	SealedCID    cid.Cid
}

func (s *sectorInfo) check() error {
	if s == nil {
		return errors.New("a sector is null")
	}
	err := required(field{"SectorNumber", s.SectorNumber != nil}, field{"SealProof", s.SealProof != nil}, field{"SealedCID", s.SealedCID.Defined()})
	if err != nil {
		return err
	}
	if _, err := s.SealProof.SectorSize(); err != nil {
		return fmt.Errorf("sector %d has seal proof %d, which is not known to this version of Vigil", *s.SectorNumber, *s.SealProof)
	}
	return nil
}

type actor struct {
	Nonce   *uint64
	Balance amount
}

// maxNonce is more messages than any account ever sends: the next ones still have numbers.
const maxNonce = 1 << 62

func (a *actor) check() error {
	return required(field{"Nonce", a.Nonce != nil && *a.Nonce < maxNonce}, field{"Balance", a.Balance.there()})
}

// message is an unsigned message, as nodes write and read it.
type message struct {
	Version    uint64
	To         account
	From       account
	Nonce      *uint64
	Value      amount
	GasLimit   *int64
	GasFeeCap  amount
	GasPremium amount
	Method     abi.MethodNum
	Params     []byte
}

func (m *message) check() error {
	if m == nil {
		return errors.New("a message is null")
	}
	return required(field{"From", !m.From.Empty()}, field{"To", !m.To.Empty()}, field{"Nonce", m.Nonce != nil && *m.Nonce < maxNonce},
		field{"GasLimit", m.GasLimit != nil && *m.GasLimit >= 0}, field{"GasFeeCap", m.GasFeeCap.there()}, field{"GasPremium", m.GasPremium.there()})
}

type signedMessage struct {
	Message   message
	Signature signature
}

type signature struct {
	Type crypto.SigType
	Data []byte
}

// listedMessage is a message of a tipset with the CID it has on chain.
type listedMessage struct {
	Cid     cid.Cid
	Message *message
}

func (m *listedMessage) check() error {
	if m == nil || !m.Cid.Defined() {
		return errors.New("a message without a CID")
	}
	return m.Message.check()
}

// receipt is what executing a message gave.
type receipt struct {
	ExitCode *int64
	GasUsed  *int64
}

func (r *receipt) check() error {
	if r == nil {
		return errors.New("a receipt is null")
	}
	return required(field{"ExitCode", r.ExitCode != nil && *r.ExitCode >= 0}, field{"GasUsed", r.GasUsed != nil && *r.GasUsed >= 0})
}

// lookup is where a message was executed: TipSet and Height are of the tipset
// that has the receipt, one after the one that includes the message.
type lookup struct {
	Message cid.Cid
	Receipt *receipt
	TipSet  cids
	Height  *abi.ChainEpoch
}

func (l *lookup) check() error {
	err := required(field{"Message", l.Message.Defined()}, field{"TipSet", len(l.TipSet) > 0}, field{"Height", l.Height != nil && *l.Height >= 0})
	if err != nil {
		return err
	}
	if err := l.TipSet.check(); err != nil {
		return err
	}
	return l.Receipt.check()
}

// noKey is the parameter for the node's head.
var noKey = json.RawMessage("[]")

// keyParam is a tipset key as a parameter.
func keyParam(key vigil.TipSetKey) (json.RawMessage, error) {
	blocks, err := key.CIDs()
	if err != nil {
		return nil, err
	}
	if len(blocks) == 0 {
		return noKey, nil
	}
	return json.Marshal(blocks)
}
