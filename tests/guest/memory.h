/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_GUEST_MEMORY_H
#define SENTRY_TESTS_GUEST_MEMORY_H

/* What the cases about memory share: pages, files of known content, and a look at what an address
 * allows. */
#include <setjmp.h>

#include "case.h"

#define P 4096ul

static sigjmp_buf jump;
static volatile sig_atomic_t fault_signo, fault_code;

static inline void on_fault(int signo, siginfo_t *info, void *context)
{
	fault_signo = signo;
	fault_code = info->si_code;
	siglongjmp(jump, 1);
}

static inline void catch_faults(void)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

/* Prints whether a byte can be read and written, or which fault says no. */
static inline void probe(const char *what, volatile char *p)
{
	catch_faults();
	if (sigsetjmp(jump, 1) == 0) {
		char c = *p;

		NOTE("%s: reads %d", what, c);
	} else {
		NOTE("%s: read fault signal %d code %d", what, (int)fault_signo, (int)fault_code);
		return;
	}
	if (sigsetjmp(jump, 1) == 0) {
		*p = *p;
		NOTE("%s: writes", what);
	} else {
		NOTE("%s: write fault signal %d code %d", what, (int)fault_signo, (int)fault_code);
	}
}

static inline char *anon(size_t pages)
{
	char *p = mmap(NULL, pages * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		NOTE("mmap failed: %s", errno_name(errno));
		exit(1);
	}
	return p;
}

static inline int file_of(const char *name, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	for (size_t i = 0; i < size; i++) {
		char c = (char)('a' + i / P);

		if (pwrite(fd, &c, 1, (off_t)i) != 1)
			exit(1);
		if (i % P == 0 && i + P <= size)
			i += P - 2; /* first and last byte of each page */
	}
	if (ftruncate(fd, (off_t)size) < 0)
		exit(1);
	return fd;
}

static inline void drop(void)
{
	if (geteuid() == 0 &&
		(setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
		exit(1);
}

#endif
