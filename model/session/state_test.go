package session_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
)

// caffeState is a solverstate as text, without the names of files and of the run.
type caffeState struct{ text string }

func (c *caffeState) parse(t *testing.T, data []byte) {
	t.Helper()
	s := &caffepb.SolverState{}
	if err := proto.Unmarshal(data, s); err != nil {
		t.Fatal(err)
	}
	s.LearnedNet, s.Sha256, s.RunState.RunId = nil, nil, nil
	c.text = caffe.FormatPrototxt(s)
}
