package model

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"dns-tui/caffe/caffepb"
)

// maxNetEdits bounds the lines about a net that is another.
const maxNetEdits = 20

// edits says in a line a layer what the net's file says differently from the net of a snapshot, whose weights carry
// its layers. What config.Merge tells of, the settings of surgery, is left out.
func (n *Net) edits(was *caffepb.NetParameter) []string {
	type key struct {
		name string
		k    int // of several layers of one name
	}
	old, seen := map[key]*caffepb.LayerParameter{}, map[string]int{}
	for _, l := range was.Layer {
		old[key{l.GetName(), seen[l.GetName()]}] = l
		seen[l.GetName()]++
	}
	clear(seen)
	var out, added, gone []string
	for _, nd := range n.nodes {
		if nd.index < 0 {
			continue
		}
		now := n.stored(nd)
		k := key{now.GetName(), seen[now.GetName()]}
		seen[now.GetName()]++
		before := old[k]
		delete(old, k)
		if before == nil {
			added = append(added, nd.name)
			continue
		}
		var diff []string
		differences("", before.ProtoReflect(), now.ProtoReflect(), &diff)
		if diff != nil {
			out = append(
				out,
				fmt.Sprintf("layer %s was edited since the snapshot: %s", nd.name, strings.Join(diff, ", ")),
			)
		}
	}
	clear(seen)
	for _, l := range was.Layer { // in the file's order
		if old[key{l.GetName(), seen[l.GetName()]}] != nil {
			gone = append(gone, l.GetName())
		}
		seen[l.GetName()]++
	}
	if added != nil {
		out = append(out, "not in the snapshot's net: "+layersNamed(added))
	}
	if gone != nil {
		out = append(out, "in the snapshot's net, and not in the file any more: "+layersNamed(gone))
	}
	if n := len(out); n > maxNetEdits {
		out = append(out[:maxNetEdits], fmt.Sprintf("%d more layers were edited since the snapshot", n-maxNetEdits))
	}
	return out
}

// ignoredFields are the fields of a layer that are no edits of the net, or are reported elsewhere.
var ignoredFields = map[string]bool{
	"name":                              true,
	"phase":                             true,
	"blobs":                             true,
	"include":                           true,
	"exclude":                           true,
	"surgery_rule":                      true,
	"soft_surgery_param":                true,
	"cconvolution_param":                true,
	"cinner_product_param":              true,
	"convolution_param.threshold":       true,
	"inner_product_param.threshold":     true,
	"convolution_param.sparsity_term":   true,
	"inner_product_param.sparsity_term": true,
}

// differences lists the fields of two messages that differ, by their names in a prototxt.
func differences(prefix string, a, b protoreflect.Message, out *[]string) {
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		name := prefix + string(fd.Name())
		if ignoredFields[name] || !a.Has(fd) && !b.Has(fd) {
			continue
		}
		x, y := a.Get(fd), b.Get(fd)
		switch {
		case fd.IsList() && fd.Message() != nil && x.List().Len() == y.List().Len():
			for k := range x.List().Len() {
				differences(fmt.Sprintf("%s[%d].", name, k), x.List().Get(k).Message(), y.List().Get(k).Message(), out)
			}
		case fd.IsList() && fd.Message() != nil:
			*out = append(*out, fmt.Sprintf("%s %d → %d times", name, x.List().Len(), y.List().Len()))
		case fd.Message() != nil && !fd.IsList():
			differences(name+".", x.Message(), y.Message(), out)
		case !x.Equal(y):
			*out = append(*out, fmt.Sprintf("%s %s → %s", name, fieldText(fd, x), fieldText(fd, y)))
		}
	}
}

// fieldText prints a field's value; one that is not set has its default.
func fieldText(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if !fd.IsList() {
		if fd.Enum() != nil {
			if e := fd.Enum().Values().ByNumber(v.Enum()); e != nil {
				return string(e.Name())
			}
		}
		return v.String()
	}
	var all []string
	for k := range v.List().Len() {
		all = append(all, v.List().Get(k).String())
	}
	return "[" + strings.Join(all, " ") + "]"
}
