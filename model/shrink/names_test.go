package shrink_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

// Layers that have one name, or none, take their weights in order, before and after.
func TestShrinkLayersOfOneName(t *testing.T) {
	for _, names := range [][3]string{{"c", "c", "d"}, {"c", "d", "c"}, {"", "", "d"}, {"c", "c", "c"}} {
		name := func(i int) string {
			if names[i] == "" {
				return ""
			}
			return `name: "` + names[i] + `" `
		}
		conv := func(i int, bottom, top, more string) string {
			return `layer { ` + name(i) + `type: "Convolution" bottom: "` + bottom + `" top: "` + top +
				`" convolution_param { ` + more + ` } }
			`
		}
		text := images + conv(0, "data", "one", "num_output: 6 kernel_size: 3") +
			conv(1, "one", "two", "num_output: 6 kernel_size: 1") +
			conv(2, "two", "out", "num_output: 2 kernel_size: 1")
		b := build(t, text)
		w := weights(b.net, rand.New(rand.NewPCG(3, 4)), func(string, int, int) bool { return false })
		for i, l := range w.Layer {
			l.Name = proto.String(names[i])
			if i < 2 { // the first two filters of the first two
				size := len(l.Blobs[0].Data) / 6
				clear(l.Blobs[0].Data[:2*size])
				clear(l.Blobs[1].Data[:2])
			}
		}
		r, worst := shrunk(t, b, w)
		b.close()
		if worst > 1e-5 {
			t.Errorf("%q: outputs differ by %g", names, worst)
		}
		var have []string
		for _, l := range r.Weights.Layer {
			have = append(have, l.GetName())
		}
		if strings.Join(have, ",") != strings.Join(names[:], ",") {
			t.Errorf("%q: the weights' layers are %q", names, have)
		}
		for i, want := range []int{4, 4, 2} {
			if l := r.Layers[i]; l.OutputsLeft != want {
				t.Errorf("%q: %s has %d outputs, wanted %d", names, l.Name, l.OutputsLeft, want)
			}
		}
		again(t, r)
	}
}
