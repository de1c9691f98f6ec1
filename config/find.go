package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
)

// Find returns where the file is that another, near, names: as Caffe would open it, from the working folder; where it
// is not there, beside near; and where the name has a folder in it, from a folder above near, as that of a file which
// was written to be run from Caffe's own folder (net: "examples/mnist/lenet.prototxt", in examples/mnist). Where near
// is reached by a link, what it points to has these places too. elsewhere reports a file that is not where its name
// says, nor beside near, which is worth a word; where it is nowhere, path comes back.
func Find(path, near string) (found string, elsewhere bool) {
	if path == "" || filepath.IsAbs(path) || caffe.Exists(path) {
		return path, false
	}
	if beside := filepath.Join(filepath.Dir(near), path); caffe.Exists(beside) {
		return beside, false
	}
	if above := findAbove(path, filepath.Dir(near)); above != "" {
		return above, true
	}
	target, err := filepath.EvalSymlinks(near)
	if err != nil || target == filepath.Clean(near) {
		return path, false
	}
	if beside := filepath.Join(filepath.Dir(target), path); caffe.Exists(beside) {
		return beside, true
	}
	if above := findAbove(path, filepath.Dir(target)); above != "" {
		return above, true
	}
	return path, false
}

// findAbove looks for a path that has a folder in it from the folders above dir; "" where it is not there.
func findAbove(path, dir string) string {
	if !strings.Contains(strings.TrimRight(path, "/"), "/") {
		return ""
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	for up := ".."; abs != "/"; up, abs = filepath.Join(up, ".."), filepath.Dir(abs) {
		if above := filepath.Join(dir, up, path); caffe.Exists(above) {
			return above
		}
	}
	return ""
}

// Resolve is Find, without whether the file was elsewhere.
func Resolve(path, near string) string {
	found, _ := Find(path, near)
	return found
}

// FoundElsewhere says in a line that a file was found at another place than its name says.
func FoundElsewhere(path, found string) string {
	return fmt.Sprintf(
		"%s is neither in the working folder nor beside the file that names it; found as %s",
		path,
		found,
	)
}

// NotFound says where a file that near names was looked for, and of one of its name beside near.
func NotFound(path, near string) string {
	msg := fmt.Sprintf("looked for it in the working folder, beside %s, and from the folders above that", near)
	if base := filepath.Base(path); base != path {
		if beside := filepath.Join(filepath.Dir(near), base); caffe.Exists(beside) {
			msg += fmt.Sprintf("; there is %s: did you mean %q?", beside, base)
		}
	}
	return msg
}

// find is Find for a file that the solver names. Run.Found tells of it.
func (r *Run) find(path string) string {
	found, elsewhere := Find(path, r.SolverPath)
	if elsewhere {
		r.found(FoundElsewhere(path, found))
	}
	return found
}

func (r *Run) found(notice string) {
	if slices.Contains(r.Found, notice) {
		return
	}
	r.Found = append(r.Found, notice)
}

// findNet reads a net that the solver names.
func (r *Run) findNet(path string) (*caffe.NetFile, error) {
	found := r.find(path)
	f, err := caffe.ReadNetPrototxt(found)
	if err != nil && !caffe.Exists(found) && !filepath.IsAbs(path) {
		return nil, &caffe.FileError{
			Path: r.SolverPath,
			Line: caffe.FieldLine(r.SolverPath, 1, "net"),
			Msg:  fmt.Sprintf("%s: no such file; %s", path, NotFound(path, r.SolverPath)),
			Err:  err,
		}
	}
	return f, err
}

// findFolders looks for the other files that a solver names as for its nets, and for the folder of its snapshots.
func (r *Run) findFolders() {
	for i, w := range r.Solver.Weights {
		parts := strings.Split(w, ",")
		for k := range parts {
			parts[k] = r.find(parts[k])
		}
		r.Solver.Weights[i] = strings.Join(parts, ",")
	}
	p := r.Solver.GetSnapshotPrefix()
	dir, base := filepath.Split(p)
	if dir == "" {
		return
	}
	if found, elsewhere := Find(filepath.Clean(dir), r.SolverPath); elsewhere {
		r.found(fmt.Sprintf("snapshot_prefix: the folder %s is not in the working folder; found as %s", dir, found))
		r.Solver.SnapshotPrefix = proto.String(filepath.Join(found, base))
	}
}
