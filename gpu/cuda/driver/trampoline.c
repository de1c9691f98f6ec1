// Stands in for libcuda.so.1 when the program is linked, so that the program starts on a machine without NVIDIA's
// driver. Each function is a jump through a table that the first call of cuda_driver_status fills with what it finds in the
// real library.
//
// gorgonia.org/cu calls cuInit when the program starts, whatever it was started for, and exits where that fails. This
// cuInit does nothing: the driver is loaded and initialised when somebody asks for its status, which whoever wants a GPU
// does first. Until then, and without a driver, every function returns CUDA_ERROR_NO_DEVICE.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { no_device = 100, not_found = 500 };

static int absent(void) { return no_device; }
static int lacking(void) { return not_found; }

#if defined(__x86_64__)
#define JUMP(name) __asm__(".text\n.globl " #name "\n.type " #name ", @function\n" #name ": jmp *slot_" #name "(%rip)\n");
#elif defined(__aarch64__)
#define JUMP(name) __asm__(".text\n.globl " #name "\n.type " #name ", %function\n" #name ": adrp x16, slot_" #name "\nldr x16, [x16, :lo12:slot_" #name "]\nbr x16\n");
#else
#error "x86-64 and aarch64"
#endif

#define SYMBOL(name) __attribute__((visibility("hidden"), used)) int (*slot_##name)(void) = absent; JUMP(name)
#include "symbols.h"
#undef SYMBOL

static struct { const char *name; int (**slot)(void); } table[] = {
#define SYMBOL(name) {#name, &slot_##name},
#include "symbols.h"
#undef SYMBOL
};

static int status = no_device;
static int found; // there is a driver, which may find no GPU
static char problem[512];

const char *cuda_driver_problem(void) { return problem; }
int cuda_driver_found(void) { return found; }

// cuda_driver_lacks returns the first of a list of functions, ended by NULL, that the driver does not have.
const char *cuda_driver_lacks(const char **names) {
	for (; *names; names++)
		for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
			if (!strcmp(table[i].name, *names) && *table[i].slot == lacking) return *names;
	return NULL;
}

int cuInit(unsigned int flags) {
	(void)flags;
	return 0;
}

static void load(void) {
	void *lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!lib) {
		snprintf(problem, sizeof problem, "%s", dlerror());
		return;
	}
	int (*real)(unsigned int) = (int (*)(unsigned int))dlsym(lib, "cuInit");
	if (!real) {
		snprintf(problem, sizeof problem, "libcuda.so.1 has no cuInit");
		return;
	}
	found = 1;
	status = real(0);
	if (status) {
		snprintf(problem, sizeof problem, "cuInit failed with CUDA error %d", status);
		return;
	}
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		void *f = dlsym(lib, table[i].name);
		*table[i].slot = f ? (int (*)(void))f : lacking;
	}
}

// cuda_driver_status loads the driver at its first call; it returns what cuInit did.
int cuda_driver_status(void) {
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, load);
	return status;
}
