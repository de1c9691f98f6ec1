package collective

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// envUnder has TestUnderLauncher be one of a launcher's ranks.
const envUnder = "COLLECTIVE_TEST_UNDER"

// TestUnderLauncher is what a rank does that a launcher started: all sums, messages and calls of the suite.
func TestUnderLauncher(t *testing.T) {
	wire := BFloat16
	switch os.Getenv(envUnder) {
	case "":
		t.Skip("is what other tests start")
	case "float32":
		wire = Float32
	}
	place, err := Launch()
	if err != nil {
		t.Fatal(err)
	}
	g, err := Open(place, Options{Wire: wire})
	if err != nil {
		t.Fatal(err)
	}
	sumAll(t, g, append(sumSizes, 3*mpiPiece+1, 7*mpiPiece+5), wire)
	if b, err := g.Broadcast(pattern(3<<20, 1)); err != nil || string(b) != string(pattern(3<<20, 1)) {
		t.Errorf("broadcast: %v", err)
	}
	if wire == Float32 {
		callAll(t, g, []int{0, 0, 2, 0, 1, 3, 0, 0, 0}, []int{5, 0, 100, 3 * chunkSize, 0, 70000, 1, 17, 2 * chunkSize})
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	report(place.Rank, g.Engine())
}

// mpiruns are the launchers of this machine, with what they take to start ranks on few cores, and to leave the others
// alone when one dies.
var mpiruns = []struct {
	name, engine string
	flags        []string
}{
	{
		"mpirun.openmpi",
		"Open MPI ",
		[]string{"--oversubscribe", "--bind-to", "none", "--mca", "orte_enable_recovery", "1"},
	},
	{"mpirun.mpich", "MPICH ", []string{"-disable-auto-cleanup"}},
}

// mpirun starts n ranks of this test binary, and returns what they reported, and the launcher's output.
type mpirun func(t *testing.T, n int, env []string, args ...string) (reported []string, output string)

// eachMPI runs f with every mpirun of this machine.
func eachMPI(t *testing.T, f func(t *testing.T, engine string, run mpirun)) {
	for _, m := range mpiruns {
		t.Run(m.name, func(t *testing.T) {
			if testing.Short() || raced {
				t.Skip("starts processes of its own, of bounded memory")
			}
			path, err := exec.LookPath(m.name)
			if err != nil {
				t.Skipf("%s is not installed (make mpi)", m.name)
			}
			f(t, m.engine, func(t *testing.T, n int, env []string, args ...string) ([]string, string) {
				return start(t, path, n, slices.Concat(m.flags, []string{os.Args[0]}, args), env)
			})
		})
	}
}

// start starts ranks by an mpirun, whose memory is bounded: that of Open MPI 4.1.4 was seen to allocate all there is, a
// time in some dozens, before it had started anything. Then it is started again.
func start(t *testing.T, path string, n int, args, env []string) ([]string, string) {
	for try := 1; ; try++ {
		folder := t.TempDir()
		bounded := []string{"-c", `ulimit -v 12000000; exec "$0" "$@"`, path, "-n", fmt.Sprint(n)}
		c := exec.Command("sh", append(bounded, args...)...)
		c.Env = append(append(os.Environ(), envReports+"="+folder, "OMPI_ALLOW_RUN_AS_ROOT=1",
			"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"), env...)
		out, err := c.CombinedOutput() // a rank that is to fail has mpirun fail, too: the ranks report
		said := reports(t, folder, n)
		if err == nil || try == 3 || strings.Join(said, "") != "" {
			return said, string(out)
		}
		t.Logf("no rank was heard of: %v: %s", err, out)
	}
}

func TestMPI(t *testing.T) {
	eachMPI(t, func(t *testing.T, engine string, run mpirun) {
		for _, n := range []int{2, 3} {
			for _, wire := range []string{"float32", "bf16"} {
				said, out := run(t, n, []string{envUnder + "=" + wire}, "-test.run=^TestUnderLauncher$")
				for r, text := range said {
					if !strings.HasPrefix(text, engine) {
						t.Errorf("rank %d of %d, %s: %q\n%s", r, n, wire, text, out)
					}
				}
			}
		}
	})
}

// TestMPIFails has a rank die or fail under mpirun: the others end with one error that names it, unless mpirun has
// ended them before they could say so, as some do when the first has ended.
func TestMPIFails(t *testing.T) {
	eachMPI(t, func(t *testing.T, engine string, run mpirun) {
		for play, want := range map[string]string{
			"1 dies": "rank 1 (", "0 dies": "rank 0 (", "2 fails": "has a disk that is full",
		} {
			said, out := run(t, 3, []string{envPlay + "=" + play})
			first := ""
			for r, text := range said {
				if first == "" {
					first = text
				}
				if text != "" &&
					(!strings.HasPrefix(text, "ended: rank ") || !strings.Contains(text, want) || text != first) {
					t.Errorf("%s: rank %d says %q, another %q\n%s", play, r, text, first, out)
				}
			}
			if first == "" && !(engine == "MPICH " && strings.HasSuffix(play, "dies")) {
				t.Errorf("%s: no rank says anything\n%s", play, out)
			}
		}
	})
}

// TestMPIOfAnother has a library that does not know the launcher.
func TestMPIOfAnother(t *testing.T) {
	libraries := map[string]string{"Open MPI ": "libmpich.so.12", "MPICH ": "libmpi.so.40"}
	eachMPI(t, func(t *testing.T, engine string, run mpirun) {
		for library, want := range map[string]string{
			libraries[engine]:         "does not know it: DNS_TUI_MPI must name a library of " + engine[:4],
			"/nowhere/libmpi.so.none": "/nowhere/libmpi.so.none: cannot open shared object file",
			"libc.so.6":               "libc.so.6 has no MPI_",
		} {
			said, out := run(t, 2, []string{envPlay + "=adds", "DNS_TUI_MPI=" + library})
			if strings.Contains(said[0], "cannot open shared object") && library == libraries[engine] {
				t.Logf("%s is not installed", library)
				continue
			}
			// The launcher ends the others when the first has ended.
			if text := said[0] + said[1]; !strings.Contains(text, "no group: ") || !strings.Contains(text, want) {
				t.Errorf("%s: %q, wanted %q\n%s", library, said, want, out)
			}
		}
	})
}
