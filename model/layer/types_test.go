package layer

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"dns-tui/caffe"
)

// What the reader of prototxt takes for known types are those that there are layers of, and Python alone is neither.
func TestTypesAreThoseOfCaffe(t *testing.T) {
	if diff := cmp.Diff(caffe.LayerTypes, Types()); diff != "" {
		t.Errorf("caffe.LayerTypes and the registered layers differ (-caffe +here):\n%s", diff)
	}
}
