package shrink

import (
	"fmt"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
)

// Layers share a parameter by giving it the same name. There is one array, so all of them lose the same rows and
// columns of it, or none: the channels that stand for one are coupled.

// use is a parameter of a layer that has a name.
type use struct {
	nd   *node
	blob int
}

// lines are the channels along each axis of the array that changes with them; false where the layer keeps it as it is.
func (u use) lines() ([][]*unit, bool) {
	a, ok := u.nd.op.(interface {
		lines(nd *node, blob int) [][]*unit
	})
	if !ok {
		return nil, false
	}
	return a.lines(u.nd, u.blob), true
}

// shared are the uses of parameters that have a name.
type shared struct {
	names []string // in the order of the net
	uses  map[string][]use
}

func findShared(nodes []*node) shared {
	s := shared{uses: map[string][]use{}}
	for _, nd := range nodes {
		for i := range nd.Params {
			name := caffe.ParamName(nd.param, i)
			if name == "" {
				continue
			}
			if len(s.uses[name]) == 0 {
				s.names = append(s.names, name)
			}
			s.uses[name] = append(s.uses[name], use{nd, i})
		}
	}
	return s
}

// isPermissive reports whether a parameter may have another shape than where it is shared.
func isPermissive(p *caffepb.ParamSpec) bool { return p.GetShareMode() == caffepb.ParamSpec_PERMISSIVE }

// with are the uses of a layer's parameter in other layers.
func (s shared) with(nd *node, blob int) []use {
	var out []use
	for _, u := range s.uses[caffe.ParamName(nd.param, blob)] {
		if u.nd != nd {
			out = append(out, u)
		}
	}
	return out
}

// counted reports whether a parameter is another layer's, before in the net, and counted there.
func (s shared) counted(nd *node, blob int) bool {
	uses := s.uses[caffe.ParamName(nd.param, blob)]
	return len(uses) > 0 && uses[0] != use{nd, blob}
}

// couple couples the channels of shared parameters.
func (s shared) couple() {
	for _, name := range s.names {
		uses := s.uses[name]
		if len(uses) > 1 {
			for _, u := range uses {
				u.nd.shared = true
			}
		}
		first, ok := uses[0].lines()
		for _, u := range uses[1:] {
			lines, has := u.lines()
			if ok = ok && has && alike(first, lines); !ok {
				break
			}
			who := fmt.Sprintf("%s and %s share weights, and one needs it", uses[0].nd.Name, u.nd.Name)
			for axis := range first {
				for i, x := range first[axis] {
					if x.root() == lines[axis][i].root() {
						continue
					}
					if x = join(x, lines[axis][i]); x.shared == "" {
						x.shared = who
					}
				}
			}
		}
		if !ok {
			s.pin(name, "a part of weights that are shared in another form: "+s.layers(name))
		}
	}
}

// alike reports whether arrays have as many channels along each axis.
func alike(a, b [][]*unit) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return false
		}
	}
	return true
}

// layers are the names of those that share a parameter.
func (s shared) layers(name string) string {
	var out []string
	for _, u := range s.uses[name] {
		out = append(out, u.nd.Name)
	}
	return strings.Join(out, ", ")
}

// pin keeps all of a parameter.
func (s shared) pin(name, why string) {
	for _, u := range s.uses[name] {
		lines, _ := u.lines()
		for _, axis := range lines {
			for _, x := range axis {
				if r := x.root(); r.pin == "" {
					r.pin = why
				}
			}
		}
	}
}

// pinElsewhere keeps what a layer of another phase shares.
func (s shared) pinElsewhere(l *caffepb.LayerParameter) {
	for i := range l.Param {
		if name := caffe.ParamName(l, i); name != "" {
			for _, u := range s.uses[name] {
				u.nd.shared = true
			}
			s.pin(name, fmt.Sprintf("a part of weights that %s shares in the other phase", l.GetName()))
		}
	}
}

// unitsOf are the channels of a blob, one for each place of axis 1, or several.
func unitsOf(b *blob, each int) []*unit {
	var out []*unit
	for _, c := range b.channels {
		for range c.extent * each {
			out = append(out, c.unit)
		}
	}
	return out
}
