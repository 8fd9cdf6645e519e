/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_ESCAPE_GADGET_H
#define SENTRY_TESTS_ESCAPE_GADGET_H

/*
 * Host calls from the stub's own text, past the Sentry: whatever the filter lets the stub do, a
 * guest can do by jumping there. Exists on systrap alone.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stddef.h>

#define GADGET_TEXT 0x7ffb00000000ull
#define GADGET_SIZE 0x10000ull

static uint64_t gadget; /* of a `syscall; ret`; 0: there is none */
static sigjmp_buf gadget_fault;

static void gadget_on_fault(int signo)
{
	siglongjmp(gadget_fault, 1);
}

/* Whether one byte can be read. */
__attribute__((unused)) static int gadget_readable(uint64_t addr)
{
	struct sigaction action = {.sa_handler = gadget_on_fault, .sa_flags = SA_NODEFER}, segv,
			 bus;
	int readable = 0;

	sigaction(SIGSEGV, &action, &segv);
	sigaction(SIGBUS, &action, &bus);
	if (sigsetjmp(gadget_fault, 1) == 0) {
		(void)*(volatile const uint8_t *)addr;
		readable = 1;
	}
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return readable;
}

__attribute__((unused)) static void gadget_find(void)
{
	for (uint64_t page = GADGET_TEXT; page < GADGET_TEXT + GADGET_SIZE; page += 4096) {
		const uint8_t *at = (const uint8_t *)page;

		if (!gadget_readable(page))
			break;
		for (unsigned i = 0; i < 4094; i++)
			if (at[i] == 0x0f && at[i + 1] == 0x05 && at[i + 2] == 0xc3)
				gadget = page + i;
	}
}

__attribute__((unused)) static long gadget_call(
	long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	register uint64_t r10 __asm__("r10") = a3;
	register uint64_t r8 __asm__("r8") = a4;
	register uint64_t r9 __asm__("r9") = a5;
	long result = nr;

	if (!gadget)
		return -38;
	/* The red zone is not ours to push a return address into. */
	__asm__ volatile(
		"lea -128(%%rsp), %%rsp; call *%[gadget]; lea 128(%%rsp), %%rsp"
		: "+a"(result)
		: [gadget] "r"(gadget), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
		: "memory", "rcx", "r11", "cc");
	return result;
}

#endif
