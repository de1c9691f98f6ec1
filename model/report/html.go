package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"

	"dns-tui/escape"
)

//go:embed page.html
var pageText string

// page is the whole report: it loads nothing.
var page = template.Must(template.New("report").Funcs(template.FuncMap{"line": escape.Line}).Parse(pageText))

// HTML writes the report as a page that loads nothing from elsewhere.
func (r *Report) HTML(w io.Writer) error {
	percent := func(fraction float64) string { return fmt.Sprintf("%.2f %%", 100*fraction) }
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
	var rows [][]string
	searched := ""
	if r.Search != nil {
		rows, searched = r.searchRows(), r.searchText()
	}
	var ships map[string]any
	if s := r.Ship; s != nil {
		ships = map[string]any{"Notice": s.Notice, "Facts": s.facts(), "Head": shipHead, "Rows": s.rows(),
			"Commands": s.Commands}
	}
	return page.Execute(w, map[string]any{
		"Ship":     ships,
		"Searched": searched, "Branches": rows,
		"R": r, "Title": r.title(), "Facts": r.facts(), "Plots": plots, "Percent": percent,
		"Fraction": float64(r.Kept) / float64(max(1, r.Weights)),
		"Sparse":   func(kept float64) template.CSS { return template.CSS(fmt.Sprintf("%.2f%%", 100*(1-kept))) },
	})
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
			`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#8b949e" stroke-opacity=".25"/><text x="%d" y="%.1f" `+
				`text-anchor="end">%.4g</text>`,
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
				`<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#E69F00" `+
					`stroke-opacity=".7"><title>%s</title></line>`,
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
