package caffe

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"dns-tui/caffe/caffepb"
)

// What editors leave in a text.
func TestEncodings(t *testing.T) {
	layer := "layer { name: \"a\" type: \"ReLU\" }\n"
	for _, c := range []struct{ name, text, want string }{
		{"mark in front", "\ufeff" + layer, ""},
		{"GBK in a comment", "# \xbe\xed\xbb\xfd\xb2\xe3\n" + layer, ""},
		{"Latin-1 in a comment behind a field", layer + "force_backward: true # r\xe9seau\n", ""},
		{"a string with #, // and a quote", `layer { name: "a#b//c'" type: 'ReLU' } # // "` + "\n", ""},
		{
			"a comment of C++",
			"\n// about\n" + layer,
			`n.prototxt:2: "//" does not begin a comment in a prototxt; wanted "#"`,
		},
		{
			"a comment behind a field",
			layer + "force_backward: true // yes\n",
			`n.prototxt:2: "//" does not begin a comment`,
		},
		{"a comment of C", layer + "/* about */\n", `n.prototxt:2: "/*" does not begin a comment`},
		{"UTF-16", "\xff\xfel\x00a\x00", "n.prototxt:1: is text in UTF-16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := ParseNetPrototxt("n.prototxt", []byte(c.text))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "" && len(f.Net.Layer) != 1:
				t.Errorf("%d layers", len(f.Net.Layer))
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v\nwanted %s", err, c.want)
			}
		})
	}
	// A name in another encoding keeps its bytes: it is a path on a disk of that encoding.
	s := &caffepb.SolverParameter{}
	if err := ParsePrototxt("s", []byte("net: \"\xca\xfd\xbe\xdd/n.prototxt\""), s); err != nil ||
		s.GetNet() != "\xca\xfd\xbe\xdd/n.prototxt" {
		t.Errorf("%q, %v", s.GetNet(), err)
	}
}

// All that is wrong with a file is told at once, in the order of its lines.
func TestAllFaultsAtOnce(t *testing.T) {
	text := `name: "n"
// a comment
layer { name: "a" type: "Convolution" convolution_param { num_output: x kernal_size: 3 } }
layer { name: "b" type: "Pooling" pooling_param { pool: MEDIAN stride: -1 } }
layer {
  name: "c" name: "d"
  botom: "x"
}
`
	err := ParsePrototxt("n", []byte(text), &caffepb.NetParameter{})
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	want := []string{
		`n:2: "//"`,
		`n:3: convolution_param: num_output: x is not a uint32`,
		`n:3: unknown field "kernal_size"`,
		`n:4: pooling_param: pool: MEDIAN`,
		`n:4: pooling_param: stride: -1 is not a uint32; wanted at least 0`,
		`n:6: `,
		`n:7: unknown field "botom"`,
	}
	if len(faults) != len(want) {
		t.Fatalf("%d faults, wanted %d:\n%v", len(faults), len(want), err)
	}
	for i := range want {
		if !strings.HasPrefix(faults[i].Error(), want[i]) {
			t.Errorf("fault %d: %v, wanted %s", i, faults[i], want[i])
		}
	}
	same, other := strings.Repeat("nonsense: 1\n", 100), ""
	for i := range 100 {
		other += fmt.Sprintf("nonsense%d: 1\n", i)
	}
	for _, c := range []struct {
		text string
		told int
		end  string
	}{
		{same, 1, `n:1: unknown field "nonsense" in NetParameter (also in line 2, 3, 4 and 96 more)`},
		{"wrong: 1\nfalse: 2\nwrong: 1", 2, `(also in line 3)` + "\n" + `n:2: unknown field "false" in NetParameter`},
		{other, fewFaults, `unknown field "nonsense4" in NetParameter (and 95 more faults)`},
	} {
		err := ParsePrototxt("n", []byte(c.text), &caffepb.NetParameter{})
		if CountFaults(err) != c.told || !strings.HasSuffix(err.Error(), c.end) {
			t.Errorf("%d faults told: %v, wanted %d, and at the end %s", CountFaults(err), err, c.told, c.end)
		}
	}
}

// What forks say in their way is brought to Caffe's, and told; what contradicts itself is refused.
func TestForksWords(t *testing.T) {
	for _, c := range []struct{ name, text, want, layer string }{
		{"ceil_mode", `type: "Pooling"
pooling_param { kernel_size: 2 ceil_mode: false }`,
			"1 layers of another fork: ceil_mode: false, now round_mode: FLOOR", "round_mode: FLOOR"},
		{"ceil_mode true", `type: "Pooling"
pooling_param { kernel_size: 2 ceil_mode: true }`, "ceil_mode: true, now round_mode: CEIL", "round_mode: CEIL"},
		{"both", `type: "Pooling"
pooling_param { kernel_size: 2 ceil_mode: true round_mode: FLOOR }`, "contradict", ""},
		{"even pads", `type: "Pooling"
pooling_param { kernel_size: 2 pad_l: 1 pad_r: 1 }`, "now pad_h, pad_w", "pad_w: 1"},
		{"pads of two kinds", `type: "Convolution"
convolution_param { num_output: 1 kernel_size: 2 pad: 1 pad_l: 1 }`, "are mutually exclusive", ""},
		{"depthwise", `type: "ConvolutionDepthwise"
convolution_param { num_output: 8 kernel_size: 3 }`, "ConvolutionDepthwise, now Convolution", "group: 8"},
		{"depthwise with a group", `type: "DepthwiseConvolution"
convolution_param { num_output: 8 kernel_size: 3 group: 4 }`, "now Convolution", "group: 4"},
		{"DNS", `type: "DNSConvolution"
dns_convolution_param { c_rate: -0.7 }`, "DNSConvolution, now CConvolution", "c_rate: -0.7"},
		{"DNS by its defaults", `type: "DNSInnerProduct"
inner_product_param { num_output: 2 }`,
			"DNSInnerProduct, now CInnerProduct, which prunes below 0.9", "iter_stop: 1e+06"},
		{
			"DNS convolution by its defaults",
			`type: "DNSConvolution"`,
			"DNSConvolution, now CConvolution",
			"iter_stop: 1e+07",
		},
		{"DNS by other numbers", `type: "DNSConvolution"
dns_convolution_param { alpha_low: 0.95 }`, "alpha_low is 0.95", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := ParseNetPrototxt("n", []byte(`layer { name: "l" `+c.text+` }`))
			if c.layer == "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `layer "l"`) {
					t.Errorf("%v, wanted %s", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if did := strings.Join(f.Upgraded, "; "); !strings.Contains(did, c.want) {
				t.Errorf("told %q, wanted %s", did, c.want)
			}
			if text := FormatPrototxt(f.Net); !strings.Contains(text, c.layer) {
				t.Errorf("%s\nwanted %s", text, c.layer)
			}
		})
	}
}
