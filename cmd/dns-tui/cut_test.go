package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"dns-tui/caffe"
	"dns-tui/caffe/compact"
	"dns-tui/caffe/hdf5"
	"dns-tui/model/modeltest"
)

// borders are where the fields of a message end: one that is cut there is a message, too.
func borders(message []byte) []int {
	var out []int
	for at := 0; at < len(message); {
		_, _, n := protowire.ConsumeField(message[at:])
		if n < 0 {
			return nil
		}
		at += n
		out = append(out, at)
	}
	return out
}

// A file that is cut short, wherever that is, is an error to whoever reads it, and nothing is made of it. Only a
// message that is cut between two fields is one.
func TestCutFiles(t *testing.T) {
	dir := t.TempDir()
	var all [][]byte
	for _, data := range smallFiles(t) {
		if len(data) > 2 && !isText(data[:2]) || borders(data) != nil {
			all = append(all, data)
		}
	}
	if len(all) < 5 {
		t.Fatalf("%d kinds of files", len(all))
	}
	for _, path := range []string{
		modeltest.Root("oracle", "hdf5", "sgd_inv_iter_3.caffemodel.h5"),
		modeltest.Root("oracle", "hdf5", "sgd_inv_iter_3.solverstate.h5"),
		modeltest.Root("oracle", "hdf5", "sample_data_2_gzip.h5"),
		modeltest.Root("oracle", "old", "mnist1280_mean.binaryproto"),
		modeltest.Root("oracle", "solvers", "dns_seed_mini_init.caffemodel"),
		modeltest.Root("oracle", "solvers", "sgd_inv_iter_60.solverstate"),
		lenet5x310(),
	} {
		all = append(all, contentOf(t, path))
	}
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out.dnz")
	for _, data := range all {
		var legal []int
		if !bytes.HasPrefix(data, []byte("\x89")) {
			legal = borders(data)
		}
		step := 1 + len(data)/300
		for cut := 1; cut < len(data); cut += min(step, max(1, len(data)-1-cut)) {
			if slices.Contains(legal, cut) {
				continue
			}
			if err := os.WriteFile(in, data[:cut], 0o644); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"inspect", in}, {"export", in, out}} {
				status, stdout, stderr := run(t, args...)
				if status != 1 || stdout != "" || !strings.Contains(stderr, in+":") || caffe.Exists(out) {
					t.Fatalf(
						"%s of %.8q, %d of %d bytes: status %d, %s%s",
						args[0],
						data,
						cut,
						len(data),
						status,
						stdout,
						stderr,
					)
				}
			}
		}
	}
}

// At the borders of fields what is there is told, and nothing else.
func TestCutBetweenFields(t *testing.T) {
	data := contentOf(t, modeltest.Root("oracle", "solvers", "dns_seed_mini_init.caffemodel"))
	in := filepath.Join(t.TempDir(), "in")
	told := 0
	for _, cut := range borders(data) {
		if err := os.WriteFile(in, data[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr := run(t, "inspect", in)
		n, err := caffe.ReadNet(in)
		if err != nil {
			if status != 1 || stdout != "" {
				t.Errorf("cut after %d bytes: %v; inspect: status %d, %s", cut, err, status, stdout)
			}
			continue
		}
		told++
		for _, l := range n.Layer {
			if len(l.Blobs) > 0 && !strings.Contains(stdout, "\n  "+l.GetName()+" ") {
				t.Errorf("cut after %d bytes: no layer %q in %s%s", cut, l.GetName(), stdout, stderr)
			}
		}
	}
	if told < 2 {
		t.Errorf("%d of the cut files are told of", told)
	}
}

// What is left of a beginning says what it is not, where its kind is known by that.
func TestCutBeginnings(t *testing.T) {
	in := filepath.Join(t.TempDir(), "w.dnz")
	data := contentOf(t, lenet5x310())
	net := modeltest.Root("nets", "lenet.prototxt")
	for n := 1; n <= 4; n++ {
		if err := os.WriteFile(in, data[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if !compact.Is(in) || hdf5.Is(in) {
			t.Errorf("%d bytes of a compact file are none", n)
		}
		for _, args := range [][]string{
			{"inspect", in},
			{"export", in, in + ".caffemodel"},
			{"test", "--model", net, "--weights", in, "--input", "1x28x28:10"},
		} {
			if status, _, stderr := run(t, args...); status != 1 ||
				!strings.Contains(stderr, in+": is not a compact file (.dnz), or is cut short: it has") {
				t.Errorf("%s of %d bytes: status %d, %s", args[0], n, status, stderr)
			}
		}
	}
}

// Of a database that is cut short no record is told.
func TestCutDatabase(t *testing.T) {
	data := contentOf(t, modeltest.Root("oracle", "solvers", "mnist1280_lmdb", "data.mdb"))
	dir := t.TempDir()
	for cut := 1; cut < len(data); cut += min(1+len(data)/30, max(1, len(data)-1-cut)) {
		if err := os.WriteFile(filepath.Join(dir, "data.mdb"), data[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr := run(t, "inspect", dir)
		if status != 1 || stdout != "" || !strings.Contains(stderr, dir+": ") {
			t.Errorf("%d of %d bytes: status %d, %s%s", cut, len(data), status, stdout, stderr)
		}
	}
}
