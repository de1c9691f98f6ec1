//go:build cuda

package cuda

import (
	"fmt"
	"testing"

	"dns-tui/gpu"
)

// A device that is in a hurry leaves off before the next way, does the product as it is planned, and chooses when it
// has time.
func TestTunedInAHurry(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	s := newTileTestOf(t, Options{Precision: FP32, NoLibraries: true, Tune: true})
	const n = 48
	a, b := s.random(n*n), s.random(n*n)
	var x [2][3]*gpu.Tensor
	for i, d := range []*gpu.Device{s.device, s.host} {
		x[i] = [3]*gpu.Tensor{s.put(d, a), s.put(d, b), s.put(d, a)}
	}
	asked, waits := 0, true
	s.device.HurryWhen(func() bool { asked++; return waits })
	product := func() {
		s.device.Gemm(false, false, n, n, n, 1, x[0][0], x[0][1], 0, x[0][2])
	}
	s.host.Gemm(false, false, n, n, n, 1, x[1][0], x[1][1], 0, x[1][2])
	product()
	if d := s.difference("in a hurry", x[0][2], x[1][2]); d > 1e-5 {
		t.Errorf("in a hurry the product differs by %g", d)
	}
	if asked != 1 || len(s.back.choices.known) != 0 || !s.device.Hurried() || s.device.Hurried() {
		t.Errorf("in a hurry: asked %d times, %d chosen", asked, len(s.back.choices.known))
	}
	waits = false
	product()
	if asked < 4 || len(s.back.choices.known) != 1 || s.device.Hurried() || !s.back.choices.dirty {
		t.Errorf("with time: asked %d times, %d chosen", asked, len(s.back.choices.known))
	}
	asked = 0
	product()
	if asked != 0 {
		t.Errorf("asked %d times for what was chosen", asked)
	}
}

// No way of a library is compared once somebody waits.
func TestLibrariesInAHurry(t *testing.T) {
	s := newDNNTest(t, FP32)
	if !s.emulated() {
		t.Skip("wants the emulator")
	}
	w, own := s.works()[0], choice{Slices: 1}
	measure := func(patience int) (asked, considered int) {
		waits := func() bool { asked++; return asked > patience }
		s.back.measureLibrary(w, own, own, waits, func(choice) { considered++ })
		return asked, considered
	}
	if _, n := measure(99); n < 3 {
		t.Errorf("with time %d ways were considered", n)
	}
	if asked, n := measure(1); asked != 2 || n != 1 {
		t.Errorf("asked %d times, considered %d ways; wanted the default alone", asked, n)
	}
	t.Setenv("EMULATOR_DNN_WRONG", fmt.Sprint(dnnAlgorithm))
	if asked, n := measure(0); asked != 1 || n != 0 || s.back.libs.dnn == nil {
		t.Errorf("asked %d times, considered %d ways, %q; wanted nothing compared", asked, n, s.back.notices)
	}
	if _, n := measure(99); n != 0 || s.back.libs.dnn != nil {
		t.Errorf("%d ways of a library that is wrong were considered", n)
	}
}
