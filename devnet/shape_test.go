package devnet

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"testing"
)

// compare says where two JSON values differ in shape: in the kinds of values,
// the names of fields, what is null, what is an empty array. A real node's
// answer is the measure.
func compare(path string, ours, theirs any, report func(string)) {
	if got, want := kind(ours), kind(theirs); got != want {
		report(fmt.Sprintf("%s is %s, a node's is %s", path, got, want))
		return
	}
	switch want := theirs.(type) {
	case map[string]any:
		compareFields(path, ours.(map[string]any), want, report)
	case []any:
		for i, got := range ours.([]any) {
			compare(fmt.Sprintf("%s[%d]", path, i), got, want[min(i, len(want)-1)], report)
		}
	}
}

func compareFields(path string, got, want map[string]any, report func(string)) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[name]; !ok {
			report(fmt.Sprintf("%s.%s is missing", path, name))
			continue
		}
		compare(path+"."+name, got[name], want[name], report)
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			report(fmt.Sprintf("%s.%s is not a node's", path, name))
		}
	}
}

// texts are the kinds of strings that mean something else to a client than text.
var texts = []struct {
	kind string
	is   *regexp.Regexp
}{
	{"a big number", regexp.MustCompile(`^-?\d+$`)},
	{"an ID address", regexp.MustCompile(`^t0\d+$`)},
	{"a key address", regexp.MustCompile(`^t[13][a-z2-7]{38,84}$`)},
	{"a time", regexp.MustCompile(`^\d{4}-\d\d-\d\dT`)},
	{"a CID", regexp.MustCompile(`^ba[a-z2-7]{50,}$`)},
}

// kind is what a client's types must have foreseen.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "an object"
	case []any:
		if len(v) == 0 {
			return "an empty array"
		}
		return "an array"
	case string:
		for _, t := range texts {
			if t.is.MatchString(v) {
				return t.kind
			}
		}
		return "text"
	case bool:
		return "a truth value"
	default:
		return "a number"
	}
}

func TestTheComparisonSeesEveryDifference(t *testing.T) {
	for _, c := range []struct {
		is           string
		ours, theirs string
		want         string
	}{
		{"other values are the same shape", `{"A":1,"B":["t01"]}`, `{"A":2,"B":["t02","t03"]}`, ""},
		{"a missing field", `{}`, `{"A":null}`, ".A is missing"},
		{"a field too many", `{"A":1}`, `{}`, ".A is not a node's"},
		{"null for an array", `null`, `[]`, " is null, a node's is an empty array"},
		{"an empty array for a full one", `[]`, `[1]`, " is an empty array, a node's is an array"},
		{"a number for a big number", `1`, `"1"`, " is a number, a node's is a big number"},
		{"an ID address for a key", `"t01000"`, `"t3w6obqnuvk74wiwecbtlwql3lru7oh52bkwjpp6255d5ojmaaguqiscv7ypofjquvyodtcpdijigjif3p3dea"`, " is an ID address, a node's is a key address"},
		{"only the second element differs", `[1,"a"]`, `[1]`, "[1] is text, a node's is a number"},
	} {
		var got []string
		compare("", decode[any](t, json.RawMessage(c.ours)), decode[any](t, json.RawMessage(c.theirs)), func(what string) { got = append(got, what) })
		if text := fmt.Sprint(got); text != "["+c.want+"]" {
			t.Errorf("%s: %s", c.is, text)
		}
	}
}
