package devnet

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/filecoin-project/go-jsonrpc/auth"
)

// allPermissions of a node's API, in the order of their power.
var allPermissions = []auth.Permission{"read", "write", "sign", "admin"}

// readOnly is what a caller without a token may do.
var readOnly = allPermissions[:1]

// errToken says no more than a node does.
var errToken = errors.New("JWT Verification failed")

// tokens gives out the tokens of the API and judges them. They are JWTs signed
// with HS256, as a node's are: tools that take a token and an address in one
// string (token:/ip4/…) recognise a token by that shape.
type tokens struct {
	secret []byte
	full   string // permits everything
}

// openTokens reads the secret of a folder, or draws one, and leaves the token
// that permits everything beside it.
func openTokens(dir string) (tokens, error) {
	var t tokens
	path := filepath.Join(dir, "token.secret")
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		text = []byte(rand.Text())
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return t, fmt.Errorf("secret of the API's tokens: %w", err)
	}
	if len(text) == 0 {
		return t, fmt.Errorf("secret of the API's tokens: %s is empty: delete it to have another drawn", path)
	}
	t.secret = text
	full, err := t.issue(allPermissions)
	if err != nil {
		return t, err
	}
	t.full = string(full)
	path = filepath.Join(dir, "token")
	if had, err := os.ReadFile(path); err == nil && string(had) == t.full {
		return t, nil
	}
	return t, os.WriteFile(path, full, 0o600)
}

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
	mac := hmac.New(sha256.New, t.secret)
	mac.Write([]byte(text))
	return base64url.EncodeToString(mac.Sum(nil))
}

// permissions of a token; one that was not given out here is an error.
// Anything that was signed here is a token of ours, so its header is not read.
func (t tokens) permissions(token string) ([]auth.Permission, error) {
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
