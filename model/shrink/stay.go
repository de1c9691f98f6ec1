package shrink

import (
	"fmt"
	"slices"

	"dns-tui/caffe"
)

// retain finds what stays: what is pinned, what is read by what stays, and what layers keep for the sake of that.
func (g *graph) retain() {
	for _, b := range g.tops {
		for _, c := range b.channels {
			if u := c.unit.root(); u.pin != "" {
				u.stays, u.why = true, u.pin
			}
		}
	}
	rules := []func() bool{g.keepRead, g.keepSeen, g.keepApart, g.keepAlike, g.keepOne}
	for i := 0; i < len(rules); {
		if rules[i]() { // what is kept is read, or reads
			i = 0
		} else {
			i++
		}
	}
}

// stay keeps a channel, and reports whether that is news.
func stay(u *unit, why string, idle bool) bool {
	if u = u.root(); u.stays {
		return false
	}
	u.stays, u.why, u.idle = true, why, idle
	return true
}

// keepRead keeps what layers read by weights that stay themselves, from the net's outputs back.
func (g *graph) keepRead() bool {
	some := false
	for _, nd := range slices.Backward(g.nodes) {
		if l, ok := nd.op.(linear); ok {
			some = g.keepWeighed(nd, l) || some
		}
	}
	return some
}

// keepWeighed keeps the channels for which outputs that stay have weights, but for constants that go into the bias.
func (g *graph) keepWeighed(nd *node, l linear) bool {
	some := false
	for at, c := range nd.in[0].places() {
		if c.unit.root().stays || !readsAny(l, nd, at, c.extent) {
			continue
		}
		why := c.lost
		if c.known {
			if why = g.refuses(nd, l, at, c); why == "" {
				continue
			}
		}
		some = stay(c.unit, why, false) || some
	}
	return some
}

// refuses says why a constant that a layer reads does not go into its bias; "" where it does.
func (g *graph) refuses(nd *node, l linear, at int, c channel) string {
	if c.value == 0 {
		return ""
	}
	if why := l.uneven(nd); why != "" {
		return fmt.Sprintf("read by %s, %s", nd.Name, why)
	}
	if len(nd.blobs) < 2 && caffe.ParamName(nd.param, 1) != "" {
		return fmt.Sprintf("read by %s, which would get a bias that has a name already", nd.Name)
	}
	for _, u := range g.shared.with(nd, 1) {
		if !sameSum(nd, u, at, c) {
			return fmt.Sprintf("read by %s, whose bias is that of %s too, which does not read this constant", nd.Name,
				u.nd.Name)
		}
	}
	return ""
}

// sameSum reports whether a layer that shares a bias with another has the same weights for the same constant.
func sameSum(nd *node, u use, at int, c channel) bool {
	l, ok := u.nd.op.(linear)
	if !ok || u.blob != 1 || len(u.nd.blobs) < 2 || len(nd.blobs) < 2 || l != nd.op || l.uneven(u.nd) != "" ||
		caffe.ParamName(nd.param, 0) == "" || caffe.ParamName(u.nd.param, 0) != caffe.ParamName(nd.param, 0) ||
		l.within(u.nd) != l.within(nd) {
		return false
	}
	for place, o := range u.nd.in[0].places() {
		if place == at {
			return o.extent == c.extent && o.known && o.value == c.value
		}
	}
	return false
}

// keepSeen keeps what is in the sums of an LRN, of channels that stay.
func (g *graph) keepSeen() bool { return g.eachLRN(lrn.keepSeen) }

// keepApart keeps channels of 0 between those that do not see each other.
func (g *graph) keepApart() bool { return g.eachLRN(lrn.keepApart) }

func (g *graph) eachLRN(keep func(lrn, *node) bool) bool {
	some := false
	for _, nd := range g.nodes {
		if l, ok := nd.op.(lrn); ok {
			some = keep(l, nd) || some
		}
	}
	return some
}

// keepAlike keeps groups alike, of one convolution after the other: what is kept for one counts for the next.
func (g *graph) keepAlike() bool {
	for _, nd := range g.nodes {
		if c, ok := nd.op.(convolution); ok && c.keepAlike(nd) {
			return true
		}
	}
	return false
}

// keepOne keeps a channel of a blob that would have none.
func (g *graph) keepOne() bool {
	for _, b := range g.tops {
		left := false
		for _, c := range b.channels {
			left = left || c.unit.root().stays
		}
		if !left && len(b.channels) > 0 {
			return stay(idlest(b.channels).unit, "the last of a blob", true)
		}
	}
	return false
}

// idlest is the channel that costs the least where one must stay: a constant, which reads nothing; the last of them.
func idlest(channels []channel) channel {
	best := channels[len(channels)-1]
	for _, c := range channels {
		if c.known {
			best = c
		}
	}
	return best
}
