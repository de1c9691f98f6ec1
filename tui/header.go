package tui

import (
	"fmt"
	"strings"

	"dns-tui/human"
	"dns-tui/model/session"
)

// header is the first line: net, data, progress, speed, state.
func (e *env) header(w int) string {
	s, t := e.snap, &e.theme
	state := s.State.String()
	switch s.State {
	case session.Paused, session.Failed:
		state = t.warn.Render(strings.ToUpper(state))
	case session.Testing:
		state = fmt.Sprintf("testing %d/%d", s.Tested, s.ToTest)
	case session.Running:
		state = ""
	default:
		state = t.good.Render(state)
	}
	done := 0.0
	if s.MaxIter > 0 {
		done = float64(s.Iter) / float64(s.MaxIter)
	}
	left := t.title.Render("dns-tui") + "  " + t.text(s.Net)
	if s.Source != "" && w >= 90 {
		left += " · " + t.text(base(s.Source))
	}
	progress := human.Count(s.Iter) + "/" + human.Count(s.MaxIter)
	right := []string{progress}
	if w >= 60 {
		right = append(right, t.glyph.barStart+t.bar(done, max(6, w/6), -1)+t.glyph.barEnd)
	}
	right = append(right, fmt.Sprintf("%.0f %%", 100*done))
	switch {
	case s.Health.Phase != "" && (s.State == session.Running || s.State == session.Testing):
		right = append(right, t.good.Render(t.text(s.Health.Phase)))
	case state != "":
		right = append(right, state)
	case w >= 50:
		right = append(right, rate(s.PerSecond))
		if v := s.ImagesPerSecond(); w >= 130 && v > 0 {
			right = append(right, human.Count(int(v+0.5))+" img/s")
		}
	}
	if w >= 70 && s.Remaining > 0 && s.State == session.Running {
		right = append(right, "ETA "+eta(s.Remaining))
	}
	if words := fewWords(s); words != "" && e.headerHasAutopilot() {
		right = append(right, t.good.Render(words))
	}
	if n := len(s.Viewers); n > 1 {
		right = append(right, fmt.Sprintf("%d viewers", n))
	}
	if w >= 110 && (s.Autopilot == nil || w >= 130) {
		right = append(right, fmt.Sprintf("lr %.3g", s.Rate))
	}
	if w >= 130 {
		right = append(right, t.text(device(s)))
	}
	return t.fit(t.plain(t.ends(left, strings.Join(right, "  "), w)), w)
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
