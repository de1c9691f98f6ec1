package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"dns-tui/caffe"
)

// A WindowFile lists windows of pictures, for training detectors as R-CNN does (Caffe's WindowData). For each picture:
//
//	# index
//	path
//	channels
//	height
//	width
//	number of windows
//	class overlap x1 y1 x2 y2    for each window
//
// Corners are pixels that belong to the window.
type WindowFile struct {
	path       string
	Root       string // goes before every picture's path, as it is
	Pictures   []WindowPicture
	Foreground []Window // overlap of fg_threshold or more
	Background []Window // overlap below bg_threshold: class 0
}

// WindowPicture is a picture of a WindowFile.
type WindowPicture struct {
	Path                    string
	Channels, Height, Width int
	Line                    int
}

// Window is a rectangle of a picture.
type Window struct {
	Picture        int // index of WindowFile.Pictures
	Label          int
	X1, Y1, X2, Y2 int
}

// words reads a file word by word and knows their lines. Its first error stays.
type words struct {
	lines  *bufio.Scanner
	path   string
	line   int
	fields []string
	err    error
}

// next returns a word, or "" at the end.
func (w *words) next() string {
	for len(w.fields) == 0 {
		if w.err != nil || !w.lines.Scan() {
			if w.err == nil {
				w.err = w.lines.Err()
			}
			return ""
		}
		w.line++
		w.fields = strings.Fields(w.lines.Text())
	}
	s := w.fields[0]
	w.fields = w.fields[1:]
	return s
}

func (w *words) errorf(format string, args ...any) {
	if w.err == nil {
		w.err = &caffe.FileError{Path: w.path, Line: max(1, w.line), Msg: fmt.Sprintf(format, args...)}
	}
}

// number reads a number of at least low.
func (w *words) number(what string, low float64) float64 {
	s := w.next()
	v, err := strconv.ParseFloat(s, 64)
	if s == "" {
		w.errorf("ends where %s should stand", what)
	} else if err != nil || v < low || v > 1<<31 {
		w.errorf("%s is %q; wanted a number, at least %g", what, s, low)
	}
	return v
}

func (w *words) int(what string, low float64) int { return int(w.number(what, low)) }

// ReadWindowFile reads the file in path.
func ReadWindowFile(path string, fgThreshold, bgThreshold float32) (*WindowFile, error) {
	f, err := caffe.Open(path, "a window file")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseWindowFile(path, f, fgThreshold, bgThreshold)
}

func parseWindowFile(path string, r io.Reader, fgThreshold, bgThreshold float32) (*WindowFile, error) {
	f := &WindowFile{path: path}
	w := &words{lines: bufio.NewScanner(r), path: path}
	w.lines.Buffer(nil, 1<<20)
	for sign := w.next(); sign != "" && w.err == nil; sign = w.next() {
		if sign != "#" {
			w.errorf("%q; wanted # and the number of a picture", sign)
		}
		w.int("the number of a picture", 0)
		p := WindowPicture{Path: w.next(), Line: w.line}
		p.Channels, p.Height, p.Width = w.int("channels", 1), w.int("height", 1), w.int("width", 1)
		f.Pictures = append(f.Pictures, p)
		for range w.int("the number of windows", 0) {
			if w.err != nil {
				break
			}
			f.add(w, p, fgThreshold, bgThreshold)
		}
	}
	if w.err != nil {
		if _, ok := errors.AsType[*caffe.FileError](w.err); !ok {
			w.err = &caffe.FileError{Path: path, Line: w.line, Msg: w.err.Error(), Err: w.err}
		}
		return nil, w.err
	}
	if len(f.Foreground) == 0 || len(f.Background) == 0 {
		return nil, &caffe.FileError{
			Path: path,
			Msg: fmt.Sprintf(
				"has %d windows of an overlap of at least %g (fg_threshold) and %d below %g (bg_threshold); wanted "+
					"both",
				len(f.Foreground),
				fgThreshold,
				len(f.Background),
				bgThreshold,
			),
		}
	}
	return f, nil
}

// add reads a window and keeps it, if it is foreground or background.
func (f *WindowFile) add(w *words, p WindowPicture, fgThreshold, bgThreshold float32) {
	label, overlap := w.int("a class", 0), float32(w.number("an overlap", 0))
	v := Window{
		Picture: len(f.Pictures) - 1,
		Label:   label,
		X1:      w.int("x1", 0),
		Y1:      w.int("y1", 0),
		X2:      w.int("x2", 0),
		Y2:      w.int("y2", 0),
	}
	if w.err == nil && (v.X2 < v.X1 || v.Y2 < v.Y1 || v.X2 >= p.Width || v.Y2 >= p.Height) {
		w.errorf("a window from %d,%d to %d,%d in a picture of %d by %d", v.X1, v.Y1, v.X2, v.Y2, p.Width, p.Height)
	}
	switch {
	case w.err != nil:
	case overlap >= fgThreshold:
		if label == 0 {
			w.errorf("a window of overlap %g has class 0, which is the background's; wanted at least 1", overlap)
		}
		f.Foreground = append(f.Foreground, v)
	case overlap < bgThreshold:
		v.Label = 0
		f.Background = append(f.Background, v)
	}
}
