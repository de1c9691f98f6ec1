package session

import (
	"maps"
	"os"
	"path/filepath"
	"slices"

	"dns-tui/caffe"
	"dns-tui/model/solver"
)

// RestorePoint is a snapshot that the run can go back to.
type RestorePoint struct {
	Path string `json:"path"`
	Iter int    `json:"iter"`
	Why  string `json:"why,omitempty"`
	// written before a risky change or before going back; only the last few are kept
	Guard    bool    `json:"guard,omitempty"`
	Left     bool    `json:"left,omitempty"` // of a course that the run has left by going back
	Smoothed float64 `json:"loss"`
	Accuracy float64 `json:"accuracy"` // of the last test before it; -1 where there was none
	Kept     int     `json:"kept"`
	Total    int     `json:"total"`

	revision revision
}

// revision tells the snapshots of a process apart: an iteration can have several, with changes between them.
type revision struct {
	course  int // counts how often the run went back
	iter    int
	version int // counts changes and surgeries asked for; -1 where that is not known
	masks   int // the version of the last surgery that was asked for
}

// maxRestorePoints bounds the restore points that a run remembers.
const maxRestorePoints = 200

// restorePoints are the snapshots that a run can go back to, oldest first, and which of them its course leads over.
// Lists that were handed out are never changed.
type restorePoints struct {
	list     []RestorePoint
	left     map[string]bool  // base names of the solverstates that going back left behind
	here     revision         // but for the iteration
	versions int              // of the last change
	courses  int              // how often the run went back
	origins  map[int]revision // where a course began
	returnTo returnPoint
}

// returnPoint says how the last going back can be undone.
type returnPoint struct {
	from revision
	path string
}

func newRestorePoints() restorePoints {
	return restorePoints{left: map[string]bool{}, origins: map[int]revision{}}
}

// edited counts a change of settings, of what waits or is planned, or of masks.
func (r *restorePoints) edited() {
	r.versions++
	r.here.version = r.versions
}

// operated counts a surgery that was asked for.
func (r *restorePoints) operated() {
	r.edited()
	r.here.masks = r.here.version
}

// now is where the run stands: on the course that it went back to, until something happens.
func (r *restorePoints) now(iter int) revision {
	r.here.iter = iter
	rev := r.here
	for {
		o, ok := r.origins[rev.course]
		if !ok || o.iter != rev.iter || o.version != rev.version {
			break
		}
		rev = o
	}
	return rev
}

// passed reports whether the course of the run leads over a revision.
func (r *restorePoints) passed(m revision, iter int) bool {
	for rev, more := r.now(iter), true; more; rev, more = r.origins[rev.course] {
		if m.course == rev.course {
			return m.iter < rev.iter || m.iter == rev.iter && m.version <= rev.version
		}
	}
	return false
}

// add lists a restore point, in place of one of the same file.
func (r *restorePoints) add(s RestorePoint) {
	list := slices.DeleteFunc(slices.Clone(r.list), func(o RestorePoint) bool { return o.Path == s.Path })
	if len(list) >= maxRestorePoints {
		list = list[1:]
	}
	r.list = append(list, s)
}

// written lists a snapshot that was written now.
func (r *restorePoints) written(s RestorePoint) {
	s.revision = r.now(s.Iter)
	r.add(s)
	delete(r.left, filepath.Base(s.Path))
}

// find lists what is on disk of the run's past: the restore points that its journal tells of, and those at its prefix
// that no journal knows. snapshot is what the run resumes from; "" is a run that begins.
func (r *restorePoints) find(past *Course, prefix, snapshot string, iter int) {
	rev, from := r.now(iter), filepath.Base(snapshot)
	add := func(s RestorePoint) {
		if _, err := os.Stat(s.Path); err != nil || s.Iter > rev.iter && !s.Left {
			return
		}
		s.revision = revision{iter: s.Iter, version: -1, masks: -1}
		if s.Left {
			s.revision.course = -1
		} else if filepath.Base(s.Path) == from {
			s.revision = rev
		}
		r.add(s)
	}
	if past == nil {
		past = &Course{}
	}
	if past.Left != nil {
		r.left = past.Left
	}
	if snapshot == "" {
		return // begun anew: what is there is another run's
	}
	known := map[string]bool{}
	for _, s := range past.Saved {
		known[filepath.Base(s.Path)] = true
	}
	files, _ := solver.Snapshots(prefix) // the folder was written to
	slices.Reverse(files)
	for _, f := range files { // before the run's own, of which the last is where going back leads
		if name := filepath.Base(f.Path); !known[name] {
			add(RestorePoint{Path: f.Path, Iter: f.Iter, Why: "found beside the run", Left: r.left[name], Accuracy: -1})
		}
	}
	for _, s := range past.Saved {
		s.Left = past.Left[filepath.Base(s.Path)]
		add(s)
	}
}

// guarded reports whether a snapshot of this iteration, with the masks of now, is there. What was set since then can be
// undone without it.
func (r *restorePoints) guarded(iter int) bool {
	here := r.now(iter)
	return slices.ContainsFunc(r.list, func(s RestorePoint) bool {
		return !s.Left && s.revision.iter == here.iter && s.revision.masks == here.masks
	})
}

// present is the snapshot of this very revision; "" where there is none.
func (r *restorePoints) present(iter int) string {
	here := r.now(iter)
	for _, s := range r.list {
		if s.revision == here && caffe.Exists(s.Path) {
			return s.Path
		}
	}
	return ""
}

// dropGuards removes the oldest snapshots that nobody asked for, but for the last few and keep.
func (r *restorePoints) dropGuards(few int, keep string) {
	n := 0
	for _, s := range r.list {
		if s.Guard {
			n++
		}
	}
	list := make([]RestorePoint, 0, len(r.list))
	for _, s := range r.list {
		if s.Guard && n > max(1, few) && s.Path != keep {
			n--
			_ = os.Remove(s.Path) // what cannot be removed stays, and does no harm
			_ = os.Remove(solver.WeightsName(s.Path))
			continue
		}
		list = append(list, s)
	}
	r.list = list
}

// lastGood is the restore point that going back without a name means: the one that was left by going back, where
// nothing happened since; else the last one before what is now. nil where there is none.
func (r *restorePoints) lastGood(iter int) *RestorePoint {
	here := r.now(iter)
	returns := r.returnTo.path != "" && r.returnTo.from == here
	var last *RestorePoint
	for i := range r.list {
		switch s := &r.list[i]; {
		case returns && s.Path == r.returnTo.path:
			return s
		case !s.Left && (s.Iter < here.iter || s.revision != here):
			last = s
		}
	}
	return last
}

// leaveCourse makes a restore point the revision at which the run stands, and marks those of the course that it left.
func (r *restorePoints) leaveCourse(path, prefix string, iter int) {
	rev := revision{course: r.here.course, iter: iter, version: -1, masks: -1}
	known := map[string]bool{}
	for _, s := range r.list {
		known[s.Path] = true
		if s.Path == path {
			rev = s.revision
		}
	}
	r.courses++
	r.origins[r.courses] = rev
	r.here = revision{r.courses, iter, rev.version, rev.masks}
	list := slices.Clone(r.list)
	for i := range list {
		s := &list[i]
		s.Left = !r.passed(s.revision, iter)
		if name := filepath.Base(s.Path); s.Left {
			r.left[name] = true
		} else {
			delete(r.left, name)
		}
	}
	files, _ := solver.Snapshots(prefix) // the folder was written to
	for _, f := range files {
		if f.Iter > iter && !known[f.Path] { // of a run before this one
			r.left[filepath.Base(f.Path)] = true
		}
	}
	r.list = list
}

// view is the list as it is now.
func (r *restorePoints) view() []RestorePoint { return r.list }

// setReturn has going back once more return to a snapshot, as long as nothing happens.
func (r *restorePoints) setReturn(iter int, path string) { r.returnTo = returnPoint{r.now(iter), path} }

// names are the names of the solverstates that are left behind, in order.
func (r *restorePoints) names() []string { return slices.Sorted(maps.Keys(r.left)) }

// guardOf is the snapshot of a path, where nobody asked for it.
func (r *restorePoints) guardOf(path string) (RestorePoint, bool) {
	i := slices.IndexFunc(r.list, func(s RestorePoint) bool { return s.Path == path && s.Guard })
	if i < 0 {
		return RestorePoint{}, false
	}
	return r.list[i], true
}
