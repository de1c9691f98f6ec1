// Package compact reads and writes compact files (.dnz): the weights of a pruned net in few bytes. Of each blob only
// the entries that are not +0 are kept: which they are (their positions) as a bitmap or as gaps between them,
// whichever is smaller, or all entries where that is; and their values as float32, as float16 or as places in a
// codebook, where that loses no bit. Gaps, exponents and places are in Huffman codes. docs/formats.md has the format
// byte by byte, with a decoder in Python.
//
// What is written is what is read, bit for bit, -0, infinities and NaNs included. Who wants fewer bits changes the
// values before: Cluster and RoundHalf. The writer sees that a blob has few values, or such as float16 has.
//
// The code is our own for the sake of that decoder, which has some seventy lines: zstd or the Huffman codes of its
// libraries would be ten times as long in Python, whose standard library has neither.
package compact

import (
	"fmt"
	"os"

	"dns-tui/files"
)

// magic begins every compact file; behind it is the version of the format.
const (
	magic         = "\x89DNZ"
	version       = 1 // what every program reads
	sharedVersion = 2 // has blobs that are shared. Written only where there are some
)

// File is the content of a compact file.
type File struct {
	Net    string
	Labels []string // of the classes; nil where they are not known
	Layers []Layer
}

// Layer is a layer with its parameters.
type Layer struct {
	Name, Type string
	Blobs      []Blob
}

// Blob is a parameter.
type Blob struct {
	Shape []int
	// Legacy: the shape is num, channels, height and width, as Caffe had it before 2014, where leading ones mean
	// nothing.
	Legacy bool
	// Absent: the blob is shared with another layer, which has it. It has neither shape nor values.
	Absent bool
	// SharedWith is the number of the blob before that this one is, too, counted from 1 through all layers; 0: it is
	// its own. It has the shape and the values of that.
	SharedWith int
	Values     []float32
}

// Positions are how a compact file says which entries of a blob are kept.
type Positions uint8

// The values are those in the file.
const (
	Dense  Positions = iota // all are, zeros too
	Bitmap                  // a bit for each entry
	Gaps                    // the number of zeros before each kept entry
)

func (p Positions) String() string { return [...]string{"dense", "bitmap", "gaps"}[p] }

// Numbers are how a compact file has values.
type Numbers uint8

// The values are those in the file.
const (
	Float32 Numbers = iota
	Float16
	Codebook // places in a table of at most 256 values
)

func (n Numbers) String() string { return [...]string{"float32", "float16", "codebook"}[n] }

// Form is how a compact file has a blob.
type Form struct {
	Positions Positions
	Numbers   Numbers
	Entries   int   // of the blob
	Kept      int   // entries that are not +0
	Values    int   // of the codebook
	Bytes     int64 // of positions and values together; of a shared blob 0
	// SharedWith is as of a Blob. The other fields are those of the blob that is shared.
	SharedWith int
}

// LayerInfo is what a compact file says of a layer ahead of its values.
type LayerInfo struct {
	Name, Type string
	Shapes     [][]int
	Forms      []Form
	Offset     int64 // of the layer's first byte in the file
	Bytes      int64 // from there to its checksum, which is counted too
	absent     []bool
	legacy     []bool
}

// Info is what a compact file says ahead of its values.
type Info struct {
	Net    string
	Labels []string
	Layers []LayerInfo
	Bytes  int64 // of the file
}

// checksumBytes is the length of a CRC-32 (IEEE 802.3, as zlib's) in the file.
const checksumBytes = 4

// maxAxes is how many axes a blob may have (Caffe's kMaxBlobAxes).
const maxAxes = 32

// count returns the number of entries of a shape, or -1 where an extent is negative or there are 2^40 or more.
func count(shape []int) int {
	const most = 1 << 40
	n := 1
	for _, d := range shape {
		if d < 0 || d > 0 && n > most/d {
			return -1
		}
		n *= d
	}
	return n
}

// Is reports whether the file in path begins as a compact file does, or would if it had not been cut within that.
func Is(path string) bool {
	if files.BeginsWith(path, magic) {
		return true
	}
	st, err := os.Stat(path)
	return err == nil && st.Size() > 0 && st.Size() < int64(len(magic)) && files.BeginsWith(path, magic[:st.Size()])
}

// An Error says what is wrong with the bytes of a compact file, and where.
type Error struct{ Msg string }

func (e *Error) Error() string { return e.Msg }

func errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }
