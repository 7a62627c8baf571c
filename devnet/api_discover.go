package devnet

import (
	"context"
	"fmt"
	"reflect"
)

// OpenRPC is the answer of Discover: which methods there are, with the types
// of what they take and give as this program names them.
type OpenRPC struct {
	OpenRPC string          `json:"openrpc"`
	Info    OpenRPCInfo     `json:"info"`
	Methods []OpenRPCMethod `json:"methods"`
}

// OpenRPCInfo is whose methods they are.
type OpenRPCInfo struct {
	Title   string `json:"title"`
	Version string `json:"version"`
}

// OpenRPCMethod is one method. Parameters go by their place.
type OpenRPCMethod struct {
	Name           string         `json:"name"`
	Params         []OpenRPCValue `json:"params"`
	Result         OpenRPCValue   `json:"result"`
	ParamStructure string         `json:"paramStructure"`
}

// OpenRPCValue is a parameter or a result.
type OpenRPCValue struct {
	Name   string            `json:"name"`
	Schema map[string]string `json:"schema"`
}

// Discover describes version 1 of the API.
func (a *api) Discover(context.Context) (OpenRPC, error) { return describe(a, "1"), nil }

// Discover describes version 0 of the API.
func (a *apiV0) Discover(context.Context) (OpenRPC, error) { return describe(a, "0"), nil }

// Discover describes version 2 of the API.
func (a *apiV2) Discover(context.Context) (OpenRPC, error) { return describe(a, "2"), nil }

func describe(api any, version string) OpenRPC {
	doc := OpenRPC{OpenRPC: "1.2.6", Info: OpenRPCInfo{"vigil devnet, the API of a Lotus node", version}}
	for _, m := range methods(api) {
		method := OpenRPCMethod{Name: namespace + "." + m.Name, Params: []OpenRPCValue{}, ParamStructure: "by-position"}
		for i, p := range parameters(m) {
			method.Params = append(method.Params, valueOf(fmt.Sprintf("p%d", i+1), p))
		}
		if m.Type.NumOut() > 1 {
			method.Result = valueOf("result", m.Type.Out(0))
		}
		doc.Methods = append(doc.Methods, method)
	}
	return doc
}

// methods lists what is served of an API, by name.
func methods(api any) []reflect.Method {
	var out []reflect.Method
	for i := range reflect.TypeOf(api).NumMethod() {
		out = append(out, reflect.TypeOf(api).Method(i))
	}
	return out
}

// parameters are the types of what a caller gives.
func parameters(m reflect.Method) []reflect.Type {
	var out []reflect.Type
	for i := 2; i < m.Type.NumIn(); i++ { // after the receiver and the context
		out = append(out, m.Type.In(i))
	}
	return out
}

func valueOf(name string, t reflect.Type) OpenRPCValue {
	return OpenRPCValue{name, map[string]string{"title": t.String()}}
}
