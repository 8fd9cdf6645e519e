/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What threads are told of their descriptors (struct platform_held of platform/inguest.h).
 *
 * /dev/null, /dev/zero: what a transfer does. It holds while the descriptor leads to that file and
 * nobody is told of reads and writes (inotify).
 *
 * A descriptor in an epoll instance: whether it is registered. From that follows what epoll_ctl(2)
 * says, and the thread says it itself; the change is made when it is told, with its next request,
 * or taken from it. That nobody can tell the difference rests on this: what an instance has
 * registered shows only in what who asks the instance is answered. Whoever does (epoll_wait,
 * epoll_ctl, poll, /proc/PID/fdinfo, kcmp) makes vfs/anon/epoll.c call on_epoll_use() first, which
 * exchanges the thread's words for 0 and makes the changes that it finds there. A change that the
 * asker may know of was stored before he asked, and is seen; one that comes later finds no word and
 * is a call. So nobody sleeps on an instance of which something is still to come:
 * it is lent only while nobody waits for it, or listens to it.
 *
 * The thread itself asks by a request, with which its changes come.
 *
 * Both hold for a descriptor of a table: what leaves it comes by on_fd_taken(). A table that the
 * task gives up for another one, execve, and the end take everything back. So do a tracer, a
 * filter, and who looks at calls, by task_publish().
 *
 * What the guest writes into a word can be anything: of it come the one bit, whether this
 * descriptor is to be registered in this instance, and with what. It could have made that call.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "abi/poll.h"
#include "abi/signal.h"
#include "base/log.h"
#include "platform/inguest.h"
#include "sentry/task.h"
#include "sentry/held.h"
#include "vfs/anon.h"

/* So many calls before anything is told: most programs make a few. */
#define CALLS_WORTH 16u
/* After it was all taken back because somebody else asked: this many times as many. */
#define CALLS_MAX 65536u

struct held {
	struct task *task;
	struct list_head link; /* all_held */
	unsigned calls, wanted;
	struct {
		/* Borrowed: they are in task->files while they are told of. epoll is NULL for a
		 * device; file is NULL when nothing is known. */
		struct file *file, *epoll;
		int fd, epfd;
	} entries[PLATFORM_HELD_COUNT];
};

static struct list_head all_held = LIST_HEAD_INIT(all_held);

static bool may_be_told(const struct task *task)
{
	return task->thread && task->thread->held_of && task->thread->inguest &&
	       (task->thread->inguest->features & PLATFORM_INGUEST_HELD);
}

static uint64_t key_of(const struct held *held, unsigned index)
{
	const uint32_t fd = (uint32_t)held->entries[index].fd;

	if (!held->entries[index].epoll)
		return PLATFORM_HELD_DEVICE | fd;
	return PLATFORM_HELD_EPOLL | (uint32_t)held->entries[index].epfd << 16 | fd;
}

/* The program was told that its descriptor is registered, and it never will be. */
static void end_for_memory(struct task *task)
{
	const struct lx_siginfo info = {.signo = LX_SIGKILL, .code = LX_SI_KERNEL};
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", task->group->pid->nr);
	audit_event("limit", "limit", "memory of the kernel process", "killed", pid, NULL);
	log_warning("no memory for an epoll instance: killed process %s", pid);
	(void)signal_send_group(task->group, &info);
}

/* @word and what belongs to it, as the guest left them: makes the change. */
static void make_change(struct held *held, unsigned index, uint64_t word)
{
	const struct platform_held *shared = &held->task->thread->held_of[index];
	const unsigned half = (word & PLATFORM_HELD_SECOND) != 0;
	const struct lx_epoll_event event = {
		.events = __atomic_load_n(&shared->events[half], __ATOMIC_RELAXED),
		.data = __atomic_load_n(&shared->data[half], __ATOMIC_RELAXED),
	};

	if (epoll_settle(held->entries[index].epoll, held->entries[index].file,
		    held->entries[index].fd, word & PLATFORM_HELD_REGISTERED, &event) == -ENOMEM)
		end_for_memory(held->task);
}

static void entry_take_back(struct held *held, unsigned index)
{
	uint64_t word;

	if (!held->entries[index].file)
		return;
	word = __atomic_exchange_n(&held->task->thread->held_of[index].word, 0, __ATOMIC_SEQ_CST);
	if (held->entries[index].epoll && (word & PLATFORM_HELD_CHANGED) &&
		(word & PLATFORM_HELD_KEY) == key_of(held, index))
		make_change(held, index, word);
	held->entries[index].file = held->entries[index].epoll = NULL;
}

void held_take_back(struct task *task)
{
	struct held *held = task->held;

	if (!held || list_empty(&held->link))
		return;
	for (unsigned i = 0; i < PLATFORM_HELD_COUNT; i++) {
		struct file *epoll = held->entries[i].epoll;

		entry_take_back(held, i);
		if (epoll)
			epoll_returned(epoll);
	}
	list_remove(&held->link);
	held->calls = 0;
}

void held_settle(struct task *task)
{
	struct held *held = task->held;
	unsigned next = task->thread->held;

	task->thread->held = 0;
	if (!held)
		return;
	/* Each that is found is no longer CHANGED behind it; another thread of a hostile guest
	 * could mark it again, so the steps are counted. */
	for (unsigned i = 0; i < PLATFORM_HELD_COUNT; i++) {
		uint64_t *shared, word;

		if (next == 0 || next > PLATFORM_HELD_COUNT || !held->entries[next - 1].epoll)
			break;
		shared = &task->thread->held_of[next - 1].word;
		word = __atomic_load_n(shared, __ATOMIC_ACQUIRE);
		if (!(word & PLATFORM_HELD_CHANGED) ||
			(word & PLATFORM_HELD_KEY) != key_of(held, next - 1))
			break;
		make_change(held, next - 1, word);
		__atomic_store_n(shared, word & ~PLATFORM_HELD_CHANGED, __ATOMIC_RELAXED);
		next = PLATFORM_HELD_NEXT(word);
	}
}

/* ---- telling ---- */

bool file_is_unwatched(const struct file *file)
{
	const struct inode *parent = file->path.dentry->parent->inode;

	return list_empty(&file->inode->marks) && (!parent || list_empty(&parent->marks));
}

static struct held *held_get(struct task *task)
{
	struct held *held = task->held;

	if (!held) {
		held = calloc(1, sizeof(*held));
		if (!held)
			return NULL;
		held->task = task;
		held->wanted = CALLS_WORTH;
		list_init(&held->link);
		task->held = held;
	}
	return held;
}

/* Whether the present call is one of many; then something may be told. */
static struct held *held_wanted(struct task *task)
{
	struct held *held;

	if (!may_be_told(task))
		return NULL;
	held = held_get(task);
	if (!held || ++held->calls < held->wanted)
		return NULL;
	return held;
}

/* The thread is stopped. */
static void tell(
	struct held *held, struct file *file, struct file *epoll, int fd, int epfd, uint64_t bits)
{
	const unsigned index = (unsigned)fd % PLATFORM_HELD_COUNT;

	entry_take_back(held, index);
	held->entries[index].file = file;
	held->entries[index].epoll = epoll;
	held->entries[index].fd = fd;
	held->entries[index].epfd = epfd;
	if (list_empty(&held->link))
		list_add(&held->link, &all_held);
	fd_table_watch(held->task->files);
	__atomic_store_n(&held->task->thread->held_of[index].word, key_of(held, index) | bits,
		__ATOMIC_RELEASE);
}

static bool lent_to_another(const struct held *held, const struct file *epoll)
{
	const struct held *other;

	list_for_each_entry (other, &all_held, link)
		for (unsigned i = 0; other != held && i < PLATFORM_HELD_COUNT; i++)
			if (other->entries[i].epoll == epoll)
				return true;
	return false;
}

void held_epoll_ctl(struct task *task, struct file *epoll, struct file *target, int epfd, int op,
	int fd, const struct lx_epoll_event *event)
{
	const unsigned index = (unsigned)fd % PLATFORM_HELD_COUNT;
	struct held *held;

	/* It may have been made by another descriptor of the instance. */
	if (task->held && task->held->entries[index].fd == fd)
		entry_take_back(task->held, index);
	held = held_wanted(task);
	if (!held || lent_to_another(held, epoll) || !epoll_lend(epoll, target, event))
		return;
	tell(held, target, epoll, fd, epfd, op == LX_EPOLL_CTL_DEL ? 0 : PLATFORM_HELD_REGISTERED);
}

void held_device(struct task *task, struct file *file, int fd)
{
	struct held *held = held_wanted(task);
	uint64_t bits = 0;

	if (!held || !file_is_unwatched(file))
		return;
	if (file->readable && (file->ops->idle & FILE_READS_ZERO))
		bits |= PLATFORM_HELD_READS_ZERO;
	if (file->readable && (file->ops->idle & FILE_READS_END))
		bits |= PLATFORM_HELD_READS_END;
	if (file->writable && (file->ops->idle & FILE_WRITES_NOTHING))
		bits |= PLATFORM_HELD_WRITES;
	tell(held, file, NULL, fd, 0, bits);
}

/* ---- taking back ---- */

void held_forget_devices(void)
{
	struct held *held;

	list_for_each_entry (held, &all_held, link)
		for (unsigned i = 0; i < PLATFORM_HELD_COUNT; i++)
			if (held->entries[i].file && !held->entries[i].epoll)
				entry_take_back(held, i);
}

/*
 * All at once, since what is changed is chained. A thread that shares its instance with others who
 * look at it would be told again and again in vain.
 */
static void on_epoll_use(struct file *epoll, bool from_caller)
{
	const struct task *caller = task_current();
	struct held *held, *next;

	list_for_each_entry_safe (held, next, &all_held, link) {
		if (held->task == caller && !from_caller)
			continue;
		for (unsigned i = 0; i < PLATFORM_HELD_COUNT; i++) {
			if (held->entries[i].epoll != epoll)
				continue;
			held->wanted = held->wanted * 2 < CALLS_MAX ? held->wanted * 2 : CALLS_MAX;
			held_take_back(held->task);
			break;
		}
	}
}

static void on_fd_taken(struct fd_table *table, int fd, struct file *file)
{
	const struct task *caller = task_current();
	const unsigned index = (unsigned)fd % PLATFORM_HELD_COUNT;
	struct held *held, *next;

	list_for_each_entry_safe (held, next, &all_held, link) {
		if (held->task->files != table)
			continue;
		if (held->task != caller) {
			held_take_back(held->task);
			continue;
		}
		if (held->entries[index].fd == fd)
			entry_take_back(held, index);
		if (file_is_epoll(file))
			held_take_back(held->task);
	}
}

void held_init(void)
{
	fd_table_register_taken(on_fd_taken);
	epoll_register_lent(on_epoll_use);
}
