package tui

import (
	"errors"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"dns-tui/config"
	"dns-tui/human"
	"dns-tui/model/session"
)

// everyLayer stands for every layer that can be pruned, where no layer has that name.
const everyLayer = "all"

// Settings of a layer that are typed and are not fields: what its threshold is to come to.
const (
	sparsityWord = "sparsity"
	keptWord     = "kept"
)

// parseEdits reads a field and its value:
//
//	lr 0.001                 a setting of the run, or
//	conv2.threshold 1.6      of a layer, by our names or Caffe's
//	conv2.t 95%              the threshold that gives that sparsity
//	conv2.sparsity 95        the same
//	conv2.kept 1,200         the threshold that keeps so many weights
//	conv*.t 1.6, all.t 95%   of several layers, as one change
func parseEdits(run *session.Snapshot, field, value string) ([]config.Edit, error) {
	layer, name := splitField(field)
	names := matching(run, layer)
	if names == nil {
		e, err := parseEdit(run, layer, name, value)
		return []config.Edit{e}, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no layer that can be pruned is like %q", layer)
	}
	edits := make([]config.Edit, len(names))
	for i, n := range names {
		var err error
		if edits[i], err = parseEdit(run, n, name, value); err != nil {
			return nil, err
		}
	}
	return edits, nil
}

// splitField splits a field at its last dot: layers may have dots in their names.
func splitField(field string) (layer, name string) {
	if i := strings.LastIndexByte(field, '.'); i > 0 {
		return field[:i], field[i+1:]
	}
	return "", field
}

// matching are the layers that a pattern names; nil where it is none, but a name or nothing.
func matching(run *session.Snapshot, pattern string) []string {
	if pattern == "" || run.Hyper.Layer(pattern) != nil {
		return nil
	}
	if pattern == everyLayer {
		return append([]string{}, layerNames(run)...)
	}
	if !strings.ContainsAny(pattern, "*?[") {
		return nil
	}
	names := []string{}
	flat := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") } // * goes over the slashes of names
	for _, n := range layerNames(run) {
		if ok, err := path.Match(flat(pattern), flat(n)); ok && err == nil {
			names = append(names, n)
		}
	}
	return names
}

// parseEdit reads a setting of one layer, or of the run, and its value.
func parseEdit(run *session.Snapshot, layer, name, value string) (config.Edit, error) {
	field := name
	if layer != "" {
		field = layer + "." + name
	}
	if run.Layer(layer) == nil || name != sparsityWord && name != keptWord {
		f, err := run.Hyper.ParseField(field)
		if err != nil {
			return config.Edit{}, err
		}
		return parseValue(run, f, value)
	}
	f := config.Field{Layer: layer, Param: run.Hyper.Layer(layer).ThresholdParam()}
	var v float64
	var err error
	if name == keptWord {
		v, err = thresholdKeeping(run, f, value)
	} else {
		v, err = thresholdOf(run, f, strings.TrimSpace(strings.TrimSuffix(value, "%")))
	}
	return config.Edit{Field: f, Value: v}, err
}

// parseValue reads a value of a field; of a threshold "95%" is the one that gives that sparsity.
func parseValue(run *session.Snapshot, f config.Field, value string) (config.Edit, error) {
	if text, ok := strings.CutSuffix(strings.TrimSpace(value), "%"); ok {
		v, err := thresholdOf(run, f, strings.TrimSpace(text))
		return config.Edit{Field: f, Value: v}, err
	}
	v, err := f.ParseValue(value)
	return config.Edit{Field: f, Value: v}, err
}

// thresholdOf is the threshold that gives a sparsity in percent.
func thresholdOf(run *session.Snapshot, f config.Field, percent string) (float64, error) {
	l := run.Layer(f.Layer)
	v, err := strconv.ParseFloat(percent, 64)
	switch {
	case l == nil || !f.WaitsForSurgery():
		return 0, fmt.Errorf("%s: %s%% is a fraction; wanted a number", f, percent)
	case err != nil || !(v >= 0 && v <= 100):
		return 0, fmt.Errorf("%s: %q is not a sparsity; must be 0 to 100 %%", f, percent+"%")
	}
	return thresholdPruning(l, sparsely(v))
}

// sparsely is how many of a layer's entries a sparsity in percent prunes, keeping how many a number of kept ones does.
func sparsely(percent float64) func(total int) int {
	return func(total int) int { return int(math.Round(percent / 100 * float64(total))) }
}

func keeping(n int) func(total int) int { return func(total int) int { return total - n } }

// thresholdKeeping is the threshold that keeps so many weights of a layer.
func thresholdKeeping(run *session.Snapshot, f config.Field, text string) (float64, error) {
	l := run.Layer(f.Layer)
	plain := text
	if reGrouped.MatchString(text) {
		plain = strings.ReplaceAll(text, ",", "")
	}
	n, err := strconv.Atoi(plain)
	if err != nil || n < 0 || n > l.Weights {
		return 0, fmt.Errorf("%s: %q weights kept; must be 0 to %s", f.Layer, text, human.Count(l.Weights))
	}
	return thresholdPruning(l, keeping(n))
}

// thresholdPruning is the threshold, to three decimals, that prunes as many of a layer's entries as count says.
func thresholdPruning(l *session.LayerStats, count func(total int) int) (float64, error) {
	if l.Histogram == nil {
		return 0, fmt.Errorf("%s has not been measured yet", l.Name)
	}
	total := l.Histogram.Total()
	return math.Round(1000*l.Histogram.Threshold(clamp(count(total), total))) / 1000, nil
}

// errSeveral is the answer to a plan for several layers.
var errSeveral = errors.New("a plan is for one field; wanted a layer's name")
