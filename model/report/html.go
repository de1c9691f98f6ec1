package report

import (
	"dns-tui/escape"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
)

// page is the whole report: it loads nothing.
var page = template.Must(template.New("report").Funcs(template.FuncMap{"line": escape.Line}).Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title | line}}: dns-tui report</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 15px/1.45 system-ui, sans-serif; color: #1b1f24; background: #fff; max-width: 1080px; margin: 2em auto; padding: 0 1em }
h1 { margin-bottom: .2em } h2 { margin-top: 1.6em }
table { border-collapse: collapse; margin: .6em 0 } td, th { padding: .2em .8em .2em 0; text-align: left; border-bottom: 1px solid #d8dee4; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.bar { display: inline-block; width: 160px; height: .8em; background: #d8dee4 } .bar i { display: block; height: 100%; background: #0072B2 }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 1em } svg { width: 100%; height: auto }
svg text { font: 11px system-ui, sans-serif; fill: #57606a } pre { background: #f6f8fa; padding: .8em; overflow-x: auto }
@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117 } td, th { border-color: #30363d } pre, .bar { background: #21262d } svg text { fill: #9da7b3 } }
</style></head><body>
<h1>{{.Title | line}}</h1>
<table>{{range .Facts}}<tr><th>{{index . 0}}</th><td>{{index . 1 | line}}</td></tr>{{end}}</table>
{{if .R.Layers}}<h2>Layers</h2>
<table><tr><th>layer</th><th>type</th><th>rule</th><th class="n">threshold</th><th class="n">weights</th><th class="n">kept</th><th class="n">share</th><th>sparsity</th></tr>
{{range .R.Layers}}<tr><td>{{.Name | line}}</td><td>{{.Type | line}}</td><td>{{.Rule | line}}</td><td class="n">{{.Threshold | line}}</td><td class="n">{{.Weights}}</td><td class="n">{{.Kept}}</td><td class="n">{{call $.Percent .Share}}</td>
<td><span class="bar"><i style="width:{{call $.Sparse .Share}}"></i></span></td></tr>
{{end}}<tr><th>all</th><td></td><td></td><td></td><td class="n">{{.R.Weights}}</td><td class="n">{{.R.Kept}}</td><td class="n">{{call .Percent .Share}}</td><td>{{printf "%.1f" .R.Smaller}} times smaller</td></tr></table>{{end}}
<h2>Curves</h2>
<div class="plots">{{range .Plots}}{{.}}{{end}}</div>
<p>A line from top to bottom is a change; it says which where the pointer rests on it.</p>
<h2>Changes</h2>
{{if .R.Changes}}<table><tr><th class="n">iteration</th><th>setting</th><th class="n">from</th><th class="n">to</th><th>by</th></tr>
{{range .R.Changes}}<tr><td class="n">{{.Iter}}</td><td>{{.Field | line}}</td><td class="n">{{.Old | line}}</td><td class="n">{{.New | line}}</td><td>{{.By | line}}</td></tr>
{{end}}</table>{{else}}<p>None was made.</p>{{end}}
<h2>To repeat it</h2>
<p>In the folder that the run ran in, with the same data; the result has the same bits on the same kind of device.</p>
<pre>{{range .R.Recipe}}{{. | line}}
{{end}}</pre>
</body></html>
`))

// HTML writes the report as a page that loads nothing from elsewhere.
func (r *Report) HTML(w io.Writer) error {
	percent := func(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }
	var plots []template.HTML
	one := func(title string, names ...string) {
		if svg := r.svg(title, names); svg != "" {
			plots = append(plots, template.HTML(svg)) // made here, its words escaped
		}
	}
	one("Loss", lossCurve, testLossCurve)
	one("Accuracy", accuracyCurve)
	one("Kept, all layers", keptCurve)
	var layers []string
	for _, l := range r.Layers {
		layers = append(layers, "kept "+l.Name)
	}
	one("Kept, by layer", layers...)
	one("Learning rate", rateCurve)
	one("Iterations a second", speedCurve)
	return page.Execute(
		w,
		map[string]any{"R": r, "Title": r.title(), "Facts": r.facts(), "Plots": plots, "Percent": percent,
			"Share": float64(
				r.Kept,
			) / float64(
				max(1, r.Weights),
			), "Sparse": func(kept float64) template.CSS { return template.CSS(fmt.Sprintf("%.2f%%", 100*(1-kept))) }},
	)
}

// The size of a plot and the room for its labels.
const (
	plotWidth, plotHeight              = 520, 240
	plotLeft, plotTop, plotRight, foot = 62, 26, 12, 40
)

// palette is Okabe and Ito's, which most colour-blind people can tell apart; dashes tell the curves apart too.
var (
	palette = []string{"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"}
	dashes  = []string{"", "6 3", "2 3", "8 3 2 3"}
)

// svg draws curves; "" where none has a point.
func (r *Report) svg(title string, names []string) string {
	from, to, lo, hi := math.MaxInt, 0, math.Inf(1), math.Inf(-1)
	for _, n := range names {
		c := r.Curves[n]
		for i, v := range c.Values {
			if finite(v) {
				from, to, lo, hi = min(from, c.Iters[i]), max(to, c.Iters[i]), min(lo, v), max(hi, v)
			}
		}
	}
	if from > to {
		return ""
	}
	if hi == lo {
		lo, hi = lo-max(1e-9, 0.05*math.Abs(lo)), hi+max(1e-9, 0.05*math.Abs(hi))
	}
	x := func(iter int) float64 {
		return plotLeft + float64(iter-from)/float64(max(1, to-from))*(plotWidth-plotLeft-plotRight)
	}
	y := func(v float64) float64 { return plotTop + (hi-v)/(hi-lo)*(plotHeight-plotTop-foot) }
	esc := escape.XML
	var b strings.Builder
	fmt.Fprintf(
		&b,
		`<svg viewBox="0 0 %d %d" role="img" aria-label="%s"><text x="%d" y="15" style="font-weight:bold">%s</text>`,
		plotWidth,
		plotHeight,
		esc(title),
		plotLeft,
		esc(title),
	)
	for i := range 5 {
		v := lo + (hi-lo)*float64(i)/4
		fmt.Fprintf(
			&b,
			`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#8b949e" stroke-opacity=".25"/><text x="%d" y="%.1f" text-anchor="end">%.4g</text>`,
			plotLeft,
			plotWidth-plotRight,
			y(v),
			y(v),
			plotLeft-6,
			y(v)+4,
			v,
		)
	}
	fmt.Fprintf(
		&b,
		`<text x="%d" y="%d">%d</text><text x="%d" y="%d" text-anchor="end">%d</text>`,
		plotLeft,
		plotHeight-foot+15,
		from,
		plotWidth-plotRight,
		plotHeight-foot+15,
		to,
	)
	for _, c := range r.Changes {
		if c.Iter >= from && c.Iter <= to {
			fmt.Fprintf(
				&b,
				`<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#E69F00" stroke-opacity=".7"><title>%s</title></line>`,
				x(c.Iter),
				x(c.Iter),
				plotTop,
				plotHeight-foot,
				esc(fmt.Sprintf("%d: %s %s → %s", c.Iter, c.Field, c.Old, c.New)),
			)
		}
	}
	at := plotLeft
	for i, n := range names {
		c := r.Curves[n]
		var path strings.Builder
		for k, v := range c.Values {
			if finite(v) {
				fmt.Fprintf(&path, "%.1f,%.1f ", x(c.Iters[k]), y(v))
			}
		}
		if path.Len() == 0 {
			continue
		}
		colour, dash := palette[i%len(palette)], dashes[i/len(palette)%len(dashes)]
		if len(names) > 1 && dash == "" {
			dash = dashes[i%len(dashes)]
		}
		fmt.Fprintf(
			&b,
			`<polyline fill="none" stroke="%s" stroke-width="1.6" stroke-dasharray="%s" points="%s"/>`,
			colour,
			dash,
			strings.TrimSpace(path.String()),
		)
		if label := strings.TrimPrefix(n, "kept "); len(names) > 1 && at+14+7*len(label) < plotWidth {
			fmt.Fprintf(
				&b,
				`<text x="%d" y="%d"><tspan style="fill:%s">■</tspan> %s</text>`,
				at,
				plotHeight-8,
				colour,
				esc(label),
			)
			at += 22 + 7*len(label)
		}
	}
	b.WriteString("</svg>")
	return b.String()
}
