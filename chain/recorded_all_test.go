package chain_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/vigil-post/vigil"
	"github.com/vigil-post/vigil/chain"
)

// class is what an error is to the daemon.
func class(err error) string {
	var stranger *chain.StrangerError
	switch {
	case err == nil:
		return "none"
	case errors.Is(err, vigil.ErrNotFound):
		return "not found"
	case errors.As(err, &stranger):
		return "stranger"
	case strings.Contains(err.Error(), "lacks the permission"):
		return "permission"
	}
	return "node's"
}

// The errors of the recordings, by the beginning of what the node said. What
// only one seam method knows (a pool's refusal, a call that would fail, a
// message that is not on chain) is tested with that method.
var recordedErrors = []struct{ says, class string }{
	{"height -41 is negative", "node's"},
	{"getting beacon randomness: cannot draw randomness from the future", "node's"},
	{"message execution failed (exit=[ErrSerialization(21)]", "node's"},
	{"failed to load miner actor: actor not found", "not found"},
	{"failed to load miner actor state: actor code is not miner: account", "not found"},
	{"unmarshaling params for", "node's"},
	{"get block bafy2", "node's"},
	{"failed to load the deadline: invalid deadline 48", "node's"},
	{"method 'Filecoin.NoSuchMethod' not found", "stranger"},
	{"method 'Filecoin.ChainHead' not found", "stranger"},
	{"missing permission to invoke 'MpoolPush' (need 'write')", "permission"},
	{"looking for tipset with height greater than start point", "node's"},
	{"wrong param count", "node's"},
	{"message not valid for block inclusion", "node's"},
	{"failed to add locked: message from", "node's"},
	{"signature verification failed", "node's"},
	{"verify msg failed", "node's"},
	{"failed to check balance: not enough funds", "node's"},
	{"mpool message too large", "node's"},
	{"%!w(*errors.errorString=&{failed to load message})", "node's"},
}

// Every answer that a real node gave to a method that is used is understood,
// and every error is of the right class.
func TestEveryRecordedAnswerIsUnderstood(t *testing.T) {
	understood, failed := map[string]int{}, map[string]int{}
	for _, file := range []string{"calls.json", "messages.json", "posts.json"} {
		for _, r := range recordings(t, file) {
			method := strings.TrimPrefix(r.Method, "Filecoin.")
			var response struct {
				Result json.RawMessage
				Error  *struct {
					Code    int
					Message string
				}
			}
			if err := json.Unmarshal(r.Response, &response); err != nil {
				t.Fatal(err)
			}
			if e := response.Error; e != nil {
				failed[judgeError(t, method, e.Code, e.Message)]++
				continue
			}
			used, err := chain.Understand(method, response.Result)
			if err != nil && !(method == "StateSearchMsg" && string(response.Result) == "null") { // a message that is not there
				t.Errorf("%s: %s %s: %v", file, method, r.Note, err)
			}
			if used {
				understood[method]++
			}
		}
	}
	t.Logf("understood: %v; errors: %v", understood, failed)
	for _, method := range []string{"ChainHead", "StateMinerInfo", "StateMinerPartitions", "StateMinerSectors", "StateGetRandomnessFromTickets", "MpoolPush", "StateSearchMsg", "GasEstimateMessageGas"} {
		if understood[method] == 0 {
			t.Errorf("no answer of %s was recorded", method)
		}
	}
}

func judgeError(t *testing.T, method string, code int, message string) string {
	t.Helper()
	got := class(chain.Classify(method, code, message))
	for _, known := range recordedErrors {
		if strings.HasPrefix(message, known.says) {
			if got != known.class {
				t.Errorf("%s: %q is %q, want %q", method, message, got, known.class)
			}
			return got
		}
	}
	t.Errorf("%s: no verdict for %q (code %d), which is %q", method, message, code, got)
	return got
}

// The states that the other recordings show are answers too.
func TestTheRecordedStatesAreUnderstood(t *testing.T) {
	var calls struct {
		Deadline   json.RawMessage `json:"proving_deadline"`
		Open       json.RawMessage `json:"open_deadline_partitions"`
		Partitions []struct{ Partitions json.RawMessage }
		Mined      struct {
			Wait   json.RawMessage
			Before json.RawMessage `json:"partitions_before"`
			After  json.RawMessage `json:"partitions_after"`
		}
	}
	var recoveries struct {
		Messages []struct {
			Message, Search json.RawMessage
			Before, After   struct{ Partitions, Deadline json.RawMessage }
		}
	}
	for name, into := range map[string]any{"actor-calls.json": &calls, "recoveries.json": &recoveries} {
		if err := json.Unmarshal(fixture(t, "lotus-rpc/"+name), into); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	understand := func(method string, answers ...json.RawMessage) {
		for _, raw := range answers {
			seen++
			if used, err := chain.Understand(method, raw); !used || err != nil {
				t.Errorf("%s: %v: %.200s", method, err, raw)
			}
		}
	}
	understand("StateMinerProvingDeadline", calls.Deadline)
	understand("StateMinerPartitions", calls.Open, calls.Mined.Before, calls.Mined.After)
	understand("StateSearchMsg", calls.Mined.Wait)
	for _, d := range calls.Partitions {
		understand("StateMinerPartitions", d.Partitions)
	}
	for _, m := range recoveries.Messages {
		understand("ChainGetMessage", m.Message)
		understand("StateSearchMsg", m.Search)
		understand("StateMinerPartitions", m.Before.Partitions, m.After.Partitions)
		understand("StateMinerProvingDeadline", m.Before.Deadline, m.After.Deadline)
	}
	if seen < 50 {
		t.Errorf("only %d states were recorded", seen)
	}
}

// A frame of any bytes at all does no harm.
func FuzzFramesNeverPanic(f *testing.F) {
	for _, text := range []string{
		`{"jsonrpc":"2.0","id":1,"result":null}`, `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}`, `{"id":1}`, `{"id":2,"result":7}`, `{"id":-1}`, `{"id":1e3}`,
		`{"jsonrpc":"2.0","method":"xrpc.ch.val","params":[1,[{"Type":"apply","Val":` + string(tipset(5)) + `}]]}`,
		`{"method":"xrpc.ch.val","params":[1,[{"Type":"apply","Val":{"Height":null}}]]}`, `{"method":"xrpc.ch.close","params":[1]}`, `null`, `[]`, `{"id":{}}`,
		`{"id":1,"error":{"code":"x"}}`, `{"id":1,"result":[` + strings.Repeat("[", 9990) + strings.Repeat("]", 9990) + `]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(_ *testing.T, data []byte) { _ = chain.Take(data) })
}
