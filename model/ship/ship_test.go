package ship

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// What two pruned nets come to: parameters, what is left of their layers, the smaller net.
func TestWeightsOnNet(t *testing.T) {
	for _, c := range []struct {
		net, weights string
		want         Weights
		on           Net
	}{
		{
			"lenet", "lenet5_310x.dnz",
			Weights{431080, 1389, caffe.FormSizes{Caffemodel: 1724527, Compact: 5944, Safetensors: 1724976}},
			Net{
				Parameters: 431080, Kept: 1389,
				// 24·24 positions of conv1, 8·8 of conv2.
				MACs:    MACs{520*576 + 25050*64 + 400500 + 5010, 144*576 + 287*64 + 757 + 201},
				Smaller: 27390,
				Layers: []Layer{
					{"conv1", "Convolution", 520, 144, 20, 11},
					{"conv2", "Convolution", 25050, 287, 50, 18},
					{"ip1", "InnerProduct", 400500, 757, 500, 74},
					{"ip2", "InnerProduct", 5010, 201, 10, 10},
				},
			},
		},
		{
			"lenet_300_100", "lenet300_114x.dnz",
			Weights{266610, 2337, caffe.FormSizes{Caffemodel: 1066594, Compact: 9357, Safetensors: 1066952}},
			Net{
				Parameters: 266610, Kept: 2337,
				MACs: MACs{266610, 2337}, Smaller: 33487,
				Layers: []Layer{
					{"ip1", "InnerProduct", 235500, 1749, 300, 79},
					{"ip2", "InnerProduct", 30100, 437, 100, 27},
					{"ip3", "InnerProduct", 1010, 151, 10, 10},
				},
			},
		},
	} {
		t.Run(c.net, func(t *testing.T) {
			path := modeltest.Root("models", c.weights)
			w, err := caffe.ReadNet(path)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Of(w)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Error(diff)
			}
			f, err := caffe.ReadNetPrototxt(modeltest.Root("nets", c.net+".prototxt"))
			if err != nil {
				t.Fatal(err)
			}
			n, err := model.NewWithoutData(f, &caffepb.NetState{Phase: caffepb.Phase_TEST.Enum()}, []int{1, 28, 28})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			on, err := On(f, n, path, w)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&c.on, on); diff != "" {
				t.Error(diff)
			}
		})
	}
}
