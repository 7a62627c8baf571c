// Command gen writes the assembly of package ifma: see there for what it is. Run it
// by go generate in that folder.
package main

import (
	"log"
	"os"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: gen <folder of package ifma>")
	}
	// avo writes its command line into the files: it must not depend on the folder.
	if err := os.Chdir(os.Args[1]); err != nil {
		log.Fatal(err)
	}
	if err := writeLayout("layout.go"); err != nil {
		log.Fatal(err)
	}
	os.Args = []string{"gen", "-out", "kernels_amd64.s", "-stubs", "kernels_amd64.go", "-pkg", "ifma"}
	ConstraintExpr("amd64,!purego")
	multiplication()
	additionG1()
	additionG2()
	decoding("decodeG1", 0, 1)
	decoding("decodeG2", 1, 0, 3, 2)
	transform()
	Generate()
}
