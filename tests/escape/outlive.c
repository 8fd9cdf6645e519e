/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wants to live longer than its sandbox: `outlive KIND` prepares itself, says "ready" and stays, or
 * leaves somebody behind. The runner then ends the sandbox in one way or the other and counts.
 */
#include "armed.h"
#include "gadget.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void ready(void)
{
	(void)!write(1, "ready\n", 6);
}

static void ignore_all(void)
{
	for (int signo = 1; signo < 65; signo++)
		signal(signo, SIG_IGN);
}

static void stay(void)
{
	for (;;)
		pause();
}

static void kind_ignore(void)
{
	sigset_t all;

	ignore_all();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	ready();
	stay();
}

/* Twice forked, in a session of its own, without a terminal or descriptors, busy. */
static void kind_daemon(void)
{
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			ignore_all();
			prctl(PR_SET_PDEATHSIG, 0);
			ready();
			for (int fd = 0; fd < 100; fd++)
				close(fd);
			for (;;)
				;
		}
		_exit(0);
	}
	stay();
}

static void kind_stopped(void)
{
	for (int i = 0; i < 3; i++)
		if (fork() == 0) {
			ignore_all();
			raise(SIGSTOP);
			stay();
		}
	usleep(20000);
	ready();
	raise(SIGSTOP);
	stay();
}

/* The parent sleeps in vfork(2), which no signal but a deadly one ends; so does the child's in its
 * own. */
static void kind_vfork(void)
{
	volatile int depth = 0;

	while (depth < 3) {
		depth++;
		if (vfork() > 0)
			stay();
	}
	ready();
	stay();
}

static void kind_vfork_ignore(void)
{
	ignore_all();
	kind_vfork();
}

static void kind_traced(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		ignore_all();
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		stay();
	}
	waitpid(pid, NULL, 0);
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT);
	ready();
	ignore_all();
	/* It stops at its exit, and nobody lets it go on. */
	kill(pid, SIGKILL);
	stay();
}

static void *futex_thread(void *arg)
{
	static uint32_t word;

	syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
	return arg;
}

static void kind_futex(void)
{
	pthread_t threads[8];

	ignore_all();
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, futex_thread, NULL);
	ready();
	futex_thread(NULL);
}

/* In the host's kernel, where the Sentry does not know of it, with all of the host's signals
 * blocked. */
static void kind_raw_futex(void)
{
	static uint32_t word;

	ready();
	gadget_call(SYS_futex, (uint64_t)&word, FUTEX_WAIT, 0, 0, 0, 0);
	kind_ignore();
}

/* A host signal frame of its own making: every host signal is blocked from then on. */
static void kind_raw_mask(void)
{
	static uint64_t frame[128] __attribute__((aligned(64)));
	static char stack[65536] __attribute__((aligned(64)));

	if (fork() > 0) {
		ready();
		kind_ignore();
	}
	/* struct ucontext (asm-generic): flags, link, stack(3), sigcontext(32 words), sigmask */
	frame[0] = 0;
	frame[5 + 15] = (uint64_t)(stack + sizeof(stack) - 128); /* rsp */
	frame[5 + 16] = (uint64_t)stay;				 /* rip */
	frame[5 + 17] = 0x202;
	frame[5 + 18] = 0x33 | 0x2bull << 48; /* cs, ss */
	frame[5 + 32] = ~0ull;
	if (gadget)
		__asm__ volatile("mov %0, %%rsp; mov $15, %%eax; jmp *%1"
				 :
				 : "r"(frame), "r"(gadget));
	kind_ignore();
}

/* The first thread is gone by the host's exit, the others compute. */
static void *spin_thread(void *arg)
{
	for (;;)
		;
	return arg;
}

static void kind_raw_exit(void)
{
	pthread_t thread;

	ignore_all();
	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, spin_thread, NULL);
	ready();
	gadget_call(SYS_exit, 0, 0, 0, 0, 0, 0);
	stay();
}

/* Its stub is gone: it cannot answer anybody. */
static void kind_raw_unmap(void)
{
	pthread_t thread;

	if (fork() > 0)
		kind_ignore();
	pthread_create(&thread, NULL, spin_thread, NULL);
	gadget_call(
		SYS_munmap, GADGET_TEXT + 0x10000000ull, 64ul << 20, 0, 0, 0, 0); /* the channel */
	gadget_call(SYS_mprotect, GADGET_TEXT, GADGET_SIZE, 0, 0, 0, 0);
	for (;;)
		;
}

/* Long in a call of the Sentry's: a read that nobody answers, a lock that nobody gives back, an
 * open of a FIFO. */
static void kind_calls(void)
{
	struct flock lock = {.l_type = F_WRLCK};
	int ends[2], fd = open("/tmp/lock", O_CREAT | O_RDWR, 0600);
	char byte;

	ignore_all();
	(void)!pipe(ends);
	fcntl(fd, F_SETLK, &lock);
	mkfifo("/tmp/fifo", 0600);
	if (fork() == 0)
		fcntl(open("/tmp/lock", O_RDWR), F_SETLKW, &lock);
	if (fork() == 0)
		close(open("/tmp/fifo", O_RDONLY));
	if (fork() == 0)
		(void)!read(ends[0], &byte, 1);
	if (fork() == 0)
		wait(NULL);
	usleep(20000);
	ready();
	(void)!read(ends[0], &byte, 1);
	stay();
}

/* Always somewhere between two programs. */
static void kind_exec(void)
{
	char *again[] = {(char *)"/hostile/outlive", (char *)"exec", (char *)"quiet", NULL};

	ignore_all();
	for (int i = 0; i < 2; i++)
		if (fork() == 0)
			break;
	execve(again[0], again, environ);
	stay();
}

static void kind_forks(void)
{
	ignore_all();
	ready();
	for (;;)
		if (fork() == 0)
			setsid();
}

/* The program ends and leaves all that behind. */
static void kind_leave(void)
{
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			setsid();
			ignore_all();
			if (i == 1)
				raise(SIGSTOP);
			if (i == 2)
				kind_raw_futex();
			if (i == 3 && fork() > 0)
				_exit(0);
			for (;;)
				;
		}
	usleep(20000);
	ready();
	_exit(7);
}

/* An init of a namespace of its own, which signals from within do not reach. */
static void kind_init(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0 && fork() == 0) {
		ignore_all();
		for (int i = 0; i < 3; i++)
			if (fork() == 0)
				for (;;)
					;
		ready();
		stay();
	}
	stay();
}

static const struct {
	const char *name;
	void (*run)(void);
} kinds[] = {
#define KIND(name)                                                                                 \
	{                                                                                          \
#name, kind_##name                                                                 \
	}
	KIND(ignore),
	KIND(daemon),
	KIND(stopped),
	KIND(vfork),
	KIND(vfork_ignore),
	KIND(traced),
	KIND(futex),
	KIND(raw_futex),
	KIND(raw_mask),
	KIND(raw_exit),
	KIND(raw_unmap),
	KIND(calls),
	KIND(exec),
	KIND(forks),
	KIND(leave),
	KIND(init),
};

int main(int argc, char **argv)
{
	gadget_find();
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (argc < 2)
			puts(kinds[i].name);
		else if (strcmp(argv[1], kinds[i].name) == 0) {
			if (argc == 2 && strcmp(argv[1], "exec") == 0)
				ready();
			kinds[i].run();
		}
	}
	return 2;
}
