package dataset

import (
	"errors"
	"strings"
	"testing"
)

// A library that lacks a function is passed over for the next name.
func TestTurboJPEGNames(t *testing.T) {
	const other = "libc.so.6"
	alone := openTurboJPEG([]string{"/nowhere/turbojpeg.so", other})
	if alone.fault == nil || !strings.Contains(alone.fault.Error(), other+" has no tjInitDecompress") ||
		!strings.Contains(alone.fault.Error(), "/nowhere/turbojpeg.so") {
		t.Errorf("the fault of %s is %v", other, alone.fault)
	}
	if named := openTurboJPEG(turboLibraries()); named.fault != nil {
		t.Skip(named.fault)
	}
	if behind := openTurboJPEG(append([]string{other}, turboLibraries()...)); behind.fault != nil {
		t.Error(behind.fault)
	}
}

// Only a library that was named and is not used is told of.
func TestJPEGNotice(t *testing.T) {
	fault := errors.New("cannot open")
	for _, c := range []struct {
		path  string
		fault error
		told  bool
	}{{"", fault, false}, {"none", fault, false}, {"x.so", nil, false}, {"x.so", fault, true}} {
		have := jpegNotice(c.path, c.fault)
		told := strings.HasPrefix(have, "DNS_TUI_TURBOJPEG names x.so, which is not used: cannot open")
		if told != c.told || !told && have != "" {
			t.Errorf("%+v: %q", c, have)
		}
	}
}
