package layer

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/hdf5"
	"dns-tui/files"
)

func init() {
	register("HDF5Data", Arity{0, 0, 1, -1}, func() Layer { return &hdf5Data{} })
	register("HDF5Output", Arity{2, 2, 0, 0}, func() Layer { return &hdf5Output{} })
}

// hdf5Data reads rows of the datasets that have the names of its tops, from the HDF5 files that a text file lists. The
// file after the one in use is read ahead.
type hdf5Data struct {
	noBackward
	c       *Context
	tops    []string
	shapes  [][]int // of a row of each top
	files   []string
	rows    []int // of each file
	total   uint64
	shuffle bool
	buf     [][]float32
	batch   int
	record  uint64 // rows handed out since the run began, to all ranks
	rank    int    // whose batches are read
	ranks   int

	round   uint64
	order   []int // of the files in the round
	now     *hdf5Rows
	ahead   chan *hdf5Rows
	aheadOf place
}

type place struct {
	round uint64
	at    int
}

// hdf5Rows is a file in memory.
type hdf5Rows struct {
	place
	file  int
	data  [][]float32
	order []int // of its rows, or nil
	err   error
}

func (l *hdf5Data) Setup(c *Context, _, top []*Blob) error {
	l.c = c
	p := c.Param.GetHdf5DataParam()
	if c.Param.TransformParam != nil {
		return errors.New("transform_param: HDF5Data hands its rows out as they are")
	}
	if p.GetSource() == "" {
		return errors.New("hdf5_data_param: source is not set; wanted a text file that lists HDF5 files")
	}
	if l.batch, l.shuffle = int(p.GetBatchSize()), p.GetShuffle(); l.batch < 1 {
		return fmt.Errorf("hdf5_data_param: batch_size is %d; wanted at least 1", l.batch)
	}
	for _, t := range top {
		l.tops = append(l.tops, t.Name)
	}
	if err := l.list(c.Resolve(p.GetSource())); err != nil {
		return err
	}
	for i, t := range top {
		if err := t.Reshape(c.Device, append([]int{l.batch}, l.shapes[i]...)...); err != nil {
			return err
		}
		l.buf = append(l.buf, make([]float32, t.Len()))
	}
	return nil
}

// list reads the names of the files, and the shapes in all of them, which must agree.
func (l *hdf5Data) list(source string) error {
	f, err := caffe.Open(source, "a text file that lists HDF5 files")
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for line := 1; s.Scan(); line++ {
		for name := range strings.FieldsSeq(s.Text()) {
			if found := l.c.Resolve(name); found != name || filepath.IsAbs(name) {
				name = found
			} else if beside := filepath.Join(filepath.Dir(source), name); caffe.Exists(beside) && !caffe.Exists(name) {
				name = beside
			}
			shapes, err := hdf5Shapes(name, l.tops)
			if err == nil && l.shapes != nil {
				err = l.sameRows(name, shapes)
			}
			if err != nil {
				return &caffe.FileError{Path: source, Line: line, Msg: err.Error(), Err: err}
			}
			if l.shapes == nil {
				for _, sh := range shapes {
					l.shapes = append(l.shapes, sh[1:])
				}
			}
			l.files, l.rows = append(l.files, name), append(l.rows, shapes[0][0])
			l.total += uint64(shapes[0][0])
		}
	}
	if err := s.Err(); err != nil {
		return &caffe.FileError{Path: source, Msg: "is not a text file that lists HDF5 files: " + err.Error(), Err: err}
	}
	if l.total == 0 {
		return &caffe.FileError{Path: source, Msg: "lists no HDF5 file with rows"}
	}
	return nil
}

// hdf5Shapes reads the shapes of datasets, which have as many rows.
func hdf5Shapes(path string, names []string) ([][]int, error) {
	f, err := hdf5.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	root, err := f.Root()
	if err != nil {
		return nil, err
	}
	var shapes [][]int
	for _, name := range names {
		ds, err := root.Dataset(name)
		if err != nil {
			return nil, err
		}
		if ds.Class == hdf5.String {
			return nil, fmt.Errorf("%s: dataset %q holds strings; wanted numbers", path, name)
		}
		if len(ds.Shape) < 1 {
			return nil, fmt.Errorf("%s: dataset %q is a scalar; wanted rows", path, name)
		}
		if shapes = append(shapes, ds.Shape); ds.Shape[0] != shapes[0][0] {
			return nil, fmt.Errorf("%s: dataset %q has %d rows, %q %d", path, name, ds.Shape[0], names[0], shapes[0][0])
		}
	}
	return shapes, nil
}

func (l *hdf5Data) sameRows(path string, shapes [][]int) error {
	for i, s := range shapes {
		if caffe.FormatShape(s[1:]) != caffe.FormatShape(l.shapes[i]) {
			return fmt.Errorf(
				"%s: a row of dataset %q is %s, in %s it is %s",
				path,
				l.tops[i],
				caffe.FormatShape(s[1:]),
				l.files[0],
				caffe.FormatShape(l.shapes[i]),
			)
		}
	}
	return nil
}

func (l *hdf5Data) load(p place, order []int) *hdf5Rows {
	r := &hdf5Rows{place: p, file: order[p.at]}
	f, err := hdf5.Open(l.files[r.file])
	if err != nil {
		r.err = err
		return r
	}
	defer f.Close()
	root, err := f.Root()
	if err != nil {
		r.err = err
		return r
	}
	for i, name := range l.tops {
		ds, err := root.Dataset(name)
		if err == nil &&
			caffe.FormatShape(ds.Shape) != caffe.FormatShape(append([]int{l.rows[r.file]}, l.shapes[i]...)) {
			err = fmt.Errorf(
				"%s: dataset %q has changed its shape to %s",
				l.files[r.file],
				name,
				caffe.FormatShape(ds.Shape),
			)
		}
		var v []float32
		if err == nil {
			v, err = ds.Floats()
		}
		if err != nil {
			r.err = err
			return r
		}
		r.data = append(r.data, v)
	}
	if l.shuffle {
		r.order = l.c.shuffled(l.rows[r.file], p.round, uint64(r.file)+1)
	}
	return r
}

// orderOf returns the order of the files in a round.
func (l *hdf5Data) orderOf(round uint64) []int {
	if l.shuffle {
		return l.c.shuffled(len(l.files), round, 0)
	}
	order := make([]int, len(l.files))
	for i := range order {
		order[i] = i
	}
	return order
}

// at brings the file of a row into memory, and returns the row's number in it.
func (l *hdf5Data) at(record uint64) (int, error) {
	round, row := record/l.total, int(record%l.total)
	if l.order == nil || l.round != round {
		l.round, l.order = round, l.orderOf(round)
	}
	p := place{round: round}
	for row >= l.rows[l.order[p.at]] {
		row -= l.rows[l.order[p.at]]
		p.at++
	}
	if l.now == nil || l.now.place != p && !(len(l.files) == 1 && !l.shuffle) {
		if l.ahead != nil && l.aheadOf == p {
			l.now = <-l.ahead
		} else {
			l.now = l.load(p, l.order)
		}
		l.ahead = nil
		if l.now.err == nil && len(l.files) > 1 {
			l.readAhead(p)
		}
	}
	return row, l.now.err
}

// readAhead begins to read the file after p.
func (l *hdf5Data) readAhead(p place) {
	order := l.order
	if p.at++; p.at == len(l.files) {
		p = place{round: p.round + 1}
		order = l.orderOf(p.round)
	}
	l.ahead, l.aheadOf = make(chan *hdf5Rows, 1), p
	go func(to chan *hdf5Rows) { to <- l.load(p, order) }(l.ahead)
}

func (l *hdf5Data) Forward(_, top []*Blob) error {
	for i := range l.batch {
		row, err := l.at(l.record + uint64(l.rank*l.batch+i))
		if err != nil {
			return err
		}
		if l.now.order != nil {
			row = l.now.order[row]
		}
		for k, b := range l.buf {
			n := len(b) / l.batch
			copy(b[i*n:][:n], l.now.data[k][row*n:])
		}
	}
	l.record += uint64(max(1, l.ranks) * l.batch)
	for k, t := range top {
		l.c.Device.Upload(t.Data, l.buf[k])
	}
	return nil
}

func (l *hdf5Data) Records() uint64     { return l.record }
func (l *hdf5Data) Seek(records uint64) { l.record = records }
func (l *hdf5Data) Batch() int          { return l.batch }

// Contents implements Source.
func (l *hdf5Data) Contents() (Contents, error) {
	sum := crc32.ChecksumIEEE(fmt.Append(nil, l.rows, l.shapes))
	return Contents{l.c.Param.GetHdf5DataParam().GetSource(), int(l.total), sum}, nil
}

// Deal implements Source.
func (l *hdf5Data) Deal(rank, ranks int) { l.rank, l.ranks = rank, ranks }

func (l *hdf5Data) Close() error {
	if l.ahead != nil {
		<-l.ahead
	}
	return nil
}

// hdf5Output collects its two bottoms, and writes them when the net is closed, as the datasets data and label of an
// HDF5 file: every pass, where Caffe's has room for one.
type hdf5Output struct {
	noBackward
	c      *Context
	path   string
	rows   int
	parts  [2]*os.File // of the datasets, until they are put together
	shapes [2][]int    // of a row
	buf    [2][]float32
}

// NoGradient implements Selective.
func (*hdf5Output) NoGradient(int) bool { return true }

var hdf5OutputNames = [2]string{"data", "label"}

func (l *hdf5Output) Setup(c *Context, bottom, _ []*Blob) error {
	l.c, l.path = c, c.Param.GetHdf5OutputParam().GetFileName()
	if l.path == "" {
		return errors.New("hdf5_output_param: file_name is not set")
	}
	if len(bottom[0].Shape) == 0 || len(bottom[1].Shape) == 0 || bottom[0].Shape[0] != bottom[1].Shape[0] {
		return mismatch(bottom[0], bottom[1])
	}
	for i, b := range bottom {
		shape := fourAxes(b.Shape)[1:]
		if l.parts[i] != nil && caffe.FormatShape(shape) != caffe.FormatShape(l.shapes[i]) {
			return fmt.Errorf(
				"bottom %q changed to the shape %s; %s holds rows of %s",
				b.Name,
				b.FormatShape(),
				l.path,
				caffe.FormatShape(l.shapes[i]),
			)
		}
		l.shapes[i], l.buf[i] = shape, make([]float32, b.Len())
		if l.parts[i] != nil {
			continue
		}
		if l.parts == [2]*os.File{} {
			files.Sweep(l.path) // of a run that was killed
		}
		f, err := files.CreateTemp(l.path)
		if err != nil {
			return fmt.Errorf("hdf5_output_param: %w", caffe.NotWritten(l.path, err))
		}
		l.parts[i] = f
	}
	return nil
}

// fourAxes is a shape as Caffe writes it here: num, channels, height, width.
func fourAxes(shape []int) []int {
	s := append([]int(nil), shape...)
	for len(s) < 4 {
		s = append(s, 1)
	}
	return s
}

func (l *hdf5Output) Forward(bottom, _ []*Blob) error {
	for i, b := range bottom {
		l.c.Device.Download(l.buf[i], b.Data)
		if err := hdf5.WriteFloats(l.parts[i], l.buf[i]); err != nil {
			return fmt.Errorf("hdf5_output_param: %s cannot be written: %w", l.path, err)
		}
	}
	l.rows += bottom[0].Shape[0]
	return nil
}

// Close puts the file together.
func (l *hdf5Output) Close() error {
	root := hdf5.NewGroup()
	for i, f := range l.parts {
		if f == nil {
			continue
		}
		defer os.Remove(f.Name())
		defer f.Close()
		root.Floats(hdf5OutputNames[i], append([]int{l.rows}, l.shapes[i]...), nil, func(w io.Writer) error {
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				return err
			}
			_, err := io.Copy(w, f)
			return err
		})
	}
	if l.rows == 0 {
		return nil
	}
	l.rows = 0
	return caffe.WriteFile(l.path, func(w io.Writer) error { return hdf5.Write(w, root) })
}
