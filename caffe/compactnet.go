package caffe

import (
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/compact"
	"dns-tui/files"
)

// CompactOf returns the layers of a net that have blobs as a compact file has them; values are not copied. The net
// has no masks any more. Of a layer, its name and type are kept: a compact file has weights, and the net is in its
// prototxt.
func CompactOf(n *caffepb.NetParameter, labels []string) *compact.File {
	f := &compact.File{Net: n.GetName(), Labels: labels}
	for _, l := range n.Layer {
		if len(l.Blobs) == 0 {
			continue
		}
		out := compact.Layer{Name: l.GetName(), Type: l.GetType()}
		for _, b := range l.Blobs {
			if isAbsent(b) {
				out.Blobs = append(out.Blobs, compact.Blob{Absent: true})
				continue
			}
			out.Blobs = append(out.Blobs, compact.Blob{Shape: Shape(b), Legacy: IsLegacy(b), Values: Values(b)})
		}
		f.Layers = append(f.Layers, out)
	}
	return f
}

// isAbsent tells a blob that Caffe left out of an HDF5 file because its layer shares it.
func isAbsent(b *caffepb.BlobProto) bool {
	return b.Shape == nil && !IsLegacy(b) && len(b.Data)+len(b.DoubleData) == 0
}

// netOf is the net of a compact file.
func netOf(f *compact.File) *caffepb.NetParameter {
	n := &caffepb.NetParameter{Name: proto.String(f.Net)}
	for _, l := range f.Layers {
		out := &caffepb.LayerParameter{Name: proto.String(l.Name), Type: proto.String(l.Type)}
		for _, b := range l.Blobs {
			blob := NewBlob(b.Shape, b.Values)
			switch {
			case b.Absent:
				blob = &caffepb.BlobProto{}
			case b.Legacy && len(b.Shape) == 4:
				d := func(i int) *int32 { return proto.Int32(int32(b.Shape[i])) }
				blob = &caffepb.BlobProto{Num: d(0), Channels: d(1), Height: d(2), Width: d(3), Data: b.Values}
			}
			out.Blobs = append(out.Blobs, blob)
		}
		n.Layer = append(n.Layer, out)
	}
	return n
}

// ReadCompact reads a compact file, and what it says of itself.
func ReadCompact(path string) (*compact.File, *compact.Info, error) {
	r, err := files.Open(path)
	if err != nil {
		return nil, nil, &FileError{Path: path, Msg: Cause(err).Error() + " (wanted a compact file)", Err: err}
	}
	defer r.Close()
	f, info, err := compact.Read(r)
	if err != nil {
		return nil, nil, &FileError{Path: path, Msg: Cause(err).Error(), Err: err}
	}
	return f, info, nil
}

func readNetCompact(path string) (n *caffepb.NetParameter, labels []string, err error) {
	f, _, err := ReadCompact(path)
	if err != nil {
		return nil, nil, err
	}
	if len(f.Layers) == 0 {
		return nil, nil, &FileError{Path: path, Msg: "holds no layer"}
	}
	return netOf(f), f.Labels, nil
}

// IsCompactName reports whether a file of this name is written as a compact file.
func IsCompactName(path string) bool { return files.HasExt(path, ".dnz") }

// prepareCompact writes a net without masks as a compact file, up to the rename.
func prepareCompact(path string, n *caffepb.NetParameter, labels []string) (*Prepared, error) {
	p, err := compact.NewPlan(CompactOf(n, labels))
	if err != nil {
		return nil, &FileError{Path: path, Msg: "not written: " + err.Error(), Err: err}
	}
	return prepare(path, p.Write)
}

// WriteCompact writes a compact file.
func WriteCompact(path string, p *compact.Plan) error { return WriteFile(path, p.Write) }
