package devnet

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/filecoin-project/go-jsonrpc/auth"
)

// allPermissions of a node's API, in the order of their power.
var allPermissions = []auth.Permission{"read", "write", "sign", "admin"}

// readOnly is what a caller without a token may do.
var readOnly = allPermissions[:1]

// errToken says no more than a node does.
var errToken = errors.New("JWT Verification failed")

// tokens judges the tokens of the API: the network's own permits everything,
// and is the secret with which lesser ones are signed, as a node's are (JWT, HS256).
type tokens string

const jwtHeader = `{"alg":"HS256","typ":"JWT"}`

// jwtPayload is what a node's token says.
type jwtPayload struct {
	Allow []auth.Permission
}

var base64url = base64.RawURLEncoding

func (t tokens) issue(perms []auth.Permission) ([]byte, error) {
	payload, err := json.Marshal(jwtPayload{perms})
	if err != nil {
		return nil, err
	}
	text := base64url.EncodeToString([]byte(jwtHeader)) + "." + base64url.EncodeToString(payload)
	return []byte(text + "." + t.signature(text)), nil
}

func (t tokens) signature(text string) string {
	mac := hmac.New(sha256.New, []byte(t))
	mac.Write([]byte(text))
	return base64url.EncodeToString(mac.Sum(nil))
}

// permissions of a token; one that was not given out here is an error.
func (t tokens) permissions(token string) ([]auth.Permission, error) {
	if subtle.ConstantTimeCompare([]byte(token), []byte(t)) == 1 {
		return slices.Clone(allPermissions), nil
	}
	cut := strings.LastIndexByte(token, '.')
	if cut < 0 || !hmac.Equal([]byte(token[cut+1:]), []byte(t.signature(token[:cut]))) {
		return nil, errToken
	}
	_, payload, _ := strings.Cut(token[:cut], ".")
	b, err := base64url.DecodeString(payload)
	if err != nil {
		return nil, errToken
	}
	var p jwtPayload
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, errToken
	}
	return p.Allow, nil
}
