package caffe

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/x448/float16"
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
)

// LayerTypes are the types of layers that this program knows, sorted. Package layer has them (a test holds the two
// together); here they tell a fork's layer from a misspelt field.
var LayerTypes = []string{
	"AbsVal",
	"Accuracy",
	"ArgMax",
	"BNLL",
	"BatchNorm",
	"BatchReindex",
	"Bias",
	"CConvolution",
	"CInnerProduct",
	"Clip",
	"Concat",
	"ContrastiveLoss",
	"Convolution",
	"Crop",
	"Data",
	"Deconvolution",
	"Dropout",
	"DummyData",
	"ELU",
	"Eltwise",
	"Embed",
	"EuclideanLoss",
	"Exp",
	"Filter",
	"Flatten",
	"HDF5Data",
	"HDF5Output",
	"HingeLoss",
	"Im2col",
	"ImageData",
	"InfogainLoss",
	"InnerProduct",
	"Input",
	"Interp",
	"LRN",
	"LSTM",
	"LSTMUnit",
	"Log",
	"MVN",
	"MemoryData",
	"MultinomialLogisticLoss",
	"Normalize",
	"PReLU",
	"Parameter",
	"Permute",
	"Pooling",
	"Power",
	"RNN",
	"ReLU",
	"Reduction",
	"Reshape",
	"SPP",
	"Scale",
	"Sigmoid",
	"SigmoidCrossEntropyLoss",
	"Silence",
	"Slice",
	"Softmax",
	"SoftmaxWithLoss",
	"Split",
	"Swish",
	"TanH",
	"Threshold",
	"Tile",
	"WindowData",
}

// renamed are the types of forks that are read as another: see adoptFork.
var renamed = map[string]string{"ConvolutionDepthwise": "Convolution", "DepthwiseConvolution": "Convolution",
	"DNSConvolution": "CConvolution", "DNSInnerProduct": "CInnerProduct"}

// foreign says of well-known layers of forks where they are from, and what does the same, where something does.
var foreign = func() map[string]string {
	from := map[string][]string{
		"of SSD's fork (weiliu89/caffe)": {
			"AnnotatedData",
			"DetectionEvaluate",
			"DetectionOutput",
			"MultiBoxLoss",
			"PriorBox",
			"VideoData",
		},
		"of Fast R-CNN's fork (rbgirshick/caffe-fast-rcnn)": {"ROIPooling", "SmoothL1Loss"},
		"of R-FCN's fork (daijifeng001/caffe-rfcn)":         {"BoxAnnotatorOHEM", "PSROIPooling"},
		"of DeepLab's fork": {
			"AdaptiveBiasChannel",
			"BiasChannel",
			"DenseCRF",
			"DomainTransform",
			"ImageSegData",
			"MatRead",
			"MatWrite",
			"SegAccuracy",
			"UniqueLabel",
		},
		"of SegNet's fork (alexgkendall/caffe-segnet)": {"DenseImageData", "Upsample"},
		"of FlowNet's fork": {
			"Accum",
			"ChannelNorm",
			"Correlation",
			"DataAugmentation",
			"CustomData",
			"Downsample",
			"FlowAugmentation",
			"FlowWarp",
			"L1Loss",
			"Resample",
		},
		"of YOLO's ports to Caffe": {
			"DetectionLoss",
			"EvalDetection",
			"RegionLoss",
			"Reorg",
			"YoloDetectionOutput",
			"Yolov3",
			"Yolov3DetectionOutput",
		},
		"of forks for faces": {
			"CenterLoss",
			"CosinAdd",
			"LabelSpecificAdd",
			"MarginInnerProduct",
			"TripletLoss",
		},
		"of spatial transformer forks": {"SpatialTransformer", "STLoss"},
		"of Ristretto, which quantizes": {
			"ConvolutionRistretto",
			"DeconvolutionRistretto",
			"FcRistretto",
			"LRNRistretto",
		},
		"of a fork that quantizes (32l/Neural-Network-Model-Compressing)": {"INQConvolution", "INQInnerProduct"},
		"of forks for speech and text": {
			"CTCLoss",
			"CTCDecoder",
			"WarpCTC",
			"Transpose",
			"Reverse",
		},
		"another LSTM than Caffe's (junhyukoh/caffe-lstm)":                   {"Lstm", "LstmUnit", "DLSTM"},
		"a convolution without shared weights":                               {"Local", "LocallyConnected"},
		"another BatchNorm (PSPNet, SegNet and others); BatchNorm and Scale": {"BN", "BatchNormalization", "SyncBN"},
		"of Mask R-CNN's ports to Caffe":                                     {"ROIAlign"},
		"of R-CNN's forks, Python's proposal layer in C++":                   {"Proposal"},
		"of ShuffleNet's forks; Reshape, Permute and Reshape":                {"ShuffleChannel"},
		"of SENet's fork; Scale by a bottom, and Eltwise":                    {"Axpy"},
		"of forks for phones; Clip with min 0 and max 6":                     {"ReLU6"},
		"of NVIDIA's fork, whose layers compute in half precision":           {"AxpyHalf", "TRT"},
		"of Intel's fork": {
			"MnActivation",
			"MultinodeLayer",
			"SpatialDropout",
		},
		"of forks that add noise": {"GaussianNoise", "Noise"},
	}
	out := map[string]string{}
	for what, types := range from {
		where, same, ok := strings.Cut(what, "; ")
		for _, t := range types {
			if out[t] = where; ok {
				out[t] += "; " + same + " do the same, with other blobs"
			}
		}
	}
	return out
}()

// UnknownType says of a type that is none of LayerTypes what is known of it.
func UnknownType(typ string) string {
	if what, ok := foreign[typ]; ok {
		return fmt.Sprintf("unknown layer type %q: %s", typ, what)
	}
	if c := Closest(typ, LayerTypes); c != "" {
		return fmt.Sprintf("unknown layer type %q; did you mean %q?", typ, c)
	}
	return fmt.Sprintf("unknown layer type %q", typ)
}

// KnownType reports whether there is a layer of a type.
func KnownType(typ string) bool {
	_, ok := slices.BinarySearch(LayerTypes, typ)
	return ok || renamed[typ] != ""
}

// adoptFork brings what a fork says in its own way to Caffe's, or to the authors': names of types, fields under
// numbers that Caffe gave to others. It says what it did, "" for nothing.
func adoptFork(l *caffepb.LayerParameter) (string, error) {
	takeNumbers(l)
	var did []string
	switch typ := l.GetType(); typ {
	case "DNSConvolution":
		if err := adoptDNS(l.DnsConvolutionParam, &l.DnsConvolutionParam, func(p *caffepb.DNSConvolutionParameter) {
			l.CconvolutionParam = &caffepb.CConvolutionParameter{
				Gamma: proto.Float32(p.GetGamma()), Power: proto.Float32(p.GetPower()),
				IterStop: proto.Float32(p.GetIterStop()), CRate: proto.Float32(p.GetCRate()),
				WeightMaskFiller: p.GetWeightMaskFiller(), BiasMaskFiller: p.GetBiasMaskFiller(),
			}
		}); err != nil {
			return "", fmt.Errorf("dns_convolution_param: %w", err)
		}
	case "DNSInnerProduct":
		if err := adoptDNS(l.DnsInnerProductParam, &l.DnsInnerProductParam, func(p *caffepb.DNSInnerProductParameter) {
			l.CinnerProductParam = &caffepb.CInnerProductParameter{
				Gamma: proto.Float32(p.GetGamma()), Power: proto.Float32(p.GetPower()),
				IterStop: proto.Float32(p.GetIterStop()), CRate: proto.Float32(p.GetCRate()),
				WeightMaskFiller: p.GetWeightMaskFiller(), BiasMaskFiller: p.GetBiasMaskFiller(),
			}
		}); err != nil {
			return "", fmt.Errorf("dns_inner_product_param: %w", err)
		}
	case "DepthwiseConvolution", "ConvolutionDepthwise":
		if l.ConvolutionParam == nil {
			l.ConvolutionParam = &caffepb.ConvolutionParameter{}
		}
		if p := l.ConvolutionParam; p.GetGroup() <= 1 { // a filter a channel, and as many outputs
			p.Group = proto.Uint32(p.GetNumOutput())
		}
	}
	if to := renamed[l.GetType()]; to != "" {
		text := l.GetType() + ", now " + to
		if strings.HasPrefix(l.GetType(), "DNS") { // versions of the fork differ in it
			text += ", which prunes below 0.9 of its threshold and splices above 1.1"
		}
		did = append(did, text)
		l.Type = proto.String(to)
	}
	more, err := adoptWindow(l)
	return strings.Join(append(did, more...), "; "), err
}

// dns is a message of either of the two layers.
type dns interface {
	comparable
	GetAlphaLow() float32
	GetAlphaHigh() float32
}

// adoptDNS moves p by move, and checks that it asks for the rule that this program has.
func adoptDNS[T dns](p T, from *T, move func(T)) error {
	var none T
	for _, a := range []struct {
		name        string
		have, fixed float32
	}{{"alpha_low", p.GetAlphaLow(), 0.9}, {"alpha_high", p.GetAlphaHigh(), 1.1}} {
		if a.have != 0 && a.have != a.fixed {
			return fmt.Errorf(
				"%s is %g; surgery here prunes below %g of the threshold and splices above %g",
				a.name,
				a.have,
				0.9,
				1.1,
			)
		}
	}
	move(p)
	*from = none
	return nil
}

// adoptWindow turns what forks say of rounding and padding into Caffe's words, where Caffe has some.
func adoptWindow(l *caffepb.LayerParameter) (did []string, err error) {
	if p := l.PoolingParam; p != nil {
		if p.CeilMode != nil {
			mode := caffepb.PoolingParameter_CEIL
			if !p.GetCeilMode() {
				mode = caffepb.PoolingParameter_FLOOR
			}
			if p.RoundMode != nil && p.GetRoundMode() != mode {
				return nil, fmt.Errorf(
					"pooling_param: ceil_mode: %t and round_mode: %s contradict each other",
					p.GetCeilMode(),
					p.GetRoundMode(),
				)
			}
			did = append(did, fmt.Sprintf("ceil_mode: %t, now round_mode: %s", p.GetCeilMode(), mode))
			p.RoundMode, p.CeilMode = mode.Enum(), nil
		}
		if p.PadL != nil || p.PadR != nil || p.PadT != nil || p.PadB != nil {
			if p.Pad != nil || p.PadH != nil || p.PadW != nil {
				return nil, fmt.Errorf("pooling_param: pad and pad_l, pad_r, pad_t, pad_b are mutually exclusive")
			}
			if p.GetPadL() == p.GetPadR() && p.GetPadT() == p.GetPadB() {
				p.PadH, p.PadW = proto.Uint32(p.GetPadT()), proto.Uint32(p.GetPadL())
				p.PadL, p.PadR, p.PadT, p.PadB = nil, nil, nil, nil
				did = append(did, "pad_l, pad_r, pad_t, pad_b, now pad_h, pad_w")
			}
		}
	}
	if p := l.ConvolutionParam; p != nil && (p.PadL != nil || p.PadR != nil || p.PadT != nil || p.PadB != nil) {
		if len(p.Pad) > 0 || p.PadH != nil || p.PadW != nil {
			return nil, fmt.Errorf("convolution_param: pad and pad_l, pad_r, pad_t, pad_b are mutually exclusive")
		}
		if min(p.GetPadL(), p.GetPadR(), p.GetPadT(), p.GetPadB()) < 0 {
			return nil, fmt.Errorf("convolution_param: a padding below 0 (pad_l, pad_r, pad_t, pad_b)")
		}
		if p.GetPadL() == p.GetPadR() && p.GetPadT() == p.GetPadB() {
			p.PadH, p.PadW = proto.Uint32(uint32(p.GetPadT())), proto.Uint32(uint32(p.GetPadL()))
			p.PadL, p.PadR, p.PadT, p.PadB = nil, nil, nil, nil
			did = append(did, "pad_l, pad_r, pad_t, pad_b, now pad_h, pad_w")
		}
	}
	return did, nil
}

// takeNumbers puts what forks stored under numbers of Caffe's fields where our schema has it.
func takeNumbers(l *caffepb.LayerParameter) {
	switch l.GetType() {
	case "CConvolution": // the authors' fork: 140
		if p := (&caffepb.CConvolutionParameter{}); l.EluParam != nil && reparse(l.EluParam, p) {
			l.CconvolutionParam, l.EluParam = p, nil
		}
	case "CInnerProduct": // 141
		if p := (&caffepb.CInnerProductParameter{}); l.BiasParam != nil && reparse(l.BiasParam, p) {
			l.CinnerProductParam, l.BiasParam = p, nil
		}
	case "DNSConvolution": // 32l's: 147
		if p := (&caffepb.DNSConvolutionParameter{}); l.SwishParam != nil && reparse(l.SwishParam, p) {
			l.DnsConvolutionParam, l.SwishParam = p, nil
		}
	case "DNSInnerProduct": // 148
		if p := (&caffepb.DNSInnerProductParameter{}); l.ClipParam != nil && reparse(l.ClipParam, p) {
			l.DnsInnerProductParam, l.ClipParam = p, nil
		}
	case "Interp": // DeepLab's and PSPNet's: 143
		if p := (&caffepb.InterpParameter{}); l.InputParam != nil && reparse(l.InputParam, p) {
			l.InterpParam, l.InputParam = p, nil
		}
	}
}

func reparse(from, to proto.Message) bool {
	data, err := proto.MarshalOptions{AllowPartial: true}.Marshal(from)
	return err == nil && proto.Unmarshal(data, to) == nil
}

// expandRaw gives the blobs of a message the numbers that NVIDIA's fork stores as bytes.
func expandRaw(m proto.Message) error {
	var blobs []*caffepb.BlobProto
	switch v := m.(type) {
	case *caffepb.BlobProto:
		blobs = append(blobs, v)
	case *caffepb.SolverState:
		blobs = v.History
	case *caffepb.NetParameter:
		for _, l := range v.Layer {
			for i, b := range l.Blobs {
				if err := expandBlob(b); err != nil {
					return fmt.Errorf("layer %q: blob %d: %w", l.GetName(), i, err)
				}
			}
		}
	}
	for i, b := range blobs {
		if err := expandBlob(b); err != nil {
			return fmt.Errorf("blob %d: %w", i, err)
		}
	}
	return nil
}

func expandBlob(b *caffepb.BlobProto) (err error) {
	if len(b.RawData) > 0 && len(b.Data)+len(b.DoubleData) == 0 {
		if b.Data, err = rawFloats(b.RawData, b.GetRawDataType()); err != nil {
			return fmt.Errorf("raw_data: %w", err)
		}
	}
	if len(b.RawDiff) > 0 && len(b.Diff)+len(b.DoubleDiff) == 0 {
		if b.Diff, err = rawFloats(b.RawDiff, b.GetRawDiffType()); err != nil {
			return fmt.Errorf("raw_diff: %w", err)
		}
	}
	b.RawData, b.RawDiff, b.RawDataType, b.RawDiffType = nil, nil, nil, nil
	return nil
}

func rawFloats(raw []byte, typ caffepb.RawType) ([]float32, error) {
	size := map[caffepb.RawType]int{
		caffepb.RawType_DOUBLE: 8, caffepb.RawType_FLOAT: 4, caffepb.RawType_FLOAT16: 2,
	}[typ]
	if size == 0 {
		return nil, fmt.Errorf("holds numbers of type %s; wanted FLOAT, FLOAT16 or DOUBLE", typ)
	}
	if len(raw)%size != 0 {
		return nil, fmt.Errorf("%d bytes of type %s; wanted a multiple of %d", len(raw), typ, size)
	}
	out := make([]float32, len(raw)/size)
	for i := range out {
		switch typ {
		case caffepb.RawType_DOUBLE:
			out[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])))
		case caffepb.RawType_FLOAT:
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		default:
			out[i] = float16.Frombits(binary.LittleEndian.Uint16(raw[2*i:])).Float32()
		}
	}
	return out, nil
}
