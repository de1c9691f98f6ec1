package host

import (
	"fmt"
	"slices"

	"dns-tui/gpu"
	"dns-tui/gpu/measured"
)

// From what sparsity on a product is faster without what is pruned depends on its shape and on the machine: it is
// measured (Options.Tune), by doing the product both ways, and again as the net empties. What was measured is kept in a
// file, and never taken back: so a run that goes on, a replay and another number of threads choose the same, and
// results have the same bits.
//
// For each shape two fractions are known: at Sparse kept, or fewer, leaving the rest out was faster; at Dense, or
// more, it was not. Between the two nothing is known. There the product is measured where its fraction is at most
// again·Dense, and the fraction becomes one of the two; above it is dense, unmeasured. Since Sparse only grows and
// Dense only shrinks, what is chosen at a fraction stays chosen: if it was Dense, unmeasured, at q > again·Dense,
// then each fraction that becomes Sparse later is at most again·Dense, less than q.
type crossover struct{ Sparse, Dense float64 }

// again is how much fewer must be kept before a product is measured again.
const again = 0.8

// around bounds what is measured: nothing at more than so many times the fraction that the rule has.
const around = 4

// productKey is what a crossover depends on.
type productKey struct {
	what    string
	g       gpu.ConvGeometry
	m, n, k int
	transB  bool
}

func (k productKey) String() string {
	if k.g.N > 0 {
		return fmt.Sprintf("%s: %+v", k.what, k.g)
	}
	return fmt.Sprintf("%s: m %d n %d k %d transB %t", k.what, k.m, k.n, k.k, k.transB)
}

// choose says whether leaving out what is pruned pays at a fraction kept, and whether that is known.
func (x crossover) choose(kept float64) (pays, known bool) {
	return kept <= x.Sparse, kept <= x.Sparse || kept > again*x.Dense
}

// learn narrows what is known, at a fraction at which it is not, by whether leaving out what is pruned paid there.
func (x *crossover) learn(kept float64, paid bool) {
	if paid {
		x.Sparse = kept
	} else {
		x.Dense = kept
	}
}

// crossovers are what is known of the products of a device.
type crossovers struct {
	file   *measured.File // nil: a rule decides
	sure   bool           // that it can be written
	stored map[string]crossover
	known  map[productKey]crossover
}

// openCrossovers makes a device measure.
func (d *back) openCrossovers() {
	file, err := measured.Open("crossovers.json", d.processor())
	if err != nil {
		d.decideByRule(err)
		return
	}
	d.crossovers = crossovers{
		file: file, stored: measured.Read[crossover](file), known: map[productKey]crossover{},
	}
}

// decideByRule ends measuring: what cannot be kept would be another tomorrow.
func (d *back) decideByRule(err error) {
	if d.byRule {
		return
	}
	d.byRule, d.crossovers.file, d.convolutions.file = true, nil, nil
	d.notices = append(
		d.notices,
		fmt.Sprintf("how products and convolutions are done, and from what sparsity on zeros are "+
			"left out, is decided by a rule, not measured, since it cannot be kept: %v", err),
	)
}

// pick does a product without what is pruned of m, or all of it, whichever is faster. rule is the fraction kept up to
// which the former is, where nothing is measured. adds is what the product adds to; nil: nothing.
func pick[O any](d *back, key productKey, m []float32, rule float64, o O, pruned, dense func(O), adds []float32) {
	c := &d.crossovers
	var pays, known bool
	if c.file != nil {
		x, ok := c.known[key]
		if !ok {
			x = c.remembered(key, rule)
		}
		kept := keptFraction(m, x.Dense)
		if kept <= x.Dense && !c.sure { // before anything is chosen otherwise than by the rule
			d.makeSure()
		}
		if pays, known = x.choose(kept); !known && c.file != nil {
			pays, known = learn(d, key, kept, o, pruned, dense, adds)
		}
	}
	if c.file == nil || !known {
		pays = sparse(m, rule)
	}
	if pays {
		pruned(o)
	} else {
		dense(o)
	}
}

// makeSure ends measuring where nothing can be kept.
func (d *back) makeSure() {
	c := &d.crossovers
	if c.sure = true; c.file != nil {
		if err := c.file.Writable(); err != nil {
			d.decideByRule(err)
		}
	}
}

// remembered is what the file says of a product.
func (c *crossovers) remembered(key productKey, rule float64) crossover {
	x, ok := c.stored[key.String()]
	if !ok {
		x = crossover{Dense: min(1, around*rule)} // where nothing is kept there is nothing to multiply
	}
	c.known[key] = x
	return x
}

// learn finds out whether it pays to leave out what is pruned at a fraction kept at which that is not known: from what
// another process has learned meanwhile, or by measuring; known is false where that cannot be kept.
func learn[O any](
	d *back, key productKey, kept float64, o O, pruned, dense func(O), adds []float32,
) (pays, known bool) {
	c, name := &d.crossovers, key.String()
	saved := slices.Clone(adds)
	dense(o) // which may have to be chosen first, and that is kept in the same file
	copy(adds, saved)
	x := c.known[key]
	err := measured.Update(c.file, func(all map[string]crossover) bool {
		if theirs, ok := all[name]; ok {
			x = theirs
		}
		if pays, known = x.choose(kept); known {
			return false
		}
		took := measureWays(d, o, []way[O]{{"pruned", pruned}, {"dense", dense}}, adds)
		if took == nil {
			return false // what known is
		}
		pays = took[0] < took[1]
		x.learn(kept, pays)
		all[name] = x
		return true
	})
	if err != nil {
		d.decideByRule(err)
		return false, false
	}
	c.known[key] = x
	return pays, true
}
