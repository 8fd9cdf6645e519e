/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that touch little: what is measured is the way to the kernel and back. */
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "micro.h"

static void op_getpid(long count)
{
	while (count--)
		getpid();
}

static void op_gettid(long count)
{
	while (count--)
		gettid();
}

static void op_getppid(long count)
{
	while (count--)
		getppid();
}

static void op_getuid(long count)
{
	while (count--)
		getuid();
}

static void op_clock_vdso(long count)
{
	struct timespec now;

	while (count--)
		clock_gettime(CLOCK_MONOTONIC, &now);
}

static void op_clock_syscall(long count)
{
	struct timespec now;

	while (count--)
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
}

static void op_sigprocmask(long count)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	while (count--)
		sigprocmask(count & 1 ? SIG_BLOCK : SIG_UNBLOCK, &set, &old);
}

static void op_sched_yield(long count)
{
	while (count--)
		sched_yield();
}

static void op_getcpu(long count)
{
	unsigned cpu, node;

	while (count--)
		syscall(SYS_getcpu, &cpu, &node, NULL);
}

static void op_umask(long count)
{
	while (count--)
		umask(022);
}

/* A call that a kernel in another process has to answer: nothing of it is known on the guest's
 * side. */
static void op_getpriority(long count)
{
	while (count--)
		getpriority(PRIO_PROCESS, 0);
}

static void op_cpu(long count)
{
	volatile uint64_t x = 1;

	while (count--)
		for (int i = 0; i < 1000; i++)
			x = x * 6364136223846793005ull + 1442695040888963407ull;
}

const struct bench bench_calls[] = {
	{"getpid", op_getpid},
	{"gettid", op_gettid},
	{"getppid", op_getppid},
	{"getuid", op_getuid},
	{"clock-vdso", op_clock_vdso},
	{"clock-syscall", op_clock_syscall},
	{"sigprocmask", op_sigprocmask},
	{"sched-yield", op_sched_yield},
	{"getcpu", op_getcpu},
	{"umask", op_umask},
	{"getpriority", op_getpriority},
	{"cpu", op_cpu},
	{0},
};
