package dataset

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"runtime"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/files"
)

// ImagesetOptions say how WriteImages makes a database (Caffe's convert_imageset).
type ImagesetOptions struct {
	PictureOptions
	Order     []int  // of the list's entries; nil: as they stand
	Encoding  string // "": pixels; "jpg" or "png": pictures, as they are where nothing about them changes
	CheckSize bool   // all pictures must have one size
	Progress  Progress
}

// Progress is told, while something long goes on, how many records of how many are done; it may be nil.
type Progress func(done, total int)

func (p Progress) tell(done, total int) {
	if p != nil {
		p(done, total)
	}
}

// jpegQuality is OpenCV's.
const jpegQuality = 95

// WriteImages makes an LMDB at path of the pictures in a list. Keys are the record's number in eight digits, an
// underscore, and the picture's path, as Caffe's converter writes them. Pictures are read by several goroutines.
func WriteImages(l *ImageList, o ImagesetOptions, path string) error {
	if o.Encoding != "" && o.Encoding != "jpg" && o.Encoding != "png" {
		return fmt.Errorf("encoding is %q; wanted jpg or png", o.Encoding)
	}
	if (o.Height == 0) != (o.Width == 0) {
		return fmt.Errorf("resize height is %d and width %d; wanted both or none", o.Height, o.Width)
	}
	entry := func(i int) ImageEntry {
		if o.Order != nil {
			i = o.Order[i]
		}
		return l.Entries[i]
	}
	stop := make(chan struct{})
	defer close(stop)
	pictures := ahead(len(l.Entries), stop, func(i int) (*Datum, error) { return o.read(l, entry(i)) })
	size := 0
	return writeRecords(path, len(l.Entries), func(i int) (string, *Datum, error) {
		o.Progress.tell(i, len(l.Entries))
		r := <-<-pictures
		if r.err != nil {
			return "", nil, r.err
		}
		if o.CheckSize && !r.d.Encoded {
			if i == 0 {
				size = len(r.d.Data)
			} else if len(r.d.Data) != size {
				e := entry(i)
				return "", nil, &caffe.FileError{Path: l.path, Line: e.Line, Msg: fmt.Sprintf("%s has the shape "+
					"%dx%dx%d, %d values; the first picture has %d",
					e.Path, r.d.Channels, r.d.Height, r.d.Width, len(r.d.Data), size)}
			}
		}
		return fmt.Sprintf("%08d_%s", i, entry(i).Path), r.d, nil
	})
}

// read reads a picture, and encodes it again where the database holds pictures and this one changes.
func (o ImagesetOptions) read(l *ImageList, e ImageEntry) (*Datum, error) {
	if o.Encoding != "" && !o.Gray && o.Height == 0 && sameKind(e.Path, o.Encoding) {
		data, err := files.Read(o.Root+e.Path, caffe.MaxMessageBytes)
		if err == nil {
			_, _, err = image.DecodeConfig(bytes.NewReader(data))
		}
		if err != nil {
			return nil, &caffe.FileError{
				Path: l.path,
				Line: e.Line,
				Msg:  fmt.Sprintf("%s: %v", o.Root+e.Path, caffe.Cause(err)),
				Err:  err,
			}
		}
		return &Datum{Encoded: true, Data: data, Label: e.Label}, nil
	}
	d, err := l.Read(e, o.PictureOptions)
	if err != nil || o.Encoding == "" {
		return d, err
	}
	return d, d.encode(o.Encoding)
}

func sameKind(path, encoding string) bool {
	return files.HasExt(path, "."+encoding) || files.HasExt(path, ".jpeg") && encoding == "jpg"
}

// encode makes pixels a picture.
func (d *Datum) encode(encoding string) error {
	plane := d.Height * d.Width
	var img image.Image
	if d.Channels == 1 {
		img = &image.Gray{Pix: d.Data, Stride: d.Width, Rect: image.Rect(0, 0, d.Width, d.Height)}
	} else {
		m := image.NewNRGBA(image.Rect(0, 0, d.Width, d.Height))
		for i := range plane {
			m.SetNRGBA(i%d.Width, i/d.Width, color.NRGBA{d.Data[2*plane+i], d.Data[plane+i], d.Data[i], 255})
		}
		img = m
	}
	var b bytes.Buffer
	var err error
	if encoding == "png" {
		err = png.Encode(&b, img)
	} else {
		err = jpeg.Encode(&b, img, &jpeg.Options{Quality: jpegQuality})
	}
	*d = Datum{Label: d.Label, Encoded: true, Data: b.Bytes()}
	return err
}

type result struct {
	d   *Datum
	err error
}

// ahead makes n results in several goroutines, and hands them out in order.
func ahead(n int, stop <-chan struct{}, make1 func(i int) (*Datum, error)) <-chan chan result {
	out := make(chan chan result, 2*runtime.GOMAXPROCS(0))
	go func() {
		for i := range n {
			r := make(chan result, 1)
			select {
			case out <- r: // waits where enough are under way
			case <-stop:
				return
			}
			go func() {
				d, err := make1(i)
				r <- result{d, err}
			}()
		}
	}()
	return out
}

// writeRecords makes a database from the n records that next returns.
func writeRecords(path string, n int, next func(i int) (string, *Datum, error)) error {
	runtime.LockOSThread() // a transaction belongs to its thread
	defer runtime.UnlockOSThread()
	w, err := CreateLMDB(path)
	if err != nil {
		return err
	}
	defer w.Abort()
	for i := range n {
		key, d, err := next(i)
		if err == nil {
			err = w.Put(key, d)
		}
		if err != nil {
			return err
		}
	}
	return w.Commit()
}

// Mean returns the mean image of a database (Caffe's compute_image_mean), in the old form that all versions of Caffe
// read. progress may be nil.
func Mean(db Database, progress Progress) (*caffepb.BlobProto, error) {
	var sum []float64
	var c, h, w, n int
	total, err := db.Count()
	if err != nil {
		return nil, err
	}
	err = ReadAll(db, func(i int, key []byte, d *Datum) error {
		progress.tell(i, total)
		if err := d.Decode(false, false); err != nil {
			return fmt.Errorf("%s: record %q %w", db.Path(), key, err)
		}
		if i == 0 {
			c, h, w = d.Channels, d.Height, d.Width
			sum = make([]float64, c*h*w)
		}
		if d.Channels != c || d.Height != h || d.Width != w {
			return fmt.Errorf(
				"%s: record %q has the shape %dx%dx%d, the first record %dx%dx%d",
				db.Path(),
				key,
				d.Channels,
				d.Height,
				d.Width,
				c,
				h,
				w,
			)
		}
		for k, v := range d.Data {
			sum[k] += float64(v)
		}
		for k, v := range d.Float {
			sum[k] += float64(v)
		}
		n++
		return nil
	})
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("%s: no records", db.Path())
	}
	mean := make([]float32, len(sum))
	for i, s := range sum {
		mean[i] = float32(s / float64(n))
	}
	one, cc, hh, ww := int32(1), int32(c), int32(h), int32(w)
	return &caffepb.BlobProto{Num: &one, Channels: &cc, Height: &hh, Width: &ww, Data: mean}, nil
}
