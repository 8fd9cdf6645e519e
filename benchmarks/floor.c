/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this machine and its kernel allow at best: the mechanisms that a sandbox outside of the
 *kernel is made of, each alone. No figure of a sandbox can be below those of the mechanisms that it
 *needs.
 *
 *	floor [SECONDS]		prints lines "NAME NANOSECONDS", the median of several batches
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* Linux 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, uint64_t)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

enum { BATCHES = 9, LONGEST = 1000000 };

/* The batch stops at a time and not after a count, so that a slow mechanism takes as long as a fast
 * one. */
static double seconds = 0.2;
static double figures[BATCHES];

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static int nth_cpu(int nth)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		die("sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set) && nth-- == 0)
			return cpu;
	return -1;
}

static int cpus[2];

static void pin(int nth)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpus[nth], &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("sched_setaffinity");
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Calls @once until the time is up, BATCHES times over, and prints the median. */
static void report(const char *name, void (*once)(void))
{
	for (int i = 0; i < BATCHES; i++) {
		uint64_t begin = now_ns(), took;
		long count = 0;

		do {
			for (int j = 0; j < 16; j++)
				once();
			count += 16;
			took = now_ns() - begin;
		} while ((double)took < seconds * 1e9 / BATCHES && count < LONGEST);
		figures[i] = (double)took / (double)count;
	}
	qsort(figures, BATCHES, sizeof(figures[0]), by_size);
	printf("%s %.1f\n", name, figures[BATCHES / 2]);
	fflush(stdout);
}

/* Runs a measurement in a process of its own: filters and CPU sets do not come back off. */
static void apart(void (*measure)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		measure();
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("fork");
	if (status != 0)
		fprintf(stderr, "floor: a measurement failed\n");
}

/* ---- a cache line between two cores ---- */

static struct {
	_Alignas(128) atomic_uint there;
	_Alignas(128) atomic_uint back;
} line;

static void *bounce(void *arg)
{
	unsigned expected = 1, value;

	pin(1);
	for (;;) {
		do
			value = atomic_load_explicit(&line.there, memory_order_acquire);
		while (value != expected && value != UINT32_MAX);
		if (value == UINT32_MAX)
			return arg;
		atomic_store_explicit(&line.back, expected++, memory_order_release);
	}
}

static void spin_once(void)
{
	unsigned next = atomic_load_explicit(&line.there, memory_order_relaxed) + 1;

	atomic_store_explicit(&line.there, next, memory_order_release);
	while (atomic_load_explicit(&line.back, memory_order_acquire) != next)
		;
}

static void measure_spin(void)
{
	pthread_t thread;

	pin(0);
	if (pthread_create(&thread, NULL, bounce, NULL))
		die("pthread_create");
	report("spin-pingpong", spin_once);
	atomic_store(&line.there, UINT32_MAX);
	pthread_join(thread, NULL);
}

/* ---- calls and what a filter makes of them ---- */

/* Never seen by a program of ours, and harmless. */
enum { TRAPPED = SYS_vhangup };

static int install(uint32_t action, unsigned flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TRAPPED, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
	long result;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die("no_new_privs");
	result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (result < 0)
		die("seccomp");
	return (int)result;
}

static void call_once(void)
{
	getppid();
}

static void measure_call(void)
{
	report("syscall", call_once);
	install(SECCOMP_RET_TRAP, 0);
	report("syscall-filtered", call_once);
}

static void on_sigsys(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	uc->uc_mcontext.gregs[REG_RAX] = 0;
}

static void trapped_once(void)
{
	syscall(TRAPPED);
}

static void measure_trap(void)
{
	struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};

	sigaction(SIGSYS, &action, NULL);
	install(SECCOMP_RET_TRAP, 0);
	report("sigsys-trap", trapped_once);
}

/* ---- user notification ---- */

static int listener;

static void *answer(void *arg)
{
	struct seccomp_notif request;
	struct seccomp_notif_resp response;

	pin((int)(intptr_t)arg);
	for (;;) {
		memset(&request, 0, sizeof(request));
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0) {
			if (errno == EINTR || errno == ENOENT)
				continue;
			return NULL;
		}
		memset(&response, 0, sizeof(response));
		response.id = request.id;
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0 && errno != ENOENT)
			return NULL;
	}
}

static void measure_notification(const char *name, int cpu)
{
	pthread_t thread;

	pin(0);
	listener = install(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) < 0)
		fprintf(stderr, "floor: no synchronous wake-up here\n");
	if (pthread_create(&thread, NULL, answer, (void *)(intptr_t)cpu))
		die("pthread_create");
	report(name, trapped_once);
}

static void measure_notification_same(void)
{
	measure_notification("notification-same", 0);
}

static void measure_notification_split(void)
{
	measure_notification("notification-split", 1);
}

/* ---- futexes ---- */

static atomic_uint word;

static void futex_wait(unsigned value)
{
	while (atomic_load(&word) == value)
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_set(unsigned value)
{
	atomic_store(&word, value);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *futex_other(void *arg)
{
	pin((int)(intptr_t)arg);
	/* Until the process ends. */
	do {
		futex_wait(0);
		futex_set(0);
	} while (arg != &word);
	return NULL;
}

static void futex_once(void)
{
	futex_set(1);
	futex_wait(1);
}

static void measure_futex(const char *name, int cpu)
{
	pthread_t thread;

	pin(0);
	if (pthread_create(&thread, NULL, futex_other, (void *)(intptr_t)cpu))
		die("pthread_create");
	report(name, futex_once);
}

static void measure_futex_same(void)
{
	measure_futex("futex-same", 0);
}

static void measure_futex_split(void)
{
	measure_futex("futex-split", 1);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seconds = atof(argv[1]);
	cpus[0] = nth_cpu(0);
	cpus[1] = nth_cpu(1);
	apart(measure_call);
	apart(measure_trap);
	apart(measure_notification_same);
	apart(measure_futex_same);
	if (cpus[1] < 0) {
		fprintf(stderr, "floor: one CPU only, nothing between two\n");
		return 0;
	}
	apart(measure_spin);
	apart(measure_notification_split);
	apart(measure_futex_split);
	return 0;
}
