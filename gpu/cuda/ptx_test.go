//go:build cuda

package cuda_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
)

// emulator is the driver that runs PTX on the processor (gpu/cuda/emulator/ptx), called as it is.
type emulator struct {
	initialise func(flags uint32) int32
	retain     func(c *uintptr, device int32) int32
	release    func(device int32) int32
	enter      func(c uintptr) int32
	alloc      func(p *uintptr, bytes uintptr) int32
	download   func(to unsafe.Pointer, from uintptr, bytes uintptr) int32
	load       func(m *uintptr, text string) int32
	function   func(f *uintptr, m uintptr, name string) int32
	launch     func(f uintptr, gx, gy, gz, x, y, z, shared uint32, stream uintptr, params, extra unsafe.Pointer) int32
	wait       func() int32
	fault      func() string
	unreached  func() string // names of kernels that were loaded and have never run, a line each
	conflicts  func() string // of kernels that ran: name, accesses to shared memory, cycles lost in its banks
}

// ptxEmulator finds it; nil where the driver is another.
func ptxEmulator() *emulator {
	lib, err := purego.Dlopen("libcuda.so.1", purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil
	}
	if _, err := purego.Dlsym(lib, "emulator_unreached"); err != nil {
		return nil
	}
	e := &emulator{}
	for name, f := range map[string]any{
		"cuInit": &e.initialise, "cuDevicePrimaryCtxRetain": &e.retain, "cuDevicePrimaryCtxRelease_v2": &e.release,
		"cuCtxSetCurrent": &e.enter, "cuMemAlloc_v2": &e.alloc, "cuMemcpyDtoH_v2": &e.download,
		"cuModuleLoadData":    &e.load,
		"cuModuleGetFunction": &e.function, "cuLaunchKernel": &e.launch, "cuCtxSynchronize": &e.wait,
		"emulator_fault": &e.fault, "emulator_unreached": &e.unreached,
		"emulator_conflicts": &e.conflicts,
	} {
		purego.RegisterLibFunc(f, lib, name)
	}
	return e
}

// withoutConflicts are the kernels whose warps never wait for a bank of shared memory: products on tensor cores that
// are copied there in chunks, and the large tiles of float32.
var withoutConflicts = regexp.MustCompile(
	`^((staged_gemm|nhwc_conv)_\w+|(gemm_..|conv|conv_backward_data|conv_backward_weights)_128) `,
)

// Every kernel that ships has run when all tests have, and none of those lost a cycle.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	whole := flag.Lookup("test.run").Value.String() == "" && !testing.Short()
	if e := ptxEmulator(); e != nil && whole && code == 0 {
		if names := strings.Fields(e.unreached()); len(names) > 0 {
			fmt.Fprintf(os.Stderr, "no test runs these kernels: %s\n", strings.Join(names, " "))
			code = 1
		}
		for line := range strings.Lines(e.conflicts()) {
			if withoutConflicts.MatchString(line) && !strings.HasSuffix(line, " 0\n") {
				fmt.Fprintf(os.Stderr, "kernel, accesses to shared memory, cycles lost in its banks: %s", line)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// ptxFrame is a kernel around the lines of a test: thread t leaves %r0 in out[t].
const ptxFrame = `.version 7.8
.target sm_80
.address_size 64
.visible .entry test(.param .u64 out)
.maxntid 64, 1, 1
{
.reg .pred %%p<9>; .reg .b16 %%rs<9>; .reg .b32 %%r<99>; .reg .f32 %%f<99>; .reg .b64 %%rd<9>; .reg .f64 %%fd<9>;
.shared .align 8 .b8 left[256];
.shared .align 1 .u8 byte;
ld.param.u64 %%rd1, [out];
mov.u32 %%r1, %%tid.x;
mul.wide.u32 %%rd2, %%r1, 4;
add.s64 %%rd3, %%rd1, %%rd2; // where this thread's number goes
mov.u32 %%r2, left;
shl.b32 %%r3, %%r1, 2;
add.s32 %%r2, %%r2, %%r3; // this thread's word of left
%s
st.global.u32 [%%rd3], %%r0;
ret;
}
`

// firstLine is that of a test's lines in ptxFrame.
const firstLine = 17

// run runs the kernel with 64 threads, and returns what they leave, or what went wrong.
func (e *emulator) run(t *testing.T, lines string) (out []uint32, fault string) {
	t.Helper()
	runtime.LockOSThread() // whose context it is
	defer runtime.UnlockOSThread()
	ok := func(what string, status int32) {
		t.Helper()
		if status != 0 {
			t.Fatalf("%s: CUDA error %d", what, status)
		}
	}
	var context, memory, module, f uintptr
	ok("cuInit", e.initialise(0))
	ok("cuDevicePrimaryCtxRetain", e.retain(&context, 0))
	defer e.release(0)
	ok("cuCtxSetCurrent", e.enter(context))
	if e.load(&module, fmt.Sprintf(ptxFrame, lines)) != 0 {
		return nil, e.fault()
	}
	ok("cuModuleGetFunction", e.function(&f, module, "test"))
	out = make([]uint32, 64)
	bytes := uintptr(4 * len(out))
	ok("cuMemAlloc", e.alloc(&memory, bytes))
	params := []unsafe.Pointer{unsafe.Pointer(&memory)}
	ok("cuLaunchKernel", e.launch(f, 1, 1, 1, 64, 1, 1, 0, 0, unsafe.Pointer(&params[0]), nil))
	if e.wait() != 0 {
		return nil, e.fault()
	}
	ok("cuMemcpyDtoH", e.download(unsafe.Pointer(&out[0]), memory, bytes))
	return out, ""
}

// What instructions do, by thread.
func TestPTXInstructions(t *testing.T) {
	e := ptxEmulator()
	if e == nil {
		t.Skip("the driver is not the emulator of PTX")
	}
	same := func(v uint32) func(uint32) uint32 { return func(uint32) uint32 { return v } }
	float := func(v float32) func(uint32) uint32 { return same(math.Float32bits(v)) }
	for _, test := range []struct {
		lines string
		want  func(thread uint32) uint32
	}{
		{"mul.hi.u32 %r0, %r1, 0xC0000000;", func(i uint32) uint32 { return uint32(uint64(i) * 0xC0000000 >> 32) }},
		{"mul.wide.s32 %rd4, -3, 5; cvt.u32.u64 %r0, %rd4;", same(0xFFFFFFF1)},
		{"mad.lo.s32 %r0, %r1, %r1, -7;", func(i uint32) uint32 { return i*i - 7 }},
		{"div.s32 %r0, -7, 2;", same(0xFFFFFFFD)},
		{"rem.s32 %r0, -7, 2;", same(0xFFFFFFFF)},
		{"bfi.b32 %r0, %r1, 0x80000001, 4, 6;", func(i uint32) uint32 { return 0x80000001 | i<<4 }},
		{"shr.s32 %r0, -16, 40;", same(0xFFFFFFFF)},
		{"shl.b32 %r0, 1, 32;", same(0)},
		{"mov.u32 %r4, 0x83828180; mov.u32 %r5, 0x07060504; prmt.b32 %r0, %r4, %r5, 0xF254;", same(0x00820504)},
		{"mov.u32 %r4, 0x83020180; mov.u32 %r5, 0x07060504; prmt.b32 %r0, %r4, %r5, 0x18B3;", same(0x01FFFF83)},
		{"mov.f32 %f1, 0f7FC00000; min.f32 %f2, %f1, 0f40000000; mov.b32 %r0, %f2;", float(2)},
		{"max.f32 %f2, 0f80000000, 0f00000000; mov.b32 %r0, %f2;", same(0)},
		{"fma.rm.f32 %f1, 0f3F800001, 0f3F800001, 0f00000000; mov.b32 %r0, %f1;", same(0x3F800002)},
		{"add.rz.f32 %f1, 0f3F800000, 0f33C00000; mov.b32 %r0, %f1;", same(0x3F800000)},
		{"mov.f32 %f1, 0f00000001; rcp.approx.ftz.f32 %f2, %f1; mov.b32 %r0, %f2;", float(float32(math.Inf(1)))},
		{"mov.f32 %f1, 0f7FC00000; setp.ltu.f32 %p1, %f1, %f1; selp.u32 %r0, 1, 2, %p1;", same(1)},
		{"mov.f32 %f1, 0f7FC00000; setp.ne.f32 %p1, %f1, %f1; selp.u32 %r0, 1, 2, %p1;", same(2)},
		{"mov.f32 %f1, 0fC0200000; cvt.rni.f32.f32 %f2, %f1; mov.b32 %r0, %f2;", float(-2)},
		{"mov.f32 %f1, 0f7F000000; cvt.rzi.s32.f32 %r0, %f1;", same(math.MaxInt32)},
		{"mov.f32 %f1, 0f3F801000; cvt.rna.tf32.f32 %r0, %f1;", same(0x3F802000)},
		{"cvt.rn.bf16x2.f32 %r0, 0f3F808000, 0f3F818000;", same(0x3F803F82)},
		{"mov.b64 %rd4, {%r1, 9}; mov.b64 {%r4, %r5}, %rd4; sub.s32 %r0, %r5, %r4;",
			func(i uint32) uint32 { return 9 - i }},
		{"st.shared.u8 [byte], 255; bar.sync 0; ld.shared.u8 %rs1, [byte]; cvt.u32.u16 %r0, %rs1;", nil}, // a race
		{"atom.global.add.u32 %r4, [%rd1], 0; mov.u32 %r0, %ntid.x;", same(64)},
		{"mov.u32 %r0, %laneid;", func(i uint32) uint32 { return i % 32 }},
		{"shfl.sync.bfly.b32 %r0|%p1, %r1, 3, 31, -1;", func(i uint32) uint32 { return i ^ 3 }},
		{"shfl.sync.down.b32 %r0, %r1, 30, 31, -1;", func(i uint32) uint32 {
			if i%32 < 2 {
				return i + 30
			}
			return i
		}},
		// Lanes part, and meet before the shuffle.
		{"setp.lt.u32 %p1, %r1, 7;\n@%p1 bra $small;\nadd.s32 %r4, %r1, 100;\nbra.uni $both;\n" +
			"$small:\nmov.u32 %r4, %r1;\n$both:\nshfl.sync.idx.b32 %r0, %r4, 0, 31, -1;",
			func(i uint32) uint32 { return i / 32 * 132 }},
		// Each as many times as its number is.
		{"mov.u32 %r0, 0;\nmov.u32 %r4, %r1;\n$again:\nsetp.eq.s32 %p1, %r4, 0;\n@%p1 bra $done;\n" +
			"add.s32 %r0, %r0, %r4;\nsub.s32 %r4, %r4, 1;\nbra.uni $again;\n$done:",
			func(i uint32) uint32 { return i * (i + 1) / 2 }},
		{"st.shared.u32 [%r2], %r1; bar.sync 0; xor.b32 %r4, %r1, 63; shl.b32 %r4, %r4, 2; mov.u32 %r5, left;\n" +
			"add.s32 %r5, %r5, %r4; ld.shared.u32 %r0, [%r5];", func(i uint32) uint32 { return 63 - i }},
	} {
		out, fault := e.run(t, test.lines)
		if test.want == nil {
			if fault == "" {
				t.Errorf("%s: no fault", test.lines)
			}
			continue
		}
		if fault != "" {
			t.Errorf("%s: %s", test.lines, fault)
			continue
		}
		for i, v := range out {
			if want := test.want(uint32(i)); v != want {
				t.Errorf("%s: thread %d has %#x, wanted %#x", test.lines, i, v, want)
				break
			}
		}
	}
}

// The product of two matrices of whole numbers: a[row][k] = row + k, b[k][column] = k + 2 column, by the tables of the
// PTX ISA for fragments of mma.m16n8k8.
func TestPTXMatrix(t *testing.T) {
	e := ptxEmulator()
	if e == nil {
		t.Skip("the driver is not the emulator of PTX")
	}
	const lines = `and.b32 %r10, %r1, 31; shr.u32 %r11, %r10, 2; and.b32 %r12, %r10, 3; // group, place
add.s32 %r13, %r11, %r12; cvt.rn.f32.s32 %f1, %r13; mov.b32 %r20, %f1;
add.s32 %r14, %r13, 8; cvt.rn.f32.s32 %f1, %r14; mov.b32 %r21, %f1;
add.s32 %r14, %r13, 4; cvt.rn.f32.s32 %f1, %r14; mov.b32 %r22, %f1;
add.s32 %r14, %r13, 12; cvt.rn.f32.s32 %f1, %r14; mov.b32 %r23, %f1;
mad.lo.s32 %r15, %r11, 2, %r12; cvt.rn.f32.s32 %f1, %r15; mov.b32 %r24, %f1;
add.s32 %r15, %r15, 4; cvt.rn.f32.s32 %f1, %r15; mov.b32 %r25, %f1;
mov.f32 %f10, 0f3F800000; mov.f32 %f11, %f10; mov.f32 %f12, %f10; mov.f32 %f13, %f10;
mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
	{%f10,%f11,%f12,%f13}, {%r20,%r21,%r22,%r23}, {%r24,%r25}, {%f10,%f11,%f12,%f13};
cvt.rzi.s32.f32 %r0, `
	for register, at := range [][2]int{{0, 0}, {0, 1}, {8, 0}, {8, 1}} {
		out, fault := e.run(t, lines+fmt.Sprintf("%%f%d;", 10+register))
		if fault != "" {
			t.Fatal(fault)
		}
		for lane := range 32 {
			row, column, want := lane/4+at[0], lane%4*2+at[1], 1
			for k := range 8 {
				want += (row + k) * (k + 2*column)
			}
			if int(out[lane]) != want {
				t.Errorf("d[%d][%d] is %d, wanted %d", row, column, out[lane], want)
			}
		}
	}
}

// What a kernel may not do is said with its line, block and thread.
func TestPTXFaults(t *testing.T) {
	e := ptxEmulator()
	if e == nil {
		t.Skip("the driver is not the emulator of PTX")
	}
	const third = "setp.eq.u32 %p1, %r1, 3;\nmov.u32 %r0, 0;\n"
	for _, test := range []struct{ name, lines, want string }{
		{"load outside", third + "@%p1 ld.global.u32 %r0, [%rd1+256];",
			"line 19 of its PTX (@%p1 ld.global.u32 %r0, [%rd1+256]), block (0,0,0), thread (3,0,0): load of 4 "},
		{"how far outside", third + "@%p1 ld.global.u32 %r0, [%rd1+256];",
			"256 bytes behind the start of an allocation of 256"},
		{"store before", third + "@%p1 st.global.u32 [%rd1+-4], %r0;", "store of 4 bytes at"},
		{"no memory at all", third + "@%p1 st.global.u32 [%rd2+4096], %r0;", "outside device memory"},
		{"misaligned", third + "@%p1 ld.global.u32 %r0, [%rd3+2];", "is not a multiple of 4"},
		{"vector misaligned", third + "@%p1 ld.global.v2.u32 {%r0, %r4}, [%rd3];", "is not a multiple of 8"},
		{"behind an array", third + "@%p1 st.shared.u32 [left+256], %r0;",
			"at byte 256 of shared left, which has 256: outside the array"},
		{"unwritten", third + "@%p1 ld.shared.u32 %r0, [left+8];",
			"load of 4 bytes at byte 8 of shared left, which has 256: no thread of the block has written it"},
		{"written, then read", third + "st.shared.u32 [%r2], %r1;\n@%p1 ld.shared.u32 %r0, [left];",
			"a race with thread 0, which wrote it since the last barrier"},
		{"read, then written", third +
			"st.shared.u32 [%r2], %r1;\nbar.sync 0;\nld.shared.u32 %r0, [%r2];\n@%p1 st.shared.u32 [left], %r0;",
			"a race with thread 0, which read it since the last barrier"},
		{"written twice", third + "st.shared.u32 [left], %r1;",
			"thread (1,0,0): store of 4 bytes at byte 0 of shared left, which has 256: a race with thread 0"},
		{"half a shuffle",
			"setp.lt.u32 %p1, %r1, 16;\n@%p1 bra $end;\nshfl.sync.bfly.b32 %r0, %r1, 1, 31, -1;\n$end:\nbar.sync 0;",
			"line 19 of its PTX (shfl.sync.bfly.b32 %r0, %r1, 1, 31, -1), block (0,0,0), thread (16,0,0): it waits"},
		{"two barriers", "setp.lt.u32 %p1, %r1, 16;\n@%p1 bra $end;\nbar.sync 0;\n$end:\nbar.sync 0;",
			"thread (16,0,0): other threads of its warp are at another barrier, in line 21"},
		{"parameter", "ld.param.u32 %r0, [out+8];", "at byte 8 of 8 of parameters"},
		{"unknown instruction", "\nvadd.s32.s32.s32 %r0, %r1, %r2, 3;",
			"line 18 of the PTX: an instruction that the emulator does not have: vadd"},
		{"unknown modifier", "add.sat.s32 %r0, %r1, %r2;",
			"line 17 of the PTX: an instruction that the emulator does not have: add.sat.s32"},
		{"width", "add.s64 %rd4, %r1, %rd2;", "line 17 of the PTX: %r1 has 4 bytes, and 8 are wanted"},
		{"operands", "add.s32 %r0, %r1;", "add.s32 has 2 operands, and 3 are wanted"},
		{"no such register", "add.s32 %r0, %q1, 1;", "%q1"},
		{"no such label", "bra $nowhere;", "no label $nowhere"},
	} {
		_, fault := e.run(t, test.lines)
		if !strings.Contains(fault, test.want) {
			t.Errorf("%s: %q, wanted %q in it", test.name, fault, test.want)
		}
	}
	if got := strings.Count(ptxFrame[:strings.Index(ptxFrame, "%s")], "\n") + 1; got != firstLine {
		t.Errorf("the lines of a test begin in line %d of the frame", got)
	}
}
