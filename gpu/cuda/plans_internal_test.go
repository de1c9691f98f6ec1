//go:build cuda

package cuda

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"

	"dns-tui/gpu"
)

// plans lists the plans of the products, without a ReLU.
func (s *dnnTest) plans() (list [][]string) {
	for _, w := range s.works() {
		var names []string
		p, _ := s.back.plannedOf(w, false)
		for _, one := range s.back.plansOf(p) {
			names = append(names, one.name)
		}
		list = append(list, names)
	}
	return list
}

// Each plan of cuDNN's graphs computes the convolution, with the bias in it; plans that differ from run to run, round
// more than the precision or take too much memory are not among them; one that is wrong is not taken.
func TestLibrariesPlans(t *testing.T) {
	for precision, want := range map[Precision]string{
		FP32: "[1: 2=1 2: 2=2]", TF32: "[1: 2=1 2: 2=2 3: 2=0]",
	} {
		t.Run(precision.String(), func(t *testing.T) {
			s := newDNNTest(t, precision)
			list := s.plans()
			if have := fmt.Sprint(list); s.emulated() && have != fmt.Sprintf("[%s %[1]s %[1]s]", want) {
				t.Errorf("plans: %s", have)
			}
			t.Logf("plans: %v: %q", precision, list)
			own := choice{Slices: 1}
			for i, w := range s.works() {
				for _, name := range list[i] {
					how := choice{Library: true, Slices: 1, Engine: name}
					if !s.back.trusted(w, own, how) {
						t.Errorf("product %d by plan %s is not right", w.what, name)
					}
					s.back.choices.known[w.shape()] = how
					s.do(map[Precision]float64{FP32: 1e-5, TF32: 2e-3}[precision])
				}
			}
			if len(s.back.notices) > 0 {
				t.Errorf("notices: %q", s.back.notices)
			}
			if !s.emulated() {
				return
			}
			t.Setenv("EMULATOR_DNN_GRAPHS", "wrong")
			w := s.works()[0]
			if s.back.trusted(w, own, choice{Library: true, Slices: 1, Engine: list[0][0]}) || s.back.libs.dnn == nil ||
				len(s.back.notices) > 0 {
				t.Errorf("a plan that is wrong: cuDNN %v, notices %q", s.back.libs.dnn, s.back.notices)
			}
		})
	}
}

// Where cuDNN makes no graph, that is said once, and its legacy interface serves.
func TestLibrariesWithoutGraphs(t *testing.T) {
	s := newDNNTest(t, FP32)
	if !s.emulated() {
		t.Skip("a GPU")
	}
	t.Setenv("EMULATOR_DNN_GRAPHS", "none")
	s.back.Label("conv1 forward")
	if list := fmt.Sprint(s.plans()); list != "[[] [] []]" {
		t.Errorf("plans: %s", list)
	}
	want := "cuDNN 9.14 has no graph for conv1 forward (descriptor 17: status 3000); " +
		"its legacy interface serves instead"
	if have := strings.Join(s.back.notices, "\n"); have != want {
		t.Errorf("notices: %q, wanted %q", have, want)
	}
	for _, c := range s.back.alternatives(s.works()[0], choice{Slices: 1}) {
		if c.Engine != "" {
			t.Errorf("an alternative by graph: %+v", c)
		}
	}
	s.do(1e-5)
}

// A plan with a ReLU takes the place of one without where a ReLU follows in place, and nowhere else.
func TestLibrariesPlansRectify(t *testing.T) {
	s := newDNNTest(t, FP32)
	list := s.plans()
	if len(list[0]) == 0 {
		t.Skip("cuDNN has no plan")
	}
	w := s.works()[0]
	with, _ := s.back.plannedOf(w, true)
	how := choice{Library: true, Slices: 1, Engine: list[0][0], Rectified: s.back.plansOf(with)[0].name}
	r := s.back.referRectified(w, choice{Slices: 1})
	defer r.free()
	if !r.rectifies(how.Rectified) {
		t.Errorf("plan %s is not right", how.Rectified)
	}
	s.back.choices.known[w.shape()] = how
	for slope, records := range map[float32]int{0: 1, 0.25: 2} {
		for i, d := range []*gpu.Device{s.device, s.host} {
			x := s.x[i]
			d.Conv(&s.g, x["x"], x["w"], x["b"], x["y"])
			d.ReLU(x["y"], x["y"], slope)
			if i == 0 {
				count := 0
				for at := 0; at < len(s.back.queue.words); count++ {
					at += headerWords + int(headerAt(s.back.queue.words, at).words)
				}
				if count != records {
					t.Errorf("slope %g: %d records, wanted %d", slope, count, records)
				}
			}
		}
		if e := s.difference("y", s.x[0]["y"], s.x[1]["y"]); !(e < 1e-5) {
			t.Errorf("slope %g: y differs by %.3g of its norm", slope, e)
		}
	}
}

// Where one of cuDNN's heuristics fails the next ones are asked.
func TestLibrariesPlansOfOtherHeuristics(t *testing.T) {
	s := newDNNTest(t, TF32)
	if !s.emulated() {
		t.Skip("wants the emulator")
	}
	l := s.back.libs.dnn
	const name = "cudnnBackendSetAttribute"
	set := l.functions[name]
	defer func() { l.functions[name] = set }()
	l.functions[name] = purego.NewCallback(func(d, attribute, kind, count, at uintptr) uintptr {
		if attribute == heuristicsMode && *(*int32)(*(*unsafe.Pointer)(unsafe.Pointer(&at))) == heuristicsA {
			return 3000 // CUDNN_STATUS_NOT_SUPPORTED
		}
		r, _, _ := purego.SyscallN(set, d, attribute, kind, count, at)
		return r
	})
	for i, list := range s.plans() {
		if len(list) == 0 {
			t.Errorf("product %d has no plan", i)
		}
	}
	if len(s.back.notices) > 0 {
		t.Errorf("notices: %q", s.back.notices)
	}
}

// Convolutions with channels last by plans: forward with a bias and a ReLU, and gradients.
func TestLibrariesPlansChannelsLast(t *testing.T) { eachLast(t, plansChannelsLast) }

func plansChannelsLast(t *testing.T, precision Precision) {
	s := &lastTest{newTileTestOf(t, Options{Precision: precision}), [2]map[string]*gpu.Tensor{{}, {}}}
	if s.back.libs.dnn == nil {
		t.Skip("no cuDNN")
	}
	for name, g := range map[string]gpu.ConvGeometry{
		"first":  {N: 2, C: 3, H: 13, W: 11, O: 24, KH: 5, KW: 3, SH: 2, SW: 1, PH: 2, PW: 1, Groups: 1},
		"groups": {N: 2, C: 32, H: 7, W: 9, O: 48, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, Groups: 2},
	} {
		t.Run(name, func(t *testing.T) {
			g.DH, g.DW = 1, 1
			g.Resolve()
			s.t = t
			for what, n := range map[string]int{"x": g.InputLen(), "w": g.WeightLen(), "b": g.O, "y": g.OutputLen(),
				"dy": g.OutputLen(), "dx": g.InputLen(), "dw": g.WeightLen()} {
				s.tensor(what, n)
			}
			s.choose(&g, choice{Slices: 1})
			planned := 0
			for shape, how := range s.back.choices.known {
				if shape.g != g || shape.what == nhwcForward && !shape.biased {
					continue
				}
				w := work{what: shape.what, g: &g, e: cEpilogue{columnBias: 1}}
				p, ok := s.back.plannedOf(&w, false)
				if !ok {
					t.Errorf("product %d has no graph", shape.what)
				}
				for _, one := range s.back.plansOf(p) {
					how.Library, how.Engine = true, one.name
				}
				if how.Engine != "" {
					planned++
				}
				if how.Engine != "" && shape.what == nhwcForward {
					with, _ := s.back.plannedOf(&w, true)
					how.Rectified = s.back.plansOf(with)[0].name
				}
				s.back.choices.known[shape] = how
			}
			if s.back.info.Name == "emulated GPU" && planned != 3 {
				t.Errorf("%d products have plans, wanted 3", planned)
			}
			s.both(func(d *gpu.Device, x map[string]*gpu.Tensor) {
				d.Conv(&g, x["x"], x["w"], x["b"], x["y"])
				d.ReLU(x["y"], x["y"], 0)
				d.ConvBackwardData(&g, x["dy"], x["w"], x["dx"])
				d.ConvBackwardWeights(&g, x["x"], x["dy"], nil, x["dw"], nil)
			})
			s.last("y")
			s.equal(8e-3, "y", "dx", "dw")
		})
	}
}

// scratchWords is memory that does not move: a global variable's.
var scratchWords = new([64]uint64)

// backendLibrary is a library whose descriptors of a convolution can be made without a device.
func backendLibrary(t *testing.T, path string) *descriptors {
	l, err := load(path, backendFunctions, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &descriptors{library: &library{loaded: l, out: scratchWords}}
}

// cuDNN's own check of descriptors, as far as that goes without a GPU: those of all that is asked for are complete and
// right, and what is not is refused by it and by the stand-in alike.
func TestLibrariesDescriptors(t *testing.T) {
	paths := map[string]string{"stand-in": "libcudnn.so.9", "cuDNN": os.Getenv("DNS_TUI_CUDNN")}
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			switch _, err := load(path, backendFunctions, nil); {
			case path == "":
				t.Skip("DNS_TUI_CUDNN names no libcudnn")
			case name != "cuDNN" && err != nil:
				t.Skip(err)
			case name == "cuDNN" && strings.Contains(os.Getenv("LD_LIBRARY_PATH"), "emulator"):
				t.Skip("cuDNN does not load beside the emulator's driver: see make check-cudnn")
			}
			geometries := []gpu.ConvGeometry{
				{N: 2, C: 16, H: 9, W: 8, O: 24, KH: 3, KW: 3, SH: 1, SW: 2, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1},
				{N: 1, C: 32, H: 7, W: 9, O: 48, KH: 3, KW: 2, SH: 2, SW: 1, PH: 1, PW: 0, DH: 2, DW: 1, Groups: 4},
				{N: 3, C: 3, H: 15, W: 15, O: 16, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1},
			}
			for _, g := range geometries {
				g.Resolve()
				for _, k := range []struct {
					last bool
					kind int
				}{{false, dnnFloat}, {true, dnnFloat}, {true, dnnBFloat16}} {
					for what := convForward; what <= convBackwardWeights; what++ {
						for _, e := range []epilogue{{}, {true, false}, {false, true}, {true, true}} {
							if what != convForward && e != (epilogue{}) {
								continue
							}
							b := backendLibrary(t, path)
							p := planned{described{g, k.last}, k.kind, g.C, what, e}
							if operationsOf(b, p); b.err != nil {
								t.Errorf("%+v: %v", p, b.err)
							}
							b.destroy()
						}
					}
				}
			}
			for what, wrong := range map[string]func(b *descriptors){
				"strides of another number": func(b *descriptors) {
					x := b.create(backendTensorDescriptor)
					b.attribute(x, tensorID, int64Type, 1)
					b.attribute(x, tensorType, dataType, dnnFloat)
					b.attribute(x, tensorAlignment, int64Type, alignment)
					b.attribute(x, tensorDims, int64Type, 1, 2, 3, 4)
					b.attribute(x, tensorStrides, int64Type, 24, 12, 4)
					b.finalize(x, "tensor")
				},
				"no type": func(b *descriptors) { b.finalize(b.create(backendTensorDescriptor), "tensor") },
				"another's attribute": func(b *descriptors) {
					b.attribute(b.create(backendTensorDescriptor), convolutionDims, int64Type, 2)
				},
				"another type": func(b *descriptors) {
					b.attribute(b.create(backendTensorDescriptor), tensorID, booleanType, 1)
				},
				"images that do not fit": func(b *descriptors) {
					g := geometries[0]
					g.Resolve()
					g.OutH++
					operationsOf(b, planned{described{g, false}, dnnFloat, g.C, convForward, epilogue{}})
				},
				"paddings of another number": func(b *descriptors) {
					c := b.create(convolutionDescriptor)
					b.attribute(c, convolutionCompute, dataType, dnnFloat)
					b.attribute(c, convolutionMode, modeType, dnnCrossCorrelation)
					b.attribute(c, convolutionDims, int64Type, 2)
					for _, a := range []int{convolutionDilation, convolutionStrides, convolutionPre} {
						b.attribute(c, a, int64Type, 1, 1)
					}
					b.attribute(c, convolutionPost, int64Type, 1, 1, 1)
					b.finalize(c, "convolution")
				},
			} {
				b := backendLibrary(t, path)
				if wrong(b); b.err == nil {
					t.Errorf("%s is taken", what)
				}
				b.destroy()
			}
		})
	}
}

// The numbers of enumerators are those of cuDNN's headers, beside the library that DNS_TUI_CUDNN names.
func TestLibrariesEnumerators(t *testing.T) {
	path := os.Getenv("DNS_TUI_CUDNN")
	if path == "" {
		t.Skip("DNS_TUI_CUDNN names no libcudnn")
	}
	values := map[string]int{}
	headers, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "..", "include", "cudnn*.h"))
	for _, h := range headers {
		text, err := os.ReadFile(h)
		if err != nil {
			t.Fatal(err)
		}
		enumerators(string(text), values)
	}
	if len(values) == 0 {
		t.Skipf("no headers beside %s", path)
	}
	for name, have := range map[string]int{
		"TENSOR_NCHW": dnnNCHW, "TENSOR_NHWC": dnnNHWC, "DATA_FLOAT": dnnFloat, "DATA_BFLOAT16": dnnBFloat16,
		"CROSS_CORRELATION": dnnCrossCorrelation, "DEFAULT_MATH": dnnDefaultMath, "TENSOR_OP_MATH": dnnTensorMath,
		"FMA_MATH": dnnFMAMath, "TENSOR_OP_MATH_ALLOW_CONVERSION": 2, "DETERMINISTIC": 1,
		"CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM": dnnAlgorithm, "CONVOLUTION_BWD_DATA_ALGO_1": dnnAlgorithm,
		"CONVOLUTION_BWD_FILTER_ALGO_1": dnnAlgorithm,

		"BACKEND_POINTWISE_DESCRIPTOR": pointwiseDescriptor, "BACKEND_CONVOLUTION_DESCRIPTOR": convolutionDescriptor,
		"BACKEND_ENGINE_DESCRIPTOR": engineDescriptor, "BACKEND_ENGINECFG_DESCRIPTOR": engineConfigDescriptor,
		"BACKEND_ENGINEHEUR_DESCRIPTOR": heuristicsDescriptor, "BACKEND_EXECUTION_PLAN_DESCRIPTOR": planDescriptor,
		"BACKEND_KNOB_CHOICE_DESCRIPTOR":                           knobChoiceDescriptor,
		"BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR":         forwardDescriptor,
		"BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR": backwardFilterDescriptor,
		"BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR":   backwardDataDescriptor,
		"BACKEND_OPERATION_POINTWISE_DESCRIPTOR":                   pointwiseOpDescriptor,
		"BACKEND_OPERATIONGRAPH_DESCRIPTOR":                        operationGraphDescriptor,
		"BACKEND_VARIANT_PACK_DESCRIPTOR":                          variantPackDescriptor,
		"BACKEND_TENSOR_DESCRIPTOR":                                backendTensorDescriptor,

		"POINTWISE_ADD": pointwiseAdd, "POINTWISE_RELU_FWD": pointwiseReLU, "HEUR_MODE_B": heuristicsB,
		"HEUR_MODE_FALLBACK": heuristicsFallback, "HEUR_MODE_A": heuristicsA,
		"NUMERICAL_NOTE_TENSOR_CORE": noteTensorCore, "NUMERICAL_NOTE_DOWN_CONVERT_INPUTS": noteDownConvert,
		"NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION": noteReducedReduction,
		"NUMERICAL_NOTE_NONDETERMINISTIC":            noteNondeterministic,

		"TYPE_HANDLE": handleType, "TYPE_DATA_TYPE": dataType, "TYPE_BOOLEAN": booleanType, "TYPE_INT64": int64Type,
		"TYPE_FLOAT": floatType, "TYPE_VOID_PTR": pointerType, "TYPE_CONVOLUTION_MODE": modeType,
		"TYPE_HEUR_MODE": heuristicsType, "TYPE_KNOB_TYPE": knobType, "TYPE_NUMERICAL_NOTE": noteType,
		"TYPE_POINTWISE_MODE": pointwiseType, "TYPE_BACKEND_DESCRIPTOR": descriptorType,

		"ATTR_POINTWISE_MODE": pointwiseMode, "ATTR_POINTWISE_MATH_PREC": pointwisePrecision,
		"ATTR_CONVOLUTION_COMP_TYPE": convolutionCompute, "ATTR_CONVOLUTION_CONV_MODE": convolutionMode,
		"ATTR_CONVOLUTION_DILATIONS": convolutionDilation, "ATTR_CONVOLUTION_FILTER_STRIDES": convolutionStrides,
		"ATTR_CONVOLUTION_POST_PADDINGS": convolutionPost, "ATTR_CONVOLUTION_PRE_PADDINGS": convolutionPre,
		"ATTR_CONVOLUTION_SPATIAL_DIMS": convolutionDims, "ATTR_ENGINEHEUR_MODE": heuristicsMode,
		"ATTR_ENGINEHEUR_OPERATION_GRAPH": heuristicsGraph, "ATTR_ENGINEHEUR_RESULTS": heuristicsResults,
		"ATTR_ENGINECFG_ENGINE": configEngine, "ATTR_ENGINECFG_KNOB_CHOICES": configKnobs,
		"ATTR_EXECUTION_PLAN_HANDLE": planHandle, "ATTR_EXECUTION_PLAN_ENGINE_CONFIG": planConfig,
		"ATTR_EXECUTION_PLAN_WORKSPACE_SIZE": planWorkspace, "ATTR_KNOB_CHOICE_KNOB_TYPE": knobChoiceType,
		"ATTR_KNOB_CHOICE_KNOB_VALUE":                     knobChoiceValue,
		"ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA":        forwardAlpha,
		"ATTR_OPERATION_CONVOLUTION_FORWARD_BETA":         forwardAlpha + 1,
		"ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC":    forwardAlpha + 2,
		"ATTR_OPERATION_CONVOLUTION_FORWARD_W":            forwardAlpha + 3,
		"ATTR_OPERATION_CONVOLUTION_FORWARD_X":            forwardAlpha + 4,
		"ATTR_OPERATION_CONVOLUTION_FORWARD_Y":            forwardAlpha + 5,
		"ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA":       dataAlpha,
		"ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA":        dataAlpha + 1,
		"ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC":   dataAlpha + 2,
		"ATTR_OPERATION_CONVOLUTION_BWD_DATA_W":           dataAlpha + 3,
		"ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX":          dataAlpha + 4,
		"ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY":          dataAlpha + 5,
		"ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA":     filterAlpha,
		"ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA":      filterAlpha + 1,
		"ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC": filterAlpha + 2,
		"ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW":        filterAlpha + 3,
		"ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X":         filterAlpha + 4,
		"ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY":        filterAlpha + 5,
		"ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR":          pointwiseOpMode,
		"ATTR_OPERATION_POINTWISE_XDESC":                  pointwiseOpX,
		"ATTR_OPERATION_POINTWISE_BDESC":                  pointwiseOpB, "ATTR_OPERATION_POINTWISE_YDESC": pointwiseOpY,
		"ATTR_OPERATIONGRAPH_HANDLE": graphHandle, "ATTR_OPERATIONGRAPH_OPS": graphOps,
		"ATTR_TENSOR_BYTE_ALIGNMENT": tensorAlignment, "ATTR_TENSOR_DATA_TYPE": tensorType,
		"ATTR_TENSOR_DIMENSIONS": tensorDims, "ATTR_TENSOR_STRIDES": tensorStrides, "ATTR_TENSOR_UNIQUE_ID": tensorID,
		"ATTR_TENSOR_IS_VIRTUAL": tensorVirtual, "ATTR_ENGINE_GLOBAL_INDEX": engineIndex,
		"ATTR_ENGINE_NUMERICAL_NOTE": engineNotes, "ATTR_VARIANT_PACK_UNIQUE_IDS": 1000,
		"ATTR_VARIANT_PACK_DATA_POINTERS": 1001, "ATTR_VARIANT_PACK_WORKSPACE": 1003, // of calls.c
	} {
		if want, ok := values["CUDNN_"+name]; !ok || want != have {
			t.Errorf("CUDNN_%s is %d in cuDNN's headers (found: %t), %d here", name, want, ok, have)
		}
	}
	if n := values["CUDNN_NUMERICAL_NOTE_TYPE_COUNT"]; n == 0 || n > mostNotes {
		t.Errorf("%d numerical notes; there is room for %d", n, mostNotes)
	}
}

// enumerators reads the enumerators of a C header.
func enumerators(text string, into map[string]int) {
	text = regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(text, "")
	text = strings.ReplaceAll(regexp.MustCompile(`(?m)#.*$`).ReplaceAllString(text, ""), "CUDNN_DEPRECATED_ENUM", "")
	for _, body := range regexp.MustCompile(`(?s)enum\s*\{(.*?)\}`).FindAllStringSubmatch(text, -1) {
		next := 0
		for one := range strings.SplitSeq(body[1], ",") {
			name, value, given := strings.Cut(one, "=")
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			if given {
				value = strings.TrimSpace(value)
				n, err := strconv.Atoi(value)
				if err != nil {
					n = into[value] // another's
				}
				next = n
			}
			into[name] = next
			next++
		}
	}
}

// A device that is closed has no descriptor left.
func TestLibrariesPlansAreReleased(t *testing.T) {
	lib, err := purego.Dlopen("libcudnn.so.9", purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		t.Skip(err)
	}
	var handles func() int64
	if at, err := purego.Dlsym(lib, "emulator_handles"); err != nil {
		t.Skip("no stand-in")
	} else {
		purego.RegisterFunc(&handles, at)
	}
	before := handles()
	t.Run("open", func(t *testing.T) {
		if s := newDNNTest(t, FP32); len(s.plans()[0]) > 0 && handles() < before+10 {
			t.Errorf("plans of %d descriptors", handles()-before)
		}
	})
	if n := handles() - before; n != 0 {
		t.Errorf("%d descriptors and handles are left", n)
	}
}
