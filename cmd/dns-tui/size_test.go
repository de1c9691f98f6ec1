package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Nets of a size, by kind.
var sizes = map[string]func(n int) string{
	"layers with parameters": func(n int) string {
		b := &strings.Builder{}
		b.WriteString("layer { name: 'in' type: 'Input' top: 'b0' input_param { shape { dim: 2 dim: 4 } } }\n")
		for i := range n {
			fmt.Fprintf(
				b,
				"layer { name: 'l%d' type: 'InnerProduct' bottom: 'b%d' top: 'b%d' inner_product_param { "+
					"num_output: 4 } }\n",
				i,
				i,
				i+1,
			)
		}
		return b.String()
	},
	"layers of one name": func(n int) string {
		b := &strings.Builder{}
		b.WriteString("layer { name: 'in' type: 'Input' top: 'b0' input_param { shape { dim: 2 dim: 4 } } }\n")
		for i := range n {
			fmt.Fprintf(b, "layer { name: 'l' type: 'ReLU' bottom: 'b%d' top: 'b%d' }\n", i, i+1)
		}
		return b.String()
	},
	"tops and bottoms": func(n int) string {
		var tops, bottoms strings.Builder
		for i := range n {
			fmt.Fprintf(&tops, " top: 't%d'", i)
			fmt.Fprintf(&bottoms, " bottom: 't%d'", i)
		}
		return "layer { name: 'in' type: 'DummyData'" + tops.String() +
			" dummy_data_param { shape { dim: 1 dim: 2 } } }\n" +
			"layer { name: 'c' type: 'Concat'" + bottoms.String() + " top: 'y' }"
	},
	"readers of a blob": func(n int) string {
		b := &strings.Builder{}
		b.WriteString("layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 2 dim: 4 } } }\n")
		for i := range n {
			fmt.Fprintf(b, "layer { name: 'l%d' type: 'ReLU' bottom: 'x' top: 'y%d' }\n", i, i)
		}
		return b.String()
	},
	"braces": func(n int) string { return strings.Repeat("layer {", 4*n) },
	"nested layers": func(n int) string {
		return strings.Repeat("layer { name: 'a' ", 4*n) + strings.Repeat("}", 4*n)
	},
	"unknown fields": func(n int) string { return strings.Repeat("layer { foo: 1 bar { a: 1 } }\n", 4*n) },
}

// cpu is the time of this process on its processors, whatever else the machine does.
func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A net eight times as large takes about eight times as long, not sixty-four: 100,000 layers, 50,000 tops and files
// of nested braces are read in seconds.
func TestTimeGrowsWithSize(t *testing.T) {
	dir := t.TempDir()
	for name, text := range sizes {
		spent := func(n int) time.Duration {
			net := filepath.Join(dir, "n.prototxt")
			if err := os.WriteFile(net, []byte(text(n)), 0o644); err != nil {
				t.Fatal(err)
			}
			solver := write(
				t,
				dir,
				"s.prototxt",
				fmt.Sprintf(
					"net: %q base_lr: 0.01 lr_policy: 'fixed' max_iter: 1 snapshot_prefix: %q snapshot_after_train: "+
						"false solver_mode: CPU",
					net,
					filepath.Join(dir, "r"),
				),
			)
			before := cpu(t)
			for _, args := range [][]string{
				{"inspect", net},
				{"draw", net, filepath.Join(dir, "n.svg")},
				{"upgrade", net, filepath.Join(dir, "up")},
				{"train", "--solver", solver},
			} {
				if _, _, stderr := run(t, args...); strings.Contains(stderr, "internal error") {
					t.Fatalf("%s: %s: %s", name, args[0], stderr)
				}
			}
			return cpu(t) - before
		}
		const small = 1500
		spent(small / 10)
		one, eight := spent(small), spent(8*small)
		if ratio := float64(eight) / float64(max(one, 30*time.Millisecond)); ratio > 28 {
			t.Errorf("%s: %d take %v, eight times as many %v: %.0f times as long", name, small, one, eight, ratio)
		}
	}
}

// A blob has 32 axes at most, as in Caffe.
func TestTooManyAxes(t *testing.T) {
	net := write(
		t,
		t.TempDir(),
		"n.prototxt",
		"layer { name: 'in' type: 'Input' top: 'x' input_param { shape { "+strings.Repeat("dim: 1 ", 100000)+"} } }",
	)
	status, _, stderr := run(t, "inspect", net)
	if status != 1 || !strings.Contains(stderr, "100000 dim; wanted at most 32") || len(stderr) > 500 {
		t.Errorf("status %d: %.300s", status, stderr)
	}
}
