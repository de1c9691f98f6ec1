//go:build cuda

package cuda

import (
	"fmt"
	"math"
	"unsafe"
)

// Descriptors of cuDNN's backend interface (cudnn_graph.h of cuDNN 9, cudnn_backend.h of 8.9).

// backendFunctions are its functions. A library that lacks one is used without.
var backendFunctions = []string{
	"cudnnBackendCreateDescriptor", "cudnnBackendDestroyDescriptor", "cudnnBackendSetAttribute",
	"cudnnBackendGetAttribute", "cudnnBackendFinalize", "cudnnBackendExecute",
}

// Kinds of descriptors: cudnnBackendDescriptorType_t.
const (
	pointwiseDescriptor      = 0
	convolutionDescriptor    = 1
	engineDescriptor         = 2
	engineConfigDescriptor   = 3
	heuristicsDescriptor     = 4
	planDescriptor           = 5
	knobChoiceDescriptor     = 7
	forwardDescriptor        = 10
	backwardFilterDescriptor = 11
	backwardDataDescriptor   = 12
	pointwiseOpDescriptor    = 13
	operationGraphDescriptor = 15
	variantPackDescriptor    = 16
	backendTensorDescriptor  = 17
	pointwiseAdd             = 0   // CUDNN_POINTWISE_ADD
	pointwiseReLU            = 100 // CUDNN_POINTWISE_RELU_FWD
	heuristicsB              = 1   // CUDNN_HEUR_MODE_B
	heuristicsFallback       = 2   // CUDNN_HEUR_MODE_FALLBACK
	heuristicsA              = 3   // CUDNN_HEUR_MODE_A
	noteTensorCore           = 0   // CUDNN_NUMERICAL_NOTE_TENSOR_CORE
	noteDownConvert          = 1   // CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS
	noteReducedReduction     = 2   // CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION
	noteNondeterministic     = 4   // CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC
	mostNotes                = 32  // CUDNN_NUMERICAL_NOTE_TYPE_COUNT is 9 of cuDNN 8.9, 10 of 9
)

// Types of attributes: cudnnBackendAttributeType_t.
const (
	handleType     = 0
	dataType       = 1
	booleanType    = 2
	int64Type      = 3
	floatType      = 4
	pointerType    = 6
	modeType       = 7
	heuristicsType = 8
	knobType       = 9
	noteType       = 11
	pointwiseType  = 14
	descriptorType = 15
)

// Attributes: cudnnBackendAttributeName_t.
const (
	pointwiseMode       = 0
	pointwisePrecision  = 1
	convolutionCompute  = 100
	convolutionMode     = 101
	convolutionDilation = 102
	convolutionStrides  = 103
	convolutionPost     = 104
	convolutionPre      = 105
	convolutionDims     = 106
	heuristicsMode      = 200
	heuristicsGraph     = 201
	heuristicsResults   = 202
	configEngine        = 300
	configKnobs         = 302
	planHandle          = 400
	planConfig          = 401
	planWorkspace       = 402
	knobChoiceType      = 600
	knobChoiceValue     = 601
	forwardAlpha        = 700
	dataAlpha           = 706
	filterAlpha         = 712
	pointwiseOpMode     = 750
	pointwiseOpX        = 751
	pointwiseOpB        = 752
	pointwiseOpY        = 753
	graphHandle         = 800
	graphOps            = 801
	tensorAlignment     = 900
	tensorType          = 901
	tensorDims          = 902
	tensorStrides       = 903
	tensorID            = 906
	tensorVirtual       = 907
	engineIndex         = 1301
	engineNotes         = 1303
)

// descriptors makes descriptors; the first failure ends it.
type descriptors struct {
	*library
	made []uint64
	err  error
}

// fail notes the first failure.
func (b *descriptors) fail(status int, doing string, args ...any) {
	if status != 0 && b.err == nil {
		b.err = fmt.Errorf("%s: status %d", fmt.Sprintf(doing, args...), status)
	}
}

// create makes a descriptor.
func (b *descriptors) create(kind int) uint64 {
	if b.err != nil {
		return 0
	}
	b.fail(b.status("cudnnBackendCreateDescriptor", uint64(kind), b.result()), "descriptor %d", kind)
	if b.err != nil {
		return 0
	}
	b.made = append(b.made, b.out[0])
	return b.out[0]
}

// destroy gives all descriptors back, the last first.
func (b *descriptors) destroy() {
	for len(b.made) > 0 {
		last := len(b.made) - 1
		_ = b.status("cudnnBackendDestroyDescriptor", b.made[last])
		b.made = b.made[:last]
	}
}

// attribute sets an attribute to values of eight bytes, or where the type has fewer to the first bytes of each.
func (b *descriptors) attribute(to uint64, name, kind int, values ...uint64) {
	if b.err != nil {
		return
	}
	at := unsafe.Pointer(b.out)
	for i, v := range values {
		switch kind {
		case booleanType:
			*(*uint8)(unsafe.Add(at, i)) = uint8(v)
		case handleType, int64Type, pointerType, descriptorType:
			*(*uint64)(unsafe.Add(at, 8*i)) = v
		default:
			*(*uint32)(unsafe.Add(at, 4*i)) = uint32(v)
		}
	}
	s := b.status("cudnnBackendSetAttribute", to, uint64(name), uint64(kind), uint64(len(values)), uint64(uintptr(at)))
	b.fail(s, "attribute %d", name)
}

// number sets an attribute to a float.
func (b *descriptors) number(to uint64, name int, v float32) {
	b.attribute(to, name, floatType, uint64(math.Float32bits(v)))
}

func (b *descriptors) finalize(d uint64, what string) {
	if b.err == nil {
		b.fail(b.status("cudnnBackendFinalize", d), "%s", what)
	}
}

// read reads up to n values of an attribute to b.out, behind the first word, which has their number. The values of
// descriptors are those that are there already: cuDNN fills them in.
func (b *descriptors) read(from uint64, name, kind, n int) (count int, at unsafe.Pointer) {
	if b.err != nil {
		return 0, nil
	}
	at = unsafe.Pointer(&b.out[1])
	b.out[0] = 0
	s := b.status(
		"cudnnBackendGetAttribute",
		from,
		uint64(name),
		uint64(kind),
		uint64(n),
		uint64(uintptr(unsafe.Pointer(b.out))),
		uint64(uintptr(at)),
	)
	b.fail(s, "attribute %d", name)
	return min(n, int(b.out[0])), at
}

// readNumber reads an attribute of one int64, or int.
func (b *descriptors) readNumber(from uint64, name, kind int) int64 {
	count, at := b.read(from, name, kind, 1)
	switch {
	case count < 1:
		return 0
	case kind == int64Type:
		return *(*int64)(at)
	}
	return int64(*(*int32)(at))
}

// readDescriptors reads up to n descriptors of a kind.
func (b *descriptors) readDescriptors(from uint64, name, kind, n int) []uint64 {
	list := make([]uint64, n)
	for i := range list {
		list[i] = b.create(kind)
	}
	if b.err != nil {
		return nil
	}
	copy(b.out[1:], list)
	count, _ := b.read(from, name, descriptorType, n)
	return list[:count]
}
