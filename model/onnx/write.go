package onnx

import (
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/files"
	"dns-tui/memory"
	"dns-tui/model/onnx/onnxpb"
)

// inside is how many bytes of values a graph holds itself where others are in a file beside it.
const inside = 1024

// alignment is where values in a file of their own begin: a runtime may map them into memory.
const alignment = 4096

// Write writes the graph to path. Where that would be larger than a protobuf message may be, the values are in a file
// of their own beside it, PATH.data, which it returns the name of. Neither file gets its name before both are on the
// disk.
func (m *Model) Write(path string) (data string, err error) {
	return m.write(path, caffe.MaxMessageBytes)
}

func (m *Model) write(path string, most int64) (data string, err error) {
	if m.bytes() <= most {
		if err := memory.Check("the graph with its values", 2*m.bytes()); err != nil {
			return "", &caffe.FileError{Path: path, Msg: "not written: " + err.Error(), Err: err}
		}
		m.fill(func(tensor) bool { return false }, "")
		return "", caffe.WriteBinary(path, m.proto)
	}
	if files.IsStdout(path) {
		return "", &caffe.FileError{
			Path: path,
			Msg: fmt.Sprintf("%d bytes: the values would be in a file of their own "+
				"beside this one, so wanted a name", m.bytes()),
		}
	}
	data = path + ".data"
	beside, err := caffe.PrepareFile(data, m.values)
	if err != nil {
		return "", err
	}
	defer beside.Abort()
	m.fill(external, filepath.Base(data))
	graph, err := caffe.PrepareBinary(path, m.proto)
	if err != nil {
		return "", err
	}
	defer graph.Abort()
	if err := beside.Commit(); err != nil {
		return "", err
	}
	return data, graph.Commit()
}

// bytes is the size of the graph with its values, or a little more.
func (m *Model) bytes() int64 {
	const tensorHead = 128 // at most, names apart
	m.proto.Graph.Initializer = nil
	n := int64(proto.Size(m.proto))
	for _, t := range m.tensors {
		n += tensorHead + int64(len(t.name)+4*len(t.floats)+8*len(t.ints))
	}
	return n
}

// external reports whether a constant is in the file of values, where there is one.
func external(t tensor) bool { return 4*len(t.floats) > inside }

// fill gives the graph its constants; those that beside tells are in the file of that name.
func (m *Model) fill(beside func(tensor) bool, name string) {
	m.proto.Graph.Initializer = nil
	at := int64(0)
	for _, t := range m.tensors {
		p := &onnxpb.TensorProto{Name: proto.String(t.name), Dims: wide(t.shape)}
		switch {
		case t.ints != nil:
			p.DataType = proto.Int32(int32(onnxpb.TensorProto_INT64))
			p.RawData, _ = binary.Append(nil, binary.LittleEndian, t.ints) // of numbers there is no error
		case beside(t):
			p.DataType = proto.Int32(int32(onnxpb.TensorProto_FLOAT))
			p.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
			size := int64(4 * len(t.floats))
			for _, e := range []struct{ key, value string }{
				{"location", name}, {"offset", fmt.Sprint(at)}, {"length", fmt.Sprint(size)},
			} {
				p.ExternalData = append(p.ExternalData,
					&onnxpb.StringStringEntryProto{Key: proto.String(e.key), Value: proto.String(e.value)})
			}
			at = aligned(at + size)
		default:
			p.DataType = proto.Int32(int32(onnxpb.TensorProto_FLOAT))
			p.RawData, _ = binary.Append(nil, binary.LittleEndian, t.floats)
		}
		m.proto.Graph.Initializer = append(m.proto.Graph.Initializer, p)
	}
}

func aligned(n int64) int64 { return (n + alignment - 1) / alignment * alignment }

// values writes the file of values.
func (m *Model) values(w io.Writer) error {
	at := int64(0)
	const chunk = 1 << 16
	buf := make([]byte, 0, 4*chunk)
	for _, t := range m.tensors {
		if !external(t) {
			continue
		}
		if _, err := w.Write(make([]byte, aligned(at)-at)); err != nil {
			return err
		}
		at = aligned(at) + int64(4*len(t.floats))
		for v := t.floats; len(v) > 0; v = v[min(chunk, len(v)):] {
			buf, _ = binary.Append(buf[:0], binary.LittleEndian, v[:min(chunk, len(v))])
			if _, err := w.Write(buf); err != nil {
				return err
			}
		}
	}
	return nil
}
