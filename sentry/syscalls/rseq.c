/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restartable sequences: rseq(2).
 *
 * A guest thread is a host thread, so the guest's area is registered with the host, by that thread:
 * the host's kernel writes the number of the CPU there and aborts sequences when it preempts or
 * migrates the thread or delivers a signal, the platform's own among them. So an abort is there
 * before the registers of interrupted guest code are looked at, and nothing here takes part.
 *
 * What is kept is for ptrace(2) and for the ends of things. A thread that leaves memory which
 * others go on using unregisters first: its host thread still runs for a moment, and a registered
 * area that is gone by then is a SIGSEGV for the whole process. Fork inherits the area, clones that
 * share memory do not, execve begins with a new host thread: as on Linux, by the host's doing.
 *
 * The numbers are the host's, as those that the vDSO reads. Programs index arrays with them that
 * have as many entries as there are CPUs. So the call is there only where both ways of counting
 * agree: the sandbox runs on the host's CPUs from 0 up to the number that the guest sees. On other
 * hosts (a cpuset that begins elsewhere, a quota below the number of CPUs) it is ENOSYS, as on a
 * kernel without CONFIG_RSEQ, and the auxiliary vector has no AT_RSEQ_*.
 */
#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/errno.h"
#include "abi/rseq.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"

static bool offered;

static bool numbers_agree(unsigned cpu_count)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0 || (unsigned)CPU_COUNT(&set) != cpu_count)
		return false;
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		if (!CPU_ISSET(cpu, &set))
			return false;
	return true;
}

void rseq_init(unsigned cpu_count)
{
	/* Flags that nobody knows: EINVAL where there is the call at all. */
	offered = syscall(SYS_rseq, NULL, 0, -2, 0) < 0 && errno == EINVAL &&
		  numbers_agree(cpu_count);
}

bool rseq_offered(void)
{
	return offered && platform->rseq;
}

/* An area that is not the guest's: the host checks the other arguments, then refuses it. */
static gaddr_t guest_area(gaddr_t area, unsigned len)
{
	uint64_t end = platform->guest_end().v;

	if (area.v < end && len <= end - area.v)
		return area;
	return GADDR(area.v | 1ull << 63);
}

int64_t sys_rseq(struct task *t, gaddr_t area, unsigned len, unsigned flags, unsigned sig)
{
	int r;

	if (!rseq_offered())
		return -ENOSYS;
	if (flags & ~(unsigned)LX_RSEQ_FLAG_UNREGISTER)
		return -EINVAL;
	r = platform->rseq(t->thread, guest_area(area, len), len, flags, sig);
	if (r < 0)
		return r;
	t->rseq = flags ? GADDR_NULL : area;
	t->rseq_size = flags ? 0 : len;
	t->rseq_sig = flags ? 0 : sig;
	return 0;
}

void task_end_rseq(struct task *task)
{
	if (!gaddr_is_null(task->rseq))
		platform->rseq_end(task->thread, task->rseq, task->rseq_size, task->rseq_sig);
	task->rseq = GADDR_NULL;
}
