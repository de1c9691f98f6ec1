package dataset

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Caffe's pictures come from OpenCV, which has libjpeg-turbo decode a JPEG. Where that library is found (its TurboJPEG
// interface, of version 2 or 3), it does so here, several times faster than image/jpeg, and to the same pixels as
// there: by the accurate DCT and the smooth upsampling, libjpeg's defaults. What it refuses, or warns of, is decoded by
// image/jpeg, which says what is wrong: so the same files are read with the library and without, and pixels differ by
// the rounding of the decoders.

// turboJPEG is the library, or why it is not used.
type turboJPEG struct {
	fault                           error
	open, header, decompress, close uintptr
	free                            chan uintptr // decompressors that nobody uses
}

// turbo is loaded by the first JPEG, or by JPEGDecoder.
var turbo = sync.OnceValue(loadTurboJPEG)

// JPEGDecoder says what decodes JPEGs: "libjpeg-turbo", or "Go", and then why not that.
func JPEGDecoder() (name string, why error) {
	if t := turbo(); t.fault != nil {
		return "Go", t.fault
	}
	return "libjpeg-turbo", nil
}

// jpegsRead tells that this process has decoded a JPEG.
var jpegsRead atomic.Bool

// JPEGsReadBy is what has decoded the JPEGs that this process has read; "" where it has read none.
func JPEGsReadBy() string {
	if !jpegsRead.Load() {
		return ""
	}
	name, _ := JPEGDecoder()
	return name
}

// turboVariable names the library to use.
const turboVariable = "DNS_TUI_TURBOJPEG"

// JPEGNotice says that the library which DNS_TUI_TURBOJPEG names does not decode the JPEGs that this process reads; ""
// where it does, where none is named, and where no JPEG was read.
func JPEGNotice() string {
	path := os.Getenv(turboVariable)
	if !jpegsRead.Load() {
		return ""
	}
	return jpegNotice(path, turbo().fault)
}

func jpegNotice(path string, fault error) string {
	if path == "" || path == "none" || fault == nil {
		return ""
	}
	return fmt.Sprintf("%s names %s, which is not used: %v; Go decodes JPEGs, which takes several times as long",
		turboVariable, path, fault)
}

// turboLibraries are the names that the library goes by, in the order tried. DNS_TUI_TURBOJPEG names another; "none" is
// no library.
func turboLibraries() []string {
	if path := os.Getenv(turboVariable); path != "" {
		return []string{path}
	}
	if runtime.GOOS == "darwin" {
		return []string{
			"/opt/homebrew/opt/jpeg-turbo/lib/libturbojpeg.dylib", "/usr/local/opt/jpeg-turbo/lib/libturbojpeg.dylib",
			"libturbojpeg.dylib",
		}
	}
	return []string{"libturbojpeg.so.0", "libturbojpeg.so"}
}

func loadTurboJPEG() *turboJPEG { return openTurboJPEG(turboLibraries()) }

// openTurboJPEG opens the first of some libraries that has all that is called.
func openTurboJPEG(names []string) *turboJPEG {
	var tried []string
	for _, name := range names {
		t := &turboJPEG{free: make(chan uintptr, 64)}
		if t.fault = t.load(name); t.fault == nil {
			return t
		}
		tried = append(tried, t.fault.Error())
	}
	return &turboJPEG{fault: fmt.Errorf("libjpeg-turbo was not found (%s)", strings.Join(tried, "; "))}
}

// load takes the functions of a library.
func (t *turboJPEG) load(name string) error {
	lib, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		to   *uintptr
		name string
	}{
		{&t.open, "tjInitDecompress"}, {&t.header, "tjDecompressHeader3"}, {&t.decompress, "tjDecompress2"},
		{&t.close, "tjDestroy"},
	} {
		if *f.to, err = purego.Dlsym(lib, f.name); err != nil {
			return fmt.Errorf("%s has no %s", name, f.name)
		}
	}
	return nil
}

// Of turbojpeg.h.
const (
	tjBGR         = 1 // TJPF_BGR
	tjGray        = 6 // TJPF_GRAY
	tjAccurateDCT = 4096
	tjYCbCr       = 1 // TJCS_YCbCr
	tjGrayscale   = 2 // TJCS_GRAY
)

// decode decodes a JPEG of the given size into the pixels of d, and reports whether it could.
func (t *turboJPEG) decode(d *Datum, width, height int, forceColor, forceGray bool) bool {
	if t.fault != nil || len(d.Data) == 0 {
		return false
	}
	var handle uintptr
	select {
	case handle = <-t.free:
	default:
		if handle, _, _ = purego.SyscallN(t.open); handle == 0 {
			return false
		}
	}
	defer func() {
		select {
		case t.free <- handle:
		default:
			purego.SyscallN(t.close, handle)
		}
	}()
	in := uintptr(unsafe.Pointer(unsafe.SliceData(d.Data)))
	head := new([4]int32) // width, height, subsampling, colour space
	if r, _, _ := purego.SyscallN(t.header, handle, in, uintptr(len(d.Data)), uintptr(unsafe.Pointer(&head[0])),
		uintptr(unsafe.Pointer(&head[1])), uintptr(unsafe.Pointer(&head[2])), uintptr(unsafe.Pointer(&head[3])),
	); int32(r) != 0 || int(head[0]) != width || int(head[1]) != height {
		return false
	}
	if space := head[3]; space != tjYCbCr && space != tjGrayscale {
		return false // of four inks, or RGB
	}
	gray := forceGray || !forceColor && head[3] == tjGrayscale
	channels, format := 3, uintptr(tjBGR)
	if gray {
		channels, format = 1, tjGray
	}
	room := interleaved.Get().(*[]byte)
	defer interleaved.Put(room)
	pixels := *room
	if n := channels * width * height; channels == 1 {
		pixels = make([]byte, n)
	} else if pixels = slices.Grow(pixels[:0], n)[:n]; cap(pixels) <= roomKept {
		*room = pixels
	}
	r, _, _ := purego.SyscallN(t.decompress, handle, in, uintptr(len(d.Data)),
		uintptr(unsafe.Pointer(unsafe.SliceData(pixels))), uintptr(width), 0, uintptr(height), format, tjAccurateDCT)
	runtime.KeepAlive(d.Data)
	if int32(r) != 0 {
		return false
	}
	d.Channels, d.Height, d.Width, d.Encoded = channels, height, width, false
	if d.Data = pixels; channels == 3 {
		d.Data = planesOf(pixels)
	}
	return true
}

// interleaved has room for pixels of three channels, until they are taken apart.
var interleaved = sync.Pool{New: func() any { return new([]byte) }}

// roomKept is the largest room that is kept for the next picture.
const roomKept = 16 << 20

// planesOf takes pixels of three channels apart.
func planesOf(pixels []byte) []byte {
	n := len(pixels) / 3
	out := make([]byte, 3*n)
	b, g, r := out[:n], out[n:][:n], out[2*n:][:n]
	for i := range b {
		p := pixels[3*i:][:3]
		b[i], g[i], r[i] = p[0], p[1], p[2]
	}
	return out
}
