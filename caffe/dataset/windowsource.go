package dataset

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"path/filepath"
	"sync"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
)

// windows is a WindowFile as a Source: of each batch, the last fg_fraction are drawn from the foreground, those before
// from the background; each is cut out with some context, scaled to crop_size × crop_size, and mirrored by chance.
type windows struct {
	file       *WindowFile
	crop       int
	context    int
	square     bool
	batch      uint64
	background uint64 // windows of a batch
	channels   int
	mirror     bool
	scale      float32
	means      []float32 // by channel, or
	mean       []float32 // by pixel of the crop: channels × crop × crop
	random     Random
	cache      sync.Map // pictures by index, where cache_images
	keep       bool
}

// FromWindows returns the windows of a file. t has crop_size, mirror, scale and means; its mean file is taken from the
// middle. random gives a window's number and whether it is mirrored.
func FromWindows(
	f *WindowFile,
	p *caffepb.WindowDataParameter,
	t *Transformer,
	batch int,
	random Random,
) (Source, error) {
	s := &windows{
		file:     f,
		crop:     int(t.param.GetCropSize()),
		context:  int(p.GetContextPad()),
		square:   p.GetCropMode() == "square",
		batch:    uint64(max(1, batch)),
		channels: f.Pictures[0].Channels,
		mirror:   t.param.GetMirror(),
		scale:    t.param.GetScale(),
		random:   random,
		keep:     p.GetCacheImages(),
	}
	for _, pic := range f.Pictures {
		if pic.Channels != s.channels || s.channels != 1 && s.channels != 3 {
			return nil, &caffe.FileError{
				Path: f.path,
				Line: pic.Line,
				Msg: fmt.Sprintf(
					"a picture of %d channels, the first has %d; wanted 3 or 1 in all",
					pic.Channels,
					s.channels,
				),
			}
		}
	}
	if s.crop < 1 {
		return nil, errors.New("transform_param: crop_size is not set; WindowData wants the size to scale windows to")
	}
	if m := p.GetCropMode(); m != "warp" && m != "square" {
		return nil, fmt.Errorf("window_data_param: crop_mode is %q; wanted \"warp\" or \"square\"", m)
	}
	if 2*s.context >= s.crop {
		return nil, fmt.Errorf(
			"window_data_param: context_pad is %d; wanted less than half of crop_size %d",
			s.context,
			s.crop,
		)
	}
	if fr := p.GetFgFraction(); !(fr >= 0 && fr <= 1) {
		return nil, fmt.Errorf("window_data_param: fg_fraction is %g; wanted 0 to 1", fr)
	}
	s.background = s.batch - uint64(float32(batch)*p.GetFgFraction())
	if n := len(t.param.MeanValue); n > 0 {
		if n != 1 && n != s.channels {
			return nil, fmt.Errorf(
				"transform_param: %d mean_value for %d channels; wanted 1 or %d",
				n,
				s.channels,
				s.channels,
			)
		}
		for c := range s.channels {
			s.means = append(s.means, t.param.MeanValue[c%n])
		}
	}
	return s, s.cutMean(t)
}

// cutMean takes the middle of the mean file.
func (s *windows) cutMean(t *Transformer) error {
	if t.mean == nil {
		return nil
	}
	if len(t.meanShape) != 3 || t.meanShape[0] != s.channels || t.meanShape[1] < s.crop || t.meanShape[2] < s.crop {
		return fmt.Errorf("transform_param: mean file %s has the shape %s; wanted %d channels of at least %dx%d",
			t.param.GetMeanFile(), caffe.FormatShape(t.meanShape), s.channels, s.crop, s.crop)
	}
	h, w := t.meanShape[1], t.meanShape[2]
	off := (w - s.crop) / 2
	if off+s.crop > h {
		off = (h - s.crop) / 2
	}
	for c := range s.channels {
		for y := range s.crop {
			s.mean = append(s.mean, t.mean[(c*h+off+y)*w+off:][:s.crop]...)
		}
	}
	return nil
}

func (s *windows) Path() string      { return s.file.path }
func (s *windows) Shape() []int      { return []int{s.channels, s.crop, s.crop} }
func (s *windows) Seek(uint64) error { return nil }
func (s *windows) Skip(uint64) error { return nil }
func (s *windows) Close() error      { return nil }
func (s *windows) Concurrent()       {}

func (s *windows) Read(record uint64, sample *Sample) error {
	list := s.file.Background
	if record%s.batch >= s.background {
		list = s.file.Foreground
	}
	r := s.random(record)
	w := list[below(r[0], len(list))]
	pic := s.file.Pictures[w.Picture]
	d, err := s.picture(w.Picture)
	if err != nil {
		return &caffe.FileError{Path: s.file.path, Line: pic.Line, Msg: err.Error(), Err: err}
	}
	if d.Width <= w.X2 || d.Height <= w.Y2 {
		return &caffe.FileError{
			Path: s.file.path,
			Line: pic.Line,
			Msg: fmt.Sprintf(
				"%s is %d by %d, the file says %d by %d",
				pic.Path,
				d.Width,
				d.Height,
				pic.Width,
				pic.Height,
			),
		}
	}
	sample.Label = float32(w.Label)
	s.warp(d, w, s.mirror && r[2]>>31 == 1, sample.Data)
	return nil
}

// picture reads a picture of the file.
func (s *windows) picture(i int) (*Datum, error) {
	if d, ok := s.cache.Load(i); ok {
		return d.(*Datum), nil
	}
	d, err := ReadPicture(s.file.Root+s.file.Pictures[i].Path, 0, 0, s.channels != 1)
	if err == nil && s.keep {
		s.cache.Store(i, d)
	}
	return d, err
}

// placement is where a window goes in the crop.
type placement struct {
	x1, y1, x2, y2 int // in the picture
	width, height  int // scaled
	padX, padY     int // in the crop, before it
}

// warp cuts a window out, scales it, and puts it into out, zero elsewhere.
func (s *windows) warp(d *Datum, w Window, mirror bool, out []float32) {
	p := s.place(d, w, mirror)
	cut := Datum{Channels: d.Channels, Height: p.y2 - p.y1 + 1, Width: p.x2 - p.x1 + 1}
	for c := range d.Channels {
		for y := p.y1; y <= p.y2; y++ {
			cut.Data = append(cut.Data, d.Data[(c*d.Height+y)*d.Width+p.x1:][:cut.Width]...)
		}
	}
	cut.Resize(p.height, p.width)
	clear(out)
	for c := range d.Channels {
		for y := range p.height {
			row := cut.Data[(c*p.height+y)*p.width:][:p.width]
			at := (c*s.crop+y+p.padY)*s.crop + p.padX
			for x := range row {
				v := float32(row[x])
				if mirror {
					v = float32(row[p.width-1-x])
				}
				switch {
				case s.mean != nil:
					v -= s.mean[at+x]
				case s.means != nil:
					v -= s.means[c]
				}
				out[at+x] = v * s.scale
			}
		}
	}
}

// place widens a window by its context, and clips it to the picture (Caffe's WindowDataLayer::load_batch).
func (s *windows) place(d *Datum, w Window, mirror bool) placement {
	p := placement{w.X1, w.Y1, w.X2, w.Y2, s.crop, s.crop, 0, 0}
	if s.context == 0 && !s.square {
		return p
	}
	round := func(v float64) int { return int(math.Round(v)) }
	scale := float64(s.crop) / float64(s.crop-2*s.context)
	halfH, halfW := float64(w.Y2-w.Y1+1)/2, float64(w.X2-w.X1+1)/2
	midX, midY := float64(w.X1)+halfW, float64(w.Y1)+halfH
	if s.square {
		halfH = max(halfH, halfW)
		halfW = halfH
	}
	p.x1, p.x2 = round(midX-halfW*scale), round(midX+halfW*scale)
	p.y1, p.y2 = round(midY-halfH*scale), round(midY+halfH*scale)
	scaleX, scaleY := float64(s.crop)/float64(p.x2-p.x1+1), float64(s.crop)/float64(p.y2-p.y1+1)
	left, top := max(0, -p.x1), max(0, -p.y1)
	right, bottom := max(0, p.x2-d.Width+1), max(0, p.y2-d.Height+1)
	p.x1, p.y1, p.x2, p.y2 = p.x1+left, p.y1+top, p.x2-right, p.y2-bottom
	p.width, p.height = round(float64(p.x2-p.x1+1)*scaleX), round(float64(p.y2-p.y1+1)*scaleY)
	p.padY = round(float64(top) * scaleY)
	p.padX = round(float64(left) * scaleX)
	if mirror {
		p.padX = round(float64(right) * scaleX)
	}
	p.padX, p.padY = min(p.padX, s.crop-1), min(p.padY, s.crop-1)
	p.width, p.height = max(1, min(p.width, s.crop-p.padX)), max(1, min(p.height, s.crop-p.padY))
	return p
}

// Contents implements Source: names of files, without their folders, and windows.
func (s *windows) Contents() (records int, sum uint32, err error) {
	for _, p := range s.file.Pictures {
		sum = crc32.Update(sum, crc32.IEEETable, fmt.Append(nil, filepath.Base(p.Path), p.Channels, p.Height, p.Width))
	}
	for _, list := range [][]Window{s.file.Foreground, s.file.Background} {
		for _, w := range list {
			sum = crc32.Update(sum, crc32.IEEETable, fmt.Append(nil, w))
		}
		records += len(list)
	}
	return records, sum, nil
}
