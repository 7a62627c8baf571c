package chain

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vigil-post/vigil/jsonrpc"
)

// defaultPath is where nodes serve the API that is spoken here.
const defaultPath = "/rpc/v1"

// endpoint is where a node's API is and what opens it.
type endpoint struct {
	url   string // ws:// or wss://, without secrets: it may be logged
	query string // with its question mark; many a key is there
	token string
}

// parseEndpoint takes an address as people have it: a URL or a multiaddress,
// with the token before it (the form of FULLNODE_API_INFO) or apart.
func parseEndpoint(address, token string) (endpoint, error) {
	if strings.TrimSpace(address) == "" {
		return endpoint{}, errors.New("no node is given: set its URL, for example ws://127.0.0.1:1234/rpc/v1")
	}
	at, token, err := jsonrpc.ParseAddress(address, token, defaultPath)
	if err != nil {
		return endpoint{}, fmt.Errorf("the node's address: %w", err)
	}
	at = "ws" + strings.TrimPrefix(at, "http") // and wss for https
	path, _, _ := strings.Cut(at, "?")
	if strings.HasSuffix(strings.TrimRight(path, "/"), "/rpc/v0") {
		return endpoint{}, fmt.Errorf("%s: the old API at /rpc/v0 is not spoken; use /rpc/v1", path)
	}
	return endpoint{url: path, query: strings.TrimPrefix(at, path), token: token}, nil
}
