package devnet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// differs are the places where this network's answers differ from the recorded
// ones on purpose, each with its reason.
var differs = map[string]string{
	"StateGetNetworkParams.BlockDelayMillis is not a node's": "epochs here may be shorter than a second, which BlockDelaySecs cannot say",
	"StateMinerInfo.ControlAddresses is an array":            "the recorded miners had none; the devnet's have one each",
	"StateMinerInfo.PeerId is null":                          "what a node says of a miner without a libp2p host, which no miner has here",
	"StateReadState.State.VestingFunds is null":              "what a node says of a miner that earned no rewards; there are none here",
	"SubmitWindowedPoSt with nonsense parameters":            "after \"Serialization error for Cbor protocol\" the words are the decoder's, not the protocol's",
	"nonce already used on chain":                            "the recorded pool had not yet heard of the block; this one is never late",
}

// unknownObject is what the recorded calls ask for in vain.
const unknownObject = "bafy2bzaceaqjgkqkbp2e6e3zzs26wwcqp5nbxzj7drhijrnvpswz6ug6d7zrs"

// replay asks this network what a real node was asked, in a situation like the
// recorded one, and compares the answers field by field. The names of things
// are translated: a CID of the recording stands for whatever CID this network
// gave in the same place of an earlier answer.
type replay struct {
	*world
	cids     map[string]string
	included string // of the message searched for last: the tipset that has it
	compared map[string]int
	excused  map[string]bool
}

func (w *world) replay() *replay {
	return &replay{world: w, cids: map[string]string{}, compared: map[string]int{}, excused: map[string]bool{}}
}

var (
	cidText = regexp.MustCompile(`bafy2bza[a-z0-9]{40,}`)
	keyText = regexp.MustCompile(`t3[a-z2-7]{84}`)
)

// translated puts this network's names into what was asked.
func (r *replay) translated(c call) []any {
	params := make([]any, len(c.Params))
	for i, p := range c.Params {
		text := cidText.ReplaceAllStringFunc(string(p), r.cid)
		params[i] = json.RawMessage(keyText.ReplaceAllString(text, r.key("worker").Address.String()))
	}
	if c.Method == "Filecoin.StateMinerPartitions" {
		params[1] = r.deadlineLike(decode[uint64](r.t, c.Params[1]), c.Response.Result)
	}
	return params
}

func (r *replay) cid(recorded string) string {
	if recorded == unknownObject {
		return recorded
	}
	return cmp.Or(r.cids[recorded], r.included, get[TipSet](r.world, "ChainHead").Cids[0].String())
}

// deadlineLike is a deadline with sectors or without, as the recorded one. Here
// they begin at deadline 2.
func (r *replay) deadlineLike(recorded uint64, answer json.RawMessage) uint64 {
	switch {
	case recorded >= 48:
		return recorded
	case string(answer) == "null":
		return 46
	default:
		return recorded + firstDeadline
	}
}

// again makes a recorded call, compares the answers and learns from them.
func (r *replay) again(path, name string, c call) json.RawMessage {
	r.t.Helper()
	token := r.Token()
	if c.Note == "no token" {
		token = ""
	}
	return r.judge(path, token, name, c, r.translated(c))
}

func (r *replay) judge(path, token, name string, c call, params []any) json.RawMessage {
	r.t.Helper()
	method := strings.TrimPrefix(c.Method, "Filecoin.")
	name = fmt.Sprintf("%s: %s %s", name, method, c.Note)
	status, got := r.ask(path, token, method, params...)
	r.compared[method]++
	if status != c.Status {
		r.differ(name, method, fmt.Sprintf("HTTP status %d, a node's is %d", status, c.Status))
	}
	r.compareErrors(name, method, got, c.Response)
	if got.Error != nil || c.Response.Error != nil {
		return nil
	}
	ours, theirs := decode[any](r.t, got.Result), decode[any](r.t, c.Response.Result)
	compare(method, ours, theirs, func(what string) { r.differ(name, method, what) })
	r.learn(ours, theirs)
	return got.Result
}

func (r *replay) compareErrors(name, method string, got, want response) {
	r.t.Helper()
	switch {
	case got.Error == nil && want.Error == nil:
	case got.Error == nil:
		r.differ(name, method, fmt.Sprintf("answers, a node says %d %s", want.Error.Code, want.Error.Message))
	case want.Error == nil:
		r.differ(name, method, fmt.Sprintf("says %d %s, a node answers", got.Error.Code, got.Error.Message))
	default:
		if got.Error.Code != want.Error.Code {
			r.differ(name, method, fmt.Sprintf("error code %d, a node's is %d", got.Error.Code, want.Error.Code))
		}
		if string(got.Error.Data) != string(want.Error.Data) || string(got.Error.Meta) != string(want.Error.Meta) {
			r.differ(name, method, fmt.Sprintf("error data %s %s, a node's is %s %s", got.Error.Data, got.Error.Meta, want.Error.Data, want.Error.Meta))
		}
		if anonymous(got.Error.Message) != anonymous(want.Error.Message) {
			r.differ(name, method, fmt.Sprintf("\n ours %s\ntheirs %s", anonymous(got.Error.Message), anonymous(want.Error.Message)))
		}
	}
}

// differ reports a difference that the table does not excuse.
func (r *replay) differ(name, method, what string) {
	r.t.Helper()
	for place := range differs {
		if strings.HasPrefix(what, place) || strings.HasPrefix(method+" "+what, place) || strings.HasSuffix(name, place) {
			r.excused[place] = true
			return
		}
	}
	r.t.Errorf("%s: %s", name, what)
}

// learn pairs the CIDs of two answers.
func (r *replay) learn(ours, theirs any) {
	switch want := theirs.(type) {
	case map[string]any:
		got, ok := ours.(map[string]any)
		for name := range want {
			if ok {
				r.learn(got[name], want[name])
			}
		}
	case []any:
		got, _ := ours.([]any)
		for i := range min(len(got), len(want)) {
			r.learn(got[i], want[i])
		}
	case string:
		if got, ok := ours.(string); ok && r.cids[want] == "" && cidText.MatchString(want) {
			r.cids[want] = got
		}
	}
}

// report prints how many answers were compared, by method.
func (r *replay) report() {
	n := 0
	var lines []string
	for _, method := range slices.Sorted(maps.Keys(r.compared)) {
		lines = append(lines, fmt.Sprintf("%s %d", method, r.compared[method]))
		n += r.compared[method]
	}
	r.t.Logf("%d answers compared with a real node's: %s", n, strings.Join(lines, ", "))
	for _, place := range slices.Sorted(maps.Keys(r.excused)) {
		r.t.Logf("differs on purpose: %s (%s)", place, differs[place])
	}
}

// same compares one value with a recorded one.
func (r *replay) same(name, path string, ours, theirs json.RawMessage) {
	r.t.Helper()
	r.compared[path]++
	compare(path, decode[any](r.t, ours), decode[any](r.t, theirs), func(what string) { r.differ(name, path, what) })
}

// state reads a miner's deadline before and after something is done to it.
func (r *replay) state(deadline uint64) (partitions, power, proving json.RawMessage) {
	m := r.miner()
	p := get[struct{ MinerPower json.RawMessage }](r.world, "StateMinerPower", m, nil)
	return get[json.RawMessage](r.world, "StateMinerPartitions", m, deadline, nil), p.MinerPower,
		get[json.RawMessage](r.world, "StateMinerProvingDeadline", m, nil)
}

// resigned is a recorded message as our account would have sent it.
func (r *replay) resigned(c call) *SignedMessage {
	r.t.Helper()
	worker := r.key("worker")
	m := decode[SignedMessage](r.t, c.Params[0]).Message
	m.To, m.From = worker.Address, worker.Address
	sm, err := worker.SignMessage(m)
	if err != nil {
		r.t.Fatal(err)
	}
	switch c.Note {
	case "wrong signature":
		sm.Signature.Data = sm.Signature.Data[1:] // as long as it was
	case "from an id address that did not sign":
		sm.Message.From = idAddress(101)
	}
	return sm
}
