package layer

import (
	"errors"
	"fmt"

	"dns-tui/gpu"
)

func init() {
	register("MemoryData", Arity{0, 0, 2, 2}, func() Layer { return &memoryData{} })
}

// memoryData hands out what a program put into its tops, as Caffe's MemoryData does with arrays that are set from
// outside.
type memoryData struct {
	noBackward
	device *gpu.Device
	filled bool
}

func (l *memoryData) Setup(c *Context, _, top []*Blob) error {
	l.device = c.Device
	p := c.Param.GetMemoryDataParam()
	n, ch, h, w := int(p.GetBatchSize()), int(p.GetChannels()), int(p.GetHeight()), int(p.GetWidth())
	if n < 1 || ch < 1 || h < 1 || w < 1 {
		return fmt.Errorf(
			"memory_data_param: batch_size %d, channels %d, height %d, width %d; wanted at least 1 of each",
			n,
			ch,
			h,
			w,
		)
	}
	if err := top[0].Reshape(c.Device, n, ch, h, w); err != nil {
		return err
	}
	return top[1].Reshape(c.Device, n)
}

func (l *memoryData) Forward(_, top []*Blob) error {
	if !l.filled && l.device.SumSquares(top[0].Data) == 0 {
		return errors.New(
			"nobody has filled its tops: MemoryData takes arrays from a program; wanted a Data, ImageData or " +
				"HDF5Data layer to train from files",
		)
	}
	l.filled = true
	return nil
}
