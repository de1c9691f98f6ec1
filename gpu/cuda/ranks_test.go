//go:build cuda

package cuda

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebitengine/purego"

	"dns-tui/gpu"
	"dns-tui/gpu/collective"
)

// Ranks sum by NCCL: here the emulator's, between processes of which each has an emulated GPU. It ends a process whose
// calls differ from the others', or are captured where others' are not.
func TestRanks(t *testing.T) {
	openEmulated(t, Options{Precision: FP32})
	for _, c := range []struct {
		name, work string
		ranks      int
		dead       []int
		env        []string
	}{
		{"sums", "sums", 3, nil, nil},
		{"ranks whose kernels differ", "apart", 3, nil, nil},
		{"without graphs", "bare", 2, nil, nil},
		{"in bf16", "wire", 3, nil, nil},
		{"one rank", "sums", 1, nil, nil},
		{"sizes of buckets", "buckets", 2, nil, nil},
		{"a rank that dies while others wait", "dies", 3, []int{1}, nil},
		{"a GPU that fails", "fails", 2, nil, nil},
		{"NCCL that fails by itself", "async", 2, nil, []string{"1:EMULATOR_NCCL=async"}},
		{"what is left", "closed", 2, nil, nil},
		{
			"no communicator", "join", 2, nil,
			[]string{"1:EMULATOR_NCCL=init", "WANT=rank 1 |cannot be joined|system error"},
		},
		{"no sum", "join", 3, nil, []string{"1:EMULATOR_NCCL=call", "WANT=rank 1 |cannot sum|system error"}},
		{"the same GPU", "join", 2, nil, []string{"SAME=1", "WANT=rank 1 |has the same GPU as rank 0"}},
		{
			"another version", "join", 2, nil,
			[]string{"1:EMULATOR_NCCL_VERSION=21906", "WANT=rank 1 |has NCCL 2.19.6, rank 0 NCCL 2.23.4"},
		},
		{
			"an old version", "join", 2, nil,
			[]string{"0:EMULATOR_NCCL_VERSION=21104", "WANT=rank 0 |is NCCL 2.11.4; wanted NCCL 2.12.0"},
		},
		{
			"no NCCL", "join", 2, nil, []string{
				"1:LD_LIBRARY_PATH=" + withoutNCCL(),
				"WANT=rank 1 |no NCCL (libnccl.so.2)|pip install nvidia-nccl-cu12",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := append(c.env, fmt.Sprint("EMULATOR_DEVICES=", c.ranks), "EMULATOR_THREADS=1")
			runRanks(t, c.work, c.ranks, c.dead, env...)
		})
	}
}

// Where there are several GPUs: the same, as far as no fault is asked for, and how fast sums are. `make gpu-report`
// prints the lines that begin with sums.
func TestRanksOnGPUs(t *testing.T) {
	gpus, err := Devices()
	if err != nil {
		t.Fatal(err)
	}
	n := min(len(gpus), 8)
	if n < 2 {
		t.Skip("sums: not measured, as there is 1 GPU")
	}
	for work, dead := range map[string][]int{
		"sums": nil, "apart": nil, "bare": nil, "wire": nil, "buckets": nil, "dies": {1},
	} {
		t.Run(work, func(t *testing.T) { runRanks(t, work, n, dead) })
	}
	var before string
	for range 2 {
		bits := ""
		for line := range strings.Lines(runRanks(t, "speed", n, nil)) {
			if before == "" && strings.HasPrefix(line, "sums: ") {
				t.Log(strings.TrimSpace(line))
			}
			if b, ok := strings.CutPrefix(line, "bits: "); ok {
				bits = b
			}
		}
		if bits == "" || before != "" && before != bits {
			t.Errorf("the sums of one launch have the bits %q, of the next %q", before, bits)
		}
		before = bits
	}
}

// withoutNCCL is the loader's path without the folder of NCCL.
func withoutNCCL() string {
	dirs := strings.Split(os.Getenv("LD_LIBRARY_PATH"), ":")
	return strings.Join(slices.DeleteFunc(dirs, func(d string) bool {
		_, err := os.Stat(d + "/libnccl.so.2")
		return err == nil
	}), ":")
}

// openRank returns a device that is no other's.
func openRank(t *testing.T, o Options) (*gpu.Device, *back) {
	t.Helper()
	o.NoLibraries = true
	b, err := openBack(o)
	if err != nil {
		t.Fatal(err)
	}
	d := gpu.NewDevice(b, nil)
	t.Cleanup(func() { d.Close() })
	return d, b
}

func (d *back) emulated() bool { return d.info.Name == "emulated GPU" }

// rankDevice returns the rank's device, which has joined the group.
func rankDevice(t *testing.T, g *tested, o Options) (*gpu.Device, *back) {
	t.Helper()
	o.Ordinal = g.rank
	d, b := openRank(t, o)
	if err := d.Join(g); err != nil {
		t.Fatal(err)
	}
	return d, b
}

// numbers returns what a rank has in a round, of some tensor.
func numbers(rank, round, tensor, n int) []float32 {
	v := make([]float32, n)
	k := gpu.Key{Seed: uint64(rank + 1), Stream: uint32(tensor), Iter: uint64(round)}
	for i := range v {
		v[i] = k.Uniform(i) - 0.5
	}
	return v
}

// summedNumbers returns the sum over all ranks, in their order; rounded is what becomes of each number, and of the sum.
func summedNumbers(ranks, round, tensor, n int, rounded func(float32) float32) []float32 {
	sum := make([]float32, n)
	for r := range ranks {
		for i, x := range numbers(r, round, tensor, n) {
			if r == 0 {
				sum[i] = rounded(x)
			} else {
				sum[i] += rounded(x)
			}
		}
	}
	for i, x := range sum {
		sum[i] = rounded(x)
	}
	return sum
}

func whole(x float32) float32 { return x }

// brief is bf16, to nearest, ties to even.
func brief(x float32) float32 {
	u := math.Float32bits(x)
	return math.Float32frombits((u + 0x7FFF + u>>16&1) &^ 0xFFFF)
}

// equal compares a tensor's bits.
func equal(t *testing.T, d *gpu.Device, what string, x *gpu.Tensor, want []float32) {
	t.Helper()
	within(t, d, what, x, want, 0)
}

// within compares a tensor: its bits, or where the sums are not the emulator's, which adds in the order of the ranks,
// to a difference of what is.
func within(t *testing.T, d *gpu.Device, what string, x *gpu.Tensor, want []float32, difference float64) {
	t.Helper()
	if d.Name() == "emulated GPU" {
		difference = 0
	}
	have := make([]float32, x.N)
	d.Download(have, x)
	for i, w := range want {
		if difference > 0 && math.Abs(float64(have[i]-w)) <= difference {
			continue
		}
		if math.Float32bits(have[i]) != math.Float32bits(w) {
			t.Fatalf("%s: number %d is %g, wanted %g", what, i, have[i], w)
		}
	}
}

// sizesOfSums are odd, smaller than there are ranks, and larger than what travels at once.
var sizesOfSums = []int{1, 2, 3, 7, 1000, 65537, 150_001}

// sumRounds sums tensors of one piece of memory, and one by itself, while other kernels run. Between rounds extra is
// called.
func sumRounds(
	t *testing.T,
	g *tested,
	d *gpu.Device,
	rounds int,
	rounded func(float32) float32,
	extra func(round int),
) {
	t.Helper()
	const most = 1e-5 // of float32 sums of a few numbers below 1, in any order
	total := 0
	for _, n := range sizesOfSums {
		total += n
	}
	arena, last, other, twice := tensorOf(t, d, total), tensorOf(t, d, 5), tensorOf(t, d, 1000), tensorOf(t, d, 5)
	var parts []*gpu.Tensor
	for at, i := 0, 0; i < len(sizesOfSums); i++ {
		parts = append(parts, arena.View(at, sizesOfSums[i]))
		at += sizesOfSums[i]
	}
	for round := range rounds {
		for i, x := range parts {
			d.Upload(x, numbers(g.rank, round, i, x.N))
		}
		d.Upload(last, numbers(g.rank, round, len(parts), last.N))
		d.Fill(other, float32(round))
		for i, x := range parts {
			d.Axpby(2, other, 0, other) // between sums, as a backward pass has it
			d.Power(x, 1, 1, 0, x)      // what writes it comes just before
			d.AllReduce(x, false)
			extra(10*round + i)
		}
		d.AllReduce(last, true)
		d.Axpby(0.5, other, 0, other)
		d.AwaitReduced()
		d.Axpby(2, last, 0, twice)
		if round == 2 { // the emulator goes on with the sums, but not with the kernels: waits for those are seen
			time.Sleep(60 * time.Millisecond)
		}
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
		for i, x := range parts {
			what := fmt.Sprintf("round %d, tensor %d", round, i)
			within(t, d, what, x, summedNumbers(g.size, round, i, x.N, rounded), most)
		}
		want := summedNumbers(g.size, round, len(parts), last.N, whole)
		within(t, d, "what is exact", last, want, most)
		for i := range want {
			want[i] *= 2
		}
		within(t, d, "what comes after", twice, want, 2*most)
		equal(t, d, "what is not summed", other, slices.Repeat([]float32{float32(round) * 64}, other.N))
	}
}

func rankSums(t *testing.T, g *tested) {
	d, b := rankDevice(t, g, Options{Precision: FP32})
	sumRounds(t, g, d, 4, whole, func(int) {})
	if g.size == 1 {
		return
	}
	if n := b.ranks.captured; n != 1 {
		t.Errorf("%d rounds are graphs, wanted 1", n)
	}
	if b.programs.graphs == 0 {
		t.Error("no kernels are a graph")
	}
	if n := g.entered.Load(); n != 5 { // with that of Join
		t.Errorf("the group has heard of %d rounds, wanted 5", n)
	}
	if g.waiting.Load() != 0 {
		t.Error("the group is told of a wait that does not end")
	}
	if !b.emulated() {
		return
	}
	// Join's, the first round, and the second, which is captured.
	if n, want := ncclCount(t, "emulator_sums"), int64(1+2*(len(sizesOfSums)+1)); n != want {
		t.Errorf("NCCL was called %d times, wanted %d: graphs are not launched", n, want)
	}
	if s := d.Capabilities().Sums; s != "NCCL 2.23.4 (Ring, Simple)" {
		t.Errorf("%q sums", s)
	}
}

// A rank may have other kernels, hand them over at other times, and have none of them in graphs.
func rankApart(t *testing.T, g *tested) {
	d, b := rankDevice(t, g, Options{Precision: FP32})
	mine := tensorOf(t, d, 100)
	sumRounds(t, g, d, 4, whole, func(at int) {
		switch g.rank {
		case 1:
			d.Fill(mine, float32(at)) // never the same kernels
		case 2:
			if at%3 == 0 {
				if err := d.Sync(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	if n := b.ranks.captured; n != 1 {
		t.Errorf("%d rounds are graphs, wanted 1", n)
	}
	// More rounds than are known, of tensors that come and go.
	for range maxRounds + 3 {
		x := tensorOf(t, d, 3)
		d.Fill(x, 1)
		d.AllReduce(x, true)
		d.AwaitReduced()
		equal(t, d, "a tensor that comes once", x, slices.Repeat([]float32{float32(g.size)}, 3))
		x.Mem.Free()
	}
	if len(b.ranks.rounds) != maxRounds || b.ranks.captured != 0 {
		t.Errorf(
			"%d rounds are known, %d are graphs; wanted %d and 0",
			len(b.ranks.rounds),
			b.ranks.captured,
			maxRounds,
		)
	}
}

// Where one rank waits after each kernel, no rank's sums are graphs.
func rankBare(t *testing.T, g *tested) {
	d, b := rankDevice(t, g, Options{Precision: FP32, Blocking: g.rank == 1})
	sumRounds(t, g, d, 3, whole, func(int) {})
	if b.ranks.captured != 0 {
		t.Error("a round is a graph")
	}
}

func rankWire(t *testing.T, g *tested) {
	d, b := rankDevice(t, g, Options{Precision: FP32})
	sumRounds(t, g, d, 3, brief, func(int) {})
	if b.ranks.captured != 1 {
		t.Errorf("%d rounds are graphs, wanted 1", b.ranks.captured)
	}
	x := tensorOf(t, d, 4)
	inf := float32(math.Inf(1))
	d.Upload(x, []float32{float32(math.NaN()), inf, float32(g.rank) * -inf, math.MaxFloat32})
	d.AllReduce(x, false)
	d.AwaitReduced()
	have := make([]float32, 4)
	d.Download(have, x)
	if !math.IsNaN(float64(have[0])) || have[1] != inf || !math.IsNaN(float64(have[2])) || have[3] != inf {
		t.Errorf("sums of what is not finite: %v, wanted NaN, infinity, NaN (of 0·∞), infinity", have)
	}
}

// wantFirst checks that a group has failed at rank 1, for a reason.
func wantFirst(t *testing.T, err error, reason string) {
	t.Helper()
	var e *collective.RankError
	if !errors.As(err, &e) || e.Rank != 1 || !strings.Contains(e.Reason, reason) {
		t.Errorf("the error is %v; wanted rank 1's: %s", err, reason)
	}
}

// A rank that dies leaves the others their weights, and nobody waiting.
func rankDies(t *testing.T, g *tested) {
	d, b := rankDevice(t, g, Options{Precision: FP32})
	weights, x := tensorOf(t, d, 100), tensorOf(t, d, 1000)
	for round := range 3 {
		d.Fill(weights, float32(round))
		d.Fill(x, 1)
		if round == 2 && g.rank == 1 {
			os.Exit(1)
		}
		d.AllReduce(x, true)
		d.AwaitReduced()
		mark := d.Mark()
		result := make([]float32, 1)
		d.Fetch(result, x.View(0, 1))
		after := d.Mark()
		if round < 2 {
			if err := d.Await(after); err != nil || result[0] != float32(g.size) {
				t.Fatalf("round %d: %g, %v", round, result[0], err)
			}
			continue
		}
		wantFirst(t, d.Await(mark), "has died")
		wantFirst(t, d.Await(after), "has died")
		if result[0] != 1 {
			t.Errorf("a sum that was not finished left %g, wanted 1", result[0])
		}
	}
	d.AllReduce(x, true) // does nothing
	d.AwaitReduced()
	wantFirst(t, d.Sync(), "has died")
	d.Leave()
	if err := d.Sync(); err != nil {
		t.Errorf("after Leave: %v", err)
	}
	equal(t, d, "weights", weights, slices.Repeat([]float32{2}, 100))
	if b.ranks.captured != 0 {
		t.Error("graphs of a communicator that is gone are kept")
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// A GPU that fails ends the group.
func rankFails(t *testing.T, g *tested) {
	if g.rank == 1 {
		t.Setenv("EMULATOR_FAIL", "launch:20")
	}
	d, _ := rankDevice(t, g, Options{Precision: FP32})
	x := tensorOf(t, d, 10)
	var err error
	for range 40 {
		d.Label(`layer "ip1"`)
		d.ReLU(x, x, 0)
		d.AllReduce(x, true)
		d.AwaitReduced()
		if err = d.Sync(); err != nil {
			break
		}
	}
	if g.rank == 0 {
		wantFirst(t, err, `has failed: GPU 1 (emulated GPU) failed in kernel relu of layer "ip1"`)
		return
	}
	if err == nil || !strings.Contains(err.Error(), "GPU 1 (emulated GPU) failed") {
		t.Errorf("the rank's own error is %v", err)
	}
}

// What NCCL finds out by itself ends the group, though nobody waits.
func rankAsync(t *testing.T, g *tested) {
	asyncEvery = 50 * time.Millisecond
	d, _ := rankDevice(t, g, Options{Precision: FP32})
	<-g.Failed()
	wantFirst(t, d.Sync(), "network error")
}

// Join returns the same error on all ranks, and leaves a device that works.
func rankJoin(t *testing.T, g *tested) {
	o := Options{Precision: FP32, Ordinal: g.rank}
	if os.Getenv("SAME") != "" {
		o.Ordinal = 0
	}
	d, _ := openRank(t, o)
	err := d.Join(g)
	if err == nil {
		t.Fatal("the device joins")
	}
	for want := range strings.SplitSeq(os.Getenv("WANT"), "|") {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v; wanted %q in it", err, want)
		}
	}
	x := tensorOf(t, d, 10)
	d.Fill(x, 3)
	equal(t, d, "a device that joined nobody", x, slices.Repeat([]float32{3}, 10))
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// All ranks take rank 0's size, which is measured once.
func rankBuckets(t *testing.T, g *tested) {
	bucketSizes = []int{1 << 12, 1 << 14, 1 << 16} // the emulator takes seconds for the real ones
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	d, b := rankDevice(t, g, Options{Precision: FP32, Tune: g.rank == 0})
	first := d.BucketSize()
	if !slices.Contains(bucketSizes, first) {
		t.Errorf("%d numbers are a bucket", first)
	}
	if b.ranks.captured != 0 {
		t.Error("graphs of what was measured are kept")
	}
	before := g.entered.Load()
	again := d.BucketSize()
	if again != first || g.entered.Load() != before {
		t.Errorf("measured again: %d numbers, then %d", first, again)
	}
	all, err := g.Gather([]byte(fmt.Sprint(first)))
	if err != nil || string(all[0]) != string(all[1]) {
		t.Errorf("ranks have buckets of %s, %v", all, err)
	}
}

// rankSpeed prints how fast sums are, and the bits of one.
func rankSpeed(t *testing.T, g *tested) {
	d, b := rankDevice(t, g, Options{Precision: FP32})
	sizes := bucketSizes
	if b.emulated() {
		sizes = sizes[:1]
	}
	x := tensorOf(t, d, sizes[len(sizes)-1])
	d.Upload(x, numbers(g.rank, 0, 0, x.N))
	d.AllReduce(x, true)
	d.AwaitReduced()
	sum := make([]float32, x.N)
	d.Download(sum, x)
	h := sha256.New()
	if err := binary.Write(h, binary.LittleEndian, sum); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("bits: %x\n", h.Sum(nil))
	for _, wire := range []collective.Wire{collective.Float32, collective.BFloat16} {
		b.ranks.wire = wire
		for _, n := range sizes {
			d.Fill(x, 0)
			ms := b.timeSum(x.View(0, n))
			moved := 2 * float64(g.size-1) / float64(g.size) * 4 * float64(n)
			if wire == collective.BFloat16 {
				moved /= 2
			}
			fmt.Printf("sums: %d GPUs, %s, %s, %g MiB of float32: %.3f ms, %.1f GB/s sent by each\n",
				g.size, b.ranks.lib.name(), wire, float64(n)/(1<<18), ms, moved/ms/1e6)
		}
	}
	if err := d.Sync(); err != nil {
		t.Error(err)
	}
}

func TestBestBucket(t *testing.T) {
	sizes := []int{100, 200, 400, 800}
	for _, c := range []struct {
		ms   []float64
		want int
	}{
		{[]float64{1, 1, 1, 2}, 400},   // rates 100 200 400 400
		{[]float64{1, 2, 4, 8}, 100},   // all the same
		{[]float64{1, 1.2, 2, 5}, 200}, // 100 167 200 160: the second has 0.83 of the best
		{[]float64{3}, 100},
		{nil, 0},
	} {
		if n := bestBucket(sizes, c.ms); n != c.want {
			t.Errorf("%v ms: %d, wanted %d", c.ms, n, c.want)
		}
	}
}

// Nothing is left of a device that had joined, in a context that another keeps.
func rankClosed(t *testing.T, g *tested) {
	other, _ := openRank(t, Options{Precision: FP32, Ordinal: g.rank})
	if err := other.Sync(); err != nil {
		t.Fatal(err)
	}
	objects := emulatorCount(t, 4)
	d, _ := rankDevice(t, g, Options{Precision: FP32})
	x := tensorOf(t, d, 100)
	for range 3 {
		d.AllReduce(x, true)
		d.AwaitReduced()
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if n := emulatorCount(t, 4) - objects; n != 0 {
		t.Errorf("%d objects are left of a closed device", n)
	}
	if n := ncclCount(t, "emulator_handles"); n != 0 {
		t.Errorf("%d communicators are left", n)
	}
}

// A single rank waits for nobody who does not come: Join's group may fail before NCCL has all ranks.
func TestJoinWhileOthersDie(t *testing.T) {
	d, _ := openEmulated(t, Options{Precision: FP32})
	groups := collective.InProcess(2)
	go func() { // a rank that dies in the middle of Join
		g := groups[1]
		_, _ = g.Gather([]byte(`{"NCCL":22304,"GPU":"another"}`))
		_, _ = g.Broadcast(nil)
		time.Sleep(10 * time.Millisecond)
		g.Fail("has died")
	}()
	wantFirst(t, d.Join(groups[0]), "has died")
	x := tensorOf(t, d, 10)
	d.Fill(x, 3)
	equal(t, d, "a device that joined nobody", x, slices.Repeat([]float32{3}, 10))
}

// The kernels of sums that travel in bf16, of all lengths that end within a word or a block, and numbers at the edges.
func TestWireKernels(t *testing.T) {
	d, b := openEmulated(t, Options{Precision: FP32})
	edges := []float32{
		0, float32(math.Copysign(0, -1)), 1, 1 + 1.0/256, 1 + 3.0/256, -1 - 1.0/256, math.MaxFloat32,
		math.SmallestNonzeroFloat32, float32(math.Inf(-1)), 0x1.018p0, 0x1.01p-126,
	}
	for _, n := range []int{1, 2, 7, 1023, 1024, 2049} {
		x, y := numbers(0, 0, n, n), numbers(1, 0, n, n)
		copy(x, edges)
		copy(y[n/2:], edges)
		words := (n + 1) / 2
		mine, theirs, packed := tensorOf(t, d, n), tensorOf(t, d, n), tensorOf(t, d, 2*words)
		sum, out := tensorOf(t, d, words), tensorOf(t, d, n)
		d.Upload(mine, x)
		d.Upload(theirs, y)
		blocks := func(n int) grid { return grid{(n + 1023) / 1024, 1, 1} }
		for i, v := range []*gpu.Tensor{mine, theirs} {
			launch(b, kPackBf16, blocks(words), packBf16Args{
				n: int32(n), words: int32(words), x: b.ptr(v), y: b.ptr(packed) + address(4*i*words),
			})
		}
		launch(b, kSumBf16, blocks(words), sumBf16Args{words: int32(words), parts: 2, x: b.ptr(packed), y: b.ptr(sum)})
		launch(b, kUnpackBf16, blocks(n), unpackBf16Args{n: int32(n), x: b.ptr(sum), y: b.ptr(out)})
		want := make([]float32, n)
		for i := range want {
			want[i] = brief(brief(x[i]) + brief(y[i]))
		}
		equal(t, d, fmt.Sprint(n, " numbers"), out, want)
	}
}

// emulatorCount is count of the emulator's driver.
func emulatorCount(t *testing.T, what int32) int64 {
	t.Helper()
	var count func(what int32) int64
	emulatorFunction(t, &count, "libcuda.so.1", "emulator_count")
	return count(what)
}

func ncclCount(t *testing.T, name string) int64 {
	t.Helper()
	var count func() int64
	emulatorFunction(t, &count, "libnccl.so.2", name)
	return count()
}

func emulatorFunction(t *testing.T, f any, library, name string) {
	t.Helper()
	lib, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		t.Fatal(err)
	}
	purego.RegisterLibFunc(f, lib, name)
}
