/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll(7); kernel fs/eventpoll.c.
 *
 * An instance has an *item* for each (file, descriptor number) that was added. The item listens on
 *the file's wait queue; a wake-up puts it on the instance's *ready list*, which means "worth
 *asking". Only when somebody waits are the files asked, and what is level-triggered and ready goes
 *to the end of the list again.
 *
 *	item->entry      on the file's wait queue, always
 *	item->ready      on epoll->ready_list when worth asking
 *	item->on_file    on file->epoll_entries: the core calls epoll_forget_file() when the file
 *goes
 *
 * An item does not hold its file (closing the last descriptor must end the interest), and the
 *file's end removes the item, so the pointer is good while the item lives. Whoever may sleep does
 *not keep item pointers across it.
 *
 * Instances can watch instances. Adding checks that the graph has no cycle and no path longer than
 *LX_EPOLL_NEST_MAX, so the recursions here (asking, waking, checking) end within that many steps.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "base/cleanup.h"
#include "vfs/anon.h"

/* Bits of an item that are not events. An item whose other bits are all gone is a spent
 * EPOLLONESHOT. */
#define PRIVATE_BITS (LX_EPOLLWAKEUP | LX_EPOLLONESHOT | LX_EPOLLET | LX_EPOLLEXCLUSIVE)
#define EXCLUSIVE_OK                                                                               \
	(LX_EPOLLIN | LX_EPOLLOUT | LX_EPOLLERR | LX_EPOLLHUP | LX_EPOLLWAKEUP | LX_EPOLLET |      \
		LX_EPOLLEXCLUSIVE)

/* Items of the sandbox (fs.epoll.max_user_watches). */
#define ITEMS_MAX 131072u
/*
 * How many instances may watch one instance. With the bounded depth it bounds the work of one
 * wake-up, as Linux does by counting paths (reverse_path_check(), -EINVAL too).
 */
#define WATCHERS_MAX 10u

struct epoll {
	struct hash_table items; /* by file and number */
	struct list_head ready_list;
	struct list_head all;	      /* items, for release and the loop check */
	struct wait_queue waiters;    /* epoll_wait() */
	struct wait_queue poll_queue; /* who polls this instance */
	struct file *file;	      /* borrowed: its own */
	/* Generation of the last loop check that came here, and the depth it found. */
	uint64_t visited;
	int depth;
	unsigned watchers;  /* instances that watch this one */
	uint64_t passed_on; /* number of the last wake-up that went on to our waiters */
	bool lent; /* somebody makes changes of which we are to hear later (epoll_lend()) */
};

struct epoll_item {
	struct hash_entry hash;
	struct list_head ready, on_file, in_all;
	struct epoll *epoll;
	struct file *file; /* borrowed, see above */
	int fd;
	uint32_t events; /* as given, with POLLERR and POLLHUP */
	uint64_t data;
	struct wait_entry entry;
};

static uint32_t item_count;
static uint64_t check_generation;

static void item_free(struct epoll_item *item);
static int item_add(
	struct epoll *epoll, struct file *file, int fd, const struct lx_epoll_event *event);
static void item_modify(struct epoll_item *item, const struct lx_epoll_event *event);

static const struct file_ops epoll_ops;

bool file_is_epoll(const struct file *file)
{
	return file->ops == &epoll_ops;
}

static uint64_t item_hash(const struct file *file, int fd)
{
	return hash_u64_pair((uint64_t)(uintptr_t)file, (uint64_t)(unsigned)fd);
}

static struct epoll_item *item_find(struct epoll *epoll, const struct file *file, int fd)
{
	struct epoll_item *item;

	hash_for_each_match(item, &epoll->items, item_hash(file, fd), hash)
	{
		if (item->file == file && item->fd == fd)
			return item;
	}
	return NULL;
}

/* ---- changes of which we hear later ---- */

static void (*take_back)(struct file *epoll, bool from_caller);

void epoll_register_lent(void (*on_use)(struct file *epoll, bool from_caller))
{
	take_back = on_use;
}

bool epoll_lend(struct file *file, const struct file *target, const struct lx_epoll_event *event)
{
	struct epoll *epoll = file->private;

	if (file_is_epoll(target) || epoll->watchers || !list_empty(&epoll->waiters.entries) ||
		!list_empty(&epoll->poll_queue.entries) || item_count >= ITEMS_MAX / 2 ||
		(event->events & (LX_EPOLLEXCLUSIVE | LX_EPOLLWAKEUP)))
		return false;
	epoll->lent = true;
	return true;
}

void epoll_returned(struct file *file)
{
	((struct epoll *)file->private)->lent = false;
}

static void settle(struct epoll *epoll, bool from_caller)
{
	if (epoll->lent)
		take_back(epoll->file, from_caller);
}

int epoll_settle(struct file *file, struct file *target, int fd, bool registered,
	const struct lx_epoll_event *event)
{
	struct epoll *epoll = file->private;
	struct epoll_item *item = item_find(epoll, target, fd);

	if (!registered) {
		if (item)
			item_free(item);
		return 0;
	}
	if (event->events & (LX_EPOLLEXCLUSIVE | LX_EPOLLWAKEUP))
		return -EINVAL;
	if (!item)
		return item_add(epoll, target, fd, event);
	item_modify(item, event);
	return 0;
}

/* ---- becoming ready ---- */

/*
 * Once for each event, however many items and instances it comes through: lattices of instances
 * have more paths than anybody can walk.
 */
static void wake_waiters(struct epoll *epoll, bool notified)
{
	if (notified) {
		if (epoll->passed_on == wait_queue_wake_number())
			return;
		epoll->passed_on = wait_queue_wake_number();
	}
	wait_queue_wake(&epoll->waiters, LX_POLLIN);
	wait_queue_wake(&epoll->poll_queue, LX_POLLIN | LX_POLLRDNORM);
}

static void item_set_ready(struct epoll_item *item, bool notified)
{
	if (list_empty(&item->ready))
		list_add_tail(&item->ready, &item->epoll->ready_list);
	wake_waiters(item->epoll, notified);
}

/* Does this wake-up count against an exclusive wait? Only when somebody here will act on it. */
static bool accepts_exclusive(const struct epoll_item *item, uint32_t events, bool had_waiters)
{
	uint32_t direction = events & (LX_EPOLLIN | LX_EPOLLOUT);

	return had_waiters && (!direction || (item->events & direction));
}

static bool item_notify(struct wait_entry *entry, uint32_t events)
{
	struct epoll_item *item = list_entry(entry, struct epoll_item, entry);
	bool had_waiters = !list_empty(&item->epoll->waiters.entries);

	if (events & WAIT_QUEUE_GONE)
		return true;
	if (!(item->events & ~PRIVATE_BITS) || !(item->events & events))
		return false;
	item_set_ready(item, true);
	return accepts_exclusive(item, events, had_waiters);
}

/* What of the item's interest holds now. */
static uint32_t item_poll(const struct epoll_item *item)
{
	return file_poll(item->file) & item->events & ~PRIVATE_BITS;
}

/* ---- items ---- */

static void item_listen(struct epoll_item *item)
{
	struct wait_queue *queue =
		item->file->ops->poll_queue ? item->file->ops->poll_queue(item->file) : NULL;

	item->entry.events = item->events & ~PRIVATE_BITS;
	item->entry.exclusive = (item->events & LX_EPOLLEXCLUSIVE) != 0;
	item->entry.notify = item_notify;
	if (queue)
		wait_entry_add(queue, &item->entry);
}

static void item_free(struct epoll_item *item)
{
	wait_entry_remove(&item->entry);
	list_remove(&item->ready);
	list_remove(&item->on_file);
	list_remove(&item->in_all);
	hash_remove(&item->epoll->items, &item->hash);
	if (file_is_epoll(item->file))
		((struct epoll *)item->file->private)->watchers--;
	free(item);
	item_count--;
}

void epoll_forget_file(struct file *file)
{
	while (!list_empty(&file->epoll_entries))
		item_free(list_first(&file->epoll_entries, struct epoll_item, on_file));
}

static int item_add(
	struct epoll *epoll, struct file *file, int fd, const struct lx_epoll_event *event)
{
	struct epoll_item *item;
	int err;

	if (item_count >= ITEMS_MAX)
		return -ENOSPC;
	item = calloc(1, sizeof(*item));
	if (!item)
		return -ENOMEM;
	item->epoll = epoll;
	item->file = file;
	item->fd = fd;
	item->events = event->events | LX_EPOLLERR | LX_EPOLLHUP;
	item->data = event->data;
	err = hash_insert(&epoll->items, &item->hash, item_hash(file, fd));
	if (err < 0) {
		free(item);
		return err;
	}
	item_count++;
	if (file_is_epoll(file))
		((struct epoll *)file->private)->watchers++;
	list_init(&item->ready);
	list_add_tail(&item->on_file, &file->epoll_entries);
	list_add_tail(&item->in_all, &epoll->all);
	item_listen(item);
	if (item_poll(item))
		item_set_ready(item, false);
	return 0;
}

static void item_modify(struct epoll_item *item, const struct lx_epoll_event *event)
{
	item->events = event->events | LX_EPOLLERR | LX_EPOLLHUP;
	item->data = event->data;
	item->entry.events = item->events & ~PRIVATE_BITS;
	if (item_poll(item))
		item_set_ready(item, false);
}

/* ---- the graph of instances ---- */

/*
 * The longest chain of instances below @from, itself not counted; -1 when @wanted is among them or
 * the chain is too long. Each instance is visited once: one that was seen before is on no new
 * cycle, and its depth was counted then.
 */
static int depth_below(struct epoll *from, const struct epoll *wanted, int level)
{
	struct epoll_item *item;

	if (from == wanted || level > LX_EPOLL_NEST_MAX)
		return -1;
	if (from->visited == check_generation)
		return from->depth;
	from->visited = check_generation;
	from->depth = 0;
	list_for_each_entry (item, &from->all, in_all) {
		int depth;

		if (!file_is_epoll(item->file))
			continue;
		depth = depth_below(item->file->private, wanted, level + 1);
		if (depth < 0)
			return -1;
		if (depth + 1 > from->depth)
			from->depth = depth + 1;
	}
	return from->depth;
}

static int depth_above(const struct epoll *epoll, int level)
{
	struct epoll_item *item;
	int highest = 0;

	if (level > LX_EPOLL_NEST_MAX)
		return level;
	list_for_each_entry (item, &epoll->file->epoll_entries, on_file) {
		int depth = depth_above(item->epoll, level + 1) + 1;

		if (depth > highest)
			highest = depth;
		if (highest > LX_EPOLL_NEST_MAX)
			break;
	}
	return highest;
}

/* kernel: ep_loop_check(). @target is about to be watched by @epoll. */
static int check_nesting(struct epoll *epoll, struct epoll *target)
{
	int below;

	if (target->watchers >= WATCHERS_MAX)
		return -EINVAL;
	check_generation++;
	below = depth_below(target, epoll, 0);
	if (below < 0 || depth_above(epoll, 0) + 1 + below >= LX_EPOLL_NEST_MAX)
		return -ELOOP;
	return 0;
}

const struct file *epoll_nth_target(const struct file *epoll_file, int fd, unsigned nth)
{
	struct epoll *epoll = epoll_file->private;
	const struct epoll_item *item;

	settle(epoll, false);
	list_for_each_entry (item, &epoll->all, in_all)
		if (item->fd == fd && nth-- == 0)
			return item->file;
	return NULL;
}

int epoll_control(struct file *epoll_file, int operation, struct file *target, int fd,
	const struct lx_epoll_event *event)
{
	struct epoll *epoll = epoll_file->private;
	struct epoll_item *item;

	if (!target->ops->poll)
		return -EPERM;
	if (epoll_file == target || !file_is_epoll(epoll_file))
		return -EINVAL;
	if (operation != LX_EPOLL_CTL_DEL && (event->events & LX_EPOLLEXCLUSIVE)) {
		if (operation == LX_EPOLL_CTL_MOD)
			return -EINVAL;
		if (operation == LX_EPOLL_CTL_ADD &&
			(file_is_epoll(target) || (event->events & ~EXCLUSIVE_OK)))
			return -EINVAL;
	}
	if (operation == LX_EPOLL_CTL_ADD && file_is_epoll(target)) {
		int err = check_nesting(epoll, target->private);

		if (err < 0)
			return err;
	}
	settle(epoll, false);
	item = item_find(epoll, target, fd);
	switch (operation) {
	case LX_EPOLL_CTL_ADD:
		return item ? -EEXIST : item_add(epoll, target, fd, event);
	case LX_EPOLL_CTL_DEL:
		if (!item)
			return -ENOENT;
		item_free(item);
		return 0;
	case LX_EPOLL_CTL_MOD:
		if (!item)
			return -ENOENT;
		if (item->events & LX_EPOLLEXCLUSIVE)
			return -EINVAL;
		item_modify(item, event);
		return 0;
	default:
		return -EINVAL;
	}
}

/* ---- waiting ---- */

/*
 * Asks the files of the ready list, each once, until @count events are there. Level-triggered items
 * that are ready go to the end of the list, so that the next call starts with others.
 */
static size_t collect(struct epoll *epoll, struct lx_epoll_event *events, size_t count)
{
	struct list_head asked;
	size_t found = 0;

	list_init(&asked); /* ready and level-triggered, in order */
	while (found < count && !list_empty(&epoll->ready_list)) {
		struct epoll_item *item = list_first(&epoll->ready_list, struct epoll_item, ready);
		uint32_t revents;

		list_remove(&item->ready);
		revents = item_poll(item);
		if (!revents)
			continue;
		events[found++] = (struct lx_epoll_event){.events = revents, .data = item->data};
		if (item->events & LX_EPOLLONESHOT)
			item->events &= PRIVATE_BITS;
		else if (!(item->events & LX_EPOLLET))
			list_add_tail(&item->ready, &asked);
	}
	while (!list_empty(&asked)) {
		struct epoll_item *item = list_first(&asked, struct epoll_item, ready);

		list_remove(&item->ready);
		list_add_tail(&item->ready, &epoll->ready_list);
	}
	/* One waiter was woken for what we found; the rest is for the others. */
	if (!list_empty(&epoll->ready_list))
		wait_queue_wake(&epoll->waiters, LX_POLLIN);
	return found;
}

int64_t epoll_wait_events(
	struct file *file, struct lx_epoll_event *events, size_t count, uint64_t deadline)
{
	struct epoll *epoll = file->private;

	if (!file_is_epoll(file))
		return -EINVAL;
	settle(epoll, false);
	for (;;) {
		size_t found = collect(epoll, events, count);
		int err;

		if (found)
			return (int64_t)found;
		if (deadline == 0)
			return 0;
		if (fiber_interrupted(fiber_current()))
			return -EINTR;
		err = wait_sleep(&epoll->waiters, LX_POLLIN, deadline, true, true);
		if (err < 0) {
			found = collect(epoll, events, count);
			if (found)
				return (int64_t)found;
			return err == -ETIMEDOUT ? 0 : -EINTR;
		}
	}
}

/* ---- the instance as a file ---- */

/* An instance is readable while one of its files is; items that are not leave the ready list on the
 * way. */
static uint32_t epoll_poll(struct file *file)
{
	struct epoll *epoll = file->private;
	struct epoll_item *item, *next;

	settle(epoll, false);
	list_for_each_entry_safe (item, next, &epoll->ready_list, ready) {
		if (item_poll(item))
			return LX_POLLIN | LX_POLLRDNORM;
		list_remove(&item->ready);
	}
	return 0;
}

static struct wait_queue *epoll_poll_queue(struct file *file)
{
	/* Whoever listens is to hear of all that happens. */
	settle(file->private, true);
	return &((struct epoll *)file->private)->poll_queue;
}

static void epoll_release(struct file *file)
{
	struct epoll *epoll = file->private;

	settle(epoll, true);
	while (!list_empty(&epoll->all))
		item_free(list_first(&epoll->all, struct epoll_item, in_all));
	hash_fini(&epoll->items);
	wait_queue_destroy(&epoll->waiters);
	wait_queue_destroy(&epoll->poll_queue);
	free(epoll);
}

static size_t epoll_show_fdinfo(struct file *file, char *buffer, size_t size)
{
	struct epoll *epoll = file->private;
	struct epoll_item *item;
	size_t length = 0;

	settle(epoll, false);
	list_for_each_entry (item, &epoll->all, in_all) {
		int wanted;

		if (length >= size)
			break;
		wanted = snprintf(buffer + length, size - length,
			"tfd: %8d events: %8x data: %16llx  pos:%lli ino:%llx sdev:%llx\n",
			item->fd, item->events, (unsigned long long)item->data,
			(long long)item->file->pos, (unsigned long long)item->file->inode->ino,
			(unsigned long long)item->file->inode->sb->dev);
		if ((size_t)wanted >= size - length)
			break; /* only whole lines */
		length += (size_t)wanted;
	}
	return length;
}

/* Of busy polling, which there is none of: where other files say ENOTTY, epoll says this. */
static int64_t epoll_ioctl(
	struct file *file, unsigned request, gaddr_t arg, const struct vfs_ctx *ctx)
{
	(void)file;
	(void)request;
	(void)arg;
	(void)ctx;
	return -EINVAL;
}

static const struct file_ops epoll_ops = {
	.name = "epoll",
	.seek = file_no_seek,
	.poll = epoll_poll,
	.poll_queue = epoll_poll_queue,
	.release = epoll_release,
	.show_fdinfo = epoll_show_fdinfo,
	.ioctl = epoll_ioctl,
};

int epoll_new(struct file **ret)
{
	struct epoll *epoll = calloc(1, sizeof(*epoll));
	int err;

	if (!epoll)
		return -ENOMEM;
	list_init(&epoll->ready_list);
	list_init(&epoll->all);
	wait_queue_init(&epoll->waiters);
	wait_queue_init(&epoll->poll_queue);
	err = file_new_anonymous("anon_inode:[eventpoll]", &epoll_ops, epoll, LX_O_RDWR, 0600, ret);
	if (err < 0) {
		free(epoll);
		return err;
	}
	(*ret)->stream = true;
	epoll->file = *ret;
	return 0;
}
