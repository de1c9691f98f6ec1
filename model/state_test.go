package model_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
)

// caffeState is a solverstate as text, without the names of files.
type caffeState struct{ text string }

func (c *caffeState) parse(t *testing.T, data []byte) {
	t.Helper()
	s := &caffepb.SolverState{}
	if err := proto.Unmarshal(data, s); err != nil {
		t.Fatal(err)
	}
	s.LearnedNet = nil
	c.text = caffe.FormatPrototxt(s)
}
