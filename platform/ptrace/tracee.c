/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tracees: objects, waiting, reaping.
 *
 * Every stop and every death is a status that wait4() hands out once, to us alone: the thread that
 * traces is the kernel thread. tracee_collect() is the one place where a status enters; it updates
 * the tracee's state and wakes the fiber that waits for it.
 *
 * Two ways to wait. The direct one asks for one thread, yields the core (which tracer and tracees
 * share) and asks again: 2.6 us from resume to stop where the tracee comes back soon. The other
 * parks the fiber; SIGCHLD, which a signalfd in the loop takes, ends its sleep, and the loop
 * source collects. A tracee that stayed in the guest for long is waited for the second way
 * until it becomes quick again, so that a computing guest does not hold up the loop.
 *
 * A thread group's leader is reported dead only after all other threads were reaped
 * (kernel/exit.c, delay_group_leader), so nothing may block on one thread id: what waits, polls
 * for the whole process group.
 */
#include "platform/ptrace/tracee.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/log.h"

#define DIRECT_YIELDS_MAX 4
#define DIRECT_MAX_NS	  50000u  /* longer in the guest: no longer quick */
#define CONTENDED_NS	  200000u /* a direct wait that took this long had to share the core */
#define QUICK_NS	  20000u  /* a parked tracee that came back within this is quick again */
#define DYING_MAX	  64u	  /* tracees on their way out, beyond as many as the cap */
#define DIRECT_BURST	  32u	  /* direct waits before the loop gets a turn */

struct pt_globals pt = {
	.newborns = LIST_HEAD_INIT(pt.newborns),
	.socket_send = -1,
	.socket_receive = -1,
	.kill_pipe = -1,
	.proc_fd = -1,
};

/* The first status of a child whose clone we have not heard of yet. */
struct newborn {
	struct list_head link;
	pid_t tid;
	int status;
};

static unsigned direct_burst;

struct platform_as *as_new(void)
{
	struct platform_as *as = calloc(1, sizeof(*as));

	if (as)
		list_init(&as->tracees);
	return as;
}

bool tracees_below_cap(void)
{
	/* The dying do not count for the guest, but a storm of them must not grow without bound. */
	if (pt.tracee_count >= 2 * pt.config.max_threads + DYING_MAX)
		(void)tracees_poll();
	return pt.thread_count < pt.config.max_threads &&
	       pt.tracee_count < 2 * pt.config.max_threads + DYING_MAX;
}

struct tracee *tracee_new(struct platform_as *as)
{
	struct tracee *t;

	if (!tracees_below_cap())
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->pub.as = as;
	t->pub.regs_dirty = true;
	t->state = TRACEE_DEAD;
	t->reaped = true;
	t->quick = true;
	list_add_tail(&t->as_link, &as->tracees);
	as->tracee_count++;
	as->thread_count++;
	pt.thread_count++;
	pt.tracee_count++;
	return t;
}

static void tracee_free(struct tracee *t)
{
	struct platform_as *as = t->pub.as;

	list_remove(&t->as_link);
	pt.tracee_count--;
	if (--as->tracee_count == 0)
		free(as);
	free(t);
}

static struct tracee *tracee_find(pid_t tid)
{
	struct tracee *t;

	hash_for_each_match(t, &pt.tracees, hash_u64((uint64_t)tid), by_tid)
	{
		if (t->tid == tid)
			return t;
	}
	return NULL;
}

static void set_state(struct tracee *t, enum tracee_state state)
{
	bool was_due = t->state != TRACEE_STOPPED && !t->reaped;
	bool is_due = state != TRACEE_STOPPED && !t->reaped;

	t->state = state;
	pt.running += (unsigned)is_due - (unsigned)was_due;
}

static void tracee_reap(struct tracee *t)
{
	set_state(t, TRACEE_DEAD);
	pt.running--;
	t->reaped = true;
	hash_remove(&pt.tracees, &t->by_tid);
	if (t->tid == t->pub.as->tgid)
		t->pub.as->leader_reaped = true;
	if (t == pt.zygote && pt.started)
		pt.upcalls->fatal("the zygote process died");
}

static void tracee_collect(struct tracee *t, int status)
{
	struct fiber *waiter = t->waiter;

	t->status = status;
	if (!WIFSTOPPED(status)) {
		tracee_reap(t);
		if (t->released) {
			tracee_free(t);
			return;
		}
	} else if (t->released) {
		/* On its way to exit(2), held up by a stray signal or an interruption. */
		(void)ptrace(PTRACE_CONT, t->tid, NULL, NULL);
	} else if (t->state == TRACEE_RUNNING) {
		set_state(t, TRACEE_STOPPED);
	}
	if (waiter)
		fiber_wake(waiter);
}

static void newborn_add(pid_t tid, int status)
{
	struct newborn *newborn;

	/* Nobody asked for it: the leftover of a clone whose parent was killed. */
	newborn = pt.births > 0 ? malloc(sizeof(*newborn)) : NULL;
	if (!newborn) {
		if (WIFSTOPPED(status))
			(void)kill(tid, SIGKILL);
		return;
	}
	newborn->tid = tid;
	newborn->status = status;
	list_add_tail(&newborn->link, &pt.newborns);
}

void newborns_kill(void)
{
	struct newborn *newborn, *tmp;

	list_for_each_entry_safe (newborn, tmp, &pt.newborns, link) {
		if (WIFSTOPPED(newborn->status))
			(void)kill(newborn->tid, SIGKILL);
		list_remove(&newborn->link);
		free(newborn);
	}
}

void tracees_forget(void)
{
	struct hash_entry *entry;

	while ((entry = hash_first(&pt.tracees))) {
		struct tracee *t = container_of(entry, struct tracee, by_tid);
		struct fiber *waiter = t->waiter;

		t->status = SIGKILL;
		set_state(t, TRACEE_DEAD);
		tracee_reap(t);
		if (t == pt.zygote)
			tracee_release(t);
		else if (t->released)
			tracee_free(t);
		else if (waiter)
			fiber_wake(waiter);
	}
	pt.zygote = NULL;
	hash_fini(&pt.tracees);
}

int tracee_register(struct tracee *t, pid_t tid)
{
	struct newborn *newborn, *tmp;
	int err;

	t->tid = tid;
	err = hash_insert(&pt.tracees, &t->by_tid, hash_u64((uint64_t)tid));
	if (err < 0)
		return err;
	t->reaped = false;
	t->state = TRACEE_RUNNING;
	pt.running++;
	list_for_each_entry_safe (newborn, tmp, &pt.newborns, link) {
		if (newborn->tid != tid)
			continue;
		tracee_collect(t, newborn->status);
		list_remove(&newborn->link);
		free(newborn);
		break;
	}
	return 0;
}

void as_sigkill(struct platform_as *as)
{
	struct tracee *t;

	if (as->killed || as->leader_reaped)
		return;
	as->killed = true;
	/* The leader's id is ours until we reap it, so this cannot hit a stranger. */
	(void)kill(as->tgid, SIGKILL);
	list_for_each_entry (t, &as->tracees, as_link) {
		if (t->state == TRACEE_STOPPED)
			set_state(t, TRACEE_DEAD);
	}
}

void tracee_release(struct tracee *t)
{
	static const struct injected_call leave = {.nr = 60 /* exit */};
	struct platform_as *as = t->pub.as;

	t->released = true;
	as->thread_count--;
	pt.thread_count--;
	if (t->reaped) {
		tracee_free(t);
		return;
	}
	if (as->thread_count == 0)
		as_sigkill(as);
	else if (t->state == TRACEE_STOPPED)
		(void)tracee_call_begin(t, PT_INJECT_CALL, &leave);
}

int tracee_request(struct tracee *t, int request, void *addr, void *data)
{
	int err;

	if (t->state == TRACEE_DEAD)
		return -ESRCH;
	sentry_assert(t->state == TRACEE_STOPPED);
	if (ptrace(request, t->tid, addr, data) >= 0)
		return 0;
	err = -errno;
	if (err == -ESRCH)
		set_state(t, TRACEE_DEAD);
	return err;
}

int tracee_resume(struct tracee *t, int request)
{
	int err = tracee_request(t, request, NULL, NULL);

	if (err == 0)
		set_state(t, TRACEE_RUNNING);
	return err;
}

unsigned tracees_poll(void)
{
	unsigned found = 0;

	while (pt.running > 0) {
		int status;
		pid_t tid = waitpid(-pt.group, &status, WNOHANG | __WALL);
		struct tracee *t;

		if (tid <= 0) {
			pt.poll_needed = false;
			return found;
		}
		found++;
		t = tracee_find(tid);
		if (t)
			tracee_collect(t, status);
		else
			newborn_add(tid, status);
	}
	/* Nobody runs any more that we know of, but one that is about to be known (a child that was
	 * just born) may have stopped meanwhile: its SIGCHLD is taken already. */
	pt.poll_needed = true;
	return found;
}

/*
 * Asks for @t first: with one id that costs the same however many tracees there are. The statuses
 * of others stay with the host and SIGCHLD stays pending; when @t has none, they may be what keeps
 * the core.
 */
static bool collect_one(struct tracee *t)
{
	int status;

	if (waitpid(t->tid, &status, WNOHANG | __WALL) == t->tid) {
		tracee_collect(t, status);
		return true;
	}
	return pt.running > 1 && tracees_poll() > 0 && t->state != TRACEE_RUNNING;
}

static bool wait_direct(struct tracee *t)
{
	uint64_t start, spent = 0;
	bool stopped = false;

	if (++direct_burst > DIRECT_BURST) {
		direct_burst = 0;
		return false;
	}
	start = loop_monotonic_now();
	for (unsigned i = 0; i < DIRECT_YIELDS_MAX && spent < DIRECT_MAX_NS && !stopped; i++) {
		if (fiber_any_ready())
			return false;
		sched_yield();
		stopped = collect_one(t);
		if (!stopped || pt.away > 0)
			spent = loop_monotonic_now() - start;
	}
	if (spent >= CONTENDED_NS && pt.away > 0)
		affinity_contended(start + spent);
	if (!stopped)
		t->quick = false;
	return stopped;
}

static void wait_blocking(struct tracee *t)
{
	int status;

	while (t->state == TRACEE_RUNNING) {
		pid_t tid = waitpid(t->tid, &status, __WALL);

		if (tid == t->tid)
			tracee_collect(t, status);
		else if (errno != EINTR)
			panic("waitpid: %d", errno);
	}
}

static void wait_parked(struct tracee *t)
{
	bool in_guest = t->activity == TRACEE_IN_GUEST;
	uint64_t start = loop_monotonic_now(), end;

	t->waiter = fiber_current();
	if (in_guest)
		affinity_leave(t, start);
	while (t->state == TRACEE_RUNNING)
		fiber_park();
	end = loop_monotonic_now();
	if (in_guest)
		affinity_return(t, end);
	t->waiter = NULL;
	if (!t->quick && end - start < QUICK_NS)
		t->quick = true;
}

void tracee_wait(struct tracee *t)
{
	if (t->state != TRACEE_RUNNING)
		return;
	/* Only the start-up is outside fibers, with the zygote's single thread. */
	if (!fiber_current())
		wait_blocking(t);
	else if (!t->quick || t->unpinned || !wait_direct(t))
		wait_parked(t);
}
