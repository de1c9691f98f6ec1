package layer_test

import (
	"fmt"
	"runtime/debug"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/layer"
)

// paramFields are the settings of a layer type, where they do not have its name.
var paramFields = map[string][]string{
	"CConvolution": {
		"convolution_param",
		"cconvolution_param",
	}, "CInnerProduct": {"inner_product_param", "cinner_product_param"},
	"Deconvolution": {
		"convolution_param",
	}, "Im2col": {"convolution_param"}, "LSTM": {"recurrent_param"}, "RNN": {"recurrent_param"},
	"SoftmaxWithLoss": {
		"softmax_param",
		"loss_param",
	}, "SigmoidCrossEntropyLoss": {"loss_param"}, "InfogainLoss": {"infogain_loss_param", "loss_param"},
}

func fieldsOf(typ string) []protoreflect.FieldDescriptor {
	fields := (&caffepb.LayerParameter{}).ProtoReflect().Descriptor().Fields()
	var out []protoreflect.FieldDescriptor
	for _, name := range paramFields[typ] {
		out = append(out, fields.ByName(protoreflect.Name(name)))
	}
	for i := range fields.Len() {
		if name := string(fields.Get(i).Name()); strings.ReplaceAll(name, "_", "") == strings.ToLower(typ)+"param" {
			out = append(out, fields.Get(i))
		}
	}
	return out
}

// anyMessage sets some of a message's fields to small numbers, good and bad.
func anyMessage(t *rapid.T, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if rapid.IntRange(0, 2).Draw(t, string(fd.Name())) != 0 {
			continue
		}
		if fd.IsList() {
			for range rapid.IntRange(0, 3).Draw(t, "count") {
				if fd.Message() == nil {
					m.Mutable(fd).List().Append(anyValue(t, fd))
				} else if depth > 0 {
					anyMessage(t, m.Mutable(fd).List().AppendMutable().Message(), depth-1)
				}
			}
		} else if fd.Message() == nil {
			m.Set(fd, anyValue(t, fd))
		} else if depth > 0 {
			anyMessage(t, m.Mutable(fd).Message(), depth-1)
		}
	}
}

func anyValue(t *rapid.T, fd protoreflect.FieldDescriptor) protoreflect.Value {
	name := string(fd.Name())
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, name))
	case protoreflect.EnumKind:
		values := fd.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(rapid.IntRange(0, values.Len()-1).Draw(t, name)).Number())
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(rapid.SampledFrom([]float32{0, 1, -1, 0.5, 2, 1e-3, 300}).Draw(t, name))
	case protoreflect.StringKind:
		if name == "type" {
			return protoreflect.ValueOfString(
				rapid.SampledFrom(
					[]string{"constant", "gaussian", "xavier", "bilinear", "positive_unitball", "nonsense"},
				).
					Draw(t, name),
			)
		}
		return protoreflect.ValueOfString("nowhere/at/all")
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(rapid.SampledFrom([]uint32{0, 1, 1, 2, 2, 3, 4, 7}).Draw(t, name))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(rapid.SampledFrom([]int32{0, 1, 1, 2, 3, -1, -2, 7}).Draw(t, name))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.SampledFrom([]int64{0, 1, 2, 3, -1, 6}).Draw(t, name))
	}
	return fd.Default()
}

// Whatever settings a layer of any kind is given, over bottoms of any shape, it runs or is an error that names it: it
// never panics.
func TestLayersSurviveAnything(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	for _, typ := range layer.Types() {
		if typ == "HDF5Output" || typ == "Data" {
			continue // these have files, and tests of their own
		}
		t.Run(typ, func(t *testing.T) {
			built := 0
			rapid.Check(t, func(t *rapid.T) { built += surviveAnything(t, d, typ) })
			t.Logf("%d nets were built", built)
		})
	}
}

func surviveAnything(t *rapid.T, d *gpu.Device, typ string) (built int) {
	l := &caffepb.LayerParameter{Name: proto.String("l"), Type: proto.String(typ)}
	in := &caffepb.LayerParameter{
		Name:       proto.String("in"),
		Type:       proto.String("Input"),
		InputParam: &caffepb.InputParameter{},
	}
	_, arity, err := layer.New(l)
	if err != nil {
		t.Fatal(err)
	}
	count := func(what string, lo, hi int) int { // mostly as many as the layer takes
		if hi < 0 || hi > lo+2 {
			hi = lo + 2
		}
		if rapid.IntRange(0, 9).Draw(t, what+" at random") == 0 {
			lo, hi = 0, 3
		}
		return rapid.IntRange(lo, hi).Draw(t, what)
	}
	alike := rapid.Bool().Draw(t, "alike")
	for i := range count("bottoms", arity.MinBottom, arity.MaxBottom) {
		s := &caffepb.BlobShape{}
		if alike && i > 0 {
			s = proto.CloneOf(in.InputParam.Shape[0])
		} else {
			for range rapid.SampledFrom([]int{0, 1, 2, 2, 3, 4, 4, 4, 5}).Draw(t, "axes") {
				s.Dim = append(s.Dim, int64(rapid.IntRange(1, 4).Draw(t, "dim")))
			}
		}
		in.InputParam.Shape = append(in.InputParam.Shape, s)
		in.Top = append(in.Top, fmt.Sprint("x", i))
		l.Bottom = append(l.Bottom, fmt.Sprint("x", i))
	}
	for i := range count("tops", arity.MinTop, arity.MaxTop) {
		l.Top = append(l.Top, fmt.Sprint("y", i))
	}
	if len(l.Bottom) > 0 && len(l.Top) > 0 && rapid.IntRange(0, 4).Draw(t, "in place") == 0 {
		l.Top[0] = l.Bottom[0]
	}
	for _, fd := range fieldsOf(typ) {
		if rapid.IntRange(0, 4).Draw(t, "settings") > 0 {
			anyMessage(t, l.ProtoReflect().Mutable(fd).Message(), 1)
		}
	}
	var text string
	if len(in.Top) > 0 {
		text = caffe.FormatPrototxt(&caffepb.NetParameter{Layer: []*caffepb.LayerParameter{in, l}})
	} else {
		text = caffe.FormatPrototxt(&caffepb.NetParameter{Layer: []*caffepb.LayerParameter{l}})
	}
	f, err := caffe.ParseNetPrototxt("n.prototxt", []byte(text))
	if err != nil {
		// ClipParameter's; settings of forks that contradict each other.
		if !strings.Contains(err.Error(), "required field") && !strings.Contains(err.Error(), `layer "l": `) {
			t.Fatalf("%v\n%s", err, text)
		}
		return 0
	}
	phase := rapid.SampledFrom([]caffepb.Phase{caffepb.Phase_TRAIN, caffepb.Phase_TEST}).Draw(t, "phase")
	trace, err := tryNet(f, d, phase, in.Top)
	switch {
	case trace != "":
		t.Fatalf("%s\n%s", text, trace)
	case err != nil && !strings.Contains(err.Error(), `layer "l": (`+typ+`) `):
		t.Fatalf("the error does not name the layer: %v\n%s", err, text)
	case err != nil:
		return 0
	}
	return 1
}

// tryNet builds a net and runs it both ways. A panic comes back as its trace.
func tryNet(f *caffe.NetFile, d *gpu.Device, phase caffepb.Phase, inputs []string) (trace string, err error) {
	defer func() {
		if r := recover(); r != nil {
			trace = fmt.Sprintf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	n, err := model.NewNet(
		f,
		model.NetOptions{Device: d, State: &caffepb.NetState{Phase: phase.Enum()}, Seed: 1, AllGradients: true},
	)
	if err != nil {
		return "", err
	}
	defer n.Close()
	for _, name := range inputs {
		b := n.Blob(name)
		v := make([]float32, b.Data.N)
		for i := range v {
			v[i] = float32(i%3) - 0.5*float32(i%2)
		}
		d.Upload(b.Data, v)
	}
	if _, err := n.Forward(); err == nil {
		n.Backward()
	}
	return "", nil
}
