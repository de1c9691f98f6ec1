package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/human"
	"dns-tui/model/report"
)

// twinNet has two branches with the same weights and biases, and a loss.
const twinNet = `name: "twins"
layer { name: "data" type: "DummyData" top: "x" top: "y" top: "label" dummy_data_param {
	shape { dim: 2 dim: 6 } shape { dim: 2 dim: 6 } shape { dim: 2 dim: 1 }
	data_filler { type: "gaussian" std: 1 } data_filler { type: "gaussian" std: 1 }
	data_filler { type: "constant" value: 1 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" } param { name: "b" }
	inner_product_param { num_output: 5 weight_filler { type: "xavier" } threshold: 0.9 sparsity_term: true } }
layer { name: "a_p" type: "InnerProduct" bottom: "y" top: "a_p" param { name: "w" } param { name: "b" }
	inner_product_param { num_output: 5 weight_filler { type: "xavier" } threshold: 0.9 sparsity_term: true } }
layer { name: "loss" type: "ContrastiveLoss" bottom: "a" bottom: "a_p" bottom: "label" top: "loss" }
`

// Parameters that layers share count once wherever a net's are summed up, a compact file has them once, and what is
// said of sizes is what is written.
func TestSharedParametersCountOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	net := write(t, ".", "net.prototxt", twinNet)
	solver := write(t, ".", "s.prototxt", `net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 5
		snapshot_prefix: "run" solver_mode: CPU random_seed: 1 surgery_iter_gamma: 0 surgery_iter_power: 0`)
	mustRun(t, "train", "--solver", solver)
	const weights, all = "run_iter_5.caffemodel", 35
	var r report.Report
	if err := json.Unmarshal([]byte(mustRun(t, "report", "--format", "json", solver)), &r); err != nil {
		t.Fatal(err)
	}
	kept, said := r.Ship.Weights.Kept, r.Ship.Weights.Bytes
	if r.Ship.Weights.Parameters != all || kept >= all || kept == 0 || r.Ship.Net.Smaller != all {
		t.Errorf("the report says %+v and %+v", r.Ship.Weights, r.Ship.Net)
	}
	for name, want := range map[string]int64{
		"out.caffemodel": said.Caffemodel, "out.dnz": said.Compact, "out.safetensors": said.Safetensors,
	} {
		mustRun(t, "export", weights, name)
		if have := fileSize(t, name); have != want {
			t.Errorf("%s has %d bytes, the report says %d", name, have, want)
		}
	}
	mustRun(t, "export", "out.dnz", "again.caffemodel")
	mustRun(t, "export", "again.caffemodel", "again.dnz")
	if !slices.Equal(contentOf(t, "out.dnz"), contentOf(t, "again.dnz")) {
		t.Error("a compact file is another after Caffe's form")
	}
	files := []string{weights, "out.caffemodel", "out.dnz", "again.caffemodel"}
	for _, path := range files {
		n, err := caffe.ReadNet(path)
		if err != nil {
			t.Fatal(err)
		}
		a, twin := n.Layer[len(n.Layer)-2], n.Layer[len(n.Layer)-1]
		if path == weights || path == "out.caffemodel" {
			a, twin = n.Layer[1], n.Layer[2]
		}
		for i := range 2 {
			if !slices.Equal(a.Blobs[i].Data, twin.Blobs[i].Data) || len(a.Blobs[i].Data) == 0 {
				t.Errorf("%s: %v and %v", path, a.Blobs[i].Data, twin.Blobs[i].Data)
			}
		}
		out := mustRun(t, "inspect", path)
		for _, want := range []string{
			fmt.Sprintf("%d of %d (", kept, all), "the parameters that a_p shares with a layer before are counted once",
			fmt.Sprintf("of %s bytes of it", human.Count(int(said.Compact))),
		} {
			if path == "out.dnz" {
				want = fmt.Sprintf("%d of %d entries in %s bytes", kept, all, human.Count(int(said.Compact)))
			}
			if !strings.Contains(out, want) {
				t.Errorf("inspect %s: no %q in\n%s", path, want, out)
			}
		}
		out = mustRun(t, "inspect", "--model", net, "--passes", "0", path)
		for name, want := range map[string]int{
			"parameters": all, "parameters that are not zero": kept, "parameters of export --shrink's net": all,
		} {
			if have := cells(out, name); have != fmt.Sprint(want) {
				t.Errorf("inspect --model of %s: %s: %s, wanted %d", path, name, have, want)
			}
		}
	}
	c := comparisonOf(t, "--device", "host", "--model", net, "--iterations", "1", weights, "out.dnz")
	for _, s := range []jsonCompared{c.A, c.B} {
		if s.Parameters != all || s.Kept != kept || s.Export.Compact != said.Compact {
			t.Errorf("compare says %+v", s)
		}
	}
	out := mustRun(t, "export", "--shrink", "--model", net, "out.dnz", filepath.Join(".", "small.dnz"))
	if want := fmt.Sprintf("%d of %d parameters", all, all); !strings.Contains(out, want) {
		t.Errorf("no %q in\n%s", want, out)
	}
	if a, b := fileSize(t, "small.dnz"), fileSize(t, "out.dnz"); a != b {
		t.Errorf("%d bytes of the smaller net, in which nothing is left out, %d of the net", a, b)
	}
}
