package dataset

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"dns-tui/caffe"
)

// ImageList is a text file of pictures, a line each: a path, a space, and a label (Caffe's ImageData,
// convert_imageset).
type ImageList struct {
	path    string
	Entries []ImageEntry
}

// ImageEntry is a line of an ImageList.
type ImageEntry struct {
	Path  string
	Label int
	Line  int
}

// ReadImageList reads the list in path.
func ReadImageList(path string) (*ImageList, error) {
	f, err := caffe.Open(path, "a list of images")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l := &ImageList{path: path}
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for n := 1; s.Scan(); n++ {
		line := strings.TrimRight(s.Text(), " \t\r")
		if line == "" {
			continue
		}
		at := strings.LastIndexAny(line, " \t")
		label, err := strconv.Atoi(line[at+1:])
		if at < 1 || err != nil {
			return nil, &caffe.FileError{
				Path: path,
				Line: n,
				Msg:  fmt.Sprintf("%q; wanted a path, a space and a label, a number", line),
			}
		}
		l.Entries = append(l.Entries, ImageEntry{Path: strings.TrimRight(line[:at], " \t"), Label: label, Line: n})
	}
	if err := s.Err(); err != nil {
		return nil, &caffe.FileError{Path: path, Msg: err.Error(), Err: err}
	}
	if len(l.Entries) == 0 {
		return nil, &caffe.FileError{Path: path, Msg: "names no image"}
	}
	return l, nil
}

// PictureOptions say how the pictures of a list are read.
type PictureOptions struct {
	Root          string // goes before every path, as it is: Caffe joins without a slash
	Height, Width int    // to scale to; 0: as they are
	Gray          bool
}

// Read reads the picture of an entry. Errors name the line of the list.
func (l *ImageList) Read(e ImageEntry, o PictureOptions) (*Datum, error) {
	d, err := ReadPicture(o.Root+e.Path, o.Height, o.Width, !o.Gray)
	if err != nil {
		return nil, &caffe.FileError{Path: l.path, Line: e.Line, Msg: err.Error(), Err: err}
	}
	d.Label = e.Label
	return d, nil
}

// images is a list as a Source.
type images struct {
	list      *ImageList
	options   PictureOptions
	transform *Transformer
	random    Random
	shape     []int
	order     func(round uint64) []int // of the entries in a round, or nil: as they stand
	current   atomic.Pointer[round]
}

type round struct {
	n     uint64
	order []int
}

// FromImages returns the pictures of a list, transformed. order shuffles each round; nil keeps the list's order.
func FromImages(
	l *ImageList,
	o PictureOptions,
	t *Transformer,
	random Random,
	order func(round uint64) []int,
) (Source, error) {
	if (o.Height == 0) != (o.Width == 0) {
		return nil, fmt.Errorf(
			"image_data_param: new_height is %d and new_width %d; wanted both or none",
			o.Height,
			o.Width,
		)
	}
	s := &images{list: l, options: o, transform: t, random: random, order: order}
	d, err := l.Read(s.entry(0), o)
	if err != nil {
		return nil, err
	}
	s.shape, err = t.Infer(d)
	return s, err
}

func (s *images) Path() string      { return s.list.path }
func (s *images) Shape() []int      { return s.shape }
func (s *images) Seek(uint64) error { return nil }
func (s *images) Skip(uint64) error { return nil }
func (s *images) Close() error      { return nil }
func (s *images) Concurrent()       {}

func (s *images) entry(record uint64) ImageEntry {
	n := uint64(len(s.list.Entries))
	i := int(record % n)
	if s.order == nil {
		return s.list.Entries[i]
	}
	r := s.current.Load()
	if r == nil || r.n != record/n {
		r = &round{record / n, s.order(record / n)}
		s.current.Store(r)
	}
	return s.list.Entries[r.order[i]]
}

func (s *images) Read(record uint64, sample *Sample) error {
	e := s.entry(record)
	d, err := s.list.Read(e, s.options)
	if err != nil {
		return err
	}
	sample.Label = float32(d.Label)
	if err := s.transform.into(d, record, s.random, sample); err != nil {
		return &caffe.FileError{
			Path: s.list.path,
			Line: e.Line,
			Msg:  fmt.Sprintf("%s %v", filepath.Base(e.Path), err),
			Err:  err,
		}
	}
	return nil
}

// Shuffle returns the order 0 … n-1 shuffled by random numbers below a bound (Fisher and Yates).
func Shuffle(n int, below func(i, bound int) int) []int {
	order := make([]int, n)
	for i := range order {
		j := below(i, i+1)
		order[i] = order[j]
		order[j] = i
	}
	return order
}

// Contents implements Source: names of files, without their folders, and labels.
func (s *images) Contents() (records int, sum uint32, err error) {
	for _, e := range s.list.Entries {
		sum = crc32.Update(sum, crc32.IEEETable, fmt.Append(nil, filepath.Base(e.Path), e.Label, "\n"))
	}
	return len(s.list.Entries), sum, nil
}
