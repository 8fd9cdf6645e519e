/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Priority-inheritance futexes (kernel futex/pi.c).
 *
 * The word holds its owner's tid; programs take and release it themselves by compare-and-exchange
 * 0 <-> tid, and come here when that fails. What the Sentry needs of the word is one atomic step:
 * setting FUTEX_WAITERS, which the host's FUTEX_WAKE_OP does in the guest's memory. From then on
 * the word is neither 0 nor a bare tid, so every program comes here, one at a time, and plain reads
 * and writes do the rest. Waiters sleep here, by real-time priority and then in order of arrival.
 *
 * Who waits to be requeued to such a futex sleeps here too: the host never hears of the word that
 * it names first, so only FUTEX_CMP_REQUEUE_PI finds it there.
 *
 * Nobody's priority is raised: the host's scheduler is not told of priorities at all.
 */
#include "sentry/futex_pi.h"

#include <errno.h>
#include <stdlib.h>

#include "abi/errno.h"
#include "abi/futex.h"
#include "abi/sched.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/mm.h"

#define CHAIN_MAX 1024 /* owners followed in search of a deadlock (kernel.max_lock_depth) */

/* A word that somebody waits for. */
struct pi_state {
	struct hash_entry hash;
	const void *object;  /* mm or inode: a name, not used */
	struct inode *inode; /* owned: no other one gets that name; NULL: the waiters keep the mm */
	uint64_t offset;
	struct task *owner; /* owned; NULL between an owner's death and the heir's turn */
	struct list_head waiters;
};

struct pi_waiter {
	struct list_head link;
	struct task *task;
	bool granted, owner_died;
	struct pi_state *state; /* that it waits for; NULL while it waits to be requeued */
	struct wait_queue queue;
};

/* What names a futex. */
struct pi_key {
	const void *object;
	uint64_t offset;
	struct inode *inode; /* owned: as in struct pi_state */
};

/* FUTEX_WAIT_REQUEUE_PI: in `requeueing` until the waiter has a state or the lock. */
struct pi_requeue {
	struct pi_waiter waiter;
	struct pi_key from, to;
};

static struct list_head requeueing = {&requeueing, &requeueing};

static struct hash_table states;
/*
 * One change at a time, since reading and writing the word sleeps: of an address space's own
 * futexes, and of those that several may share. Who holds one keeps nobody else from his own.
 */
static struct fiber_mutex shared_mutex;
static bool shared_mutex_ready;

static struct fiber_mutex *mutex_of(struct task *task, const struct futex_pi *futex)
{
	if (futex->private)
		return &task->mm->pi_mutex;
	if (!shared_mutex_ready)
		fiber_mutex_init(&shared_mutex);
	shared_mutex_ready = true;
	return &shared_mutex;
}

/* ---- the word -------------------------------------------------------------------------------- */

static int read_word(struct task *task, gaddr_t uaddr, uint32_t *ret)
{
	return guest_read(task, ret, uaddr, sizeof(*ret));
}

static int write_word(struct task *task, gaddr_t uaddr, uint32_t value)
{
	return guest_write(task, uaddr, &value, sizeof(value));
}

/* Atomically, and reads what is there then. */
static int set_waiters(struct task *task, const struct futex_pi *futex, uint32_t *ret)
{
	const struct platform_futex or_bit = {
		.op = LX_FUTEX_WAKE_OP | (futex->private ? LX_FUTEX_PRIVATE_FLAG : 0),
		.uaddr = futex->uaddr,
		.uaddr2 = futex->uaddr,
		/* *uaddr2 |= 1 << 31; nobody is woken, since nobody waits in the host. */
		.val3 = (uint32_t)(LX_FUTEX_OP_OR | LX_FUTEX_OP_OPARG_SHIFT) << 28 | 31u << 12,
	};
	int64_t r;

	do {
		r = platform->futex(task->thread, &or_bit);
	} while ((r == -ERESTARTSYS || r == -EINTR) && !task->killed);
	if (r < 0)
		return r == -ESRCH || r == -ERESTARTSYS ? -EINTR : (int)r;
	return read_word(task, futex->uaddr, ret);
}

static uint32_t own_tid(const struct task *task)
{
	return (uint32_t)task_own_tid(task);
}

/* ---- states ---------------------------------------------------------------------------------- */

/* get_futex_key(). The inode that it names, borrowed, or NULL. */
static struct inode *key_of(const struct task *task, const struct futex_pi *futex,
	const void **ret_object, uint64_t *ret_offset)
{
	const struct vma *vma = futex->private ? NULL : mm_find(task->mm, futex->uaddr.v);

	if (vma && vma->start <= futex->uaddr.v && vma->shared && vma->file) {
		*ret_object = vma->file->inode;
		*ret_offset = vma->offset + (futex->uaddr.v - vma->start);
		return vma->file->inode;
	}
	*ret_object = task->mm;
	/* FUT_OFF_MMSHARED: of the address space in both cases, and yet not the same futex. */
	*ret_offset = futex->uaddr.v | (futex->private ? 0 : 2);
	return NULL;
}

/* get_futex_key(): a shared one is known by its page, which must be there. */
static int check_shared(struct task *task, const struct futex_pi *futex)
{
	uint32_t word;

	return futex->private ? 0 : read_word(task, futex->uaddr, &word);
}

static struct pi_key name_of(const struct task *task, const struct futex_pi *futex)
{
	struct pi_key key;

	key.inode = key_of(task, futex, &key.object, &key.offset);
	if (key.inode)
		inode_ref(key.inode);
	return key;
}

static void drop_name(const struct pi_key *key)
{
	if (key->inode)
		inode_unref(key->inode);
}

static bool same_key(const struct pi_key *a, const struct pi_key *b)
{
	return a->object == b->object && a->offset == b->offset;
}

static struct pi_state *find_state(const struct task *task, const struct futex_pi *futex)
{
	struct pi_state *state;
	const void *object;
	uint64_t offset;

	(void)key_of(task, futex, &object, &offset);
	hash_for_each_match(state, &states, hash_u64_pair((uintptr_t)object, offset),
		hash) if (state->object == object && state->offset == offset) return state;
	return NULL;
}

static int new_state(const struct task *task, const struct futex_pi *futex, struct task *owner,
	struct pi_state **ret)
{
	struct pi_state *state = calloc(1, sizeof(*state));
	struct inode *inode;
	int err;

	if (!state)
		return -ENOMEM;
	inode = key_of(task, futex, &state->object, &state->offset);
	err = hash_insert(
		&states, &state->hash, hash_u64_pair((uintptr_t)state->object, state->offset));
	if (err < 0) {
		free(state);
		return err;
	}
	list_init(&state->waiters);
	state->owner = task_ref(owner);
	state->inode = inode ? inode_ref(inode) : NULL;
	*ret = state;
	return 0;
}

static void drop_if_unused(struct pi_state *state)
{
	if (!list_empty(&state->waiters))
		return;
	hash_remove(&states, &state->hash);
	task_unref(state->owner);
	if (state->inode)
		inode_unref(state->inode);
	free(state);
}

static int priority(const struct task *task)
{
	bool real_time = task->sched_policy == LX_SCHED_FIFO || task->sched_policy == LX_SCHED_RR;

	return real_time ? task->sched_priority : 0;
}

static void add_by_priority(struct list_head *waiters, struct pi_waiter *waiter)
{
	struct list_head *at = waiters->prev;

	while (at != waiters &&
		priority(list_entry(at, struct pi_waiter, link)->task) < priority(waiter->task))
		at = at->prev;
	list_add(&waiter->link, at);
}

static void enqueue(struct pi_state *state, struct pi_waiter *waiter)
{
	add_by_priority(&state->waiters, waiter);
	waiter->state = state;
	waiter->task->pi_waiting = state;
}

/* The next owner; the state may be gone after. */
static void grant(struct pi_state *state, bool owner_died)
{
	struct pi_waiter *heir = list_first(&state->waiters, struct pi_waiter, link);

	list_remove(&heir->link);
	heir->granted = true;
	heir->owner_died = owner_died;
	heir->task->pi_waiting = NULL;
	task_unref(state->owner);
	state->owner = task_ref(heir->task);
	wait_queue_wake_all(&heir->queue, ~0u);
	drop_if_unused(state);
}

/* Does @owner wait, by way of others, for something of @task's? */
static bool would_deadlock(const struct task *task, const struct task *owner)
{
	for (int i = 0; owner && i < CHAIN_MAX; i++) {
		if (owner == task)
			return true;
		owner = owner->pi_waiting ? owner->pi_waiting->owner : NULL;
	}
	return false;
}

/* ---- lock ------------------------------------------------------------------------------------ */

/* With the mutex, which is given up meanwhile. */
static int64_t sleep_in(struct task *task, const struct futex_pi *futex, struct pi_state *state)
{
	struct fiber_mutex *mutex = mutex_of(task, futex);
	struct pi_waiter waiter = {.task = task};
	int err = 0;

	wait_queue_init(&waiter.queue);
	enqueue(state, &waiter);
	fiber_mutex_unlock(mutex);
	while (!waiter.granted && err == 0)
		err = wait_sleep(&waiter.queue, ~0u, futex->deadline, true, false);
	fiber_mutex_lock(mutex);
	wait_queue_destroy(&waiter.queue);
	if (waiter.granted) {
		if (waiter.owner_died)
			return write_word(task, futex->uaddr,
				own_tid(task) | LX_FUTEX_WAITERS | LX_FUTEX_OWNER_DIED);
		return 0;
	}
	list_remove(&waiter.link);
	task->pi_waiting = NULL;
	drop_if_unused(state);
	return err == -ETIMEDOUT ? -ETIMEDOUT : -ERESTARTNOINTR;
}

/* Can @waiter wait for the owner that @word names, in @task's memory? Nobody: 0. */
static int check_owner(const struct task *task, const struct futex_pi *futex, uint32_t word,
	const struct task *waiter)
{
	const struct pi_state *state = find_state(task, futex);
	const struct task *owner = pid_task((int)(word & LX_FUTEX_TID_MASK));

	if (state)
		return would_deadlock(waiter, state->owner) ? -EDEADLK : 0;
	if ((word & LX_FUTEX_TID_MASK) == 0)
		return 0;
	if (!owner || owner->exited)
		return -ESRCH;
	/* Pid 1 has no memory, like a thread of the kernel; and who does not share the memory
	 * cannot have a private one (attach_to_pi_owner()). */
	if (!owner->mm || (futex->private && owner->mm != task->mm))
		return -EPERM;
	return would_deadlock(waiter, owner) ? -EDEADLK : 0;
}

/* Somebody has it. */
static int64_t wait_for_owner(struct task *task, const struct futex_pi *futex, uint32_t word)
{
	struct pi_state *state = find_state(task, futex);
	int err;

	if (futex->try)
		return -EAGAIN;
	if (!state) {
		err = new_state(task, futex, pid_task((int)(word & LX_FUTEX_TID_MASK)), &state);
		if (err < 0)
			return err;
	}
	return sleep_in(task, futex, state);
}

static int64_t lock_with_mutex(struct task *task, const struct futex_pi *futex)
{
	uint32_t word;
	int err = read_word(task, futex->uaddr, &word);

	if (err < 0)
		return err;
	if ((word & LX_FUTEX_TID_MASK) == own_tid(task))
		return -EDEADLK;
	err = set_waiters(task, futex, &word);
	if (err < 0)
		return err;
	if ((word & LX_FUTEX_TID_MASK) == 0 && !find_state(task, futex))
		return write_word(task, futex->uaddr, own_tid(task) | (word & LX_FUTEX_OWNER_DIED));
	err = check_owner(task, futex, word, task);
	return err < 0 ? err : wait_for_owner(task, futex, word);
}

int64_t futex_pi_lock(struct task *task, const struct futex_pi *futex)
{
	struct fiber_mutex *mutex = mutex_of(task, futex);
	int64_t r;

	/* Another process' memory may keep its holder: a kill gets through. */
	if (fiber_mutex_lock_interruptible(mutex) < 0)
		return -ERESTARTNOINTR;
	r = lock_with_mutex(task, futex);
	fiber_mutex_unlock(mutex);
	return r;
}

/* ---- unlock ---------------------------------------------------------------------------------- */

static int64_t unlock_with_mutex(struct task *task, const struct futex_pi *futex)
{
	struct pi_state *state;
	uint32_t word, heir;
	int err = read_word(task, futex->uaddr, &word);

	if (err < 0)
		return err;
	if ((word & LX_FUTEX_TID_MASK) != own_tid(task))
		return -EPERM;
	state = find_state(task, futex);
	if (!state)
		return write_word(task, futex->uaddr, 0);
	if (state->owner != task)
		return -EINVAL;
	heir = own_tid(list_first(&state->waiters, struct pi_waiter, link)->task);
	err = write_word(task, futex->uaddr, heir | LX_FUTEX_WAITERS);
	if (err == 0)
		grant(state, false);
	return err;
}

int64_t futex_pi_unlock(struct task *task, const struct futex_pi *futex)
{
	struct fiber_mutex *mutex = mutex_of(task, futex);
	int64_t r;

	/* Another process' memory may keep its holder: a kill gets through. */
	if (fiber_mutex_lock_interruptible(mutex) < 0)
		return -ERESTARTNOINTR;
	r = unlock_with_mutex(task, futex);
	fiber_mutex_unlock(mutex);
	return r;
}

/* ---- requeueing ------------------------------------------------------------------------------ */

/* How the wait ended, with the mutex (futex_wait_requeue_pi()). */
static int64_t requeue_ended(
	struct task *task, const struct futex_pi *to, struct pi_waiter *waiter, int err)
{
	if (waiter->granted && waiter->owner_died)
		return write_word(
			task, to->uaddr, own_tid(task) | LX_FUTEX_WAITERS | LX_FUTEX_OWNER_DIED);
	if (waiter->granted)
		return 0;
	list_remove(&waiter->link);
	if (!waiter->state)
		return err == -ETIMEDOUT ? -ETIMEDOUT : -ERESTARTNOINTR;
	task->pi_waiting = NULL;
	drop_if_unused(waiter->state);
	/* The first futex has changed since: the call cannot begin again. */
	return err == -ETIMEDOUT ? -ETIMEDOUT : -EAGAIN;
}

/* With the mutex, which is given up meanwhile. */
static int64_t wait_named(struct task *task, const struct futex_pi *from, uint32_t value,
	const struct futex_pi *to, struct pi_requeue *requeue)
{
	struct fiber_mutex *mutex = mutex_of(task, from);
	struct pi_waiter *waiter = &requeue->waiter;
	uint32_t word;
	int64_t r;
	int err = check_shared(task, to);

	if (err == 0)
		err = read_word(task, from->uaddr, &word);
	if (err < 0)
		return err;
	if (word != value)
		return -EAGAIN;
	if (same_key(&requeue->from, &requeue->to))
		return -EINVAL;
	wait_queue_init(&waiter->queue);
	add_by_priority(&requeueing, waiter);
	fiber_mutex_unlock(mutex);
	while (!waiter->granted && err == 0)
		err = wait_sleep(&waiter->queue, ~0u, from->deadline, true, false);
	fiber_mutex_lock(mutex);
	r = requeue_ended(task, to, waiter, err);
	wait_queue_destroy(&waiter->queue);
	return r;
}

static int64_t wait_with_mutex(
	struct task *task, const struct futex_pi *from, uint32_t value, const struct futex_pi *to)
{
	struct pi_requeue requeue = {
		.waiter = {.task = task}, .from = name_of(task, from), .to = name_of(task, to)};
	int64_t r = wait_named(task, from, value, to, &requeue);

	drop_name(&requeue.from);
	drop_name(&requeue.to);
	return r;
}

int64_t futex_pi_wait_requeue(
	struct task *task, const struct futex_pi *from, uint32_t value, const struct futex_pi *to)
{
	struct fiber_mutex *mutex;
	int64_t r;

	if (from->uaddr.v == to->uaddr.v)
		return -EINVAL;
	mutex = mutex_of(task, from);
	if (fiber_mutex_lock_interruptible(mutex) < 0)
		return -ERESTARTNOINTR;
	r = wait_with_mutex(task, from, value, to);
	fiber_mutex_unlock(mutex);
	return r;
}

static struct pi_requeue *next_requeue(const struct pi_key *from)
{
	struct pi_waiter *waiter;

	list_for_each_entry (waiter, &requeueing, link) {
		struct pi_requeue *requeue = container_of(waiter, struct pi_requeue, waiter);

		if (same_key(&requeue->from, from))
			return requeue;
	}
	return NULL;
}

/* Gives @waiter the futex, if it is free, or a place among those who wait for it. */
static int requeue_one(struct task *task, const struct futex_pi *to, struct pi_waiter *waiter)
{
	struct pi_state *state;
	uint32_t word;
	int err = read_word(task, to->uaddr, &word);

	if (err < 0)
		return err;
	if ((word & LX_FUTEX_TID_MASK) == own_tid(waiter->task))
		return -EDEADLK;
	err = set_waiters(task, to, &word);
	if (err < 0)
		return err;
	state = find_state(task, to);
	if ((word & LX_FUTEX_TID_MASK) == 0 && !state) {
		err = write_word(task, to->uaddr,
			own_tid(waiter->task) | LX_FUTEX_WAITERS | (word & LX_FUTEX_OWNER_DIED));
		if (err < 0)
			return err;
		list_remove(&waiter->link);
		waiter->granted = true;
		wait_queue_wake_all(&waiter->queue, ~0u);
		return 0;
	}
	err = check_owner(task, to, word, waiter->task);
	if (err == 0 && !state)
		err = new_state(task, to, pid_task((int)(word & LX_FUTEX_TID_MASK)), &state);
	if (err < 0)
		return err;
	list_remove(&waiter->link);
	enqueue(state, waiter);
	return 0;
}

static int64_t requeue_named(struct task *task, const struct futex_pi *to, int count,
	const struct pi_key *from_key, const struct pi_key *to_key)
{
	int64_t done = 0;

	/* One gets the futex, or waits for it as the others do. */
	for (; done <= count; done++) {
		struct pi_requeue *requeue = next_requeue(from_key);
		int err;

		if (!requeue)
			break;
		err = same_key(&requeue->to, to_key) ? requeue_one(task, to, &requeue->waiter)
						     : -EINVAL;
		if (err < 0)
			return done ? done : err;
	}
	return done;
}

static int64_t requeue_with_mutex(struct task *task, const struct futex_pi *from,
	const struct futex_pi *to, int count, uint32_t value)
{
	const struct pi_key from_key = name_of(task, from), to_key = name_of(task, to);
	uint32_t word;
	int64_t r = same_key(&from_key, &to_key) ? -EINVAL : 0;

	if (r == 0)
		r = check_shared(task, to);
	if (r == 0)
		r = read_word(task, from->uaddr, &word);
	if (r == 0)
		r = word == value ? requeue_named(task, to, count, &from_key, &to_key) : -EAGAIN;
	drop_name(&from_key);
	drop_name(&to_key);
	return r;
}

int64_t futex_pi_requeue(struct task *task, const struct futex_pi *from, const struct futex_pi *to,
	int count, uint32_t value)
{
	struct fiber_mutex *mutex = mutex_of(task, from);
	int64_t r;

	if (fiber_mutex_lock_interruptible(mutex) < 0)
		return -ERESTARTNOINTR;
	r = requeue_with_mutex(task, from, to, count, value);
	fiber_mutex_unlock(mutex);
	return r;
}

/* ---- the end of an owner --------------------------------------------------------------------- */

static struct pi_state *find_owned(const struct task *task)
{
	struct pi_state *state;

	hash_for_each_entry (state, &states, hash)
		if (state->owner == task)
			return state;
	return NULL;
}

/*
 * Without the mutex, which another process' memory may keep its holder for long: nobody's end may
 * depend on that. Who sleeps with the mutex held keeps no state but one of his own, in
 * unlock_with_mutex(), and then he is not ending here.
 */
void futex_pi_exit(struct task *task)
{
	struct pi_state *state;

	/* Most tasks: nobody waits for anything. */
	if (!states.count)
		return;
	for (state = find_owned(task); state; state = find_owned(task))
		grant(state, true);
}
