package bench

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/vigil-post/vigil/proofs/merkle"
	"github.com/vigil-post/vigil/proofs/post"
)

// Case is a statement with the vanilla proofs of its sectors, in the form that
// the oracle reads (interop/README).
type Case struct {
	Type       post.Kind           `json:"typ"`
	SectorSize uint64              `json:"sector_size"`
	API        string              `json:"api"`
	Miner      uint64              `json:"miner"`
	ProverID   Hex                 `json:"prover_id"`
	Randomness Hex                 `json:"randomness"`
	Sectors    []CaseSector        `json:"sectors"`
	Challenges map[string][]uint64 `json:"challenges"`
	Vanilla    []Hex               `json:"vanilla"`
	Proof      Hex                 `json:"proof"` // none yet
	Valid      bool                `json:"valid"`
}

// CaseSector is a sector as the chain knows it.
type CaseSector struct {
	Number uint64 `json:"number"`
	CommR  Hex    `json:"comm_r"`
}

// Hex are bytes in hexadecimal.
type Hex []byte

// MarshalText writes them.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText reads them.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.AppendDecode(nil, text)
	*h = b
	return err
}

const (
	caseMiner = 1000
	caseAPI   = "1.2.0" // post.V1_1
)

// config is the form of the case's proof, with so many sectors in a partition;
// 0 means as many as the network has.
func config(sectorSize uint64, sectors int) (post.Config, error) {
	c, err := post.WindowConfig(sectorSize, post.V1_1)
	if sectors > 0 {
		c.Sectors = sectors
	}
	return c, err
}

// NewCase makes up sectors of a size and their vanilla proofs, which verify. Equal
// arguments make equal cases.
func NewCase(ctx context.Context, sectorSize uint64, sectors int) (*Case, error) {
	form, err := config(sectorSize, 0)
	if err != nil {
		return nil, err
	}
	randomness := post.MaskRandomness([32]byte{0: 'v', 1: 'i', 2: 'g', 3: 'i', 4: 'l'})
	prover := post.ProverID(caseMiner)
	c := &Case{
		Type: post.Window, SectorSize: sectorSize, API: caseAPI, Miner: caseMiner,
		ProverID: prover[:], Randomness: randomness[:],
		Sectors:    make([]CaseSector, sectors),
		Challenges: make(map[string][]uint64, sectors),
		Vanilla:    make([]Hex, sectors),
	}
	challenges := make([][]uint64, sectors)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range sectors {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			number := uint64(i)
			leaves, err := form.Leaves(randomness, number, i)
			if err != nil {
				return err
			}
			v := madeUp(form.Shape, number, leaves)
			commR := merkle.NodeBytes(v.CommR)
			challenges[i], c.Sectors[i] = leaves, CaseSector{Number: number, CommR: commR[:]}
			c.Vanilla[i], err = form.EncodeVanilla(v)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("make up %d sectors of %d bytes: %w", sectors, sectorSize, err)
	}
	for i, leaves := range challenges {
		c.Challenges[strconv.Itoa(i)] = leaves
	}
	return c, nil
}

// statement is what the case's proof says, with the vanilla proofs it is made of.
func (c *Case) statement() (post.Statement, [][]byte, error) {
	if c.Type != post.Window || c.API != caseAPI {
		return post.Statement{}, nil, fmt.Errorf("a %s case of API %s is no case of this benchmark", c.Type, c.API)
	}
	s := post.Statement{ProverID: post.ProverID(c.Miner)}
	if copy(s.Randomness[:], c.Randomness) != len(s.Randomness) {
		return s, nil, fmt.Errorf("randomness has %d bytes", len(c.Randomness))
	}
	for _, sector := range c.Sectors {
		proved := post.Sector{Number: sector.Number}
		if copy(proved.CommR[:], sector.CommR) != len(proved.CommR) {
			return s, nil, fmt.Errorf("comm_r of sector %d has %d bytes", sector.Number, len(sector.CommR))
		}
		s.Sectors = append(s.Sectors, proved)
	}
	var vanilla [][]byte
	for _, v := range c.Vanilla {
		vanilla = append(vanilla, v)
	}
	return s, vanilla, nil
}

func readCase(name string) (*Case, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	c := new(Case)
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("read the case %s: %w", name, err)
	}
	return c, nil
}

func (c *Case) write(name string) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o644)
}

// seedOf is what a made-up sector is drawn from.
func seedOf(number uint64) [32]byte {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], number)
	return seed
}

// below are those of the ascending or unordered leaves that lie in a stretch.
func below(leaves []uint64, first, count uint64) []uint64 {
	return slices.DeleteFunc(slices.Clone(leaves), func(l uint64) bool { return l < first || l >= first+count })
}
