package app

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Change is a setting that has another value than the one that is in use.
type Change struct {
	Key string `json:"key"` // messager.max_fee, miner[1].address
	Was string `json:"was"` // as TOML; a secret's value is not shown, and what is not there is empty
	Is  string `json:"is"`
	// Live says that it can take effect without a restart.
	Live bool `json:"live"`
}

// value is a setting's value: what is shown of it, and what it is compared by.
type value struct{ shown, print string }

// values are all settings of a file, those it does not mention with their defaults.
type values map[string]value

func valuesOf(nodes []fileNode, rest fileRest, secrets map[string]Secret) values {
	v := values{}
	v.addNode(nodes...)
	v.add("", reflect.ValueOf(rest))
	for key, secret := range secrets { // a file's path may stay while its content changes
		if known, ok := v[key]; ok {
			v[key] = value{known.shown, known.print + digestOf(string(secret))}
		}
	}
	return v
}

// addNode adds the nodes: [node] and a single [[node]] mean the same.
func (v values) addNode(nodes ...fileNode) {
	if len(nodes) == 1 {
		v.add("node", reflect.ValueOf(nodes[0]))
		return
	}
	v.add("node", reflect.ValueOf(nodes))
}

// add flattens a table, a list of tables, or a value.
func (v values) add(key string, of reflect.Value) {
	switch {
	case of.Kind() == reflect.Struct:
		for i := range of.NumField() {
			field := of.Type().Field(i)
			name := field.Tag.Get("toml")
			if key != "" {
				name = key + "." + name
			}
			v.add(name, of.Field(i))
		}
	case of.Kind() == reflect.Slice && of.Type().Elem().Kind() == reflect.Struct:
		for i := range of.Len() {
			v.add(fmt.Sprintf("%s[%d]", key, i), of.Index(i))
		}
	default:
		v[key] = valueOf(key, of)
	}
}

func valueOf(key string, of reflect.Value) value {
	var shown string
	switch of.Kind() {
	case reflect.String:
		shown = fmt.Sprintf("%q", of.String())
	case reflect.Slice:
		items := make([]string, of.Len())
		for i := range items {
			items[i] = valueOf(key, of.Index(i)).shown
		}
		shown = "[" + strings.Join(items, ", ") + "]"
	default:
		shown = fmt.Sprint(of.Interface())
	}
	v := value{shown, digestOf(shown)}
	if hidden(key, of) {
		v.shown = `"(secret)"`
	}
	return v
}

// hidden says that a value is not shown: a token, an address that has one in it,
// or one that is a secret itself, as those of webhooks and heartbeats are.
func hidden(key string, of reflect.Value) bool {
	if of.Kind() != reflect.String || of.String() == "" {
		return false
	}
	_, name, _ := cutLast(key, ".")
	if name == "token" || name == "heartbeat_url" || name == "url" && strings.HasPrefix(key, "notify[") {
		return true
	}
	before, _, _ := strings.Cut(of.String(), "/")
	return (name == "url" || name == "otlp") && (strings.Contains(before, ".") && strings.Contains(before, ":") || strings.ContainsAny(of.String(), "@?"))
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return string(sum[:])
}

// Setting is a setting as another process compares it: by a digest, since a
// secret's value is not told.
type Setting struct {
	Shown string `json:"shown"`
	Print []byte `json:"print"`
}

// Prints are all settings by key, for a daemon to compare with its own.
func (c Config) Prints() map[string]Setting {
	prints := map[string]Setting{}
	for key, v := range c.values {
		prints[key] = Setting{v.shown, []byte(v.print)}
	}
	return prints
}

func valuesFrom(prints map[string]Setting) values {
	v := values{}
	for key, s := range prints {
		v[key] = value{s.Shown, string(s.Print)}
	}
	return v
}

// Changes are the settings of a configuration that differ from this one's, by key.
func (c Config) Changes(to Config) []Change { return c.values.changes(to.values) }

func (v values) changes(to values) []Change {
	keys := map[string]bool{}
	for key := range v {
		keys[key] = true
	}
	for key := range to {
		keys[key] = true
	}
	var list []Change
	for _, key := range slices.SortedFunc(maps.Keys(keys), cmp.Compare) {
		was, is := v[key], to[key]
		if was.print != is.print {
			list = append(list, Change{Key: key, Was: was.shown, Is: is.shown, Live: isLive(key)})
		}
	}
	return list
}

// Settings are all settings with their values as TOML, by key; secrets are not shown.
func (c Config) Settings() map[string]string {
	shown := map[string]string{}
	for key, v := range c.values {
		shown[key] = v.shown
	}
	return shown
}
