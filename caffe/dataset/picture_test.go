package dataset

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/bmp"

	"dns-tui/memory"
)

// Resize gives OpenCV's pixels (testdata/resize.py).
func TestResizeIsOpenCVs(t *testing.T) {
	f, err := os.Open("testdata/resize.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var first *Datum
	for s := bufio.NewScanner(f); s.Scan(); {
		r := strings.NewReader(s.Text())
		d := &Datum{Channels: 1}
		if _, err := fmt.Fscan(r, &d.Width, &d.Height); err != nil {
			t.Fatal(err)
		}
		for range d.Width * d.Height {
			var v int
			if _, err := fmt.Fscan(r, &v); err != nil {
				t.Fatal(err)
			}
			d.Data = append(d.Data, uint8(v))
		}
		if first == nil {
			first = d
		}
		have := *first
		have.Resize(d.Height, d.Width)
		if !bytes.Equal(have.Data, d.Data) {
			t.Errorf("%dx%d:\n%d\nwanted\n%d", d.Height, d.Width, have.Data, d.Data)
		}
	}
}

// Every kind of picture gives the same pixels, blue first; a grey one, the luma.
func TestReadPicture(t *testing.T) {
	dir := t.TempDir()
	img := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	for i := range 6 {
		img.SetNRGBA(i%3, i/3, color.NRGBA{uint8(40 * i), uint8(200 - 30*i), 17, 255})
	}
	paletted := image.NewPaletted(img.Bounds(), nil)
	gray := image.NewGray(img.Bounds())
	for i := range 6 {
		paletted.Palette = append(paletted.Palette, img.NRGBAAt(i%3, i/3))
		paletted.SetColorIndex(i%3, i/3, uint8(i))
		gray.SetGray(i%3, i/3, color.Gray{uint8(i * 40)})
	}
	files := map[string][]byte{}
	for name, m := range map[string]image.Image{"plain": img, "paletted": paletted, "gray": gray} {
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		files[name+".png"] = b.Bytes()
	}
	var b bytes.Buffer
	if err := bmp.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	files["plain.bmp"] = b.Bytes()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"plain.png", "paletted.png", "plain.bmp"} {
		d, err := ReadPicture(filepath.Join(dir, name), 0, 0, true)
		if err != nil {
			t.Fatal(err)
		}
		want := []byte{17, 17, 17, 17, 17, 17, 200, 170, 140, 110, 80, 50, 0, 40, 80, 120, 160, 200}
		if d.Channels != 3 || d.Height != 2 || d.Width != 3 || !bytes.Equal(d.Data, want) {
			t.Errorf("%s: %dx%dx%d %d, wanted %d", name, d.Channels, d.Height, d.Width, d.Data, want)
		}
		g, err := ReadPicture(filepath.Join(dir, name), 0, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		// 0.299·r + 0.587·g + 0.114·b, which libpng rounds down.
		want = []byte{119, 113, 108, 102, 96, 91}
		if name == "plain.bmp" {
			want = []byte{119, 114, 108, 102, 97, 91}
		}
		if g.Channels != 1 || !bytes.Equal(g.Data, want) {
			t.Errorf("%s in grey: %d, wanted %d", name, g.Data, want)
		}
	}
	d, err := ReadPicture(filepath.Join(dir, "gray.png"), 4, 6, true)
	if err != nil || d.Channels != 3 || d.Height != 4 || d.Width != 6 || len(d.Data) != 72 {
		t.Errorf("a grey picture in colour, scaled: %+v, %v", d, err)
	}
	for name, want := range map[string]string{"none.png": "no such file", "text.png": "cannot be decoded"} {
		if name == "text.png" {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("text"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := ReadPicture(filepath.Join(dir, name), 0, 0, true); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, wanted %q", name, err, want)
		}
	}
}

// A JPEG in colour has the decoder's colours, and in grey its own luma.
func TestJPEG(t *testing.T) {
	img := image.NewYCbCr(image.Rect(0, 0, 16, 16), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = uint8(16 * (i % 16))
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 128, 128
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	for _, gray := range []bool{false, true} {
		d := &Datum{Encoded: true, Data: b.Bytes()}
		if err := d.Decode(!gray, gray); err != nil {
			t.Fatal(err)
		}
		for i, v := range d.Data {
			if e := int(v) - 16*(i%16); e < -3 || e > 3 {
				t.Fatalf("grey %t: pixel %d is %d, wanted about %d", gray, i, v, 16*(i%16))
			}
		}
	}
}

// A JPEG gives the pixels that OpenCV reads, to within the rounding of the two decoders (testdata/jpeg.py).
func TestJPEGIsOpenCVs(t *testing.T) {
	for _, name := range []string{"jpeg_420", "jpeg_422", "jpeg_444"} {
		want, err := os.ReadFile(filepath.Join("testdata", name+".raw"))
		if err != nil {
			t.Fatal(err)
		}
		d, err := ReadPicture(filepath.Join("testdata", name+".jpg"), 0, 0, true)
		if err != nil {
			t.Fatal(err)
		}
		if d.Channels != 3 || d.Height != 29 || d.Width != 43 || len(d.Data) != len(want) {
			t.Fatalf("%s: %dx%dx%d", name, d.Channels, d.Height, d.Width)
		}
		off := 0
		for i, v := range d.Data {
			e := int(v) - int(want[i])
			if e < -3 || e > 3 {
				t.Fatalf("%s: pixel %d is %d, OpenCV's %d", name, i, v, want[i])
			}
			if e != 0 {
				off++
			}
		}
		if off*10 > len(want) {
			t.Errorf("%s: %d of %d pixels are not OpenCV's", name, off, len(want))
		}
	}
}

// The head of a picture may say any size: what its bytes cannot hold, or memory cannot, is an error before room is
// made.
func TestPicturesThatAreTooLarge(t *testing.T) {
	var small bytes.Buffer
	if err := png.Encode(&small, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	head := func(w, h uint32) []byte { // a PNG that says another size, with a checksum that is right
		b := bytes.Clone(small.Bytes())
		binary.BigEndian.PutUint32(b[16:], w)
		binary.BigEndian.PutUint32(b[20:], h)
		binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
		return b
	}
	bitmap := make([]byte, 54)
	copy(bitmap, "BM")
	binary.LittleEndian.PutUint32(bitmap[10:], 54)
	binary.LittleEndian.PutUint32(bitmap[14:], 40)
	binary.LittleEndian.PutUint32(bitmap[18:], 60000)
	binary.LittleEndian.PutUint32(bitmap[22:], 60000)
	binary.LittleEndian.PutUint16(bitmap[26:], 1)
	binary.LittleEndian.PutUint16(bitmap[28:], 24)
	for name, data := range map[string][]byte{"PNG": head(60000, 60000), "BMP": bitmap} {
		d := &Datum{Encoded: true, Data: data}
		if err := d.Decode(false, false); err == nil ||
			!strings.Contains(err.Error(), "60000x60000 pixels by its head, and of") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A file that is long enough for what it says: then memory has the word.
	long := append(head(1<<30, 1<<30), make([]byte, 1<<20)...)
	d := &Datum{Encoded: true, Data: long}
	if err := d.Decode(false, false); err == nil {
		t.Error("a picture of 2^60 pixels was decoded")
	}
	if err := d.Decode(true, false); err == nil {
		t.Error("and in colour")
	}
	path := filepath.Join(t.TempDir(), "a.png")
	if err := os.WriteFile(path, small.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	var m *memory.Error
	if _, err := ReadPicture(path, 1<<30, 1<<20, true); !errors.As(err, &m) ||
		!strings.Contains(err.Error(), "scaled to 1048576x1073741824") {
		t.Errorf("scaled: %v", err)
	}
}
