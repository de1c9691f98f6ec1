package shrink

import (
	"dns-tui/caffe/caffepb"
)

// lrn normalizes each value by those of the same place in the channels near it: of n channels, local_size, h = (n-1)/2
// before it and h after it. A channel of 0 is 0 behind it, and adds nothing to the sums of others; but where it goes,
// others come nearer to each other.
type lrn struct{ untouched }

func lrnOf(nd *node) op {
	p := nd.param.GetLrnParam()
	switch {
	case p.GetNormRegion() == caffepb.LRNParameter_WITHIN_CHANNEL:
		return zeros{}
	case p.GetK() <= 0 || p.GetAlpha() < 0: // 0·0^-beta
		return opaque{why: "it divides by 0 what is 0"}
	}
	return lrn{}
}

func (lrn) flow(nd *node) []*blob {
	top := through(nd, func(c channel, _ int) (float64, bool) { return 0, c.known && c.value == 0 })
	for i, c := range top[0].channels {
		if nd.in[0].channels[i].known && !c.known {
			top[0].channels[i].lost = across(nd)
		}
	}
	return top
}

func across(nd *node) string {
	return "read by " + nd.Name + " (LRN): it normalizes across channels, and the constant is not 0"
}

// row are the channels of the bottom, one for each place of axis 1; live are the places of those that stay and are not
// 0, in their order.
func (lrn) row(nd *node) (row []channel, live []int) {
	for _, c := range nd.in[0].channels {
		for range c.extent {
			if c.unit.root().stays && !isZero(c) {
				live = append(live, len(row))
			}
			row = append(row, c)
		}
	}
	return row, live
}

func isZero(c channel) bool { return c.known && c.value == 0 }

// reach is h.
func reach(nd *node) int { return (int(nd.param.GetLrnParam().GetLocalSize()) - 1) / 2 }

// keepSeen keeps what is in the sums of channels that stay.
func (l lrn) keepSeen(nd *node) bool {
	row, live := l.row(nd)
	some := false
	for _, at := range live {
		for i := max(0, at-reach(nd)); i <= min(len(row)-1, at+reach(nd)); i++ {
			if isZero(row[i]) {
				continue
			}
			why := "it is in the sums of others in " + nd.Name + " (LRN)"
			if row[i].known {
				why = across(nd)
			}
			some = stay(row[i].unit, why, true) || some
		}
	}
	return some
}

// keepApart keeps channels of 0 between any two that stay and do not see each other: with those that stay there anyway
// as many as h. For each channel it is enough to look at the last one before it that it does not see: others are
// farther. Those nearest to it are kept, which are between the most pairs that are still to come. There are enough:
// of the h channels before it, those that are not 0 stay (keepSeen).
func (l lrn) keepApart(nd *node) bool {
	row, live := l.row(nd)
	h, some := reach(nd), false
	for _, at := range live {
		before := -1
		for _, i := range live {
			if at-i > h {
				before = i
			}
		}
		if before < 0 {
			continue
		}
		for i := at - 1; i > before && staying(row[before+1:at]) < h; i-- {
			some = stay(row[i].unit, "it keeps channels apart in "+nd.Name+" (LRN)", true) || some
		}
	}
	return some
}

func staying(channels []channel) int {
	n := 0
	for _, c := range channels {
		if c.unit.root().stays {
			n++
		}
	}
	return n
}
