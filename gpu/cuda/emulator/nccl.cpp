// A stand-in for NCCL: as much as the CUDA device uses, between processes of one machine. They meet in a piece of memory
// that the process which made the id holds; others open it by the id, which names that process, so that nothing is left of
// it when they have ended. Sums are in the order of the ranks.
//
// It holds callers to NCCL's rules: all ranks make the same calls in the same order, and where one captures a call in a
// graph and launches that, all do. Where they differ it says so and ends the program.
//
//	EMULATOR_NCCL_VERSION  what ncclGetVersion says (22304)
//	EMULATOR_NCCL=x        init: no communicator is made; call: sums are refused; async: one that is made has failed soon after
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "libraries.h"

extern "C" int emulator_meet(void *stream, void (*f)(void *), void *data);

enum { success = 0, unhandled_cuda_error = 1, system_error = 2, invalid_argument = 4, invalid_usage = 5, remote_error = 6 };
enum { type_int32 = 2, type_float32 = 7 };

const int max_ranks = 32;
const size_t piece = 256 << 10, letter = 64 << 10; // bytes that travel at once

// Call is one call, as all ranks must make it.
struct Call {
	unsigned long number; // of the call, of those that make graphs too
	size_t count;
	bool operator!=(const Call &o) const { return number != o.number || count != o.count; }
};

// Board is where a rank shows pieces of what it sums, one while others still read the one before.
struct Board {
	std::atomic<unsigned long> shown;
	Call call[2];
	char data[2][piece];
};
// Box is where letters of one rank to another lie.
struct Box {
	std::atomic<unsigned long> sent, taken;
	char data[2][letter];
};
struct Room {
	std::atomic<int> ranks, arrived;
	std::atomic<int> here[max_ranks];
	Board boards[max_ranks];
	Box boxes[max_ranks][max_ranks]; // by sender and receiver
};

struct Id {
	char magic[16];
	int process, file;
};
static const char magic[16] = "emulated NCCL";

struct Comm {
	Room *room;
	int rank, ranks;
	unsigned long calls = 0, pieces = 0;
	std::atomic<bool> aborted{false};
	int asked = 0; // for its errors
};

struct Unique { char internal[128]; };

// Letters is a send or a receive under way.
struct Letters {
	Comm *comm;
	void *stream;
	char *at;
	size_t bytes;
	int peer;
	bool receive;
};
static thread_local int grouped;
static thread_local std::vector<Letters> group;

static bool asked(const char *v) {
	const char *e = getenv("EMULATOR_NCCL");
	return e && !strcmp(e, v);
}

// Pause is how a rank waits for another: by looking again, soon at first.
struct Pause {
	int rounds = 0;
	void operator()() {
		if (++rounds < 100) {
			sched_yield();
			return;
		}
		timespec t = {0, 50000};
		nanosleep(&t, nullptr);
	}
};

static void differ(const Comm *c, int other, const Call &mine, const Call &theirs) {
	fprintf(stderr, "emulator: ranks sum differently: rank %d is at call %lu, of %zu numbers, rank %d at call %lu, of %zu\n", c->rank, mine.number, mine.count, other,
		theirs.number, theirs.count);
	abort();
}

// add_all leaves the sum over the ranks in to.
static void add_all(Comm *c, const float *from, float *to, Call call) {
	const size_t step = piece / sizeof(float);
	for (size_t at = 0; at == 0 || at < call.count; at += step) {
		size_t n = std::min(step, call.count - at);
		unsigned long number = ++c->pieces;
		int side = number & 1;
		Board &mine = c->room->boards[c->rank];
		mine.call[side] = call;
		memcpy(mine.data[side], from + at, n * sizeof(float));
		mine.shown.store(number);
		for (int r = 0; r < c->ranks; r++) {
			Board &b = c->room->boards[r];
			for (Pause pause; b.shown.load() < number; pause())
				if (c->aborted) return;
			if (b.call[side] != call) differ(c, r, call, b.call[side]);
			auto x = (const float *)b.data[side];
			for (size_t i = 0; i < n; i++) to[at + i] = r == 0 ? x[i] : to[at + i] + x[i];
		}
	}
}

// move takes a send or a receive as far as it goes now, and reports whether that was anywhere.
static bool move(Letters &l) {
	Comm *c = l.comm;
	Box &box = l.receive ? c->room->boxes[l.peer][c->rank] : c->room->boxes[c->rank][l.peer];
	bool moved = false;
	while (l.bytes > 0) {
		unsigned long sent = box.sent.load(), taken = box.taken.load();
		if (l.receive ? sent == taken : sent - taken == 2) break;
		size_t n = std::min(l.bytes, letter);
		if (l.receive) {
			memcpy(l.at, box.data[taken & 1], n);
			box.taken.store(taken + 1);
		} else {
			memcpy(box.data[sent & 1], l.at, n);
			box.sent.store(sent + 1);
		}
		l.at += n;
		l.bytes -= n;
		moved = true;
	}
	return moved;
}

static void exchange(std::vector<Letters> all) {
	for (Pause pause;;) {
		bool done = true, moved = false;
		for (auto &l : all) {
			if (l.comm->aborted) return;
			moved |= move(l);
			done &= l.bytes == 0;
		}
		if (done) return;
		if (!moved) pause();
	}
}

static int meet(void *stream, std::function<void()> work) {
	return emulator_meet(stream, [](void *p) { (*(std::function<void()> *)p)(); }, new std::function<void()>(std::move(work))) ? unhandled_cuda_error : success;
}

static int letters(void *at, size_t count, int type, int peer, Comm *c, void *stream, bool receive) {
	if (type != type_int32 || peer < 0 || peer >= c->ranks) return invalid_argument;
	if (!grouped) return invalid_usage; // alone it waits for its like: not used, and not known here
	if (asked("call")) return system_error;
	group.push_back({c, stream, (char *)at, 4 * count, peer, receive});
	return success;
}

extern "C" {

// emulator_sums returns how often ncclAllReduce was called: a graph that is launched does not.
static std::atomic<long> sums;
long emulator_sums() { return sums; }

int ncclGetVersion(int *v) {
	const char *e = getenv("EMULATOR_NCCL_VERSION");
	*v = e && *e ? atoi(e) : 22304;
	return success;
}

const char *ncclGetErrorString(int r) {
	switch (r) {
	case success: return "no error";
	case unhandled_cuda_error: return "unhandled cuda error";
	case system_error: return "unhandled system error";
	case invalid_argument: return "invalid argument";
	case invalid_usage: return "invalid usage";
	case remote_error: return "remote process exited or there was a network error";
	}
	return "unknown result code";
}

int ncclGetUniqueId(Unique *u) {
	Id id = {{}, getpid(), memfd_create("emulated NCCL", MFD_CLOEXEC)};
	if (id.file < 0 || ftruncate(id.file, sizeof(Room))) return system_error;
	memcpy(id.magic, magic, sizeof magic);
	memset(u, 0, sizeof *u);
	memcpy(u, &id, sizeof id);
	return success;
}

int ncclCommInitRank(Comm **comm, int ranks, Unique u, int rank) {
	Id id;
	memcpy(&id, &u, sizeof id);
	if (memcmp(id.magic, magic, sizeof magic) || ranks < 1 || ranks > max_ranks || rank < 0 || rank >= ranks) return invalid_argument;
	if (asked("init") || refused()) return system_error;
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/fd/%d", id.process, id.file);
	int file = open(path, O_RDWR | O_CLOEXEC);
	if (file < 0) return system_error;
	void *p = mmap(nullptr, sizeof(Room), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
	close(file);
	if (p == MAP_FAILED) return system_error;
	auto *room = (Room *)p;
	int none = 0;
	if (!room->ranks.compare_exchange_strong(none, ranks) && none != ranks) return invalid_argument;
	if (room->here[rank].exchange(1)) return invalid_usage;
	room->arrived++;
	for (Pause pause; room->arrived.load() < ranks;) pause(); // for ever, where one does not come
	*comm = new Comm{room, rank, ranks};
	handles++;
	return success;
}

int ncclAllReduce(const float *from, float *to, size_t count, int type, int op, Comm *c, void *stream) {
	if (type != type_float32 || op != 0 || grouped) return invalid_argument;
	if (asked("call")) return system_error;
	sums++;
	Call call = {++c->calls, count};
	return meet(stream, [=] {
		reads("ncclAllReduce send", from, count);
		reads("ncclAllReduce receive", to, count);
		if (!c->aborted) add_all(c, from, to, call);
	});
}

int ncclGroupStart() { grouped++; return success; }
int ncclSend(const void *at, size_t count, int type, int peer, Comm *c, void *s) { return letters((void *)at, count, type, peer, c, s, false); }
int ncclRecv(void *at, size_t count, int type, int peer, Comm *c, void *s) { return letters(at, count, type, peer, c, s, true); }
int ncclGroupEnd() {
	if (grouped == 0) return invalid_usage;
	if (--grouped > 0 || group.empty()) return success;
	std::vector<Letters> all;
	all.swap(group);
	return meet(all[0].stream, [=] {
		for (auto &l : all) reads(l.receive ? "ncclRecv" : "ncclSend", l.at, l.bytes / 4);
		exchange(all);
	});
}

int ncclCommGetAsyncError(Comm *c, int *error) {
	*error = asked("async") && ++c->asked > 1 ? remote_error : success;
	return success;
}

// What is queued, and graphs, have the communicator: it stays.
int ncclCommAbort(Comm *c) {
	c->aborted = true;
	handles--;
	return success;
}
int ncclCommDestroy(Comm *) { handles--; return success; }

} // extern "C"
