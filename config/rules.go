package config

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
)

// updateRules are the fields of a solver that say how weights are updated and cannot be changed live; those that can
// are in Hyper.
var updateRules = []protoreflect.Name{
	"type",
	"lr_policy",
	"gamma",
	"power",
	"stepsize",
	"stepvalue",
	"iter_size",
	"momentum2",
	"rms_decay",
	"delta",
	"clip_gradients",
	"regularization_type",
}

// UpdateRules returns what a solver says of how weights are updated, in words, by field. They always come from the
// files, and a resume compares them with what the files said when its snapshot was written.
func UpdateRules(p *caffepb.SolverParameter) map[string]string {
	m := p.ProtoReflect()
	rules := map[string]string{}
	for _, name := range updateRules {
		fd := m.Descriptor().Fields().ByName(name)
		v := m.Get(fd)
		switch {
		case fd.IsList():
			var text strings.Builder
			for i := range v.List().Len() {
				fmt.Fprintf(&text, " %v", v.List().Get(i).Interface())
			}
			rules[string(name)] = "none"
			if text.String() != "" {
				rules[string(name)] = text.String()[1:]
			}
		case name == "type":
			rules[string(name)] = caffe.SolverName(p)
		case !m.Has(fd) && !fd.HasDefault():
			rules[string(name)] = "not set"
		default:
			rules[string(name)] = fmt.Sprint(v.Interface())
		}
	}
	return rules
}

// EditedRules says, in a line each, which update rules are others now than then.
func EditedRules(then, now map[string]string) []string {
	var notes []string
	for _, f := range updateRules {
		name := string(f)
		if was, ok := then[name]; ok && was != now[name] {
			notes = append(
				notes,
				fmt.Sprintf("%s %s → %s: the files were edited since the snapshot", name, was, now[name]),
			)
		}
	}
	return notes
}
