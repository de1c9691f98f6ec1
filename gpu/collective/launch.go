package collective

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// Place is a process's place among the ranks of a run, as who started it says.
type Place struct {
	Rank, Size int
	// LocalRank counts among the ranks of this machine; -1 where nobody says.
	LocalRank int
	// Launcher is who says so: "Open MPI", "MPICH", "Slurm", "torchrun", "RANK", "dns-tui"; empty where nobody does,
	// and the process is alone.
	Launcher string
	// Address is where rank 0 listens for the others, host:port; empty where nobody says.
	Address string
	// Listen is what rank 0 listens at where that is not Address: what a service's name leads to is no address of the
	// machine itself.
	Listen string
	// MPI says that the launcher is one of MPI's, or offers what MPI libraries start from.
	MPI bool

	family string       // which MPI libraries know the launcher: "Open MPI", "MPICH"; empty: not known
	socket net.Listener // of rank 0, where it listens already
	local  *localEnds   // rank 0's or a child's, of ranks that StartLocal started
}

// Alone says that no other ranks were started.
func (p Place) Alone() bool { return p.Size <= 1 }

// The environment's variables that are this program's own.
const (
	envSecret     = "DNS_TUI_SECRET"
	envSecretFile = "DNS_TUI_SECRET_FILE"
	envListen     = "DNS_TUI_LISTEN"
	envEngine     = "DNS_TUI_ENGINE"
	envRank       = "DNS_TUI_RANK"
	envRanks      = "DNS_TUI_RANKS"
	envFiles      = "DNS_TUI_RANK_FILES"
)

// A launcher is how one of them says who is who.
type launcher struct {
	name              string
	rank, size        string // variables
	local             string // may be missing
	sign              string // a variable without which the others are somebody else's; empty: none
	mpi               bool
	family            string
	confirm, confirm2 string // variables that must say the same where both are there
}

// The launchers in the order in which they are believed: what runs inside of another comes first. torchrun's workers
// may stand in a step of Slurm, mpirun's too, whose daemons have variables of Slurm of their own.
var launchers = []launcher{
	{name: "dns-tui", rank: envRank, size: envRanks, local: envRank},
	{name: "torchrun", rank: "RANK", size: "WORLD_SIZE", local: "LOCAL_RANK", sign: "TORCHELASTIC_RUN_ID"},
	{name: "Open MPI", rank: "OMPI_COMM_WORLD_RANK", size: "OMPI_COMM_WORLD_SIZE", local: "OMPI_COMM_WORLD_LOCAL_RANK",
		mpi: true, family: "Open MPI", confirm: "RANK", confirm2: "WORLD_SIZE"},
	{name: "MPICH", rank: "PMI_RANK", size: "PMI_SIZE", local: "MPI_LOCALRANKID",
		mpi: true, family: "MPICH", confirm: "RANK", confirm2: "WORLD_SIZE"},
	{name: "RANK", rank: "RANK", size: "WORLD_SIZE", local: "LOCAL_RANK"},
	{name: "Slurm", rank: "SLURM_PROCID", size: "SLURM_STEP_NUM_TASKS", local: "SLURM_LOCALID", sign: "SLURM_STEP_ID"},
}

// Launch reads this process's place from the environment. It is called once: what a parent of ours handed down is taken
// out of the environment, as it is not for this process's own children.
func Launch() (Place, error) {
	p, err := launch(os.LookupEnv)
	for _, name := range []string{envRank, envRanks, envFiles} {
		_ = os.Unsetenv(name)
	}
	return p, err
}

func launch(lookup func(string) (string, bool)) (Place, error) {
	get := func(name string) string {
		v, _ := lookup(name)
		return v
	}
	for _, l := range launchers {
		if l.sign != "" && get(l.sign) == "" || get(l.rank) == "" && get(l.size) == "" {
			continue
		}
		p := Place{Launcher: l.name, LocalRank: -1, MPI: l.mpi, family: l.family}
		if err := l.read(get, &p); err != nil {
			return Place{}, err
		}
		if l.name == "dns-tui" {
			ends, err := inherited(get(envFiles))
			if err != nil {
				return Place{}, err
			}
			p.local = ends
			return p, nil
		}
		switch {
		case l.name == "Slurm" && get("PMIX_RANK") != "": // srun --mpi=pmix: the libraries start from that
			p.MPI = true
		case l.name == "MPICH" && get("SLURM_STEP_ID") != "" && get(l.local) == "": // srun --mpi=pmi2: of either family
			p.Launcher, p.family = "Slurm", ""
		}
		return p, p.address(get)
	}
	return Place{Size: 1, LocalRank: 0}, nil
}

// read fills in the numbers.
func (l *launcher) read(get func(string) string, p *Place) error {
	number := func(name string, least int) (int, error) {
		text := get(name)
		if text == "" {
			other := l.rank
			if name == l.rank {
				other = l.size
			}
			return 0, fmt.Errorf("%s=%s is set, and %s is not: a launcher sets both", other, get(other), name)
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < least {
			return 0, fmt.Errorf("%s is %q: wanted a whole number from %d", name, text, least)
		}
		return n, nil
	}
	var err error
	if p.Rank, err = number(l.rank, 0); err != nil {
		return err
	}
	if p.Size, err = number(l.size, 1); err != nil {
		return err
	}
	if p.Rank >= p.Size {
		return fmt.Errorf("%s=%d and %s=%d: ranks count from 0 to %d", l.rank, p.Rank, l.size, p.Size, p.Size-1)
	}
	if get(l.local) != "" {
		if p.LocalRank, err = number(l.local, 0); err != nil {
			return err
		}
		if p.LocalRank > p.Rank {
			return fmt.Errorf("%s=%d and %s=%d: a machine has no more ranks than came before", l.local, p.LocalRank,
				l.rank, p.Rank)
		}
	}
	for mine, other := range map[string]string{l.rank: l.confirm, l.size: l.confirm2} {
		if other != "" && get(other) != "" && get(l.confirm) != "" && get(l.confirm2) != "" && get(mine) != get(other) {
			return fmt.Errorf("%s=%s and %s=%s: two launchers that say different things; unset one's variables",
				mine, get(mine), other, get(other))
		}
	}
	return nil
}

// address fills in where rank 0 is found.
func (p *Place) address(get func(string) string) error {
	p.Listen = get(envListen)
	host, port := get("MASTER_ADDR"), get("MASTER_PORT")
	switch {
	case host == "" && port == "":
		if p.Launcher == "Slurm" && !p.MPI {
			return p.slurmAddress(get)
		}
		return nil
	case host == "":
		return fmt.Errorf("MASTER_PORT=%s is set, and MASTER_ADDR is not: rank 0 listens at both", port)
	case port == "":
		return fmt.Errorf("MASTER_ADDR=%s is set, and MASTER_PORT is not: rank 0 listens at both", host)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("MASTER_PORT is %q: wanted a port, 1 to 65535", port)
	}
	// torchrun's agent listens at MASTER_PORT itself.
	if get("TORCHELASTIC_USE_AGENT_STORE") == "True" {
		if n++; n > 65535 {
			return fmt.Errorf(
				"MASTER_PORT is %s, where torchrun listens: the ranks meet at the port after it, which there is not",
				port,
			)
		}
	}
	p.Address = net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(n))
	return nil
}

// slurmAddress makes an address of a step's nodes, of which the first has rank 0, and a port of the job's number, so
// that two jobs on one machine do not meet.
func (p *Place) slurmAddress(get func(string) string) error {
	nodes := get("SLURM_STEP_NODELIST")
	if nodes == "" {
		return nil
	}
	host, err := firstHost(nodes)
	if err != nil {
		return fmt.Errorf("SLURM_STEP_NODELIST: %v; MASTER_ADDR and MASTER_PORT say where rank 0 listens", err)
	}
	job, err := strconv.Atoi(get("SLURM_JOB_ID"))
	if err != nil || job < 0 {
		return fmt.Errorf("SLURM_JOB_ID is %q: wanted a number; MASTER_ADDR and MASTER_PORT say where rank 0 listens",
			get("SLURM_JOB_ID"))
	}
	step, _ := strconv.Atoi(get("SLURM_STEP_ID")) // steps of one job may run beside each other
	p.Address = net.JoinHostPort(host, strconv.Itoa(10000+(job*7+step)%20000))
	return nil
}

// firstHost is the first of Slurm's list of hosts: "gpu[003-009,12],login" has gpu003.
func firstHost(list string) (string, error) {
	bad := fmt.Errorf("%q is no list of hosts", list)
	var host strings.Builder
	for i := 0; i < len(list) && list[i] != ','; i++ {
		if list[i] != '[' {
			host.WriteByte(list[i])
			continue
		}
		end := strings.IndexByte(list[i:], ']')
		if end < 0 {
			return "", bad
		}
		inside := list[i+1 : i+end]
		first := inside
		if cut := strings.IndexAny(inside, ",-"); cut >= 0 {
			first = inside[:cut]
		}
		if first == "" {
			return "", bad
		}
		host.WriteString(first)
		i += end
	}
	if host.Len() == 0 || strings.ContainsAny(host.String(), "] \t") {
		return "", bad
	}
	return host.String(), nil
}

// secret is what ranks of other machines must know.
func secret() ([]byte, error) {
	text, file := os.Getenv(envSecret), os.Getenv(envSecretFile)
	if text != "" && file != "" {
		return nil, fmt.Errorf("%s and %s are both set: one says the secret", envSecret, envSecretFile)
	}
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %v", envSecretFile, err)
		}
		if text = strings.TrimSpace(string(b)); text == "" {
			return nil, fmt.Errorf("%s: %s is empty", envSecretFile, file)
		}
	}
	if text != "" && len(text) < 16 {
		return nil, fmt.Errorf("the secret of %s has %d characters: wanted 16 or more (openssl rand -hex 32 makes one)",
			map[bool]string{true: envSecretFile, false: envSecret}[file != ""], len(text))
	}
	return []byte(text), nil
}
