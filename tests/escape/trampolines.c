/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Abuses what the sandbox puts into a program's memory to make its calls fast: jumps to every
 * offset of a page of trampolines and of the code behind it, with hostile registers and bases;
 * overwrites the page and its header; makes pages that look like it; pulls code away while it is
 * patched. Children do it, and die of it or not. Prints "alive" when calls are still answered
 * rightly at the end.
 */
#include "armed.h"

#include <asm/prctl.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define STUB_TEXT 0x7ffb00000000ull

static uint8_t *page; /* of trampolines */

static void heat(void)
{
	int zero = open("/dev/zero", O_RDONLY);
	char byte;

	for (int i = 0; i < 600; i++) {
		(void)!read(zero, &byte, 1);
		getppid();
		lseek(zero, 0, SEEK_SET);
	}
	close(zero);
}

static void find_page(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[trampolines]") && sscanf(line, "%lx", &start) == 1)
			page = (uint8_t *)start;
	if (maps)
		fclose(maps);
}

/* Runs @what in a child, which has a moment. */
static void in_child(void (*what)(uint64_t), uint64_t argument)
{
	pid_t pid = fork();

	if (pid == 0) {
		setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 250000}}, NULL);
		what(argument);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void jump(uint64_t target)
{
	/* Registers that look like addresses of the stub's, of ours, and of nobody's. */
	__asm__ volatile(
		"movq %0, %%rax; movq %1, %%rcx; movq %1, %%rdi; movq $0x10, %%rsi; movq %1, %%rdx;"
		"movq $-1, %%r8; movq %1, %%r10; movq %1, %%r11; movq %1, %%rbx; jmp *%%rax"
		:
		: "r"(target), "r"(STUB_TEXT + 0x100000000ull + target % 0x10000));
}

static void jump_with_gs(uint64_t target)
{
	static uint64_t fake[1024];

	for (unsigned i = 0; i < 1024; i++)
		fake[i] = i % 3 ? STUB_TEXT + 0x10000000ull + i * 8 : (uint64_t)&fake[i];
	fake[0] = 0x62757473; /* the magic word */
	syscall(SYS_arch_prctl, ARCH_SET_GS, fake);
	if (target % 2)
		syscall(SYS_arch_prctl, ARCH_SET_FS, 0x7ffb00000000ul);
	jump(target);
}

static void overwrite(uint64_t seed)
{
	mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	srand((unsigned)seed);
	for (unsigned i = 0; i < 4096; i++)
		page[i] = (uint8_t)rand();
	heat();
	/* Behind the kernel's back: the stub's own mprotect would do it, too. */
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
	heat();
}

/* A page with the magic words, whose slots name the stub's memory as their sites. */
static void forge(uint64_t seed)
{
	uint64_t *fake = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(fake, 0xcc, 4096);
	fake[0] = 0x6172742079727473ull;
	fake[1] = 0x73656e696c6f706dull;
	for (unsigned i = 8; i < 512; i += 8) {
		fake[i + 5] = STUB_TEXT + seed * 4096;
		fake[i + 6] = (uint64_t)fake;
		fake[i + 7] = seed;
	}
	raise(seed % 2 ? SIGALRM : SIGURG);
	((void (*)(void))((uint8_t *)fake + 64 + seed % 40))();
}

static volatile int stop;

static void *pull(void *code)
{
	while (!stop) {
		mprotect(code, 8192, PROT_READ | PROT_EXEC);
		madvise(code, 8192, MADV_DONTNEED);
		mprotect(code, 8192, PROT_NONE);
	}
	return NULL;
}

/* Code that goes away while it becomes hot. */
static void pull_away(uint64_t seed)
{
	static uint8_t bytes[8192];
	int fd = open("/tmp/code", O_RDWR | O_CREAT | O_TRUNC, 0700);
	size_t at = 4096 - seed % 8;
	pthread_t thread;
	uint8_t *code;

	memset(bytes, 0x90, sizeof(bytes));
	memcpy(bytes + at, "\xb8\x6e\0\0\0\x0f\x05\xc3", 8);
	(void)!write(fd, bytes, sizeof(bytes));
	code = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	pthread_create(&thread, NULL, pull, code);
	for (;;)
		((long (*)(void))(code + at - 200))();
}

int main(void)
{
	long parent = getppid();

	heat();
	find_page();
	if (page) {
		for (uint64_t offset = 0; offset < 64 * 6; offset++)
			in_child(jump, (uint64_t)page + offset);
		for (uint64_t seed = 0; seed < 5; seed++)
			in_child(overwrite, seed);
	}
	for (uint64_t offset = 0; offset < 0x300; offset += 2)
		in_child(offset % 8 ? jump : jump_with_gs, STUB_TEXT + offset);
	for (uint64_t seed = 0; seed < 40; seed++)
		in_child(forge, seed);
	for (uint64_t seed = 0; seed < 8; seed++)
		in_child(pull_away, seed);
	heat();
	puts(getppid() == parent ? "alive" : "wrong answers");
	return 0;
}
