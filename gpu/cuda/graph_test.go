//go:build cuda

package cuda

import (
	"fmt"
	"strings"
	"testing"

	"dns-tui/gpu"
)

// openEmulated returns a device of the emulator's, and its back end.
func openEmulated(t *testing.T, o Options) (*gpu.Device, *back) {
	t.Helper()
	o.NoLibraries = true
	b, err := openBack(o)
	if err != nil {
		t.Fatal(err)
	}
	d := gpu.NewDevice(b, nil)
	t.Cleanup(func() { d.Close() })
	if d.Name() != "emulated GPU" {
		t.Skip("wants the emulator")
	}
	return d, b
}

func tensorOf(t *testing.T, d *gpu.Device, n int) *gpu.Tensor {
	t.Helper()
	x, err := gpu.NewTensor(d, n)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// Where layers are operated on by chance, the graphs are not as many as there are sets of layers.
func TestGraphsOfSurgeryByChance(t *testing.T) {
	d, b := openEmulated(t, Options{Precision: FP32})
	const layers = 6
	var w, masked [layers]*gpu.Tensor
	for i := range w {
		w[i], masked[i] = tensorOf(t, d, 100), tensorOf(t, d, 100)
		d.Fill(w[i], 1)
	}
	x := tensorOf(t, d, 1000)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for set := 1; set < 1<<layers; set++ {
			d.Fill(x, 2)
			d.ReLU(x, x, 0)
			var results [layers]gpu.SurgeryResult
			for i := range layers {
				if set>>i&1 != 0 {
					o := gpu.SurgeryParams{Rule: gpu.PaperRule, Threshold: 0.5, Redraw: true}
					d.Surgery(&o, w[i], masked[i], nil, nil, &results[i])
				}
			}
			d.Axpby(1, x, 2, x)
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
			for i := range layers {
				if have := results[i].Kept; set>>i&1 != 0 && have != 100 {
					t.Fatalf("set %b: layer %d keeps %d of 100", set, i, have)
				}
			}
		}
	}
	// What is behind surgery has its live numbers behind those of surgery, whose place depends on how many layers
	// there are.
	if n := b.programs.graphs; n == 0 || n > layers+2 {
		t.Errorf("%d graphs, wanted at most one before surgery, and one behind it for each number of layers", n)
	}
	if n := len(b.programs.known); n > maxSurgeries+2*layers {
		t.Errorf("%d queues are remembered", n)
	}
}

// The graph that was used longest ago goes first.
func TestGraphsAreForgotten(t *testing.T) {
	d, b := openEmulated(t, Options{Precision: FP32})
	x := tensorOf(t, d, 2*maxGraphs)
	for n := 1; n < 2*maxGraphs; n++ {
		for range 2 {
			d.Fill(x.View(0, n), 1)
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
			d.Fill(x, 3) // used in every round
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if b.programs.graphs != maxGraphs {
		t.Errorf("%d graphs are kept, wanted %d", b.programs.graphs, maxGraphs)
	}
	captured := b.programs.graphs
	d.Fill(x, 3)
	if err := d.Sync(); err != nil || b.programs.graphs != captured {
		t.Errorf("what was used last was captured again: %d graphs, %v", b.programs.graphs, err)
	}
}

// In a graph one kernel a layer writes to the host's memory; a failure still names the layer, and the kernel where it
// is alone.
func TestMarksOfGraphs(t *testing.T) {
	for _, c := range []struct {
		fail int // which launch, of three in a round; the second round is captured
		want string
	}{
		{2, `kernel relu of layer "a"`}, {5, `a kernel of layer "a"`}, {6, `kernel relu of layer "b"`},
	} {
		t.Run(fmt.Sprint(c.fail), func(t *testing.T) {
			t.Setenv("EMULATOR_FAIL", fmt.Sprint("launch:", c.fail))
			d, _ := openEmulated(t, Options{Precision: FP32})
			x := tensorOf(t, d, 100)
			err := d.Sync() // what clears the tensor is in no round
			for range 2 {
				d.Label(`layer "a"`)
				d.ReLU(x, x, 0)
				d.ReLU(x, x, 0)
				d.Label(`layer "b"`)
				d.ReLU(x, x, 0)
				if err = d.Sync(); err != nil {
					break
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, wanted %s", err, c.want)
			}
		})
	}
}

// Tiles whose grid would be too large are not chosen, and a product that no tile has is the host's.
func TestGridLimits(t *testing.T) {
	_, b := openEmulated(t, Options{Precision: FP32})
	for _, m := range []int{1, maxGrid * 32, maxGrid*32 + 1, maxGrid*64 + 1, maxGrid * 128} {
		p := b.planProduct(gemmNN, m, 1, 4096, 1)
		if p.slices == 0 || p.grid.y > maxGrid || p.grid.z > maxGrid {
			t.Errorf("%d rows: grid %+v, %d slices", m, p.grid, p.slices)
		}
		if !b.launchable(m, 1) {
			t.Errorf("%d rows are not for the GPU", m)
		}
	}
	if p := b.planProduct(gemmNN, 32, 32, 1<<20, 40000); p.grid.z > maxGrid {
		t.Errorf("40000 groups: grid %+v", p.grid)
	}
	if b.Supports(&gpu.Gemm{M: maxGrid*128 + 1}) {
		t.Error("more rows than a grid has are for the GPU")
	}
}

// How a product is cut depends on how many blocks the driver says that a multiprocessor runs at once.
func TestOccupancyIsAskedFor(t *testing.T) {
	slices := func(blocks string) int {
		t.Setenv("EMULATOR_BLOCKS", blocks)
		_, b := openEmulated(t, Options{Precision: FP32})
		return b.planTile(gemmNN, 2, 256, 256, 8192, 1).slices
	}
	if one, eight := slices("1"), slices("8"); one >= eight {
		t.Errorf("%d slices where one block fits, %d where eight do", one, eight)
	}
}

// A measurement of several is of a graph of them, which was launched once before.
func TestMeasuredAsGraph(t *testing.T) {
	d, b := openEmulated(t, Options{Precision: FP32})
	x := tensorOf(t, d, 1000)
	d.Fill(x, 1)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	words := b.try(func() bool { d.Axpby(1, x, 1, x); return true })
	if len(words) == 0 {
		t.Fatal("no record")
	}
	if ms := b.timed(words, 5); ms < 0 {
		t.Fatal(b.fault.err)
	}
	v := make([]float32, 1)
	d.Download(v, x.View(0, 1))
	if v[0] != 1024 {
		t.Errorf("1 doubled by two launches of a graph of five is %g, wanted 1024", v[0])
	}
	for ms, want := range map[float64]int{0: 20, 0.005: 20, 1: 4, 100: 3} {
		if n := copiesFor(ms); n != want {
			t.Errorf("%d copies of what takes %g ms, wanted %d", n, ms, want)
		}
	}
}
