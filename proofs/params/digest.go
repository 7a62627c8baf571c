package params

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"

	"golang.org/x/crypto/blake2b"
)

// Digests identify a key's two files: the first 32 hex digits of their
// BLAKE2b-512, as in filecoin-proofs' parameters.json.
type Digests struct {
	Params, VK string
}

// Published are the digests of the keys from Filecoin's ceremony, which mainnet
// and the public test networks use (rust-fil-proofs, parameters.json).
var Published = map[Proof]Digests{
	{false, 2 << 10}:   {"7610b9f82bfc88405b7a832b651ce2f6", "0e0958009936b9d5e515ec97b8cb792d"},
	{false, 8 << 20}:   {"c49499bb76a0762884896f9683403f55", "34d4feeacd9abf788d69ef1bb4d8fd00"},
	{false, 512 << 20}: {"1a7d4a9c8a502a497ed92a54366af33f", "4dae975de4f011f101f5a2f86d1daaba"},
	{false, 32 << 30}:  {"2cf49eb26f1fee94c85781a390ddb4c8", "0f8ec542485568fa3468c066e9fed82b"},
	{false, 64 << 30}:  {"3810b7780ac0e299b22ae70f1f94c9bc", "59d2bf1857adc59a4f08fcf2afaa916b"},
	{true, 2 << 10}:    {"82c88066be968bb550a05e30ff6c2413", "ffd79788d614d27919ae5bd2d94eacb6"},
	{true, 8 << 20}:    {"700171ecf7334e3199437c930676af82", "79ebb55f56fda427743e35053edad8fc"},
	{true, 512 << 20}:  {"827359440349fe8f5a016e7598993b79", "bd2cd62f65c1ab84f19ca27e97b7c731"},
	{true, 32 << 30}:   {"d84f79a16fe40e9e25a36e2107bb1ba0", "fc02943678dd119e69e7fab8420e8819"},
	{true, 64 << 30}:   {"2170a91ad5bae22ea61f2ea766630322", "6d3789148fb6466d07ee1e24d6292fd6"},
}

// DigestError says that a file is not the one it should be.
type DigestError struct {
	Path, Want, Have string
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("%s has the BLAKE2b digest %s, not %s: it is damaged or another file", e.Path, e.Have, e.Want)
}

// CheckDigest reads the whole file and compares its digest; another one is a
// DigestError. A key of 61 GB takes minutes: ctx ends it early.
func CheckDigest(ctx context.Context, path, want string) error {
	have, err := Digest(ctx, path, nil)
	if err != nil {
		return err
	}
	if have != want {
		return &DigestError{Path: path, Want: want, Have: have}
	}
	return nil
}

// Digest is the first 32 hex digits of the BLAKE2b-512 of a file. If progress is
// not nil it is told how many bytes have been read, after each mebibyte.
func Digest(ctx context.Context, path string, progress func(done int64)) (string, error) {
	f, err := openRegular(path)
	if err != nil {
		return "", fmt.Errorf("digest a key: %w", err)
	}
	defer f.Close()
	h, err := blake2b.New512(nil)
	if err != nil {
		return "", err
	}
	buf := make([]byte, 1<<20)
	for done := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if done += int64(n); progress != nil {
			progress(done)
		}
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)[:16]), nil
		}
		if err != nil {
			return "", fmt.Errorf("digest a key: %w", err)
		}
	}
}
