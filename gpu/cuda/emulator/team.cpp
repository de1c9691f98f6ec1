// The processor's threads that run the blocks of a launch.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "block.h"

namespace emulator {

thread_local Place here;

// Team is the threads that run blocks.
struct Team {
	std::mutex mu;
	std::condition_variable wake, done;
	std::vector<std::thread> threads;
	unsigned long call = 0;
	int busy = 0;
	const Kernel *kernel;
	void **params;
	uint3 grid, block;
	std::atomic<unsigned long> next;
	unsigned long total;

	void start() {
		long n = sysconf(_SC_NPROCESSORS_ONLN);
		if (const char *e = getenv("EMULATOR_THREADS")) n = atol(e);
		sigset_t all, old; // signals are for the program's own threads
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		for (long i = 0; i < (n < 1 ? 1 : n); i++) threads.emplace_back([this] { loop(); });
		pthread_sigmask(SIG_SETMASK, &old, nullptr);
	}

	void loop() {
		unsigned long seen = 0;
		for (;;) {
			{
				std::unique_lock<std::mutex> l(mu);
				wake.wait(l, [&] { return call != seen; });
				seen = call;
			}
			here.block_dim = block;
			here.grid_dim = grid;
			for (unsigned long i; (i = next.fetch_add(1)) < total;) {
				here.block = {(unsigned)(i % grid.x), (unsigned)(i / grid.x % grid.y), (unsigned)(i / grid.x / grid.y)};
				run_block(kernel, params);
			}
			std::lock_guard<std::mutex> l(mu);
			if (--busy == 0) done.notify_one();
		}
	}

	void run(const Kernel *k, uint3 g, uint3 b, void **p) {
		std::unique_lock<std::mutex> l(mu);
		if (threads.empty()) start();
		kernel = k, params = p, grid = g, block = b;
		next = 0;
		total = (unsigned long)g.x * g.y * g.z;
		busy = (int)threads.size();
		call++;
		wake.notify_all();
		done.wait(l, [&] { return busy == 0; });
	}
};

static Team *team = new Team; // never destroyed: its threads outlive main

void run_kernel(const Kernel *k, uint3 grid, uint3 block, void **params) { team->run(k, grid, block, params); }

} // namespace emulator
