//go:build linux

package main

// Under a limit of address space (ulimit -v, h_vmem of Grid Engine) Go's runtime dies with a trace before main
// begins, where the limit is too small for what it reserves. So the limit is looked at before the runtime starts, in
// C; and the C library is kept from reserving 128 MiB for each thread.

/*
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

// What Go's runtime reserves is some 1.2 GiB; a small net wants as much again as is left here.
static const unsigned long least = 1536ul << 20;

__attribute__((constructor)) static void look_at_address_space(void) {
	struct rlimit l;
	if (getrlimit(RLIMIT_AS, &l) != 0 || l.rlim_cur == RLIM_INFINITY)
		return;
#ifdef __GLIBC__
	mallopt(M_ARENA_MAX, 1);
#endif
	if (l.rlim_cur < least) {
		char text[256];
		int n = snprintf(text, sizeof text, "dns-tui: the address space is limited to %lu MiB (ulimit -v, h_vmem); "
			"wanted at least %lu MiB\n",
			(unsigned long)l.rlim_cur >> 20, least >> 20);
		if (write(STDERR_FILENO, text, n) < 0)
			_exit(1);
		_exit(1);
	}
}
*/
import "C"
