package caffe

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/hdf5"
	"dns-tui/files"
)

// What Caffe's HDF5 snapshots hold: a caffemodel has data/LAYER/N for the N-th blob of each layer; a solverstate has
// iter, learned_net, current_step and history/N. Caffe opens these by name and ignores others, so what is ours stands
// beside them, as the bytes of a message: the net without its blobs, the state of the run.
const (
	hdf5Data    = "data"
	hdf5History = "history"
	hdf5Ours    = "dns_tui"
	hdf5Sum     = "dns_tui_sha256"
)

// IsHDF5Name reports whether a file of this name is written in HDF5. Caffe decides so, too, but takes .H5 for another.
func IsHDF5Name(path string) bool { return files.HasExt(path, ".h5") }

func openHDF5(path string) (*hdf5.File, *hdf5.Group, error) {
	f, err := hdf5.Open(path)
	if err != nil {
		return nil, nil, err
	}
	root, err := f.Root()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, root, nil
}

// fileError is err as a FileError.
func fileError(path string, err error) error {
	if h, ok := errors.AsType[*hdf5.Error](err); ok {
		return &FileError{Path: h.Path, Msg: h.Msg, Err: err}
	}
	return &FileError{Path: path, Msg: err.Error(), Err: err}
}

// readNetHDF5 reads a caffemodel in HDF5. One that Caffe wrote names no layer types, and its layers are in the order of
// their names. A blob that Caffe left out, because the layer shares it, is there without shape and data.
func readNetHDF5(path string) (*caffepb.NetParameter, error) {
	f, root, err := openHDF5(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	defer f.Close()
	n := &caffepb.NetParameter{}
	if root.Has(hdf5Ours) {
		if err := readMessage(root, n); err != nil {
			return nil, fileError(path, err)
		}
	}
	if !root.Has(hdf5Data) {
		return nil, &FileError{Path: path, Msg: "is not a caffemodel: it has no group /" + hdf5Data}
	}
	at := map[string]*caffepb.LayerParameter{}
	var names LayerNames
	for _, l := range n.Layer {
		at[names.Next(l.GetName(), l.GetType())] = l
	}
	err = readLayers(root, hdf5Data, "", func(name string, blobs []*caffepb.BlobProto) {
		l := at[name]
		if l == nil {
			l = &caffepb.LayerParameter{Name: proto.String(name)}
			n.Layer = append(n.Layer, l)
		}
		l.Blobs = blobs
	})
	if err != nil {
		return nil, fileError(path, err)
	}
	return n, nil
}

func readMessage(root *hdf5.Group, m proto.Message) error {
	b, err := readBytes(root, hdf5Ours)
	if err != nil {
		return err
	}
	return proto.Unmarshal(b, m)
}

func readBytes(root *hdf5.Group, name string) ([]byte, error) {
	ds, err := root.Dataset(name)
	if err != nil {
		return nil, err
	}
	return ds.Bytes()
}

// readLayers calls f for each layer of a group. A slash in a layer's name is a group in a group.
func readLayers(in *hdf5.Group, name, prefix string, f func(name string, blobs []*caffepb.BlobProto)) error {
	g, err := in.Group(name)
	if err != nil {
		return err
	}
	var blobs []*caffepb.BlobProto
	var groups []string
	for _, child := range g.Names() {
		i, err := strconv.Atoi(child)
		if err != nil || i < 0 || i > 1000 || strconv.Itoa(i) != child {
			groups = append(groups, child)
			continue
		}
		b, err := readBlobHDF5(g, child)
		if err != nil {
			// A layer may be called by a number.
			if _, other := g.Group(child); other == nil {
				groups = append(groups, child)
				continue
			}
			return err
		}
		for len(blobs) <= i {
			blobs = append(blobs, &caffepb.BlobProto{})
		}
		blobs[i] = b
	}
	if prefix != "" && (len(blobs) > 0 || len(groups) == 0) {
		f(strings.TrimSuffix(prefix, "/"), blobs)
	}
	for _, child := range groups {
		if err := readLayers(g, child, prefix+child+"/", f); err != nil {
			return err
		}
	}
	return nil
}

func readBlobHDF5(g *hdf5.Group, name string) (*caffepb.BlobProto, error) {
	ds, err := g.Dataset(name)
	if err != nil {
		return nil, err
	}
	v, err := ds.Floats()
	return NewBlob(ds.Shape, v), err
}

func addBlob(g *hdf5.Node, name string, b *caffepb.BlobProto) {
	g.Floats(name, Shape(b), Values(b), nil)
}

// prepareNetHDF5 writes a caffemodel in HDF5, up to the rename.
func prepareNetHDF5(path string, n *caffepb.NetParameter) (*Prepared, error) {
	root := hdf5.NewGroup()
	data := root.Group(hdf5Data)
	bare := &caffepb.NetParameter{Name: n.Name}
	var names LayerNames
	for _, l := range n.Layer {
		g := data
		for part := range strings.SplitSeq(names.Next(l.GetName(), l.GetType()), "/") {
			if g = g.Group(part); !g.IsGroup() {
				return nil, clash(path, l)
			}
		}
		for i, b := range l.Blobs {
			if g.Has(strconv.Itoa(i)) {
				return nil, clash(path, l)
			}
			if err := CheckBlob(b); err != nil {
				return nil, &FileError{
					Path: path,
					Msg:  "not written: layer " + l.GetName() + ": " + err.Error(),
					Err:  err,
				}
			}
			addBlob(g, strconv.Itoa(i), b)
		}
		blobs := l.Blobs
		l.Blobs = nil
		bare.Layer = append(bare.Layer, proto.CloneOf(l))
		l.Blobs = blobs
	}
	ours, err := proto.MarshalOptions{Deterministic: true}.Marshal(bare)
	if err != nil {
		return nil, &FileError{Path: path, Msg: err.Error(), Err: err}
	}
	return prepareHDF5(path, root, ours)
}

func clash(path string, l *caffepb.LayerParameter) error {
	return &FileError{
		Path: path,
		Msg: "not written: layer " + l.GetName() + " and a blob of another layer have one name in HDF5; " +
			"wanted snapshot_format BINARYPROTO, or another name",
	}
}

func prepareHDF5(path string, root *hdf5.Node, ours []byte) (*Prepared, error) {
	root.Bytes(hdf5Ours, ours)
	return prepare(path, func(w io.Writer) error { return hdf5.Write(w, root) })
}

// readStateHDF5 reads a solverstate in HDF5.
func readStateHDF5(path string) (*caffepb.SolverState, error) {
	f, root, err := openHDF5(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	defer f.Close()
	if !root.Has("iter") {
		return nil, &FileError{Path: path, Msg: "is not a solverstate: it has no dataset /iter"}
	}
	s := &caffepb.SolverState{}
	if err := readState(root, s); err != nil {
		return nil, fileError(path, err)
	}
	return s, nil
}

func readState(root *hdf5.Group, s *caffepb.SolverState) error {
	for name, to := range map[string]**int32{"iter": &s.Iter, "current_step": &s.CurrentStep} {
		ds, err := root.Dataset(name)
		if err != nil {
			return err
		}
		v, err := ds.Int()
		if err != nil {
			return err
		}
		*to = proto.Int32(int32(v))
	}
	if root.Has("learned_net") {
		ds, err := root.Dataset("learned_net")
		if err != nil {
			return err
		}
		v, err := ds.Text()
		if err != nil {
			return err
		}
		s.LearnedNet = proto.String(v)
	}
	history, err := root.Group(hdf5History)
	if err != nil {
		return err
	}
	names := history.Names()
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	for _, name := range names {
		b, err := readBlobHDF5(history, name)
		if err != nil {
			return err
		}
		s.History = append(s.History, b)
	}
	if !root.Has(hdf5Ours) {
		return nil
	}
	s.RunState = &caffepb.RunState{}
	if err := readMessage(root, s.RunState); err != nil || !root.Has(hdf5Sum) {
		return err
	}
	sum, err := readBytes(root, hdf5Sum)
	if err != nil {
		return err
	}
	ours, err := readBytes(root, hdf5Ours)
	if err != nil {
		return err
	}
	if !bytes.Equal(sum, stateSum(s, ours)) {
		return errors.New(damagedMsg)
	}
	return nil
}

// stateSum is the SHA-256 of what a solverstate in HDF5 holds: iteration, name of the weights, our own fields, and the
// history's numbers.
func stateSum(s *caffepb.SolverState, ours []byte) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d %q %d ", s.GetIter(), s.GetCurrentStep(), s.GetLearnedNet(), len(ours))
	h.Write(ours)
	for _, b := range s.History {
		fmt.Fprintf(h, " %s ", FormatShape(Shape(b)))
		_ = binary.Write(h, binary.LittleEndian, Values(b)) // a hash takes everything
	}
	return h.Sum(nil)
}

// prepareStateHDF5 writes a solverstate in HDF5, up to the rename.
func prepareStateHDF5(path string, s *caffepb.SolverState) (*Prepared, error) {
	root := hdf5.NewGroup()
	root.Int("iter", int(s.GetIter()))
	root.Int("current_step", int(s.GetCurrentStep()))
	root.Text("learned_net", s.GetLearnedNet())
	history := root.Group(hdf5History)
	for i, b := range s.History {
		addBlob(history, strconv.Itoa(i), b)
	}
	ours, err := proto.MarshalOptions{Deterministic: true}.Marshal(s.RunState)
	if err != nil {
		return nil, &FileError{Path: path, Msg: err.Error(), Err: err}
	}
	root.Bytes(hdf5Sum, stateSum(s, ours))
	return prepareHDF5(path, root, ours)
}
