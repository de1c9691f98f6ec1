package caffe

import (
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/compact"
	"dns-tui/files"
)

// CompactOf returns the layers of a net that have blobs as a compact file has them; values are not copied. The net
// has no masks any more. Of a layer, its name and type are kept: a compact file has weights, and the net is in its
// prototxt. Parameters that layers share, by the names that the net gives them, are there once.
func CompactOf(n *caffepb.NetParameter, labels []string) *compact.File {
	f := &compact.File{Net: n.GetName(), Labels: labels}
	type numbered struct {
		compact.Blob
		number int // from 1
	}
	blobs, named := 0, map[string]numbered{} // the first of a name
	for _, l := range n.Layer {
		if len(l.Blobs) == 0 {
			continue
		}
		out := compact.Layer{Name: l.GetName(), Type: l.GetType()}
		for i, b := range l.Blobs {
			blobs++
			if isAbsent(b) {
				out.Blobs = append(out.Blobs, compact.Blob{Absent: true})
				continue
			}
			blob := compact.Blob{Shape: Shape(b), Legacy: IsLegacy(b), Values: Values(b)}
			if name := ParamName(l, i); name != "" {
				if first, ok := named[name]; !ok {
					named[name] = numbered{blob, blobs}
				} else if equal(first.Blob, blob) {
					blob.SharedWith = first.number
				}
			}
			out.Blobs = append(out.Blobs, blob)
		}
		f.Layers = append(f.Layers, out)
	}
	return f
}

// ParamName is the name that blob i of a layer is shared by; "" where it has none.
func ParamName(l *caffepb.LayerParameter, i int) string {
	if i >= len(l.Param) {
		return ""
	}
	return l.Param[i].GetName()
}

// equal reports whether two blobs are the same, values by their bits.
func equal(a, b compact.Blob) bool {
	bits := func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) }
	return a.Legacy == b.Legacy && slices.Equal(a.Shape, b.Shape) && slices.EqualFunc(a.Values, b.Values, bits)
}

// isAbsent tells a blob that Caffe left out of an HDF5 file because its layer shares it.
func isAbsent(b *caffepb.BlobProto) bool {
	return b.Shape == nil && !IsLegacy(b) && len(b.Data)+len(b.DoubleData) == 0
}

// netOf is the net of a compact file.
func netOf(f *compact.File) *caffepb.NetParameter {
	n := &caffepb.NetParameter{Name: proto.String(f.Net)}
	shared := map[int]bool{} // blobs that others are, too, by their number
	for _, l := range f.Layers {
		for _, b := range l.Blobs {
			shared[b.SharedWith] = true
		}
	}
	blobs := 0
	for _, l := range f.Layers {
		out := &caffepb.LayerParameter{Name: proto.String(l.Name), Type: proto.String(l.Type)}
		for i, b := range l.Blobs {
			if blobs++; b.SharedWith > 0 {
				nameParam(out, i, b.SharedWith)
			} else if shared[blobs] {
				nameParam(out, i, blobs)
			}
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

// nameParam gives blob i of a layer the name that says with which it is shared. A compact file keeps none.
func nameParam(l *caffepb.LayerParameter, i, number int) {
	for len(l.Param) <= i {
		l.Param = append(l.Param, &caffepb.ParamSpec{})
	}
	l.Param[i].Name = proto.String(fmt.Sprintf("blob %d", number))
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
