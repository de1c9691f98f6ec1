package gpu

import "math"

// Outputs is how the weights of a layer belong to its outputs, filters or neurons: Outputs × Inputs, or where
// Transposed is set Inputs × Outputs.
type Outputs struct {
	Outputs, Inputs int
	Transposed      bool
}

// Len returns the number of weights.
func (g Outputs) Len() int { return g.Outputs * g.Inputs }

// ChannelShape is the shape of a channelwise kernel's array.
type ChannelShape struct{ Outer, Channels, Inner int }

// Len returns the number of elements.
func (s ChannelShape) Len() int { return s.Outer * s.Channels * s.Inner }

// Ignore is an optional label that does not count.
type Ignore struct {
	On    bool
	Label int
}

// ConvGeometry is a two-dimensional convolution.
type ConvGeometry struct {
	N, C, H, W int // input
	O          int // output channels
	KH, KW     int // kernel
	SH, SW     int // stride
	PH, PW     int // padding
	DH, DW     int // dilation
	Groups     int
	OutH, OutW int
}

// Resolve computes OutH and OutW: floor((H + 2·PH - (DH·(KH-1) + 1))/SH) + 1.
func (g *ConvGeometry) Resolve() {
	g.OutH = (g.H+2*g.PH-(g.DH*(g.KH-1)+1))/g.SH + 1
	g.OutW = (g.W+2*g.PW-(g.DW*(g.KW-1)+1))/g.SW + 1
}

// InputLen returns the number of elements of the input, OutputLen and WeightLen those of the output and the weights.
func (g *ConvGeometry) InputLen() int { return g.N * g.C * g.H * g.W }

// OutputLen returns the number of elements of the output.
func (g *ConvGeometry) OutputLen() int { return g.N * g.O * g.OutH * g.OutW }

// WeightLen returns the number of weights.
func (g *ConvGeometry) WeightLen() int { return g.O * (g.C / g.Groups) * g.KH * g.KW }

// ColGeometry is what Im2col reads: one image of Channels over any number of spatial axes.
type ColGeometry struct {
	Channels                               int
	In, Kernel, Stride, Pad, Dilation, Out []int
}

// MaxSpatialAxes is how many spatial axes a ColGeometry may have.
const MaxSpatialAxes = 8

// Resolve computes Out: floor((In + 2·Pad - (Dilation·(Kernel-1) + 1))/Stride) + 1.
func (g *ColGeometry) Resolve() {
	g.Out = make([]int, len(g.In))
	for i := range g.In {
		g.Out[i] = (g.In[i]+2*g.Pad[i]-(g.Dilation[i]*(g.Kernel[i]-1)+1))/g.Stride[i] + 1
	}
}

// Rows returns the rows of col, Channels·ΠKernel, and Positions its columns, ΠOut.
func (g *ColGeometry) Rows() int { return g.Channels * Elements(g.Kernel) }

// Positions returns the number of positions of the output.
func (g *ColGeometry) Positions() int { return Elements(g.Out) }

// InputLen returns the number of elements of the image.
func (g *ColGeometry) InputLen() int { return g.Channels * Elements(g.In) }

// ColumnLen returns the number of elements of col.
func (g *ColGeometry) ColumnLen() int { return g.Rows() * g.Positions() }

// LogFloor is what Caffe puts under a probability before it takes the logarithm (kLOG_THRESHOLD).
const LogFloor = 1e-20

// PoolGeometry is pooling over Planes = N·C planes.
type PoolGeometry struct {
	Planes, H, W int
	KH, KW       int
	SH, SW       int
	PH, PW       int
	OutH, OutW   int
}

// InputLen returns the number of elements of the input.
func (g *PoolGeometry) InputLen() int { return g.Planes * g.H * g.W }

// OutputLen returns the number of elements of the output.
func (g *PoolGeometry) OutputLen() int { return g.Planes * g.OutH * g.OutW }

// Resolve computes OutH and OutW as Caffe does: rounded up (or down where floor is set), and, where either side is
// padded, one less where the last window would start in the padding or behind it.
func (g *PoolGeometry) Resolve(floor bool) {
	padded := g.PH > 0 || g.PW > 0
	g.OutH = pooled(g.H, g.KH, g.SH, g.PH, floor, padded)
	g.OutW = pooled(g.W, g.KW, g.SW, g.PW, floor, padded)
}

func pooled(size, kernel, stride, pad int, floor, padded bool) int {
	span := size + 2*pad - kernel // below 0 where the window is larger than the plane
	n := int(math.Floor(float64(span)/float64(stride))) + 1
	if !floor && span%stride != 0 {
		n++
	}
	if padded && (n-1)*stride >= size+pad {
		n--
	}
	return n
}

// LRNGeometry is local response normalisation over windows of Size channels, centred.
type LRNGeometry struct {
	N, C, Plane    int
	Size           int
	Alpha, Beta, K float32
}

// Len returns the number of elements.
func (g *LRNGeometry) Len() int { return g.N * g.C * g.Plane }
