package main

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/files"
	"dns-tui/gpu"
	"dns-tui/human"
	"dns-tui/model"
	"dns-tui/model/autopilot"
	"dns-tui/model/ship"
)

// netFacts are what `new` knows of a net before it asks.
type netFacts struct {
	path           string
	file           *caffe.NetFile
	input          inputFlag // where nothing else tells the images' shape
	layers         []model.PrunableLayer
	parameters     int
	inInnerProduct float64 // the part of the entries that can be pruned that is in inner products
	train, test    *config.Reads
	tested         bool     // it has a test net
	notices        []string // what of the weights does not fit
}

// lookAtNet builds a net without its data, on a device that allocates nothing. notices say what of weights files does
// not fit it.
func lookAtNet(path string, input inputFlag, weights []string) (f *netFacts, notices []string, err error) {
	file, err := caffe.ReadNetPrototxt(path)
	if err != nil {
		return nil, nil, adviseNet(path, err)
	}
	f = &netFacts{path: path, file: file, input: input}
	phase := func(p caffepb.Phase) *shapeFlags {
		return &shapeFlags{stateFlags: stateFlags{phase: p.String()}, input: input, command: "new"}
	}
	train := phase(caffepb.Phase_TRAIN)
	n, err := train.shapes(file)
	if err != nil {
		return nil, nil, err
	}
	defer n.Close()
	if !hasLoss(file, train.netState()) {
		return nil, nil, &caffe.FileError{
			Path: path,
			Msg: "has no loss in phase TRAIN, so it cannot be trained: is it the net of a deployment? wanted the one " +
				"with data and a loss",
		}
	}
	f.layers, f.parameters = n.Prunable(), n.Count()
	products, all := 0, 0
	for _, l := range f.layers {
		size := gpu.Elements(l.Weights.Shape)
		if all += size; strings.Contains(l.Type, "InnerProduct") {
			products += size
		}
	}
	if all > 0 {
		f.inInnerProduct = float64(products) / float64(all)
	}
	if len(weights) > 0 { // weights of another net are an error
		l, err := n.LoadFiles(weights, model.LoadOptions{})
		if err != nil {
			return nil, nil, err
		}
		notices = l.Notices
	}
	f.train = config.ImagesOf(file, train.netState())
	f.lookAtTest(phase(caffepb.Phase_TEST))
	return f, notices, nil
}

// entries are the layers that can be pruned, as far as a target wants to know.
func (f *netFacts) entries() []autopilot.Layer { return ship.Entries(f.layers, nil) }

// lookAtTest finds whether the net can be tested: it builds in phase TEST, and has data of that phase.
func (f *netFacts) lookAtTest(s *shapeFlags) {
	state := s.netState()
	data := slices.ContainsFunc(f.file.Net.Layer, func(l *caffepb.LayerParameter) bool {
		return len(l.Bottom) == 0 && l.GetType() != "Input" && caffe.Includes(state, l)
	})
	n, err := s.shapes(f.file)
	if err != nil || !data {
		return
	}
	defer n.Close()
	f.tested, f.test = true, config.ImagesOf(f.file, state)
}

// adviseNet says of a file that is no net what it is.
func adviseNet(path string, err error) error {
	is := identify(path)
	var msg string
	switch is.kind {
	case solverFile:
		msg = "this is a solver already; to train by it: " + commandLine(path)
	case weightsFile:
		msg = "this is " + is.text + ", not a net; to start from it: " +
			commandLine("new", someNet, "--weights", path)
	case netFile, unknownFile:
		return err
	case folder:
		msg = "is a directory; wanted the prototxt of a net"
		if nets := lookAround(path).nets; len(nets) > 0 {
			msg += ": " + commandLine("new", nets[0])
		}
	default:
		msg = "this is " + is.text + "; wanted the prototxt of a net"
	}
	return &caffe.FileError{Path: path, Msg: msg, Err: err}
}

// hasLoss reports whether a net has something to train for in a state.
func hasLoss(f *caffe.NetFile, state *caffepb.NetState) bool {
	return slices.ContainsFunc(f.Net.Layer, func(l *caffepb.LayerParameter) bool {
		return caffe.Includes(state, l) && (strings.HasSuffix(l.GetType(), "Loss") ||
			slices.ContainsFunc(l.LossWeight, func(w float32) bool { return w != 0 }))
	})
}

// fitting is the one caffemodel beside the net that fits it; "" where there is none, or there are several.
func (f *netFacts) fitting() string {
	dir := filepath.Dir(f.path)
	names, _ := namesIn(dir)
	found := ""
	looked := 0
	for _, name := range names {
		if !files.HasExt(name, ".caffemodel") || strings.Contains(name, "_iter_") { // snapshots are resumed
			continue
		}
		if looked++; looked > mostAdvised {
			return ""
		}
		path := inFolder(dir, name)
		if _, _, err := lookAtNet(f.path, f.input, []string{path}); err != nil {
			continue
		}
		if found != "" {
			return ""
		}
		found = path
	}
	return found
}

// describe prints what is known of the net, before the questions.
func (f *netFacts) describe(e *env) {
	escape.Fprintf(e.stdout, "%s: %s parameters, %s that can be pruned; %.0f %% of their weights in inner products\n",
		f.path, human.Count(f.parameters), count(len(f.layers), "layer"), 100*f.inInnerProduct)
	reads := func(what string, r *config.Reads) {
		switch {
		case r == nil:
		case r.Err != nil:
			escape.Fprintf(e.stdout, "%s: %v\n", what, r.Err)
		default:
			escape.Fprintf(
				e.stdout,
				"%s: %s, %s images in batches of %d\n",
				what,
				r.Source,
				human.Count(r.Images),
				r.Batch,
			)
		}
	}
	reads("trained on", f.train)
	reads("tested on", f.test)
	if !f.tested {
		escape.Fprintf(e.stdout, "it has no test net: accuracy will not be measured\n")
	}
}

// errNothingToPrune is of a net that surgery has nothing to do in.
var errNothingToPrune = errors.New("has no layer that can be pruned: wanted convolutions or inner products")
