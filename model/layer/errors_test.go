package layer_test

import (
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"dns-tui/caffe/caffepb"
	"dns-tui/model/modeltest"
)

// Every error names file, line, layer and kind, what was found and what is wanted. The nets of testdata/errors.txt
// stand behind an input: "x", two images of 3x8x8, and "label". $TESTDATA is the repository's folder of that name.
func TestErrors(t *testing.T) {
	datadriven.RunTest(t, "testdata/errors.txt", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd != "net" {
			d.Fatalf(t, "unknown command %q", d.Cmd)
		}
		root := modeltest.Root()
		_, err := modeltest.Build(t, imageInput+strings.ReplaceAll(d.Input, "$TESTDATA", root), caffepb.Phase_TRAIN)
		if err == nil {
			return "no error\n"
		}
		if !strings.HasPrefix(err.Error(), "n.prototxt:") {
			t.Errorf("%s: the error does not begin with the file: %v", d.Pos, err)
		}
		return strings.ReplaceAll(err.Error(), root, "$TESTDATA") + "\n"
	})
}
