package chain

import (
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/ipfs/go-cid"

	"github.com/vigil-post/vigil"
)

// UnsignedCID is the CID that a message's signature is of.
func UnsignedCID(m vigil.SignedMessage) (cid.Cid, error) {
	data, err := encodeMessage(m)
	if err != nil {
		return cid.Undef, err
	}
	return abi.CidBuilder.Sum(data)
}
