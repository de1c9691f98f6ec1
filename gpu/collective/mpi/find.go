package mpi

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/ebitengine/purego"
)

// EnvLibrary names the library to use.
const EnvLibrary = "DNS_TUI_MPI"

// The libraries' names by family of launcher, in the order in which they are tried. Those without a folder are looked
// for where the loader does. Debian calls MPICH's libmpich, others libmpi; libmpi_abi has the standard ABI, of either
// family.
var names = map[string][]string{
	"MPICH":    {"libmpi_abi.so.1", "libmpi.so.12", "libmpich.so.12"},
	"Open MPI": {"libmpi.so.40", "libmpi_abi.so.1"},
	"":         {"libmpi_abi.so.1", "libmpi.so.40", "libmpi.so.12", "libmpich.so.12"},
}

// candidates are where a library for a family may be: what the user says; beside the launcher that started this
// process, whose protocol it then speaks; where installations say that they are; the loader's path.
func candidates(family string) []string {
	if path := os.Getenv(EnvLibrary); path != "" {
		return []string{path}
	}
	wanted, ok := names[family]
	if !ok {
		wanted = names[""]
	}
	var folders []string
	for _, exe := range ancestors() {
		prefix := filepath.Dir(filepath.Dir(exe))
		folders = append(folders, filepath.Join(prefix, "lib"), filepath.Join(prefix, "lib64"))
	}
	for _, root := range []string{"I_MPI_ROOT", "OPAL_PREFIX", "MPI_HOME", "MPI_ROOT"} {
		if prefix := os.Getenv(root); prefix != "" {
			folders = append(folders, filepath.Join(prefix, "lib"), filepath.Join(prefix, "lib", "release"),
				filepath.Join(prefix, "lib64"))
		}
	}
	var paths []string
	for _, folder := range folders {
		for _, name := range wanted {
			if path := filepath.Join(folder, name); exists(path) && !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	// Where Debian and Red Hat put them beside what the loader knows.
	machine := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]
	paths = append(paths, wanted...)
	for _, name := range wanted {
		for _, pattern := range []string{"/usr/lib/" + machine + "/*/lib/", "/usr/lib64/*/lib/"} {
			found, _ := filepath.Glob(pattern + name)
			paths = append(paths, found...)
		}
	}
	return paths
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// ancestors are the programs above this process that are a launcher's: mpirun's own, or its proxy on this machine.
func ancestors() []string {
	var all []string
	for pid, up := os.Getppid(), 0; pid > 1 && up < 6; up++ {
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && launches(filepath.Base(exe)) {
			all = append(all, exe)
		}
		pid = parent(pid)
	}
	return all
}

// launches says whether a program is one that starts ranks.
func launches(name string) bool {
	for _, part := range []string{"mpirun", "mpiexec", "hydra", "orterun", "orted", "prterun", "prted"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// parent returns a process's parent, or 0.
func parent(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in parentheses, may have anything in it.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(fields[1])
	return n
}

// load loads the first library that is there.
func load(family string) (*library, error) {
	var first error
	tried := candidates(family)
	for _, path := range tried {
		// Open MPI's parts, which it loads itself, look for its symbols among all that are loaded.
		handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err != nil {
			// What is there and does not load says more than what is not.
			if first == nil || exists(path) {
				first = err
			}
			continue
		}
		return bind(path, handle)
	}
	kind := family
	if kind == "" {
		kind = "MPI"
	}
	debian := "libopenmpi3"
	if family == "MPICH" {
		debian = "libmpich12"
	}
	return nil, fmt.Errorf("no library of %s (%s): %v; %s names one (Debian: apt-get install %s), "+
		"and DNS_TUI_ENGINE=tcp, with MASTER_ADDR and MASTER_PORT, needs none", kind,
		strings.Join(tried, ", "), first, EnvLibrary, debian)
}
