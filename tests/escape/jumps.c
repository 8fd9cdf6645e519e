/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jumps to host calls with registers of its choice:
 *
 *   pairs     every syscall, sysenter and int 0x80 pair in every executable mapping, the stub's and
 *             the platform's included, with every call's number and arguments that would show
 *   offsets   every offset of the stub's text and of the platform's pages, whatever is there
 *   own       code of its own at the stub's addresses, where the filter looks for the stub's
 *   untie     calls that would untie a process from the sandbox's life; stays until it is killed
 *
 * Each attempt runs in a child, which goes on with the next one where it survives. What must not
 * happen happens on the host: the runner looks for files, processes and signals.
 */
#include "armed.h"
#include "gadget.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TARGETS_MAX 4000
#define CALLS	    463 /* numbers from 0, of which each stride-th is tried */
#define TRIED	    ((CALLS + stride - 1) / stride)

struct attempt {
	uint64_t target;
	uint64_t nr;
};

static struct {
	volatile long next, alive;
} * shared;
static uint64_t targets[TARGETS_MAX];
static unsigned target_count;
static long stride = 1;
static sigjmp_buf back;
static long decoy; /* a process of the host's, by its number there */
static char path[] = "/tmp/escaped-by-jump";
static char *words[] = {"/bin/touch", path, NULL};
static uint64_t block[64]; /* looks like an address, an iovec, a sigevent... */

static void on_signal(int signo)
{
	siglongjmp(back, 1);
}

/* Arguments with which the call would show on the host. */
static void arguments(uint64_t nr, uint64_t args[6])
{
	const uint64_t usual[6] = {(uint64_t)path, O_CREAT | O_RDWR, 0666, (uint64_t)block, 0, 0};

	memcpy(args, usual, sizeof(usual));
	switch (nr) {
	case SYS_execve:
		args[1] = (uint64_t)words;
		args[2] = 0;
		break;
	case SYS_openat:
	case SYS_mknodat:
	case SYS_mkdirat:
		args[0] = (uint64_t)AT_FDCWD;
		args[1] = (uint64_t)path;
		args[2] = O_CREAT | O_RDWR;
		args[3] = 0666;
		break;
	case SYS_kill:
	case SYS_tgkill:
	case SYS_tkill:
	case SYS_pidfd_open:
	case SYS_ptrace:
		args[0] = nr == SYS_ptrace ? 16 : (uint64_t)decoy;
		args[1] = nr == SYS_kill || nr == SYS_tkill ? SIGKILL : (uint64_t)decoy;
		args[2] = SIGKILL;
		break;
	case SYS_clone:
		args[0] = SIGCHLD;
		args[1] = args[2] = args[3] = 0;
		break;
	case SYS_clone3:
		block[4] = SIGCHLD;
		args[0] = (uint64_t)block;
		args[1] = 64;
		break;
	case SYS_socket:
		args[0] = 1;
		args[1] = 1;
		args[2] = 0;
		break;
	case SYS_fcntl:
	case SYS_close:
	case SYS_dup2:
	case SYS_ioctl:
	case SYS_sendmsg:
	case SYS_write:
		args[0] = nr % 4;
		args[1] = nr == SYS_fcntl ? F_SETFL : (uint64_t)block;
		args[2] = 0;
		break;
	}
}

static void jump(uint64_t target, uint64_t nr, const uint64_t args[6])
{
	register uint64_t r10 __asm__("r10") = args[3];
	register uint64_t r8 __asm__("r8") = args[4];
	register uint64_t r9 __asm__("r9") = args[5];

	__asm__ volatile("lea -128(%%rsp), %%rsp; call *%[target]; lea 128(%%rsp), %%rsp"
			 : "+a"(nr)
			 : [target] "b"(target), "D"(args[0]), "S"(args[1]), "d"(args[2]), "r"(r10),
			 "r"(r8), "r"(r9)
			 : "memory", "rcx", "r11", "r12", "r13", "r14", "r15", "cc");
}

static void catch_all(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS, SIGALRM};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER};
	stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};

	sigaltstack(&stack, NULL);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

static void attempts(long count, struct attempt (*attempt)(long))
{
	catch_all();
	while (shared->next < count) {
		struct attempt now = attempt(shared->next);
		/* Where the stub holds it for its own, `int 0x80` is tried again and again. */
		struct itimerval soon = {{0, 10000}, {0, 10000}};
		uint64_t args[6];

		shared->next++;
		setitimer(ITIMER_REAL, &soon, NULL);
		arguments(now.nr & 0xfff, args);
		if (sigsetjmp(back, 1) == 0)
			jump(now.target, now.nr, args);
	}
	_exit(0);
}

/* A jump into the middle of something may make it a kill(2) of ourselves: in a PID namespace of its
 * own the child has nobody to kill. */
static pid_t fork_apart(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);

	return pid < 0 ? fork() : pid;
}

/* Children that go through all attempts, one after the other's death. */
static void go_through(long count, struct attempt (*attempt)(long))
{
	shared->next = 0;
	while (shared->next < count) {
		long seen = shared->next;
		pid_t pid = fork_apart();
		int waited = 0;

		if (pid == 0)
			attempts(count, attempt);
		if (pid < 0)
			break;
		while (waitpid(pid, NULL, WNOHANG) == 0) {
			struct timespec moment = {0, 200000};

			nanosleep(&moment, NULL);
			if (shared->next != seen) {
				seen = shared->next;
				waited = 0;
			} else if (++waited > 400) {
				kill(pid, SIGKILL);
			}
		}
	}
}

/* ---- what to jump to ---- */

static void add_target(uint64_t at)
{
	if (target_count < TARGETS_MAX)
		targets[target_count++] = at;
}

static void pairs_between(uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at + 1 < end; at++) {
		const uint8_t *byte = (const uint8_t *)at;

		if ((byte[0] == 0x0f && (byte[1] == 0x05 || byte[1] == 0x34)) ||
			(byte[0] == 0xcd && byte[1] == 0x80))
			add_target(at);
	}
}

/* The platform's own pages, which no map shows: the stub's text and gate, the vDSO, and where the
 * other platform has its. */
static const struct {
	uint64_t start, end;
} platform_pages[] = {{GADGET_TEXT, GADGET_TEXT + 0x20000},
	{GADGET_TEXT + 0x100000, GADGET_TEXT + 0x110000}, {0x7fffff000000ull, 0x7ffffffff000ull}};

static void platform_targets(void (*add)(uint64_t start, uint64_t end))
{
	for (unsigned i = 0; i < sizeof(platform_pages) / sizeof(platform_pages[0]); i++)
		for (uint64_t at = platform_pages[i].start; at < platform_pages[i].end; at += 4096)
			if (gadget_readable(at))
				add(at, at + 4096);
}

static void mapped_targets(unsigned max)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long start, end;
		char mode[8];

		if (sscanf(line, "%lx-%lx %7s", &start, &end, mode) == 3 && mode[2] == 'x' &&
			mode[0] == 'r' && start < 1ul << 47 && target_count < max)
			pairs_between(start, end);
	}
	if (maps)
		fclose(maps);
}

static unsigned platform_count;

/* All numbers at the platform's pairs, a few at the others, of which there are hundreds. */
static struct attempt pair_attempt(long i)
{
	static const uint64_t few[] = {SYS_creat, SYS_execve, SYS_kill, SYS_clone,
		0x40000000 | SYS_creat, 8 /* i386 creat */};
	const unsigned few_count = sizeof(few) / sizeof(few[0]);

	/* With a stride, other numbers for other pairs. */
	if (i < (long)platform_count * TRIED)
		return (struct attempt){
			targets[i / TRIED], (uint64_t)((i % TRIED * stride + i / TRIED) % CALLS)};
	i -= (long)platform_count * TRIED;
	return (struct attempt){targets[platform_count + i / few_count], few[i % few_count]};
}

static void pairs(void)
{
	platform_targets(pairs_between);
	platform_count = target_count;
	mapped_targets(platform_count + 300 / (unsigned)stride);
	printf("pairs: %u of the platform, %u others\n", platform_count,
		target_count - platform_count);
	go_through((long)platform_count * TRIED + (long)(target_count - platform_count) * 6,
		pair_attempt);
}

static uint64_t ranges[300];
static unsigned range_count;

static void add_page(uint64_t start, uint64_t end)
{
	if (range_count < sizeof(ranges) / sizeof(ranges[0]))
		ranges[range_count++] = start;
}

static struct attempt offset_attempt(long i)
{
	static const uint64_t numbers[] = {
		SYS_creat, SYS_clone, SYS_kill, SYS_mmap, 1u << 31, 0x62757473};

	i *= stride;
	return (struct attempt){ranges[i / 4096] + (uint64_t)i % 4096, numbers[i % 6]};
}

static void offsets(void)
{
	platform_targets(add_page);
	printf("offsets: %u pages, each %ld bytes\n", range_count, stride);
	go_through((long)range_count * 4096 / stride, offset_attempt);
}

/* ---- code of our own where the stub's is ---- */

#define OWN (GADGET_TEXT + GADGET_SIZE - 4096)

static struct attempt own_attempt(long i)
{
	const uint64_t wide = i / TRIED % 2 ? 0x40000000 : 0;

	return (struct attempt){
		OWN + 16 * ((uint64_t)i / TRIED / 2), (uint64_t)(i % TRIED * stride) | wide};
}

static void own(void)
{
	static const uint8_t code[3][16] = {
		{0x0f, 0x05, 0xc3}, {0xcd, 0x80, 0xc3}, {0x0f, 0x34, 0xc3}};
	long at = gadget_call(SYS_mmap, OWN, 4096, 7, 0x32, ~0ull, 0);
	char *low = mmap((void *)0x10000, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (!gadget || at != (long)OWN) {
		puts("own: no");
		return;
	}
	puts("own: placed");
	memcpy((void *)OWN, code, sizeof(code));
	if (low != MAP_FAILED)
		strcpy(low, path);
	go_through(6 * TRIED, own_attempt);
}

/* ---- to be no part of the sandbox any more ---- */

static struct attempt untie_attempt(long i)
{
	static const uint64_t numbers[] = {SYS_setpgid, SYS_setsid, SYS_close, SYS_dup2,
		SYS_close_range, SYS_prctl, SYS_fcntl, SYS_unshare, SYS_setns, SYS_personality,
		SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_prlimit64, SYS_setpriority};

	return (struct attempt){targets[i / 14], numbers[i % 14]};
}

static void untie(void)
{
	sigset_t all;

	platform_targets(pairs_between);
	/* Those who did not die of it stay. */
	for (unsigned i = 0; i < 14; i++) {
		struct attempt now = untie_attempt(i);
		uint64_t args[6] = {0};

		if (fork() == 0) {
			if (target_count)
				jump(now.target, now.nr, args);
			sigfillset(&all);
			sigprocmask(SIG_BLOCK, &all, NULL);
			setsid();
			for (;;)
				i % 2 ? (void)pause() : (void)0;
		}
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IONBF, 0);
	decoy = argc > 2 ? atol(argv[2]) : 1;
	stride = argc > 3 ? atol(argv[3]) : 1;
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	gadget_find();
	if (strcmp(what, "pairs") == 0)
		pairs();
	else if (strcmp(what, "offsets") == 0)
		offsets();
	else if (strcmp(what, "own") == 0)
		own();
	else if (strcmp(what, "untie") == 0)
		untie();
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	puts(getppid() == 1 ? "alive" : "wrong answers");
	return 0;
}
