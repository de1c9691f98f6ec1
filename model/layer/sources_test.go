package layer_test

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/dataset"
	"dns-tui/caffe/hdf5"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// picture writes a PNG whose pixels are f(x, y).
func picture(t *testing.T, path string, w, h int, f func(x, y int) color.Color) {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, f(x, y))
		}
	}
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := png.Encode(out, img); err != nil {
		t.Fatal(err)
	}
}

func solid(v int) func(x, y int) color.Color {
	return func(int, int) color.Color { return color.NRGBA{uint8(v), uint8(v), uint8(v), 255} }
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func sourceNet(d *gpu.Device, phase caffepb.Phase, seed uint64, text string) (*model.Net, error) {
	f, err := caffe.ParseNetPrototxt("n.prototxt", []byte(text))
	if err != nil {
		return nil, err
	}
	return model.NewNet(f, model.NetOptions{Device: d, State: &caffepb.NetState{Phase: phase.Enum()}, Seed: seed})
}

// passes runs a net and returns what a blob held after each pass.
func passes(t *testing.T, d *gpu.Device, n *model.Net, blob string, count int) (out [][]float32) {
	t.Helper()
	for range count {
		if _, err := n.Forward(); err != nil {
			t.Fatal(err)
		}
		out = append(out, modeltest.Values(d, n.Blob(blob).Data))
	}
	return out
}

// ImageData reads its list in order, round and round; with shuffle, each round in an order of its own, the same for a
// seed.
func TestImageData(t *testing.T) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	dir := t.TempDir()
	list := ""
	for i := range 5 {
		picture(t, filepath.Join(dir, fmt.Sprintf("a %d.png", i)), 4, 2, solid(10*i))
		list += fmt.Sprintf("a %d.png %d\n", i, i)
	}
	write(t, filepath.Join(dir, "list.txt"), list)
	net := func(seed uint64, more string) *model.Net {
		n, err := sourceNet(
			d,
			caffepb.Phase_TRAIN,
			seed,
			fmt.Sprintf(`layer {
  name: "d" type: "ImageData" top: "data" top: "label"
  image_data_param { source: %q root_folder: %q batch_size: 2 %s } transform_param { scale: 0.1 }
}`, filepath.Join(dir, "list.txt"), dir+"/", more),
		)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		return n
	}
	n := net(1, "")
	if got := n.Blob("data").FormatShape(); got != "2x3x2x4" {
		t.Errorf("shape %s", got)
	}
	if got := fmt.Sprint(passes(t, d, n, "label", 5)); got != "[[0 1] [2 3] [4 0] [1 2] [3 4]]" {
		t.Errorf("labels %s", got)
	}
	n = net(1, "new_height: 5 new_width: 3 is_color: false")
	if got := n.Blob("data").FormatShape(); got != "2x1x5x3" {
		t.Errorf("scaled, in grey: %s", got)
	}
	if got := passes(t, d, n, "data", 1)[0]; got[0] != 0 || got[29] != 1 {
		t.Errorf("pixels %v", got)
	}
	rounds := func(seed uint64) (out [][]int) {
		var all []int
		for _, b := range passes(t, d, net(seed, "shuffle: true"), "label", 10) {
			all = append(all, int(b[0]), int(b[1]))
		}
		for r := range 4 {
			out = append(out, all[5*r:][:5])
		}
		return out
	}
	a := rounds(1)
	for _, r := range a {
		sorted := slices.Clone(r)
		slices.Sort(sorted)
		if !slices.Equal(sorted, []int{0, 1, 2, 3, 4}) {
			t.Errorf("a shuffled round is %v", r)
		}
	}
	if fmt.Sprint(a) != fmt.Sprint(rounds(1)) || fmt.Sprint(a) == fmt.Sprint(rounds(2)) ||
		slices.Equal(a[0], a[1]) && slices.Equal(a[1], a[2]) {
		t.Errorf("rounds of seed 1: %v, again %v, of seed 2: %v", a, rounds(1), rounds(2))
	}
}

// A shuffled Data layer hands out every record once an epoch, in an order of the epoch and of the seed, and goes on
// where Seek says.
func TestShuffledData(t *testing.T) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	const batch, batches, seen = 64, 20, 50 // an epoch has 20 batches
	run := func(seed uint64, from int) (labels [][]float32) {
		n, err := sourceNet(d, caffepb.Phase_TRAIN, seed, fmt.Sprintf(
			`layer { name: "d" type: "Data" top: "data" top: "label"
			  data_param { source: %q batch_size: %d shuffle: true } }`,
			modeltest.Root("oracle", "solvers", "mnist1280_lmdb"), batch))
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		n.Sources()[0].Seek(uint64(from * batch))
		return passes(t, d, n, "label", seen-from)
	}
	whole := run(1, 0)
	counts := func(epoch int) (out [10]int) {
		for _, b := range whole[epoch*batches:][:batches] {
			for _, l := range b {
				out[int(l)]++
			}
		}
		return out
	}
	if counts(0) != counts(1) || slices.EqualFunc(whole[:batches], whole[batches:][:batches], slices.Equal) {
		t.Errorf("epochs have %v and %v of each label, or the same order", counts(0), counts(1))
	}
	if rest := run(1, 27); !slices.EqualFunc(rest, whole[27:], slices.Equal) {
		t.Error("after Seek the batches are others")
	}
	if other := run(2, 0); slices.EqualFunc(other, whole, slices.Equal) {
		t.Error("another seed shuffles alike")
	}
}

// A batch of one takes images of any size, and the net below follows.
func TestImagesOfAnySize(t *testing.T) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	dir := t.TempDir()
	list := ""
	for i, size := range [][2]int{{6, 5}, {8, 5}, {6, 5}, {4, 9}} {
		picture(t, filepath.Join(dir, fmt.Sprintf("%d.png", i)), size[0], size[1], solid(255))
		list += fmt.Sprintf("%s/%d.png 0\n", dir, i)
	}
	write(t, filepath.Join(dir, "list.txt"), list)
	text := `layer { name: "d" type: "ImageData" top: "data" top: "label"
	    image_data_param { source: "` + filepath.Join(dir, "list.txt") + `" batch_size: %d } }
	  layer { name: "c" type: "Convolution" bottom: "data" top: "c"
	    convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "constant" value: 1 } } }
	  layer { name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param { pool: AVE global_pooling: true } }`
	n, err := sourceNet(d, caffepb.Phase_TRAIN, 1, fmt.Sprintf(text, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for i, want := range []string{"1x2x3x4", "1x2x3x6", "1x2x3x4", "1x2x7x2", "1x2x3x4"} {
		p := passes(t, d, n, "p", 1)[0]
		if got := n.Blob("c").FormatShape(); got != want || p[0] != 27*255 || p[1] != 27*255 {
			t.Errorf("image %d: %s %v, wanted %s", i, got, p, want)
		}
	}
	n2, err := sourceNet(d, caffepb.Phase_TRAIN, 1, fmt.Sprintf(text, 2))
	if err != nil {
		t.Fatal(err)
	}
	defer n2.Close()
	if _, err := n2.Forward(); err == nil ||
		!strings.Contains(
			err.Error(),
			"list.txt:2: 1.png has the shape 3x5x8, the first record 3x5x6; images of any size want batch_size 1",
		) {
		t.Errorf("a batch of two: %v", err)
	}
}

// HDF5Data hands out the rows of its files one after the other, and with shuffle each once a round; Seek goes on
// anywhere.
func TestHDF5Data(t *testing.T) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	dir := t.TempDir()
	list := modeltest.Root("oracle", "hdf5", "sample_data.h5") + "\n"
	for i, rows := range []int{3, 2} {
		root := hdf5.NewGroup()
		v := make([]float32, rows*240)
		label := make([]float32, rows)
		for k := range label {
			label[k] = float32(100*(i+1) + k)
		}
		root.Floats("data", []int{rows, 8, 6, 5}, v, nil)
		root.Floats("label", []int{rows, 1}, label, nil)
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.h5", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := hdf5.Write(f, root); err != nil {
			t.Fatal(err)
		}
		f.Close()
		list += fmt.Sprintf("%s/%d.h5\n", dir, i)
	}
	write(t, filepath.Join(dir, "list.txt"), list)
	net := func(more string) *model.Net {
		n, err := sourceNet(
			d,
			caffepb.Phase_TRAIN,
			1,
			fmt.Sprintf(`layer { name: "d" type: "HDF5Data" top: "data" top: "label"
		  hdf5_data_param { source: %q batch_size: 4 %s } }`, filepath.Join(dir, "list.txt"), more),
		)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		return n
	}
	n := net("")
	if got := n.Blob("data").FormatShape() + " " + n.Blob("label").FormatShape(); got != "4x8x6x5 4x1" {
		t.Errorf("shapes %s", got)
	}
	var all []float32
	for _, b := range passes(t, d, n, "label", 8) {
		all = append(all, b...)
	}
	first := all[0]
	for i, v := range all {
		var want float32
		switch r := i % 15; {
		case r < 10:
			want = first + float32(r)
		case r < 13:
			want = float32(100 + r - 10)
		default:
			want = float32(200 + r - 13)
		}
		if v != want {
			t.Fatalf("row %d has label %g, wanted %g", i, v, want)
		}
	}
	if got := passes(t, d, net(""), "data", 1)[0]; got[239]-got[0] != 239 || got[240]-got[0] != 240 {
		t.Error("the rows of sample_data.h5 do not count up")
	}
	shuffled := net("shuffle: true")
	all = all[:0]
	for _, b := range passes(t, d, shuffled, "label", 15) {
		all = append(all, b...)
	}
	for r := range 4 {
		round := slices.Clone(all[15*r:][:15])
		if slices.IsSorted(round) {
			t.Errorf("round %d is not shuffled: %v", r, round)
		}
		slices.Sort(round)
		if len(slices.Compact(round)) != 15 {
			t.Errorf("round %d: %v", r, all[15*r:][:15])
		}
	}
}

// HDF5Output keeps every pass, in four axes as Caffe writes them.
func TestHDF5Output(t *testing.T) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	path := filepath.Join(t.TempDir(), "out.h5")
	n, err := sourceNet(
		d,
		caffepb.Phase_TEST,
		1,
		fmt.Sprintf(
			`layer {
  name: "in" type: "Input" top: "x" top: "y" input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } }
}
layer { name: "o" type: "HDF5Output" bottom: "x" bottom: "y" hdf5_output_param { file_name: %q } }`,
			path,
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	for pass := range 3 {
		d.Fill(n.Blob("x").Data, float32(pass))
		d.Fill(n.Blob("y").Data, float32(10*pass))
		if _, err := n.Forward(); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := hdf5.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	root, err := f.Root()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"data": "[6 3 1 1] [0 0 0 0 0 0 1 1 1 1 1 1 2 2 2 2 2 2]", "label": "[6 1 1 1] [0 0 10 10 20 20]",
	} {
		ds, err := root.Dataset(name)
		if err != nil {
			t.Fatal(err)
		}
		v, err := ds.Floats()
		if got := fmt.Sprint(ds.Shape, " ", v); err != nil || got != want {
			t.Errorf("%s: %s, wanted %s (%v)", name, got, want, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

// WindowData draws background and foreground in their shares, scales a window to the crop, and puts context round it.
func TestWindowData(t *testing.T) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	dir := t.TempDir()
	picture(t, filepath.Join(dir, "a.png"), 20, 10, func(x, y int) color.Color {
		if x < 10 {
			return color.NRGBA{R: 200, A: 255}
		}
		return color.NRGBA{B: 100, A: 255}
	})
	write(t, filepath.Join(dir, "w.txt"), "# 0\na.png\n3\n10\n20\n3\n7 0.9 0 0 9 9\n3 0.1 10 0 19 9\n5 0.5 0 0 1 1\n")
	net := func(more string) *model.Net {
		n, err := sourceNet(
			d,
			caffepb.Phase_TRAIN,
			1,
			fmt.Sprintf(
				`layer {
  name: "d" type: "WindowData" top: "data" top: "label"
  transform_param { crop_size: 8 mirror: true mean_value: 1 scale: 0.5 }
  window_data_param {
    source: %q root_folder: %q batch_size: 4 fg_threshold: 0.6 bg_threshold: 0.3 fg_fraction: 0.25 %s
  }
}`,
				filepath.Join(dir, "w.txt"),
				dir+"/",
				more,
			),
		)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		return n
	}
	n := net("")
	data, label := passes(t, d, n, "data", 1)[0], modeltest.Values(d, n.Blob("label").Data)
	if fmt.Sprint(label) != "[0 0 0 7]" {
		t.Errorf("labels %v", label)
	}
	const plane = 64
	// blue, green, red
	for i, want := range [][3]float32{{49.5, -0.5, -0.5}, {49.5, -0.5, -0.5}, {49.5, -0.5, -0.5}, {-0.5, -0.5, 99.5}} {
		for c, w := range want {
			for k, v := range data[(3*i+c)*plane:][:plane] {
				if v != w {
					t.Fatalf("window %d, channel %d, pixel %d is %g, wanted %g", i, c, k, v, w)
				}
			}
		}
	}
	// A context of 2 pixels of 8 goes 2/4 of the window's size beyond it: above, below and on the left there is no
	// picture, and zeros stay.
	n = net("context_pad: 2 crop_mode: \"square\" cache_images: true")
	for _, b := range passes(t, d, n, "data", 3) {
		fg := b[9*plane:]
		red := fg[2*plane:][:plane]
		if red[0] != 0 || red[7] != 0 || red[7*8] != 0 || red[3*8+3] != 99.5 {
			t.Errorf("the red of the foreground with context:\n%v", red)
		}
		left, right := red[3*8], red[3*8+7] // the empty side is the right where it is mirrored
		if (left == 0) == (right == 0) {
			t.Errorf("one side of %v should be empty", red[3*8:][:8])
		}
	}
}

// What users get wrong in sources is an error that says where.
func TestSourceErrors(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	dir := t.TempDir()
	picture(t, filepath.Join(dir, "a.png"), 6, 5, solid(1))
	write(t, filepath.Join(dir, "missing.txt"), "a.png 0\nb.png 1\n")
	write(t, filepath.Join(dir, "label.txt"), "a.png 0\na.png\n")
	write(t, filepath.Join(dir, "empty.txt"), "\n")
	write(t, filepath.Join(dir, "damaged.txt"), "a.png 0\ndamaged.png 0\n")
	write(t, filepath.Join(dir, "damaged.png"), "text")
	write(t, filepath.Join(dir, "h5.txt"), "a.png\n")
	write(t, filepath.Join(dir, "caffes.txt"), "\n"+modeltest.Root("oracle", "hdf5", "solver_data.h5")+"\n")
	window := "# 0\na.png\n3\n5\n6\n"
	write(t, filepath.Join(dir, "w1.txt"), window+"2\n1 0.9 0 0 3 3\n")
	write(t, filepath.Join(dir, "w2.txt"), window+"1\n1 0.9 0 0 6 3\n")
	write(t, filepath.Join(dir, "w3.txt"), window+"1\n0 0.9 0 0 3 3\n")
	write(t, filepath.Join(dir, "w4.txt"), window+"1\n1 0.9 0 0 3 3\n")
	write(t, filepath.Join(dir, "w5.txt"), "# 0\na.png\n3\n5\nwide\n")
	write(t, filepath.Join(dir, "w6.txt"), "# 0\nnone.png\n3\n5\n6\n2\n1 0.9 0 0 3 3\n1 0.1 0 0 3 3\n")
	at := func(typ, param, name, more string) string {
		return fmt.Sprintf(
			`layer { name: "d" type: %q top: "data" top: "label" %s { source: %q batch_size: 2 %s } }`,
			typ,
			param,
			filepath.Join(dir, name),
			more,
		)
	}
	images := func(name, more string) string { return at("ImageData", "image_data_param", name, more) }
	windows := func(name string) string {
		return strings.Replace(
			at("WindowData", "window_data_param", name, ""),
			`top: "label"`,
			`top: "label" transform_param { crop_size: 4 }`,
			1,
		)
	}
	for _, c := range []struct{ name, text, want string }{
		{"no list", images("none.txt", ""), "none.txt: no such file or directory (wanted a list of images)"},
		{"missing image", images("missing.txt", ""), "missing.txt:2: " + dir + "/b.png: no such file"},
		{"missing label", images("label.txt", ""), "label.txt:2: \"a.png\"; wanted a path, a space and a label"},
		{"empty list", images("empty.txt", ""), "empty.txt: names no image"},
		{
			"damaged image",
			images("damaged.txt", ""),
			"damaged.txt:2: " + dir + "/damaged.png: is a picture that cannot be decoded",
		},
		{"half a size", images("missing.txt", "new_height: 3"), "new_height is 3 and new_width 0; wanted both or none"},
		{
			"batch 0",
			strings.Replace(images("missing.txt", ""), "batch_size: 2", "batch_size: 0", 1),
			"image_data_param: batch_size is 0",
		},
		{
			"no source",
			`layer { name: "d" type: "ImageData" top: "data" top: "label" }`,
			"image_data_param: source is not set",
		},
		{"one top", `layer { name: "d" type: "ImageData" top: "data" }`, "1 top blobs; wanted 2"},
		{
			"not HDF5",
			at("HDF5Data", "hdf5_data_param", "h5.txt", ""),
			"h5.txt:1: " + dir + "/a.png: is not an HDF5 file",
		},
		{
			"no such dataset",
			at("HDF5Data", "hdf5_data_param", "caffes.txt", ""),
			`caffes.txt:2: ` + modeltest.Root(
				"oracle", "hdf5", "solver_data.h5",
			) + `: has no dataset /label; / holds ["data" "targets"]`,
		},
		{"transformed HDF5", strings.Replace(at("HDF5Data", "hdf5_data_param", "caffes.txt", ""), `top: "label"`,
			`top: "label" transform_param { scale: 2 }`, 1), "HDF5Data hands its rows out as they are"},
		{"window file cut", windows("w1.txt"), "w1.txt:7: ends where a class should stand"},
		{"window outside", windows("w2.txt"), "w2.txt:7: a window from 0,0 to 6,3 in a picture of 6 by 5"},
		{"background class", windows("w3.txt"), "w3.txt:7: a window of overlap 0.9 has class 0"},
		{
			"no background",
			windows("w4.txt"),
			"w4.txt: has 1 windows of an overlap of at least 0.5 (fg_threshold) and 0 below 0.5",
		},
		{"no number", windows("w5.txt"), `w5.txt:5: width is "wide"; wanted a number, at least 1`},
		{"missing window image", windows("w6.txt"), "w6.txt:2: " + dir + "/none.png: no such file"},
		{"memory", `layer {
  name: "d" type: "MemoryData" top: "data" top: "label"
  memory_data_param { batch_size: 1 channels: 1 height: 2 width: 2 }
}`, "nobody has filled its tops"},
		{"memory shape", `layer {
  name: "d" type: "MemoryData" top: "data" top: "label"
  memory_data_param { batch_size: 1 channels: 1 height: 2 }
}`, "width 0; wanted at least 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.ReplaceAll(c.text, "_param { source", "_param { source")
			if strings.Contains(text, "image_data_param { source") ||
				strings.Contains(text, "window_data_param { source") {
				text = strings.Replace(text, "batch_size", fmt.Sprintf("root_folder: %q batch_size", dir+"/"), 1)
			}
			n, err := sourceNet(d, caffepb.Phase_TRAIN, 1, text)
			if err == nil {
				defer n.Close()
				_, err = n.Forward()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got    %v\nwanted %s", err, c.want)
			}
		})
	}
}

// Two Data layers of one net read on their own.
func TestSeveralDataLayers(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	dir := t.TempDir()
	for name, n := range map[string]int{"images": 3, "targets": 4} {
		err := dataset.WriteLMDB(filepath.Join(dir, name), n, func(i int) (*dataset.Datum, error) {
			return &dataset.Datum{Channels: 1, Height: 1, Width: 1, Data: []byte{byte(10*n + i)}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	n, err := sourceNet(
		d,
		caffepb.Phase_TRAIN,
		1,
		fmt.Sprintf(`layer { name: "a" type: "Data" top: "x" data_param { source: %q batch_size: 2 } }
layer { name: "b" type: "Data" top: "y" data_param { source: %q batch_size: 2 } }`,
			filepath.Join(dir, "images"), filepath.Join(dir, "targets")),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	var got []string
	for range 3 {
		if _, err := n.Forward(); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(modeltest.Values(d, n.Blob("x").Data), modeltest.Values(d, n.Blob("y").Data)))
	}
	if want := []string{"[30 31] [40 41]", "[32 30] [42 43]", "[31 32] [40 41]"}; !slices.Equal(got, want) {
		t.Errorf("got %q, wanted %q", got, want)
	}
}

// A layer reads the part of its source that records says.
func TestRecordRange(t *testing.T) {
	lmdb := modeltest.Root("oracle", "solvers", "mnist1280_lmdb")
	list := filepath.Join(t.TempDir(), "list.txt")
	var lines strings.Builder
	for i := range 10 {
		path := filepath.Join(filepath.Dir(list), fmt.Sprintf("%d.png", i))
		picture(t, path, 2, 2, solid(i))
		fmt.Fprintf(&lines, "%s %d\n", path, i)
	}
	write(t, list, lines.String())
	data := `layer { name: "d" type: "Data" top: "x" top: "y"
		data_param { source: "` + lmdb + `" batch_size: 4 backend: LMDB records { %s } } }`
	pictures := `layer { name: "d" type: "ImageData" top: "x" top: "y"
		image_data_param { source: "` + list + `" batch_size: 4 records { %s } } }`
	for _, c := range []struct {
		text, records string
		first, n      int // of the source's records
		fault         string
	}{
		{data, "", 0, 1280, ""},
		{data, "from: 0.5", 640, 640, ""},
		{data, "to: 0.0025", 0, 3, ""},
		{data, "from: 0.5 to: 0.5", 0, 0, "from 0.5 to 0.5; wanted a part of 0 to 1"},
		{data, "from: nan", 0, 0, "wanted a part of 0 to 1"},
		{data, "to: 1.5", 0, 0, "wanted a part of 0 to 1"},
		{data, "from: 0.5 to: 0.5001", 0, 0, "is none of the 1280"},
		{pictures, "from: 0.7", 7, 3, ""},
		{pictures, "from: 0.9 to: 0.2", 0, 0, "wanted a part of 0 to 1"},
	} {
		t.Run(c.records, func(t *testing.T) {
			d := host.New(host.Options{Threads: 1})
			defer d.Close()
			n, err := sourceNet(d, caffepb.Phase_TEST, 1, fmt.Sprintf(c.text, c.records))
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("the error is %v; wanted %q", err, c.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			whole, err := sourceNet(d, caffepb.Phase_TEST, 1, fmt.Sprintf(c.text, ""))
			if err != nil {
				t.Fatal(err)
			}
			defer whole.Close()
			labels := func(n *model.Net, at int) []float32 {
				n.Sources()[0].Seek(uint64(at))
				if _, err := n.Forward(); err != nil {
					t.Fatal(err)
				}
				return modeltest.Values(d, n.Blob("y").Data)
			}
			got := labels(n, 0)
			for i, label := range got { // one at a time: it goes round
				if want := labels(whole, c.first+i%c.n)[0]; label != want {
					t.Errorf("record %d has the label %g; wanted %g", i, label, want)
				}
			}
		})
	}
}
