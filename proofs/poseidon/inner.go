package poseidon

import "github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

// innerProduct sets dst to the sum of a[i]*b[i]. dst may not be one of them.
func innerProduct(dst *fr.Element, a, b []fr.Element) {
	var sum, term fr.Element
	for i := range a {
		term.Mul(&a[i], &b[i])
		sum.Add(&sum, &term)
	}
	*dst = sum
}
