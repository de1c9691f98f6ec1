package caffe

import (
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/compact"
	"dns-tui/caffe/safetensors"
)

// FormSizes are the bytes of a net's weights in each form that export writes, every value as it is.
type FormSizes struct {
	Caffemodel  int64 `json:"caffemodel"`
	Compact     int64 `json:"compact"`
	Safetensors int64 `json:"safetensors"`
}

// SizesOf returns the bytes that export makes of a net without masks, without writing anything.
func SizesOf(n *caffepb.NetParameter) (s FormSizes, err error) {
	s.Caffemodel = int64(proto.Size(n))
	p, err := compact.NewPlan(CompactOf(n, nil))
	if err != nil {
		return s, err
	}
	s.Compact = p.Bytes
	tensors, err := tensorsOf(n, false, nil)
	if err != nil {
		return s, err
	}
	s.Safetensors, err = safetensors.Size(about(n), tensors)
	return s, err
}
