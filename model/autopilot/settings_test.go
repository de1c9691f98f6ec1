package autopilot

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
)

// everyOption is a solver's message with all options.
const everyOption = `autopilot_param {
  target: "310x"
  layers: "conv1"
  layers: "ip1"
  layers: "ip 2"
  exclude: "left"
  limit {
    name: "conv1"
    floor: "5"
    ceiling: "20%"
  }
  limit {
    name: "ip 2"
    pin: true
  }
  scale: LAMP
  schedule: CYCLIC
  start_iter: 0
  end_iter: 18000
  interval: 10
  start_kept: "20x"
  anneal_iter: 12000
  cycles: 3
  rule: SOFT
  exponent: inf
  theta: 0.5
  theta_every: 2
  accuracy_drop: 0.25
  loss_factor: 4
  retries: 5
}
`

var everySetting = Settings{
	Target: Target{Times, 310}, Layers: []string{"conv1", "ip1", "ip 2"}, Exclude: []string{"left"},
	Limits: []LayerLimits{
		{Name: "conv1", Floor: Amount{true, false, 5}, Ceiling: Amount{true, true, 20}},
		{Name: "ip 2", Pinned: true},
	},
	Scale: LAMPScale, Shape: CyclicShape, Start: 0, End: 18000, Interval: 10, StartKept: Target{Times, 20},
	Anneal: 12000, Cycles: 3, Rule: SoftRule, Exponent: config.Never, Theta: 0.5, ThetaEvery: 2, AccuracyDrop: 0.25,
	LossFactor: 4, Retries: 5,
}

// All options are read from a solver's text, and written to it and to its binary form.
func TestSettingsInFiles(t *testing.T) {
	p := &caffepb.SolverParameter{}
	if err := caffe.ParsePrototxt("s", []byte(everyOption), p); err != nil {
		t.Fatal(err)
	}
	s, faults := FromProto(p.AutopilotParam)
	if faults != nil {
		t.Fatal(faults)
	}
	if d := cmp.Diff(everySetting, s); d != "" {
		t.Error(d)
	}
	text := caffe.FormatPrototxt(&caffepb.SolverParameter{AutopilotParam: s.Proto()})
	if want := strings.Replace(everyOption, "  rule: SOFT\n", "", 1); text != want { // which is the default
		t.Error(cmp.Diff(want, text))
	}
	data, err := proto.Marshal(s.Proto())
	if err != nil {
		t.Fatal(err)
	}
	q := &caffepb.AutopilotParameter{}
	if err := proto.Unmarshal(data, q); err != nil {
		t.Fatal(err)
	}
	if again, faults := FromProto(q); faults != nil || !reflect.DeepEqual(again, s) {
		t.Errorf("in binary form: %v, %s", faults, cmp.Diff(s, again))
	}
	if n := proto.Size(DefaultSettings().Proto()); n != 0 {
		t.Errorf("defaults take %d bytes", n)
	}
	// Every field of the message is an option, or one of a limit.
	fields := (&caffepb.AutopilotParameter{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		name := string(fields.Get(i).Name())
		if _, err := FindOption(name); (err == nil) != (name != "limit") {
			t.Errorf("field %s: %v", name, err)
		}
		if !proto.Equal(s.Proto(), p.AutopilotParam) && !p.AutopilotParam.ProtoReflect().Has(fields.Get(i)) {
			t.Errorf("the test sets no %s", name)
		}
	}
}

// Each fault of a solver's file is told with its line, as other faults of the solver are.
func TestFaultsInFiles(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`target: "1x"`, `2: autopilot_param: target "1x" prunes nothing; wanted more than 1x`},
		{"target: \"20x\"\n  interval: 0", "3: autopilot_param: interval is 0, wanted at least 1"},
		{"start_iter: -1", "2: autopilot_param: start_iter is -1; leave it out to have it derived"},
		{"start_iter: -7", "2: autopilot_param: start_iter is -7, wanted at least 0"},
		{"start_iter: 10\n end_iter: 10", "3: autopilot_param: end_iter is 10, and start_iter 10; wanted more"},
		{"cycles: 3",
			"2: autopilot_param: cycles is 3, and schedule log, which has none; wanted auto, or schedule cyclic"},
		{"schedule: ONE_SHOT start_kept: \"20x\"",
			"2: autopilot_param: start_kept is 20x, and schedule one_shot, which begins at the target; wanted auto"},
		{"rule: PAPER\ntheta: 0.5", "3: autopilot_param: theta is set, and rule is paper; it is of the soft rule"},
		{"exponent: 0.5", "2: autopilot_param: exponent is 0.5, wanted 1 to 100, or inf"},
		{"theta: nan", "2: autopilot_param: theta is NaN, wanted 0 to 100"},
		{"accuracy_drop: 2", "2: autopilot_param: accuracy_drop is 2, wanted 0 to 1"},
		{"loss_factor: 0.5", "2: autopilot_param: loss_factor is 0.5, wanted 1 to 1e+06, or 0"},
		{"retries: -1", "2: autopilot_param: retries is -1, wanted 0 to 100"},
		{"layers: \"a\"\nexclude: \"a\"", "3: autopilot_param: exclude names a, which is in layers too"},
		{"layers: \"a\"\nlayers: \"a\"", "2: autopilot_param: layers names a twice"},
		{"limit { name: \"a\" floor: \"1\" }\nlimit { name: \"b\"\nfloor: \"x\" }",
			`4: autopilot_param: floor "x" is not a number of entries, such as 100, or a part of the layer's, ` +
				`such as 2%`},
		{"limit { name: \"a\" floor: \"1\" }\nlimit { name: \"a\" ceiling: \"5\" }",
			"3: autopilot_param: ceiling of a is set in another limit already"},
		{"exclude: \"a\"\nlimit { name: \"a\" pin: true }",
			"3: autopilot_param: pin of a is set, and the layer is excluded"},
		{"layers: \"a\"\nlimit { name: \"b\" floor: \"2\" }",
			"3: autopilot_param: floor of b is set, and the layer is not among those of the target"},
		{"limit { name: \"a\" pin: true floor: \"2\" }",
			"2: autopilot_param: pin of a is set, and a floor or a ceiling, which a pinned layer does not go by"},
		{"limit { name: \"a\" floor: \"20%\" ceiling: \"10%\" }",
			"2: autopilot_param: floor of a is 20%, more than the ceiling of 10%"},
		{"limit { name: \"a\" ceiling: \"0\" }",
			"2: autopilot_param: ceiling of a is 0; wanted more, or the layer excluded"},
		// These are the text parser's own.
		{"scale: LOUD", "2: autopilot_param: scale: LOUD; wanted one of MAGNITUDE, SIGMA, LAMP, POSITIONS"},
		{"targets: \"20x\"", `2: unknown field "targets" in AutopilotParameter; did you mean "target"?`},
	} {
		path := filepath.Join(t.TempDir(), "solver.prototxt")
		if err := os.WriteFile(path, []byte("autopilot_param {\n"+c.text+"\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		run := &config.Run{SolverPath: path, Solver: &caffepb.SolverParameter{}}
		err := caffe.ReadPrototxt(path, run.Solver)
		if err == nil {
			_, err = FromSolver(run)
		}
		if err == nil || err.Error() != path+":"+c.want {
			t.Errorf("%s:\n%v, wanted\n%s:%s", c.text, err, path, c.want)
		}
	}
	if s, err := FromSolver(&config.Run{Solver: &caffepb.SolverParameter{}}); err != nil ||
		!reflect.DeepEqual(s, DefaultSettings()) {
		t.Errorf("a solver without autopilot_param: %+v, %v", s, err)
	}
}

// What an option prints sets it, also from what other settings are.
func TestOptionsRoundTrip(t *testing.T) {
	for _, o := range Options {
		text := o.Text(everySetting)
		if text == o.Text(DefaultSettings()) && o.Name != "rule" && o.Name != "start_iter" {
			t.Errorf("%s is %s in both", o.Name, text)
		}
		e, err := ParseSetting(o.Name, text)
		if err != nil || e.Value != text {
			t.Errorf("%s %s reads as %+v, %v", o.Name, text, e, err)
		}
	}
	s, err := DefaultSettings().With(DefaultSettings().Differences(everySetting)...)
	if err != nil || !reflect.DeepEqual(s, everySetting) {
		t.Errorf("%v, %s", err, cmp.Diff(everySetting, s))
	}
	if s, err := everySetting.With(everySetting.Differences(DefaultSettings())...); err != nil ||
		!reflect.DeepEqual(s.Proto(), DefaultSettings().Proto()) {
		t.Errorf("back: %v, %+v", err, s)
	}
}

// Differences lead from any settings to any others.
func TestDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) Settings {
			s := DefaultSettings()
			for _, name := range []string{"a", "a=1", "b c", "d"} {
				l := LayerLimits{Name: name}
				switch rapid.IntRange(0, 3).Draw(t, label+name) {
				case 0:
					l.Floor = Amount{Set: true, Value: float64(rapid.IntRange(0, 5).Draw(t, "floor"))}
				case 1:
					l.Ceiling = Amount{true, true, float64(rapid.IntRange(50, 52).Draw(t, "ceiling"))}
				case 2:
					l.Pinned = true
				case 3:
					continue
				}
				s.Limits = append(s.Limits, l)
			}
			s.Shape = rapid.SampledFrom(Shapes).Draw(t, "shape")
			if s.Shape == CyclicShape && rapid.Bool().Draw(t, "cycles") {
				s.Cycles = 3
			}
			return s
		}
		was, want := draw("was"), draw("want")
		got, err := was.With(was.Differences(want)...)
		byName := func(a, b LayerLimits) int { return strings.Compare(a.Name, b.Name) }
		slices.SortFunc(got.Limits, byName)
		slices.SortFunc(want.Limits, byName)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %v, %s", was.Differences(want), err, cmp.Diff(want, got))
		}
	})
}

func TestOptionsRoundTripNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := DefaultSettings()
		for _, name := range rapid.SliceOfDistinct(rapid.OneOf(rapid.StringN(1, -1, 8),
			rapid.SampledFrom([]string{"all", "none", "a b", "a,b", `q"`, "x=1", "auto", "inception/1x1"})),
			rapid.ID[string]).Draw(t, "names") {
			a := Amount{Set: true, Percent: rapid.Bool().Draw(t, "percent")}
			a.Value = float64(rapid.IntRange(0, 100).Draw(t, "value"))
			s.Limits = append(s.Limits, LayerLimits{Name: name, Floor: a})
			s.Layers = append(s.Layers, name)
		}
		for _, name := range []string{"layers", "floor"} {
			o, _ := FindOption(name)
			e, err := ParseSetting(name, o.Text(s))
			if err != nil {
				t.Fatal(err)
			}
			got, err := DefaultSettings().With(e)
			if name == "floor" { // the layers are not named by the target
				if err != nil || !reflect.DeepEqual(got.Limits, s.Limits) {
					t.Errorf("%s: %v, %s", e, err, cmp.Diff(s.Limits, got.Limits))
				}
			} else if err != nil || !reflect.DeepEqual(got.Layers, s.Layers) {
				t.Errorf("%s: %v, %s", e, err, cmp.Diff(s.Layers, got.Layers))
			}
		}
	})
}

func TestParseSetting(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"target", "310X", "target 310x"},
		{"target", "none", "target none"},
		{"TARGET", "95%", "target 95% sparsity"},
		{"scale", "LAMP", "scale lamp"},
		{"schedule", "one-shot", "schedule one_shot"},
		{"schedule", "ONE_SHOT", "schedule one_shot"},
		{"end-iter", "100", "end_iter 100"},
		{"end_iter", "auto", "end_iter auto"},
		{"layers", "conv1,conv2  ip1", "layers conv1 conv2 ip1"},
		{"layers", "all", "layers all"},
		{"layers", `"all"`, `layers "all"`},
		{"exclude", `"odd name"`, `exclude "odd name"`},
		{"floor", "conv1=10,ip1=auto", "floor conv1=10 ip1=auto"},
		{"floor", "none", "floor none"},
		{"pin", "conv1", "pin conv1"},
		{"exponent", "inf", "exponent inf"},
		{"exponent", "1e30", "exponent inf"},
		{"theta", "0.1", "theta 0.1"},
		{"accuracy_drop", "5%", "accuracy_drop 0.05"},
		{"target", "20", "target 20 kept"},
		{"targt", "20x", `the autopilot has no option "targt"; did you mean "target"?`},
		{"qwertyuiop", "red", `the autopilot has no option "qwertyuiop" (there are: target, layers,`},
		{"end_iter", "soon", `end_iter: "soon" is not a whole number`},
		{"end_iter", "-3", `end_iter: "-3" is not a whole number`},
		{"theta", "-1", `theta: "-1" is not a number from 0 on`},
		{"theta", "nan", `theta: "nan" is not a number from 0 on`},
		{"scale", "lamb", `scale: no scale "lamb"; did you mean "lamp"?`},
		{"schedule", "fast", `schedule: no schedule "fast" (there are: log, cubic, linear, one_shot, cyclic)`},
		{"floor", "conv1", "floor: conv1 has no amount; wanted conv1=100 or conv1=2%"},
		{"floor", "conv1=200%", `floor: "200%" is out of range`},
		{"floor", "conv1=1.5", `floor: "1.5" is not a whole number`},
		{"layers", "", "layers: no name; wanted names of layers, or all"},
		{"layers", `"conv1`, "a quotation mark without its other"},
		{"retries", "auto", `retries: "auto" is not a whole number`},
	} {
		e, err := ParseSetting(c.name, c.value)
		got := e.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) && (err == nil || !strings.Contains(got, c.want)) ||
			err == nil && got != c.want {
			t.Errorf("%s %s: %q, wanted %q", c.name, c.value, got, c.want)
		}
	}
}

// Floors are set for the layers that are named; settings that contradict each other are refused, and nothing is set.
func TestWith(t *testing.T) {
	s := DefaultSettings()
	for _, c := range []struct{ settings, want string }{
		{"target 20x", ""},
		{"floor conv1=10 ip1=5%", ""},
		{"floor ip1=auto conv2=7", ""},
		{"ceiling conv2=90", ""},
		{"floor conv2=91", "floor of conv2 is 91, more than the ceiling of 90"},
		{"pin conv2", "pin of conv2 is set, and a floor or a ceiling"},
		{"pin ip2", ""},
		{"cycles 3", "cycles is 3, and schedule log"},
		{"cycles 3; schedule cyclic", ""},
		{"schedule cubic", "cycles is 3, and schedule cubic, which has none; wanted auto"},
		{"schedule cubic; cycles auto", ""},
	} {
		var edits []Setting
		for text := range strings.SplitSeq(c.settings, "; ") {
			name, value, _ := strings.Cut(text, " ")
			e, err := ParseSetting(name, value)
			if err != nil {
				t.Fatal(err)
			}
			edits = append(edits, e)
		}
		before := s
		next, err := s.With(edits...)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, wanted %q", c.settings, err, c.want)
		}
		if !reflect.DeepEqual(s, before) {
			t.Errorf("%s: changed in place", c.settings)
		}
		if err == nil {
			s = next
		}
	}
	var got []string
	for _, e := range DefaultSettings().Differences(s) {
		got = append(got, e.String())
	}
	want := []string{"target 20x", "floor conv1=10 conv2=7", "ceiling conv2=90", "pin ip2", "schedule cubic"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestOptionsSayWhatTheyDo(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range Options {
		if o.Doc == "" || o.Form == "" || o.Default == "" || seen[o.Flag()] || strings.Contains(o.Flag(), "_") ||
			strings.HasSuffix(o.Doc, ".") {
			t.Errorf("%+v", o)
		}
		seen[o.Flag()] = true
	}
	for i := range Scales {
		if Scales[i] != Scale(i) || Scales[i].Meaning() == "" ||
			strings.ToUpper(Scales[i].String()) != caffepb.AutopilotParameter_Scale(i).String() {
			t.Errorf("scale %d is %s", i, Scales[i])
		}
	}
	for i := range Shapes {
		if Shapes[i] != Shape(i) || Shapes[i].Meaning() == "" ||
			strings.ToUpper(Shapes[i].String()) != caffepb.AutopilotParameter_Shape(i).String() {
			t.Errorf("schedule %d is %s", i, Shapes[i])
		}
	}
	for i, name := range ruleNames {
		if strings.ToUpper(name) != caffepb.AutopilotParameter_Rule(i).String() {
			t.Errorf("rule %d is %s", i, name)
		}
		if r := Rule(i).Of(gpu.PaperRule); name != "own" && config.RuleName(r) != name ||
			name == "own" && r != gpu.PaperRule {
			t.Errorf("%s is %s of a layer under the paper rule", name, config.RuleName(r))
		}
	}
}

// docs/autopilot.md has the table of options, an example that holds, and what is derived.
func TestDocument(t *testing.T) {
	data, err := os.ReadFile("../../docs/autopilot.md")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for _, o := range Options {
		table.WriteString("| `" + o.Name + "` | " + o.Form + " | " + o.Default + " | " + o.Doc + " |\n")
	}
	if !strings.Contains(string(data), "| --- | --- | --- | --- |\n"+table.String()+"\n") {
		t.Errorf("docs/autopilot.md has another table of options than\n%s", &table)
	}
	_, example, _ := strings.Cut(string(data), "\n    autopilot_param {\n")
	example, _, _ = strings.Cut(example, "\n    }\n")
	p := &caffepb.AutopilotParameter{}
	if err := caffe.ParsePrototxt("docs/autopilot.md", []byte(example), p); err != nil {
		t.Error(err)
	}
	if s, faults := FromProto(p); faults != nil || s.Target.Unit != Times {
		t.Errorf("the example of docs/autopilot.md is %+v, %v", s, faults)
	}
	s := DefaultSettings()
	s.Target = Target{Times, 20}
	net := slices.Clone(nets["lenet5"])
	for i := range net {
		net[i].Kept = net[i].Total
	}
	d, err := s.Descend(Facts{MaxIter: 30000, Trained: true, BaseLR: 0.01, Policy: "fixed", Rate: rates["fixed"]}, net)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range d.Derived {
		if !strings.Contains(string(data), "\n    "+v.String()+"\n") {
			t.Errorf("docs/autopilot.md lacks %q", v)
		}
	}
}

// ParseSetting takes any text without a panic, and what it takes can be set, or contradicts the rest.
func FuzzParseSetting(f *testing.F) {
	for i, o := range Options {
		f.Add(i, o.Text(everySetting))
		f.Add(i, o.Default)
	}
	f.Fuzz(func(t *testing.T, option int, value string) {
		o := Options[uint(option)%uint(len(Options))]
		e, err := ParseSetting(o.Name, value)
		if err != nil {
			return
		}
		again, err := ParseSetting(e.Name, e.Value)
		if err != nil || again != e {
			t.Errorf("%s %q reads as %+v, and that as %+v, %v", o.Name, value, e, again, err)
		}
		if s, err := DefaultSettings().With(e); err == nil {
			if back, faults := FromProto(s.Proto()); faults != nil || !reflect.DeepEqual(back, s) {
				t.Errorf("%s: in a file it is not the same: %v, %s", e, faults, cmp.Diff(s, back))
			}
		}
	})
}
