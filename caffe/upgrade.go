package caffe

import (
	"bytes"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"dns-tui/caffe/caffepb"
)

// Upgrade brings a net from the forms of 2014 and later to the present one, in place, as Caffe's upgrade tools do, and
// returns what it did, a line each; none where there was nothing to do.
func Upgrade(n *caffepb.NetParameter) ([]string, error) {
	did, _, err := upgrade(n)
	return did, err
}

// upgrade is Upgrade. It also returns the numbers that the layers had, or nil where they are the same; -1 is a layer
// that was not there.
func upgrade(n *caffepb.NetParameter) (did []string, was []int, err error) {
	if isV0(n) {
		count := len(n.Layers)
		var dropped []string
		if was, dropped, err = upgradeV0(n); err != nil {
			return nil, nil, err
		}
		did = append(did, fmt.Sprintf("%d layers in the V0 form of 2013", count))
		if len(dropped) > 0 {
			did = append(did, "fields that their layers have no use for, left out: "+strings.Join(dropped, ", "))
		}
	}
	if len(n.Layers) > 0 {
		if len(n.Layer) > 0 {
			return nil, nil, fmt.Errorf(
				"holds %d layers in the V1 form (\"layers\") and %d in the present one (\"layer\"); wanted one of "+
					"the two",
				len(n.Layers),
				len(n.Layer),
			)
		}
		for _, old := range n.Layers {
			l, err := upgradeV1(old)
			if err != nil {
				return nil, nil, err
			}
			n.Layer = append(n.Layer, l)
		}
		n.Layers = nil
		if len(did) == 0 {
			did = append(did, fmt.Sprintf("%d layers in the V1 form of 2014", len(n.Layer)))
		}
	}
	inputs, made, err := upgradeInputs(n)
	if err != nil {
		return nil, was, err
	}
	if inputs != "" {
		did = append(did, inputs)
	}
	if made {
		if was == nil {
			for i := range n.Layer[1:] {
				was = append(was, i)
			}
		}
		was = append([]int{-1}, was...)
	}
	adopted := map[string]int{}
	var order []string
	for i, l := range n.Layer {
		what, err := adoptFork(l)
		if err != nil {
			return nil, was, &layerError{i, fmt.Errorf("layer %q: %w", l.GetName(), err)}
		}
		if what != "" {
			if adopted[what]++; adopted[what] == 1 {
				order = append(order, what)
			}
		}
	}
	for _, what := range order {
		did = append(did, fmt.Sprintf("%d layers of another fork: %s", adopted[what], what))
	}
	moved, frozen := 0, 0
	for _, l := range n.Layer {
		if upgradeTransform(l) {
			moved++
		}
		if upgradeBatchNorm(l) {
			frozen++
		}
	}
	if moved > 0 {
		did = append(did, fmt.Sprintf("transformation fields of %d data layers, now in transform_param", moved))
	}
	if frozen > 0 {
		did = append(did, fmt.Sprintf("lr_mult of the statistics of %d BatchNorm layers, now 0", frozen))
	}
	return did, was, nil
}

// layerError is what is wrong with a layer, by its number after the upgrade.
type layerError struct {
	layer int
	error
}

func (e *layerError) Unwrap() error { return e.error }

func isV0(n *caffepb.NetParameter) bool {
	for _, l := range n.Layers {
		if l.Layer != nil {
			return true
		}
	}
	return false
}

// v1Types are the present names of the V1 layer types (Caffe's UpgradeV1LayerType).
var v1Types = map[caffepb.V1LayerParameter_LayerType]string{
	caffepb.V1LayerParameter_NONE:                       "",
	caffepb.V1LayerParameter_ABSVAL:                     "AbsVal",
	caffepb.V1LayerParameter_ACCURACY:                   "Accuracy",
	caffepb.V1LayerParameter_ARGMAX:                     "ArgMax",
	caffepb.V1LayerParameter_BNLL:                       "BNLL",
	caffepb.V1LayerParameter_CONCAT:                     "Concat",
	caffepb.V1LayerParameter_CONTRASTIVE_LOSS:           "ContrastiveLoss",
	caffepb.V1LayerParameter_CONVOLUTION:                "Convolution",
	caffepb.V1LayerParameter_DATA:                       "Data",
	caffepb.V1LayerParameter_DECONVOLUTION:              "Deconvolution",
	caffepb.V1LayerParameter_DROPOUT:                    "Dropout",
	caffepb.V1LayerParameter_DUMMY_DATA:                 "DummyData",
	caffepb.V1LayerParameter_EUCLIDEAN_LOSS:             "EuclideanLoss",
	caffepb.V1LayerParameter_ELTWISE:                    "Eltwise",
	caffepb.V1LayerParameter_EXP:                        "Exp",
	caffepb.V1LayerParameter_FLATTEN:                    "Flatten",
	caffepb.V1LayerParameter_HDF5_DATA:                  "HDF5Data",
	caffepb.V1LayerParameter_HDF5_OUTPUT:                "HDF5Output",
	caffepb.V1LayerParameter_HINGE_LOSS:                 "HingeLoss",
	caffepb.V1LayerParameter_IM2COL:                     "Im2col",
	caffepb.V1LayerParameter_IMAGE_DATA:                 "ImageData",
	caffepb.V1LayerParameter_INFOGAIN_LOSS:              "InfogainLoss",
	caffepb.V1LayerParameter_INNER_PRODUCT:              "InnerProduct",
	caffepb.V1LayerParameter_LRN:                        "LRN",
	caffepb.V1LayerParameter_MEMORY_DATA:                "MemoryData",
	caffepb.V1LayerParameter_MULTINOMIAL_LOGISTIC_LOSS:  "MultinomialLogisticLoss",
	caffepb.V1LayerParameter_MVN:                        "MVN",
	caffepb.V1LayerParameter_POOLING:                    "Pooling",
	caffepb.V1LayerParameter_POWER:                      "Power",
	caffepb.V1LayerParameter_RELU:                       "ReLU",
	caffepb.V1LayerParameter_SIGMOID:                    "Sigmoid",
	caffepb.V1LayerParameter_SIGMOID_CROSS_ENTROPY_LOSS: "SigmoidCrossEntropyLoss",
	caffepb.V1LayerParameter_SILENCE:                    "Silence",
	caffepb.V1LayerParameter_SLICE:                      "Slice",
	caffepb.V1LayerParameter_SOFTMAX:                    "Softmax",
	caffepb.V1LayerParameter_SOFTMAX_LOSS:               "SoftmaxWithLoss",
	caffepb.V1LayerParameter_SPLIT:                      "Split",
	caffepb.V1LayerParameter_TANH:                       "TanH",
	caffepb.V1LayerParameter_WINDOW_DATA:                "WindowData",
	caffepb.V1LayerParameter_THRESHOLD:                  "Threshold",
}

// upgradeV1 is Caffe's UpgradeV1LayerParameter.
func upgradeV1(old *caffepb.V1LayerParameter) (*caffepb.LayerParameter, error) {
	name, ok := v1Types[old.GetType()]
	if !ok {
		return nil, fmt.Errorf("layer %q has the V1 type %d, which Caffe does not have", old.GetName(), old.GetType())
	}
	l := &caffepb.LayerParameter{
		Bottom:     old.Bottom,
		Top:        old.Top,
		Include:    old.Include,
		Exclude:    old.Exclude,
		Blobs:      old.Blobs,
		LossWeight: old.LossWeight,
	}
	if old.Name != nil {
		l.Name = old.Name
	}
	if old.Type != nil {
		l.Type = proto.String(name)
	}
	spec := func(i int) *caffepb.ParamSpec {
		for len(l.Param) <= i {
			l.Param = append(l.Param, &caffepb.ParamSpec{})
		}
		return l.Param[i]
	}
	for i, s := range old.Param {
		spec(i).Name = proto.String(s)
	}
	for i, m := range old.BlobShareMode {
		mode := caffepb.ParamSpec_STRICT
		if m == caffepb.V1LayerParameter_PERMISSIVE {
			mode = caffepb.ParamSpec_PERMISSIVE
		}
		spec(i).ShareMode = mode.Enum()
	}
	for i, v := range old.BlobsLr {
		spec(i).LrMult = proto.Float32(v)
	}
	for i, v := range old.WeightDecay {
		spec(i).DecayMult = proto.Float32(v)
	}
	// The settings of the kinds have the same names and messages in both forms.
	to := l.ProtoReflect()
	old.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Kind() == protoreflect.MessageKind && !fd.IsList() {
			if same := to.Descriptor().Fields().ByName(fd.Name()); same != nil && same.Message() != nil &&
				same.Message().FullName() == fd.Message().FullName() {
				to.Set(same, v)
			}
		}
		return true
	})
	return l, nil
}

// upgradeInputs turns the net-level input fields into an Input layer (Caffe's UpgradeNetInput). Inputs without any
// shape are stripped, as there: they are of a net whose Input layer says the shapes, or of weights. made reports a
// new layer.
func upgradeInputs(n *caffepb.NetParameter) (did string, made bool, err error) {
	names, shapes, dims := n.Input, n.InputShape, n.InputDim
	if len(names) == 0 {
		return "", false, nil
	}
	n.Input, n.InputShape, n.InputDim = nil, nil, nil
	p := &caffepb.InputParameter{}
	switch {
	case len(shapes) == 0 && len(dims) == 0:
		return fmt.Sprintf("input %q of the net without a shape, left out", strings.Join(names, ", ")), false, nil
	case len(shapes) > 0 && len(shapes) != len(names):
		return "", false, fmt.Errorf(
			"%d input_shape for %d inputs of the net; wanted one for each",
			len(shapes),
			len(names),
		)
	case len(shapes) > 0:
		p.Shape = shapes
	case len(dims) != 4*len(names):
		return "", false, fmt.Errorf(
			"%d input_dim for %d inputs of the net; wanted four for each",
			len(dims),
			len(names),
		)
	}
	for i := 0; i < len(dims) && len(shapes) == 0; i += 4 {
		s := &caffepb.BlobShape{}
		for _, d := range dims[i : i+4] {
			s.Dim = append(s.Dim, int64(d))
		}
		p.Shape = append(p.Shape, s)
	}
	n.Layer = append(
		[]*caffepb.LayerParameter{
			{Name: proto.String("input"), Type: proto.String("Input"), Top: names, InputParam: p},
		},
		n.Layer...)
	return "input fields of the net, now an Input layer", true, nil
}

// upgradeTransform moves scale, mean_file, crop_size and mirror of a data layer's own settings to transform_param
// (Caffe's UpgradeNetDataTransformation).
func upgradeTransform(l *caffepb.LayerParameter) bool {
	var own proto.Message
	switch {
	case l.DataParam != nil:
		own = l.DataParam
	case l.ImageDataParam != nil:
		own = l.ImageDataParam
	case l.WindowDataParam != nil:
		own = l.WindowDataParam
	default:
		return false
	}
	moved := false
	from := own.ProtoReflect()
	for _, name := range []protoreflect.Name{"scale", "mean_file", "crop_size", "mirror"} {
		fd := from.Descriptor().Fields().ByName(name)
		if fd == nil || !from.Has(fd) {
			continue
		}
		if l.TransformParam == nil {
			l.TransformParam = &caffepb.TransformationParameter{}
		}
		to := l.TransformParam.ProtoReflect()
		to.Set(to.Descriptor().Fields().ByName(name), from.Get(fd))
		from.Clear(fd)
		moved = true
	}
	return moved
}

// upgradeBatchNorm sets the lr_mult and decay_mult of BatchNorm's three statistics to 0 (Caffe's UpgradeNetBatchNorm).
func upgradeBatchNorm(l *caffepb.LayerParameter) bool {
	if l.GetType() != "BatchNorm" || len(l.Param) != 3 {
		return false
	}
	changed := false
	for _, p := range l.Param {
		changed = changed || p.GetLrMult() != 0 || p.GetDecayMult() != 0
		p.LrMult, p.DecayMult = proto.Float32(0), proto.Float32(0)
	}
	return changed
}

// UpgradeFile reads a net, as prototxt or caffemodel, or a solver prototxt, upgrades it, and writes it in the same
// form. It returns what it did.
func UpgradeFile(in, out string) ([]string, error) {
	data, err := readFile(in, "net or solver")
	if err != nil {
		return nil, err
	}
	n := &caffepb.NetParameter{}
	dropped, textErr := parseText(in, data, n)
	if textErr == nil && len(dropped) > 0 { // it would be lost
		_, types := survey(in, data, n.ProtoReflect().Descriptor())
		return nil, append(types, dropped...).asError()
	}
	if textErr != nil {
		s := &caffepb.SolverParameter{}
		solverErr := ParsePrototxt(in, data, s)
		if solverErr == nil {
			return upgradeSolverFile(in, out, s)
		}
		if CountFaults(solverErr) < CountFaults(textErr) { // what it was meant to be
			textErr = solverErr
		}
		n.Reset()
		if err := ReadBinary(in, "net, neither prototxt nor caffemodel", n); err != nil ||
			len(n.Layer)+len(n.Layers) == 0 {
			if isText(data) {
				return nil, textErr
			}
			return nil, err
		}
	}
	did, err := Upgrade(n)
	if err == nil {
		err = expandRaw(n)
	}
	if err != nil {
		return nil, &FileError{Path: in, Msg: err.Error(), Err: err}
	}
	if textErr == nil {
		return did, writeText(out, n)
	}
	return did, WriteNet(out, n)
}

// upgradeSolverFile writes a solver in the present form, with the nets that it holds.
func upgradeSolverFile(in, out string, s *caffepb.SolverParameter) ([]string, error) {
	if s.Type != nil && s.SolverType != nil {
		return nil, &FileError{
			Path: in,
			Msg:  fmt.Sprintf("type %q and solver_type %s are mutually exclusive", s.GetType(), s.GetSolverType()),
		}
	}
	did := UpgradeSolver(s)
	for _, n := range append([]*caffepb.NetParameter{s.NetParam, s.TrainNetParam}, s.TestNetParam...) {
		if n == nil {
			continue
		}
		more, err := Upgrade(n)
		if err != nil {
			return nil, &FileError{Path: in, Msg: err.Error(), Err: err}
		}
		did = append(did, more...)
	}
	return did, writeText(out, s)
}

// isText reports whether data reads as text.
func isText(data []byte) bool {
	data = data[:min(len(data), 4096)]
	return !bytes.ContainsFunc(data, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' })
}

// UpgradeSolver replaces the enum solver_type by the name in type, in place (Caffe's UpgradeSolverType).
func UpgradeSolver(s *caffepb.SolverParameter) []string {
	if s.SolverType == nil {
		return nil
	}
	did := []string{fmt.Sprintf("solver_type %s, now type %q", s.GetSolverType(), SolverName(s))}
	s.Type, s.SolverType = proto.String(SolverName(s)), nil
	return did
}

// SolverName returns the kind of a solver, by its name or by the old enum.
func SolverName(s *caffepb.SolverParameter) string {
	if s.Type == nil && s.SolverType != nil {
		return map[caffepb.SolverParameter_SolverType]string{
			caffepb.SolverParameter_SGD:      "SGD",
			caffepb.SolverParameter_NESTEROV: "Nesterov",
			caffepb.SolverParameter_ADAGRAD:  "AdaGrad",
			caffepb.SolverParameter_RMSPROP:  "RMSProp",
			caffepb.SolverParameter_ADADELTA: "AdaDelta",
			caffepb.SolverParameter_ADAM:     "Adam",
		}[s.GetSolverType()]
	}
	return s.GetType()
}
