package devnet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/filecoin-project/go-address"
	"github.com/filecoin-project/go-state-types/abi"
	"github.com/filecoin-project/go-state-types/builtin"
	"github.com/filecoin-project/go-state-types/builtin/v18/account"
	"github.com/filecoin-project/go-state-types/builtin/v18/miner"
	"github.com/ipfs/go-cid"
	cbg "github.com/whyrusleeping/cbor-gen"
)

// signatures are the methods of the actors that exist here, with the types of
// what they take and return: all that the network's actors have.
var signatures = map[cid.Cid]map[abi.MethodNum]builtin.MethodMeta{
	minerCode:   miner.Methods,
	accountCode: account.Methods,
}

// cborValue is a type of the network's parameters.
type cborValue interface {
	cbg.CBORMarshaler
	cbg.CBORUnmarshaler
}

// returnType makes an empty value of what a method returns; nil if that is not known.
func (a actorEntry) returnType(method abi.MethodNum) cborValue {
	v, _ := emptyValue(a.code, method, reflect.Type.Out)
	return v
}

// paramType makes an empty value of what a method takes.
func paramType(code cid.Cid, method abi.MethodNum) (cborValue, error) {
	if method == methodSend {
		return &abi.EmptyValue{}, nil
	}
	return emptyValue(code, method, reflect.Type.In)
}

func emptyValue(code cid.Cid, method abi.MethodNum, of func(reflect.Type, int) reflect.Type) (cborValue, error) {
	meta, ok := signatures[code][method]
	if !ok {
		return nil, fmt.Errorf("unknown method %d for actor %s: actor metadata not found", method, code)
	}
	v, ok := reflect.New(of(reflect.TypeOf(meta.Method), 0).Elem()).Interface().(cborValue)
	if !ok {
		return nil, fmt.Errorf("method %d of actor %s takes or returns what is not CBOR", method, code)
	}
	return v, nil
}

// StateDecodeParams shows the parameters of a message as JSON.
func (a *api) StateDecodeParams(ctx context.Context, to address.Address, method abi.MethodNum, params []byte, key TipSetKey) (any, error) {
	act, err := a.StateGetActor(ctx, to, key)
	if err != nil {
		return nil, fmt.Errorf("getting actor: %w", err)
	}
	v, err := paramType(act.Code, method)
	if err != nil {
		return nil, fmt.Errorf("getting params type: %w", err)
	}
	if err := v.UnmarshalCBOR(bytes.NewReader(params)); err != nil {
		return nil, err
	}
	return v, nil
}

// StateEncodeParams is the inverse of StateDecodeParams.
func (a *api) StateEncodeParams(_ context.Context, code cid.Cid, method abi.MethodNum, params json.RawMessage) ([]byte, error) {
	v, err := paramType(code, method)
	if err != nil {
		return nil, fmt.Errorf("getting params type: %w", err)
	}
	if err := json.Unmarshal(params, v); err != nil {
		return nil, fmt.Errorf("json unmarshal: %w", err)
	}
	if reflect.ValueOf(v).IsNil() {
		return nil, errors.New("json unmarshal: null is no value")
	}
	var b bytes.Buffer
	if err := v.MarshalCBOR(&b); err != nil {
		return nil, fmt.Errorf("cbor marshal: %w", err)
	}
	return b.Bytes(), nil
}
