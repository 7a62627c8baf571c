package chain

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/vigil-post/vigil"
)

// codeExecution is the code of a node's answer that a message would fail when executed.
const codeExecution = 3

// codeOutOfGas is that of an answer that a message ran out of a whole block's gas
// (EOutOfGas in lotus api/api_errors.go).
const codeOutOfGas = 2

// nodeError is what a node said instead of an answer.
type nodeError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *nodeError) Error() string {
	if e.Code == 1 { // "some error"
		return e.Message
	}
	return fmt.Sprintf("%s (code %d)", e.Message, e.Code)
}

// RefusedError is why a node must not or cannot be used as long as nobody
// changes anything: it follows another network, or does not take the token.
// Every call fails with it; the node is tried again all the same.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string { return e.Why }

// StrangerError says that something answers, but not as a full node does that
// Vigil knows: no API at the path, another protocol, a method that it does not
// have, an answer of another shape. It is an error of one call, and may pass.
type StrangerError struct{ Err error }

func (e *StrangerError) Error() string { return e.Err.Error() }

func (e *StrangerError) Unwrap() error { return e.Err }

var neededPermission = regexp.MustCompile(`\(need '(\w+)'\)`)

// explain turns what went wrong with a call into what its reader needs to know.
func explain(method string, err error) error {
	var said *nodeError
	switch {
	case !errors.As(err, &said):
		return fmt.Errorf("%s: %w", method, err)
	case strings.Contains(said.Message, "missing permission"):
		need := "write"
		if m := neededPermission.FindStringSubmatch(said.Message); m != nil {
			need = m[1]
		}
		return fmt.Errorf("%s: the node's token lacks the permission %q: set one that has it (lotus auth create-token --perm %s): %w", method, need, need, err)
	case said.Code == -32601:
		return &StrangerError{fmt.Errorf("%s: the node does not know this method: is it a full node, and is its API at %s meant: %w", method, defaultPath, err)}
	case chainsWord(method, said.Message):
		return fmt.Errorf("%s: %w: %w", method, vigil.ErrNotFound, err)
	}
	return fmt.Errorf("%s: %w", method, err)
}

// absences are what nodes say, in lower case, where the chain has no such thing.
var absences = []string{
	"actor not found", "actor code is not miner",
	"actor id not found for address", // Forest
}

// keyless is what they say of an actor that has no key, such as a multisig, or is none.
var keyless = []string{
	"actor code is not account", "cannot resolve actor address to key address",
	"failed to find actor", // Lotus, whatever kept it from finding it
	"unknown actor code",   // Forest
}

// chainsWord says that a node's error is the chain's own answer, which another
// node would give too and the same one again.
func chainsWord(method, text string) bool {
	text = strings.ToLower(text)
	said := func(words string) bool { return strings.Contains(text, words) }
	return slices.ContainsFunc(absences, said) || method == "StateAccountKey" && slices.ContainsFunc(keyless, said)
}

// unusable says that an answer came but is not what the method promises.
func unusable(method, format string, args ...any) error {
	return &StrangerError{fmt.Errorf("%s: the node's answer is unusable: %w", method, fmt.Errorf(format, args...))}
}
