/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address spaces: the host process, its channel memory, its threads' bookkeeping, and their deaths.
 *
 * Every stub is the Sentry's own child (CLONE_PARENT), so an id stays taken until it is reaped
 * here, and a signal sent to a process that is not reaped yet cannot hit somebody else. Threads are
 * told apart by id within their process (tgkill), never alone.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"

#define CHECK_PERIOD  500000000ull /* ns */
#define LEAVE_TICKS   4		   /* how long a released thread may take to end */
#define LOST_TICKS    2	  /* after this long in guest, ask whether the thread still exists */
#define COMMAND_TICKS 120 /* a stub that needs longer for a command is broken */
#define KICK_TICKS    60  /* likewise for an interrupt */

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif

/* ---- slots and stacks ---- */

static int segment_open(struct systrap_as *as, unsigned index)
{
	_cleanup_close_ int fd = -1;
	void *mapping;

	if (as->segments[index].slots)
		return 0;
	fd = memfd_create("channel", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("channel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? -EAGAIN : -ENOMEM;
	if (ftruncate(fd, CHANNEL_SEGMENT_SIZE) < 0)
		return -ENOMEM;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -ENOMEM;
	mapping = mmap(NULL, CHANNEL_SEGMENT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapping == MAP_FAILED)
		return -ENOMEM;
	as->segments[index].slots = mapping;
	as->segments[index].memfd = take_fd(&fd);
	return 0;
}

/* Our mapping is enough: once the stub has its own, the descriptor is of no use. */
static void segment_close_fd(struct systrap_as *as, unsigned index)
{
	if (as->segments[index].memfd >= 0)
		close(as->segments[index].memfd);
	as->segments[index].memfd = -1;
}

static unsigned bit_alloc(uint64_t *words, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (!(words[i / 64] >> (i % 64) & 1)) {
			words[i / 64] |= 1ull << (i % 64);
			return i;
		}
	}
	return count;
}

int systrap_slot_alloc(struct systrap_as *as, unsigned *ret_index)
{
	unsigned index = bit_alloc(as->slots_used, SYSTRAP_SLOTS_MAX);
	struct channel_slot *slot;
	int err;

	if (index == SYSTRAP_SLOTS_MAX)
		return -EAGAIN;
	err = segment_open(as, index / CHANNEL_SEGMENT_SLOTS);
	if (err < 0) {
		systrap_slot_free(as, index);
		return err;
	}
	slot = &as->segments[index / CHANNEL_SEGMENT_SLOTS].slots[index % CHANNEL_SEGMENT_SLOTS];
	memset(&slot->request, 0, sizeof(slot->request));
	memset(&slot->counters, 0, sizeof(slot->counters));
	memset(&slot->reply, 0, sizeof(slot->reply));
	/* Best effort: a page that is swapped out costs time, nothing else. */
	if (!(as->slots_locked[index / 64] >> (index % 64) & 1))
		(void)mlock(slot, CHANNEL_SLOT_HEADER);
	as->slots_locked[index / 64] |= 1ull << (index % 64);
	*ret_index = index;
	return 0;
}

void systrap_slot_free(struct systrap_as *as, unsigned index)
{
	as->slots_used[index / 64] &= ~(1ull << (index % 64));
}

int systrap_stack_alloc(struct systrap_as *as, unsigned *ret_index)
{
	unsigned index = bit_alloc(as->stacks_used, SYSTRAP_SLOTS_MAX);

	if (index == SYSTRAP_SLOTS_MAX)
		return -EAGAIN;
	*ret_index = index;
	return 0;
}

void systrap_stack_free(struct systrap_as *as, unsigned index)
{
	as->stacks_used[index / 64] &= ~(1ull << (index % 64));
}

int systrap_segment_fd(struct systrap_as *as, unsigned index)
{
	return as->segments[index].memfd;
}

void systrap_segment_attached(struct systrap_as *as, unsigned index)
{
	segment_close_fd(as, index);
}

/* ---- processes ---- */

static void pidfd_ready(struct loop_fd *fd, uint32_t events)
{
	(void)fd;
	(void)events;
	systrap_reap();
}

int systrap_as_new(struct systrap_as **ret_as)
{
	struct systrap_as *as = calloc(1, sizeof(*as));

	if (!as)
		return -ENOMEM;
	for (unsigned i = 0; i < CHANNEL_SEGMENTS_MAX; i++)
		as->segments[i].memfd = -1;
	as->pidfd = (struct loop_fd){.fd = -1, .events = EPOLLIN, .ready = pidfd_ready};
	fiber_mutex_init(&as->transfer);
	list_init(&as->threads);
	list_init(&as->link);
	list_init(&as->condemned_link);
	*ret_as = as;
	return 0;
}

int systrap_as_attach(struct systrap_as *as, pid_t pid)
{
	int err;

	as->pidfd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (as->pidfd.fd < 0)
		return -errno;
	err = loop_fd_add(&as->pidfd);
	if (err < 0) {
		close(as->pidfd.fd);
		as->pidfd.fd = -1;
		return err;
	}
	as->pid = pid;
	list_add_tail(&as->link, &systrap.spaces);
	return 0;
}

void systrap_as_free(struct systrap_as *as)
{
	sentry_assert(list_empty(&as->threads));
	for (unsigned i = 0; i < CHANNEL_SEGMENTS_MAX; i++) {
		segment_close_fd(as, i);
		/* At the end of us all at once, which is cheaper. */
		if (as->segments[i].slots && !systrap.stopping)
			munmap(as->segments[i].slots, CHANNEL_SEGMENT_SIZE);
	}
	list_remove(&as->link);
	free(as->windows);
	systrap_patches_free(as->patches);
	free(as);
}

void systrap_as_kill(struct platform_as *platform_as)
{
	struct systrap_as *as = (struct systrap_as *)platform_as;

	if (as->killed || as->pid <= 0)
		return;
	as->killed = true;
	(void)kill(as->pid, SIGKILL);
}

static void unwatch(struct systrap_as *as)
{
	if (as->pidfd.fd < 0)
		return;
	loop_fd_remove(&as->pidfd);
	close(as->pidfd.fd);
	as->pidfd.fd = -1;
}

/* The kernel holds no thread of it any more. What is left of it is freed when it is reaped. */
static void condemn(struct systrap_as *as)
{
	if (as->dying || as->reaped)
		return;
	as->dying = true;
	systrap.dying_count++;
	list_add_tail(&as->condemned_link, &systrap.condemned);
	systrap.condemned_turns = 0;
	systrap_check_arm();
}

void systrap_bury(bool now)
{
	/* One turn for the fiber that let go to wake others, one for these. */
	if (list_empty(&systrap.condemned) || (!now && ++systrap.condemned_turns < 3))
		return;
	while (!list_empty(&systrap.condemned)) {
		struct systrap_as *as =
			list_first(&systrap.condemned, struct systrap_as, condemned_link);

		list_remove(&as->condemned_link);
		/* Its end is no news to anybody. */
		unwatch(as);
		systrap_as_kill((struct platform_as *)as);
	}
}

static void as_ended(struct systrap_as *as, int wait_status)
{
	struct systrap_thread *thread, *tmp;
	struct systrap_clone *clone;

	as->killed = true;
	as->reaped = true;
	as->wait_status = wait_status;
	unwatch(as);
	list_remove(&as->condemned_link);
	if (as->dying)
		systrap.dying_count--;
	list_for_each_entry_safe (thread, tmp, &as->threads, as_link) {
		bool released =
			thread->state == SYSTRAP_LEAVING || thread->state == SYSTRAP_RETIRED;

		systrap_thread_died(thread);
		if (released)
			systrap_thread_free(thread);
	}
	list_for_each_entry (clone, &systrap.clones, link) {
		if (clone->parent->as == as)
			wait_queue_wake(&clone->queue, ~0u);
	}
	if (as->live_threads == 0 && list_empty(&as->threads))
		systrap_as_free(as);
}

static int wait_status_of(const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		return (info->si_status & 0xff) << 8;
	return info->si_status & 0x7f;
}

void systrap_reap(void)
{
	for (;;) {
		struct systrap_as *as, *tmp;
		siginfo_t info = {0};

		if (waitid(P_PGID, (id_t)systrap.group, &info, WEXITED | WNOHANG) < 0 ||
			info.si_pid == 0)
			return;
		list_for_each_entry_safe (as, tmp, &systrap.spaces, link) {
			if (as->pid != info.si_pid)
				continue;
			if (as->pid == systrap.group && !systrap.stopping)
				systrap.upcalls->fatal("the zygote process ended");
			as_ended(as, wait_status_of(&info));
			break;
		}
	}
}

/* ---- threads ---- */

struct systrap_thread *systrap_thread_find(pid_t tid)
{
	struct systrap_thread *thread;

	hash_for_each_match(thread, &systrap.threads, hash_u64((uint64_t)tid), tid_node)
	{
		if (thread->tid == tid)
			return thread;
	}
	return NULL;
}

int systrap_thread_new(struct systrap_thread **ret_thread, struct systrap_as *as, pid_t tid,
	unsigned slot_index, unsigned stack_index, bool leader)
{
	struct systrap_thread *thread;
	int err;

	/* Its process ended after it rang: nobody would tell of this thread's death. */
	if (as->reaped)
		return -ESRCH;
	thread = calloc(1, sizeof(*thread));
	if (!thread)
		return -ENOMEM;
	thread->head.as = (struct platform_as *)as;
	thread->as = as;
	thread->tid = tid;
	thread->leader = leader;
	thread->slot_index = slot_index;
	thread->stack_index = stack_index;
	thread->slot = &as->segments[slot_index / CHANNEL_SEGMENT_SLOTS]
				.slots[slot_index % CHANNEL_SEGMENT_SLOTS];
	thread->slot->inguest = (struct platform_inguest){.features = PLATFORM_INGUEST_FUTEX};
	thread->slot->vdso_clock_gettime = systrap.vdso_clock_gettime;
	thread->slot->library_count = as->library_count;
	thread->head.inguest = &thread->slot->inguest;
	thread->head.ahead = &thread->slot->ahead;
	thread->head.held_of = thread->slot->held;
	thread->head.content = thread->slot->data;
	thread->head.sees_shared_names = as->has_names;
	thread->slot->reply.spin_tsc = systrap_spin_tsc();
	thread->since_tick = systrap.tick;
	list_init(&thread->hot_link);
	err = hash_insert(&systrap.threads, &thread->tid_node, hash_u64((uint64_t)tid));
	if (err < 0) {
		free(thread);
		return err;
	}
	as->had_threads |= !leader;
	list_add_tail(&thread->as_link, &as->threads);
	as->live_threads++;
	*ret_thread = thread;
	return 0;
}

void systrap_thread_died(struct systrap_thread *thread)
{
	if (thread->state == SYSTRAP_DEAD)
		return;
	if (thread->state == SYSTRAP_LEAVING)
		thread->as->leaving_count--;
	systrap_set_state(thread, SYSTRAP_DEAD);
	thread->notification = 0;
	systrap_spin_leave(thread);
	hash_remove(&systrap.threads, &thread->tid_node);
	if (thread->waiter)
		fiber_wake(thread->waiter);
}

/* What the stub claims. */
static void take_counters(const struct systrap_thread *thread)
{
	struct channel_counters counters;

	memcpy(&counters, &thread->slot->counters, sizeof(counters));
	systrap.stats.trapped += counters.trapped;
	systrap.stats.trapped_answered += counters.trapped_answered;
	systrap.stats.fast_answered += counters.fast_answered;
	for (unsigned nr = 0; nr < CHANNEL_NUMBERS; nr++)
		systrap.stats.answered[nr] += counters.answered[nr];
}

void systrap_add_answered(const struct systrap_thread *thread, uint64_t sums[CHANNEL_NUMBERS])
{
	for (unsigned nr = 0; nr < CHANNEL_NUMBERS; nr++)
		sums[nr] += __atomic_load_n(&thread->slot->counters.answered[nr], __ATOMIC_RELAXED);
}

void systrap_thread_free(struct systrap_thread *thread)
{
	take_counters(thread);
	systrap_thread_died(thread);
	list_remove(&thread->as_link);
	systrap_slot_free(thread->as, thread->slot_index);
	systrap_stack_free(thread->as, thread->stack_index);
	free(thread->snapshot.data);
	free(thread);
}

void systrap_thread_release(struct platform_thread *head)
{
	systrap.thread_count--;
	systrap_thread_drop(systrap_thread(head));
}

void systrap_thread_drop(struct systrap_thread *thread)
{
	struct systrap_as *as = thread->as;

	sentry_assert(as->live_threads > 0 && !thread->waiter);
	as->live_threads--;
	thread->head.kernel_data = NULL;
	if (thread->state == SYSTRAP_DEAD) {
		systrap_thread_free(thread);
		if (as->live_threads == 0 && as->reaped && list_empty(&as->threads))
			systrap_as_free(as);
		return;
	}
	systrap_spin_leave(thread);
	if (as->live_threads == 0) {
		systrap_set_state(thread, SYSTRAP_RETIRED);
		condemn(as);
		return;
	}
	systrap_reply_clear(thread);
	if (thread->leader) {
		/* A leader that exits stays as a zombie that cannot be told from a live thread: it
		 * sleeps on instead. */
		systrap_set_state(thread, SYSTRAP_RETIRED);
		return;
	}
	(void)systrap_command_add(thread, COMMAND_EXIT);
	systrap_channel_reply(thread, 0, 0);
	systrap_set_state(thread, SYSTRAP_LEAVING);
	systrap_spin_leave(thread);
	as->leaving_count++;
	systrap_check_arm();
}

/* ---- the check: threads that vanished, or do not do what they were told ---- */

bool systrap_thread_exists(const struct systrap_thread *thread)
{
	return syscall(SYS_tgkill, thread->as->pid, thread->tid, 0) == 0;
}

void systrap_sweep_leaving(struct systrap_as *as)
{
	struct systrap_thread *thread, *tmp;

	if (as->leaving_count == 0)
		return;
	list_for_each_entry_safe (thread, tmp, &as->threads, as_link) {
		if (thread->state == SYSTRAP_LEAVING && !systrap_thread_exists(thread))
			systrap_thread_free(thread);
	}
}

/* A stub that somebody stopped, alone or with the whole sandbox: if we run, so does it. */
static void continue_stopped(void)
{
	siginfo_t info = {0};

	while (waitid(P_PGID, (id_t)systrap.group, &info, WSTOPPED | WNOHANG) == 0 &&
		info.si_pid != 0) {
		(void)kill(info.si_pid, SIGCONT);
		info.si_pid = 0;
	}
}

/* True when the thread gives reason to look again. */
static bool check_thread(struct systrap_thread *thread)
{
	uint64_t age = systrap.tick - thread->since_tick;
	struct systrap_as *as = thread->as;

	switch (thread->state) {
	case SYSTRAP_LEAVING:
		if (!systrap_thread_exists(thread)) {
			systrap_thread_free(thread);
			return false;
		}
		if (age > LEAVE_TICKS)
			systrap_as_kill((struct platform_as *)as);
		return true;
	case SYSTRAP_IN_GUEST:
	case SYSTRAP_IN_COMMAND:
		/* A guest can jump to the stub's exit: its process then ends, rather than the task
		 * waiting for ever. */
		if (age >= LOST_TICKS && !systrap_thread_exists(thread))
			systrap_as_kill((struct platform_as *)as);
		if (thread->state == SYSTRAP_IN_COMMAND && !thread->interruptible_command &&
			age > COMMAND_TICKS)
			systrap_as_kill((struct platform_as *)as);
		if (thread->kicked && systrap.tick - thread->kicked_tick > KICK_TICKS)
			systrap_as_kill((struct platform_as *)as);
		return true;
	case SYSTRAP_STOPPED:
		if (thread->awaits_doorbell && age > COMMAND_TICKS)
			systrap_as_kill((struct platform_as *)as);
		return thread->awaits_doorbell;
	default:
		return false;
	}
}

void systrap_check_expired(struct timer *timer)
{
	struct systrap_thread *thread, *next_thread;
	struct systrap_as *as, *next_as;
	bool again = false;

	(void)timer;
	systrap.tick++;
	systrap_reap();
	continue_stopped();
	if (systrap.strays_possible && list_empty(&systrap.clones)) {
		systrap.strays_possible = false;
		systrap_kill_strays();
	}
	list_for_each_entry_safe (as, next_as, &systrap.spaces, link) {
		list_for_each_entry_safe (thread, next_thread, &as->threads, as_link)
			again |= check_thread(thread);
	}
	if (again)
		systrap_check_arm();
}

void systrap_check_arm(void)
{
	if (!timer_armed(&systrap.check_timer))
		(void)timer_arm(&systrap.check_timer, loop_monotonic_now() + CHECK_PERIOD);
}
