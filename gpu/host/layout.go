package host

import "dns-tui/gpu"

// layout is an image in which the inputs of a weight lie in one piece: padded, and where it is read with strides cut
// into phases. A phase has the places (h, w) of the same remainders by the strides; so a weight reads a part of one
// phase, element by element. The gradient of outputs is given gaps, so that its rows are as far apart as those of a
// phase, and a weight's gradient is the dot product of the two.
type layout struct {
	g             *gpu.ConvGeometry
	height, width int  // of a phase
	phase, plane  int  // elements of a phase and of a channel
	length        int  // of the gradient with its gaps
	inPlace       bool // the image is laid out as it is
}

func layoutOf(g *gpu.ConvGeometry) layout {
	l := layout{g: g, height: (g.H + 2*g.PH + g.SH - 1) / g.SH, width: (g.W + 2*g.PW + g.SW - 1) / g.SW}
	l.phase = l.height * l.width
	l.plane = l.phase * g.SH * g.SW
	l.length = (g.OutH-1)*l.width + g.OutW
	l.inPlace = g.SH == 1 && g.SW == 1 && g.PH == 0 && g.PW == 0
	return l
}

// at is where the place (h, w) of a channel is, counted from the padding's corner.
func (l *layout) at(channel, h, w int) int {
	g := l.g
	return channel*l.plane + (h%g.SH*g.SW+w%g.SW)*l.phase + h/g.SH*l.width + w/g.SW
}

// input is where the first input of the weight (kh, kw) of a channel is.
func (l *layout) input(channel, kh, kw int) int { return l.at(channel, kh*l.g.DH, kw*l.g.DW) }

// tap is where a weight reads: an input channel, and a place in the kernel.
func (l *layout) tap(s *convSizes, weight int) (channel, kh, kw int) {
	g, taps := l.g, l.g.KH*l.g.KW
	first := weight / s.weightPerGrp * (g.C / g.Groups) // the group's first channel
	return first + weight%s.rows/taps, weight % taps / g.KW, weight % g.KW
}

// extent is how many elements an image takes that is laid out, where it isn't as it is.
func (l *layout) extent() int {
	if l.inPlace {
		return 0
	}
	return l.g.C * l.plane
}

// put lays an image out in y, which is zero in the padding, and returns it.
func (l *layout) put(x, y []float32) []float32 {
	if l.inPlace {
		return x
	}
	for c := range l.g.C {
		l.putChannel(x, y, c)
	}
	return y
}

// putChannel lays one channel of an image out, which is not inPlace.
func (l *layout) putChannel(x, y []float32, c int) {
	g := l.g
	for h := range g.H {
		row := x[(c*g.H+h)*g.W:][:g.W]
		if g.SW == 1 {
			copyRow(y[l.at(c, h+g.PH, g.PW):][:g.W], row)
			continue
		}
		if g.SW == 2 && g.W > 1 {
			n := split(row, y[l.at(c, h+g.PH, g.PW):], y[l.at(c, h+g.PH, g.PW+1):])
			for w := 2 * n; w < g.W; w++ {
				y[l.at(c, h+g.PH, g.PW+w)] = row[w]
			}
			continue
		}
		for r := range min(g.SW, g.W) {
			part := y[l.at(c, h+g.PH, g.PW+r):]
			for i, w := 0, r; w < g.W; i, w = i+1, w+g.SW {
				part[i] = row[w]
			}
		}
	}
}

// split writes the even and the odd elements of x to even and odd, as many pairs as it returns.
func split(x, even, odd []float32) int {
	n := len(x) / 2
	i := splitVectors(x, even[:n], odd[:n])
	for ; i < n; i++ {
		even[i], odd[i] = x[2*i], x[2*i+1]
	}
	return n
}

// join is the inverse of split.
func join(even, odd, x []float32) int {
	n := len(x) / 2
	i := joinVectors(even[:n], odd[:n], x)
	for ; i < n; i++ {
		x[2*i], x[2*i+1] = even[i], odd[i]
	}
	return n
}

// take writes an image that is laid out in y to x.
func (l *layout) take(y, x []float32) {
	g := l.g
	for c := range g.C {
		for h := range g.H {
			row := x[(c*g.H+h)*g.W:][:g.W]
			if g.SW == 1 {
				copyRow(row, y[l.at(c, h+g.PH, g.PW):])
				continue
			}
			if g.SW == 2 && g.W > 1 {
				n := join(y[l.at(c, h+g.PH, g.PW):], y[l.at(c, h+g.PH, g.PW+1):], row)
				for w := 2 * n; w < g.W; w++ {
					row[w] = y[l.at(c, h+g.PH, w+g.PW)]
				}
				continue
			}
			for r := range min(g.SW, g.W) {
				part := y[l.at(c, h+g.PH, g.PW+r):]
				for i, w := 0, r; w < g.W; i, w = i+1, w+g.SW {
					row[w] = part[i]
				}
			}
		}
	}
}

// spread writes the gradient of an output channel to y, which is zero in the gaps.
func (l *layout) spread(dy, y []float32) {
	for h := range l.g.OutH {
		copyRow(y[h*l.width:][:l.g.OutW], dy[h*l.g.OutW:])
	}
}
