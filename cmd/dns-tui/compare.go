package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"dns-tui/caffe"
	"dns-tui/escape"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/compare"
	"dns-tui/model/layer"
	"dns-tui/model/ship"
	"dns-tui/model/solver"
)

// compareFlags are the flags of compare. Those of netFlags are of A; B differs in its weights, and its net where
// modelB names one.
type compareFlags struct {
	netFlags
	modelB, weightsB, format string
}

// runCompare tests two weights files on the same batches, and sets them side by side.
func runCompare(ctx context.Context, e *env, args []string) error {
	var f compareFlags
	fs := newFlags(e, "compare")
	f.add(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if err := f.check(fs, rest); err != nil {
		return err
	}
	var c comparedWeights
	if err := c.read(&f); err != nil { // what cannot be read is told before anything is built
		return err
	}
	d, err := f.device.open(e)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := c.build(e, &f, d); err != nil {
		return err
	}
	err = untilSignal(ctx, e, "compare", func(ctx context.Context) error { return c.measure(ctx, e, &f, d) })
	if err = errors.Join(err, c.close()); err != nil {
		return err
	}
	if f.format == "json" {
		text, err := json.MarshalIndent(c.json(&f, d), "", "  ")
		if err == nil {
			_, err = e.stdout.Write(append(escape.JSON(text), '\n'))
		}
		return err
	}
	c.print(e.stdout, &f, d)
	return nil
}

func (f *compareFlags) add(fs *flag.FlagSet) {
	f.addNet(fs, "TEST")
	f.addAll(fs)
	fs.StringVar(&f.modelB, "model-b", "", "B's own net, where that is another one: a smaller net of export --shrink. "+
		"Layers are then matched by name (default: that of --model)")
	fs.StringVar(&f.format, "format", "text", "text or json: docs/formats.md says what each number is")
	fs.Lookup("iterations").Usage = "batches of the test, and passes whose times have their median taken"
	fs.Lookup("sparse").Usage = "the test leaves out weights that are zero, too, layer by layer where that is " +
		"faster, on the CPU; says where, and how much faster"
}

// check reports flags that make no sense, and takes the two files.
func (f *compareFlags) check(fs *flag.FlagSet, rest []string) error {
	switch {
	case len(rest) != 2:
		return usagef("compare: wanted two weights files, found %s", count(len(rest), "argument"))
	case f.format != "text" && f.format != "json":
		return usagef("compare: --format is %q; wanted text or json", f.format)
	}
	f.weights, f.weightsB = rest[0], rest[1]
	if err := f.netFlags.check("compare", nil); err != nil {
		return err
	}
	for _, path := range rest {
		if strings.Contains(path, ",") {
			return usagef("compare: %s: wanted one file each for A and B, without a comma in its name", path)
		}
	}
	if f.sparse {
		f.forwardOnly(fs)
	}
	return nil
}

// side are the flags of A or B.
func (f *compareFlags) side(i int) *netFlags {
	one := f.netFlags
	if i == 1 {
		one.weights = f.weightsB
		if f.modelB != "" {
			one.model = f.modelB
		}
	}
	return &one
}

// comparedWeights are two weights files, and what was found of them.
type comparedWeights struct {
	sides  [2]comparedSide
	random bool // inputs are random numbers: accuracies and losses mean nothing
	batch  int  // images
	layers []compare.Layer
}

// comparedSide is one of the files.
type comparedSide struct {
	path, model string
	bytes       int64 // on disk
	weights     *ship.Weights
	net         *model.Net
	notices     []string
	macs        ship.MACs
	result      *solver.TestResult
	times       model.ForwardTimes
	prepared    bool // Pass of times is that of passes which leave zeros out
	products    []model.PreparedProduct
}

// read reads both files, and what export would make of them.
func (c *comparedWeights) read(f *compareFlags) error {
	for i := range c.sides {
		s, flags := &c.sides[i], f.side(i)
		s.path, s.model = flags.weights, flags.model
		w, err := caffe.ReadNet(s.path)
		if err != nil {
			return err
		}
		if st, err := os.Stat(s.path); err == nil {
			s.bytes = st.Size()
		}
		if _, _, err = model.ApplyMasks(w); err == nil {
			s.weights, err = ship.Of(w)
		}
		if err != nil {
			return &caffe.FileError{Path: s.path, Msg: err.Error(), Err: err}
		}
	}
	return nil
}

// build builds a net for each, on one device: each reads the data from its start, and draws the same random numbers.
func (c *comparedWeights) build(e *env, f *compareFlags, d *gpu.Device) error {
	said := map[string]bool{}
	for i := range c.sides {
		s := &c.sides[i]
		n, notices, err := f.side(i).build(d)
		if err != nil {
			if i == 1 && f.modelB == "" {
				err = fmt.Errorf("%w; where B is of another net, --model-b names that", err)
			}
			return errors.Join(err, c.close())
		}
		if n.FillInputLayers() && f.input.Inputs == nil {
			notices = append(notices, randomInputs)
			c.random = true
		}
		s.net, s.notices = n, notices
		for _, text := range notices {
			if !said[text] {
				escape.Fprintf(e.stderr, "dns-tui: %s\n", text)
			}
			said[text] = true
		}
	}
	c.random = c.random || f.input.Inputs != nil
	c.batch = c.sides[0].net.BatchSize()
	return nil
}

func (c *comparedWeights) close() error {
	var errs []error
	for i := range c.sides {
		if n := c.sides[i].net; n != nil {
			errs = append(errs, n.Close())
		}
	}
	return errors.Join(errs...)
}

// measure tests both nets, compares their weights, and takes times.
func (c *comparedWeights) measure(ctx context.Context, e *env, f *compareFlags, d *gpu.Device) error {
	done := 0
	progress := newBar(e, "batches", len(c.sides)*f.iterations)
	defer progress.end()
	stop := func() bool {
		progress.step(done)
		done++
		return ctx.Err() != nil
	}
	if f.sparse && !c.prepare() {
		return usagef("compare: --sparse is for the CPU, and this is the %s; wanted --device host", d.Name())
	}
	for i := range c.sides {
		s := &c.sides[i]
		var err error
		if s.result, err = solver.Evaluate(s.net, f.iterations, stop); err != nil {
			if errors.Is(err, model.ErrStopped) {
				return err
			}
			return fmt.Errorf("%s: %w", s.path, err)
		}
	}
	progress.end()
	c.layers = compare.Layers(c.sides[0].net, c.sides[1].net)
	if !f.sparse {
		c.prepare()
	}
	return c.time(ctx, e, f.iterations)
}

// prepare makes nets leave zeros out, where their device does.
func (c *comparedWeights) prepare() bool {
	for i := range c.sides {
		c.sides[i].prepared = c.sides[i].net.Prepare()
	}
	return c.sides[0].prepared && c.sides[1].prepared
}

// time takes the times of passes, and counts multiply-accumulates.
func (c *comparedWeights) time(ctx context.Context, e *env, passes int) error {
	nets := make([]*model.Net, len(c.sides))
	for i := range c.sides {
		s := &c.sides[i]
		nets[i] = s.net
		s.macs = ship.MACsOf(ship.Entries(s.net.Prunable(), func(p *layer.Param) []float32 {
			v := make([]float32, p.Data.N)
			s.net.Device().Download(v, p.Forward())
			return v
		}))
	}
	times, err := timePasses(ctx, e, passes, func(passes int, stop func() bool) ([]model.ForwardTimes, error) {
		return model.TimePasses(nets, passes, stop)
	})
	if err != nil {
		return err
	}
	for i := range c.sides {
		c.sides[i].times, c.sides[i].products = times[i], c.sides[i].net.Prepared()
	}
	return nil
}

// comparedOutput is a number that a test gives; nil where the net has no such output.
type comparedOutput struct {
	model.Output
	values [2]*float64
}

// outputs pairs those of A and B by the names of their blobs, and their places in these. On random data accuracies and
// losses are left out, and counted.
func (c *comparedWeights) outputs() (out []comparedOutput, leftOut int) {
	type place struct {
		blob string
		n    int
	}
	at := map[place]int{}
	for i := range c.sides {
		seen := map[string]int{}
		for _, o := range c.sides[i].result.Outputs {
			p := place{o.Name, seen[o.Name]}
			seen[o.Name]++
			if c.random && (o.Type == "Accuracy" || o.LossWeight != 0 || strings.HasSuffix(o.Type, "Loss")) {
				leftOut++
				continue
			}
			k, ok := at[p]
			if !ok {
				k = len(out)
				at[p], out = k, append(out, comparedOutput{Output: o})
			}
			out[k].values[i] = &o.Value
		}
	}
	return out, leftOut
}
