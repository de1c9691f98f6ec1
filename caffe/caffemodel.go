package caffe

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/compact"
	"dns-tui/caffe/hdf5"
)

// ReadNet reads a caffemodel, in HDF5 and in the forms of 2013 and 2014 too, or a compact file.
func ReadNet(path string) (*caffepb.NetParameter, error) {
	n, _, err := ReadLabelled(path)
	return n, err
}

// ReadLabelled is ReadNet, and the names of classes that a compact file has.
func ReadLabelled(path string) (n *caffepb.NetParameter, labels []string, err error) {
	if compact.Is(path) {
		return readNetCompact(path)
	}
	n, err = readCaffemodel(path)
	return n, nil, err
}

func readCaffemodel(path string) (*caffepb.NetParameter, error) {
	n := &caffepb.NetParameter{}
	if hdf5.Is(path) {
		var err error
		if n, err = readNetHDF5(path); err != nil {
			return nil, err
		}
	} else if err := ReadBinary(path, "caffemodel", n); err != nil {
		if st, stErr := ReadSolverState(path); stErr == nil {
			return nil, &FileError{
				Path: path, Msg: fmt.Sprintf("is a solverstate; its weights are in %s", st.GetLearnedNet()), Err: err,
			}
		}
		return nil, err
	}
	if len(n.Layer) == 0 && len(n.Layers) == 0 {
		return nil, &FileError{Path: path, Msg: "is not a caffemodel: it holds no layer"}
	}
	if _, err := Upgrade(n); err != nil {
		return nil, &FileError{Path: path, Msg: err.Error(), Err: err}
	}
	if err := expandRaw(n); err != nil {
		return nil, &FileError{Path: path, Msg: err.Error(), Err: err}
	}
	if err := proto.CheckInitialized(n); err != nil {
		return nil, &FileError{Path: path, Msg: err.Error(), Err: err}
	}
	return n, nil
}

// WriteNet writes a caffemodel, or where the name says so the same in HDF5, a compact file or safetensors.
func WriteNet(path string, n *caffepb.NetParameter) error {
	p, err := PrepareNet(path, n)
	if err != nil {
		return err
	}
	defer p.Abort()
	return p.Commit()
}

// PrepareNet is WriteNet up to the rename.
func PrepareNet(path string, n *caffepb.NetParameter) (*Prepared, error) {
	return PrepareLabelled(path, n, nil)
}

// PrepareLabelled is PrepareNet with the names of classes, for which a compact file alone has room.
func PrepareLabelled(path string, n *caffepb.NetParameter, labels []string) (*Prepared, error) {
	switch {
	case IsHDF5Name(path):
		return prepareNetHDF5(path, n)
	case IsCompactName(path):
		return prepareCompact(path, n, labels)
	case IsSafetensorsName(path):
		return prepareSafetensors(path, n, false, nil)
	}
	data, err := marshal(path, n)
	if err != nil {
		return nil, err
	}
	return prepare(path, writes(data))
}

// ReadSolverState reads a solverstate, in HDF5 too. One of ours that is damaged is an error.
func ReadSolverState(path string) (*caffepb.SolverState, error) {
	if hdf5.Is(path) {
		return readStateHDF5(path)
	}
	data, err := readFile(path, "solverstate")
	if err != nil {
		return nil, err
	}
	s := &caffepb.SolverState{}
	if err := unmarshal(path, "solverstate", data, s); err != nil {
		return nil, err
	}
	if err := expandRaw(s); err != nil {
		return nil, &FileError{Path: path, Msg: err.Error(), Err: err}
	}
	if s.Iter == nil || len(s.History) == 0 {
		return nil, &FileError{Path: path, Msg: "is not a solverstate: it holds no iteration or no history"}
	}
	if s.Sha256 != nil && !bytes.Equal(appendStateSum(data[:max(0, len(data)-stateSumBytes)]), data) {
		return nil, &FileError{Path: path, Msg: damagedMsg}
	}
	s.Sha256 = nil
	return s, nil
}

const damagedMsg = "is damaged: its content is not what its checksum says"

// WriteSolverState writes a solverstate, in HDF5 where the name says so.
func WriteSolverState(path string, s *caffepb.SolverState) error {
	p, err := PrepareSolverState(path, s)
	if err != nil {
		return err
	}
	defer p.Abort()
	return p.Commit()
}

// PrepareSolverState is WriteSolverState up to the rename.
func PrepareSolverState(path string, s *caffepb.SolverState) (*Prepared, error) {
	if IsHDF5Name(path) {
		return prepareStateHDF5(path, s)
	}
	data, err := marshal(path, s)
	if err != nil {
		return nil, err
	}
	return prepare(path, writes(appendStateSum(data)))
}

// stateSumBytes is the length of the field sha256 at the end of a solverstate.
const stateSumBytes = 3 + sha256.Size

// appendStateSum returns a solverstate followed by its field sha256.
func appendStateSum(data []byte) []byte {
	sum := sha256.Sum256(data)
	number := (&caffepb.SolverState{}).ProtoReflect().Descriptor().Fields().ByName("sha256").Number()
	out := protowire.AppendTag(slices.Clip(data), number, protowire.BytesType)
	return protowire.AppendBytes(out, sum[:])
}

// ReadMean reads a mean image (binaryproto).
func ReadMean(path string) (*caffepb.BlobProto, error) {
	return readBlob(path, "binaryproto mean image")
}

// ReadMatrix reads the matrix of an InfogainLoss (binaryproto).
func ReadMatrix(path string) (*caffepb.BlobProto, error) {
	return readBlob(path, "binaryproto matrix")
}

func readBlob(path, kind string) (*caffepb.BlobProto, error) {
	b := &caffepb.BlobProto{}
	if err := ReadBinary(path, kind, b); err != nil {
		return nil, err
	}
	err := expandRaw(b)
	if err == nil {
		err = CheckBlob(b)
	}
	if err != nil {
		return nil, &FileError{Path: path, Msg: err.Error()}
	}
	if len(Values(b)) == 0 {
		return nil, &FileError{Path: path, Msg: "holds no values (wanted a " + kind + ")"}
	}
	return b, nil
}

// Shape returns the extents of b, from shape or from the old num, channels, height and width.
func Shape(b *caffepb.BlobProto) []int {
	if b.Num != nil || b.Channels != nil || b.Height != nil || b.Width != nil {
		return []int{int(b.GetNum()), int(b.GetChannels()), int(b.GetHeight()), int(b.GetWidth())}
	}
	s := make([]int, len(b.GetShape().GetDim()))
	for i, d := range b.GetShape().GetDim() {
		s[i] = int(d)
	}
	return s
}

// IsLegacy reports whether b has the old four extents.
func IsLegacy(b *caffepb.BlobProto) bool {
	return b.Num != nil || b.Channels != nil || b.Height != nil || b.Width != nil
}

// Count returns the number of elements of a shape, or -1 where an extent is negative or the product overflows.
func Count(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 || d > 0 && n > (1<<46)/d {
			return -1
		}
		n *= d
	}
	return n
}

// Values returns the data of b as float32, whichever of data and double_data holds it.
func Values(b *caffepb.BlobProto) []float32 { return floats(b.Data, b.DoubleData) }

// Diff returns the gradient of b as float32, or nil where the file holds none.
func Diff(b *caffepb.BlobProto) []float32 { return floats(b.Diff, b.DoubleDiff) }

func floats(single []float32, double []float64) []float32 {
	if len(single) > 0 || len(double) == 0 {
		return single
	}
	out := make([]float32, len(double))
	for i, v := range double {
		out[i] = float32(v)
	}
	return out
}

// MaxAxes is how many axes a blob may have (Caffe's kMaxBlobAxes).
const MaxAxes = 32

// CheckBlob reports a blob of too many axes, or whose number of values is not what its shape says.
func CheckBlob(b *caffepb.BlobProto) error {
	if n := len(b.GetShape().GetDim()); n > MaxAxes {
		return fmt.Errorf("a blob has %d axes; wanted at most %d", n, MaxAxes)
	}
	want, have := Count(Shape(b)), len(b.Data)+len(b.DoubleData)
	if want != have {
		return fmt.Errorf("a blob of shape %s holds %d values, wanted %d", FormatShape(Shape(b)), have, want)
	}
	return nil
}

// NewBlob returns a BlobProto of the given shape that holds data (not a copy).
func NewBlob(shape []int, data []float32) *caffepb.BlobProto {
	s := &caffepb.BlobShape{}
	for _, d := range shape {
		s.Dim = append(s.Dim, int64(d))
	}
	return &caffepb.BlobProto{Shape: s, Data: data}
}

// FormatShape returns a shape as 20x1x5x5, or "scalar". Of more axes than a blob may have it shows the first.
func FormatShape(shape []int) string {
	if len(shape) == 0 {
		return "scalar"
	}
	var s strings.Builder
	for i, d := range shape {
		if i > 0 {
			s.WriteByte('x')
		}
		if i == MaxAxes {
			fmt.Fprintf(&s, "… (%d axes)", len(shape))
			break
		}
		s.WriteString(strconv.Itoa(d))
	}
	return s.String()
}
