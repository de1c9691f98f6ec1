// Package safetensors writes the files of that name which PyTorch and others read
// (https://huggingface.co/docs/safetensors): eight bytes of length, low byte first, a JSON object of that length, and
// the values.
package safetensors

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/x448/float16"
)

// Tensor is a tensor of a file. Its values are written as float32, or as the nearest float16; where there are Bools, as
// these.
type Tensor struct {
	Name   string
	Shape  []int
	Values []float32
	Half   bool
	Bools  []bool
}

// dtype is the format's word for what the values are, and how many bytes they take.
func (t *Tensor) dtype() (word string, bytes int64) {
	switch {
	case t.Bools != nil:
		return "BOOL", int64(len(t.Bools))
	case t.Half:
		return "F16", 2 * int64(len(t.Values))
	}
	return "F32", 4 * int64(len(t.Values))
}

// entry is a tensor in the JSON object.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"` // behind the object
}

// alignment is that of the first value: the format wants the object filled up with spaces.
const alignment = 8

// lengthBytes are those of the object's length.
const lengthBytes = 8

// head returns the JSON object of tensors and a map of texts about the file, filled up, and how many bytes of values
// follow it. Two tensors of one name are an error.
func head(metadata map[string]string, tensors []Tensor) (text []byte, values int64, err error) {
	entries := map[string]any{"__metadata__": metadata}
	for _, t := range tensors {
		if _, twice := entries[t.Name]; twice {
			return nil, 0, fmt.Errorf("two tensors would be called %q", t.Name)
		}
		word, bytes := t.dtype()
		entries[t.Name] = entry{
			DType:   word,
			Shape:   append([]int{}, t.Shape...),
			Offsets: [2]int64{values, values + bytes},
		}
		values += bytes
	}
	if text, err = json.Marshal(entries); err != nil { // by name: the same bytes each time
		return nil, 0, err
	}
	for len(text)%alignment != 0 {
		text = append(text, ' ')
	}
	return text, values, nil
}

// Size is how many bytes Write writes.
func Size(metadata map[string]string, tensors []Tensor) (int64, error) {
	text, values, err := head(metadata, tensors)
	return int64(lengthBytes+len(text)) + values, err
}

// Write writes tensors in their order, and a map of texts about the file. Two of one name are an error. Bools stand
// behind all numbers, whose places are then multiples of their size.
func Write(w io.Writer, metadata map[string]string, tensors []Tensor) error {
	text, _, err := head(metadata, tensors)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<16) // keeps the first error for Flush
	_, _ = b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
	_, _ = b.Write(text)
	for _, t := range tensors {
		for _, v := range t.Bools {
			bit := byte(0)
			if v {
				bit = 1
			}
			_ = b.WriteByte(bit)
		}
		for _, v := range t.Values {
			if t.Half {
				_, _ = b.Write(binary.LittleEndian.AppendUint16(b.AvailableBuffer(), float16.Fromfloat32(v).Bits()))
			} else {
				_, _ = b.Write(binary.LittleEndian.AppendUint32(b.AvailableBuffer(), math.Float32bits(v)))
			}
		}
	}
	return b.Flush()
}
