package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/config/configpb"
)

// Preferences is what a person sets for every run.
type Preferences struct {
	*configpb.Preferences
	Path string // of the file; it may not exist
}

// PreferencesPath is $XDG_CONFIG_HOME/dns-tui/preferences.prototxt, or that below ~/.config.
func PreferencesPath() string {
	return userFile("XDG_CONFIG_HOME", ".config", "preferences.prototxt")
}

// HistoryPath is $XDG_STATE_HOME/dns-tui/history, or that below ~/.local/state: the commands that were typed.
func HistoryPath() string { return userFile("XDG_STATE_HOME", ".local/state", "history") }

// userFile is a file of the program's in the folder that a variable names, or in one below the user's home; "" where
// there is neither.
func userFile(variable, belowHome, name string) string {
	dir := os.Getenv(variable)
	if !filepath.IsAbs(dir) { // the XDG specification ignores relative paths
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, belowHome)
	}
	return filepath.Join(dir, "dns-tui", name)
}

// LoadPreferences reads the preferences file; where there is none, all is as it comes.
func LoadPreferences() (*Preferences, error) {
	p := &Preferences{&configpb.Preferences{}, PreferencesPath()}
	if p.Path != "" {
		err := caffe.ReadPrototxt(p.Path, p.Preferences)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	p.ensureDefaults()
	return p, p.Validate()
}

// DefaultPreferences are those of somebody who has set nothing.
func DefaultPreferences() *Preferences {
	p := &Preferences{Preferences: &configpb.Preferences{}}
	p.ensureDefaults()
	return p
}

// ensureDefaults writes out what is not set, so that the effective preferences can be printed.
func (p *Preferences) ensureDefaults() {
	d := p.Preferences
	d.Theme, d.Glyphs, d.Alert = d.GetTheme().Enum(), d.GetGlyphs().Enum(), d.GetAlert().Enum()
	d.Refresh, d.Mouse, d.LogScale = proto.Int32(d.GetRefresh()), proto.Bool(d.GetMouse()), proto.Bool(d.GetLogScale())
	if len(d.Plot) == 0 {
		d.Plot = []configpb.Preferences_Plot{configpb.Preferences_LOSS, configpb.Preferences_ACCURACY}
	}
}

// The bounds of refresh, in milliseconds.
const minRefresh, maxRefresh = 100, 60000

// Validate reports every value that is out of range.
func (p *Preferences) Validate() error {
	var bad []string
	if r := p.GetRefresh(); r < minRefresh || r > maxRefresh {
		bad = append(bad, fmt.Sprintf("refresh is %d, wanted %d to %d milliseconds", r, minRefresh, maxRefresh))
	}
	if n := len(p.Plot); n > 4 {
		bad = append(bad, fmt.Sprintf("%d plots, wanted at most 4", n))
	}
	for _, b := range p.Bind {
		if len(b.Key) == 0 {
			bad = append(bad, fmt.Sprintf("bind: action %q has no key", b.GetAction()))
		}
	}
	if bad == nil {
		return nil
	}
	return &caffe.FileError{Path: p.Path, Msg: strings.Join(bad, "; ")}
}

// RefreshTime is the time between two looks at the run.
func (p *Preferences) RefreshTime() time.Duration {
	return time.Duration(p.GetRefresh()) * time.Millisecond
}

// String is the preferences as the file has them.
func (p *Preferences) String() string { return caffe.FormatPrototxt(p.Preferences) }
