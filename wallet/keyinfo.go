package wallet

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/filecoin-project/go-state-types/crypto"
)

// keyInfo is a key as Lotus exports it (chain/types/keystore.go): hex of this JSON.
type keyInfo struct {
	Type       keyInfoType
	PrivateKey []byte
}

// keyInfoType reads both forms that Lotus reads: the word, and the number of the
// signature type that old exports have.
type keyInfoType KeyType

func (t *keyInfoType) UnmarshalJSON(data []byte) error {
	var word string
	if err := json.Unmarshal(data, &word); err == nil {
		*t = keyInfoType(word)
		return nil
	}
	var number crypto.SigType
	if err := json.Unmarshal(data, &number); err != nil {
		return fmt.Errorf("key type %s is neither a word nor a number", data)
	}
	switch number {
	case crypto.SigTypeSecp256k1:
		*t = keyInfoType(Secp256k1)
	case crypto.SigTypeBLS:
		*t = keyInfoType(BLS)
	default:
		return fmt.Errorf("key type %d is neither secp256k1 (%d) nor bls (%d)", number, crypto.SigTypeSecp256k1, crypto.SigTypeBLS)
	}
	return nil
}

// parseKeyInfo reads what `lotus wallet export` prints, or the JSON inside it.
// No error repeats the text: it is a secret.
func parseKeyInfo(text string) (key, error) {
	text = strings.TrimSpace(text)
	data := []byte(text)
	if !strings.HasPrefix(text, "{") {
		decoded, err := hex.DecodeString(text)
		if err != nil {
			return key{}, fmt.Errorf("the key is not the hexadecimal text that lotus wallet export prints")
		}
		data = decoded
	}
	var info keyInfo
	if err := json.Unmarshal(data, &info); err != nil {
		return key{}, fmt.Errorf("the key is not a Lotus KeyInfo, {\"Type\":…,\"PrivateKey\":…}")
	}
	return newKey(KeyType(info.Type), info.PrivateKey)
}

// keyInfo is the inverse of parseKeyInfo.
func (k key) keyInfo() (string, error) {
	data, err := json.Marshal(struct {
		Type       KeyType
		PrivateKey []byte
	}{k.kind, k.private})
	if err != nil {
		return "", fmt.Errorf("encode the key: %w", err)
	}
	return hex.EncodeToString(data), nil
}
