package sophon

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/filecoin-project/go-jsonrpc/auth"
)

// AllPermissions of a token, in the order of their power. Reading needs read,
// and what changes something write; sign and admin are there because the
// programs that are given a token may look for them.
var AllPermissions = []auth.Permission{"read", "write", "sign", "admin"}

// Tokens gives out the API's tokens and judges them. They are JWTs signed with
// HS256, as everywhere in Filecoin: programs that take a token and an address
// in one string (token:/ip4/…) recognise a token by that shape.
type Tokens struct{ secret []byte }

// OpenTokens reads the secret of a folder, or draws one. Beside it, in the file
// token, it leaves the token that permits everything, for the commands of this
// machine. Both files are the owner's alone. To take all tokens back, delete
// both and start again.
func OpenTokens(dir string) (Tokens, error) {
	secret, err := readSecret(filepath.Join(dir, "token.secret"))
	if err != nil {
		return Tokens{}, fmt.Errorf("secret of the API's tokens: %w", err)
	}
	t := Tokens{secret}
	full, err := t.Issue(AllPermissions...)
	if err != nil {
		return Tokens{}, err
	}
	path := filepath.Join(dir, "token")
	if had, err := os.ReadFile(path); err == nil && string(had) == full {
		return t, nil
	}
	if err := os.WriteFile(path, []byte(full), 0o600); err != nil {
		return Tokens{}, fmt.Errorf("write the API's token: %w", err)
	}
	return t, nil
}

// readSecret makes the file where there is none. Of two that make it at once
// one is first, and both read what it wrote.
func readSecret(path string) ([]byte, error) {
	const least = 20 // of rand.Text's 26
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = makeSecret(path)
	}
	if err == nil && len(text) < least {
		err = fmt.Errorf("%s is too short to be a secret: delete it to have another drawn", path)
	}
	return text, err
}

func makeSecret(path string) ([]byte, error) {
	draft, err := os.CreateTemp(filepath.Dir(path), ".token.secret.*") // with mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(draft.Name())
	_, err = draft.WriteString(rand.Text())
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

const jwtHeader = `{"alg":"HS256","typ":"JWT"}`

type jwtPayload struct{ Allow []auth.Permission }

var base64url = base64.RawURLEncoding

// Issue makes a token with the permissions.
func (t Tokens) Issue(perms ...auth.Permission) (string, error) {
	for _, p := range perms {
		if !slices.Contains(AllPermissions, p) {
			return "", fmt.Errorf("there is no permission %q: use %v", p, AllPermissions)
		}
	}
	payload, err := json.Marshal(jwtPayload{perms})
	if err != nil {
		return "", err
	}
	text := base64url.EncodeToString([]byte(jwtHeader)) + "." + base64url.EncodeToString(payload)
	return text + "." + t.signature(text), nil
}

func (t Tokens) signature(text string) string {
	mac := hmac.New(sha256.New, t.secret)
	mac.Write([]byte(text))
	return base64url.EncodeToString(mac.Sum(nil))
}

// errToken says no more than a caller should know.
var errToken = errors.New("the token is not one of this daemon's")

// Permissions of a token; one that was not given out with this secret is an
// error. Whatever was signed here is a token of ours, so its header is not read.
func (t Tokens) Permissions(token string) ([]auth.Permission, error) {
	cut := strings.LastIndexByte(token, '.')
	if cut < 0 || len(t.secret) == 0 || !hmac.Equal([]byte(token[cut+1:]), []byte(t.signature(token[:cut]))) {
		return nil, errToken
	}
	_, encoded, _ := strings.Cut(token[:cut], ".")
	text, err := base64url.DecodeString(encoded)
	if err != nil {
		return nil, errToken
	}
	var payload jwtPayload
	if err := json.Unmarshal(text, &payload); err != nil {
		return nil, errToken
	}
	return payload.Allow, nil
}
