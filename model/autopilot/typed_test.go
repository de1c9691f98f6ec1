package autopilot

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What is typed in a line is settings, or an error that says what is wrong.
func TestParseSettings(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"310x", "target 310x"},
		{"5 % kept", "target 5% kept"},
		{"1,389", "target 1389 kept"},
		{"target 400x", "target 400x"},
		{"target=400x, end_iter=20000", "target 400x; end_iter 20000"},
		{"end-iter 20000 scale LAMP", "end_iter 20000; scale lamp"},
		{"20x exclude conv1, conv2 floor ip1=100 ip2=2%", "target 20x; exclude conv1 conv2; floor ip1=100 ip2=2%"},
		{`pin "scale" conv1`, `pin "scale" conv1`},
		{`floor "scale"=3`, `floor "scale"=3`},
		{"pin none", "pin none"},
		{"schedule one shot", "schedule one_shot"},
		{"", "nothing typed; wanted a target"},
		{"1x", `target: "1x" prunes nothing`},
		{"-3", `target: "-3" is negative`},
		{"end_iter", "end_iter: no value; wanted iteration"},
		{"end_iter scale lamp", "end_iter: no value"},
		{"targt 20x", `did you mean "target"?`},
		{"bogus 3", `"bogus" is no target and no option`},
		{"scale lamb", `no scale "lamb"; did you mean "lamp"?`},
		{`pin "conv1`, "a quotation mark without its other"},
		{"floor conv1", "conv1 has no amount; wanted conv1=100 or conv1=2%"},
	} {
		list, err := ParseSettings(c.in)
		got := settingsLine(list, "; ")
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != c.want || err != nil && !strings.Contains(got, c.want) {
			t.Errorf("%q is %q, wanted %q", c.in, got, c.want)
		}
	}
}

func settingsLine(list []Setting, between string) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = e.String()
	}
	return strings.Join(texts, between)
}

// Settings that are printed, one behind the other, are read as they were.
func TestSettingsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"conv1", "a b", "scale", "x=y", "all", `"`})
		names := rapid.SliceOfNDistinct(name, 1, 3, rapid.ID).Draw(t, "names")
		s := DefaultSettings()
		s.Target = Target{Times, rapid.Float64Range(1.5, 500).Draw(t, "times")}
		s.End, s.Scale = rapid.IntRange(1, 30000).Draw(t, "end"), rapid.SampledFrom(Scales).Draw(t, "scale")
		s, err := s.Pin(names)
		if err != nil {
			t.Fatal(err)
		}
		want := DefaultSettings().Differences(s)
		got, err := ParseSettings(settingsLine(want, " "))
		if err != nil || settingsLine(got, "; ") != settingsLine(want, "; ") {
			t.Fatalf("%q is read as %q, %v", settingsLine(want, " "), settingsLine(got, "; "), err)
		}
	})
}

func TestShort(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{"conv1", "pin conv1"},
		{"a b c d", "pin a b c d"},
		{"a b c d e", "pin a b c and 2 more"},
	} {
		if got := (Setting{"pin", c.value}).Short(); got != c.want {
			t.Errorf("%q, wanted %q", got, c.want)
		}
	}
}

// A layer is taken out of a descent and put back, by pin and by exclude.
func TestTakeOutAndPutBack(t *testing.T) {
	s, err := DefaultSettings().With(Setting{"target", "20x"}, Setting{"floor", "conv1=5 ip1=2%"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		do   func(Settings) (Settings, error)
		want string
	}{
		{"pin", func(s Settings) (Settings, error) { return s.Pin([]string{"conv1"}) }, "floor conv1=auto; pin conv1"},
		{"unpin", func(s Settings) (Settings, error) { return s.Unpin("conv1") }, "pin none"},
		{"leave out", func(s Settings) (Settings, error) { return s.LeaveOut("ip1") }, "exclude ip1; floor none"},
		{"take in", func(s Settings) (Settings, error) { return s.TakeIn("ip1") }, "exclude none"},
		{"name one", func(s Settings) (Settings, error) { return s.With(Setting{"layers", "ip1"}) }, "layers ip1"},
		{"name another", func(s Settings) (Settings, error) { return s.TakeIn("ip2") }, "layers ip1 ip2"},
		{"leave it out", func(s Settings) (Settings, error) { return s.LeaveOut("ip1") }, "layers ip2"},
	} {
		next, err := c.do(s)
		if got := settingsLine(s.Differences(next), "; "); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; wanted %q", c.what, got, err, c.want)
		}
		s = next
	}
	if _, err := s.LeaveOut("ip2"); err == nil {
		t.Error("the last layer that layers names was left out")
	}
}
