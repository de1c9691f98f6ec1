package caffe

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"dns-tui/caffe/caffepb"
)

// v0Types are the V1 names of the V0 layer types (Caffe's UpgradeV0LayerType).
var v0Types = map[string]caffepb.V1LayerParameter_LayerType{
	"accuracy":                  caffepb.V1LayerParameter_ACCURACY,
	"bnll":                      caffepb.V1LayerParameter_BNLL,
	"concat":                    caffepb.V1LayerParameter_CONCAT,
	"conv":                      caffepb.V1LayerParameter_CONVOLUTION,
	"data":                      caffepb.V1LayerParameter_DATA,
	"dropout":                   caffepb.V1LayerParameter_DROPOUT,
	"euclidean_loss":            caffepb.V1LayerParameter_EUCLIDEAN_LOSS,
	"flatten":                   caffepb.V1LayerParameter_FLATTEN,
	"hdf5_data":                 caffepb.V1LayerParameter_HDF5_DATA,
	"hdf5_output":               caffepb.V1LayerParameter_HDF5_OUTPUT,
	"im2col":                    caffepb.V1LayerParameter_IM2COL,
	"images":                    caffepb.V1LayerParameter_IMAGE_DATA,
	"infogain_loss":             caffepb.V1LayerParameter_INFOGAIN_LOSS,
	"innerproduct":              caffepb.V1LayerParameter_INNER_PRODUCT,
	"lrn":                       caffepb.V1LayerParameter_LRN,
	"multinomial_logistic_loss": caffepb.V1LayerParameter_MULTINOMIAL_LOGISTIC_LOSS,
	"pool":                      caffepb.V1LayerParameter_POOLING,
	"relu":                      caffepb.V1LayerParameter_RELU,
	"sigmoid":                   caffepb.V1LayerParameter_SIGMOID,
	"softmax":                   caffepb.V1LayerParameter_SOFTMAX,
	"softmax_loss":              caffepb.V1LayerParameter_SOFTMAX_LOSS,
	"split":                     caffepb.V1LayerParameter_SPLIT,
	"tanh":                      caffepb.V1LayerParameter_TANH,
	"window_data":               caffepb.V1LayerParameter_WINDOW_DATA,
}

// v0Fields says where a V0 field goes in V1, by V0 layer type; "" is any (Caffe's UpgradeV0LayerParameter).
var v0Fields = map[protoreflect.Name]map[string]string{
	"num_output": {"conv": "convolution_param.num_output", "innerproduct": "inner_product_param.num_output"},
	"biasterm":   {"conv": "convolution_param.bias_term", "innerproduct": "inner_product_param.bias_term"},
	"weight_filler": {
		"conv":         "convolution_param.weight_filler",
		"innerproduct": "inner_product_param.weight_filler",
	},
	"bias_filler":   {"conv": "convolution_param.bias_filler", "innerproduct": "inner_product_param.bias_filler"},
	"pad":           {"conv": "convolution_param.pad", "pool": "pooling_param.pad"},
	"kernelsize":    {"conv": "convolution_param.kernel_size", "pool": "pooling_param.kernel_size"},
	"group":         {"conv": "convolution_param.group"},
	"stride":        {"conv": "convolution_param.stride", "pool": "pooling_param.stride"},
	"pool":          {"pool": "pooling_param.pool"},
	"dropout_ratio": {"dropout": "dropout_param.dropout_ratio"},
	"local_size":    {"lrn": "lrn_param.local_size"},
	"alpha":         {"lrn": "lrn_param.alpha"},
	"beta":          {"lrn": "lrn_param.beta"},
	"k":             {"lrn": "lrn_param.k"},
	"source": {
		"data":          "data_param.source",
		"hdf5_data":     "hdf5_data_param.source",
		"images":        "image_data_param.source",
		"window_data":   "window_data_param.source",
		"infogain_loss": "infogain_loss_param.source",
	},
	"scale":    {"": "transform_param.scale"},
	"meanfile": {"": "transform_param.mean_file"},
	"batchsize": {
		"data":        "data_param.batch_size",
		"hdf5_data":   "hdf5_data_param.batch_size",
		"images":      "image_data_param.batch_size",
		"window_data": "window_data_param.batch_size",
	},
	"cropsize":          {"": "transform_param.crop_size"},
	"mirror":            {"": "transform_param.mirror"},
	"rand_skip":         {"data": "data_param.rand_skip", "images": "image_data_param.rand_skip"},
	"shuffle_images":    {"images": "image_data_param.shuffle"},
	"new_height":        {"images": "image_data_param.new_height"},
	"new_width":         {"images": "image_data_param.new_width"},
	"concat_dim":        {"concat": "concat_param.concat_dim"},
	"det_fg_threshold":  {"window_data": "window_data_param.fg_threshold"},
	"det_bg_threshold":  {"window_data": "window_data_param.bg_threshold"},
	"det_fg_fraction":   {"window_data": "window_data_param.fg_fraction"},
	"det_context_pad":   {"window_data": "window_data_param.context_pad"},
	"det_crop_mode":     {"window_data": "window_data_param.crop_mode"},
	"hdf5_output_param": {"hdf5_output": "hdf5_output_param"},
	// The same in every V1 layer.
	"name": {"": "name"}, "blobs": {"": "blobs"}, "blobs_lr": {"": "blobs_lr"}, "weight_decay": {"": "weight_decay"},
}

// upgradeV0 turns layers of the V0 form of 2013, which have their settings in a field called layer, into V1 layers.
// It returns which of the layers stayed (padding goes into the layer that it pads), and the fields that Caffe drops
// because a layer's type has no place for them.
func upgradeV0(n *caffepb.NetParameter) (stayed []int, dropped []string, err error) {
	layers, stayed, err := foldPadding(n)
	if err != nil {
		return nil, nil, err
	}
	for i, old := range layers {
		l := &caffepb.V1LayerParameter{Bottom: old.Bottom, Top: old.Top}
		v0 := old.GetLayer()
		if v0 != nil && v0.Type != nil {
			t, ok := v0Types[v0.GetType()]
			if !ok {
				return nil, nil, fmt.Errorf(
					"layer %q has the V0 type %q, which Caffe does not have%s",
					v0.GetName(),
					v0.GetType(),
					hintType(v0.GetType()),
				)
			}
			l.Type = t.Enum()
		}
		if v0 != nil {
			var lost []string
			v0.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
				if fd.Name() == "type" {
					return true
				}
				path, ok := v0Fields[fd.Name()][v0.GetType()]
				if !ok {
					path, ok = v0Fields[fd.Name()][""]
				}
				if !ok {
					lost = append(lost, fmt.Sprintf("%s of layer %q (%s)", fd.Name(), v0.GetName(), v0.GetType()))
					return true
				}
				setPath(l.ProtoReflect(), path, fd, v)
				return true
			})
			slices.Sort(lost)
			dropped = append(dropped, lost...)
		}
		layers[i] = l
	}
	n.Layers = layers
	return stayed, dropped, nil
}

func hintType(name string) string {
	if c := Closest(name, slices.Sorted(maps.Keys(v0Types))); c != "" {
		return fmt.Sprintf("; did you mean %q?", c)
	}
	return ""
}

// setPath sets the field that a path of names leads to. A value goes into a list as its only element, and an enum by
// its name.
func setPath(m protoreflect.Message, path string, from protoreflect.FieldDescriptor, v protoreflect.Value) {
	head, rest, nested := strings.Cut(path, ".")
	fd := m.Descriptor().Fields().ByName(protoreflect.Name(head))
	switch {
	case nested:
		setPath(m.Mutable(fd).Message(), rest, from, v)
	case fd.IsList() && !from.IsList():
		m.Mutable(fd).List().Append(v)
	case fd.Kind() == protoreflect.EnumKind:
		name := from.Enum().Values().ByNumber(v.Enum()).Name()
		m.Set(fd, protoreflect.ValueOfEnum(fd.Enum().Values().ByName(name).Number()))
	case fd.Kind() == protoreflect.Uint32Kind && from.Kind() == protoreflect.Int32Kind:
		m.Set(fd, protoreflect.ValueOfUint32(uint32(max(0, v.Int()))))
	default:
		m.Set(fd, v)
	}
}

// foldPadding takes padding layers out: the convolution or pooling below gets their pad and their bottom (Caffe's
// UpgradeV0PaddingLayers).
func foldPadding(n *caffepb.NetParameter) (layers []*caffepb.V1LayerParameter, stayed []int, err error) {
	made := map[string]*caffepb.V1LayerParameter{} // the padding layer that a blob comes from, or nil
	for _, name := range n.Input {
		made[name] = nil
	}
	for i, l := range n.Layers {
		padding := l.GetLayer().GetType() == "padding"
		if !padding {
			layers, stayed = append(layers, l), append(stayed, i)
		}
		for j, name := range l.Bottom {
			pad, ok := made[name]
			if !ok {
				return nil, nil, fmt.Errorf("layer %q has the unknown bottom blob %q", l.GetLayer().GetName(), name)
			}
			if pad == nil {
				continue
			}
			if t := l.GetLayer().GetType(); t != "conv" && t != "pool" {
				return nil, nil, fmt.Errorf(
					"layer %q (%s) is padded by layer %q; wanted a conv or a pool",
					l.GetLayer().GetName(),
					t,
					pad.GetLayer().GetName(),
				)
			}
			if len(l.Bottom) != 1 || len(pad.Bottom) != 1 || len(pad.Top) != 1 {
				return nil, nil, fmt.Errorf(
					"layer %q is padded by layer %q; wanted one bottom, and of the padding one bottom and one top",
					l.GetLayer().GetName(),
					pad.GetLayer().GetName(),
				)
			}
			l.Layer.Pad = proto.Uint32(pad.GetLayer().GetPad())
			l.Bottom[j] = pad.Bottom[0]
		}
		for _, name := range l.Top {
			if made[name] = nil; padding {
				made[name] = l
			}
		}
	}
	return layers, stayed, nil
}
