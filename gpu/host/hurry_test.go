package host

import (
	"strings"
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/measured"
)

// A device that is in a hurry leaves off at the next way, keeps what it has measured, and measures the rest when it has
// time again; while it measures it says so, and of which layer.
func TestHurry(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	d := NewBack(Options{Threads: 1, Tune: true}).(*back)
	defer d.Close()
	const n = 8
	x := make([]*gpu.Tensor, 3)
	front := gpu.NewDevice(d, nil)
	for i := range x {
		var err error
		if x[i], err = gpu.NewTensor(front, 4*n*n); err != nil {
			t.Fatal(err)
		}
	}
	product := func(m int) { d.Do(&gpu.Gemm{M: m, N: n, K: n, Alpha: 1, A: x[0], B: x[1], C: x[2]}) }
	kept := func() int { return len(measured.Read[string](d.convolutions.file)) }

	asked, hurry, phase := 0, false, ""
	front.HurryWhen(func() bool {
		asked++
		phase = front.Health().Phase
		return hurry
	})
	front.Label("ip1 forward")
	product(n)
	if d.byRule {
		t.Fatalf("nothing is measured: %q", d.notices)
	}
	if want := "choosing kernels: ip1 forward (0 chosen)"; phase != want || front.Health().Phase != "" {
		t.Errorf("while measuring %q, wanted %q; then %q", phase, want, front.Health().Phase)
	}
	if asked < 2*tries || front.Hurried() || kept() != 1 || len(d.convolutions.chosen) != 1 {
		t.Errorf("asked %d times, kept %d, chosen %d", asked, kept(), len(d.convolutions.chosen))
	}

	asked, hurry = 0, true
	product(2 * n)
	if asked != 1 || kept() != 1 || len(d.convolutions.chosen) != 1 {
		t.Errorf("in a hurry: asked %d times, kept %d, chosen %d", asked, kept(), len(d.convolutions.chosen))
	}
	if !front.Hurried() || front.Hurried() {
		t.Error("that it was in a hurry is not said once")
	}
	product(n) // which is known
	if asked != 1 || front.Hurried() {
		t.Errorf("a product that is known was asked about")
	}

	hurry = false
	product(2 * n)
	if kept() != 2 || front.Hurried() || !strings.Contains(phase, "(1 chosen)") {
		t.Errorf("with time again: kept %d, %q", kept(), phase)
	}
}
