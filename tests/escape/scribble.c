/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes over every writable page above the guest's own end (the stub's stacks and channel), one
 * page at a time, each from a fresh child, while a sibling counts calls. Prints "alive" when the
 * sandbox still answers at the end.
 */
#include "armed.h"

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HIGH_START 0x7ff000000000ull
#define HIGH_END   0x7ffffffff000ull

static volatile long *calls;

/* Children that die by what they did are the expected end. */
static void scribble_at(uint64_t start, uint64_t step, int pattern)
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(2);
		for (uint64_t at = start; at < HIGH_END; at += step) {
			/* Faults end the child; the next one starts elsewhere. */
			*(volatile uint64_t *)at = pattern ? (uint64_t)rand() * rand() : ~0ull;
			syscall(SYS_getppid);
		}
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

int main(void)
{
	pid_t sibling;

	calls = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sibling = fork();
	if (sibling == 0) {
		for (;;) {
			syscall(SYS_getppid);
			++*calls;
		}
	}
	for (int i = 0; i < 200; i++)
		scribble_at(HIGH_START + (uint64_t)i * ((HIGH_END - HIGH_START) / 200 & ~0xfffull),
			4096, i % 2);
	for (uint64_t at = 0x7ffb00000000ull; at < 0x7ffb00000000ull + 64 * 65536; at += 65536)
		scribble_at(at, 4096, 1);
	kill(sibling, 9);
	waitpid(sibling, NULL, 0);
	puts(*calls > 1000 ? "alive" : "the sibling starved");
	return 0;
}
