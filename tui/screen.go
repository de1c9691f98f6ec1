package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"dns-tui/config"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// env is what screens, dialogs and lines know of the program. The App keeps it up to date; they only read it.
type env struct {
	snap          *session.Snapshot // what the session published last; nil while it is being made
	theme         theme
	prefs         *config.Preferences
	compare       []Compared
	allKeys       *keyMap // for texts that name keys of other screens
	readOnly      bool
	logScale      bool // of the loss
	smoothing     smoothing
	width, height int // of the terminal
	ticks         int // looks at the session so far
	flights       flights
	history       history       // of commands
	silence       time.Duration // since the last snapshot came
	pace          time.Duration // between two snapshots of a run that works, as it was of late
}

// screenID names a screen.
type screenID int

const (
	mainID screenID = iota
	plotsID
	picturesID
	sensitivityID
	autopilotID
	frontierID
	shipID
	ranksID
	journalID
	settingsID
	restoreID
	helpID
	screenCount
)

func (id screenID) String() string {
	return [...]string{
		"main", "plots", "picture", "sensitivity", "autopilot", "frontier", "ship", "ranks", "journal", "settings",
		"states",
		"help",
	}[id]
}

// screenSet is a set of screens.
type screenSet uint

func only(ids ...screenID) screenSet {
	var s screenSet
	for _, id := range ids {
		s |= 1 << id
	}
	return s
}

func (s screenSet) has(id screenID) bool { return s&only(id) != 0 }

// A screen is one view of the run. It draws what the session published, and tells by an intent what it wants done.
type screen interface {
	// Update takes in a message: openedScreen, an action whose key was pressed, the mouse, what the App passes on.
	Update(tea.Msg) intent
	// Arrange lays the screen out in w by h cells, after each message: what has room, and how far it is scrolled.
	Arrange(w, h int)
	// View draws the screen as it was arranged, and changes nothing.
	View() []string
}

// Messages to a screen, beside those of Bubble Tea.
type (
	// openedScreen says that the screen is shown from now on.
	openedScreen struct{}
	// action is the binding of a key that was pressed, or what was chosen in the palette.
	action struct{ *binding }
	// travel moves far in the screen's list or text.
	travel struct{ jump }
	// glyphsChanged says that there is another set of glyphs.
	glyphsChanged struct{}
)

// intent is what a screen, a dialog or a line wants of the App; nil is nothing.
type intent any

type (
	// intents are several, one after the other.
	intents []intent
	// send gives a command to the session.
	send struct{ session.Command }
	// sendTyped gives a command that was typed: one that the run rejects comes back into the line, to be mended.
	sendTyped struct {
		session.Command
		text string
	}
	// predict asks the session what settings of the autopilot would come to.
	predict struct{ settings []autopilot.Setting }
	// show opens a screen.
	show struct{ screen screenID }
	// notice is said in the last line until the next key.
	notice struct {
		text string
		bad  bool
	}
	// typeLine opens the line at the bottom.
	typeLine struct {
		purpose purpose
		value   string
	}
	// remember keeps a command for the history.
	remember struct{ text string }
	// ask opens a dialog.
	ask struct{ dialog }
	// choose makes a threshold the choice for a layer on the main screen.
	choose struct {
		layer     string
		threshold float64
	}
	// toggleLog switches the scale of the loss.
	toggleLog struct{}
	// smoothMore turns to the next strength at which the loss is smoothed.
	smoothMore struct{}
	// stopRun ends run and UI.
	stopRun struct{ save bool }
	// detach ends the UI; the run goes on.
	detach struct{}
)

// refuse is a notice of what cannot be done.
func refuse(text string) intent { return notice{text, true} }
