// A stand-in for NVIDIA's driver, libcuda.so.1: as much of its interface as the CUDA device and gorgonia.org/cu use while
// they train. Kernels are run as block.h says: as the PTX that a program loads, or as the C++ compiler made them of
// ../kernels; then the PTX is read for the names and parameters of its kernels, which must be the same.
//
// A stream does its work as late as it may, when somebody waits for it. So a program that touches a buffer too early, or
// forgets to wait, gets wrong numbers here too. EMULATOR_EAGER=1 does work at once.
//
// Read when a context is made:
//
//	EMULATOR_DEVICES=n   devices (1)
//	EMULATOR_CAPABILITY  compute capability times ten (90)
//	EMULATOR_DRIVER      version of the driver (12020)
//	EMULATOR_MEMORY      bytes of memory (4 GiB)
//	EMULATOR_BLOCKS=n    blocks that run at once on a multiprocessor (2)
//	EMULATOR_CUBINS=1    takes cubins of its architecture, without looking into them; else the PTX is what it loads
//	EMULATOR_FAIL=x:n    the n-th x from then on fails: launch (a failed launch), alloc (no memory), lost (the device is gone)
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "block.h"
#include "memory.h"

using namespace emulator;

typedef int CUresult;
typedef int CUdevice;
typedef uintptr_t CUdeviceptr;

enum {
	success = 0, invalid_value = 1, out_of_memory = 2, not_initialized = 3, no_device = 100, invalid_device = 101, invalid_image = 200, invalid_context = 201,
	no_binary = 209, unsupported_ptx = 222, invalid_handle = 400, not_found = 500, not_ready = 600, illegal_address = 700, out_of_resources = 701,
	launch_failed = 719, capture_unsupported = 900, device_lost = 46,
};

// What a kernel's parameters are, in the PTX.
typedef std::map<std::string, std::vector<unsigned>> Entries;

struct Module {
	Entries entries;
	const void *image; // of load_image; null of a cubin, which has whatever the source has
};
struct Function { const Kernel *kernel; };

struct Node {
	std::function<CUresult()> run;
	bool kernel;
	bool elsewhere = false; // another process may wait for it
	std::function<CUresult(void *stream)> launched; // of a graph: puts what to run into the stream that it is launched in
};
struct Graph { std::vector<Node> nodes; };
struct Exec { std::vector<Node> nodes; };

struct Context {
	int device;
	unsigned flags = 0;
	int users = 0; // who retained it
};
struct Stream {
	Context *context = nullptr; // whose it is
	std::vector<Node> pending;
	unsigned long queued = 0, done = 0; // nodes ever
	Graph *capture = nullptr;
};
struct Event {
	unsigned flags = 0;
	Stream *stream = nullptr;
	unsigned long after = 0;
	double at = -1;
};

static std::recursive_mutex mu;
static bool ready;
static CUresult sticky;
static Stream null_stream;
static std::vector<Stream *> streams{&null_stream};
static thread_local Context *current;
static long fail_at, fail_seen;
static std::string fail_what;
static long counts[16]; // see emulator_count
enum { launches, graph_launches, kernels_run, pinned_bytes, objects, spins, host_marks, cubins };
enum { sched_blocking_sync = 4, event_blocking_sync = 1, external = 1 };

#define LOCK std::lock_guard<std::recursive_mutex> lock(mu)
#define ENTER \
	LOCK; \
	if (!ready) return not_initialized; \
	if (!current) return invalid_context; \
	if (sticky) return sticky

static long setting(const char *name, long otherwise) {
	const char *e = getenv(name);
	return e && *e ? atol(e) : otherwise;
}

// fails reports whether this is the call that is to fail.
static bool fails(const char *what) { return fail_what == what && ++fail_seen == fail_at; }

static double now() {
	return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// take_faulted takes the fault of what has just run, and keeps its words for emulator_fault.
static std::string last_fault;
static bool take_faulted() {
	const char *f = take_fault();
	if (f) last_fault = f;
	return f;
}

static void run_next(Stream *s, size_t upto) {
	// Nodes may be added while others run only by the same thread, which waits; so the list is stable.
	std::vector<Node> todo(s->pending.begin(), s->pending.begin() + upto);
	s->pending.erase(s->pending.begin(), s->pending.begin() + upto);
	for (auto &n : todo) {
		if (!sticky) {
			CUresult r = n.run();
			if (take_faulted()) r = illegal_address;
			if (r) sticky = r;
		}
		s->done++;
	}
}

static CUresult finish(Stream *s) {
	run_next(s, s->pending.size());
	return sticky;
}

// Another process may wait for work that this one has no reason to do yet: a stream that has such work is given to a thread
// which does it, if nobody has after a while. A GPU would have done it at once.
struct Helper {
	std::mutex mu;
	std::condition_variable wake;
	std::vector<Stream *> todo;
	bool begun = false;

	void loop() {
		for (;;) {
			std::vector<Stream *> mine;
			{
				std::unique_lock<std::mutex> l(mu);
				wake.wait(l, [&] { return !todo.empty(); });
				mine.swap(todo);
			}
			std::this_thread::sleep_for(std::chrono::milliseconds(20));
			std::lock_guard<std::recursive_mutex> l(::mu);
			for (auto *s : mine)
				if (std::find(streams.begin(), streams.end(), s) != streams.end()) run_next(s, s->pending.size());
		}
	}

	void take(Stream *s) {
		std::lock_guard<std::mutex> l(mu);
		todo.push_back(s);
		wake.notify_one();
		if (begun) return;
		begun = true;
		sigset_t all, old; // signals are for the program's own threads
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		std::thread([this] { loop(); }).detach();
		pthread_sigmask(SIG_SETMASK, &old, nullptr);
	}
};
static Helper *helper = new Helper; // never destroyed: its thread outlives main

static CUresult finish_all() {
	for (auto *s : streams) finish(s);
	return sticky;
}

static Stream *stream_of(void *h) { return h ? (Stream *)h : &null_stream; }

// later puts work at the end of a stream, or into the graph that it records. A stream of another context is refused.
static CUresult later(void *h, Node n) {
	Stream *s = stream_of(h);
	if (s != &null_stream && s->context != current) return invalid_handle;
	if (s->capture) {
		s->capture->nodes.push_back(std::move(n));
		return success;
	}
	if (n.elsewhere) helper->take(s);
	s->pending.push_back(std::move(n));
	s->queued++;
	if (getenv("EMULATOR_EAGER")) return finish(s);
	return success;
}

extern "C" {

// emulator_count returns how often something happened: 0 direct launches of kernels, 1 launches of graphs, 2 kernels run,
// 3 bytes of pinned memory held, 4 streams, events, modules, graphs and allocations that there are, 5 waits that would spin on a
// processor, 6 kernels that noted in the host's memory that they began, 7 cubins loaded.
long emulator_count(int what) {
	LOCK;
	return counts[what];
}

// emulator_fault returns what the last fault was: which kernel, line, block and thread did what.
const char *emulator_fault() { return last_fault.c_str(); }

// emulator_later does a library's work in a stream's order; emulator_owned reports whether device memory holds so many bytes at p.
int emulator_later(void *stream, void (*f)(void *), void *data) {
	LOCK;
	return later(stream, {[=]() -> CUresult { f(data); return success; }, true});
}
// emulator_meet is emulator_later for work that meets other processes'.
int emulator_meet(void *stream, void (*f)(void *), void *data) {
	LOCK;
	return later(stream, {[=]() -> CUresult { f(data); return success; }, true, true});
}
int emulator_owned(uintptr_t p, size_t bytes) { return owned(p, bytes); }

CUresult cuInit(unsigned) {
	LOCK;
	if (setting("EMULATOR_DEVICES", 1) == 0) return no_device;
	ready = true;
	return success;
}

CUresult cuDriverGetVersion(int *v) { *v = (int)setting("EMULATOR_DRIVER", 12020); return success; }
CUresult cuDeviceGetCount(int *n) { *n = (int)setting("EMULATOR_DEVICES", 1); return success; }
CUresult cuDeviceGet(CUdevice *d, int i) {
	if (i < 0 || i >= setting("EMULATOR_DEVICES", 1)) return invalid_device;
	*d = i;
	return success;
}
CUresult cuDeviceGetName(char *name, int len, CUdevice) { snprintf(name, len, "emulated GPU"); return success; }
CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice) { *bytes = setting("EMULATOR_MEMORY", 4l << 30); return success; }
CUresult cuDeviceGetUuid(char *uuid, CUdevice d) {
	memset(uuid, 0, 16);
	uuid[15] = (char)d;
	return success;
}
CUresult cuDeviceGetAttribute(int *v, int what, CUdevice) {
	int cc = (int)setting("EMULATOR_CAPABILITY", 90);
	switch (what) {
	case 75: *v = cc / 10; break;
	case 76: *v = cc % 10; break;
	case 16: *v = 4; break;        // multiprocessors
	case 1: *v = 1024; break;      // threads of a block
	case 8: *v = 48 << 10; break;  // shared memory of a block
	case 10: *v = 32; break;       // warp
	default: *v = 0;
	}
	return success;
}

// begin makes a new context of what was there: the settings are read, and nothing has failed yet.
static void begin(Context &c, CUdevice dev, unsigned flags) {
	const char *f = getenv("EMULATOR_FAIL");
	std::string fail = f ? f : "";
	size_t colon = fail.find(':');
	fail_what = fail.substr(0, colon);
	fail_at = colon == std::string::npos ? 0 : atol(fail.c_str() + colon + 1);
	fail_seen = 0;
	sticky = success;
	set_memory(setting("EMULATOR_MEMORY", 4l << 30));
	c.device = dev;
	c.flags = flags;
}
static void end(Context *c) {
	finish_all();
	if (current == c) current = nullptr;
	sticky = success;
	release_all(c);
}

CUresult cuCtxCreate_v2(void **c, unsigned flags, CUdevice dev) {
	LOCK;
	if (!ready) return not_initialized;
	current = new Context{};
	begin(*current, dev, flags);
	*c = current;
	return success;
}
CUresult cuCtxDestroy_v2(void *c) {
	LOCK;
	end((Context *)c);
	delete (Context *)c;
	return success;
}

// The primary context of each device; its flags stay when it goes.
static std::map<int, Context> primary;
static std::map<int, unsigned> primary_flags;

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice dev, unsigned flags) {
	LOCK;
	primary_flags[dev] = flags;
	if (primary[dev].users) primary[dev].flags = flags;
	return success;
}
CUresult cuDevicePrimaryCtxRetain(void **c, CUdevice dev) {
	LOCK;
	if (!ready) return not_initialized;
	Context &p = primary[dev];
	if (p.users++ == 0) begin(p, dev, primary_flags[dev]);
	*c = &p;
	return success;
}
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev) {
	LOCK;
	Context &p = primary[dev];
	if (p.users == 0) return invalid_context;
	if (--p.users == 0) end(&p);
	return success;
}
CUresult cuCtxSetCurrent(void *c) { current = (Context *)c; return success; }
CUresult cuCtxGetCurrent(void **c) { *c = current; return success; }
CUresult cuCtxGetDevice(CUdevice *d) {
	if (!current) return invalid_context;
	*d = current->device;
	return success;
}
CUresult cuCtxSynchronize(void) { ENTER; return finish_all(); }

// Memory.

CUresult cuMemAlloc_v2(CUdeviceptr *p, size_t bytes) {
	ENTER;
	if (fails("alloc")) return out_of_memory;
	*p = allocate(bytes, current);
	counts[objects] += *p != 0;
	return *p ? success : out_of_memory;
}
CUresult cuMemFree_v2(CUdeviceptr p) {
	ENTER;
	if (CUresult r = finish_all()) return r;
	if (!release(p)) return invalid_value;
	counts[objects]--;
	return success;
}
CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total) { ENTER; memory_info(free_bytes, total); return success; }
static std::map<void *, size_t> pinned_buffers;
CUresult cuMemHostAlloc(void **p, size_t bytes, unsigned) {
	ENTER;
	*p = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
	memset(*p, 0xFF, bytes);
	pinned_buffers[*p] = bytes;
	pin((uintptr_t)*p, bytes);
	counts[pinned_bytes] += bytes;
	return success;
}
CUresult cuMemFreeHost(void *p) {
	LOCK;
	finish_all();
	if (!pinned_buffers.count(p)) return invalid_value;
	counts[pinned_bytes] -= pinned_buffers[p];
	pinned_buffers.erase(p);
	unpin((uintptr_t)p);
	free(p);
	return success;
}
CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *d, void *p, unsigned) { *d = (CUdeviceptr)p; return success; }

static CUresult copy(void *dst, const void *src, size_t n, CUdeviceptr device_side) {
	if (!owned(device_side, n)) {
		say_fault("copy", device_side, n);
		return illegal_address;
	}
	memcpy(dst, src, n);
	return success;
}
CUresult cuMemcpyHtoD_v2(CUdeviceptr d, const void *s, size_t n) {
	ENTER;
	if (CUresult r = finish_all()) return r;
	return copy((void *)d, s, n, d) ? invalid_value : success;
}
CUresult cuMemcpyDtoH_v2(void *d, CUdeviceptr s, size_t n) {
	ENTER;
	if (CUresult r = finish_all()) return r;
	return copy(d, (void *)s, n, s) ? invalid_value : success;
}
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr d, const void *s, size_t n, void *h) {
	ENTER;
	return later(h, {[=] { return copy((void *)d, s, n, d); }, false});
}
CUresult cuMemcpyDtoHAsync_v2(void *d, CUdeviceptr s, size_t n, void *h) {
	ENTER;
	return later(h, {[=] { return copy(d, (void *)s, n, s); }, false});
}
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr d, CUdeviceptr s, size_t n, void *h) {
	ENTER;
	return later(h, {[=] { return owned(s, n) ? copy((void *)d, (void *)s, n, d) : copy((void *)d, (void *)s, n, s); }, false});
}
CUresult cuMemsetD32Async(CUdeviceptr d, unsigned v, size_t n, void *h) {
	ENTER;
	return later(h, {[=]() -> CUresult {
		if (!owned(d, 4 * n)) {
			say_fault("memset", d, 4 * n);
			return illegal_address;
		}
		for (size_t i = 0; i < n; i++) ((unsigned *)d)[i] = v;
		return success;
	}, false});
}

// Modules.

static unsigned param_bytes(const std::string &line) {
	static const std::pair<const char *, unsigned> types[] = {{".u64 ", 8}, {".b64 ", 8}, {".f64 ", 8}, {".s64 ", 8}, {".u32 ", 4}, {".b32 ", 4}, {".f32 ", 4},
		{".s32 ", 4}, {".u16 ", 2}, {".u8 ", 1}, {".b8 ", 1}};
	unsigned bytes = 0;
	for (auto &t : types)
		if (line.find(t.first) != std::string::npos) bytes = t.second;
	size_t open = line.rfind('[');
	if (open != std::string::npos) bytes *= (unsigned)atoi(line.c_str() + open + 1);
	return bytes;
}

// cubin takes a cubin's kernels as they are in the source: none is run. Without EMULATOR_CUBINS=1 it is refused, so that
// the PTX is loaded; and so is that of another architecture (which the ELF header's flags have).
static CUresult cubin(void **m, const unsigned char *elf) {
	int arch = elf[7] == 0x33 ? elf[48] : elf[49];
	int cc = (int)setting("EMULATOR_CAPABILITY", 90);
	if (!setting("EMULATOR_CUBINS", 0) || arch / 10 != cc / 10 || arch > cc) return no_binary;
	*m = new Module{{}, nullptr};
	counts[objects]++;
	counts[cubins]++;
	return success;
}

CUresult cuModuleLoadData(void **m, const void *image) {
	ENTER;
	const char *text = (const char *)image;
	if (!memcmp(text, "\177ELF", 4)) return cubin(m, (const unsigned char *)image);
	const char *target = strstr(text, ".target sm_"), *version = strstr(text, ".version ");
	if (!target || !version) return invalid_image;
	if (atoi(target + 11) > setting("EMULATOR_CAPABILITY", 90)) return no_binary;
	int major = 0, minor = 0;
	sscanf(version, ".version %d.%d", &major, &minor);
	// PTX 7.8 came with CUDA 11.8, and so on backwards: 7.0 with 11.0.
	if (major == 7 && setting("EMULATOR_DRIVER", 12020) < 11000 + 10 * minor) return unsupported_ptx;
	const void *loaded = load_image(text);
	if (!loaded) {
		take_faulted();
		return invalid_image;
	}
	auto *mod = new Module{{}, loaded};
	for (const char *at = text; (at = strstr(at, ".entry ")); at++) {
		const char *name = at + 7, *open = strchr(name, '('), *close = strchr(name, ')');
		if (!open || !close) continue;
		auto &params = mod->entries[std::string(name, open)];
		std::string list(open + 1, close);
		for (size_t i = 0; i < list.size();) {
			size_t comma = list.find(',', i);
			std::string line = list.substr(i, comma == std::string::npos ? comma : comma - i);
			if (line.find(".param") != std::string::npos) params.push_back(param_bytes(line));
			if (comma == std::string::npos) break;
			i = comma + 1;
		}
	}
	*m = mod;
	counts[objects]++;
	return success;
}
CUresult cuModuleUnload(void *m) { LOCK; delete (Module *)m; counts[objects]--; return success; }
CUresult cuModuleGetFunction(void **f, void *m, const char *name) {
	ENTER;
	auto *mod = (Module *)m;
	auto &entries = mod->entries;
	auto it = entries.find(name);
	const Kernel *k = find_kernel(mod->image, name);
	if (k && !mod->image) {
		*f = new Function{k};
		return success;
	}
	if (it == entries.end() || !k) return not_found;
	bool same = (int)it->second.size() == k->count;
	for (int i = 0; same && i < k->count; i++) same = it->second[i] == k->sizes[i];
	if (!same) {
		fprintf(stderr, "emulator: kernel %s has other parameters in the PTX than in the source; make ptx\n", name);
		return invalid_image;
	}
	*f = new Function{k};
	return success;
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, void *, int, size_t) {
	ENTER;
	*n = (int)setting("EMULATOR_BLOCKS", 2);
	return success;
}
CUresult cuFuncGetAttribute(int *v, int, void *) { *v = 0; return success; }

CUresult cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned, void *h, void **params, void **) {
	ENTER;
	const Kernel *k = ((Function *)f)->kernel;
	unsigned threads = bx * by * bz;
	if (gx == 0 || gy == 0 || gz == 0 || threads == 0 || threads > 1024 || gy > 65535 || gz > 65535 || gx > 2147483647u) return invalid_value;
	if ((int)threads > k->threads) return out_of_resources;
	size_t bytes = 0;
	for (int i = 0; i < k->count; i++) bytes += (k->sizes[i] + 15) & ~15u;
	auto values = std::make_shared<std::vector<char>>(bytes);
	auto addresses = std::make_shared<std::vector<void *>>(k->count);
	size_t at = 0;
	for (int i = 0; i < k->count; i++) {
		(*addresses)[i] = values->data() + at;
		memcpy(values->data() + at, params[i], k->sizes[i]);
		at += (k->sizes[i] + 15) & ~15u;
	}
	if (!stream_of(h)->capture) counts[launches]++;
	return later(h, {[=]() -> CUresult {
		counts[kernels_run]++;
		if (!owned(*(uintptr_t *)(*addresses)[0], 4)) counts[host_marks]++; // the first parameter is a Mark
		run_kernel(k, {gx, gy, gz}, {bx, by, bz}, addresses->data());
		(void)values;
		if (fails("launch")) return launch_failed;
		return fails("lost") ? device_lost : success;
	}, true});
}

// Streams, events and graphs.

CUresult cuStreamCreate(void **h, unsigned) {
	ENTER;
	auto *s = new Stream;
	s->context = current;
	streams.push_back(s);
	counts[objects]++;
	*h = s;
	return success;
}
CUresult cuStreamCreateWithPriority(void **h, unsigned flags, int) { return cuStreamCreate(h, flags); }
CUresult cuStreamDestroy_v2(void *h) {
	LOCK;
	finish((Stream *)h);
	for (size_t i = 0; i < streams.size(); i++)
		if (streams[i] == h) streams.erase(streams.begin() + i);
	delete (Stream *)h;
	counts[objects]--;
	return success;
}
CUresult cuStreamSynchronize(void *h) {
	ENTER;
	if (!stream_of(h)->pending.empty() && !(current->flags & sched_blocking_sync)) counts[spins]++;
	return finish(stream_of(h));
}
CUresult cuStreamQuery(void *h) { ENTER; return finish(stream_of(h)); }

CUresult cuEventCreate(void **e, unsigned flags) {
	ENTER;
	auto *ev = new Event;
	ev->flags = flags;
	*e = ev;
	counts[objects]++;
	return success;
}
CUresult cuEventDestroy_v2(void *e) {
	LOCK;
	finish_all(); // work that is queued has the event
	delete (Event *)e;
	counts[objects]--;
	return success;
}
// record and wait_for are what a stream does; in a graph they are done when it is launched, with the event as it is then.
static CUresult record(Event *ev, void *h) {
	Stream *s = stream_of(h);
	CUresult r = later(h, {[=]() -> CUresult { ev->at = now(); return success; }, false});
	ev->stream = s;
	ev->after = s->queued;
	return r;
}
static CUresult wait_for(void *h, Event *ev) {
	Stream *of = ev->stream;
	unsigned long after = ev->after; // as it is recorded now
	return later(h, {[=]() -> CUresult {
		if (of && after > of->done) run_next(of, after - of->done);
		return sticky;
	}, false});
}
// Events within a graph, which would join streams that are captured together, are not known here.
CUresult cuEventRecordWithFlags(void *e, void *h, unsigned flags) {
	ENTER;
	auto *ev = (Event *)e;
	if (!stream_of(h)->capture) return flags ? invalid_value : record(ev, h);
	if (flags != external) return capture_unsupported;
	return later(h, {nullptr, false, false, [=](void *stream) { return record(ev, stream); }});
}
CUresult cuEventRecord(void *e, void *h) { return cuEventRecordWithFlags(e, h, 0); }
CUresult cuStreamWaitEvent(void *h, void *e, unsigned flags) {
	ENTER;
	auto *ev = (Event *)e;
	if (!stream_of(h)->capture) return flags ? invalid_value : wait_for(h, ev);
	if (flags != external) return capture_unsupported;
	return later(h, {nullptr, false, false, [=](void *stream) { return wait_for(stream, ev); }});
}
CUresult cuEventSynchronize(void *e) {
	ENTER;
	auto *ev = (Event *)e;
	if (ev->stream && ev->after > ev->stream->done) {
		if (!(ev->flags & event_blocking_sync)) counts[spins]++;
		run_next(ev->stream, ev->after - ev->stream->done);
	}
	return sticky;
}
CUresult cuEventQuery(void *e) {
	LOCK;
	auto *ev = (Event *)e;
	if (ev->stream && ev->after > ev->stream->done) return not_ready;
	return sticky;
}
CUresult cuEventElapsedTime(float *ms, void *a, void *b) { *ms = (float)(((Event *)b)->at - ((Event *)a)->at); return success; }

CUresult cuStreamBeginCapture_v2(void *h, int) {
	ENTER;
	Stream *s = stream_of(h);
	if (s == &null_stream || s->capture) return capture_unsupported;
	s->capture = new Graph;
	return success;
}
CUresult cuStreamEndCapture(void *h, void **g) {
	ENTER;
	Stream *s = stream_of(h);
	*g = s->capture;
	s->capture = nullptr;
	return *g ? success : invalid_value;
}
CUresult cuGraphInstantiateWithFlags(void **x, void *g, unsigned long long) {
	ENTER;
	*x = new Exec{((Graph *)g)->nodes};
	counts[objects]++;
	return success;
}
CUresult cuGraphDestroy(void *g) { delete (Graph *)g; return success; }
CUresult cuGraphExecDestroy(void *x) {
	LOCK;
	finish_all();
	delete (Exec *)x;
	counts[objects]--;
	return success;
}
CUresult cuGraphLaunch(void *x, void *h) {
	ENTER;
	counts[graph_launches]++;
	auto *e = (Exec *)x;
	for (auto &n : e->nodes)
		if (CUresult r = n.launched ? n.launched(h) : later(h, n)) return r;
	return success;
}

} // extern "C"
