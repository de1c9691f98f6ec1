package dataset_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/dataset"
)

// smooth is a picture of waves, which a JPEG holds well.
func smooth(w, h int, gray bool) image.Image {
	at := func(x, y, k int) uint8 { return uint8(128 + (x*(k+2)+y*3)%97 - 48 + (x*y>>6)%23) }
	if gray {
		m := image.NewGray(image.Rect(0, 0, w, h))
		for i := range m.Pix {
			m.Pix[i] = at(i%w, i/w, 0)
		}
		return m
	}
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetRGBA(x, y, color.RGBA{at(x, y, 0), at(x, y, 1), at(x, y, 2), 255})
		}
	}
	return m
}

func encoded(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 92}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// decoded are the pixels of a picture, by the decoder that this process has.
func decoded(t testing.TB, data []byte, forceColor, forceGray bool) *dataset.Datum {
	t.Helper()
	d := &dataset.Datum{Encoded: true, Data: data}
	if err := d.Decode(forceColor, forceGray); err != nil {
		t.Fatal(err)
	}
	return d
}

const byGo = "DNS_TUI_TEST_WRITE"

// jpegCases are pictures, in colour and grey, of sizes that blocks do not divide, read in all ways.
func jpegCases(t testing.TB) (all [][]byte) {
	for _, size := range [][2]int{{1, 1}, {7, 5}, {16, 16}, {61, 33}, {500, 375}} {
		for _, gray := range []bool{false, true} {
			data := encoded(t, smooth(size[0], size[1], gray))
			for _, force := range [][2]bool{{}, {true, false}, {false, true}} {
				d := decoded(t, data, force[0], force[1])
				all = append(all, append([]byte{byte(d.Channels), byte(d.Width), byte(d.Height)}, d.Data...))
			}
		}
	}
	return all
}

// libjpeg-turbo and Go decode to the same pixels, but for the rounding of their transforms.
func TestJPEGDecodersAgree(t *testing.T) {
	if path := os.Getenv(byGo); path != "" {
		if err := os.WriteFile(path, slices.Concat(jpegCases(t)...), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if name, why := dataset.JPEGDecoder(); why != nil {
		t.Skipf("decodes by %s: %v", name, why)
	}
	path := t.TempDir() + "/go"
	child := exec.Command(os.Args[0], "-test.run=^TestJPEGDecodersAgree$")
	child.Env = append(os.Environ(), byGo+"="+path, "DNS_TUI_TURBOJPEG=none")
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	have := slices.Concat(jpegCases(t)...)
	if len(have) != len(want) {
		t.Fatalf("%d bytes by libjpeg-turbo, %d by Go", len(have), len(want))
	}
	other, most := 0, 0
	for i := range have {
		if d := max(int(have[i]), int(want[i])) - min(int(have[i]), int(want[i])); d > 0 {
			other, most = other+1, max(most, d)
		}
	}
	if most > 4 || other > len(have)/5 {
		t.Errorf("%d of %d values differ, by up to %d", other, len(have), most)
	}
}

// What is damaged is an error or a picture of the size that its head says, never the end of the program, and is the
// same in each try: whatever library is there.
func TestDamagedJPEGs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	whole := encoded(t, smooth(61, 33, false))
	for range 3000 {
		data := slices.Clone(whole)
		for range r.IntN(6) {
			data[r.IntN(len(data))] = byte(r.IntN(256))
		}
		data = data[:len(data)-r.IntN(2)*r.IntN(len(data))]
		var first *dataset.Datum
		var failed error
		for try := range 2 {
			d := &dataset.Datum{Encoded: true, Data: slices.Clone(data)}
			err := d.Decode(false, false)
			switch {
			case try == 0:
				first, failed = d, err
			case (err == nil) != (failed == nil) || err == nil && !bytes.Equal(first.Data, d.Data):
				t.Fatalf("%v, and %v in another try", failed, err)
			}
			if err == nil && len(d.Data) != d.Channels*d.Width*d.Height {
				t.Fatalf("%d bytes for %dx%dx%d", len(d.Data), d.Channels, d.Height, d.Width)
			}
		}
	}
}

// BenchmarkJPEG decodes a picture as large as those of ImageNet are on average, and scales it to 256×256.
func BenchmarkJPEG(b *testing.B) {
	data := encoded(b, smooth(500, 375, false))
	if path := os.Getenv("JPEG"); path != "" {
		var err error
		if data, err = os.ReadFile(path); err != nil {
			b.Fatal(err)
		}
	}
	name, _ := dataset.JPEGDecoder()
	b.Run(name, func(b *testing.B) {
		for b.Loop() {
			decoded(b, data, true, false)
		}
	})
	d := decoded(b, data, true, false)
	b.Run("resize", func(b *testing.B) {
		for b.Loop() {
			c := *d
			c.Resize(256, 256)
		}
	})
}

// BenchmarkLoading makes of a JPEG what a net reads: decoded, a random crop of 227×227, mirrored or not, without the
// mean of its channels; and the same with the picture scaled to 256×256 before. scripts/bench_loading.py compares it
// with OpenCV, Pillow and torchvision.
func BenchmarkLoading(b *testing.B) {
	data := encoded(b, smooth(500, 375, false))
	if path := os.Getenv("JPEG"); path != "" {
		var err error
		if data, err = os.ReadFile(path); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		side int // that it is scaled to; 0: it is not
	}{{"crop", 0}, {"resize", 256}} {
		b.Run(c.name, func(b *testing.B) { benchmarkLoading(b, data, c.side) })
	}
}

func benchmarkLoading(b *testing.B, data []byte, side int) {
	t, err := dataset.NewTransformer(&caffepb.TransformationParameter{
		CropSize: proto.Uint32(227), Mirror: proto.Bool(true), MeanValue: []float32{104, 117, 123},
	}, true)
	if err != nil {
		b.Fatal(err)
	}
	first := decoded(b, data, true, false)
	if side > 0 {
		first.Resize(side, side)
	}
	if _, err := t.Infer(first); err != nil {
		b.Fatal(err)
	}
	out := make([]float32, 3*227*227)
	r := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	begin := processorTime(b)
	for b.Loop() {
		d := &dataset.Datum{Encoded: true, Data: data}
		if err := t.Decode(d); err != nil {
			b.Fatal(err)
		}
		if side > 0 {
			d.Resize(side, side)
		}
		if err := t.Apply(d, dataset.Randoms{r.Uint32(), r.Uint32(), r.Uint32()}, out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/(processorTime(b)-begin).Seconds(), "images/s")
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
