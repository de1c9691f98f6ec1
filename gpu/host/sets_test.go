package host

import (
	"encoding/binary"
	"hash/fnv"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/devicetest"
)

// withSet runs f with the kernels of a set.
func withSet(s VectorSet, f func()) {
	was := usedSet
	useSet(s)
	defer useSet(was)
	f()
}

// eachSet runs f with the kernels of each set that the processor has.
func eachSet(t *testing.T, f func(t *testing.T)) {
	for _, s := range processorSets() {
		t.Run(s.String(), func(t *testing.T) { withSet(s, func() { f(t) }) })
	}
}

// The tiles of every set pass the conformance suite.
func TestTilesOfSets(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		for _, way := range []string{"direct", "product", "Winograd"} {
			devicetest.RunConvolutions(t, func() *gpu.Device {
				b := NewBack(Options{Threads: 2, GoBLAS: true}).(*back)
				b.convolutions.only = way
				return gpu.NewDevice(b, nil)
			})
		}
	})
}

// Tiles of AVX-512, of AVX2 and of NEON make the same bits: the hashes are of all.
func TestTilesMakeTheSameBits(t *testing.T) {
	want := map[string]uint64{
		"1×1, dw":            0x8fcabf62ba34bddc,
		"1×1, dx":            0x41d7842a0b5e9e57,
		"1×1, y":             0x149a6a05c4df71c1,
		"Winograd's dw":      0x2421ddcb976500da,
		"Winograd's dw, 5×5": 0x8c4d526f212b026d,
		"Winograd's y":       0x225249ae0ee4e7b2,
		"Winograd's y, 5×5":  0xd660fca98fbf8388,
		"a product":          0xbe5689e57ec7a1af,
		"an outer product":   0x76a34081dab74b78,
		"dw":                 0x247cec02a0f26156,
		"dx":                 0xd8fe01d5cdbc6b0c,
		"y":                  0xee756fb7b53d750f,
	}
	g := gpu.ConvGeometry{
		N:      3,
		C:      45,
		H:      11,
		W:      13,
		O:      50,
		KH:     3,
		KW:     3,
		SH:     1,
		SW:     1,
		PH:     1,
		PW:     1,
		DH:     1,
		DW:     1,
		Groups: 1,
	}
	g.Resolve()
	random := func(n int, stream uint32) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = gpu.Key{Seed: 1, Stream: stream}.Uniform(i) - 0.5
		}
		return v
	}
	run := func() map[string][]float32 {
		b := NewBack(Options{Threads: 2, GoBLAS: true}).(*back)
		d := gpu.NewDevice(b, nil)
		defer func() { _ = d.Close() }()
		tensor := func(v []float32) *gpu.Tensor { return upload(t, d, v) }
		x, w, dy := tensor(random(g.InputLen(), 1)), tensor(random(g.WeightLen(), 2)), tensor(random(g.OutputLen(), 3))
		results := map[string]*gpu.Tensor{
			"y": tensor(make([]float32, g.OutputLen())), "dx": tensor(make([]float32, g.InputLen())),
			"dw": tensor(random(g.WeightLen(), 4)), "Winograd's y": tensor(make([]float32, g.OutputLen())),
			"1×1, y": tensor(make([]float32, g.OutputLen())), "1×1, dx": tensor(make([]float32, g.InputLen())),
			"1×1, dw":            tensor(random(50*45, 7)),
			"Winograd's y, 5×5":  tensor(make([]float32, g.OutputLen())),
			"Winograd's dw, 5×5": tensor(random(24*32*25, 9)),
			"Winograd's dw":      tensor(random(g.WeightLen(), 8)),
			"a product":          tensor(random(50*99, 5)), "an outer product": tensor(random(45*99, 6)),
		}
		b.convDirect(&gpu.Conv{G: &g, X: x, W: w, Y: results["y"]})
		b.convBackwardDataDirect(&gpu.ConvBackwardData{G: &g, DY: dy, W: w, DX: results["dx"]})
		b.convBackwardWeightsDirect(&gpu.ConvBackwardWeights{G: &g, X: x, DY: dy, DW: results["dw"]})
		many := g
		many.C, many.O = 40, 33
		b.convWinograd(&gpu.Conv{G: &many, X: x, W: w, Y: results["Winograd's y"]})
		five := gpu.ConvGeometry{
			N: 3, C: 24, H: 11, W: 13, O: 33, KH: 5, KW: 5, SH: 1, SW: 1, PH: 2, PW: 2, DH: 1, DW: 1, Groups: 1,
		}
		five.Resolve()
		b.convWinograd(&gpu.Conv{G: &five, X: x, W: w, Y: results["Winograd's y, 5×5"]})
		five.O = 32
		b.convBackwardWeightsWinograd(&gpu.ConvBackwardWeights{
			G: &five, X: x, DY: dy, DW: results["Winograd's dw, 5×5"],
		})
		many.O = 40
		b.convBackwardWeightsWinograd(&gpu.ConvBackwardWeights{G: &many, X: x, DY: dy, DW: results["Winograd's dw"]})
		b.gemmTiles(&gpu.Gemm{M: 50, N: 99, K: 60, Alpha: 1, A: x, B: dy, Beta: 1, C: results["a product"]})
		b.gemmTiles(
			&gpu.Gemm{
				TransA: true,
				M:      45,
				N:      99,
				K:      60,
				Alpha:  1,
				A:      x,
				B:      dy,
				Beta:   1,
				C:      results["an outer product"],
			},
		)
		one := gpu.ConvGeometry{
			N: 3, C: 45, H: 11, W: 13, O: 50, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1,
		}
		one.Resolve()
		b.convPointwise(&gpu.Conv{G: &one, X: x, W: w, Y: results["1×1, y"]})
		b.convBackwardDataPointwise(&gpu.ConvBackwardData{G: &one, DY: dy, W: w, DX: results["1×1, dx"]})
		b.convBackwardWeightsPointwise(&gpu.ConvBackwardWeights{G: &one, X: x, DY: dy, DW: results["1×1, dw"]})
		values := map[string][]float32{}
		for name, r := range results {
			values[name] = make([]float32, r.N)
			d.Download(values[name], r)
		}
		return values
	}
	for _, set := range processorSets() {
		if set == GoSet || set == AVXSet {
			continue // Go rounds products, or not, as the processor's compiler likes
		}
		withSet(set, func() {
			for name, v := range run() {
				h := fnv.New64a()
				_ = binary.Write(h, binary.LittleEndian, v)
				if want[name] != h.Sum64() {
					t.Errorf("%s by %s has bits with the hash %#x, wanted %#x", name, set, h.Sum64(), want[name])
				}
			}
		})
	}
}

// The table names what is in the assembler, each routine once, with the sets of its processor.
func TestVectorTable(t *testing.T) {
	found := map[string]int{} // by processor and routine
	files, err := filepath.Glob("*.s")
	if err != nil || len(files) == 0 {
		t.Fatalf("no assembler: %v", err)
	}
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, processor, _ := strings.Cut(strings.TrimSuffix(name, ".s"), "_")
		for _, m := range regexp.MustCompile(`(?m)^TEXT ·(\w+)\(SB\)`).FindAllStringSubmatch(string(source), -1) {
			if m[1] != "relax" { // which is no kernel: every processor of an architecture has it
				found[processor+" "+m[1]] = 0
			}
		}
	}
	for i, k := range vectorTable {
		if int(k.id) != i || k.name == "" || k.computes == "" || k.floor == "" || len(k.by) == 0 {
			t.Errorf("row %d is %+v; wanted all of it, in the order of the constants", i, k)
		}
		for set, routines := range k.by {
			processor := "amd64"
			if set == NEONSet {
				processor = "arm64"
			}
			for name := range strings.FieldsSeq(routines) {
				if _, ok := found[processor+" "+name]; !ok {
					t.Errorf("%s: %s names %s, which is not in the assembler", k.name, set, name)
				}
				found[processor+" "+name]++
			}
		}
	}
	for name, n := range found {
		if n != 1 {
			t.Errorf("the table names %s %d times; wanted once", name, n)
		}
	}
}

// A set that the processor has can be asked for, by any case of its letters; another is refused.
func TestChooseSet(t *testing.T) {
	have := []VectorSet{GoSet, AVXSet, AVX2Set}
	for _, c := range []struct {
		asked string
		want  VectorSet
		err   string
	}{
		{"", AVX2Set, ""}, {"AVX2", AVX2Set, ""}, {"avx", AVXSet, ""}, {"go", GoSet, ""},
		{"AVX-512", AVX2Set, `DNS_TUI_VECTORS is "AVX-512"; wanted one of what this processor has: Go, AVX, AVX2`},
		{"none", AVX2Set, `DNS_TUI_VECTORS is "none"; wanted one of what this processor has: Go, AVX, AVX2`},
	} {
		set, err := chooseSet(c.asked, have)
		if text := ""; err != nil {
			text = err.Error()
			if text != c.err {
				t.Errorf("%q: %v; wanted %q", c.asked, err, c.err)
			}
		} else if c.err != text {
			t.Errorf("%q is taken; wanted %q", c.asked, c.err)
		}
		if set != c.want {
			t.Errorf("%q is %s, wanted %s", c.asked, set, c.want)
		}
	}
}

// Each set does all that smaller ones of its processor do by assembler.
func TestSetsInclude(t *testing.T) {
	sets := processorSets()
	for i, s := range sets {
		withSet(s, func() {
			for _, k := range vectorTable {
				want := GoSet
				for _, smaller := range sets[:i+1] {
					if k.by[smaller] != "" {
						want = smaller
					}
				}
				if best[k.id] != want {
					t.Errorf("%s: %s is done by %s, wanted %s", s, k.name, best[k.id], want)
				}
			}
		})
	}
}
