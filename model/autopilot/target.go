package autopilot

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"dns-tui/human"
)

// Unit is what a target is measured in.
type Unit uint8

// The units. Those of parts, Times, KeptPercent and SparsityPercent, are of all entries under the masks: weights, and
// biases where the rule prunes them.
const (
	NoTarget        Unit = iota
	Times                // all entries are so many times the kept ones
	KeptPercent          // kept entries, of a hundred
	SparsityPercent      // pruned entries, of a hundred
	KeptEntries          // kept entries
	FileSize             // bytes of the compact file: see FileBytes
	MultiplyAdds         // multiply-accumulates of a pass, for one image
)

// Target is what a net is to be pruned to. The zero value is none.
type Target struct {
	Unit  Unit
	Value float64 // as it is typed: 310 of 310x, 0.9 of 0.9 %, 20000 of 20KB; whole where it counts something
}

// TargetForms is how ParseTarget reads targets.
const TargetForms = "310x, 0.9% (kept), 95% (sparsity), 1389 (kept), 20KB or 50MMAC"

// mostCounted bounds what targets count: float64 holds each whole number up to it.
const mostCounted = 1 << 53

var (
	reTarget = regexp.MustCompile(`^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(\D*)$`)
	reCommas = regexp.MustCompile(`^[0-9]{1,3}(,[0-9]{3})+(\.|\D|$)`)
)

// countUnits are the units of what is counted, in small letters, and what each stands for.
var countUnits = map[string]struct {
	unit Unit
	each float64
}{
	"": {KeptEntries, 1}, "kept": {KeptEntries, 1},
	"b": {FileSize, 1}, "bytes": {FileSize, 1}, "kb": {FileSize, 1e3}, "mb": {FileSize, 1e6}, "gb": {FileSize, 1e9},
	"kib": {FileSize, 1 << 10}, "mib": {FileSize, 1 << 20}, "gib": {FileSize, 1 << 30},
	"mac": {MultiplyAdds, 1}, "kmac": {MultiplyAdds, 1e3}, "mmac": {MultiplyAdds, 1e6}, "gmac": {MultiplyAdds, 1e9},
	"macs": {MultiplyAdds, 1}, "kmacs": {MultiplyAdds, 1e3}, "mmacs": {MultiplyAdds, 1e6}, "gmacs": {MultiplyAdds, 1e9},
}

// ParseTarget reads a target: "310x" (times smaller), "0.9%" (below 50 % what is kept, from there on sparsity), "5%
// kept", "95% sparsity", "1389" (entries kept), "20KB", "20KiB", "20000B" (bytes of the compact file), "50MMAC"
// (multiply-accumulates). Units may be written large or small. It is an error where no net can be pruned to it; whether
// this net can, Target.Budget says.
func ParseTarget(text string) (Target, error) {
	bad := func(format string, args ...any) (Target, error) {
		return Target{}, fmt.Errorf("%q %s", text, fmt.Sprintf(format, args...))
	}
	s := strings.TrimSpace(text)
	if reCommas.MatchString(s) {
		s = strings.ReplaceAll(s, ",", "")
	}
	m := reTarget.FindStringSubmatch(s)
	if m == nil {
		if strings.HasPrefix(s, "-") {
			return bad("is negative; wanted %s", TargetForms)
		}
		return bad("is no target; wanted %s", TargetForms)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return bad("is out of range")
	}
	t := Target{Value: v}
	switch unit := strings.ToLower(strings.Join(strings.Fields(m[2]), "")); unit {
	case "x", "×", "times", "xsmaller", "×smaller", "timessmaller":
		t.Unit = Times
	case "%":
		if t.Unit = KeptPercent; v >= 50 {
			t.Unit = SparsityPercent
		}
	case "%kept":
		t.Unit = KeptPercent
	case "%sparsity":
		t.Unit = SparsityPercent
	default:
		u, ok := countUnits[unit]
		if !ok {
			return bad("has no unit that a target may have; wanted %s", TargetForms)
		}
		t.Unit, t.Value = u.unit, v*u.each
		if u.each > 1 {
			t.Value = math.Round(t.Value)
		}
	}
	if why := t.fault(); why != "" {
		return bad("%s", why)
	}
	return t, nil
}

// Validate reports a target that no net can be pruned to.
func (t Target) Validate() error {
	switch why := t.fault(); {
	case t.Unit == NoTarget:
		return fmt.Errorf("no target; wanted %s", TargetForms)
	case why != "":
		return fmt.Errorf("target %s %s", t, why)
	}
	return nil
}

// fault says what is wrong with the target; "" where nothing is.
func (t Target) fault() string {
	const none, all = "keeps nothing", "prunes nothing"
	switch v := t.Value; t.Unit {
	case Times:
		switch {
		case !(v > 1):
			return all + "; wanted more than 1x"
		case v > mostCounted:
			return none
		}
	case KeptPercent:
		switch {
		case !(v > 0):
			return none + "; wanted more than 0%"
		case v >= 100:
			return all + "; wanted less than 100%"
		}
	case SparsityPercent:
		switch {
		case !(v > 0):
			return all + "; wanted more than 0%"
		case v >= 100:
			return none + "; wanted less than 100%"
		}
	default:
		switch {
		case !(v >= 1):
			return "is nothing; wanted at least 1"
		case v != math.Trunc(v):
			return "is not a whole number"
		case v > mostCounted:
			return "is more than any net has"
		}
	}
	return ""
}

// String is the target as ParseTarget reads it: "310x", "0.9% kept", "95% sparsity", "1389 kept", "20KB", "50MMAC"; ""
// of none.
func (t Target) String() string {
	switch t.Unit {
	case Times:
		return number(t.Value) + "x"
	case KeptPercent:
		return number(t.Value) + "% kept"
	case SparsityPercent:
		return number(t.Value) + "% sparsity"
	case KeptEntries:
		return number(t.Value) + " kept"
	case FileSize:
		if v := t.Value; math.Mod(v, 1<<10) == 0 && math.Mod(v, 1e3) != 0 {
			return prefixed(v, 1<<10, "B", "KiB", "MiB", "GiB")
		}
		return prefixed(t.Value, 1e3, "B", "KB", "MB", "GB")
	case MultiplyAdds:
		return prefixed(t.Value, 1e3, "MAC", "KMAC", "MMAC", "GMAC")
	}
	return ""
}

// Long is the target with what it means otherwise, where a part is wanted: "95% sparsity (5% kept, 20x)". total is the
// number of entries, or 0 where it is not known.
func (t Target) Long(total int) string {
	kept := 0.0 // of 1
	switch t.Unit {
	case Times:
		kept = 1 / t.Value
	case KeptPercent:
		kept = t.Value / 100
	case SparsityPercent:
		kept = (100 - t.Value) / 100
	case KeptEntries:
		if total > 0 {
			kept = t.Value / float64(total)
		}
	}
	if kept <= 0 || kept >= 1 {
		return t.String()
	}
	k, s := percents(kept)
	var also []string
	if t.Unit != SparsityPercent {
		also = append(also, s+" sparsity")
	}
	if t.Unit != KeptPercent {
		also = append(also, k+" kept")
	}
	if t.Unit != Times {
		also = append(also, strconv.FormatFloat(1/kept, 'g', 4, 64)+"x")
	}
	if total > 0 && t.Unit != KeptEntries {
		n := wholeEntries(float64(total) * kept)
		also = append(also, fmt.Sprintf("%s of %s", human.Count(n), human.Count(total)))
	}
	return t.String() + " (" + strings.Join(also, ", ") + ")"
}

// percents prints a fraction and what is left of it, of a hundred, with as many decimals as tell the smaller one.
func percents(kept float64) (k, s string) {
	small := 100 * min(kept, 1-kept)
	decimals := max(0, min(2-int(math.Floor(math.Log10(small))), 6))
	format := func(v float64) string {
		text := strconv.FormatFloat(v, 'f', decimals, 64)
		if strings.Contains(text, ".") {
			text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
		}
		return text + "%"
	}
	return format(100 * kept), format(100 - 100*kept)
}

// number prints a number so that it reads back as it is, without an exponent.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// prefixed prints a whole number with the largest of units, each base times the one before, that it takes at most
// three decimals of.
func prefixed(v, base float64, units ...string) string {
	for i := len(units) - 1; i > 0; i-- {
		each := math.Pow(base, float64(i))
		text := number(v / each)
		_, decimals, _ := strings.Cut(text, ".")
		if back, err := strconv.ParseFloat(text, 64); v >= each && len(decimals) <= 3 && err == nil &&
			math.Round(back*each) == v {
			return text + units[i]
		}
	}
	return number(v) + units[0]
}

// wholeEntries is how many entries a part comes to: no more than it, but for rounding.
func wholeEntries(n float64) int { return int(math.Floor(n * (1 + 1e-12))) }
