package autopilot

import (
	"fmt"
	"math"

	"dns-tui/human"
)

// Cost is what a kept entry costs.
type Cost uint8

// The costs.
const (
	CountCost Cost = iota // 1: entries are counted
	ByteCost              // what the compact file takes: see FileBytes
	MACCost               // a multiply-accumulate at each of its layer's positions
)

// Budget is what a net may cost at most.
type Budget struct {
	Cost  Cost
	Limit float64
}

// String is the budget as people read it: "1,390 entries".
func (b Budget) String() string { return b.Cost.Format(b.Limit) }

// Format prints an amount of the cost: "1,390 entries", "19.5 KiB", "50 MMAC".
func (c Cost) Format(v float64) string {
	switch c {
	case ByteCost:
		return human.Bytes(int64(math.Ceil(v)))
	case MACCost:
		return formatMACs(v)
	}
	return human.Count(int(v)) + " entries"
}

func formatMACs(v float64) string {
	units := []string{"MAC", "KMAC", "MMAC", "GMAC"}
	for len(units) > 1 && v >= 999.5 {
		v, units = v/1000, units[1:]
	}
	if units[0] == "MAC" || v >= 100 {
		return fmt.Sprintf("%.0f %s", v, units[0])
	}
	return fmt.Sprintf("%.1f %s", v, units[0])
}

// of is what a layer costs with so many entries kept.
func (c Cost) of(l *Layer, kept int) float64 {
	switch c {
	case ByteCost:
		return FileBytes(l.Total, kept)
	case MACCost:
		return float64(l.positions()) * float64(kept)
	}
	return float64(kept)
}

// Cost is what the unit counts: of targets that are parts, entries.
func (u Unit) Cost() Cost {
	switch u {
	case FileSize:
		return ByteCost
	case MultiplyAdds:
		return MACCost
	}
	return CountCost
}

// Dense is what layers cost with nothing pruned. Layers that are excluded do not count.
func (c Cost) Dense(layers []Layer) float64 {
	sum := 0.0
	for i := range layers {
		if l := &layers[i]; !l.Excluded {
			sum += c.of(l, l.Total)
		}
	}
	return sum
}

// Now is what layers cost as they are. Layers that are excluded do not count.
func (c Cost) Now(layers []Layer) float64 {
	sum := 0.0
	for i := range layers {
		if l := &layers[i]; !l.Excluded {
			sum += c.of(l, l.Kept)
		}
	}
	return sum
}

// Budget is what the target allows these layers; those that are excluded do not count. It is an error where that is
// nothing, or all that they have.
func (t Target) Budget(layers []Layer) (Budget, error) { return t.budget(layers, t.Unit.Cost()) }

// budget is Budget in a cost: a part is one of any cost, so that 20x may be a twentieth of the multiply-accumulates.
func (t Target) budget(layers []Layer, c Cost) (Budget, error) {
	if err := t.Validate(); err != nil {
		return Budget{}, err
	}
	dense := c.Dense(layers)
	b := Budget{Cost: c}
	switch t.Unit {
	case Times:
		b.Limit = dense / t.Value
	case KeptPercent:
		b.Limit = dense * t.Value / 100
	case SparsityPercent:
		b.Limit = dense * (100 - t.Value) / 100
	default:
		if t.Unit.Cost() != c {
			return Budget{}, fmt.Errorf("%s is %s; wanted a part, such as 20x or 5%%, or what the target counts", t,
				t.Unit.Cost().Format(t.Value))
		}
		b.Limit = t.Value
	}
	if c == CountCost {
		b.Limit = float64(wholeEntries(b.Limit))
	}
	switch {
	case b.Limit >= dense:
		return Budget{}, fmt.Errorf("target %s: the layers have %s, and nothing would be pruned", t, c.Format(dense))
	case b.Limit < 1:
		return Budget{}, fmt.Errorf("target %s: of %s nothing would be left", t, c.Format(dense))
	}
	return b, nil
}
