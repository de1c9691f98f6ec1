package autopilot

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dns-tui/caffe"
	"dns-tui/config"
)

// Option is one thing that can be set of the autopilot: in autopilot_param of a solver, by a flag, and live. The
// table of them, Options, is what files, flags, commands, forms and documents go by.
type Option struct {
	Name    string // in files and commands: end_iter
	Form    string // what is typed: "iteration"
	Default string // where nobody sets it
	Doc     string // what it does, in a line

	parse func(s *Settings, text string) error
	text  func(s *Settings) string
	// merges: it is set for the layers that a text names, and stays as it is for the others.
	merges   bool
	ofLayers bool     // a value is a list of layers
	words    []string // that a value may be
}

// Completions are the words that a value may be, or may be made of, in a net of such layers.
func (o Option) Completions(layers []string) []string {
	var out []string
	if o.ofLayers {
		for _, name := range layers {
			if name = quote(name); o.merges {
				name += "="
			}
			out = append(out, name)
		}
	}
	return append(out, o.words...)
}

// Flag is the option's name on a command line: target, target-end-iter.
func (o Option) Flag() string {
	if o.Name == "target" {
		return o.Name
	}
	return "target-" + strings.ReplaceAll(o.Name, "_", "-")
}

// What stands for a value that is derived, and for lists.
const (
	autoText = "auto"
	noneText = "none"
	allText  = "all"
)

// Options lists the options, in the order in which people think of them.
var Options = []Option{
	{
		Name: "target", Form: TargetForms, Default: noneText,
		Doc:   "what to prune to: times smaller, a part, kept entries, bytes of the compact file, multiply-accumulates",
		parse: func(s *Settings, text string) error { return parseTarget(&s.Target, text, noneText) },
		text:  func(s *Settings) string { return targetText(s.Target, noneText) },
	},
	{
		Name: "layers", Form: "names", Default: allText, Doc: "the layers that the target is of",
		ofLayers: true, words: []string{allText},
		parse: func(s *Settings, text string) error { return parseNames(&s.Layers, text, allText) },
		text:  func(s *Settings) string { return namesText(s.Layers, allText) },
	},
	{
		Name: "exclude", Form: "names", Default: noneText, Doc: "layers that are neither pruned nor counted",
		ofLayers: true, words: []string{noneText},
		parse: func(s *Settings, text string) error { return parseNames(&s.Exclude, text, noneText) },
		text:  func(s *Settings) string { return namesText(s.Exclude, noneText) },
	},
	{
		Name: "floor", Form: "layer=entries, or layer=part%", Default: "1 in each layer",
		Doc: "what a layer keeps at least; 0 lets it be emptied",
		parse: func(s *Settings, text string) error {
			return s.parseAmounts(text, func(l *LayerLimits) *Amount { return &l.Floor })
		},
		merges: true, ofLayers: true, words: []string{noneText},
		text: func(s *Settings) string { return s.amountsText(func(l *LayerLimits) *Amount { return &l.Floor }) },
	},
	{
		Name: "ceiling", Form: "layer=entries, or layer=part%", Default: noneText, Doc: "what a layer keeps at most",
		parse: func(s *Settings, text string) error {
			return s.parseAmounts(text, func(l *LayerLimits) *Amount { return &l.Ceiling })
		},
		merges: true, ofLayers: true, words: []string{noneText},
		text: func(s *Settings) string { return s.amountsText(func(l *LayerLimits) *Amount { return &l.Ceiling }) },
	},
	{
		Name: "pin", Form: "names", Default: noneText,
		Doc:      "layers whose threshold stays as it is; what they keep is counted",
		ofLayers: true, words: []string{noneText},
		parse: (*Settings).parsePins,
		text:  (*Settings).pinsText,
	},
	scaleOption(),
	named("schedule", "how the descent leads from start_kept to the target", shapeNames,
		func(s *Settings) *Shape { return &s.Shape }),
	whole("start_iter", "iteration", "now; a fifth of the run where weights start random",
		"when the first surgery comes", func(s *Settings) *int { return &s.Start }),
	whole("end_iter", "iteration", "60 % of the run", "when the last surgery comes, which keeps what the target says",
		func(s *Settings) *int { return &s.End }),
	whole("interval", "iterations", "20; 100 under the seed and the paper rule; at most a 50th of the descent",
		"how many iterations lie between two surgeries", func(s *Settings) *int { return &s.Interval }),
	{
		Name: "start_kept", Form: TargetForms, words: []string{autoText},
		Default: "the square root of the target's times, at most 20x",
		Doc:     "what the first surgery leaves",
		parse:   func(s *Settings, text string) error { return parseTarget(&s.StartKept, text, autoText) },
		text:    func(s *Settings) string { return targetText(s.StartKept, autoText) },
	},
	whole("anneal_iter", "iterations", "from end_iter to the end of the run",
		"in how many iterations after end_iter the learning rate falls to 0; 0 leaves it as it is",
		func(s *Settings) *int { return &s.Anneal }),
	whole(
		"cycles",
		"teeth",
		strconv.Itoa(defaultCycles),
		"of the cyclic schedule",
		func(s *Settings) *int { return &s.Cycles },
	),
	named("rule", "by which surgery rule layers are pruned; own is each by its own", ruleNames,
		func(s *Settings) *Rule { return &s.Rule }),
	decimal("exponent", "1 to 100, or inf", "3", "p of the soft rule",
		func(s *Settings) *float64 { return &s.Exponent }),
	decimal("theta", "0 to 100", "1 with convolutions, 0.5 without",
		"times the gradient of pruned weights, in one of theta_every iterations",
		func(s *Settings) *float64 { return &s.Theta }),
	whole("theta_every", "iterations", "5 with convolutions, 1 without",
		"theta holds in one of so many iterations; pruned weights rest in the others",
		func(s *Settings) *int { return &s.ThetaEvery }),
	fraction(
		"accuracy_drop",
		"fraction, or %",
		"a descent goes back where test accuracy falls by so much; 0 does not look",
		func(s *Settings) *float64 { return &s.AccuracyDrop },
	),
	fraction(
		"loss_factor",
		"times",
		"a descent goes back where the smoothed loss is so many times what it was; 0 does not look",
		func(s *Settings) *float64 { return &s.LossFactor },
	),
	{
		Name: "retries", Form: "times", Default: strconv.Itoa(defaults.Retries),
		Doc: "how often a descent goes back and halves its pace before it stays paused",
		parse: func(s *Settings, text string) (err error) {
			s.Retries, err = parseWhole(text)
			return err
		},
		text: func(s *Settings) string { return strconv.Itoa(s.Retries) },
	},
}

var defaults = DefaultSettings()

// isOption has the names of the options, as they may be typed.
var isOption = map[string]bool{}

func init() {
	for _, o := range Options {
		isOption[o.Name], isOption[strings.ReplaceAll(o.Name, "_", "-")] = true, true
	}
}

// FindOption returns an option by its name, with - as good as _.
func FindOption(name string) (Option, error) {
	word := strings.ReplaceAll(strings.ToLower(name), "-", "_")
	names := optionNames()
	for _, o := range Options {
		if o.Name == word {
			return o, nil
		}
	}
	if c := caffe.Closest(word, names); c != "" {
		return Option{}, fmt.Errorf("the autopilot has no option %q; did you mean %q?", name, c)
	}
	return Option{}, fmt.Errorf("the autopilot has no option %q (there are: %s)", name, strings.Join(names, ", "))
}

// Text is the option's value as it is typed.
func (o Option) Text(s Settings) string { return o.text(&s) }

// Setting sets one option. Value is as it is typed, in one form for one value.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// String is the setting as it is typed.
func (e Setting) String() string { return e.Name + " " + e.Value }

// ParseSetting reads a value of an option. Whether it goes with the others, Settings.With says.
func ParseSetting(name, value string) (Setting, error) {
	o, err := FindOption(name)
	if err != nil {
		return Setting{}, err
	}
	s := DefaultSettings()
	if err := o.parse(&s, value); err != nil {
		return Setting{}, fmt.Errorf("%s: %w", o.Name, err)
	}
	if o.merges { // conv1=auto is nothing to what is not set yet
		list, _ := words(value)
		return Setting{o.Name, strings.Join(list, " ")}, nil
	}
	return Setting{o.Name, o.text(&s)}, nil
}

// With returns a copy with options set, all or none. It is an error where one cannot be read, or the whole would not
// be valid. floor and ceiling set those of the layers that they name, and leave the others'; "none" takes all of them
// back, "conv1=auto" one.
func (s Settings) With(edits ...Setting) (Settings, error) {
	s.Layers, s.Exclude, s.Limits = slices.Clone(s.Layers), slices.Clone(s.Exclude), slices.Clone(s.Limits)
	for _, e := range edits {
		o, err := FindOption(e.Name)
		if err != nil {
			return Settings{}, err
		}
		if err := o.parse(&s, e.Value); err != nil {
			return Settings{}, fmt.Errorf("%s: %w", o.Name, err)
		}
	}
	if err := s.Validate(); err != nil {
		return Settings{}, err
	}
	return s, nil
}

// Differences lists the settings that lead from s to another.
func (s Settings) Differences(to Settings) []Setting {
	var out []Setting
	for _, o := range Options {
		was, now := o.text(&s), o.text(&to)
		if was == now {
			continue
		}
		if o.merges && was != noneText && now != noneText {
			if now = amountsBetween(was, now); now == "" {
				continue // the same, in another order
			}
		}
		out = append(out, Setting{o.Name, now})
	}
	return out
}

// amountsBetween is what sets the amounts of one text where those of another hold.
func amountsBetween(was, now string) string {
	before, _ := words(was)
	after, _ := words(now)
	var out []string
	for _, word := range after {
		if !slices.Contains(before, word) {
			out = append(out, word)
		}
	}
	for _, word := range before {
		name := word[:strings.LastIndexByte(word, '=')+1]
		if !slices.ContainsFunc(after, func(w string) bool { return strings.HasPrefix(w, name) }) {
			out = append(out, name+autoText)
		}
	}
	return strings.Join(out, " ")
}

// named is an option whose values have names.
func named[T ~uint8](name, doc string, names []string, field func(*Settings) *T) Option {
	return Option{
		Name: name, Form: strings.Join(names, ", "), Default: names[*field(&defaults)], Doc: doc, words: names,
		parse: func(s *Settings, text string) error {
			i, err := parseName(names, text, name)
			*field(s) = T(i)
			return err
		},
		text: func(s *Settings) string { return nameOf(names, int(*field(s)), name) },
	}
}

// scaleOption is a scale, or automatic.
func scaleOption() Option {
	o := named("scale", "how entries of different layers compare", scaleNames,
		func(s *Settings) *Scale { return &s.Scale })
	o.Form = strings.Join(scaleNames[:AutoScale], ", ")
	o.Default = AutoScale.Meaning()
	return o
}

// whole is an option that is a whole number, or automatic.
func whole(name, form, standard, doc string, field func(*Settings) *int) Option {
	return Option{
		Name: name, Form: form, Default: standard, Doc: doc, words: []string{autoText},
		parse: func(s *Settings, text string) (err error) {
			if text == autoText {
				*field(s) = Auto
				return nil
			}
			*field(s), err = parseWhole(text)
			return err
		},
		text: func(s *Settings) string {
			if *field(s) == Auto {
				return autoText
			}
			return strconv.Itoa(*field(s))
		},
	}
}

func parseWhole(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 || n > mostIter {
		return 0, fmt.Errorf("%q is not a whole number from 0 to %d", text, mostIter)
	}
	return n, nil
}

// decimal is an option that is a number, or automatic.
func decimal(name, form, standard, doc string, field func(*Settings) *float64) Option {
	return Option{
		Name: name, Form: form, Default: standard, Doc: doc, words: []string{autoText},
		parse: func(s *Settings, text string) (err error) {
			if text == autoText {
				*field(s) = Auto
				return nil
			}
			*field(s), err = parseReal(text)
			if name == "exponent" {
				*field(s) = min(*field(s), config.Never)
			}
			return err
		},
		text: func(s *Settings) string {
			switch v := *field(s); v {
			case Auto:
				return autoText
			case config.Never:
				return "inf"
			default:
				return number(v)
			}
		},
	}
}

// fraction is an option that is a number, or a part in percent, and never automatic.
func fraction(name, form, doc string, field func(*Settings) *float64) Option {
	text := func(s *Settings) string { return number(*field(s)) }
	return Option{
		Name: name, Form: form, Default: text(&defaults), Doc: doc, text: text,
		parse: func(s *Settings, text string) (err error) {
			digits, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
			if *field(s), err = parseReal(digits); percent {
				*field(s) = caffe.Widen(float32(*field(s) / 100))
			}
			return err
		},
	}
}

// parseReal reads a number as files hold it: as a float32.
func parseReal(text string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 32)
	if err != nil || !(v >= 0) {
		return 0, fmt.Errorf("%q is not a number from 0 on", text)
	}
	return caffe.Widen(float32(v)), nil
}

func parseTarget(t *Target, text, none string) (err error) {
	if *t = (Target{}); text != none {
		*t, err = ParseTarget(text)
	}
	return err
}

func targetText(t Target, none string) string {
	if t.Unit == NoTarget {
		return none
	}
	return t.String()
}
