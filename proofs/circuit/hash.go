package circuit

import (
	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/vigil-post/vigil/proofs/poseidon"
)

// hash computes Poseidon and writes down its rows; it follows symbols.hash.
func (v *values) hash(k *poseidon.Constants, preimage []fr.Element) fr.Element {
	var bufA, bufB [9]fr.Element
	state, spare := bufA[:k.Width], bufB[:k.Width]
	v.firstRound(k, state, preimage)
	k.Mix(spare, state, 0)
	state, spare = spare, state
	keys := k.Compressed[2*k.Width:]
	half := k.FullRounds / 2
	for round := 1; round < half; round++ {
		v.fullRound(state, keys)
		keys = keys[k.Width:]
		k.Mix(spare, state, round)
		state, spare = spare, state
	}
	for i := range k.Sparse {
		v.assign(&state[0])
		v.sBox(&state[0], &keys[i])
		k.Sparse[i].Mix(state)
	}
	keys = keys[k.PartialRounds:]
	for round := half; round < k.FullRounds-1; round++ {
		v.fullRound(state, keys)
		keys = keys[k.Width:]
		k.Mix(spare, state, round)
		state, spare = spare, state
	}
	var none [9]fr.Element
	v.fullRound(state, none[:])
	k.Mix(spare, state, k.FullRounds-1)
	v.assign(&spare[1])
	return spare[1]
}

func (v *values) firstRound(k *poseidon.Constants, state, preimage []fr.Element) {
	state[0] = tagAfterFirstRound(k)
	for i := range preimage {
		state[i+1].Add(&preimage[i], &k.Compressed[i+1])
		v.sBox(&state[i+1], &k.Compressed[k.Width+i+1])
	}
}

func (v *values) fullRound(state, keys []fr.Element) {
	for i := range state {
		v.assign(&state[i])
		v.sBox(&state[i], &keys[i])
	}
}

func (v *values) assign(x *fr.Element) {
	v.newAux(x)
	v.emit(x, &v.one, x)
}

// sBox sets x to x^5 + key.
func (v *values) sBox(x, key *fr.Element) {
	var x2, x4, x5 fr.Element
	x2.Square(x)
	x4.Square(&x2)
	x5.Mul(x, &x4)
	v.emit(x, x, &x2)
	v.emit(&x2, &x2, &x4)
	v.emit(x, &x4, &x5)
	x.Add(&x5, key)
	v.newAux(&x2)
	v.newAux(&x4)
	v.newAux(x)
}
