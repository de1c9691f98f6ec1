package config

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

// The table of the re-implementation's documentation is that of the normal distribution, to its two decimals.
func TestSigmaTable(t *testing.T) {
	for _, row := range SigmaTable {
		if got := GaussianSparsity(row.Threshold); math.Abs(got-row.Sparsity) > 0.005 {
			t.Errorf("within %g sigma lie %g, the table says %g", row.Threshold, got, row.Sparsity)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(0, 4).Draw(t, "t")
		if back := GaussianThreshold(GaussianSparsity(v)); math.Abs(back-v) > 1e-6 {
			t.Fatalf("GaussianThreshold(GaussianSparsity(%g)) = %g", v, back)
		}
	})
	if GaussianSparsity(-1) != 0 {
		t.Error("a negative threshold prunes something")
	}
}

func hyper() *Hyper {
	return &Hyper{BaseLR: 0.01, LRMult: 1, Momentum: 0.9, Stop: Never, Layers: []LayerHyper{
		{
			Name:      "conv1",
			Threshold: 0.6,
			Prune:     true,
		}, {Name: "block.ip", Rule: gpu.PaperRule, Threshold: -0.5, Power: 1, Stop: 100}}}
}

// set applies an edit as it is typed.
func set(h *Hyper, field, value string) (changed *Hyper, old string, err error) {
	e, err := h.Parse(field, value)
	if err != nil {
		return nil, "", err
	}
	changed, done, err := h.Apply(e)
	if err != nil {
		return nil, "", err
	}
	return changed, done[0].Back().Text(), nil
}

func TestSet(t *testing.T) {
	for _, c := range []struct{ field, value, old, err string }{
		{"lr_mult", "0.5", "1", ""},
		{"conv1.threshold", "1.281", "0.6", ""},
		{"conv1.prune", "off", "on", ""},
		{"conv1.frozen", "true", "off", ""},
		{"block.ip.c_rate", "-2", "-0.5", ""},
		{"block.ip.stop", "50", "100", ""},
		{"stop", "1000", "never", ""},
		{"stop", "0", "never", ""},
		{"stop", "-1", "never", ""},
		{"block.ip.stop", "never", "100", ""},
		{"block.ip.stop", "0", "100", ""},
		{"block.ip.stop", "-1", "", "block.ip.stop is -1, wanted an iteration from 0, or never"},
		{"block.ip.iter_stop", "50", "100", ""},
		{"surgery_stop_iter", "1000", "never", ""},
		{"surgery_iter_gamma", "-1", "", "gamma is -1, wanted 0 to"},
		{"conv1.iter_stop", "1", "", `no setting "conv1.iter_stop"`},
		{"block.ip.threshold", "1", "", `no setting "block.ip.threshold"`},
		{"conv1.c_rate", "1", "", `no setting "conv1.c_rate"`},
		{"conv1.gamma", "1", "", `no setting "conv1.gamma"`},
		{"momentun", "1", "", `did you mean "momentum"?`},
		{"conv2.threshold", "1", "", `no layer "conv2" that can be pruned; did you mean "conv1"?`},
		{"lr_mult", "fast", "", `"fast" is not a number`},
		{"lr_mult", "NaN", "", "wanted 0 to"},
		{"conv1.prune", "maybe", "", "neither on nor off"},
		{"stop", "1.5", "", "not a whole number"},
		{"momentum", "1.01", "", "momentum is 1.01, wanted 0 to 1"},
		{"conv1.threshold", "-0.1", "", "conv1.threshold is -0.1, wanted 0 to 100"},
	} {
		h := hyper()
		changed, old, err := set(h, c.field, c.value)
		if d := cmp.Diff(hyper(), h); d != "" {
			t.Errorf("Set(%s, %s) changed its receiver: %s", c.field, c.value, d)
		}
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || changed != nil {
				t.Errorf("Set(%s, %s): %v, wanted %q", c.field, c.value, err, c.err)
			}
			continue
		}
		if err != nil || old != c.old {
			t.Errorf("Set(%s, %s): old %q, %v; wanted %q", c.field, c.value, old, err, c.old)
			continue
		}
		again, _, err := set(changed, c.field, old)
		if d := cmp.Diff(h, again); d != "" || err != nil {
			t.Errorf("Set(%s) and back: %s %v", c.field, d, err)
		}
	}
}

func TestEveryFieldHasAMeaning(t *testing.T) {
	h := hyper()
	for _, f := range h.Fields() {
		if n := utf8.RuneCountInString(f.Meaning()); n == 0 || n > 77 {
			t.Errorf(
				"the meaning of %s, %q, has %d characters; wanted 1 to 77, so that 80 columns show it",
				f,
				f.Meaning(),
				n,
			)
		}
	}
	meaning := func(field string) string {
		f, err := h.ParseField(field)
		if err != nil {
			return ""
		}
		return f.Meaning()
	}
	if got, want := meaning("conv1.t"), meaning("conv1.threshold"); got != want || want == "" {
		t.Errorf("the meaning of conv1.t is %q, wanted that of conv1.threshold, %q", got, want)
	}
	if got := meaning("momentun"); got != "" {
		t.Errorf("an unknown field means %q", got)
	}
}

// Whatever is typed, Set gives a valid value or a reason, and never both.
func TestSetNeverBreaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := hyper()
		field := rapid.OneOf(rapid.SampledFrom(names(h)), rapid.String()).Draw(t, "field")
		value := rapid.OneOf(
			rapid.String(), rapid.Map(rapid.Float64(), func(f float64) string { return fmt.Sprint(f) }),
		).
			Draw(t, "value")
		c, _, err := set(h, field, value)
		if (c == nil) == (err == nil) {
			t.Fatalf("Set(%q, %q) gives %v and %v", field, value, c, err)
		}
		if c != nil && c.Validate() != nil {
			t.Fatalf("Set(%q, %q) is not valid: %v", field, value, c.Validate())
		}
	})
}

// names are the names of all fields.
func names(h *Hyper) []string {
	var out []string
	for _, f := range h.Fields() {
		out = append(out, f.String())
	}
	return out
}

// What an edit prints parses to the same edit, of any layer, and so does what a journal has of it.
func TestEditPrintsAndParses(t *testing.T) {
	h := hyper()
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(h.Fields()).Draw(t, "field")
		v := rapid.Float64Range(0, 1e6).Draw(t, "value")
		if f.IsSwitch() {
			v = float64(rapid.IntRange(0, 1).Draw(t, "switch"))
		} else if f.Param == Rule {
			v = float64(rapid.SampledFrom([]gpu.Rule{gpu.SeedRule, gpu.PaperRule, gpu.SoftRule}).Draw(t, "rule"))
		} else if !f.IsNumber() {
			v = float64(rapid.IntRange(1, Never).Draw(t, "iteration"))
		}
		e := Edit{f, v}
		for _, name := range []string{f.String(), f.Recorded(), f.InFiles()} {
			if got, err := h.Parse(name, e.Text()); err != nil || got != e {
				t.Fatalf("%s %s parses to %v, %v; wanted %v", name, e.Text(), got, err, e)
			}
			if got, err := Parse(name, e.Text()); err != nil || got != e {
				t.Fatalf("without settings, %s %s parses to %v, %v; wanted %v", name, e.Text(), got, err, e)
			}
		}
		changed, done, err := h.Apply(e)
		if err != nil {
			return // out of range
		}
		back, again, err := changed.Apply(done[0].Back().Edit)
		if err != nil || !back.Equal(h) || again[0] != done[0].Back() {
			t.Fatalf("%v and back gives %v, %v", done, again, err)
		}
	})
}

// Of several edits that do not hold together, none is applied; those that hold together only as a whole all are.
func TestApplyIsAllOrNone(t *testing.T) {
	h := hyper()
	good, bad := Edit{Field{Param: LRMult}, 2}, Edit{Field{Param: Momentum}, 2}
	if c, done, err := h.Apply(good, bad); err == nil || c != nil || done != nil {
		t.Errorf("%v, %v, %v; wanted a reason alone", c, done, err)
	}
	mend := Edit{Field{Param: Momentum}, 0.5}
	c, done, err := h.Apply(good, bad, mend)
	if err != nil || c.LRMult != 2 || c.Momentum != 0.5 || done[2].Old != 2 {
		t.Errorf("%+v, %v, %v", c, done, err)
	}
}

func TestEveryFieldIsListed(t *testing.T) {
	for _, f := range hyper().Fields() {
		if _, err := hyper().Get(f); err != nil {
			t.Error(err)
		}
	}
}

func TestSolverType(t *testing.T) {
	for text, want := range map[string]string{
		"": "SGD", "type: 'Adam'": "Adam", "solver_type: NESTEROV": "Nesterov",
		"solver_type: ADADELTA type: 'SGD'": "SGD",
	} {
		s := &caffepb.SolverParameter{}
		if err := caffe.ParsePrototxt("s", []byte(text), s); err != nil {
			t.Fatal(err)
		}
		if got := caffe.SolverName(s); got != want {
			t.Errorf("%q is a solver of type %s, wanted %s", text, got, want)
		}
	}
}

// What a prototxt's numbers mean: the authors' layers are operated on while iteration < iter_stop; the
// re-implementation reads surgery_stop_iter and ignores it.
func TestStops(t *testing.T) {
	for stop, want := range map[float32]int{
		10000: 10000, 1: 1, 0.5: 1, 7999.5: 8000, 0: 0, -1: 0, float32(math.Inf(1)): Never,
		float32(math.Inf(-1)): 0, 1e20: Never, 2147483648: Never,
	} {
		if got := IterStop(stop); got != want {
			t.Errorf("iter_stop %g is %d, wanted %d", stop, got, want)
		}
	}
	for stop, want := range map[int]int{0: Never, -1: Never, 1: 1, 6000: 6000} {
		if got := SurgeryStop(stop); got != want {
			t.Errorf("surgery_stop_iter %d is %d, wanted %d", stop, got, want)
		}
	}
}

// What would be refused live is refused when the solver is read, with file and line.
func TestSolverFaults(t *testing.T) {
	dir := t.TempDir()
	net := filepath.Join(dir, "n.prototxt")
	if err := os.WriteFile(net, []byte("name: \"n\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, want string }{
		{"momentum: 1.01", "s.prototxt:3: momentum is 1.01, wanted 0 to 1"},
		{"momentum: 0.9\nweight_decay: -0.1", "s.prototxt:4: weight_decay is -0.1, wanted 0 to"},
		{"surgery_iter_gamma: -1", "s.prototxt:3: surgery_iter_gamma is -1, wanted 0 to"},
		{"surgery_iter_power: nan", "s.prototxt:3: surgery_iter_power is NaN, wanted 0 to"},
		{
			"lr_policy: 'sigmoid' stepsize: 5\ngamma: -0.1",
			"s.prototxt:4: gamma is -0.1; lr_policy \"sigmoid\" wants at least 0",
		},
		{"lr_policy: 'exp' gamma: -0.1", "gamma is -0.1; lr_policy \"exp\" wants at least 0"},
		{"average_loss: 0\niter_size: 0", "s.prototxt:4: iter_size is 0; wanted at least 1"},
		{"type: 'Adm'", "s.prototxt:3: unknown solver type \"Adm\"; did you mean \"Adam\"?"},
		{"\nlr_policy: 'step'", "s.prototxt:4: lr_policy \"step\" wants a stepsize above 0"},
		{"lr_policy: 'poly' gamma: -0.1", ""}, // poly has none
		{"surgery_stop_iter: -1", ""},
		{"surgery_stop_iter: 0", ""},
	} {
		path := filepath.Join(dir, "s.prototxt")
		policy := "lr_policy: \"fixed\""
		if strings.Contains(c.text, "lr_policy") {
			policy = ""
		}
		text := fmt.Sprintf("net: %q\nbase_lr: 0.1 %s max_iter: 1\n%s\n", net, policy, c.text)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := LoadSolver(path)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, wanted %q", c.text, err, c.want)
		}
	}
}

// A layer is found as quickly among many, and what is read from a file or over a socket is found so too.
func TestLayerIndex(t *testing.T) {
	h := &Hyper{Stop: Never}
	for i := range 1000 {
		h.Layers = append(h.Layers, LayerHyper{Name: fmt.Sprint("l", i), Threshold: 1, SoftHyper: DefaultSoft})
	}
	h.Index()
	changed, _, err := set(h, "l500.threshold", "3")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(changed)
	if err != nil {
		t.Fatal(err)
	}
	read := &Hyper{}
	if err := json.Unmarshal(data, read); err != nil || !read.Equal(changed) || read.Equal(h) {
		t.Fatalf("%v: not what was written", err)
	}
	for _, h := range []*Hyper{h, changed, read} {
		if len(h.index) != 1000 || h.Layer("l999") != &h.Layers[999] || h.Layer("x") != nil {
			t.Error("no index")
		}
	}
}
