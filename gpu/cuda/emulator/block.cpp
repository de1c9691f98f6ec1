// Blocks and their threads, of kernels that the C++ compiler made. A block whose kernel has barriers or shuffles runs as
// fibers on one of the processor's threads: a switch saves the callee-saved registers and nothing else, so it costs a few
// nanoseconds.
#include "block.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "device.h"

namespace emulator {

static CompiledKernel *first;

void CompiledKernel::enlist(CompiledKernel *k) {
	k->next = first;
	first = k;
}

// The kernels are in the driver itself; every image has them all.
const void *load_image(const char *) { return &first; }

const Kernel *find_kernel(const void *, const char *name) {
	for (CompiledKernel *k = first; k; k = k->next)
		if (!strcmp(k->name, name)) return k;
	return nullptr;
}

// emulator_switch saves the running stack's pointer in *from and goes on on the stack to.
extern "C" void emulator_switch(void **from, void *to);
#if defined(__x86_64__)
__asm__(R"(
	.text
	.globl emulator_switch
	.hidden emulator_switch
	.type emulator_switch, @function
emulator_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.size emulator_switch, .-emulator_switch
)");
static const int saved_words = 6;
#elif defined(__aarch64__)
__asm__(R"(
	.text
	.globl emulator_switch
	.hidden emulator_switch
	.type emulator_switch, %function
emulator_switch:
	sub sp, sp, #160
	stp x19, x20, [sp, #0]
	stp x21, x22, [sp, #16]
	stp x23, x24, [sp, #32]
	stp x25, x26, [sp, #48]
	stp x27, x28, [sp, #64]
	stp x29, x30, [sp, #80]
	stp d8, d9, [sp, #96]
	stp d10, d11, [sp, #112]
	stp d12, d13, [sp, #128]
	stp d14, d15, [sp, #144]
	mov x9, sp
	str x9, [x0]
	mov sp, x1
	ldp x19, x20, [sp, #0]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	ldp d8, d9, [sp, #96]
	ldp d10, d11, [sp, #112]
	ldp d12, d13, [sp, #128]
	ldp d14, d15, [sp, #144]
	add sp, sp, #160
	ret
	.size emulator_switch, .-emulator_switch
)");
#else
#error "the emulator switches fibers on x86-64 and aarch64"
#endif

enum { max_threads = 1024, stack_bytes = 64 << 10 };
enum Wait : uint8_t { running, at_barrier, in_warp, ended };

struct Fiber {
	void *sp;
	uint3 index;
	unsigned generation; // of what it waits for
	unsigned exchanges;
	Wait wait;
};

// A Worker is one of the processor's threads, with the block that it runs.
struct Worker {
	char *stacks = nullptr;
	void *main_sp;
	Fiber fibers[max_threads];
	uint64_t brought[2][max_threads];
	Fragments fragments[2][max_threads];
	int n, current, alive, arrived;
	unsigned generation;
	int warp_alive[32], warp_arrived[32];
	unsigned warp_generation[32];
	const CompiledKernel *kernel;
	void **params;
	bool in_fibers = false;
};

static thread_local Worker *worker;
static thread_local const CompiledKernel *kernel_here;

static const char *running_kernel() { return kernel_here ? kernel_here->name : "?"; }

void describe(char *text, size_t bytes) {
	snprintf(text, bytes, "kernel %s, block (%u,%u,%u), thread (%u,%u,%u)", running_kernel(), here.block.x, here.block.y, here.block.z,
		here.thread.x, here.thread.y, here.thread.z);
}

static bool runnable(const Worker *w, int i) {
	const Fiber &f = w->fibers[i];
	switch (f.wait) {
	case running: return true;
	case at_barrier: return f.generation != w->generation;
	case in_warp: return f.generation != w->warp_generation[i >> 5];
	default: return false;
	}
}

// go_on switches to the next thread that can run; to the worker's own stack when none is left.
static void go_on(Worker *w) {
	int i = w->current;
	void **from = &w->fibers[i].sp;
	if (w->alive == 0) {
		emulator_switch(from, w->main_sp);
		return;
	}
	for (int step = 1, j = i; step <= w->n; step++) {
		if (++j == w->n) j = 0;
		if (!runnable(w, j)) continue;
		w->fibers[j].wait = running;
		if (j == i) return;
		w->current = j;
		here.thread = w->fibers[j].index;
		emulator_switch(from, w->fibers[j].sp);
		return;
	}
	fprintf(stderr, "emulator: kernel %s, block (%u,%u,%u): its threads wait for each other for ever: a barrier or a shuffle that not all of them reach\n",
		w->kernel->name, here.block.x, here.block.y, here.block.z);
	abort();
}

static Worker *in_block(const char *what) {
	if (!worker || !worker->in_fibers) {
		fprintf(stderr, "emulator: kernel %s has a %s; declare it BLOCK_KERNEL\n", running_kernel(), what);
		abort();
	}
	return worker;
}

void barrier() {
	Worker *w = in_block("barrier");
	if (++w->arrived == w->alive) {
		w->arrived = 0;
		w->generation++;
		return;
	}
	Fiber &f = w->fibers[w->current];
	f.wait = at_barrier;
	f.generation = w->generation;
	go_on(w);
}

// meet waits until all lanes of the warp have come, and returns which of the two buffers they used: what was brought is read
// after all have come, and written over only two meetings later.
template <class T, class V> static T *meet(Worker *w, T (&buffers)[2][max_threads], const V &mine) {
	int me = w->current, warp = me >> 5;
	Fiber &f = w->fibers[me];
	T *brought = buffers[f.exchanges++ & 1];
	brought[me] = mine;
	if (++w->warp_arrived[warp] == w->warp_alive[warp]) {
		w->warp_arrived[warp] = 0;
		w->warp_generation[warp]++;
	} else {
		f.wait = in_warp;
		f.generation = w->warp_generation[warp];
		go_on(w);
	}
	return brought + (warp << 5);
}

uint64_t exchange(uint64_t bits, int from) {
	Worker *w = in_block("shuffle");
	return meet(w, w->brought, bits)[from];
}

const Fragments *bring(const Fragments &mine) {
	Worker *w = in_block("matrix instruction");
	return meet(w, w->fragments, mine);
}

static void fiber_main() {
	Worker *w = worker;
	w->kernel->call(w->kernel, w->params);
	w->fibers[w->current].wait = ended;
	if (--w->alive > 0 && w->arrived == w->alive) {
		w->arrived = 0;
		w->generation++;
	}
	int warp = w->current >> 5;
	if (--w->warp_alive[warp] > 0 && w->warp_arrived[warp] == w->warp_alive[warp]) {
		w->warp_arrived[warp] = 0;
		w->warp_generation[warp]++;
	}
	go_on(w);
	abort(); // an ended thread never runs again
}

static void run_fibers(Worker *w, const CompiledKernel *k, void **params) {
	if (!w->stacks) {
		w->stacks = (char *)mmap(nullptr, (size_t)max_threads * stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (w->stacks == MAP_FAILED) abort();
	}
	uint3 d = here.block_dim;
	w->n = w->alive = (int)(d.x * d.y * d.z);
	w->arrived = 0;
	w->kernel = k;
	w->params = params;
	memset(w->warp_alive, 0, sizeof w->warp_alive);
	memset(w->warp_arrived, 0, sizeof w->warp_arrived);
	for (int i = 0; i < w->n; i++) {
		Fiber &f = w->fibers[i];
		f.index = {i % d.x, i / d.x % d.y, i / d.x / d.y};
		f.wait = running;
		f.exchanges = 0;
		w->warp_alive[i >> 5]++;
		// A stack as emulator_switch leaves one: registers, and where to return to.
		char *top = w->stacks + (size_t)(i + 1) * stack_bytes;
		void **sp = (void **)top;
#if defined(__x86_64__)
		*--sp = nullptr; // the stack is 8 off a multiple of 16 where a function begins
		*--sp = (void *)fiber_main;
		sp -= saved_words;
#else
		sp -= 20;
		memset(sp, 0, 160);
		sp[11] = (void *)fiber_main; // x30
#endif
		f.sp = sp;
	}
	w->current = 0;
	here.thread = w->fibers[0].index;
	w->in_fibers = true;
	emulator_switch(&w->main_sp, w->fibers[0].sp);
	w->in_fibers = false;
}

void run_block(const Kernel *kernel, void **params) {
	auto *k = (const CompiledKernel *)kernel;
	if (!worker) worker = new Worker;
	kernel_here = k;
	if (k->fibers) {
		run_fibers(worker, k, params);
		return;
	}
	uint3 d = here.block_dim;
	for (unsigned z = 0; z < d.z; z++)
		for (unsigned y = 0; y < d.y; y++)
			for (unsigned x = 0; x < d.x; x++) {
				here.thread = {x, y, z};
				k->call(k, params);
			}
}

} // namespace emulator
