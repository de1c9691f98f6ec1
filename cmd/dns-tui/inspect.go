package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/compact"
	"dns-tui/caffe/dataset"
	"dns-tui/caffe/hdf5"
	"dns-tui/escape"
	"dns-tui/human"
	"dns-tui/model"
	"dns-tui/model/autopilot"
)

func runInspect(ctx context.Context, e *env, args []string) error {
	var f shapeFlags
	var x expectFlags
	fs := newFlags(e, "inspect")
	f.add(fs)
	x.add(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("inspect: wanted one file, found %s", count(len(rest), "argument"))
	}
	path := rest[0]
	set := given(fs)
	if err := x.check(set); err != nil {
		return err
	}
	if x.model != "" {
		if !set["phase"] {
			f.phase = "TEST" // as a net that is shipped
		}
		return x.expect(ctx, e, &f, path)
	}
	st, err := os.Stat(path)
	if err != nil {
		return &caffe.FileError{Path: path, Msg: "no such file", Err: err}
	}
	switch {
	case st.IsDir() || filepath.Base(path) == "data.mdb":
		return inspectDatabase(e, strings.TrimSuffix(path, "data.mdb"))
	case !st.Mode().IsRegular():
		return &caffe.FileError{
			Path: path,
			Msg:  "is a device, a pipe or a socket; wanted a file, which is read more than once",
		}
	case st.Size() == 0:
		return &caffe.FileError{Path: path, Msg: "is empty"}
	}
	head, err := readHead(path)
	if err != nil {
		return &caffe.FileError{Path: path, Msg: caffe.Cause(err).Error(), Err: err}
	}
	// A solverstate's first fields are a number and a name, a caffemodel's a name: prototxt is told by its text.
	if isText(head) {
		return inspectText(e, path, &f)
	}
	return inspectBinary(e, path)
}

// inspectBinary tries the binary kinds, the most telling first.
func inspectBinary(e *env, path string) error {
	if s, err := caffe.ReadSolverState(path); err == nil && len(s.ProtoReflect().GetUnknown()) == 0 {
		return inspectState(e, s)
	}
	if compact.Is(path) {
		return inspectCompact(e, path)
	}
	n, err := caffe.ReadNet(path)
	if err == nil {
		return inspectNet(e, path, n)
	}
	if b, err := caffe.ReadMean(path); err == nil {
		inspectMean(e, b)
		return nil
	}
	if hdf5.Is(path) {
		return inspectHDF5(e, path)
	}
	return &caffe.FileError{
		Path: path,
		Msg:  "is not a caffemodel, solverstate, binaryproto, prototxt or database, or is cut short",
	}
}

func inspectNet(e *env, path string, n *caffepb.NetParameter) error {
	layers, err := model.CountWeights(n)
	if err != nil {
		return &caffe.FileError{Path: path, Msg: err.Error(), Err: err}
	}
	escape.Fprintf(e.stdout, "caffemodel %q, %d layers\n", n.GetName(), len(n.Layer))
	printWeights(e, layers)
	var odd, shared []string
	for _, l := range layers {
		if l.OddMasks > 0 {
			odd = append(odd, l.Name)
		}
		if l.Shared > 0 {
			shared = append(shared, l.Name)
		}
	}
	total, kept := model.SumWeights(layers)
	escape.Fprintf(
		e.stdout,
		"non-zero parameters, biases counted: %s of %s (%.2f times smaller)\n",
		human.Count(kept),
		human.Count(total),
		autopilot.TimesSmaller(kept, total),
	)
	if len(shared) > 0 {
		escape.Fprintf(e.stdout, "the parameters that %s shares with a layer before are counted once\n",
			strings.Join(shared, ", "))
	}
	bytes, err := predictCompact(path, n)
	if err != nil {
		return err
	}
	escape.Fprintf(e.stdout, "export makes a compact file (.dnz) of %s bytes of it\n", human.Count(int(bytes)))
	if len(odd) > 0 {
		escape.Fprintf(e.stdout, "the masks of layers %s are %s\n", strings.Join(odd, ", "), model.OddMasks)
	}
	return nil
}

// printWeights prints a row for each layer of a caffemodel.
func printWeights(e *env, layers []model.LayerWeights) {
	escape.Fprintf(
		e.stdout,
		"  %-16s %-14s %-24s %10s %10s %8s %s\n",
		"layer",
		"type",
		"shapes",
		"weights",
		"kept",
		"sparsity",
		"masks",
	)
	for _, l := range layers {
		shapes := make([]string, len(l.Shapes))
		for i, s := range l.Shapes {
			shapes[i] = caffe.FormatShape(s)
		}
		escape.Fprintf(e.stdout, "  %-16s %-14s %-24s ", l.Name, l.Type, strings.Join(shapes, " "))
		if l.Statistics {
			escape.Fprintln(e.stdout, "statistics, no parameters")
			continue
		}
		escape.Fprintf(e.stdout, "%10d %10d %6.2f %% %5d\n", l.Weights, l.WeightsKept,
			100*(1-float64(l.WeightsKept)/float64(max(1, l.Weights))), l.Masks)
	}
}

func inspectState(e *env, s *caffepb.SolverState) error {
	total := 0
	for _, b := range s.History {
		total += len(caffe.Values(b))
	}
	escape.Fprintf(
		e.stdout,
		"solverstate at iteration %d\n  learned_net: %s\n  current_step: %d\n  history: %d blobs, %s numbers\n",
		s.GetIter(),
		s.GetLearnedNet(),
		s.GetCurrentStep(),
		len(s.History),
		human.Count(total),
	)
	rs := s.RunState
	if rs == nil {
		escape.Fprintln(
			e.stdout,
			"  written by Caffe: no place in the data, no statistics of surgery; a run that resumes starts both anew",
		)
		return nil
	}
	escape.Fprintf(e.stdout, "  seed: %d\n  hyperparameters: %s\n", rs.GetSeed(), rs.GetHyper())
	for _, d := range rs.Data {
		escape.Fprintf(
			e.stdout,
			"  data %s/%s: %s records read\n",
			d.GetNet(),
			d.GetLayer(),
			human.Count(int(d.GetRecords())),
		)
	}
	for _, l := range rs.Surgery {
		escape.Fprintf(
			e.stdout,
			"  surgery %s: last at %d, pruned %d, spliced %d",
			l.GetLayer(),
			l.GetLastIter(),
			l.GetPruned(),
			l.GetSpliced(),
		)
		if l.GetMeasured() {
			escape.Fprintf(e.stdout, ", mu %g, sigma %g", l.GetMu(), l.GetSigma())
		}
		escape.Fprintln(e.stdout)
	}
	return nil
}

// inspectHDF5 lists the datasets of an HDF5 file that is neither: what HDF5Data reads.
func inspectHDF5(e *env, path string) error {
	f, err := hdf5.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	root, err := f.Root()
	if err != nil {
		return err
	}
	escape.Fprintln(e.stdout, "HDF5 file")
	return listHDF5(e, root, "/")
}

func listHDF5(e *env, g *hdf5.Group, at string) error {
	kinds := map[hdf5.Class]string{hdf5.Integer: "integers", hdf5.Float: "floats", hdf5.String: "strings"}
	for _, name := range g.Names() {
		if sub, err := g.Group(name); err == nil {
			if err := listHDF5(e, sub, at+name+"/"); err != nil {
				return err
			}
			continue
		}
		ds, err := g.Dataset(name)
		if err != nil {
			escape.Fprintf(e.stdout, "  %-24s not read: %v\n", at+name, err)
			continue
		}
		escape.Fprintf(e.stdout, "  %-24s %-16s %s\n", at+name, caffe.FormatShape(ds.Shape), kinds[ds.Class])
	}
	return nil
}

func inspectMean(e *env, b *caffepb.BlobProto) {
	v := caffe.Values(b)
	var sum float64
	lo, hi := v[0], v[0]
	for _, x := range v {
		sum += float64(x)
		lo, hi = min(lo, x), max(hi, x)
	}
	escape.Fprintf(
		e.stdout,
		"binaryproto (a blob) of shape %s\n  mean %g, least %g, most %g\n",
		caffe.FormatShape(caffe.Shape(b)),
		sum/float64(len(v)),
		lo,
		hi,
	)
}

func inspectText(e *env, path string, f *shapeFlags) error {
	net, netErr := caffe.ReadNetPrototxt(path)
	if netErr == nil && len(net.Net.Layer) > 0 {
		return inspectLayers(e, net, f)
	}
	s := &caffepb.SolverParameter{}
	solverErr := caffe.ReadPrototxt(path, s)
	if solverErr == nil && proto.Size(s) == 0 {
		return &caffe.FileError{Path: path, Msg: "is a text without a field of a net or a solver"}
	}
	if solverErr == nil {
		escape.Fprintf(e.stdout, "solver\n%s", escape.Block(indent(caffe.FormatPrototxt(s))))
		return nil
	}
	if netErr == nil {
		return &caffe.FileError{Path: path, Msg: "is a net without a layer"}
	}
	// Which of the two it was meant to be: the one with fewer faults.
	if caffe.CountFaults(solverErr) < caffe.CountFaults(netErr) {
		return solverErr
	}
	return netErr
}

// inspectLayers prints a net's layers with their shapes and parameters.
func inspectLayers(e *env, file *caffe.NetFile, f *shapeFlags) error {
	for _, did := range file.Upgraded {
		escape.Fprintf(e.stdout, "upgraded: %s\n", did)
	}
	n, err := f.shapes(file)
	if _, ok := errors.AsType[*model.NoShapesError](err); ok {
		escape.Fprintf(e.stdout, "net %q, %d layers\n", file.Net.GetName(), len(file.Net.Layer))
		for i, l := range file.Net.Layer {
			escape.Fprintf(
				e.stdout,
				"  line %-4d %-16s %-16s %s → %s\n",
				file.Line(i),
				l.GetName(),
				l.GetType(),
				strings.Join(l.Bottom, " "),
				strings.Join(l.Top, " "),
			)
		}
		escape.Fprintf(e.stdout, "no shapes: %v\n", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer n.Close()
	layers := model.LayersOf(n, file)
	escape.Fprintf(e.stdout, "net %q, %d layers in phase %s\n", n.Name, len(layers), f.phase)
	escape.Fprintf(e.stdout, "  %-24s %-16s %-20s %12s  %s\n", "layer", "type", "output", "parameters", "bottoms")
	for _, l := range layers {
		shapes := make([]string, len(l.Shapes))
		for i, s := range l.Shapes {
			shapes[i] = caffe.FormatShape(s)
		}
		count := ""
		if l.Count > 0 {
			count = human.Count(l.Count)
		} else if l.Shared {
			count = "shared"
		}
		escape.Fprintf(
			e.stdout,
			"  %-24s %-16s %-20s %12s  %s\n",
			l.Name,
			l.Type,
			strings.Join(shapes, " "),
			count,
			strings.Join(l.Bottom, " "),
		)
	}
	escape.Fprintf(e.stdout, "%s parameters\n", human.Count(n.Count()))
	return nil
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n  ") + "\n"
}

func inspectDatabase(e *env, path string) error {
	db, err := dataset.Open(filepath.Clean(path))
	if err != nil {
		return err
	}
	defer db.Close()
	n, err := db.Count()
	if err != nil {
		return err
	}
	escape.Fprintf(e.stdout, "%s of %s records\n", db.Kind(), human.Count(n))
	b := newBar(e, "records", n)
	defer b.end()
	labels, shapes := map[int]int{}, map[string]int{}
	err = dataset.ReadAll(db, func(i int, key []byte, d *dataset.Datum) error {
		shape := "encoded"
		if !d.Encoded {
			shape = caffe.FormatShape([]int{d.Channels, d.Height, d.Width})
		}
		if i == 0 {
			escape.Fprintf(e.stdout, "  first: key %q, %s, label %d\n", key, shape, d.Label)
		}
		b.step(i)
		shapes[shape]++
		labels[d.Label]++
		return nil
	})
	b.end()
	if err != nil {
		return err
	}
	for _, s := range slices.Sorted(maps.Keys(shapes)) {
		escape.Fprintf(e.stdout, "  %s of shape %s\n", human.Count(shapes[s]), s)
	}
	all := slices.Sorted(maps.Keys(labels))
	if len(all) == 0 {
		return nil
	}
	escape.Fprintf(e.stdout, "  %d labels, %d to %d\n", len(all), all[0], all[len(all)-1])
	return nil
}
