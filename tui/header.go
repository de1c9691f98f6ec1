package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/human"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// item is a part of the header. Where not all have room, those of the highest rank are left out first.
type item struct {
	text string
	rank int
}

// header is the first line: net, data, progress, what the run does, speed, when surgery comes.
func (e *env) header(w int) string {
	t := &e.theme
	items := slices.DeleteFunc(e.headerItems(w), func(i item) bool { return i.text == "" })
	for {
		left, right := t.title.Render("dns-tui")+"  "+t.text(e.snap.Net), make([]string, 0, len(items))
		worst := 0
		for k, i := range items {
			if i.rank > items[worst].rank {
				worst = k
			}
			if k == 0 && i.rank > 0 {
				left += i.text // the data
				continue
			}
			right = append(right, i.text)
		}
		line := t.plain(left + " " + strings.Join(right, "  "))
		if items[worst].rank == 0 || ansi.StringWidth(line) <= w {
			return t.fit(t.plain(t.ends(left, strings.Join(right, "  "), w)), w)
		}
		items = slices.Delete(items, worst, worst+1)
	}
}

// headerItems are what the header says, in order.
func (e *env) headerItems(w int) []item {
	s, t := e.snap, &e.theme
	done := 0.0
	if s.MaxIter > 0 {
		done = float64(s.Iter) / float64(s.MaxIter)
	}
	source := ""
	if s.Source != "" {
		source = " · " + t.text(base(s.Source))
	}
	items := []item{
		{source, 5},
		{human.Count(s.Iter) + "/" + human.Count(s.MaxIter), 0},
		{t.glyph.barStart + t.bar(done, max(6, min(20, w/6)), -1) + t.glyph.barEnd, 4},
		{fmt.Sprintf("%.0f %%", 100*done), 0},
	}
	state := e.stateNow()
	if state != "" {
		items = append(items, item{state, 0})
	} else {
		images := ""
		if v := s.ImagesPerSecond(); v > 0 {
			images = human.Count(int(v+0.5)) + " img/s"
		}
		items = append(items, item{rate(s.PerSecond), 1}, item{images, 7})
	}
	if s.Remaining > 0 && s.State == session.Running && e.noNews() == "" {
		items = append(items, item{"ETA " + human.Clock(s.Remaining), 2})
	}
	if words := fewWords(s); words != "" && e.headerHasAutopilot() {
		items = append(items, item{t.good.Render(words), 0})
	}
	items = append(items, item{e.surgeryWords(), 3})
	if n := len(s.Ranks); n > 0 {
		items = append(items, item{fmt.Sprintf("%d ranks", n), 2})
	}
	if n := len(s.Viewers); n > 1 {
		items = append(items, item{fmt.Sprintf("%d viewers", n), 3})
	}
	return append(items, item{fmt.Sprintf("lr %.3g", s.Rate), 6}, item{t.text(device(s)), 8})
}

// stateNow says what the run does, other than to train: what it was told and has not answered, whether it is silent.
func (e *env) stateNow() string {
	s, t := e.snap, &e.theme
	var words []string
	doing := e.doing()
	if s.Saving && !e.saves() {
		words = append(words, t.marked.Render("saving…"))
	}
	switch {
	case doing != "":
		words = append(words, t.marked.Render(doing))
	case s.Shipped != nil && s.Shipped.Stage == session.TimingPasses: // the training waits
		words = append(words, t.marked.Render("timing passes…"))
	case s.Saving:
	case s.State == session.Testing:
		words = append(words, fmt.Sprintf("testing %d/%d", s.Tested, s.ToTest))
	case s.State == session.Paused, s.State == session.Failed:
		words = append(words, t.warn.Render(strings.ToUpper(s.State.String())))
	case s.State != session.Running:
		words = append(words, t.good.Render(s.State.String()))
	case s.Health.Phase != "":
		words = append(words, t.good.Render(t.text(s.Health.Phase)))
	}
	if silent := e.noNews(); silent != "" {
		words = append(words, t.warn.Render(silent))
	}
	return strings.Join(words, "  ")
}

// surgeryWords says when surgery comes next: at an iteration, where that can be read, or with which chance; "" where
// no layer takes part.
func (e *env) surgeryWords() string {
	s := e.snap
	next, stopped := -1, -1
	var chances solver.AnyOf
	for i := range s.Layers {
		l := &s.Layers[i]
		f, h := l.Forecast, s.Hyper.Layer(l.Name)
		if !f.Known || e.drives(l.Name) { // of the descent's surgeries the words of the autopilot tell
			return ""
		}
		if f.Next >= 0 && (next < 0 || f.Next < next) {
			next = f.Next
		}
		chances.Add(l.Rule, f.Chance)
		if h.Prune && !h.MaskFrozen && f.Chance == 0 {
			stopped = max(stopped, s.Hyper.StopOf(h))
		}
	}
	chance := chances.Chance()
	switch {
	case s.State.Ended() || chance == 0 && stopped < 0:
		return ""
	case chance == 0:
		return "surgery stopped at " + human.Count(stopped)
	case chance == 1:
		return "surgery each iteration"
	case e.canBeRead(next):
		return "next surgery " + human.Count(next)
	}
	return fmt.Sprintf("surgery %s of iterations", percent(chance))
}

// headerHasAutopilot reports whether the first line has room for the autopilot.
func (e *env) headerHasAutopilot() bool { return e.width >= 100 }

// device is the device's name, and how it is as far as that is known: "H100 62 % 71 °C 1.2 G".
func device(s *session.Snapshot) string {
	name, v := deviceName(s.Device), s.Health
	if !v.Known {
		return name + " " + human.ShortBytes(s.Memory)
	}
	return fmt.Sprintf("%s %d %% %d °C %s", name, v.Utilization, v.Temperature, human.ShortBytes(v.Memory))
}

// deviceName is a device's name without its maker, its family and what it has: "H100" of "NVIDIA H100 80GB HBM3".
func deviceName(full string) string {
	var words []string
	for w := range strings.FieldsSeq(strings.SplitN(full, " (", 2)[0]) {
		switch {
		case w == "NVIDIA" || w == "GeForce" || w == "Tesla" || w == "Quadro":
			continue
		case len(words) > 0 && (strings.HasSuffix(w, "GB") || w == "PCIe" || strings.HasPrefix(w, "HBM")):
			return strings.Join(words, " ")
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func base(path string) string {
	path = strings.TrimRight(path, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}
