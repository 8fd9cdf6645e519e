/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two threads write over what the process shares with the sandbox (channel slots, the stubs'
 * stacks, windows, prepared and library pages, made writable by the stub's own mprotect) while
 * others make all sorts of calls; and change FS and GS under them. Plausible values among the
 * garbage: sequence numbers, kinds, counts, offsets, lengths at their edges. The process dies of it
 * sooner or later; another one is started. Prints "alive" when a sibling was answered rightly all
 * the time.
 */
#include "armed.h"
#include "gadget.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/systrap/stub/layout.h"

#define ROUND_NS 120000000l
#define PAGES	 4096

static volatile long *calls, *wrong;
static volatile uint64_t *pages[PAGES];
static unsigned page_count;
static volatile int stop;

static uint64_t value(unsigned *seed, uint64_t old)
{
	switch (rand_r(seed) % 12) {
	case 0:
		return old + 1;
	case 1:
		return old ^ 1ull << rand_r(seed) % 64;
	case 2:
		return old + (1ull << 32);
	case 3:
		return (uint64_t)(rand_r(seed) % 300);
	case 4:
		return CHANNEL_DATA_SIZE - (uint64_t)(rand_r(seed) % 3);
	case 5:
		return ~0ull >> rand_r(seed) % 64;
	case 6:
		return STUB_TEXT_BASE + (uint64_t)rand_r(seed) % STUB_TEXT_SIZE;
	case 7:
		return STUB_CHANNEL_BASE + (uint64_t)rand_r(seed) % CHANNEL_SEGMENT_SIZE;
	case 8:
		return 1ull << 63;
	default:
		return (uint64_t)rand_r(seed) << 33 ^ (uint64_t)rand_r(seed);
	}
}

/* Pages that can be written, or can be made so. */
static void collect(void)
{
	static const struct {
		uint64_t start, size;
		int protect;
	} areas[] = {{STUB_CHANNEL_BASE, 4ul * CHANNEL_SEGMENT_SIZE, 0},
		{STUB_STACK_BASE, 8ul * STUB_STACK_SIZE, 0},
		{STUB_WINDOW_BASE, STUB_WINDOW_SIZE / 8, 1},
		{STUB_TEXT_BASE + STUB_TEXT_SIZE, 0x1000, 1}};

	for (unsigned i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
		for (uint64_t at = areas[i].start;
			at < areas[i].start + areas[i].size && page_count < PAGES; at += 4096) {
			if (!gadget_readable(at))
				continue;
			if (areas[i].protect &&
				gadget_call(SYS_mprotect, at, 4096, 3, 0, 0, 0) != 0)
				continue;
			pages[page_count++] = (volatile uint64_t *)at;
		}
}

static void *scribble(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	while (!stop) {
		/* Mostly the heads, which everybody looks at. */
		volatile uint64_t *page = pages[rand_r(&seed) % page_count];
		unsigned word = rand_r(&seed) % (rand_r(&seed) % 2 ? 16 : 512);

		page[word] = value(&seed, page[word]);
		if (rand_r(&seed) % 64 == 0)
			usleep(1);
	}
	return NULL;
}

static int has_fsgsbase(void)
{
	unsigned a, b = 0, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1);
}

/* Bases of all kinds, and calls under them; this thread needs neither for its own sake. */
static void *change_bases(void *arg)
{
	static uint64_t fake[1024];
	unsigned seed = (unsigned)(uintptr_t)arg;

	fake[0] = 0x62757473;
	while (!stop && has_fsgsbase()) {
		uint64_t fs, base = rand_r(&seed) % 3 == 0 ? (uint64_t)fake
				    : rand_r(&seed) % 2
					    ? STUB_STACK_BASE + (uint64_t)rand_r(&seed) %
									(8 * STUB_STACK_SIZE)
					    : value(&seed, 0);
		long result;

		base &= (1ull << 47) - 1; /* others fault before they do anything */
		__asm__ volatile("rdfsbase %0" : "=r"(fs));
		__asm__ volatile("wrfsbase %1; wrgsbase %1; syscall; wrfsbase %2"
				 : "=a"(result)
				 : "r"(base), "r"(fs),
				 "a"(rand_r(&seed) % 2 ? SYS_umask : SYS_getpid), "D"(022)
				 : "rcx", "r11", "memory");
	}
	return NULL;
}

static void *call(void *arg)
{
	static char buffer[300000];
	struct iovec iov[3] = {{buffer, 10}, {buffer + 100, 70000}, {buffer + 80000, 200000}};
	int zero = open("/dev/zero", O_RDWR), file = open("/usr/bin/env", O_RDONLY), ends[2];
	struct stat st;

	(void)!pipe(ends);
	while (!stop) {
		struct pollfd poll_fd = {ends[0], POLLIN, 0};

		(void)!read(zero, buffer, 64);
		(void)!preadv(file, iov, 3, 0);
		(void)!write(ends[1], buffer, 100);
		poll(&poll_fd, 1, 1);
		(void)!read(ends[0], buffer, 100);
		stat("/usr/bin/env", &st);
		munmap(mmap(NULL, 65536, PROT_READ, MAP_PRIVATE, file, 0), 65536);
		(void)!readlink("/proc/self/exe", buffer, 100);
	}
	return arg;
}

static void round_of(unsigned seed)
{
	struct timespec length = {0, ROUND_NS};
	pthread_t thread;

	alarm(3);
	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, call, NULL);
	usleep(5000);
	collect();
	if (!page_count)
		_exit(0);
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&thread, NULL, scribble, (void *)(seed * 2 + i));
	pthread_create(&thread, NULL, change_bases, (void *)(uintptr_t)seed);
	nanosleep(&length, NULL);
	_exit(0);
}

static void sibling(void)
{
	char text[16];

	for (;;) {
		int fd = open("/proc/self/comm", O_RDONLY);
		ssize_t n = read(fd, text, sizeof(text));

		if (n < 5 || memcmp(text, "scrib", 5) != 0 || syscall(SYS_getpid) != getpid())
			++*wrong;
		close(fd);
		++*calls;
	}
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 20;
	pid_t other;

	calls = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	wrong = calls + 1;
	gadget_find();
	other = fork();
	if (other == 0)
		sibling();
	for (unsigned seed = 0; seed < rounds; seed++) {
		pid_t pid = fork();
		int waited = 0;

		if (pid == 0)
			round_of(seed);
		/* It may have lost its alarm. */
		while (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0) {
			usleep(1000);
			if (++waited == 600)
				kill(pid, SIGKILL);
		}
	}
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	puts(*wrong ? "wrong answers" : *calls > 200 ? "alive" : "the sibling starved");
	return 0;
}
