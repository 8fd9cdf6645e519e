/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries the other doors into the host kernel: int 0x80, the vsyscall page, x32 numbers, and a jump
 * to every `syscall` instruction in every executable mapping. None may reach the host; each attempt
 * runs in a child of its own.
 */
#include "armed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int attempt(const char *name, void (*fn)(uint64_t), uint64_t arg)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		alarm(2);
		fn(arg);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (name)
		printf("%s: %s %d\n", name, WIFSIGNALED(status) ? "signal" : "exit",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return status;
}

/* i386 creat("/tmp/int80-escaped"): must not make a file on the host; the runner looks. */
static void int80(uint64_t unused)
{
	char *low = mmap((void *)0x10000, 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	long result;

	strcpy(low, "/tmp/int80-escaped");
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(8L), "b"(low), "c"(0777L) : "memory");
	_exit(result >= 0 ? 1 : 2);
}

static void x32(uint64_t unused)
{
	long result = syscall(0x40000000 | SYS_getpid);

	_exit(result < 0 && errno == ENOSYS ? 2 : 1);
}

static void vsyscall(uint64_t unused)
{
	((long (*)(void *))0xffffffffff600400ull)(NULL);
}

/* Jumps to a syscall instruction with creat("/tmp/jump-escaped") in the registers. */
static void jump(uint64_t target)
{
	static const char name[] = "/tmp/jump-escaped";
	register long mode __asm__("rsi") = 0777;

	__asm__ volatile("jmp *%0"
			 :
			 : "r"(target), "a"(SYS_creat), "D"(name), "r"(mode)
			 : "memory", "rcx", "r11");
}

static void jump_everywhere(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	long jumps = 0;

	while (maps && fgets(line, sizeof(line), maps) && jumps < 400) {
		unsigned long start, end;
		char mode[8];

		if (sscanf(line, "%lx-%lx %7s", &start, &end, mode) != 3 || mode[2] != 'x' ||
			start > 1ul << 47)
			continue;
		for (const uint8_t *at = (const uint8_t *)start;
			at + 1 < (const uint8_t *)end && jumps < 400; at++) {
			if (at[0] == 0x0f && at[1] == 0x05) {
				attempt(NULL, jump, (uint64_t)at);
				jumps++;
			}
		}
	}
	printf("jumped: %s\n", jumps > 10 ? "yes" : "no");
}

/* Every 16th byte of where the stub's text may lie. */
static void jump_into_stub(void)
{
	for (uint64_t at = 0x7ffb00000000ull; at < 0x7ffb00000000ull + 0x3000; at += 48)
		attempt(NULL, jump, at);
	for (uint64_t at = 0x7fffffff0000ull; at < 0x7ffffffff000ull; at += 509)
		attempt(NULL, jump, at);
	puts("stub: done");
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	attempt("int80", int80, 0);
	attempt("x32", x32, 0);
	attempt("vsyscall", vsyscall, 0);
	jump_everywhere();
	jump_into_stub();
	unlink("/tmp/jump-escaped");
	puts("alive");
	return 0;
}
