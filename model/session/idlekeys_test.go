package session_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/config"
	"dns-tui/model/session"
)

// Keys about surgery that have no effect are told when a run starts; those that have one are not.
func TestIdleKeys(t *testing.T) {
	for _, c := range []struct{ name, solver, typ, text, want string }{
		{"all work", "surgery_iter_gamma: " +
			"0.1", "InnerProduct", "inner_product_param { num_output: 2 threshold: 1 weight_mask_filler { type: " +
			"\"constant\" value: 1 } } " +
			"param { lr_mult: 1 } param { lr_mult: 2 } param { lr_mult: 0 decay_mult: 0 }", ""},
		{
			"the authors' layer",
			"",
			"CInnerProduct",
			"inner_product_param { num_output: 2 } cinner_product_param { c_rate: 1 iter_stop: 0 weight_mask_filler " +
				"{ type: \"constant\" } }",
			"",
		},
		{"c_rate of a plain " +
			"layer", "", "InnerProduct", "inner_product_param { num_output: 2 } cinner_product_param { c_rate: 1 }",
			"layer ip: cconvolution_param and cinner_product_param have no effect without surgery_rule: PAPER"},
		{
			"c_rate with the rule",
			"",
			"InnerProduct",
			"surgery_rule: PAPER inner_product_param { num_output: 2 } cinner_product_param { c_rate: 1 }",
			"",
		},
		{
			"threshold of the authors' layer",
			"",
			"CInnerProduct",
			"inner_product_param { num_output: 2 threshold: 1 }",
			"layer ip: threshold has no effect under the paper rule",
		},
		{
			"sparsity_term of the authors' layer",
			"",
			"CInnerProduct",
			"inner_product_param { num_output: 2 sparsity_term: false }",
			"layer ip: sparsity_term has no effect",
		},
		{
			"a mask that starts at 0",
			"",
			"InnerProduct",
			"inner_product_param { num_output: 2 weight_mask_filler { type: \"constant\" value: 0 } }",
			"layer ip: a mask's filler has no effect",
		},
		{"a mask that is trained", "", "InnerProduct", "inner_product_param { num_output: 2 } param { lr_mult: 1 } " +
			"param { lr_mult: 1 } param { lr_mult: 1 }",
			"layer ip: lr_mult and decay_mult of a mask have no effect"},
		{"a mask without a " +
			"bias", "", "InnerProduct",
			"inner_product_param { num_output: 2 bias_term: false } param { lr_mult: 1 } param { decay_mult: 1 }",
			"layer ip: lr_mult and decay_mult of a mask have no effect"},
		{"the solver's, without a layer for " +
			"it", "surgery_stop_iter: 5 surgery_iter_power: 2", "CInnerProduct",
			"inner_product_param { num_output: 2 }",
			"surgery_stop_iter, surgery_iter_power of the solver has no effect"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			net, solver := filepath.Join(dir, "n.prototxt"), filepath.Join(dir, "s.prototxt")
			write := func(path, text string) {
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			write(
				net,
				fmt.Sprintf(
					"layer { name: \"in\" type: \"DummyData\" top: \"x\" dummy_data_param { shape { dim: 1 dim: 3 } "+
						"} }\n"+
						"layer { name: \"ip\" type: %q bottom: \"x\" top: \"y\" %s }\nlayer { name: \"loss\" type: "+
						"\"Reduction\" bottom: \"y\" top: \"l\" loss_weight: 1 }\n",
					c.typ,
					c.text,
				),
			)
			write(solver, fmt.Sprintf("net: %q base_lr: 0.1 lr_policy: \"fixed\" max_iter: 1 %s", net, c.solver))
			run, err := config.LoadSolver(solver)
			if err != nil {
				t.Fatal(err)
			}
			tr := startWith(t, run, 1, session.Options{})
			var said []string
			for _, e := range tr.Snapshot().Events {
				if strings.Contains(e.What.String(), "no effect") {
					said = append(said, e.What.String())
				}
			}
			must(t, tr, session.Command{Kind: session.Stop})
			if all := strings.Join(said, "\n"); c.want == "" && all != "" || len(said) > 1 ||
				!strings.HasPrefix(all, c.want) {
				t.Errorf("said %q, wanted %q", all, c.want)
			}
		})
	}
}
