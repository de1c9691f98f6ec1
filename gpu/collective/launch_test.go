package collective

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLaunch(t *testing.T) {
	tests := []struct {
		name string
		env  string // NAME=value, by spaces
		want Place
		err  string // a part of it
	}{
		{name: "nobody", want: Place{Size: 1}},
		{name: "Open MPI", env: "OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_RANK=1",
			want: Place{Rank: 2, Size: 4, LocalRank: 1, Launcher: "Open MPI", MPI: true, family: "Open MPI"}},
		{name: "MPICH", env: "PMI_RANK=0 PMI_SIZE=3 MPI_LOCALRANKID=0",
			want: Place{Size: 3, Launcher: "MPICH", MPI: true, family: "MPICH"}},
		{name: "Kubernetes", env: "RANK=1 WORLD_SIZE=2 MASTER_ADDR=job-master-0 MASTER_PORT=23456",
			want: Place{Rank: 1, Size: 2, LocalRank: -1, Launcher: "RANK", Address: "job-master-0:23456"}},
		{name: "IPv6", env: "RANK=1 WORLD_SIZE=2 MASTER_ADDR=fd00::1 MASTER_PORT=23456",
			want: Place{Rank: 1, Size: 2, LocalRank: -1, Launcher: "RANK", Address: "[fd00::1]:23456"}},
		{name: "torchrun's own port is taken by its agent",
			env: "RANK=1 WORLD_SIZE=2 LOCAL_RANK=1 MASTER_ADDR=a MASTER_PORT=29500 TORCHELASTIC_RUN_ID=x " +
				"TORCHELASTIC_USE_AGENT_STORE=True",
			want: Place{Rank: 1, Size: 2, LocalRank: 1, Launcher: "torchrun", Address: "a:29501"}},
		{name: "torchrun in a step of Slurm",
			env: "RANK=5 WORLD_SIZE=8 LOCAL_RANK=1 TORCHELASTIC_RUN_ID=x SLURM_STEP_ID=0 SLURM_PROCID=1 " +
				"SLURM_STEP_NUM_TASKS=2 MASTER_ADDR=a MASTER_PORT=29500",
			want: Place{Rank: 5, Size: 8, LocalRank: 1, Launcher: "torchrun", Address: "a:29500"}},
		{name: "mpirun in a job of Slurm",
			env:  "SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2",
			want: Place{Rank: 1, Size: 2, LocalRank: -1, Launcher: "Open MPI", MPI: true, family: "Open MPI"}},
		{
			name: "Slurm",
			env: "SLURM_STEP_ID=2 SLURM_PROCID=3 SLURM_STEP_NUM_TASKS=4 SLURM_LOCALID=1 SLURM_JOB_ID=1234 " +
				"SLURM_STEP_NODELIST=gpu[003-004]",
			want: Place{Rank: 3, Size: 4, LocalRank: 1, Launcher: "Slurm", Address: "gpu003:18640"},
		},
		{
			name: "Slurm with an address",
			env: "SLURM_STEP_ID=2 SLURM_PROCID=3 SLURM_STEP_NUM_TASKS=4 SLURM_JOB_ID=1234 " +
				"SLURM_STEP_NODELIST=gpu[003-004] MASTER_ADDR=ib0 MASTER_PORT=1",
			want: Place{Rank: 3, Size: 4, LocalRank: -1, Launcher: "Slurm", Address: "ib0:1"},
		},
		{name: "Slurm with PMIx", env: "SLURM_STEP_ID=2 SLURM_PROCID=3 SLURM_STEP_NUM_TASKS=4 PMIX_RANK=3",
			want: Place{Rank: 3, Size: 4, LocalRank: -1, Launcher: "Slurm", MPI: true}},
		{name: "Slurm with PMI-2", env: "SLURM_STEP_ID=2 SLURM_PROCID=3 SLURM_STEP_NUM_TASKS=4 PMI_RANK=3 PMI_SIZE=4",
			want: Place{Rank: 3, Size: 4, LocalRank: -1, Launcher: "Slurm", MPI: true}},
		{name: "MPICH's mpirun in a job of Slurm",
			env:  "SLURM_STEP_ID=2 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1 PMI_RANK=3 PMI_SIZE=4 MPI_LOCALRANKID=1",
			want: Place{Rank: 3, Size: 4, LocalRank: 1, Launcher: "MPICH", MPI: true, family: "MPICH"}},
		{name: "a batch script of Slurm is no step", env: "SLURM_PROCID=0 SLURM_NTASKS=4", want: Place{Size: 1}},
		{name: "where rank 0 listens", env: "RANK=0 WORLD_SIZE=2 MASTER_ADDR=a MASTER_PORT=1 DNS_TUI_LISTEN=10.0.0.1",
			want: Place{Size: 2, LocalRank: -1, Launcher: "RANK", Address: "a:1", Listen: "10.0.0.1"}},
		{name: "an address of nobody's", env: "MASTER_ADDR=a MASTER_PORT=1", want: Place{Size: 1}},
		{name: "the same said twice", env: "PMI_RANK=1 PMI_SIZE=2 RANK=1 WORLD_SIZE=2",
			want: Place{Rank: 1, Size: 2, LocalRank: -1, Launcher: "MPICH", MPI: true, family: "MPICH"}},

		{name: "rank too large", env: "RANK=2 WORLD_SIZE=2", err: "RANK=2 and WORLD_SIZE=2: ranks count from 0 to 1"},
		{name: "rank alone", env: "RANK=2", err: "RANK=2 is set, and WORLD_SIZE is not"},
		{name: "size alone", env: "OMPI_COMM_WORLD_SIZE=2", err: "SIZE=2 is set, and OMPI_COMM_WORLD_RANK is not"},
		{name: "not a number", env: "RANK=first WORLD_SIZE=2", err: `RANK is "first": wanted a whole number from 0`},
		{name: "negative", env: "PMI_RANK=-1 PMI_SIZE=2", err: `PMI_RANK is "-1"`},
		{name: "no ranks", env: "RANK=0 WORLD_SIZE=0", err: `WORLD_SIZE is "0": wanted a whole number from 1`},
		{name: "local rank", env: "RANK=1 WORLD_SIZE=2 LOCAL_RANK=x", err: `LOCAL_RANK is "x"`},
		{name: "local rank above rank", env: "RANK=1 WORLD_SIZE=4 LOCAL_RANK=2", err: "LOCAL_RANK=2 and RANK=1"},
		{name: "two launchers", env: "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 RANK=0 WORLD_SIZE=2",
			err: "OMPI_COMM_WORLD_RANK=1 and RANK=0: two launchers"},
		{name: "port alone", env: "RANK=1 WORLD_SIZE=2 MASTER_PORT=1", err: "MASTER_ADDR is not"},
		{name: "address alone", env: "RANK=1 WORLD_SIZE=2 MASTER_ADDR=a", err: "MASTER_PORT is not"},
		{name: "no port", env: "RANK=1 WORLD_SIZE=2 MASTER_ADDR=a MASTER_PORT=70000", err: `MASTER_PORT is "70000"`},
		{name: "Slurm's nodes", env: "SLURM_STEP_ID=2 SLURM_PROCID=3 SLURM_STEP_NUM_TASKS=4 SLURM_JOB_ID=1 " +
			"SLURM_STEP_NODELIST=gpu[", err: "is no list of hosts"},
		{name: "a child without its files", env: "DNS_TUI_RANK=1 DNS_TUI_RANKS=2", err: "DNS_TUI_RANK_FILES"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := map[string]string{}
			for entry := range strings.FieldsSeq(test.env) {
				name, value, _ := strings.Cut(entry, "=")
				env[name] = value
			}
			got, err := launch(func(name string) (string, bool) {
				v, ok := env[name]
				return v, ok
			})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, wanted %q", err, test.err)
				}
				return
			}
			if err != nil || got != test.want {
				t.Fatalf("%+v, %v\nwanted %+v", got, err, test.want)
			}
		})
	}
}

func TestFirstHost(t *testing.T) {
	for list, want := range map[string]string{
		"node1": "node1", "node1,node2": "node1", "gpu[003-009,12],login": "gpu003", "a[1,2]b[3-4]": "a1b3",
		"a[7]": "a7", "": "", "[]": "", "a[1": "", "a]": "",
	} {
		if got, err := firstHost(list); got != want || (err == nil) == (want == "") {
			t.Errorf("%q: %q, %v; wanted %q", list, got, err, want)
		}
	}
}

func TestSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("  0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ text, file, want, err string }{
		{},
		{text: "0123456789abcdef", want: "0123456789abcdef"},
		{file: file, want: "0123456789abcdef"},
		{text: "short", err: "5 characters"},
		{text: "0123456789abcdef", file: file, err: "both set"},
		{file: file + "s", err: "DNS_TUI_SECRET_FILE: open"},
		{file: os.DevNull, err: "is empty"},
	} {
		t.Setenv(envSecret, test.text)
		t.Setenv(envSecretFile, test.file)
		got, err := secret()
		if string(got) != test.want || test.err == "" && err != nil ||
			test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
	}
}
