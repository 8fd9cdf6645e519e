/* SPDX-License-Identifier: Apache-2.0 */
/*
 * membarrier(2): every thread concerned passes a full memory barrier before the call returns.
 *
 * The stub may not ask the host for its own membarrier. What we have is the interrupt: a host
 * signal that brings a thread out of guest code, through the host's kernel, to the Sentry. So each
 * thread that is in guest code is interrupted, and the call waits until it was seen outside.
 * Whoever is outside has passed one on the way. That costs microseconds for each thread instead
 * of Linux' fractions of one; the promise is the same. The host signal also aborts restartable
 * sequences, so a thread that was interrupted is in none that began before (RSEQ; on one CPU means
 * on all here). Serialising the instruction stream (SYNC_CORE) is not promised, and the query says
 * so.
 */
#include <errno.h>
#include <stdlib.h>

#include "abi/errno.h"
#include "abi/mman.h"
#include "base/cleanup.h"
#include "sentry/mm.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"

#define COMMANDS                                                                                   \
	(LX_MEMBARRIER_CMD_GLOBAL | LX_MEMBARRIER_CMD_GLOBAL_EXPEDITED |                           \
		LX_MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED |                                      \
		LX_MEMBARRIER_CMD_PRIVATE_EXPEDITED |                                              \
		LX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |                                     \
		LX_MEMBARRIER_CMD_GET_REGISTRATIONS)

#define FIRST_LOOK_NS 20000ull	 /* an interrupt takes about that long */
#define LAST_LOOK_NS  2000000ull /* when the host's CPUs are busy */
#define PERIOD_NS     5000000ull /* of MEMBARRIER_CMD_GLOBAL */

enum scope { SCOPE_PRIVATE, SCOPE_REGISTERED, SCOPE_ALL };

struct seen {
	struct task *task; /* owned */
	uint64_t switches;
};

static bool concerned(const struct task *caller, const struct task *other, enum scope scope)
{
	if (other == caller || !other->mm || other->exited || !other->in_guest)
		return false;
	switch (scope) {
	case SCOPE_PRIVATE:
		return other->mm == caller->mm;
	case SCOPE_REGISTERED:
		return other->mm->membarrier & LX_MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
	default:
		return true;
	}
}

/* Has it left guest code since? */
static bool passed(const struct seen *seen)
{
	return !seen->task->in_guest || seen->task->switches != seen->switches;
}

static void wait_passed(const struct seen *seen)
{
	uint64_t pause = FIRST_LOOK_NS;

	while (!passed(seen) && seen->task->thread && !task_current()->killed) {
		platform->interrupt(seen->task->thread);
		(void)wait_sleep(NULL, ~0u, loop_monotonic_now() + pause, false, false);
		if (pause < LAST_LOOK_NS)
			pause *= 2;
	}
}

static size_t count_concerned(const struct task *caller, enum scope scope)
{
	size_t count = 0;

	for (struct pid *pid = pid_next(1); pid; pid = pid_next(pid->nr + 1))
		count += pid->task && concerned(caller, pid->task, scope);
	return count;
}

/* May sleep. -ENOMEM. */
static int barrier_all(struct task *caller, enum scope scope)
{
	size_t wanted = count_concerned(caller, scope), count = 0;
	struct seen *seen = calloc(wanted ? wanted : 1, sizeof(*seen));

	if (!seen)
		return -ENOMEM;
	for (struct pid *pid = pid_next(1); pid && count < wanted; pid = pid_next(pid->nr + 1)) {
		if (!pid->task || !concerned(caller, pid->task, scope))
			continue;
		seen[count++] = (struct seen){task_ref(pid->task), pid->task->switches};
		platform->interrupt(pid->task->thread);
	}
	for (size_t i = 0; i < count; i++) {
		wait_passed(&seen[i]);
		task_unref(seen[i].task);
	}
	free(seen);
	return 0;
}

/*
 * The command for everybody, without a registration, interrupts all threads of the sandbox: it
 * waits for a period that begins after it came, and whoever comes meanwhile shares the next one
 * (synchronize_rcu()). So a loop of it costs others a few interrupts each second.
 */
static int barrier_everybody(struct task *caller)
{
	static struct fiber_mutex mutex;
	static uint64_t begun, completed;
	static bool ready;
	uint64_t wanted = begun + 1;
	int err = 0;

	if (!ready)
		fiber_mutex_init(&mutex);
	ready = true;
	if (fiber_mutex_lock_interruptible(&mutex) < 0)
		return -ERESTARTNOINTR;
	if (completed < wanted) {
		(void)wait_sleep(NULL, ~0u, loop_monotonic_now() + PERIOD_NS, false, false);
		wanted = ++begun;
		err = barrier_all(caller, SCOPE_ALL);
		if (err == 0)
			completed = wanted;
	}
	fiber_mutex_unlock(&mutex);
	return err;
}

#define COMMANDS_RSEQ                                                                              \
	(LX_MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ |                                                \
		LX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ)

static int64_t barrier_rseq(struct task *t, unsigned command)
{
	if (!rseq_offered())
		return -EINVAL;
	if (command == LX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ) {
		t->mm->membarrier |= command;
		return 0;
	}
	if (!(t->mm->membarrier & LX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ))
		return -EPERM;
	return barrier_all(t, SCOPE_PRIVATE);
}

int64_t sys_membarrier(struct task *t, unsigned command, unsigned flags, int cpu_id)
{
	if (flags && (flags != LX_MEMBARRIER_CMD_FLAG_CPU ||
			     command != LX_MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ))
		return -EINVAL;
	switch (command) {
	case LX_MEMBARRIER_CMD_QUERY:
		return COMMANDS | (rseq_offered() ? COMMANDS_RSEQ : 0);
	case LX_MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ:
	case LX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ:
		return barrier_rseq(t, command);
	case LX_MEMBARRIER_CMD_GET_REGISTRATIONS:
		return t->mm->membarrier;
	case LX_MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case LX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
		t->mm->membarrier |= command;
		return 0;
	case LX_MEMBARRIER_CMD_GLOBAL:
		return barrier_everybody(t);
	case LX_MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		return barrier_all(t, SCOPE_REGISTERED);
	case LX_MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		if (!(t->mm->membarrier & LX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
			return -EPERM;
		return barrier_all(t, SCOPE_PRIVATE);
	default:
		return -EINVAL;
	}
}
