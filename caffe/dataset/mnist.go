package dataset

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"

	"dns-tui/caffe"
	"dns-tui/files"
	"dns-tui/memory"
)

// MNISTSplit is one of the two parts of MNIST.
type MNISTSplit string

// The parts, named as their files are.
const (
	MNISTTrain MNISTSplit = "train"
	MNISTTest  MNISTSplit = "t10k"
)

// The magic numbers of idx files: unsigned bytes in 3 dimensions (images) and in 1 (labels).
const (
	idxImages = 0x803
	idxLabels = 0x801
)

// WriteMNIST turns the idx files of one part of MNIST in dir (plain or .gz) into an LMDB at out that Caffe
// reads. It returns the number of images. progress may be nil.
func WriteMNIST(dir string, split MNISTSplit, out string, progress Progress) (int, error) {
	images, dims, err := readIdx(dir, string(split)+"-images", "idx3-ubyte", idxImages)
	if err != nil {
		return 0, err
	}
	labels, ldims, err := readIdx(dir, string(split)+"-labels", "idx1-ubyte", idxLabels)
	if err != nil {
		return 0, err
	}
	if dims[0] != ldims[0] {
		return 0, fmt.Errorf("%s: %d images and %d labels in the %s files", dir, dims[0], ldims[0], split)
	}
	size := dims[1] * dims[2]
	err = WriteLMDB(out, dims[0], func(i int) (*Datum, error) {
		progress.tell(i, dims[0])
		return &Datum{
			Channels: 1,
			Height:   dims[1],
			Width:    dims[2],
			Label:    int(labels[i]),
			Data:     images[i*size : (i+1)*size],
		}, nil
	})
	return dims[0], err
}

// readIdx finds and reads an idx file under any of the names it is distributed by.
func readIdx(dir, stem, suffix string, magic uint32) (data []byte, dims []int, err error) {
	var names []string
	for _, sep := range []string{"-", "."} {
		for _, ext := range []string{"", ".gz"} {
			names = append(names, stem+sep+suffix+ext)
		}
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if caffe.Exists(path) {
			return readIdxFile(path, magic)
		}
	}
	return nil, nil, fmt.Errorf("%s: no %s (nor .gz) in this folder", dir, names[0])
}

func readIdxFile(path string, magic uint32) ([]byte, []int, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	var r io.Reader = bufio.NewReader(f)
	if files.HasExt(path, ".gz") {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	data, dims, err := parseIdx(r, magic)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, dims, nil
}

// parseIdx reads an idx stream: a magic number whose last byte counts the dimensions, the extents in
// big-endian 32 bits, then the bytes.
func parseIdx(r io.Reader, magic uint32) ([]byte, []int, error) {
	var got uint32
	if err := binary.Read(r, binary.BigEndian, &got); err != nil {
		return nil, nil, fmt.Errorf("is cut short: %w", err)
	}
	if got != magic {
		return nil, nil, fmt.Errorf("is not the idx file wanted: magic %#x, wanted %#x", got, magic)
	}
	dims := make([]int, magic&0xff)
	n := 1
	for i := range dims {
		var d uint32
		if err := binary.Read(r, binary.BigEndian, &d); err != nil {
			return nil, nil, fmt.Errorf("is cut short: %w", err)
		}
		if d > 1<<24 {
			return nil, nil, fmt.Errorf("has an extent of %d", d)
		}
		dims[i] = int(d)
		if n *= dims[i]; n > 1<<32 {
			return nil, nil, fmt.Errorf("has the shape %v, more than 4 GiB", dims[:i+1])
		}
	}
	if err := memory.Check("its pixels", 2*int64(n)); err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return nil, nil, err
	}
	if len(data) != n {
		return nil, nil, fmt.Errorf("is cut short: %d bytes of pixels, wanted %d", len(data), n)
	}
	return data, dims, nil
}
