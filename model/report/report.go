// Package report tells how a run went, from its journal: as a page, as text, and as data for scripts.
package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/gpu"
	"dns-tui/model/session"
)

// Report is a run, summed up.
type Report struct {
	Solver    string           `json:"solver"`
	Journal   string           `json:"journal"`
	Net       string           `json:"net,omitempty"`
	Device    string           `json:"device,omitempty"`
	Ranks     int              `json:"ranks,omitempty"` // that trained together; 0: one
	Source    string           `json:"source,omitempty"`
	Seed      uint64           `json:"seed"`
	Begun     time.Time        `json:"begun,omitzero"`
	Ended     time.Time        `json:"ended,omitzero"`
	Iter      int              `json:"iteration"`
	MaxIter   int              `json:"max_iter,omitempty"`
	State     string           `json:"state,omitempty"` // "" while it continues, or where it was cut off
	Loss      *float64         `json:"loss,omitempty"`
	Accuracy  *float64         `json:"accuracy,omitempty"`
	TestLoss  *float64         `json:"test_loss,omitempty"`
	Weights   int              `json:"weights,omitempty"`
	Kept      int              `json:"kept,omitempty"`
	Snapshot  string           `json:"snapshot,omitempty"`
	Layers    []Layer          `json:"layers,omitempty"`
	Changes   []Change         `json:"changes"`
	Recipe    []string         `json:"recipe"`
	Curves    map[string]Curve `json:"curves"`
	Notice    string           `json:"notice,omitempty"` // what is wrong with the journal
	sequence  []string         // of Curves
	threshold map[config.Field]string
	rule      map[string]string // of layers, as the autopilot set them
	// Search is the search for the smallest net that steered the run, where one did.
	Search *session.Search `json:"search,omitempty"`
	// Ship is what a user ships of the run; nil in a report of lines alone.
	Ship *Shipped `json:"ship,omitempty"`
}

// Layer is a row of the final table.
type Layer struct {
	Name      string  `json:"name"`
	Type      string  `json:"type"`
	Rule      string  `json:"rule"`
	Threshold string  `json:"threshold"` // at the end
	Weights   int     `json:"weights"`
	Kept      int     `json:"kept"`
	Fraction  float64 `json:"kept_share"`
}

// Change is a change that was made.
type Change struct {
	Iter  int    `json:"iteration"`
	Field string `json:"field"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new"`
	By    string `json:"by,omitempty"`
}

// Curve is what was measured, and when.
type Curve struct {
	Iters  []int     `json:"iterations"`
	Values []float64 `json:"values"`
}

// The curves' names; those of layers are "kept " and the layer's.
const (
	lossCurve, accuracyCurve, testLossCurve = "loss", "accuracy", "test loss"
	keptCurve, rateCurve, speedCurve        = "kept", "learning rate", "iterations a second"
)

// Read makes the report of a journal.
func Read(journal string) (*Report, error) {
	course, err := session.ReadCourse(journal)
	if err != nil {
		return nil, err
	}
	r, err := New(journal, course.Changes)
	if err != nil {
		return nil, err
	}
	r.Notice, r.Ship = course.Notice(), r.shipped()
	r.Search, err = session.ReadSearch(session.SearchPath(strings.TrimSuffix(journal, ".journal")))
	return r, err
}

// New makes the report of a journal's lines.
func New(journal string, lines []session.Change) (*Report, error) {
	h := session.NewHistory(lines)
	if len(h.Starts) == 0 {
		return nil, fmt.Errorf("%s: tells of no run: no line of field \"run\"", journal)
	}
	first := h.Starts[0].Began
	r := &Report{
		Solver:    first.Solver,
		Journal:   journal,
		Seed:      first.Seed,
		Begun:     h.Begun,
		Ended:     h.Ended,
		Iter:      h.LastIter,
		State:     h.Last.State,
		Loss:      h.Last.Loss,
		Accuracy:  h.Last.Accuracy,
		TestLoss:  h.Last.TestLoss,
		Snapshot:  h.Last.Saved,
		Changes:   []Change{},
		Curves:    map[string]Curve{},
		threshold: map[config.Field]string{},
		rule:      map[string]string{},
	}
	ramps := map[int]int{} // the rows of those under way, by number
	for _, c := range h.Changes {
		if c.Ramp != nil && c.Ramp.Ended && r.endRamp(&c, ramps) {
			continue
		}
		if c.Ramp != nil {
			ramps[c.Ramp.Plan.ID] = len(r.Changes)
		}
		r.Changes = append(r.Changes, rows(&c)...)
		if c.Autopilot != nil {
			r.findsThresholds(c.Autopilot)
		}
		for _, e := range c.EditsAt(h.LastIter) {
			r.threshold[e.Field] = e.Text()
		}
	}
	if s := h.Start(); s != nil {
		r.describe(s, h)
	}
	r.addCurve(lossCurve, &h.Loss)
	r.addCurve(accuracyCurve, &h.Accuracy)
	r.addCurve(testLossCurve, &h.TestLoss)
	r.addCurve(keptCurve, &h.Kept)
	for _, l := range r.Layers {
		r.addCurve("kept "+l.Name, h.Layers[l.Name])
	}
	r.addCurve(rateCurve, &h.Rate)
	r.addCurve(speedCurve, &h.Speed)
	r.Recipe = recipe(journal, first)
	return r, nil
}

// endRamp takes in that a ramp ended before its time: in its own row, and in the value that it had come to. It reports
// whether the ramp has a row.
func (r *Report) endRamp(c *session.Change, rows map[int]int) bool {
	plan := c.Ramp.Plan
	row, ok := rows[plan.ID]
	if !ok {
		return false
	}
	delete(rows, plan.ID)
	r.Changes[row].New += fmt.Sprintf(", ended at %d", c.Iter)
	begun := session.Change{Ramp: &session.Ramp{Plan: plan}}
	for _, e := range begun.EditsAt(c.Iter) {
		r.threshold[e.Field] = e.Text()
	}
	return true
}

// findsThresholds takes in that the autopilot finds thresholds from here on: no line has them.
func (r *Report) findsThresholds(c *session.AutopilotChange) {
	for _, e := range c.Edits {
		switch {
		case e.Param == config.Rule:
			r.rule[e.Layer] = e.Text()
		case e.WaitsForSurgery():
			for _, p := range []config.Param{config.Threshold, config.CRate} {
				r.threshold[config.Field{Layer: e.Layer, Param: p}] = "found"
			}
		}
	}
}

// rows are the rows of a change in the table: one an edit.
func rows(c *session.Change) []Change {
	row := func(field, old, now string) Change { return Change{c.Iter, field, old, now, c.By} }
	switch {
	case c.Surgery != nil:
		return []Change{row("surgery", "", "now")}
	case c.Ramp != nil && c.Ramp.Ended:
		return []Change{row("plan", c.Ramp.Plan.String(), "off")}
	case c.Ramp != nil:
		return []Change{row("plan", c.Ramp.Plan.OldText(), c.Ramp.Plan.String())}
	case c.Autopilot != nil:
		return []Change{row("autopilot", c.Autopilot.Old.String(), c.Autopilot.New.String())}
	case c.Moved != nil:
		return []Change{row("snapshot_prefix", c.Moved.From, c.Moved.To)}
	case c.Taken != nil:
		return []Change{row("branch", "", c.Taken.Snapshot)}
	case c.Unknown != nil:
		return []Change{row(c.Unknown.Field, "", c.Unknown.Value)}
	}
	var out []Change
	for _, e := range c.Edits {
		out = append(out, row(e.Field.String(), e.OldText(), e.Text()))
	}
	return out
}

func (r *Report) describe(s *session.Start, h *session.History) {
	r.Net, r.Device, r.Source, r.MaxIter, r.Ranks = s.Net, s.Device, s.Source, s.MaxIter, s.Ranks
	for i, l := range s.Layers {
		out := Layer{
			Name:      l.Name,
			Type:      l.Type,
			Rule:      l.Rule,
			Weights:   l.Weights,
			Kept:      l.Weights,
			Threshold: strconv.FormatFloat(l.Threshold, 'g', -1, 64),
		}
		if rule, ok := r.rule[l.Name]; ok {
			out.Rule = rule
			if rule != config.RuleName(gpu.SeedRule) && l.Entries > 0 {
				out.Weights, out.Kept = l.Entries, l.Entries
			}
		}
		param := config.Threshold
		if out.Rule == "paper" {
			param = config.CRate
		}
		if t, ok := r.threshold[config.Field{Layer: l.Name, Param: param}]; ok {
			out.Threshold = t
		}
		if len(h.Last.Kept) == len(s.Layers) {
			out.Kept = h.Last.Kept[i]
		}
		out.Fraction = float64(out.Kept) / float64(max(1, out.Weights))
		r.Weights, r.Kept = r.Weights+out.Weights, r.Kept+out.Kept
		r.Layers = append(r.Layers, out)
	}
}

func (r *Report) addCurve(name string, s *session.Series) {
	if s == nil || len(s.Values) == 0 {
		return
	}
	r.sequence = append(r.sequence, name)
	r.Curves[name] = Curve{s.Iters, s.Values}
}

// recipe is what repeats the run: the commands, in the folder that it ran in.
func recipe(journal string, start *session.Began) []string {
	from := ""
	if s := start.Start; s != nil {
		switch {
		case s.From != "":
			from = " --snapshot " + escape.Shell(s.From)
		case len(s.Weights) > 0:
			from = " --weights " + escape.Shell(strings.Join(s.Weights, ","))
		}
	}
	copied := strings.TrimSuffix(filepath.Base(journal), ".journal") + ".repeat.journal"
	return []string{
		"cp " + escape.Command(journal, copied),
		"dns-tui train --solver " + escape.Shell(start.Solver) + from + " --replay " + escape.Shell(copied),
	}
}

// Smaller is how many times fewer weights are kept; 0 where nothing is.
func (r *Report) Smaller() float64 {
	if r.Kept == 0 {
		return 0
	}
	return float64(r.Weights) / float64(r.Kept)
}

// JSON writes the report whole.
func (r *Report) JSON(w io.Writer) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		_, err = w.Write(append(escape.JSON(b), '\n'))
	}
	return err
}

// CSV writes the curves: a line for each iteration at which something was measured, empty where a curve has no value
// there.
func (r *Report) CSV(w io.Writer) error {
	at := map[int][]string{}
	var iters []int
	for i, name := range r.sequence {
		c := r.Curves[name]
		for k, iter := range c.Iters {
			row, ok := at[iter]
			if !ok {
				row = make([]string, len(r.sequence)+1)
				row[0] = strconv.Itoa(iter)
				at[iter] = row
				iters = append(iters, iter)
			}
			row[i+1] = strconv.FormatFloat(c.Values[k], 'g', 8, 64)
		}
	}
	slices.Sort(iters)
	out := csv.NewWriter(w)
	head := []string{"iteration"}
	for _, name := range r.sequence {
		head = append(head, escape.CSV(name))
	}
	rows := [][]string{head}
	for _, i := range iters {
		rows = append(rows, at[i])
	}
	return out.WriteAll(rows)
}

// facts are what the head of a report says, in pairs.
func (r *Report) facts() [][2]string {
	var out [][2]string
	add := func(name, value string) {
		if value != "" {
			out = append(out, [2]string{name, value})
		}
	}
	add("solver", r.Solver)
	add("data", r.Source)
	add("device", r.Device)
	if r.Ranks > 1 {
		add("ranks", fmt.Sprint(r.Ranks))
	}
	state := r.State
	if state == "" {
		state = "active, or cut off"
	}
	place := fmt.Sprint(r.Iter)
	if r.MaxIter > 0 {
		place += fmt.Sprintf(" of %d", r.MaxIter)
	}
	add("iterations", place+", "+state)
	if !r.Begun.IsZero() {
		add("time", r.Begun.UTC().Format("2006-01-02 15:04")+" to "+r.Ended.UTC().Format("2006-01-02 15:04")+" UTC")
	}
	if r.Accuracy != nil {
		add("accuracy", fmt.Sprintf("%.4f", *r.Accuracy))
	}
	if r.TestLoss != nil {
		add("test loss", fmt.Sprintf("%.5g", *r.TestLoss))
	}
	if r.Loss != nil {
		add("training loss", fmt.Sprintf("%.5g", *r.Loss))
	}
	if r.Weights > 0 {
		add(
			"kept",
			fmt.Sprintf(
				"%d of %d weights, %.2f %%, %.1f times smaller",
				r.Kept,
				r.Weights,
				100*float64(r.Kept)/float64(r.Weights),
				r.Smaller(),
			),
		)
	}
	add("snapshot", r.Snapshot)
	add("seed", fmt.Sprint(r.Seed))
	return out
}

// Markdown writes the report as text.
func (r *Report) Markdown(w io.Writer) error {
	var b strings.Builder
	text := escape.Markdown
	fmt.Fprintf(&b, "# %s\n\n", text(r.title()))
	for _, f := range r.facts() {
		fmt.Fprintf(&b, "- %s: %s\n", f[0], text(f[1]))
	}
	if len(r.Layers) > 0 {
		b.WriteString(
			"\n| layer | type | rule | threshold | weights | kept | fraction |\n" +
				"| --- | --- | --- | ---: | ---: | ---: " +
				"| ---: |\n",
		)
		for _, l := range r.Layers {
			fmt.Fprintf(
				&b,
				"| %s | %s | %s | %s | %d | %d | %.2f %% |\n",
				text(l.Name),
				text(l.Type),
				text(l.Rule),
				text(l.Threshold),
				l.Weights,
				l.Kept,
				100*l.Fraction,
			)
		}
		fmt.Fprintf(
			&b,
			"| all | | | | %d | %d | %.2f %% |\n",
			r.Weights,
			r.Kept,
			100*float64(r.Kept)/float64(max(1, r.Weights)),
		)
	}
	if s := r.Search; s != nil {
		fmt.Fprintf(&b, "\n## Search\n\n%s\n\n", text(r.searchText()))
		b.WriteString(
			"| kept | smaller | accuracy | ± | budget | snapshot |\n| ---: | ---: | ---: | ---: | --- | --- |\n",
		)
		for _, row := range r.searchRows() {
			for _, cell := range row {
				fmt.Fprintf(&b, "| %s ", text(cell))
			}
			b.WriteString("|\n")
		}
	}
	if r.Ship != nil {
		b.WriteString(r.Ship.markdown())
	}
	b.WriteString("\n## Changes\n\n")
	if len(r.Changes) == 0 {
		b.WriteString("None was made.\n")
	} else {
		b.WriteString("| iteration | setting | from | to | by |\n| ---: | --- | ---: | ---: | --- |\n")
		for _, c := range r.Changes {
			fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", c.Iter, text(c.Field), text(c.Old), text(c.New), text(c.By))
		}
	}
	fmt.Fprintf(&b, "\n## To repeat it\n\n    %s\n", strings.Join(r.Recipe, "\n    "))
	_, err := io.WriteString(w, b.String())
	return err
}

// searchText says what was searched for, and what came of it.
func (r *Report) searchText() string {
	s := r.Search
	return fmt.Sprintf(
		"The smallest net that loses at most %g of accuracy on %d held-out images, of which the same training "+
			"without pruning gives %.4f. %s.",
		s.Budget,
		s.Images,
		s.Dense,
		s.Outcome(),
	)
}

// searchRows are the branches of a search, the largest first.
func (r *Report) searchRows() [][]string {
	var out [][]string
	for _, b := range r.Search.Frontier() {
		out = append(out, []string{
			fmt.Sprint(b.Kept), session.Smaller(b.Kept, b.Total),
			fmt.Sprintf("%.4f", b.Accuracy), fmt.Sprintf("%.4f", r.Search.Error(b.Accuracy)), b.Where(), b.Path,
		})
	}
	return out
}

func (r *Report) title() string {
	if r.Net != "" {
		return r.Net
	}
	return filepath.Base(r.Solver)
}

// finite reports whether a value can be plotted.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
