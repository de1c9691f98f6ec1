package main

import (
	"dns-tui/caffe"
	"dns-tui/gpu"
	"dns-tui/model/compare"
	"dns-tui/model/ship"
)

// compareVersion is that of what compare --format json prints. Fields are added without another one; what is there
// keeps its name and its meaning. docs/formats.md describes it.
const compareVersion = 1

type (
	jsonComparison struct {
		Version   int                 `json:"version"`
		Net       string              `json:"net"`
		Phase     string              `json:"phase"`
		Device    string              `json:"device"`
		Batches   int                 `json:"batches"`
		BatchSize int                 `json:"batch_size"`
		Random    bool                `json:"random_data"`
		Sparse    bool                `json:"sparse_test"`
		A         jsonCompared        `json:"a"`
		B         jsonCompared        `json:"b"`
		Outputs   []jsonPair          `json:"outputs"`
		Layers    []jsonLayerCompared `json:"layers"`
	}
	jsonCompared struct {
		File       string          `json:"file"`
		Model      string          `json:"model"`
		Bytes      int64           `json:"bytes"`
		Export     caffe.FormSizes `json:"export_bytes"`
		Parameters int             `json:"parameters"`
		Kept       int             `json:"kept"`
		MACs       ship.MACs       `json:"macs"`
		DenseMS    float64         `json:"dense_ms"`
		SparseMS   *float64        `json:"sparse_ms"` // null: the device makes no use of zeros
		Products   []jsonProduct   `json:"products"`
		Notices    []string        `json:"notices"`
	}
	jsonProduct struct {
		Layer   string  `json:"layer"`
		Kept    int     `json:"kept"`
		Of      int     `json:"of"`
		DenseMS float64 `json:"dense_ms"`
		MS      float64 `json:"ms"`
		How     string  `json:"how"`
	}
	jsonPair struct {
		Name       string  `json:"name"`
		Type       string  `json:"type"`
		LossWeight number  `json:"loss_weight"`
		A          *number `json:"a"`
		B          *number `json:"b"`
		Difference *number `json:"difference"`
	}
	jsonLayerCompared struct {
		Name     string    `json:"name"`
		Type     string    `json:"type"`
		Prunable bool      `json:"prunable"`
		A        *jsonSide `json:"a"` // null: it has no such layer
		B        *jsonSide `json:"b"`
		Both     *jsonBoth `json:"both"` // null: not_compared says why
		Why      string    `json:"not_compared,omitempty"`
	}
	jsonSide struct {
		Entries int `json:"entries"`
		Kept    int `json:"kept"`
	}
	jsonBoth struct {
		KeptDifference int    `json:"kept_difference"`
		InBoth         int    `json:"kept_in_both"`
		OnlyA          int    `json:"kept_only_in_a"`
		OnlyB          int    `json:"kept_only_in_b"`
		Largest        number `json:"largest_difference"`
		RMS            number `json:"rms_difference"`
	}
)

// json is the comparison for programs.
func (c *comparedWeights) json(f *compareFlags, d *gpu.Device) *jsonComparison {
	out := &jsonComparison{
		Version: compareVersion, Net: c.sides[0].net.Name, Phase: f.phase, Device: d.Name(), Batches: f.iterations,
		BatchSize: c.batch, Random: c.random, Sparse: f.sparse, Outputs: []jsonPair{},
		Layers: []jsonLayerCompared{},
	}
	all, kept := c.totals()
	for i, to := range []*jsonCompared{&out.A, &out.B} {
		*to = c.sides[i].json()
		to.Parameters, to.Kept = all[i], kept[i]
	}
	outputs, _ := c.outputs()
	for _, o := range outputs {
		p := jsonPair{Name: o.Name, Type: o.Type, LossWeight: number(o.LossWeight)}
		p.A, p.B = (*number)(o.values[0]), (*number)(o.values[1])
		if p.A != nil && p.B != nil {
			difference := *p.B - *p.A
			p.Difference = &difference
		}
		out.Outputs = append(out.Outputs, p)
	}
	for _, l := range c.layers {
		to := jsonLayerCompared{Name: l.Name, Type: l.Type, Prunable: l.Prunable, A: (*jsonSide)(l.A),
			B: (*jsonSide)(l.B), Why: l.Why}
		if b := l.Both; b != nil {
			to.Both = jsonOfBoth(&l)
		}
		out.Layers = append(out.Layers, to)
	}
	return out
}

func jsonOfBoth(l *compare.Layer) *jsonBoth {
	return &jsonBoth{
		KeptDifference: l.B.Kept - l.A.Kept, InBoth: l.Both.InBoth, OnlyA: l.Both.OnlyA, OnlyB: l.Both.OnlyB,
		Largest: number(l.Both.Largest), RMS: number(l.Both.RMS),
	}
}

func (s *comparedSide) json() jsonCompared {
	out := jsonCompared{
		File: s.path, Model: s.model, Bytes: s.bytes, Export: s.weights.Bytes, MACs: s.macs,
		DenseMS: milliseconds(s.times.Dense), Products: []jsonProduct{}, Notices: append([]string{}, s.notices...),
	}
	if s.prepared {
		ms := milliseconds(s.times.Pass)
		out.SparseMS = &ms
	}
	for _, p := range s.products {
		out.Products = append(out.Products, jsonProduct{p.Layer, p.Kept, p.Of, milliseconds(p.Dense),
			milliseconds(p.Time), p.Way})
	}
	return out
}
