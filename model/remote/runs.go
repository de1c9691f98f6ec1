package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dns-tui/files"
	"dns-tui/model/session"
)

const socketExt = ".sock"

// Folder returns the folder of this user's sockets, and makes it: $DNS_TUI_RUNTIME_DIR, or /tmp/dns-tui-UID as tmux
// has it. The folder that XDG_RUNTIME_DIR names is taken away when a user's last session ends, which is when runs are
// needed that outlive it.
func Folder() (string, error) {
	dir := os.Getenv("DNS_TUI_RUNTIME_DIR")
	if dir == "" {
		dir = filepath.Join("/tmp", "dns-tui-"+strconv.Itoa(os.Getuid()))
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("the folder of active runs cannot be made: %w", err)
	}
	st, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	sys, _ := st.Sys().(*syscall.Stat_t)
	switch {
	case !st.IsDir():
		return "", fmt.Errorf("%s is not a folder; wanted one for the sockets of active runs", dir)
	case sys != nil && int(sys.Uid) != os.Getuid():
		return "", fmt.Errorf(
			"%s belongs to another user (%d); wanted a folder of your own (DNS_TUI_RUNTIME_DIR names one)",
			dir,
			sys.Uid,
		)
	case st.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("%s can be read by others (mode %o); wanted 700", dir, st.Mode().Perm())
	}
	return dir, nil
}

// maxPath is the longest path of a socket.
const maxPath = 107

func checkPath(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf(
			"%s: the path of a socket has %d bytes; at most %d are possible (DNS_TUI_RUNTIME_DIR names a shorter "+
				"folder)",
			path,
			len(path),
			maxPath,
		)
	}
	return nil
}

// RunName makes a name for a run of a solver in this process: lenet_solver-4711.
func RunName(solver string) string {
	base := files.TrimExt(filepath.Base(solver))
	base = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-', r == '.':
			return r
		}
		return '_'
	}, base)
	if len(base) > 40 {
		base = base[:40]
	}
	return base + "-" + strconv.Itoa(os.Getpid())
}

// ActiveRun is a run that can be attached to.
type ActiveRun struct {
	Name, Path string
	Pid        int
	Snapshot   *session.Snapshot
	Err        error // why it does not answer
}

// dialTimeout is how long a run may take to answer.
const dialTimeout = 3 * time.Second

// ListingName is the viewer's name under which Runs looks at runs.
const ListingName = "dns-tui runs"

// Runs lists this user's runs, by name. Sockets that nobody listens at any more are removed.
func Runs(ctx context.Context) ([]ActiveRun, error) {
	dir, err := Folder()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"+socketExt))
	if err != nil {
		return nil, err
	}
	sort.Strings(files)
	var runs []ActiveRun
	for _, f := range files {
		r := ActiveRun{Name: strings.TrimSuffix(filepath.Base(f), socketExt), Path: f}
		look, cancel := context.WithTimeout(ctx, dialTimeout)
		c, err := Dial(look, f, ClientOptions{Name: ListingName, ReadOnly: true})
		cancel()
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			os.Remove(f)
			continue
		case err != nil:
			r.Err = err
		default:
			r.Snapshot, r.Pid = c.Snapshot(), c.Pid()
			c.Close()
		}
		runs = append(runs, r)
	}
	return runs, nil
}

// Find returns the run that a person means: by its name, the beginning of one, its solver, or, where what is "", the
// only one.
func Find(runs []ActiveRun, what string) (*ActiveRun, error) {
	var found []*ActiveRun
	for i := range runs {
		r := &runs[i]
		if r.Name == what {
			return r, nil
		}
		if what == "" || strings.HasPrefix(r.Name, what) ||
			r.Snapshot != nil && (r.Snapshot.Path == what || filepath.Base(r.Snapshot.Path) == what) {
			found = append(found, r)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(runs) == 0:
		return nil, errors.New("no active runs (dns-tui runs lists them)")
	}
	var names []string
	for _, r := range found {
		names = append(names, r.Name)
	}
	if len(found) == 0 {
		for i := range runs {
			names = append(names, runs[i].Name)
		}
		return nil, fmt.Errorf("no run %q; there are: %s", what, strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("several runs are active; name one: %s", strings.Join(names, ", "))
}
