package layer

import (
	"fmt"
	"math"
	"runtime"
	"sync"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/memory"
)

// constant is a filler that sets v.
func constant(v float32) *caffepb.FillerParameter {
	return &caffepb.FillerParameter{Type: proto.String("constant"), Value: proto.Float32(v)}
}

// Fillers are the kinds of Caffe's fillers.
var Fillers = []string{"constant", "gaussian", "uniform", "xavier", "msra", "positive_unitball", "bilinear"}

// Fill sets out, an array of the given shape, as a filler says (Caffe's filler.hpp), with random numbers of key.
//
//	constant            value
//	uniform             [min, max)
//	gaussian            mean + std·N(0,1); with sparse >= 0, kept with probability sparse/shape[0], else 0
//	xavier              uniform in ±sqrt(3/n)
//	msra                N(0,1)·sqrt(2/n)
//	positive_unitball   uniform in [0, 1), each row of shape[0] divided by its sum
//	bilinear            the kernel of bilinear upsampling
//
// n is count/shape[0] (FAN_IN), count/shape[1] (FAN_OUT) or their mean (AVERAGE).
func Fill(f *caffepb.FillerParameter, shape []int, key gpu.Key, out []float32) error {
	return fillPiece(f, shape, key, 0, out)
}

// pieceElements is how many elements FillPieces makes at a time.
const pieceElements = 1 << 22

// FillPieces is Fill that hands the array out piece by piece, from the front on: so it need not be in memory twice. A
// piece is valid until give returns.
func FillPieces(f *caffepb.FillerParameter, shape []int, key gpu.Key, give func(first int, piece []float32)) error {
	n := gpu.Elements(shape)
	size := min(n, pieceElements)
	if t := f.GetType(); t == "positive_unitball" ||
		t == "bilinear" { // whose elements depend on each other, or on place
		size = n
	}
	if err := memory.Check("the values of a filler", 4*int64(size)); err != nil {
		return err
	}
	buf := make([]float32, size)
	for first := 0; first < n || first == 0; first += max(1, size) {
		piece := buf[:min(size, n-first)]
		if err := fillPiece(f, shape, key, first, piece); err != nil {
			return err
		}
		if len(piece) > 0 {
			give(first, piece)
		}
	}
	return nil
}

// fillPiece makes the elements of an array from start on, a multiple of 4.
func fillPiece(f *caffepb.FillerParameter, shape []int, key gpu.Key, start int, out []float32) error {
	if err := CheckFiller(f, shape); err != nil {
		return err
	}
	if len(shape) == 0 {
		shape = []int{1}
	}
	uniform := func(lo, hi float32) {
		spread(out, func(first int, out []float32) {
			host.FillUniform(key, start+first, lo, hi, out)
		})
	}
	gaussian := func(mean, std float32) {
		spread(out, func(first int, out []float32) {
			host.FillNormals(key, start+first, mean, std, out)
		})
	}
	switch t := f.GetType(); t {
	case "constant":
		for i := range out {
			out[i] = f.GetValue()
		}
	case "uniform":
		uniform(f.GetMin(), f.GetMax())
	case "gaussian":
		gaussian(f.GetMean(), f.GetStd())
		if s := f.GetSparse(); s >= 0 {
			key.Iter++ // numbers of their own for the choice
			keep := float32(s) / float32(max(1, shape[0]))
			spread(out, func(first int, out []float32) {
				for i := 0; i < len(out); i += 4 {
					block := key.Block(uint32((start + first + i) >> 2))
					for j, u := range block[:min(4, len(out)-i)] {
						if gpu.UnitFloat(u) >= keep {
							out[i+j] = 0
						}
					}
				}
			})
		}
	case "xavier":
		s := float32(math.Sqrt(3 / fan(f, shape)))
		uniform(-s, s)
	case "msra":
		gaussian(0, float32(math.Sqrt(2/fan(f, shape))))
	case "positive_unitball":
		uniform(0, 1)
		per := len(out) / max(1, shape[0])
		for ; per > 0 && len(out) > 0; out = out[per:] {
			var sum float32
			for _, v := range out[:per] {
				sum += v
			}
			for i := range out[:per] {
				out[i] /= sum
			}
		}
	case "bilinear":
		bilinear(shape[3], out)
	}
	return nil
}

// CheckFiller refuses what Caffe's fillers refuse, for an array of the given shape.
func CheckFiller(f *caffepb.FillerParameter, shape []int) error {
	t := f.GetType()
	if f.GetSparse() != -1 && t != "gaussian" {
		return fmt.Errorf("filler %s: sparse is %d; only the filler gaussian has it", t, f.GetSparse())
	}
	switch t {
	case "constant", "xavier", "msra", "positive_unitball":
	case "uniform":
		if f.GetMin() > f.GetMax() {
			return fmt.Errorf(
				"filler uniform: min is %g and max %g; wanted a min that is not above max",
				f.GetMin(),
				f.GetMax(),
			)
		}
	case "gaussian":
		outputs := 1
		if len(shape) > 0 {
			outputs = shape[0]
		}
		switch s := int(f.GetSparse()); {
		case f.GetStd() <= 0:
			return fmt.Errorf("filler gaussian: std is %g; wanted above 0", f.GetStd())
		case s < -1 || s > outputs:
			return fmt.Errorf("filler gaussian: sparse is %d for %d outputs (shape %s); wanted 0 to %d, or -1 for none",
				s, outputs, caffe.FormatShape(shape), outputs)
		}
	case "bilinear":
		if len(shape) != 4 || shape[2] != shape[3] {
			return fmt.Errorf("filler bilinear wants 4 axes with a square kernel, not %s", caffe.FormatShape(shape))
		}
	default:
		if c := caffe.Closest(t, Fillers); c != "" {
			return fmt.Errorf("unknown filler type %q; did you mean %q?", t, c)
		}
		return fmt.Errorf("unknown filler type %q", t)
	}
	return nil
}

// spread has f set pieces of out, on all processors: what it sets depends on the place alone, of which first is that of
// a piece's first element, a multiple of 4.
func spread(out []float32, f func(first int, out []float32)) {
	const piece = 1 << 16
	var wg sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for lo := 0; lo < len(out); lo += piece {
		free <- struct{}{}
		wg.Add(1)
		go func() {
			defer func() { <-free; wg.Done() }()
			f(lo, out[lo:min(lo+piece, len(out))])
		}()
	}
	wg.Wait()
}

func fan(f *caffepb.FillerParameter, shape []int) float64 {
	count := gpu.Elements(shape)
	in, out := float64(count), float64(count)
	if len(shape) > 0 {
		in = float64(count / shape[0])
	}
	if len(shape) > 1 {
		out = float64(count / shape[1])
	}
	switch f.GetVarianceNorm() {
	case caffepb.FillerParameter_FAN_OUT:
		return out
	case caffepb.FillerParameter_AVERAGE:
		return (in + out) / 2
	}
	return in
}

// bilinear sets kernels of width w, (1 - |x/f - c|)·(1 - |y/f - c|) with f = ceil(w/2) and c = (w - 1)/(2f).
func bilinear(w int, out []float32) {
	f := math.Ceil(float64(w) / 2)
	c := float64(w-1) / (2 * f)
	for i := range out {
		x, y := float64(i%w), float64(i/w%w)
		out[i] = float32((1 - math.Abs(x/f-c)) * (1 - math.Abs(y/f-c)))
	}
}
