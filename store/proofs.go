package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/store/internal/rows"
)

// A statement lists thousands of sectors; as JSON a row would have a
// megabyte. So they are kept apart: for each sector its number's distance to
// the one before, its seal proof, and the length and bytes of its CID, the
// first three as uvarints.

func encodeProof(p vigil.Proof) (rows.PutProofParams, error) {
	head := p.Statement
	head.Sectors = nil
	statement, err := json.Marshal(head)
	if err != nil {
		return rows.PutProofParams{}, fmt.Errorf("encode statement: %w", err)
	}
	partitions, err := json.Marshal(p.Partitions)
	if err != nil {
		return rows.PutProofParams{}, fmt.Errorf("encode partitions: %w", err)
	}
	sectors, err := encodeSectors(p.Statement.Sectors)
	if err != nil {
		return rows.PutProofParams{}, err
	}
	k := dutyKey(p.Duty)
	return rows.PutProofParams{
		Kind: k.Kind, Miner: k.Miner, Open: k.Open, Batch: k.Batch,
		Statement: string(statement), Sectors: sectors, Partitions: string(partitions), Bytes: p.Bytes,
		ReadTime: int64(p.ReadTime), ProveTime: int64(p.ProveTime),
	}, nil
}

func decodeProof(row rows.Proof) (vigil.Proof, error) {
	p := vigil.Proof{
		Duty: vigil.DutyID{
			Kind: vigil.DutyKind(row.Kind), Miner: abi.ActorID(row.Miner),
			Open: abi.ChainEpoch(row.Open), Batch: int(row.Batch),
		},
		Bytes:    row.Bytes,
		ReadTime: time.Duration(row.ReadTime), ProveTime: time.Duration(row.ProveTime),
	}
	if err := json.Unmarshal([]byte(row.Statement), &p.Statement); err != nil {
		return vigil.Proof{}, fmt.Errorf("decode statement: %w", err)
	}
	if err := json.Unmarshal([]byte(row.Partitions), &p.Partitions); err != nil {
		return vigil.Proof{}, fmt.Errorf("decode partitions: %w", err)
	}
	var err error
	p.Statement.Sectors, err = decodeSectors(row.Sectors)
	return p, err
}

func encodeSectors(sectors []vigil.Sector) ([]byte, error) {
	data := []byte{}
	previous := abi.SectorNumber(0)
	for i, s := range sectors {
		if s.Number < previous || i > 0 && s.Number == previous {
			return nil, fmt.Errorf("encode sectors: %d after %d: they must ascend", s.Number, previous)
		}
		data = binary.AppendUvarint(data, uint64(s.Number-previous))
		data = binary.AppendUvarint(data, uint64(s.SealProof))
		data = binary.AppendUvarint(data, uint64(s.SealedCID.ByteLen()))
		data = append(data, s.SealedCID.Bytes()...)
		previous = s.Number
	}
	return data, nil
}

func decodeSectors(data []byte) ([]vigil.Sector, error) {
	var sectors []vigil.Sector
	previous := uint64(0)
	for len(data) > 0 {
		var fields [3]uint64 // distance, seal proof, length of the CID
		for i := range fields {
			value, size := binary.Uvarint(data)
			if size <= 0 {
				return nil, errors.New("decode sectors: cut off")
			}
			fields[i], data = value, data[size:]
		}
		if fields[2] > uint64(len(data)) {
			return nil, errors.New("decode sectors: cut off")
		}
		sealed, err := cid.Cast(data[:fields[2]])
		if err != nil {
			return nil, fmt.Errorf("decode sectors: %w", err)
		}
		previous += fields[0]
		sectors = append(sectors, vigil.Sector{
			Number: abi.SectorNumber(previous), SealProof: abi.RegisteredSealProof(fields[1]), SealedCID: sealed,
		})
		data = data[fields[2]:]
	}
	return sectors, nil
}
