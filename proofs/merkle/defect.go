package merkle

import (
	"errors"
	"fmt"
	"io"
)

// Defect is what is wrong with a sector's files, as a word that is stored and
// shown and never changes its meaning.
type Defect string

// The defects, in the order in which they are looked for.
const (
	// DefectMissing: a file is not there.
	DefectMissing Defect = "missing"
	// DefectSize: a file is too short, or ends before its size.
	DefectSize Defect = "size"
	// DefectNode: 32 bytes are not a field element.
	DefectNode Defect = "node"
	// DefectRoot: the tree files do not have the root that p_aux names.
	DefectRoot Defect = "root"
	// DefectCommR: p_aux does not hash to the CommR on chain.
	DefectCommR Defect = "comm_r"
	// DefectSegment: a piece of the replica does not hash to the node kept for it.
	DefectSegment Defect = "segment"
	// DefectRow: a kept row does not hash to the row kept above it.
	DefectRow Defect = "row"
)

// DefectError says which file of a sector is defective and how. Any other error
// of this package's readers means that it could not be told.
type DefectError struct {
	Defect Defect
	File   string // a tree file's name, "p_aux" or "replica"
	Detail string
}

func (e *DefectError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.File, e.Defect, e.Detail)
}

func defect(d Defect, file, format string, args ...any) error {
	return &DefectError{Defect: d, File: file, Detail: fmt.Sprintf(format, args...)}
}

// File is what is read of a sector, wherever it lies. *io.SectionReader and
// *bytes.Reader are such files.
type File interface {
	io.ReaderAt
	Size() int64
}

// checkFile returns a defect if the file is absent or cut off. What a longer one has
// at its end does not count, as for filecoin-proofs.
func checkFile(name string, f File, size uint64) error {
	if f == nil {
		return defect(DefectMissing, name, "not there")
	}
	if f.Size() < int64(size) {
		return defect(DefectSize, name, "%d bytes, want %d", f.Size(), size)
	}
	return nil
}

// readAt fills buf. A file that ends before its own size is defective; any other
// failure is the reader's.
func readAt(name string, f File, buf []byte, offset int64) error {
	n, err := f.ReadAt(buf, offset)
	if n == len(buf) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return defect(DefectSize, name, "ends at byte %d, before its size of %d", offset+int64(n), f.Size())
	}
	return fmt.Errorf("read %s at %d: %w", name, offset, err)
}
