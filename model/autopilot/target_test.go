package autopilot

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseTarget(t *testing.T) {
	for _, c := range []struct {
		text   string
		want   Target
		prints string
	}{
		{"310x", Target{Times, 310}, "310x"},
		{"310X", Target{Times, 310}, "310x"},
		{" 1.5 × ", Target{Times, 1.5}, "1.5x"},
		{"20x smaller", Target{Times, 20}, "20x"},
		{"20 times", Target{Times, 20}, "20x"},
		{"0.9%", Target{KeptPercent, 0.9}, "0.9% kept"},
		{"49.9 %", Target{KeptPercent, 49.9}, "49.9% kept"},
		{"50%", Target{SparsityPercent, 50}, "50% sparsity"},
		{"95%", Target{SparsityPercent, 95}, "95% sparsity"},
		{"95% sparsity", Target{SparsityPercent, 95}, "95% sparsity"},
		{"20% Sparsity", Target{SparsityPercent, 20}, "20% sparsity"},
		{"5% kept", Target{KeptPercent, 5}, "5% kept"},
		{"80%kept", Target{KeptPercent, 80}, "80% kept"},
		{"1389", Target{KeptEntries, 1389}, "1389 kept"},
		{"1,389 kept", Target{KeptEntries, 1389}, "1389 kept"},
		{"25,000,000", Target{KeptEntries, 25e6}, "25000000 kept"},
		{"20KB", Target{FileSize, 20000}, "20KB"},
		{"20kb", Target{FileSize, 20000}, "20KB"},
		{"20KiB", Target{FileSize, 20480}, "20KiB"},
		{"20000B", Target{FileSize, 20000}, "20KB"},
		{"20001 bytes", Target{FileSize, 20001}, "20.001KB"},
		{"1.5MiB", Target{FileSize, 1572864}, "1.5MiB"},
		{"1.5MB", Target{FileSize, 1.5e6}, "1.5MB"},
		{"999B", Target{FileSize, 999}, "999B"},
		{"50MMAC", Target{MultiplyAdds, 50e6}, "50MMAC"},
		{"50M MAC", Target{MultiplyAdds, 50e6}, "50MMAC"},
		{"0.3 gmacs", Target{MultiplyAdds, 300e6}, "300MMAC"},
		{"12345678 MAC", Target{MultiplyAdds, 12345678}, "12345.678KMAC"},
	} {
		got, err := ParseTarget(c.text)
		if err != nil || got != c.want || got.String() != c.prints {
			t.Errorf("%q is %+v, printed %q, %v; wanted %+v, %q", c.text, got, got, err, c.want, c.prints)
		}
	}
}

func TestParseTargetRefuses(t *testing.T) {
	for text, why := range map[string]string{
		"":            `"" is no target; wanted 310x`,
		"x":           `"x" is no target`,
		"0":           `"0" is nothing; wanted at least 1`,
		"0x":          `"0x" prunes nothing; wanted more than 1x`,
		"1x":          `"1x" prunes nothing; wanted more than 1x`,
		"0.5x":        "prunes nothing",
		"-3":          `"-3" is negative; wanted 310x`,
		"-20x":        "is negative",
		"NaN":         "is no target",
		"infx":        "is no target",
		"0%":          `"0%" keeps nothing; wanted more than 0%`,
		"0% kept":     "keeps nothing",
		"0% sparsity": "prunes nothing",
		"100%":        `"100%" keeps nothing; wanted less than 100%`,
		"101%":        `"101%" keeps nothing; wanted less than 100%`,
		"100% kept":   "prunes nothing",
		"1e3":         "is no target",
		"12.5":        `"12.5" is not a whole number`,
		"1.5B":        "is not a whole number",
		"0.0001KB":    "is nothing",
		"20M":         `"20M" has no unit that a target may have; wanted 310x`,
		"5 parsecs":   "has no unit",
		"1,38":        "is no target",

		"99999999999999999":      "is more than any net has",
		"99999999999999999x":     "keeps nothing",
		strings.Repeat("9", 400): "is out of range",
	} {
		if got, err := ParseTarget(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q is %+v, %v; wanted an error with %q", text, got, err, why)
		}
	}
}

func drawTarget(t *rapid.T) Target {
	switch unit := rapid.SampledFrom([]Unit{Times, KeptPercent, SparsityPercent, KeptEntries, FileSize,
		MultiplyAdds}).Draw(t, "unit"); unit {
	case Times:
		return Target{unit, rapid.Float64Range(1.0000001, 1e9).Draw(t, "times")}
	case KeptPercent, SparsityPercent:
		return Target{unit, rapid.Float64Range(1e-9, 99.9999999).Draw(t, "percent")}
	default:
		v := rapid.OneOf(rapid.Int64Range(1, 1e4), rapid.Int64Range(1, mostCounted)).Draw(t, "count")
		each := rapid.SampledFrom([]int64{1, 1000, 1024, 1e6, 1 << 20}).Draw(t, "each")
		if v > mostCounted/each {
			each = 1
		}
		return Target{unit, float64(v * each)}
	}
}

// What String prints, ParseTarget reads.
func TestTargetRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawTarget(t)
		if err := want.Validate(); err != nil {
			t.Fatal(err)
		}
		if got, err := ParseTarget(want.String()); err != nil || got != want {
			t.Errorf("%+v prints %q, which reads as %+v, %v", want, want, got, err)
		}
	})
}

func FuzzParseTarget(f *testing.F) {
	for _, text := range []string{"310x", "0.9%", "95% sparsity", "1,389", "20KiB", "50M MAC", ".5%", "1.x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseTarget(text)
		if err != nil {
			return
		}
		if again, err := ParseTarget(got.String()); err != nil || again != got || got.Validate() != nil {
			t.Errorf("%q is %+v, printed %q, which reads as %+v, %v", text, got, got, again, err)
		}
		_, _ = got.Long(0), got.Long(1000)
	})
}

func TestTargetLong(t *testing.T) {
	for _, c := range []struct {
		text  string
		total int
		want  string
	}{
		{"95%", 0, "95% sparsity (5% kept, 20x)"},
		{"95%", 431080, "95% sparsity (5% kept, 20x, 21,554 of 431,080)"},
		{"310x", 0, "310x (99.677% sparsity, 0.323% kept)"},
		{"0.9%", 1000, "0.9% kept (99.1% sparsity, 111.1x, 9 of 1,000)"},
		{"1389", 431080, "1389 kept (99.678% sparsity, 0.322% kept, 310.4x)"},
		{"1389", 0, "1389 kept"},
		{"20KB", 431080, "20KB"},
	} {
		target, err := ParseTarget(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := target.Long(c.total); got != c.want {
			t.Errorf("%s of %d is %q, wanted %q", c.text, c.total, got, c.want)
		}
	}
}

func TestBudget(t *testing.T) {
	layers := []Layer{
		{Name: "conv", Total: 520, Positions: 576},
		{Name: "ip", Total: 400000},
		{Name: "out", Total: 30560},
		{Name: "left", Total: 1e6, Limits: Limits{Excluded: true}},
	} // 431,080 entries, 730,080 multiply-accumulates
	for _, c := range []struct{ text, want string }{
		{"310x", "1,390 entries"}, // 310.13 times, at least 310
		{"0.9%", "3,879 entries"},
		{"95%", "21,554 entries"},
		{"431079", "431,079 entries"},
		{"1389", "1,389 entries"},
		{"20KiB", "20.0 KiB"},
		{"365KMAC", "365 KMAC"},
		{"431080", "target 431080 kept: the layers have 431,080 entries, and nothing would be pruned"},
		{"1.000001x", "431,079 entries"},
		{"500000x", "target 500000x: of 431,080 entries nothing would be left"},
		{"1GMAC", "target 1GMAC: the layers have 730 KMAC, and nothing would be pruned"},
		{"2MB", "target 2MB: the layers have 1.6 MiB, and nothing would be pruned"},
	} {
		target, err := ParseTarget(c.text)
		if err != nil {
			t.Fatal(err)
		}
		b, err := target.Budget(layers)
		got := b.String()
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, wanted %q", c.text, got, c.want)
		}
	}
	if _, err := (Target{}).Budget(layers); err == nil {
		t.Error("a budget of no target")
	}
}

// The estimate of the compact file comes close to what was measured of a pruned net (gaps and float32), and rises
// with what is kept.
func TestFileBytes(t *testing.T) {
	lenet5 := [][2]int{{500, 139}, {25000, 286}, {400000, 757}, {5000, 200}} // and 7 biases
	sum := 0.0
	for _, l := range lenet5 {
		sum += FileBytes(l[0], l[1])
	}
	if file := 6905.0; sum < 0.95*file || sum > 1.05*file {
		t.Errorf("LeNet-5 at 310x: %.0f bytes; the real file has %.0f", sum, file)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1e7).Draw(t, "n")
		k := rapid.IntRange(0, n-1).Draw(t, "k")
		if a, b := FileBytes(n, k), FileBytes(n, k+1); b <= a && FileBytes(n, k) < tableBytes+valueBytes*float64(n) ||
			b < a {
			t.Errorf("of %d entries %d take %g bytes, and one more %g", n, k, a, b)
		}
	})
}
